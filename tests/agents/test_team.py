"""Planners and teams: waves, dependencies, plans that do not hold together, and workers of all kinds."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from segue import Agent, Answer, Approve, BadInput, Budget, Planner, Run, Team, UserError, Workspace, tool
from segue.agents import GraphWorker
from segue.context.events import PlanMade, TaskFinished, TaskStarted
from segue.graphs.plan import SUBMIT_PLAN
from segue.router.types import GenerationRequest
from segue.testing import ScriptedModel, call


def plan(*tasks: tuple[Any, ...]) -> Any:
    """A call of the planner's tool; each task is `(id, worker, *ids that it needs)`."""
    return call(
        SUBMIT_PLAN,
        tasks=[
            {"id": id_, "worker": who, "task": f"do {id_}", "depends_on": list(needs)} for id_, who, *needs in tasks
        ],
    )


def echo(name: str = "echo", **options: Any) -> Agent:
    """A worker that says what it was asked."""

    def said(request: GenerationRequest) -> str:
        content = request.messages[-1]["content"]
        text = content if isinstance(content, str) else str(content[-1]["text"] if content else "")
        return f"{name} did {text.removeprefix('do ')}"

    return Agent(name, description=f"{name} does.", model=ScriptedModel(said), **options)


def team(replies: list[Any], *workers: Any, **options: Any) -> Team:
    planner = Planner(model=ScriptedModel(replies), **options)
    return Team("desk", planner=planner, workers=workers or [echo()])


def told(model: Any) -> str:
    """The last message that a planner's model read."""
    return str(model.requests[-1].messages[-1]["content"])


async def events_of(ws: Workspace, desk: Team, kind: type) -> tuple[list[Any], Run]:
    handle = ws.start(desk, "go")
    found = [event async for event in handle.events() if isinstance(event, kind)]
    return found, await handle


async def test_tasks_run_in_waves_by_what_they_depend_on(ws: Workspace) -> None:
    desk = team([plan(("a", "echo"), ("b", "echo"), ("c", "echo", "a", "b"), ("d", "echo", "c")), "done"])

    started, run = await events_of(ws, desk, TaskStarted)

    assert run.output == "done"
    assert sorted((event.wave, event.task_id) for event in started) == [(1, "a"), (1, "b"), (2, "c"), (3, "d")]


async def test_a_task_is_given_the_results_that_it_depends_on_and_no_others(ws: Workspace) -> None:
    worker = echo()
    desk = team([plan(("a", "echo"), ("b", "echo"), ("c", "echo", "b")), "done"], worker)
    await ws.run(desk, "go")

    [third] = [request for request in worker.model.requests if "do c" in str(request.messages[-1]["content"])]
    read = str(third.messages[-1]["content"])
    assert "echo did b" in read
    assert "echo did a" not in read


async def test_workers_of_one_wave_overlap(ws: Workspace) -> None:
    here, there = asyncio.Event(), asyncio.Event()

    async def first(request: GenerationRequest) -> str:
        here.set()
        await there.wait()
        return "first"

    async def second(request: GenerationRequest) -> str:
        there.set()
        await here.wait()
        return "second"

    workers = [
        Agent(name, description="Waits.", model=ScriptedModel(said)) for name, said in (("one", first), ("two", second))
    ]
    desk = team([plan(("a", "one"), ("b", "two")), "done"], *workers)

    async with asyncio.timeout(5):
        run = await ws.run(desk, "go")

    assert run.output == "done"


