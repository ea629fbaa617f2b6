"""Metrics: finished spans in, numbers for Prometheus out.

A sink that counts in plain dictionaries in the tracer's thread, so nothing is added to a run. `registry` is a
`prometheus_client` registry of the workspace's own, never the global one. Labels hold the names that developers gave
(agents, tools, deployments) and closed sets, redacted and bounded in number; never what people said.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.tracing.redaction import Redactor, redactor
from segue.tracing.spans import SpanRow

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_MOST_SERIES = 500
"""Of one metric; more are counted under `other`, so that an odd name cannot fill the memory."""
Labels = tuple[str, ...]

_COUNTERS: dict[str, tuple[str, Labels]] = {
    "segue_runs": ("Segments of runs that ended, by how.", ("agent", "status")),
    "segue_generations": ("Answers of models.", ("deployment", "status")),
    "segue_tokens": ("Tokens; `cached` are among `input`.", ("deployment", "type")),
    "segue_cost_usd": ("Cost of generations whose price is known.", ("deployment",)),
    "segue_generations_unpriced": ("Generations whose price is not known.", ("deployment",)),
    "segue_tool_calls": ("Tool calls that ran.", ("tool", "status")),
    "segue_verdicts": ("Verdicts of rails and of the gate.", ("place", "verdict")),
    "segue_edges": ("Edges taken.", ("kind",)),
    "segue_errors": ("Spans that failed, by the category of their error.", ("kind", "category")),
}
_HISTOGRAMS: dict[str, tuple[str, Labels]] = {
    "segue_run_seconds": ("Duration of a segment of a run.", ("agent",)),
    "segue_generation_seconds": ("Duration of a generation.", ("deployment",)),
    "segue_first_token_seconds": ("Time to the first token.", ("deployment",)),
    "segue_tool_seconds": ("Duration of a tool call.", ("tool",)),
}


@dataclass
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(_SECONDS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(_SECONDS, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        out, running = [], 0
        for bound, count in zip((*map(str, _SECONDS), "+Inf"), self.counts, strict=True):
            running += count
            out.append((bound, float(running)))
        return out


class Metrics:
    """A sink that counts, and a collector that Prometheus reads.

    Args:
        redact: For labels; `None` takes secrets and personal data out.
    """

    def __init__(self, *, redact: Redactor | None = None) -> None:
        self._redact = redact or redactor()
        self._lock = threading.Lock()
        self._counters: dict[str, dict[Labels, float]] = {name: {} for name in _COUNTERS}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {name: {} for name in _HISTOGRAMS}
        self._gauges: dict[tuple[str, str], list[tuple[dict[str, str], Callable[[], float]]]] = {}
        self._registry: CollectorRegistry | None = None

    def watch(self, name: str, help_text: str, read: Callable[[], float], **labels: str) -> None:
        """Read a number each time that metrics are collected, as a gauge: queue sizes, open connections."""
        with self._lock:
            self._gauges.setdefault((name, help_text), []).append((labels, read))

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Count a batch of spans."""
        verdicts, edges = Counter[Labels](), Counter[str]()
        with self._lock:
            for row in rows:
                if row.kind == "verdict" and (verdict := row.attributes.get("segue.verdict")):
                    verdicts[str(row.attributes.get("segue.place", "")), str(verdict)] += 1
                elif row.kind == "edge":
                    edges[str(row.attributes.get("segue.edge.kind", ""))] += 1
                else:
                    self._count(row)
                if row.status == "error":
                    category = str(row.attributes.get("segue.error_category") or row.kind)
                    self._add("segue_errors", row.kind, category)
            for labels, count in verdicts.items():
                self._add("segue_verdicts", *labels, by=count)
            for kind, count in edges.items():
                self._add("segue_edges", kind, by=count)

    def close(self) -> None:
        """Nothing is held."""

    @property
    def registry(self) -> CollectorRegistry:
        """The workspace's registry, to serve or to add to; made when first asked for."""
        if self._registry is None:
            from prometheus_client import CollectorRegistry, ProcessCollector

            registry = CollectorRegistry(auto_describe=False)
            registry.register(self)
            ProcessCollector(registry=registry)
            self._registry = registry
        return self._registry

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def value(self, name: str, *labels: str) -> float:
        """What a counter stands at, 0 where it never counted."""
        with self._lock:
            return self._counters[name].get(labels, 0.0)

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            counters = {name: dict(held) for name, held in self._counters.items()}
            histograms = {
                name: [(labels, each.buckets(), each.total) for labels, each in held.items()]
                for name, held in self._histograms.items()
            }
            gauges = {key: list(held) for key, held in self._gauges.items()}
        for name, (text, keys) in _COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=keys)
            for labels, value in counters[name].items():
                counter.add_metric(labels, value)
            yield counter
        for name, (text, keys) in _HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, text, labels=keys)
            for labels, buckets, total in histograms[name]:
                histogram.add_metric(labels, buckets, total)
            yield histogram
        for (name, text), held in gauges.items():
            gauge = GaugeMetricFamily(name, text, labels=list(held[0][0]))
            for named, read in held:
                gauge.add_metric(list(named.values()), read())
            yield gauge

    def _count(self, row: SpanRow) -> None:
        held, took = row.attributes, (row.end_ns - row.start_ns) / 1e9
        match row.kind:
            case "run":
                self._add("segue_runs", row.name, str(held.get("segue.run_status") or row.status))
                self._time("segue_run_seconds", took, row.name)
            case "generation":
                self._generation(row, took)
            case "tool":
                self._add("segue_tool_calls", row.name, row.status)
                self._time("segue_tool_seconds", took, row.name)
                if verdict := held.get("segue.verdict"):
                    self._add("segue_verdicts", "tool", str(verdict))
            case _:
                pass

    def _generation(self, row: SpanRow, took: float) -> None:
        held = row.attributes
        deployment = str(held.get("segue.deployment", ""))
        self._add("segue_generations", deployment, row.status)
        self._time("segue_generation_seconds", took, deployment)
        if (first := held.get("segue.first_token_s")) is not None:
            self._time("segue_first_token_seconds", first, deployment)
        for kind, name in (
            ("input", "input_tokens"),
            ("output", "output_tokens"),
            ("cached", "cache_read.input_tokens"),
        ):
            if tokens := held.get(f"gen_ai.usage.{name}"):
                self._add("segue_tokens", deployment, kind, by=tokens)
        if (cost := held.get("segue.cost_usd")) is not None:
            self._add("segue_cost_usd", deployment, by=cost)
        elif row.status == "ok":
            self._add("segue_generations_unpriced", deployment)

    def _add(self, name: str, *labels: str, by: float = 1.0) -> None:
        held = self._counters[name]
        key = self._labels(held, labels)
        held[key] = held.get(key, 0.0) + by

    def _time(self, name: str, seconds: float, *labels: str) -> None:
        held = self._histograms[name]
        key = self._labels(held, labels)
        if key not in held:
            held[key] = _Histogram()
        held[key].add(seconds)

    def _labels(self, held: dict[Labels, Any], labels: Labels) -> Labels:
        if labels in held:
            return labels
        clean = tuple(self._redact(label[:100]) for label in labels)
        return clean if clean in held or len(held) < _MOST_SERIES else ("other",) * len(labels)
