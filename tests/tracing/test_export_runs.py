"""What a collector and Langfuse receive of a real run: every node, edge, generation and tool call, nothing private."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.tracing.otlp_sink import Collector, Received, collecting

from segue import Agent, Planner, Principal, Team, Workspace, tool
from segue.base.messages import user
from segue.graphs.plan import SUBMIT_PLAN
from segue.graphs.running import with_context
from segue.guards import max_length
from segue.router import Router
from segue.router.errors import EndpointUnreachable
from segue.testing import ScriptedModel, call
from segue.tracing.genai import SCHEMA_URL

SECRET = "sk-proj-Zx81kQ0plm7Tgb5YhnUj"
ADDRESS = "ann.lee@example.org"


@tool(effect="read")
def find_order(number: int) -> dict[str, Any]:
    """Find an order.

    Args:
        number: Of the order.
    """
    return {"number": number, "email": ADDRESS, "note": f"the key is {SECRET}", "total_eur": 12.5}


def desk() -> Team:
    plan = call(
        SUBMIT_PLAN,
        tasks=[
            {"id": "a", "worker": "support", "task": "look at order 1042", "depends_on": []},
            {"id": "b", "worker": "writer", "task": f"write to {ADDRESS}", "depends_on": ["a"]},
        ],
    )
    support = Agent(
        "support", description="Looks.", tools=[find_order],
        model=ScriptedModel([call("find_order", number=1042), f"Found it, for {ADDRESS}."], cost_usd=0.25),
    )  # fmt: skip
    writer = Agent("writer", description="Writes.", model=ScriptedModel(["Written."], cost_usd=0.125))
    return Team(
        "desk", planner=Planner(model=ScriptedModel([plan, "All done."], cost_usd=0.5)), workers=[support, writer]
    )


@pytest.fixture
def langfuse(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting("") as collector:
        monkeypatch.setenv("LANGFUSE_HOST", collector.url)
        monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")
        monkeypatch.setenv("LANGFUSE_SECRET_KEY", "sk-lf-2")
        yield collector


async def test_every_span_of_a_team_run_reaches_langfuse_nested_as_it_is_kept_here(
    langfuse: Collector, tmp_path: Path
) -> None:
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(desk(), "Where is order 1042?")
        kept = ws.traces.spans(run.id, tenant="local") if ws.tracer.flush() else []

    assert run.status == "completed"
    assert {each.span_id: (each.parent_id, each.name) for each in langfuse.spans} == {
        each.span_id: (each.parent_id, each.name) for each in kept
    }
    assert len(langfuse.spans) == len({each.span_id for each in langfuse.spans})
    assert {each.trace_id for each in langfuse.spans} == {run.trace_id}
    kinds = [each.attributes["langfuse.observation.type"] for each in langfuse.spans]
    assert {kind: kinds.count(kind) for kind in ("agent", "generation", "tool")} == {
        "agent": 1, "generation": 5, "tool": 1,
    }  # fmt: skip
    assert kinds.count("event") == sum(each.kind == "edge" for each in kept) >= 8


async def test_the_costs_of_the_leaves_that_langfuse_is_told_sum_to_the_cost_of_the_run(
    langfuse: Collector, tmp_path: Path
) -> None:
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(desk(), "Where is order 1042?")

    costs = {
        each.attributes["langfuse.observation.type"]: json.loads(each.attributes["langfuse.observation.cost_details"])
        for each in langfuse.spans
        if "langfuse.observation.cost_details" in each.attributes
    }
    total = sum(
        json.loads(each.attributes.get("langfuse.observation.cost_details", '{"total": 0}'))["total"]
        for each in langfuse.spans
    )
    assert set(costs) == {"generation"}
    assert total == run.cost_usd == 1.625


async def test_each_task_that_langgraph_started_has_its_edge_at_the_collector(
    langfuse: Collector, tmp_path: Path
) -> None:
    team = desk()
    tasks: dict[str, str] = {}
    async with Workspace.open(tmp_path) as ws, ws.borrowed(team.graph, None, None) as ctx:
        given = {"messages": [user("Where is order 1042?")], **team.fresh_input()}
        stream = team.graph.astream(given, with_context(None, ctx), stream_mode="tasks", subgraphs=True)
        async for _, part in stream:
            if "triggers" in part:
                tasks[part["id"]] = part["name"]

    edges = [each for each in langfuse.spans if each.attributes["langfuse.observation.type"] == "event"]
    named = {_meta(edge, "graph_task"): _meta(edge, "edge_target") for edge in edges}
    assert named == tasks
    assert all(_meta(edge, "edge_reason") and edge.start_ns == edge.end_ns for edge in edges)


def _meta(span: Received, name: str) -> Any:
    return span.attributes.get(f"langfuse.observation.metadata.{name}")


async def test_a_trace_carries_thread_user_and_tags_on_every_observation(langfuse: Collector, tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(
            Agent("a", model=ScriptedModel(["yes"])), "go", thread_id="t-7", tags=["beta", "eu"],
            principal=Principal("acme", "ann"),
        )  # fmt: skip

    assert len(langfuse.spans) == 4
    for span in langfuse.spans:
        held = span.attributes
        assert (held["session.id"], held["user.id"], held["langfuse.trace.name"]) == ("t-7", "ann", "a")
        assert held["langfuse.trace.tags"] == ["beta", "eu"]
        assert held["langfuse.trace.metadata.run_id"] == run.id
        assert held["langfuse.trace.metadata.tenant"] == "acme"
    assert langfuse.paths == ["/api/public/otel/v1/traces"]
    assert langfuse.headers[0]["authorization"] == "Basic cGstbGYtMTpzay1sZi0y"
    assert langfuse.headers[0]["x-langfuse-ingestion-version"] == "4"


async def test_no_secret_and_no_address_is_in_what_leaves_or_in_the_trace_store_or_in_a_metric(
    langfuse: Collector, tmp_path: Path
) -> None:
    with collecting() as otlp:
        (tmp_path / "segue.toml").write_text(f'[tracing]\notlp_endpoint = "{otlp.url}"\n')
        async with Workspace.open(tmp_path) as ws:
            run = await ws.run(
                desk(), f"I am {ADDRESS}, my key is {SECRET}; where is 1042?",
                principal=Principal("local", ADDRESS), thread_id=f"thread of {ADDRESS}", tags=[ADDRESS, SECRET],
            )  # fmt: skip
            scored = ws.scores.post_score(run.trace_id, "helpful", 1.0, comment=f"says {ADDRESS} with {SECRET}")
            metrics = ws.metrics.render()

    sent = b"".join([*langfuse.bodies, *otlp.bodies])
    stored = b"".join(path.read_bytes() for path in (tmp_path / ".segue").glob("traces.db*"))
    assert run.status == "completed"
    assert scored.encode() in sent
    for private in (SECRET.encode(), ADDRESS.encode(), b"ann.lee"):
        assert private not in sent
        assert private not in stored
        assert private not in metrics
    assert sent.count(b"[email]") > 10
    assert sent.count(b"[secret]") > 5
    assert b"look at order 1042" in sent


async def test_any_endpoint_gets_genai_names_of_the_pinned_version_with_messages_in_parts(tmp_path: Path) -> None:
    with collecting() as otlp:
        (tmp_path / "segue.toml").write_text(f'[tracing.otlp.ours]\nendpoint = "{otlp.url}"\n')
        async with Workspace.open(tmp_path) as ws:
            await ws.run(desk(), "Where is order 1042?", thread_id="t-1")

    [tool_span] = otlp.named("execute_tool find_order")
    chats = otlp.named("chat scripted")
    [agent] = otlp.named("invoke_agent desk")
    assert otlp.schema_urls == {SCHEMA_URL}
    assert json.loads(tool_span.attributes["gen_ai.tool.call.arguments"]) == {"number": 1042}
    assert tool_span.attributes["gen_ai.operation.name"] == "execute_tool"
    assert len(chats) == 5
    asked = json.loads(chats[1].attributes["gen_ai.input.messages"])
    assert [each["role"] for each in asked][-1] == "user"
    assert "look at order 1042" in asked[-1]["parts"][-1]["content"]
    assert agent.attributes["gen_ai.conversation.id"] == "t-1"
    assert otlp.resources[0]["service.name"] == "segue"


async def test_without_content_no_message_argument_or_result_is_sent(tmp_path: Path) -> None:
    with collecting() as otlp:
        (tmp_path / "segue.toml").write_text(f'[tracing.otlp.bare]\nendpoint = "{otlp.url}"\ncontent = false\n')
        async with Workspace.open(tmp_path) as ws:
            await ws.run(desk(), "Where is order 1042?")

    assert len(otlp.spans) > 10
    assert b"1042" not in b"".join(otlp.bodies)


async def test_two_endpoints_each_get_everything_and_headers_are_read_from_references(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLLECTOR_KEY", "c0ll3ct0r")
    with collecting() as one, collecting() as two:
        (tmp_path / "segue.toml").write_text(
            f'[tracing]\notlp_endpoint = "{one.url}"\notlp_headers = {{ "x-api-key" = "env:COLLECTOR_KEY" }}\n'
            f'[tracing.otlp.two]\nendpoint = "{two.url}"\n'
        )
        async with Workspace.open(tmp_path) as ws:
            await ws.run(Agent("a", model=ScriptedModel(["yes"])), "go")

    assert {each.span_id for each in one.spans} == {each.span_id for each in two.spans}
    assert one.headers[0]["x-api-key"] == "c0ll3ct0r"
    assert "x-api-key" not in two.headers[0]


async def test_a_run_that_waits_and_is_resumed_has_a_run_span_for_each_segment_with_what_came_of_it(
    langfuse: Collector, tmp_path: Path
) -> None:
    from segue import Approve

    @tool(effect="write", approval=True)
    def pay(amount: int) -> str:
        """Pay.

        Args:
            amount: In EUR.
        """
        return "paid"

    agent = Agent("payer", model=ScriptedModel([call("pay", amount=5), "Paid."]), tools=[pay])
    async with Workspace.open(tmp_path) as ws:
        waiting = await ws.run(agent, "pay 5", tags=["x"])
        run = await ws.resume(waiting.id, {waiting.interrupts[0].id: Approve()})

    runs = [each for each in langfuse.spans if each.attributes["langfuse.observation.type"] == "agent"]
    first, second = sorted(runs, key=lambda each: each.start_ns)
    assert run.output == "Paid."
    assert first.attributes["langfuse.observation.status_message"] == "waits for a person"
    assert second.attributes["langfuse.observation.output"] == "Paid."
    assert json.loads(second.attributes["langfuse.observation.input"])[0]["content"] == "pay 5"
    assert second.attributes["langfuse.trace.tags"] == ["x"]
    assert _meta(second, "run_status") == "completed"


async def test_a_stopped_run_sends_what_it_reached_and_says_so(langfuse: Collector, tmp_path: Path) -> None:
    from segue import Budget

    agent = Agent("a", model=ScriptedModel([call("find_order", number=1)] * 3), tools=[find_order])
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent, "go", budget=Budget(model_calls=1))

    [span] = [each for each in langfuse.spans if each.attributes["langfuse.observation.type"] == "agent"]
    assert run.stop_reason == "budget"
    assert span.attributes["langfuse.observation.level"] == "ERROR"
    assert (_meta(span, "run_status"), _meta(span, "stop_reason")) == ("stopped", "budget")


async def test_each_verdict_of_a_rail_is_a_guardrail_observation_and_a_score_of_it(
    langfuse: Collector, tmp_path: Path
) -> None:
    agent = Agent("a", model=ScriptedModel(["yes"]), guards=[max_length(chars=5)])
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent, "much too long for it")

    rails = [each for each in langfuse.spans if each.attributes["langfuse.observation.type"] == "guardrail"]
    scores = [
        score
        for path, body in zip(langfuse.paths, langfuse.bodies, strict=True)
        if path.endswith("/scores")
        for score in json.loads(body)
    ]
    assert run.stop_reason == "blocked"
    assert [_meta(each, "verdict") for each in rails] == ["block"]
    assert [(each["traceId"], each["observationId"], each["value"]) for each in scores] == [
        (run.trace_id, rails[0].span_id, "block")
    ]


class Down(ScriptedModel):
    """A deployment that refuses."""

    async def generate(self, *args: Any, **options: Any) -> Any:
        raise EndpointUnreachable(self.name, "is not there")


async def test_a_failed_attempt_is_seen_inside_the_generation_that_another_deployment_answered(
    langfuse: Collector, tmp_path: Path
) -> None:
    router = Router(deployments={"first": Down([], name="first"), "second": ScriptedModel(["yes"], name="second")})
    async with Workspace.open(tmp_path, router=router.core) as ws:
        run = await ws.run(Agent("a"), "go")

    [retry] = langfuse.named("first unreachable")
    kinds = {each.span_id: each.attributes["langfuse.observation.type"] for each in langfuse.spans}
    assert run.output == "yes"
    assert kinds[retry.parent_id] == "generation"
    assert retry.attributes["langfuse.observation.level"] == "ERROR"
    assert _meta(retry, "deployment") == "first"