async def test_the_planner_reads_results_in_the_order_of_the_plan_and_answers_from_them(ws: Workspace) -> None:
    desk = team([plan(("b", "echo"), ("a", "echo")), "done"])
    await ws.run(desk, "go")

    text = told(desk.planner.model)
    assert text.index("echo did b") < text.index("echo did a")


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (plan(("a", "nobody")), "no worker named 'nobody'; there are echo"),
        (plan(("a", "echo", "z")), "depends on 'z', which is no task"),
        (plan(("a", "echo"), ("a", "echo")), "the id 'a' is used twice"),
        (plan(("a", "echo", "b"), ("b", "echo", "a")), "wait for each other"),
        (plan(("a", "echo", "a")), "wait for each other"),
        (plan(), "the plan has no task"),
        (plan(*((str(n), "echo") for n in range(13))), "at most 12"),
        (call(SUBMIT_PLAN, plan="none"), "submit_plan takes"),
        (call(SUBMIT_PLAN, tasks="none"), "submit_plan takes"),
        (call(SUBMIT_PLAN, tasks=["none"]), "submit_plan takes"),
        (call(SUBMIT_PLAN, tasks=[{"id": "a", "worker": "echo", "task": " "}]), "without a text"),
        (call("search", query="x"), "no tool named 'search'"),
    ],
)
async def test_a_plan_that_does_not_hold_together_is_told_to_the_model_and_mended(
    ws: Workspace, bad: Any, says: str
) -> None:
    desk = team([bad, plan(("a", "echo")), "done"])

    run = await ws.run(desk, "go")

    refused = desk.planner.model.requests[1].messages[-1]
    assert run.output == "done"
    assert refused["failed"]
    assert says in refused["content"]


async def test_a_planner_that_never_mends_its_plan_fails_the_run(ws: Workspace) -> None:
    run = await ws.run(team([plan(("a", "nobody"))] * 3), "go")

    assert run.status == "failed"
    assert "'nobody'" in run.error


async def test_several_calls_of_one_reply_are_one_plan(ws: Workspace) -> None:
    desk = team([[plan(("a", "echo")), plan(("b", "echo", "a"))], "done"])

    made, run = await events_of(ws, desk, PlanMade)

    assert run.output == "done"
    assert [task["id"] for task in made[0].tasks] == ["a", "b"]


async def test_a_planner_may_answer_without_a_plan(ws: Workspace) -> None:
    desk = team(["hello"])

    run = await ws.run(desk, "hi")

    assert run.output == "hello"
    assert run.usage.model_calls == 1


def failing(times: int) -> Agent:
    """A worker whose graph comes to no answer the first times."""
    left = [times]

    def said(request: GenerationRequest) -> Any:
        left[0] -= 1
        return call("nothing") if left[0] >= 0 else "worked"

    return Agent("shaky", description="Fails.", model=ScriptedModel(said), max_rounds=1)


async def test_a_failed_task_is_planned_again(ws: Workspace) -> None:
    desk = team([plan(("a", "shaky")), plan(("b", "shaky")), "done"], failing(1))

    run = await ws.run(desk, "go")

    assert run.output == "done"
    assert "a (shaky, failed)" in str(desk.planner.model.requests[1].messages[-1]["content"])
    assert "worked" in told(desk.planner.model)


async def test_what_depends_on_a_failed_task_is_not_done_and_told_so(ws: Workspace) -> None:
    desk = team(
        [plan(("a", "shaky"), ("b", "echo", "a"), ("c", "echo", "b"), ("d", "echo")), "done"],
        failing(9),
        echo(),
        max_replans=0,
    )

    finished, run = await events_of(ws, desk, TaskFinished)

    assert run.output == "done"
    assert sorted(event.task_id for event in finished) == ["a", "d"]
    assert "not done, since task a failed" in told(desk.planner.model)
    assert "not done, since task b failed" in told(desk.planner.model)


async def test_a_new_plan_cannot_depend_on_a_task_that_failed(ws: Workspace) -> None:
    desk = team([plan(("a", "shaky")), plan(("b", "echo", "a")), plan(("b", "echo")), "done"], failing(9), echo())

    run = await ws.run(desk, "go")

    assert run.output == "done"
    assert "'a', which failed" in str(desk.planner.model.requests[2].messages[-1]["content"])


async def test_ids_of_an_earlier_plan_cannot_be_used_again_but_its_results_can(ws: Workspace) -> None:
    desk = team(
        [plan(("a", "echo"), ("x", "shaky")), plan(("a", "echo")), plan(("b", "echo", "a")), "done"], failing(9), echo()
    )

    run = await ws.run(desk, "go")

    assert run.output == "done"
    assert "was used by an earlier plan" in str(desk.planner.model.requests[2].messages[-1]["content"])


