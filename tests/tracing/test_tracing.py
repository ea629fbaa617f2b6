"""Spans on their way to where they lie, and what is lost on it."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, BadInput, Budget, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tracing import ArtefactStore, TraceNode, Tracer, TraceStore, build_tree
from segue.tracing.spans import SpanKind, SpanRow


class Kept:
    """A sink that keeps what it is given, once it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rows: list[SpanRow] = []
        self.let = threading.Event()
        self.let.set()
        self.closed = False
        self.error = error

    def write(self, rows: Sequence[SpanRow]) -> None:
        assert self.let.wait(10)
        if self.error is not None:
            raise self.error
        self.rows += rows

    def close(self) -> None:
        self.closed = True


def row(
    span_id: str = "s", parent: str = "", kind: SpanKind = "node", start: int = 0, status: Any = "ok", **attributes: Any
) -> SpanRow:
    return SpanRow("acme", "t", span_id, parent, "r", kind, span_id, start, start + 5, status, attributes)


def test_what_was_recorded_is_in_the_sinks_after_a_flush() -> None:
    sink = Kept()
    tracer = Tracer([sink], interval_s=60)
    with tracer.start("node", "n", tenant="acme", trace_id="t", run_id="r") as span:
        span.set(gen_ai__tool__name="x", nothing=None)

    assert tracer.flush()
    assert [each.name for each in sink.rows] == ["n"]
    assert sink.rows[0].attributes == {"gen_ai.tool.name": "x"}
    tracer.close()
    assert sink.closed


def test_a_full_ring_drops_the_newest_and_counts_them(caplog: pytest.LogCaptureFixture) -> None:
    sink = Kept()
    sink.let.clear()
    tracer = Tracer([sink], capacity=10, interval_s=0.001)
    for number in range(2_000):
        tracer.record(row(str(number)))
    sink.let.set()
    tracer.close()

    assert len(sink.rows) + tracer.dropped == 2_000
    assert tracer.dropped > 0
    assert "spans were dropped" in caplog.text


def test_a_sink_that_fails_loses_its_batch_is_counted_and_the_others_get_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    good = Kept()
    tracer = Tracer([Kept(OSError("disk full")), good], interval_s=60)
    tracer.record(row("a"))
    tracer.record(row("b"))

    assert tracer.flush()
    assert tracer.dropped == 2
    assert [each.name for each in good.rows] == ["a", "b"]
    assert "disk full" in caplog.text
    tracer.close()


def test_spans_from_many_threads_are_all_kept() -> None:
    sink = Kept()
    tracer = Tracer([sink], interval_s=0.001)
    barrier = threading.Barrier(8)

    def work(name: str) -> None:
        barrier.wait(10)
        for number in range(200):
            tracer.record(row(f"{name}{number}"))

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    tracer.close()

    assert len({each.name for each in sink.rows}) == 1_600
    assert sum(thread.name == "segue-tracer" and thread.is_alive() for thread in threading.enumerate()) == 0


async def test_a_dead_sink_does_not_fail_a_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with Workspace.open(tmp_path) as ws:
        ws.tracer.sinks[:] = [Kept(ConnectionError("gone"))]
        run = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")
        ws.tracer.flush()

        assert run.output == "x"
        assert ws.tracer.dropped >= 3


def test_a_span_is_ended_once_and_says_how() -> None:
    sink = Kept()
    tracer = Tracer([sink])
    with (
        pytest.raises(LookupError),
        tracer.start("tool", "n", tenant="acme", trace_id="t", run_id="r") as span,
    ):
        raise LookupError("private text")
    span.end()
    tracer.close()

    [kept] = sink.rows
    assert kept.status == "error"
    assert kept.attributes["error.type"] == "LookupError"
    assert "private text" not in str(kept.attributes)
    assert kept.end_ns >= kept.start_ns


def test_a_batch_with_a_value_that_no_encoder_takes_is_kept(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "t.db")
    store.write([row("a", odd="\ud800"), row("b", odd=object(), keys={1: 2}, big=2**80), row("c")])

    assert [each.name for each in store.spans("r", tenant="acme")] == ["a", "b", "c"]
    store.close()


def test_spans_are_read_back_by_tenant_and_run_and_kept_once(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "t.db")
    rows = [row("b", start=2, n=1), row("a", start=1, parent="x", kind="edge")]
    store.write(rows)
    store.write(rows)

    assert store.spans("r", tenant="acme") == sorted(rows, key=lambda each: each.start_ns)
    assert store.spans("r", tenant="other") == store.spans("q", tenant="acme") == []
    store.close()


