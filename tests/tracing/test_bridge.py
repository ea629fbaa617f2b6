"""The bridge: spans of a program's own OpenTelemetry nest in ours, and ours in theirs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from segue import Agent, RunContext, Workspace, tool
from segue.graphs import Graph
from segue.testing import ScriptedModel, call
from segue.tracing.bridge import parent_in
from segue.tracing.spans import SpanRow


@pytest.fixture
def own() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider(own: InMemorySpanExporter) -> TracerProvider:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(own))
    return made


@pytest.fixture
async def joined(ws: Workspace, provider: TracerProvider) -> Workspace:
    assert ws.tracer.bridge is not None
    ws.tracer.bridge.join(provider)
    return ws


def spans(ws: Workspace, run_id: str) -> list[SpanRow]:
    assert ws.tracer.flush()
    return ws.traces.spans(run_id, tenant="local")


def looking(tracer: trace.Tracer) -> Any:
    @tool(effect="read")
    def look(place: str) -> str:
        """Look.

        Args:
            place: Where.
        """
        with (
            tracer.start_as_current_span("outer", attributes={"place": place}),
            tracer.start_as_current_span("inner"),
        ):
            return "nothing"

    return look


async def test_spans_of_a_tool_nest_in_the_call_and_reach_their_own_exporter_too(
    joined: Workspace, provider: TracerProvider, own: InMemorySpanExporter
) -> None:
    look = looking(provider.get_tracer("shop"))
    agent = Agent("a", model=ScriptedModel([call("look", place="cellar"), "done"]), tools=[look])

    run = await joined.run(agent, "?")

    held = spans(joined, run.id)
    theirs = {each.name: each for each in held if each.kind == "span"}
    (called,) = [each for each in held if each.kind == "tool"]
    assert theirs["outer"].parent_id == called.span_id
    assert theirs["inner"].parent_id == theirs["outer"].span_id
    assert {each.trace_id for each in theirs.values()} == {run.trace_id}
    assert theirs["outer"].attributes == {"place": "cellar", "segue.scope": "shop"}
    exported = {each.name: each for each in own.get_finished_spans()}
    parent = exported["outer"].parent
    assert f"{exported['outer'].context.span_id:016x}" == theirs["outer"].span_id
    assert parent is not None
    assert f"{parent.span_id:016x}" == called.span_id


async def test_a_span_in_a_node_that_fails_says_what_was_raised_and_not_its_text(
    joined: Workspace, provider: TracerProvider
) -> None:
    tracer = provider.get_tracer("shop")

    async def work(state: dict[str, Any], ctx: RunContext[Any]) -> dict[str, Any]:
        with pytest.raises(LookupError), tracer.start_as_current_span("work"):
            raise LookupError("ann's secret")
        return {}

    graph = Graph(dict)
    graph.add_node("work", work)
    graph.set_entry_point("work")
    async with joined.borrowed(graph.compile(), None, None) as ctx:
        from segue.graphs.running import with_context

        await graph.compile().ainvoke({}, with_context(None, ctx))

    held = spans(joined, ctx.run_id)
    (node,) = [each for each in held if each.kind == "node"]
    (theirs,) = [each for each in held if each.kind == "span"]
    assert (theirs.parent_id, theirs.status) == (node.span_id, "error")
    assert theirs.attributes["error.type"] == "LookupError"
    assert "secret" not in str(theirs)


async def test_a_run_inside_a_span_of_theirs_hangs_under_it(joined: Workspace, provider: TracerProvider) -> None:
    tracer = provider.get_tracer("shop")
    agent = Agent("a", model=ScriptedModel(["done"]))
    with tracer.start_as_current_span("request") as request:
        run = await joined.run(agent, "?")
    alone = await joined.run(Agent("b", model=ScriptedModel(["done"])), "?")

    around = request.get_span_context()
    (root,) = await joined.trace(run.id)
    assert run.trace_id == f"{around.trace_id:032x}"
    assert root.span.parent_id == f"{around.span_id:016x}"
    assert alone.trace_id != run.trace_id
    assert (await joined.trace(alone.id))[0].span.parent_id == ""


async def test_their_sampler_decides_and_a_trace_they_leave_out_stays_left_out(ws: Workspace) -> None:
    provider, kept = TracerProvider(sampler=ParentBased(ALWAYS_OFF)), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    assert ws.tracer.bridge is not None
    ws.tracer.bridge.join(provider)
    look = looking(provider.get_tracer("shop"))
    agent = Agent(
        "a", model=ScriptedModel([call("look", place="x"), "done", call("look", place="x"), "done"]), tools=[look]
    )

    with provider.get_tracer("shop").start_as_current_span("request"):
        unsampled = await ws.run(agent, "?")
    alone = await ws.run(agent, "?")

    assert [each.name for each in spans(ws, unsampled.id) if each.kind == "span"] == []
    assert sorted(each.name for each in spans(ws, alone.id) if each.kind == "span") == ["inner", "outer"]
    assert len(kept.get_finished_spans()) == 2


async def test_spans_of_runs_side_by_side_do_not_mix_and_those_outside_are_in_none(
    joined: Workspace, provider: TracerProvider
) -> None:
    look = looking(provider.get_tracer("shop"))
    agents = [
        Agent(f"a{number}", model=ScriptedModel([call("look", place=str(number)), "done"]), tools=[look])
        for number in range(5)
    ]
    with provider.get_tracer("shop").start_as_current_span("outside"):
        pass
    runs = await asyncio.gather(*(joined.run(agent, "?") for agent in agents))

    for number, run in enumerate(runs):
        theirs = [each for each in spans(joined, run.id) if each.kind == "span"]
        assert {each.name: each.attributes.get("place") for each in theirs} == {"outer": str(number), "inner": None}


async def test_a_new_root_of_theirs_inside_a_tool_is_not_ours(joined: Workspace, provider: TracerProvider) -> None:
    tracer = provider.get_tracer("shop")

    @tool(effect="read")
    def apart() -> str:
        """Work apart."""
        with tracer.start_as_current_span("apart", context=Context()):
            return "done"

    run = await joined.run(Agent("a", model=ScriptedModel([call("apart"), "done"]), tools=[apart]), "?")

    assert [each for each in spans(joined, run.id) if each.kind == "span"] == []


async def test_without_the_bridge_the_two_stay_apart(tmp_path: Path, provider: TracerProvider) -> None:
    (tmp_path / "segue.toml").write_text("[tracing]\nbridge = false\n")
    async with Workspace.open(tmp_path) as ws:
        assert ws.tracer.bridge is None
        look = looking(provider.get_tracer("shop"))
        with provider.get_tracer("shop").start_as_current_span("request") as request:
            agent = Agent("a", model=ScriptedModel([call("look", place="x"), "done"]), tools=[look])
            run = await ws.run(agent, "?")
        assert run.trace_id != f"{request.get_span_context().trace_id:032x}"
        assert [each for each in spans(ws, run.id) if each.kind == "span"] == []


async def test_the_header_of_a_request_may_be_the_parent_of_a_run(ws: Workspace) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    handle = ws.start(Agent("a", model=ScriptedModel(["done"])), "?", traceparent=parent)
    run = await handle

    (root,) = await ws.trace(run.id)
    assert (root.span.trace_id, root.span.parent_id) == ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_a_header_that_names_nothing_is_passed_over(header: str) -> None:
    assert parent_in(header) is None


def test_a_later_version_of_the_header_is_read_as_far_as_it_is_known() -> None:
    found = parent_in("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
    assert found is not None
    assert found.span_id == "00f067aa0ba902b7"


PROGRAM = """
import asyncio, sys
from segue import Agent, Workspace, tool
from segue.testing import ScriptedModel, call

async def main():
    async with Workspace.open() as ws:
        first = await ws.run(Agent("a", model=ScriptedModel(["done"])), "?")
        assert "segue.tracing.bridge_spans" not in sys.modules
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        trace.set_tracer_provider(TracerProvider())

        @tool(effect="read")
        async def look() -> str:
            "Look."
            with trace.get_tracer("x").start_as_current_span("inside"):
                return "seen"

        run = await ws.run(Agent("b", model=ScriptedModel([call("look"), "done"]), tools=[look]), "?")
        (root,) = await ws.trace(run.id)
        print([each.span.name for each in root.walk() if each.span.kind == "span"])

asyncio.run(main())
"""


def test_the_global_provider_is_found_when_it_is_set_and_nothing_is_loaded_before(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stdout, done.returncode) == ("['inside']\n", 0), done.stderr