async def test_a_second_turn_of_a_thread_plans_afresh_and_remembers(ws: Workspace) -> None:
    desk = team([plan(("a", "echo")), "one", plan(("a", "echo")), "two"])
    await ws.run(desk, "first request", thread_id="t")

    run = await ws.run(desk, "second request", thread_id="t")

    read = [message["content"] for message in desk.planner.model.requests[2].messages if message["role"] == "user"]
    assert run.output == "two"
    assert read == ["first request", "second request"]


class Total(BaseModel):
    total: int


async def test_a_typed_answer_is_mended_by_the_model(ws: Workspace) -> None:
    model = ScriptedModel([plan(("a", "echo")), {"total": "many"}, {"total": 3}])
    desk = Team("desk", planner=Planner(model=model), workers=[echo()], output_type=Total)

    run = await ws.run(desk, "go")

    assert run.output == Total(total=3)
    assert model.requests[-1].output_schema is not None
    assert "total: Input should be a valid integer" in told(model)


async def test_a_team_is_a_worker_of_a_team_and_its_typed_answer_is_json(ws: Workspace) -> None:
    inner = Team(
        "inner",
        planner=Planner(model=ScriptedModel([plan(("i", "echo")), {"total": 3}])),
        workers=[echo()],
        output_type=Total,
        description="Adds.",
    )
    desk = team([plan(("a", "inner")), "done"], inner)

    finished, run = await events_of(ws, desk, TaskFinished)

    assert run.output == "done"
    assert [event.result for event in finished if event.task_id == "a"] == ['{"total":3}']


async def test_approvals_of_two_workers_of_one_wave_are_asked_together(ws: Workspace) -> None:
    ran: list[str] = []

    @tool(approval=True)
    def act(what: str) -> str:
        """Act."""
        ran.append(what)
        return "acted"

    workers = [
        Agent(name, description="Acts.", model=ScriptedModel([call("act", what=name), "ok"]), tools=[act])
        for name in ("one", "two")
    ]
    desk = team([plan(("a", "one"), ("b", "two"), ("c", "echo")), "done"], *workers, echo())

    run = await ws.run(desk, "go")
    assert (run.status, ran) == ("waiting", [])
    first, second = run.interrupts
    run = await ws.resume(run.id, {first.id: Approve()})
    assert (run.status, [each.id for each in run.interrupts]) == ("waiting", [second.id])
    run = await ws.resume(run.id, {second.id: Approve()})

    assert run.output == "done"
    assert sorted(ran) == ["one", "two"]


class Plain(TypedDict, total=False):
    question: str
    answer: str


def langgraph_worker(answer: Any = "42", **options: Any) -> Any:
    async def think(state: Plain) -> Plain:
        if isinstance(answer, Exception):
            raise answer
        return {"answer": f"{state['question']}: {answer}"}

    graph = StateGraph(Plain)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    graph.add_edge("think", END)
    return graph.compile(**options)


def mapped(graph: Any) -> GraphWorker:
    return GraphWorker(
        "thinker",
        graph,
        description="Thinks.",
        state_in=lambda task: {"question": task},
        state_out=lambda state: state["answer"],
    )


@pytest.mark.parametrize("saver", [None, InMemorySaver()], ids=["bare", "with a saver of its own"])
async def test_a_compiled_langgraph_graph_is_a_worker_by_a_mapping_of_its_state(ws: Workspace, saver: Any) -> None:
    desk = team([plan(("a", "thinker")), "done"], mapped(langgraph_worker(checkpointer=saver)))

    run = await ws.run(desk, "go")

    assert run.output == "done"
    assert "do a: 42" in told(desk.planner.model)


