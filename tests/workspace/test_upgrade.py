"""A new version of an agent over the threads of the old one: checked, migrated, gone on with, in a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from segue import Agent, Answer, Approve, Planner, Team, Workspace, tool
from segue.agents import GraphWorker
from segue.base.errors import BadInput
from segue.graphs import Migration
from segue.graphs.carrying import migrate
from segue.graphs.migration import MigrationFailed
from segue.graphs.plan import SUBMIT_PLAN
from segue.testing import ScriptedModel, call


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answering(request: Any) -> Any:
    last = request.messages[-1]
    return "done" if last["role"] == "tool" else call("refund", "c1", order="7")


def clerk(ran: list[str], *, name: str = "clerk", approval: bool = True, **options: Any) -> Agent:
    """An agent that pays back once it may."""

    async def refund(order: str) -> str:
        """Pay it back."""
        ran.append(order)
        return "paid"

    tools = [tool(refund, effect="write", approval=approval)]
    return Agent(name, description="Pays back.", model=ScriptedModel(answering), tools=tools, **options)


def with_note(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "blocked": ""}


def broken(state: dict[str, Any]) -> dict[str, Any]:
    raise KeyError("owner")


async def test_a_thread_that_waits_is_migrated_when_it_goes_on_and_its_effect_happens_once() -> None:
    ran: list[str] = []
    async with Workspace.open() as ws:
        run = await ws.run(clerk(ran, version="1"), "please", thread_id="t")
    new = clerk(ran, version="2", migrations={"1": lambda state: {**state, "rounds": 0}})
    async with Workspace.open() as ws:
        found = await ws.check(new)
        resumed = await ws.resume(run.id, {run.interrupts[0].id: Approve()}, agent=new)

        assert [(each.kind, each.migrations, each.thread_id, each.status) for each in found] == [
            ("resumes", ("1 → 2",), "t", "waiting")
        ]
        assert (resumed.status, resumed.output, ran) == ("completed", "done", ["7"])
        assert [(each.kind, each.migrations) for each in await ws.check(new)] == [("resumes", ())]


async def test_migrations_of_several_versions_are_applied_one_after_the_other() -> None:
    steps: list[str] = []

    def step(name: str) -> Any:
        def change(state: dict[str, Any]) -> dict[str, Any]:
            steps.append(name)
            return state

        return change

    async with Workspace.open() as ws:
        await ws.run(clerk([], version="1"), "please", thread_id="t")
        new = clerk([], version="4", migrations={"1": step("one"), "2": step("two"), "3": Migration()})
        found = await ws.check(new)

    assert found[0].migrations == ("1 → 2", "2 → 3", "3 → 4")
    assert steps == ["one", "two"]


async def test_all_threads_are_migrated_at_once_and_a_second_time_does_nothing() -> None:
    ran: list[str] = []
    new = clerk(ran, version="2", migrations={"1": with_note})
    async with Workspace.open() as ws:
        for thread in ("a", "b"):
            await ws.run(clerk(ran, version="1"), "please", thread_id=thread)

        done, again = await ws.migrate(new), await ws.migrate(new)

        assert sorted(each.thread_id for each in done) == ["a", "b"]
        assert again == []


async def test_a_thread_at_rest_is_migrated_at_its_next_turn() -> None:
    old = Agent("talker", model=ScriptedModel(["one"]), version="1")
    new = Agent("talker", model=ScriptedModel(["two"]), version="2", migrations={"1": with_note})
    async with Workspace.open() as ws:
        await ws.run(old, "hello", thread_id="t")

        assert (await ws.check(new))[0].migrations == ("1 → 2",)
        assert (await ws.run(new, "again", thread_id="t")).output == "two"
        assert len(await ws.messages("t", agent=new)) == 4
        assert (await ws.check(new))[0].migrations == ()


async def test_a_migration_that_fails_names_thread_and_function_and_leaves_the_thread() -> None:
    ran: list[str] = []
    async with Workspace.open() as ws:
        run = await ws.run(clerk(ran, version="1"), "please", thread_id="t")
        new = clerk(ran, version="2", migrations={"1": broken})
        verdict = (await ws.check(new))[0]
        answers = {run.interrupts[0].id: Approve()}
        failed = await ws.resume(run.id, answers, agent=new)
        left = await ws.migrate(new)

        assert verdict.kind == "breaks"
        assert "thread t: the migration 1 → 2, broken, raised KeyError: 'owner'" in verdict.findings[0].found
        assert failed.status == "failed"
        assert "broken" in failed.error
        assert (left[0].kind, ran) == ("breaks", [])


async def died(*args: Any) -> Any:
    raise ConnectionError


async def test_a_migration_that_dies_before_its_last_write_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    async with Workspace.open() as ws:
        await ws.run(clerk(ran, version="1"), "please", thread_id="t")
        new = clerk(ran, version="2", migrations={"1": with_note})
        graph = ws._graph(new, "local")
        with monkeypatch.context() as patched:
            patched.setattr(graph.checkpointer, "aput", died)
            with pytest.raises(ConnectionError):
                await migrate(graph, {"configurable": {"thread_id": "t"}})
        after = await ws.check(new)
        done = await ws.migrate(new)

        assert (after[0].kind, after[0].migrations) == ("resumes", ("1 → 2",))
        assert [each.kind for each in done] == ["resumes"]


async def test_what_was_always_loosely_typed_is_not_told_of_an_unchanged_channel() -> None:
    class Loose(TypedDict, total=False):
        messages: list[Any]
        count: int

    class More(Loose, total=False):
        other: str

    def graph(state: Any) -> Any:
        drawn: Any = StateGraph(state)

        async def write(held: Any) -> Any:
            return {"count": "five", "messages": []}

        drawn.add_node("write", write)
        drawn.add_edge(START, "write")
        return drawn

    class Loosely(Agent):
        def draw(self) -> Any:
            from segue.graphs import traced

            return traced(graph(Loose if self.version == "1" else More))

    async with Workspace.open() as ws:
        await ws.run(Loosely("loose", version="1"), "hello", thread_id="t")
        verdict = (await ws.check(Loosely("loose", version="2")))[0]

    assert (verdict.kind, verdict.changes) == ("resumes", ("channel other is new",))


class Talk(TypedDict, total=False):
    messages: list[Any]


def asks(state: Talk) -> Talk:
    return {"messages": [("ai", f"you said {interrupt('Sure?')}")]}


def foreign(node: str) -> Any:
    graph = StateGraph(Talk)
    graph.add_node(node, asks)
    graph.add_edge(START, node)
    return GraphWorker("asker", graph.compile(), description="Asks.")


def team(node: str, **options: Any) -> Team:
    plan = call(SUBMIT_PLAN, "p1", tasks=[{"id": "t1", "worker": "asker", "task": "ask", "depends_on": []}])
    model = ScriptedModel(lambda request: "all done" if request.messages[-1]["role"] == "tool" else plan)
    return Team("desk", planner=Planner(model=model), workers=[foreign(node)], **options)


async def test_a_question_of_a_graph_of_langgraph_keeps_its_id_over_a_migration() -> None:
    async with Workspace.open() as ws:
        run = await ws.run(team("ask", version="1"), "please", thread_id="t")
        inside = Migration(renames={"ask": "confirm"})
        new = team("confirm", version="2", migrations={"1": Migration(inside={"asker": inside})})
        verdicts = [(await ws.check(team("confirm", version="2")))[0], (await ws.check(new))[0]]
        resumed = await ws.resume(run.id, {run.interrupts[0].id: Answer("yes")}, agent=new)

        assert [each.kind for each in verdicts] == ["needs migration", "resumes"], str(verdicts[1])
        assert verdicts[0].findings[0].where == "asker > node ask"
        assert (resumed.status, resumed.output) == ("completed", "all done")
        assert "you said yes" in str(await ws.messages("t", agent=new))


class Gone(BaseException):
    """The process is gone."""


async def test_an_effect_that_was_recorded_before_a_crash_is_not_repeated_after_a_migration() -> None:
    ran: list[str] = []
    alive: list[str] = []

    def workers(version: str) -> Agent:
        async def pay(order: str) -> str:
            """Pay."""
            ran.append(order)
            return "paid"

        async def tell(order: str) -> str:
            """Tell."""
            if not alive:
                raise Gone
            return "told"

        def reply(request: Any) -> Any:
            both = [call("pay", "c1", order="7"), call("tell", "c2", order="7")]
            return "done" if request.messages[-1]["role"] == "tool" else both

        tools = [tool(pay, effect="write"), tool(tell, effect="write", retry_safe=True)]
        return Agent(f"clerk{version}", description="Pays.", model=ScriptedModel(reply), tools=tools)

    def desk(version: str, **options: Any) -> Team:
        task = {"id": "t1", "worker": f"clerk{version}", "task": "pay", "depends_on": []}
        plan = call(SUBMIT_PLAN, "p1", tasks=[task])
        model = ScriptedModel(lambda request: "all done" if request.messages[-1]["role"] == "tool" else plan)
        return Team("desk", planner=Planner(model=model), workers=[workers(version)], version=version, **options)

    def renamed(state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "plan": [{**task, "worker": "clerk2"} for task in state["plan"]]}

    async with Workspace.open() as ws:
        with pytest.raises(Gone):
            await ws.run(desk("1"), "please", thread_id="t")
    alive.append("yes")
    async with Workspace.open() as ws:
        new = desk("2", migrations={"1": Migration(renamed, renames={"clerk1": "clerk2"})})
        verdict = (await ws.check(new))[0]
        resumed = await ws.resume(verdict.run_id, agent=new)

        assert verdict.kind == "resumes", str(verdict)
        assert (resumed.status, ran) == ("completed", ["7"])


async def test_a_thread_that_is_not_there_is_named() -> None:
    async with Workspace.open() as ws:
        with pytest.raises(BadInput, match="no thread 'nope'"):
            await ws.check(clerk([]), thread_id="nope")


async def test_migrations_that_do_not_lead_to_the_version_are_told() -> None:
    given = {"1": Migration(end="2")}
    async with Workspace.open() as ws:
        await ws.run(clerk([], version="1"), "please", thread_id="t")
        verdict = (await ws.check(clerk([], version="3", migrations=given)))[0]

    assert verdict.kind == "breaks"
    assert "lead from version '1' to '2', and the graph is at '3'" in verdict.findings[0].found


async def test_a_migration_that_gives_no_channel_of_the_graph_is_told() -> None:
    async with Workspace.open() as ws:
        await ws.run(clerk([], version="1"), "please", thread_id="t")
        new = clerk([], version="2", migrations={"1": lambda state: {**state, "owner": "ann"}})
        with pytest.raises(MigrationFailed, match="'owner', which is no channel"):
            await migrate(ws._graph(new, "local"), {"configurable": {"thread_id": "t"}})
