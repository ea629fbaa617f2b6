"""Evals, models, settings and tools over HTTP: what the playground's pages show."""

from __future__ import annotations

from typing import Any

import pytest
from tests.server.conftest import Serve, desk, result

from segue import Agent, RunContext, Team, tool
from segue.evals import Experiment, load_cases
from segue.router import RouterCore
from segue.testing import ScriptedModel, call
from segue.testing.script import Script


async def test_a_result_is_listed_read_and_looked_into_case_by_case(serve: Serve) -> None:
    served = await serve()
    held = result()
    served.server.evals.keep("local", held)
    client = served.client()

    (listed,) = (await client.get("/api/v1/evals/results")).json()["results"]
    whole = (await client.get(f"/api/v1/evals/results/{held.id}")).json()
    case = (await client.get(f"/api/v1/evals/results/{held.id}/case", params={"case_id": "count"})).json()
    page = await client.get(f"/api/v1/evals/results/{held.id}/report")
    gone = await client.delete(f"/api/v1/evals/results/{held.id}")

    assert (listed["passed"], listed["cases"], listed["offline"], listed["cost_usd"]) == (0, 1, True, 0.5)
    assert whole["rows"][0]["whys"] == ["output: it does not say '12'"]
    assert case["case"]["expect"] == {"contains": ["12"]}
    (trial,) = case["trials"]
    assert trial["output"] == "13"
    assert trial["calls"] == [{"tool": "count", "arguments": {"what": "lanterns"}, "failed": True}]
    assert page.headers["content-disposition"] == f'attachment; filename="{held.id}.html"'
    assert "it does not say" in page.text
    assert gone.status_code == 204
    assert (await client.get(f"/api/v1/evals/results/{held.id}")).status_code == 404


async def test_two_results_are_compared(serve: Serve) -> None:
    served = await serve()
    for each in (first := result(), second := result()):
        served.server.evals.keep("local", each)

    asked = {"before": first.id, "after": second.id}
    found = (await served.client().get("/api/v1/evals/compare", params=asked)).json()

    assert (found["verdict"], found["common"]) == ("no case of 1 changed sides", 1)
    assert {each["name"] for each in found["differences"]} >= {"pass rate", "cost_usd"}


async def test_a_run_becomes_a_case_with_what_a_person_says_of_it(serve: Serve, tmp_path: Any) -> None:
    served = await serve()
    client = served.client()
    run = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello"})).json()

    said = {"good": True, "comment": "so it should be", "contains": ["Good morning"]}
    kept = await client.post(f"/api/v1/runs/{run['id']}/case", json=said)
    (listed,) = (await client.get("/api/v1/evals/cases", params={"agent": "desk"})).json()["cases"]
    (tmp_path / "kept.jsonl").write_bytes(served.server.evals.cases("local", "desk")[0][2].line())
    agent = served.server.registry.get("desk")
    tried = await Experiment(agent=agent, cases=load_cases(tmp_path / "kept.jsonl")).run(served.server.ws)
    gone = await client.delete(f"/api/v1/evals/cases/desk/{listed['id']}")

    assert kept.status_code == 201
    assert (listed["run_id"], listed["note"], listed["expect"]) == (
        run["id"], "so it should be", {"contains": ["Good morning"]}
    )  # fmt: skip
    assert tried.failing == []
    assert gone.status_code == 204
    assert (await client.get("/api/v1/evals/cases")).json() == {"cases": []}


async def test_what_answers_is_told_with_what_it_took_and_how_often_it_failed(serve: Serve) -> None:
    def say(request: Any) -> Any:
        if "down" in str(request.messages):
            raise ConnectionError("nobody answers")
        return "hello"

    model = ScriptedModel(say, name="smart", cost_usd=0.25)
    served = await serve([Agent("a", model="smart")], router=RouterCore(deployments={"smart": model}))
    client = served.client()
    for text in ("one", "two", "down"):
        await client.post("/api/v1/runs/wait", json={"agent": "a", "input": text})
    await served.server.ws.trace((await client.get("/api/v1/runs")).json()["runs"][0]["id"])  # all are written by then

    told = (await client.get("/api/v1/models")).json()

    (held,) = told["deployments"]
    assert (held["name"], held["generations"], held["cost_usd"]) == ("smart", 2, 0.5)
    assert held["median_s"] >= 0
    assert (held["now"]["breaker"], held["now"]["in_flight"], held["now"]["running"]) == ("closed", 0, None)
    assert (told["looked_at"], told["failed"]) == (3, 1)
    assert "ConnectionError" in told["last_error"]