@pytest.mark.parametrize("question", ["which one?", {"pick": ["a", "b"]}, ["a", "b"]], ids=repr)
async def test_a_langgraph_graph_that_interrupts_asks_a_question_and_reads_the_answer(
    ws: Workspace, question: Any
) -> None:
    async def think(state: Plain) -> Plain:
        return {"answer": f"chosen: {interrupt(question)}"}

    graph = StateGraph(Plain)
    graph.add_node("think", think)
    graph.add_edge(START, "think")
    desk = team([plan(("a", "thinker")), "done"], mapped(graph.compile()))

    run = await ws.run(desk, "go")
    [request] = run.interrupts
    with pytest.raises(BadInput, match="answered by an Answer"):
        await ws.resume(run.id, {request.id: Approve()})
    run = await ws.resume(run.id, {request.id: Answer({"b": 1})})

    assert request.kind == "question"
    assert "a" in request.question or "which" in request.question
    assert run.output == "done"
    assert "chosen: {'b': 1}" in told(desk.planner.model)


async def test_what_a_langgraph_graph_raises_fails_its_task_only(ws: Workspace) -> None:
    desk = team(
        [plan(("a", "thinker"), ("b", "echo")), "done"], mapped(langgraph_worker(LookupError("lost"))), echo(),
        max_replans=0,
    )  # fmt: skip

    run = await ws.run(desk, "go")

    assert run.output == "done"
    assert "error: LookupError: lost" in told(desk.planner.model)
    assert "echo did b" in told(desk.planner.model)


async def test_a_named_graph_with_messages_is_a_worker_as_it_stands(ws: Workspace) -> None:
    async def reply(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", f"I read: {state['messages'][-1].content}")]}

    graph = StateGraph(MessagesState)
    graph.add_node("reply", reply)
    graph.add_edge(START, "reply")
    desk = team([plan(("a", "reader")), "done"], graph.compile(name="reader"))

    await ws.run(desk, "go")

    assert "I read: do a" in told(desk.planner.model)


async def test_a_worker_that_runs_over_the_budget_stops_the_run_with_what_it_has(ws: Workspace) -> None:
    desk = team([plan(("a", "echo"), ("b", "echo", "a")), "done"])

    run = await ws.run(desk, "go", budget=Budget(model_calls=2))

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert "## a (echo): do a" in run.partial


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: Team("desk", workers=[]), "'desk'.*no workers"),
        (lambda: Team("desk", workers=[echo(), echo()]), "two workers are called 'echo'"),
        (lambda: Team("desk", workers=[echo("plan")]), "'plan' is a node of every team"),
        (lambda: Team("desk", workers=[Agent("mute", model="x")]), "'mute' has no description"),
        (lambda: Team("desk", workers=[langgraph_worker()]), "needs a name"),
        (lambda: Team("desk", workers=["echo"]), "'echo' is no worker"),
        (lambda: Team("two words", workers=[echo()]), "'two words' is no name"),
        (lambda: Agent("9lives"), "'9lives' is no name"),
        (lambda: Agent("a", max_rounds=0), "max_rounds=0"),
        (lambda: Agent("a", output_type=object()), "output_type"),
        (lambda: Planner(max_tasks=0), "max_tasks=0"),
        (lambda: GraphWorker("g", object(), description="x"), "has no ainvoke"),
        (lambda: GraphWorker("g", langgraph_worker(), description=""), "no description"),
    ],
)
def test_what_is_wired_wrongly_is_told_when_it_is_made(build: Any, says: str) -> None:
    with pytest.raises(UserError, match=says):
        build()


async def test_a_langgraph_graph_that_never_ends_fails_its_task(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.graphs.working.FOREIGN_STEPS", 5)
    endless = StateGraph(MessagesState)
    endless.add_node("round", lambda state: {"messages": []})
    endless.add_edge(START, "round")
    endless.add_edge("round", "round")
    planner = ScriptedModel([
        call("submit_plan", tasks=[{"id": "t1", "worker": "endless", "task": "go", "depends_on": []}]),
        call("submit_plan", tasks=[{"id": "t2", "worker": "endless", "task": "go", "depends_on": []}]),
        lambda request: str(request.messages[-1]["content"]),
    ])  # fmt: skip
    worker = GraphWorker("endless", endless.compile(), description="Never ends.")

    run = await ws.run(Team("team", planner=Planner(model=planner), workers=[worker]), "go")

    assert "GraphRecursionError" in run.output
