"""What is asked of traces - lineage, forgetting, sweeping, alerts, drift, an export - on a database, as on a file."""

from __future__ import annotations

import time
from pathlib import Path

import orjson
import pytest

from segue import Agent, BadInput, Documents, Principal, Workspace, tool
from segue.evals.drift import drift
from segue.testing import ScriptedModel, call

pytestmark = pytest.mark.xdist_group("postgres")
RULE = '\n[alerts.any]\nmetric = "latency_p95_s"\nabove = 0.0\nleast = 1\n'


@tool(effect="read")
def dump() -> str:
    """Everything."""
    return "row\n" * 20_000


async def test_traces_in_a_database_answer_as_those_in_a_file_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("DESK_DATABASE", postgres_url)
    (tmp_path / "segue.toml").write_text('database_url = "env:DESK_DATABASE"\n' + RULE)
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    (handbook / "100%_returns.md").write_text("# Returns\n\nWithin 30 days.\n", encoding="utf-8")
    script = [call("search_handbook", query="returns"), call("dump"), "So [handbook/100%_returns.md:1-3]."]
    agent = Agent("clerk", model=ScriptedModel(script), tools=[Documents(handbook), dump])
    acme = Principal("acme", "ann")

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent, "?", principal=acme)
        found = await ws.lineage(run.id, principal=acme)
        assert [len(each.origins) for each in found.citations] == [1]
        artefact_id = next(each.artefact_id for each in found.tools if each.artefact_id)
        using = await ws.answers_using(document="100%_returns.md", principal=acme)
        assert [(each.run_id, each.cited) for each in using] == [(run.id, True)]
        assert await ws.answers_using(document="100__returns.md", principal=acme) == []
        assert [each.fires for each in await ws.check_alerts(tell=True)] == [True]
        assert (await drift(ws, baseline_s=60.0, window_s=60.0)).runs == (0, 1)
        content = orjson.loads(await ws.export(run.id, principal=acme))["content"]
        assert len(content["artefacts"]) == 1

        assert ws.traces.sweep(time.time_ns() - 10**12) == 0
        gone = await ws.forget_traces(user="ann", principal=acme)
        assert (gone.spans > 0, gone.artefacts) == (True, (artefact_id,))
        assert await ws.trace(run.id, principal=acme) == []
        with pytest.raises(BadInput):
            ws.artefacts.get("acme", artefact_id)
        second = await ws.run(Agent("b", model=ScriptedModel(["done"])), "?", principal=acme)
        ws.tracer.flush()
        assert ws.traces.sweep(time.time_ns(), but=("acme",)) == 0
        assert ws.traces.sweep(time.time_ns(), tenant="acme") > 0
        assert ws.traces.spans(second.id, tenant="acme") == []
