"""Telemetry of a workspace: its settings in, the tracer with all its sinks, scores and metrics out.

What each sink does is decided in `segue.tracing`; here they are given their keys and closed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segue.router.secrets import resolve
from segue.tracing.bridge import Bridge
from segue.tracing.build import langfuse_parts, otlp_exporters, sampled, sampling_of, watched
from segue.tracing.metrics import Metrics
from segue.tracing.redaction import redactor
from segue.tracing.scores import Scores, VerdictScores
from segue.tracing.store import TraceStore
from segue.tracing.tracer import Sink, Tracer
from segue.workspace.settings import WorkspaceSettings, environment

if TYPE_CHECKING:
    from segue.tracing.otlp import OtlpExporter


@dataclass(frozen=True)
class Telemetry:
    """What a workspace tells, and through whom."""

    tracer: Tracer
    metrics: Metrics
    scores: Scores
    exporters: list[OtlpExporter]

    def close(self) -> None:
        """Send what waits, for five seconds at most, and let go. Blocks: call it in a thread."""
        self.tracer.close(4.0)
        self.scores.close(1.0)


def open_telemetry(settings: WorkspaceSettings, folder: Path, traces: TraceStore) -> Telemetry:
    """The tracer and its sinks; exporters stand before the local store, since they never wait.

    Raises:
        ConfigError: A key that a destination needs is missing.
    """
    environ = environment(folder)

    def secret(reference: str, wanted_by: str) -> str:
        return resolve(reference, environ, wanted_by=wanted_by)

    tracing = settings.tracing
    tracer = Tracer(capacity=tracing.capacity)
    tracer.bridge = Bridge() if tracing.bridge else None
    langfuse, scores = langfuse_parts(settings.langfuse, settings.redaction, tracer.runs, secret, environ)
    exporters = otlp_exporters(tracing, settings.redaction, tracer.runs, secret)
    metrics = Metrics(redact=redactor(settings.redaction.metrics))
    shares = {name: endpoint.sample for name, endpoint in tracing.endpoints().items()}
    sent: list[Sink] = []
    for each in exporters:
        sent += sampled(each.name, [each], sampling_of(tracing, shares[each.name]), metrics)
    if langfuse is not None:
        judged: list[Sink] = [VerdictScores(scores)] if scores.delivery else []
        sent = [
            *sampled("langfuse", [langfuse, *judged], sampling_of(tracing, settings.langfuse.sample), metrics),
            *sent,
        ]
        exporters.insert(0, langfuse)
    local: list[Sink] = [traces] if tracing.enabled else []
    kept = sampled("local", local, sampling_of(tracing, tracing.local_sample), metrics) if local else []
    tracer.sinks = [*sent, watched(metrics, tracer, exporters, scores), *kept]
    return Telemetry(tracer, metrics, scores, exporters)