async def test_settings_are_told_to_who_may_see_them_without_a_secret(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_LANGFUSE__ENABLED", "false")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-hidden")
    served = await serve(login=True)

    refused = await served.client(await served.key("acme")).get("/api/v1/settings")
    told = await served.client(await served.key("acme", scopes=("admin",))).get("/api/v1/settings")

    assert refused.status_code == 403
    names = {each["name"]: each for each in told.json()["settings"]}
    assert names["data_dir"]["source"] == "default"
    assert all(check["ok"] for check in told.json()["checks"])
    assert "hidden" not in told.text


async def test_an_agent_tells_its_tools_and_a_team_those_of_its_workers(serve: Serve) -> None:
    clerk = Agent("clerk", description="Does what a clerk does.", tools=desk().toolset.tools())
    served = await serve([desk(), Team("office", workers=[clerk])])
    client = served.client()

    alone = (await client.get("/api/v1/agents/desk")).json()["tools"]
    together = (await client.get("/api/v1/agents/office")).json()["tools"]

    refund = next(each for each in alone if each["name"] == "refund")
    assert (refund["agent"], refund["effect"], refund["approval"]) == ("desk", "write", True)
    assert refund["parameters"]["properties"]["order_id"]["type"] == "integer"
    assert {each["agent"] for each in together} == {"clerk"}


async def test_a_picture_that_a_tool_drew_is_had_by_who_may_see_the_run_and_nothing_else_is(serve: Serve) -> None:
    kept: list[str] = []

    @tool(effect="read")
    def draw(ctx: RunContext, what: str) -> dict[str, str]:
        """Draw.

        Args:
            what: What.
        """
        kind = "image/svg+xml" if what == "picture" else "text/html"
        kept.append(ctx.services.artefacts.put(ctx.principal.tenant, f"<svg>{what}</svg>".encode(), kind))
        return {"svg_artefact_id": kept[-1]}

    model = ScriptedModel(Script({each: [call("draw", what=each), "Drawn."] for each in ("picture", "page")}))
    served = await serve([Agent("painter", model=model, tools=[draw])], login=True)
    client = served.client(await served.key("acme", scopes=("*",)))
    stranger = served.client(await served.key("other", scopes=("*",)))
    runs = [
        (await client.post("/api/v1/runs/wait", json={"agent": "painter", "input": each})).json()["id"]
        for each in ("picture", "page")
    ]

    drawn = await client.get(f"/api/v1/runs/{runs[0]}/artefacts/{kept[0]}")
    others = [
        await client.get(f"/api/v1/runs/{runs[1]}/artefacts/{kept[1]}"),
        await client.get(f"/api/v1/runs/{runs[1]}/artefacts/{kept[0]}"),
        await client.get(f"/api/v1/runs/{runs[0]}/artefacts/art_"),
        await stranger.get(f"/api/v1/runs/{runs[0]}/artefacts/{kept[0]}"),
    ]

    assert (drawn.status_code, drawn.text) == (200, "<svg>picture</svg>")
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert [each.status_code for each in others] == [404] * 4


async def test_a_trace_says_where_langfuse_has_it_where_it_is_sent_there(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
    monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-1")
    monkeypatch.setenv("LANGFUSE_HOST", "http://127.0.0.1:9/")
    client = (await serve()).client()
    run = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello"})).json()

    trace = (await client.get(f"/api/v1/runs/{run['id']}/trace")).json()

    assert trace["langfuse_url"] == f"http://127.0.0.1:9/trace/{trace['trace_id']}"
