"""Metrics of a workspace: what runs count, in a registry of its own, without a word of what was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from segue import Agent, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tracing import Tracer
from segue.tracing.metrics import Metrics
from segue.tracing.spans import SpanKind, SpanRow

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(metrics: Metrics) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def at(held: Samples, name: str, **labels: str) -> float:
    return held[name, frozenset(labels.items())]


def row(kind: SpanKind, name: str, seconds: float = 1.0, status: Any = "ok", **held: Any) -> SpanRow:
    attributes = {key.replace("__", "."): value for key, value in held.items()}
    return SpanRow("acme", "t", "s", "", "r", kind, name, 0, int(seconds * 1e9), status, attributes)


@tool(effect="read")
def look(word: str) -> str:
    """Look.

    Args:
        word: A word.
    """
    if word == "marmalade":
        raise LookupError("no marmalade")
    return "nightingale"


async def test_a_run_is_counted_with_its_generations_tokens_cost_tools_and_times(ws: Workspace) -> None:
    model = ScriptedModel([call("look", word="x"), call("look", word="marmalade"), "done"], cost_usd=0.25)
    run = await ws.run(Agent("finder", model=model, tools=[look]), "periwinkle")
    ws.tracer.flush()
    held = samples(ws.metrics)

    assert at(held, "segue_runs_total", agent="finder", status="completed") == 1
    assert at(held, "segue_generations_total", deployment="scripted", status="ok") == 3
    assert at(held, "segue_tokens_total", deployment="scripted", type="input") == run.usage.input_tokens
    assert at(held, "segue_tokens_total", deployment="scripted", type="output") == run.usage.output_tokens
    assert at(held, "segue_cost_usd_total", deployment="scripted") == run.cost_usd == 0.75
    assert at(held, "segue_tool_calls_total", tool="look", status="ok") == 1
    assert at(held, "segue_tool_calls_total", tool="look", status="error") == 1
    assert at(held, "segue_errors_total", kind="tool", category="tool") == 1
    assert at(held, "segue_verdicts_total", place="tool", verdict="allow") == 2
    assert at(held, "segue_tool_seconds_count", tool="look") == 2
    assert at(held, "segue_first_token_seconds_count", deployment="scripted") == 3
    assert at(held, "segue_run_seconds_bucket", agent="finder", le="+Inf") == 1
    assert at(held, "segue_queue_dropped", destination="tracer") == 0
    assert at(held, "segue_queue_waiting", destination="tracer") == 0
    assert held["process_resident_memory_bytes", frozenset()] > 1e6
    for said in (b"periwinkle", b"marmalade", b"nightingale"):
        assert said not in ws.metrics.render()


async def test_each_workspace_counts_for_itself_and_the_global_registry_stays_as_it_was(tmp_path: Path) -> None:
    before = {family.name for family in REGISTRY.collect()}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with Workspace.open(tmp_path / "one") as one, Workspace.open(tmp_path / "two") as two:
        await one.run(Agent("a", model=ScriptedModel(["x"])), "go")
        one.tracer.flush()
        two.tracer.flush()

        assert at(samples(one.metrics), "segue_runs_total", agent="a", status="completed") == 1
        assert ("segue_runs_total", frozenset({("agent", "a"), ("status", "completed")})) not in samples(two.metrics)
    assert {family.name for family in REGISTRY.collect()} == before


async def test_runs_that_fail_are_counted_by_the_category_of_their_error(ws: Workspace) -> None:
    run = await ws.run(Agent("a", model=ScriptedModel([])), "go")
    ws.tracer.flush()

    assert run.status == "failed"
    assert at(samples(ws.metrics), "segue_runs_total", agent="a", status="failed") == 1
    assert at(samples(ws.metrics), "segue_errors_total", kind="run", category="usage") == 1


def test_times_fall_into_the_buckets_that_hold_them() -> None:
    metrics = Metrics()
    metrics.write([row("tool", "t", seconds) for seconds in (0.004, 0.005, 0.3, 1_000)])
    held = samples(metrics)

    assert at(held, "segue_tool_seconds_bucket", tool="t", le="0.005") == 2
    assert at(held, "segue_tool_seconds_bucket", tool="t", le="0.25") == 2
    assert at(held, "segue_tool_seconds_bucket", tool="t", le="0.5") == 3
    assert at(held, "segue_tool_seconds_bucket", tool="t", le="+Inf") == 4
    assert at(held, "segue_tool_seconds_sum", tool="t") == pytest.approx(1000.309)


def test_labels_are_redacted_and_their_number_is_bounded() -> None:
    metrics = Metrics()
    metrics.write([row("tool", "mail ann@example.org")])
    metrics.write([row("tool", f"tool {index}") for index in range(2_000)])
    text = metrics.render().decode()

    assert 'tool="mail [email]"' in text
    assert "ann@example.org" not in text
    assert text.count("segue_tool_calls_total{") <= 502
    assert metrics.value("segue_tool_calls", "other", "other") == 1_501


def test_an_unknown_price_is_counted_as_unknown_and_never_as_nothing() -> None:
    metrics = Metrics()
    metrics.write([row("generation", "g", segue__deployment="d", gen_ai__usage__input_tokens=5)])
    held = samples(metrics)

    assert at(held, "segue_generations_unpriced_total", deployment="d") == 1
    assert ("segue_cost_usd_total", frozenset({("deployment", "d")})) not in held


def test_spans_that_were_lost_and_numbers_that_others_watch_are_told() -> None:
    class Broken:
        def write(self, rows: Any) -> None:
            raise OSError("full")

        def close(self) -> None:
            pass

    metrics = Metrics()
    tracer = Tracer([Broken(), metrics])
    metrics.watch("segue_queue_dropped", "Lost.", lambda: tracer.dropped, destination="tracer")
    metrics.watch("segue_open_connections", "Open.", lambda: 3.0, to="models")
    tracer.record(row("edge", "a → b", segue__edge__kind="goto"))
    tracer.flush()
    held = samples(metrics)
    tracer.close()

    assert at(held, "segue_queue_dropped", destination="tracer") == 1
    assert at(held, "segue_open_connections", to="models") == 3
    assert at(held, "segue_edges_total", kind="goto") == 1
