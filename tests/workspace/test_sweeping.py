"""Sweeping: spans that are older than they are kept are taken out, by tenant, whole runs at a time."""

from __future__ import annotations

import time
from pathlib import Path

from segue import Agent, Principal, Workspace
from segue.testing import ScriptedModel
from segue.tracing import TraceStore
from segue.tracing.spans import SpanKind, SpanRow, new_span_id

DAY_NS = 86_400 * 10**9


def row(tenant: str, run_id: str, days_ago: float, kind: SpanKind = "node") -> SpanRow:
    at = time.time_ns() - int(days_ago * DAY_NS)
    return SpanRow(tenant, "0" * 32, new_span_id(), "", run_id, kind, kind, at, at, "ok", {})


async def test_each_tenant_has_its_days_and_a_run_goes_when_its_last_span_is_old(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text("[tracing]\nkeep_days = 10\n[tracing.tenants.acme]\nkeep_days = 100\n")
    (tmp_path / ".segue").mkdir()
    before = TraceStore(tmp_path / ".segue" / "traces.db")
    before.write([row("local", "old", 11), row("local", "new", 1), row("acme", "old", 11), row("acme", "older", 101)])
    before.write([row("local", "long", 11), row("local", "long", 9)])
    before.close()

    async with Workspace.open(tmp_path):
        pass  # in the background, as soon as it is open; to its end before it closes
    after = TraceStore(tmp_path / ".segue" / "traces.db")
    left = {
        (tenant, run_id): len(after.spans(run_id, tenant=tenant))
        for tenant in ("local", "acme")
        for run_id in ("old", "new", "long", "older")
    }
    after.close()

    assert {key: count for key, count in left.items() if count} == {
        ("local", "new"): 1, ("local", "long"): 2, ("acme", "old"): 1,
    }  # fmt: skip


async def test_where_nothing_is_said_all_is_kept(ws: Workspace) -> None:
    run = await ws.run(Agent("a", model=ScriptedModel(["done"])), "?", principal=Principal("acme", "ann"))
    ws.tracer.flush()
    ws.traces.write([row("local", "ancient", 10_000)])

    assert await ws.sweep_traces() == 0
    assert ws.traces.spans("ancient", tenant="local")
    assert ws.traces.spans(run.id, tenant="acme")


async def test_many_runs_are_taken_out_in_parts(ws: Workspace) -> None:
    ws.traces.write([row("local", f"run_{number}", 5) for number in range(450)])

    assert ws.traces.sweep(time.time_ns() - 4 * DAY_NS) == 450
    assert ws.traces.spans("run_449", tenant="local") == []
