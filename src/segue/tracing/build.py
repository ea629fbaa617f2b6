"""The room put together from its settings: sinks for spans, scores, metrics.

In: the settings and a way to resolve references to secrets. Out: what the workspace hands to its tracer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from segue.base.errors import ConfigError
from segue.tracing.metrics import Metrics
from segue.tracing.redaction import redactor
from segue.tracing.sampling import SampledSinks, Sampling
from segue.tracing.scores import Scores
from segue.tracing.settings import LangfuseSection, RedactionSection, TracingSection
from segue.tracing.tracer import Runs, Sink, Tracer

if TYPE_CHECKING:
    from segue.tracing.delivery import Limits
    from segue.tracing.otlp import OtlpExporter

CLOUD = "https://cloud.langfuse.com"
Resolve = Callable[[str, str], str]
"""The secret behind a reference; the second argument says what wants it, for the error."""


def otlp_exporters(
    tracing: TracingSection, redaction: RedactionSection, runs: Runs, resolve: Resolve, limits: Limits | None = None
) -> list[OtlpExporter]:
    """One exporter for each OTLP endpoint.

    Raises:
        ConfigError: A header refers to a secret that is not there.
    """
    endpoints = tracing.endpoints()
    if not endpoints:
        return []
    from segue.tracing.otlp import OtlpExporter, describe_genai

    return [
        OtlpExporter(
            name,
            section.endpoint,
            headers={
                key: resolve(value, f"tracing.{name}, header {key},") if value.startswith(("env:", "file:")) else value
                for key, value in section.headers.items()
            },
            runs=runs,
            redact=redactor(redaction.otlp),
            describe=partial(describe_genai, content=section.content),
            limits=limits,
        )
        for name, section in endpoints.items()
    ]


def langfuse_parts(
    section: LangfuseSection,
    redaction: RedactionSection,
    runs: Runs,
    resolve: Resolve,
    environ: Mapping[str, str],
    limits: Limits | None = None,
) -> tuple[OtlpExporter | None, Scores]:
    """The exporter to Langfuse and its scores; without a project no exporter, and scores that go nowhere.

    Raises:
        ConfigError: Langfuse is wanted and a key is missing, or only one of the two is set.
    """
    found = _keys(section, resolve, environ)
    if found is None:
        return None, Scores()
    from segue.tracing.otlp import langfuse_exporter

    public_key, secret_key = found
    host = section.host or environ.get("LANGFUSE_BASE_URL") or environ.get("LANGFUSE_HOST") or CLOUD
    environment = section.environment or environ.get("LANGFUSE_TRACING_ENVIRONMENT", "")
    release = section.release or environ.get("LANGFUSE_RELEASE", "")
    redact = redactor(redaction.langfuse)
    exporter = langfuse_exporter(
        host, public_key, secret_key, runs=runs, redact=redact, environment=environment, release=release,
        content=section.content, limits=limits,
    )  # fmt: skip
    return exporter, Scores(host, public_key, secret_key, environment=environment, redact=redact, limits=limits)


def _keys(section: LangfuseSection, resolve: Resolve, environ: Mapping[str, str]) -> tuple[str, str] | None:
    off = environ.get("LANGFUSE_TRACING_ENABLED", "").lower() in ("false", "0")
    if section.enabled is False or (section.enabled is None and off):
        return None
    keys, missing = [], []
    for name in ("public_key", "secret_key"):
        try:
            keys.append(resolve(getattr(section, name), f"langfuse.{name}"))
        except ConfigError as error:
            missing.append(error)
    if missing and (section.enabled or keys):
        raise ConfigError(
            missing[0].message, way_out="Set both keys of the Langfuse project, or langfuse.enabled = false."
        )
    return None if missing else (keys[0], keys[1])


def sampling_of(tracing: TracingSection, share: float | None) -> Sampling:
    """What is kept for a destination; its own share, or that of all."""
    return Sampling(
        share=tracing.sample if share is None else share,
        keep_above_usd=tracing.keep_above_usd,
        keep_above_s=tracing.keep_above_s,
    )


def sampled(name: str, sinks: Sequence[Sink], sampling: Sampling, metrics: Metrics) -> list[Sink]:
    """The sinks, behind one that hands on what is kept; the sinks themselves where that is everything."""
    if sampling.share >= 1:
        return list(sinks)
    made = SampledSinks(sinks, sampling)
    text = "Spans of runs that were not sent, as `sample` asks; none of them is lost."
    metrics.watch("segue_spans_sampled_out", text, lambda: float(made.sampled_out), destination=name)
    return [made]


def watched(metrics: Metrics, tracer: Tracer, exporters: list[OtlpExporter], scores: Scores) -> Metrics:
    """The metrics, which now also tell how many spans and scores wait and how many were lost."""
    waiting = ("segue_queue_waiting", "Spans or scores that wait for a destination.")
    dropped = ("segue_queue_dropped", "Spans or scores that were lost on the way to a destination.")
    metrics.watch(*waiting, lambda: float(tracer.waiting), destination="tracer")
    metrics.watch(*dropped, lambda: float(tracer.dropped), destination="tracer")
    deliveries = [(each.name, each.delivery) for each in exporters]
    for name, delivery in [*deliveries, *([("scores", scores.delivery)] if scores.delivery else [])]:
        metrics.watch(*waiting, lambda held=delivery: float(held.waiting), destination=name)  # type: ignore[misc]
        metrics.watch(*dropped, lambda held=delivery: float(held.dropped), destination=name)  # type: ignore[misc]
    return metrics
