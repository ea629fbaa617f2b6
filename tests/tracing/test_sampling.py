"""Sampling: which runs are kept, whole, and what is counted of those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from tests.tracing.otlp_sink import collecting

from segue import Agent, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tracing.sampling import SampledSinks, Sampling, chosen
from segue.tracing.spans import SpanKind, SpanRow, new_span_id, new_trace_id
from segue.workspace.settings import read

OUT = "f" * 32
"""A trace that no share below 1 takes."""
IN = "0" * 32


class Kept:
    def __init__(self) -> None:
        self.rows: list[SpanRow] = []
        self.closed = False

    def write(self, rows: Sequence[SpanRow]) -> None:
        self.rows += rows

    def close(self) -> None:
        self.closed = True


def row(
    run_id: str, kind: SpanKind, *, trace: str = OUT, status: Any = "ok", took_s: float = 0.0, **held: Any
) -> SpanRow:
    named = {key.replace("__", "."): value for key, value in held.items()}
    return SpanRow("acme", trace, new_span_id(), "", run_id, kind, kind, 0, int(took_s * 1e9), status, named)


def sampled(**limits: Any) -> tuple[SampledSinks, Kept, list[float]]:
    kept, now = Kept(), [0.0]
    return SampledSinks([kept], Sampling(share=0.1, **limits), monotonic=lambda: now[0]), kept, now


def test_the_share_is_decided_by_the_trace_id_as_opentelemetry_does_it() -> None:
    sampler = TraceIdRatioBased(0.3)
    traces = [new_trace_id() for _ in range(2_000)]

    ours = [chosen(each, 0.3) for each in traces]
    theirs = [sampler.should_sample(None, int(each, 16), "x").decision is not Decision.DROP for each in traces]

    assert ours == theirs
    assert 450 < sum(ours) < 750
    assert all(chosen(each, 1.0) for each in traces)
    assert not any(chosen(each, 0.0) for each in traces)


@pytest.mark.parametrize(
    "end",
    [
        row("r", "run", status="error"),
        row("r", "run", status="cancelled"),
        row("r", "run", status="waiting"),
        row("r", "run", segue__run_status="stopped"),
        row("r", "run", segue__run_status="failed"),
        row("r", "run", segue__resumed=True),
        row("r", "run", took_s=31.0),
    ],
    ids=["error", "cancelled", "waiting", "stopped", "failed", "resumed", "long"],
)
def test_a_run_that_went_wrong_waited_or_took_long_is_kept_with_its_early_spans(end: SpanRow) -> None:
    sink, kept, _ = sampled(keep_above_s=30.0)
    early = [row("r", "generation"), row("r", "node")]
    sink.write(early)
    assert kept.rows == []

    sink.write([end])
    late = row("r", "shadow")
    sink.write([late])

    assert kept.rows == [*early, end, late]
    assert sink.sampled_out == 0


def test_a_dear_run_is_kept_by_the_sum_of_its_generations() -> None:
    sink, kept, _ = sampled(keep_above_usd=0.5)
    for run_id, cost in (("dear", 0.3), ("cheap", 0.2)):
        sink.write([row(run_id, "generation", segue__cost_usd=cost) for _ in range(2)])
        sink.write([row(run_id, "run")])

    assert {each.run_id for each in kept.rows} == {"dear"}
    assert len(kept.rows) == 3
    assert sink.sampled_out == 3


def test_a_run_that_went_well_is_left_out_and_counted_and_the_share_passes_at_once() -> None:
    sink, kept, _ = sampled()
    inside = row("b", "node", trace=IN)
    sink.write([row("a", "node"), inside, row("a", "run")])
    sink.write([row("a", "shadow")])

    assert kept.rows == [inside]
    assert sink.sampled_out == 3
    assert sink.waiting == 0


def test_what_waits_too_long_is_kept_also_when_nothing_is_written() -> None:
    sink, kept, now = sampled(wait_s=60.0)
    held = row("r", "node")
    sink.write([held])
    now[0] = 59.0
    sink.tick()
    assert kept.rows == []

    now[0] = 61.0
    sink.tick()

    assert kept.rows == [held]


def test_where_too_much_waits_the_oldest_run_is_kept_and_none_is_lost() -> None:
    sink, kept, _ = sampled(most_spans=3)
    rows = [row(name, "node") for name in "abcd"]
    sink.write(rows)

    assert kept.rows == rows[:1]
    assert sink.waiting == 3


def test_payloads_count_towards_what_may_wait() -> None:
    from segue.tracing.spans import Payload

    sink, kept, _ = sampled(most_weight=10_000)
    large = row("r", "tool")._replace(payload=Payload(output="x" * 20_000))
    sink.write([large])

    assert kept.rows == [large]


def test_closing_hands_on_the_runs_that_did_not_end() -> None:
    sink, kept, _ = sampled()
    held = row("r", "node")
    sink.write([held])
    sink.close()

    assert kept.rows == [held]
    assert kept.closed


@tool(effect="read")
def broken() -> str:
    """Fails."""
    raise LookupError("no")


async def test_a_workspace_sends_failed_runs_whole_counts_all_and_keeps_all_here(tmp_path: Path) -> None:
    with collecting("") as collector:
        (tmp_path / "segue.toml").write_text(
            f'[tracing]\notlp_endpoint = "{collector.url}/v1/traces"\nsample = 0.0\nkeep_above_usd = 1.0\n'
        )
        async with Workspace.open(tmp_path) as ws:
            fine = await ws.run(Agent("cafe", model=ScriptedModel(["tea"], cost_usd=0.25)), "?")
            dear = await ws.run(
                Agent("bar", model=ScriptedModel([call("broken"), "wine"], cost_usd=0.75), tools=[broken]), "?"
            )
            failed = await ws.run(Agent("inn", model="nowhere"), "?")
            ws.tracer.flush()
            text = ws.metrics.render().decode()
            here = [len(ws.traces.spans(each.id, tenant="local")) for each in (fine, dear, failed)]

    sent = {
        run.id: sum(each.attributes["segue.run_id"] == run.id for each in collector.spans)
        for run in (fine, dear, failed)
    }
    assert sent == {fine.id: 0, dear.id: here[1], failed.id: here[2]}
    assert min(here) > 0
    assert "segue_cost_usd_total" in text
    assert sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("segue_cost_usd_total")) == 1.75
    assert f'segue_spans_sampled_out{{destination="otlp"}} {float(here[0])}' in text
    assert 'segue_queue_dropped{destination="otlp"} 0.0' in text


def test_a_share_is_between_none_and_all(tmp_path: Path) -> None:
    from segue import ConfigError

    (tmp_path / "segue.toml").write_text("[langfuse]\nsample = 1.5\n")
    with pytest.raises(ConfigError, match=r"langfuse\.sample"):
        read(tmp_path)