def test_spans_of_two_runs_and_tenants_that_have_one_id_are_both_kept(tmp_path: Path) -> None:
    store = TraceStore(tmp_path / "t.db")
    mine, next_run, theirs = row("a"), row("a")._replace(run_id="q"), row("a")._replace(tenant="other")

    store.write([mine, next_run, theirs])

    assert store.spans("r", tenant="acme") == [mine]
    assert store.spans("q", tenant="acme") == [next_run]
    assert store.spans("r", tenant="other") == [theirs]
    store.close()


def test_a_store_of_an_earlier_form_is_gone_on_with(tmp_path: Path) -> None:
    path, before = tmp_path / "t.db", row("before", start=1)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE spans (tenant TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT PRIMARY KEY,"
            " parent_id TEXT NOT NULL, run_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,"
            " start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, status TEXT NOT NULL, attributes BLOB NOT NULL)"
            " WITHOUT ROWID"
        )
        db.execute(f"INSERT INTO spans VALUES ({', '.join('?' * 11)})", (*before[:10], b"{}"))
    store = TraceStore(path)

    store.write([row("after", start=2), row("after", start=2)])

    assert [each.name for each in store.spans("r", tenant="acme")] == ["before", "after"]
    assert store.forget(["r"], tenant="acme").spans == 2
    store.close()


def leaf(span_id: str, parent: str, cost: float | None) -> SpanRow:
    held: dict[str, Any] = {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 2}
    if cost is not None:
        held["segue.cost_usd"] = cost
    return row(span_id, parent, "generation", **held)


def test_a_tree_sums_the_costs_of_its_leaves_once() -> None:
    spans = [row("run", kind="run"), row("node", "run"), leaf("g1", "node", 0.5), row("tool", "node", "tool")]
    [root] = build_tree([*spans, leaf("g2", "tool", 0.25), leaf("g3", "run", 0.25)])

    assert root.usage.cost_usd == 1.0
    assert (root.usage.model_calls, root.usage.tool_calls, root.usage.total_tokens) == (3, 1, 15)
    assert [each.span.name for each in root.walk()] == ["run", "node", "g1", "tool", "g2", "g3"]


def test_a_leaf_of_unknown_price_makes_the_sum_unknown_and_an_orphan_is_a_root() -> None:
    [root, orphan] = build_tree([row("run", kind="run"), leaf("g", "run", None), row("late", "gone", start=9)])

    assert root.usage.cost_usd is None
    assert (orphan.span.name, orphan.duration_s) == ("late", 5e-9)


def kinds(node: TraceNode) -> list[tuple[str, str]]:
    return [(each.span.kind, each.span.status) for each in node.walk() if each.span.kind not in {"edge", "node"}]


async def test_the_trace_of_a_run_sums_to_its_usage_even_where_a_budget_stopped_it(ws: Workspace) -> None:
    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "seen"

    agent = Agent("a", model=ScriptedModel([call("look"), call("look")], cost_usd=0.5), tools=[look])
    run = await ws.run(agent, "go", budget=Budget(model_calls=1))

    [root] = await ws.trace(run.id)
    assert run.stop_reason == "budget"
    assert run.cost_usd == root.usage.cost_usd == 0.5
    assert run.usage.model_calls == root.usage.model_calls == 1
    assert run.usage.tool_calls == root.usage.tool_calls == 1


async def test_no_text_of_the_conversation_lies_in_the_spans(ws: Workspace) -> None:
    @tool(effect="read")
    def look(key: str) -> str:
        """Look."""
        return "swordfish"

    agent = Agent("a", model=ScriptedModel([call("look", key="marmalade"), "nightingale"]), tools=[look])
    run = await ws.run(agent, "periwinkle")
    ws.tracer.flush()

    text = str(ws.traces.spans(run.id, tenant="local"))
    assert "look" in text
    for secret in ("swordfish", "marmalade", "nightingale", "periwinkle"):
        assert secret not in text


def test_artefacts_lie_once_by_their_bytes_and_within_their_tenant(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path / "a.db")
    first, again = store.put("acme", b"data"), store.put("acme", b"data")

    assert first == again == store.put("other", b"data")
    assert store.get("acme", first) == ("application/json", b"data")
    store.erase("other", first)
    with pytest.raises(BadInput, match=rf"no artefact '{first}' in tenant 'other'"):
        store.get("other", first)
    assert store.get("acme", first)[1] == b"data"
    store.close()


def test_what_is_erased_is_gone_from_the_disk(tmp_path: Path) -> None:
    store = ArtefactStore(tmp_path / "a.db")
    marked = b"periwinkle " * 2_000
    kept = store.put("acme", b"marmalade")
    gone = store.put("acme", marked)
    store.erase("acme", gone)
    store.erase("acme", "art_none")

    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"periwinkle" not in on_disk
    assert store.get("acme", kept)[1] == b"marmalade"
    store.close()
    assert b"periwinkle" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
