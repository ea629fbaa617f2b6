"""The planner graph: a request in, an answer out, with a plan's waves of workers between.

    plan → dispatch ⇉ worker … → gather → (dispatch | plan | answer)

`plan` has the model hand in tasks, or answer at once. `dispatch` sends a wave: the tasks whose dependencies are done.
`gather` looks at what came back: the next wave, a new plan where something failed, or the answer. An interrupt inside
a worker pauses the run at the end of its wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NotRequired, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.constants import END
from langgraph.types import Send

from segue.base.errors import OperatorError, RunStopped
from segue.base.labels import Labels
from segue.base.messages import Message, append, enter, open_calls, text_of, tool_result
from segue.base.words import user_words
from segue.context.events import PlanMade, TaskFinished, TaskStarted
from segue.context.run import RunContext
from segue.graphs.budgeting import before_answer, in_budget
from segue.graphs.call_ids import with_fresh_ids
from segue.graphs.generation import generate
from segue.graphs.graph import Graph
from segue.graphs.guarding import GuardNodes, at_output, guard_plan, inspector
from segue.graphs.history import Mark, ThreadRecall
from segue.graphs.plan import (
    SUBMIT_PLAN,
    PlanInvalid,
    Task,
    TaskResult,
    as_text,
    blocked,
    next_wave,
    read_plan,
)
from segue.graphs.running import with_context
from segue.graphs.specs import TeamSpec, Worker
from segue.graphs.steps import Goto, led
from segue.graphs.typed import conclude
from segue.graphs.working import work
from segue.guards.streaming import readable

MAX_PLAN_REPAIRS = 2
"""How often a model is told what is wrong with its plan before its run fails."""

ANSWER = "answer"
"""Whose share is kept while a team plans again."""


def merge(left: dict[str, TaskResult] | None, right: dict[str, TaskResult] | None) -> dict[str, TaskResult]:
    """The reducer of results: later ones join the earlier ones; `None` starts over."""
    return {} if right is None else {**(left or {}), **right}


class TeamState(TypedDict, total=False):
    """What a team's checkpoint holds."""

    messages: Annotated[list[Message], append]
    """The conversation of the thread: requests, plans with their results, answers."""
    plan: list[Task]
    results: Annotated[dict[str, TaskResult], merge]
    """By task id, over all plans of the run."""
    plans: int
    """How many plans the run has made."""
    wave: int
    output: Any
    blocked: str
    """Why a rail ended the run; empty where none did."""
    history: Mark
    """Where the messages begin that the planner reads."""
    spent: dict[str, Any] | None
    """Of a budget of its own: what this invocation has spent, kept over a stop."""


class TeamInput(TypedDict, total=False):
    """What a team's graph takes."""

    messages: Annotated[list[Message], append]
    plan: list[Task]
    results: Annotated[dict[str, TaskResult], merge]
    plans: int
    wave: int
    blocked: str
    spent: dict[str, Any] | None


class TeamOutput(TypedDict, total=False):
    """What a team's graph gives."""

    messages: Annotated[list[Message], append]
    output: Any
    blocked: str


class WorkerTask(TypedDict):
    """What is sent to a worker."""

    task: Task
    wave: int
    needs: list[TaskResult]
    """The results that the task depends on."""
    spent: dict[str, Any] | None
    """Of a budget of the team's own: what had been spent when the task was sent."""
    words: NotRequired[list[str]]
    """What the user said, for the gate."""


def team_graph(spec: TeamSpec) -> Graph:
    """Draw the graph of one team."""
    names = tuple(worker.name for worker in spec.workers)

    guards = GuardNodes(spec.rails, spec.name, "plan")

    async def plan_node(state: TeamState, ctx: RunContext[Any]) -> Goto:
        step = await _planned(spec, state, guards.at(ctx))
        return led(step, "dispatch", guards.after_plan)

    async def guard_plan_node(state: TeamState, ctx: RunContext[Any]) -> Goto:
        results = state.get("results") or {}
        done = {key: result["failed"] for key, result in results.items()}
        return await guard_plan(spec.rails, state["plan"], done, names, ctx.at(agent=spec.name))

    async def dispatch_node(state: TeamState) -> Goto:
        return _dispatch(state)

    async def gather_node(state: TeamState) -> Goto:
        return _gather(spec, state)

    async def answer_node(state: TeamState, ctx: RunContext[Any]) -> Goto:
        recall = ThreadRecall(spec.history, state.get("history"))
        with in_budget(spec.budget, state, ctx) as spent:
            step = await _answer(spec, state, guards.at(ctx), recall)
        step = Goto(step.goto, update={**(step.update or {}), **recall.update(), **spent()}, because=step.because)
        return led(step, END, guards.after_answer)

    graph = Graph(TeamState, budget=spec.budget, input_schema=TeamInput, output_schema=TeamOutput)
    graph.about = {"dispatch": spec}
    guards.draw(graph)
    if guards.after_plan != "dispatch":
        graph.add_node("guard_plan", guard_plan_node, destinations=("dispatch", END), metadata=guards.badge("plan"))
    graph.add_node("plan", plan_node, destinations=(guards.after_plan, "answer"))
    graph.add_node("dispatch", dispatch_node, destinations=names)
    for worker in spec.workers:
        graph.add_node(worker.name, _worker_node(worker, spec))
        graph.add_edge(worker.name, "gather")
    graph.add_node("gather", gather_node, destinations=("dispatch", "plan", "answer"))
    graph.add_node("answer", answer_node, destinations=(guards.after_answer,))
    return graph


async def _planned(spec: TeamSpec, state: TeamState, ctx: RunContext[Any]) -> Goto:
    """Plan; where what is left after a first plan is kept for the answer, answer with what there is."""
    recall, added = ThreadRecall(spec.history, state.get("history")), list[Message]()
    with in_budget(spec.budget, state, ctx) as spent:
        again = state.get("plans", 0) > 0
        try:
            step = await _plan(spec, state, before_answer(ctx, ANSWER) if again else ctx, recall, added)
        except RunStopped as stopped:
            if stopped.owner != ANSWER:
                raise
            step = Goto("answer", update={"messages": added, "plan": []}, because=f"no new plan: {stopped.message}")
    return Goto(step.goto, update={**(step.update or {}), **recall.update(), **spent()}, because=step.because)


async def _plan(
    spec: TeamSpec, state: TeamState, ctx: RunContext[Any], recall: ThreadRecall, added: list[Message]
) -> Goto:
    messages = state["messages"]
    done = {key: result["failed"] for key, result in (state.get("results") or {}).items()}
    speaker = spec.speaker(recall)
    names = [worker.name for worker in spec.workers]
    for attempt in range(1 + MAX_PLAN_REPAIRS):
        generation = await generate(ctx, speaker, [*messages, *added])
        message = with_fresh_ids(generation.message, [*messages, *added], [*recall.sent(messages), *added])
        added.append(message)
        calls = message.get("tool_calls") or []
        if not calls:
            return Goto("answer", update={"messages": added, "plan": []}, because="the planner answered without a plan")
        try:
            tasks = _read(calls, names, done, spec.max_tasks)
        except PlanInvalid as error:
            if attempt == MAX_PLAN_REPAIRS:
                raise OperatorError(
                    f"{spec.planner.name} gave no plan that holds together: {error}.",
                    way_out="Use a model that can call tools, or fewer workers with clearer descriptions.",
                ) from None
            added += [_refused(call, str(error)) for call in calls]
            continue
        ctx.emit(PlanMade(run_id=ctx.run_id, at=ctx.now(), tasks=[dict(task) for task in tasks]))
        update = {"messages": added, "plan": tasks, "plans": state.get("plans", 0) + 1}
        return Goto("dispatch", update=update, because=f"a plan of {len(tasks)} tasks")
    raise AssertionError("unreachable")  # pragma: no cover


def _read(calls: Sequence[Any], names: list[str], done: dict[str, bool], max_tasks: int) -> list[Task]:
    """The tasks of one reply; several calls are taken as one plan."""
    tasks: list[Task] = []
    for call in calls:
        if call["function"]["name"] != SUBMIT_PLAN:
            raise PlanInvalid(f"no tool named {call['function']['name']!r} here; hand in the plan by {SUBMIT_PLAN}")
        arguments = call["function"]["arguments"]
        before = {**done, **{task["id"]: False for task in tasks}}
        tasks += read_plan(arguments, names, before, max_tasks=max_tasks)
    return tasks


def _refused(call: Any, why: str) -> Message:
    return tool_result(call["id"], f"error: {why}", name=call["function"]["name"], failed=True)


def _dispatch(state: TeamState) -> Goto:
    plan, results = state["plan"], state.get("results") or {}
    wave, number = next_wave(plan, results), state.get("wave", 0) + 1
    spent, words = state.get("spent"), list(user_words(state["messages"]))
    sends = [
        Send(
            task["worker"],
            {
                "task": task,
                "wave": number,
                "needs": [results[each] for each in task["depends_on"]],
                "spent": spent,
                "words": words,
            },
        )
        for task in wave
    ]
    ids = ", ".join(task["id"] for task in wave)
    return Goto(
        sends,
        update={"wave": number},
        because=f"wave {number}: {ids} {'have' if len(wave) > 1 else 'has'} no open dependency",
    )


def _worker_node(worker: Worker, spec: TeamSpec) -> Any:
    graph, rails = worker.load(), spec.rails

    async def node(state: WorkerTask, config: RunnableConfig, ctx: RunContext[Any]) -> dict[str, Any]:
        task = state["task"]
        effects = frozenset({"read"}) if task.get("effect") == "read" else ctx.effects
        inspect = inspector(rails, ctx.inspect)
        shows = (*ctx.shows, *at_output(rails))
        ctx = ctx.at(agent=worker.name, task_id=task["id"], effects=effects, inspect=inspect, shows=shows)
        ctx = ctx.at(words=ctx.words or tuple(state.get("words") or ()))
        at = {"run_id": ctx.run_id, "task_id": task["id"], "worker": worker.name}
        ctx.emit(TaskStarted(at=ctx.now(), task=task["task"], wave=state["wave"], **at))
        with in_budget(spec.budget, state, ctx):
            inside = with_context(config, before_answer(ctx, worker.name))
            text, failed = await work(worker, graph, _messages_for(state), inside)
        ctx.emit(TaskFinished(at=ctx.now(), failed=failed, result=await readable(shows, text, ctx), **at))
        result: TaskResult = {
            "id": task["id"], "worker": worker.name, "task": task["task"], "failed": failed, "text": text,
        }  # fmt: skip
        return {"results": {task["id"]: result}}

    node.__name__ = worker.name
    return node


def _messages_for(state: WorkerTask) -> list[Message]:
    """The task as a worker reads it: the results that it needs, then what to do."""
    task = state["task"]["task"]
    if not state["needs"]:
        return [enter({"role": "user", "content": task})]
    planned = Labels(integrity="tool", kind="plan", source="plan").to_dict()
    earlier = Labels(integrity="untrusted", kind="tool_result", source="plan").to_dict()
    parts = [
        {"type": "text", "text": f"Results of earlier tasks:\n\n{as_text(state['needs'])}", "labels": earlier},
        {"type": "text", "text": task, "labels": planned},
    ]
    return [enter({"role": "user", "content": parts})]


def _gather(spec: TeamSpec, state: TeamState) -> Goto:
    plan, results = state["plan"], dict(state.get("results") or {})
    if next_wave(plan, results):
        return Goto("dispatch", because="tasks are left that can run now")
    never = {result["id"]: result for result in blocked(plan, results)}
    results |= never
    told = _tell(state, [results[task["id"]] for task in plan])
    update: dict[str, Any] = {"messages": told, "results": never}
    failed = [task["id"] for task in plan if results[task["id"]]["failed"]]
    if failed and state.get("plans", 1) <= spec.max_replans:
        return Goto("plan", update=update, because=f"{', '.join(failed)} failed: plan again")
    return Goto("answer", update=update, because="all tasks are done" if not failed else f"{', '.join(failed)} failed")


def _tell(state: TeamState, results: list[TaskResult]) -> list[Message]:
    """The results as the answer to the call that handed in the plan; further calls of the reply point at it."""
    labels = Labels(integrity="untrusted", kind="tool_result", source="plan")
    told = []
    for index, call in enumerate(open_calls(state["messages"])):
        text = as_text(results) if index == 0 else "see the results of the first call"
        told.append(tool_result(call["id"], text, name=SUBMIT_PLAN, labels=labels))
    return told


async def _answer(spec: TeamSpec, state: TeamState, ctx: RunContext[Any], recall: ThreadRecall) -> Goto:
    messages, speaker = state["messages"], spec.speaker(recall)
    last = messages[-1]
    if last["role"] == "assistant" and not last.get("tool_calls"):
        if spec.output is None:
            return Goto(END, update={"output": text_of(last)}, because="the planner has answered")
        try:
            return Goto(END, update={"output": spec.output.read(text_of(last))}, because="the planner has answered")
        except ValueError:
            pass
    if spec.output is not None:
        data, said = await conclude(ctx, speaker, messages, spec.output)
        return Goto(END, update={"messages": said, "output": data}, because="the planner answered")
    generation = await generate(ctx, speaker, messages, tool_choice="none")
    message: Message = {**generation.message}
    message.pop("tool_calls", None)
    return Goto(END, update={"messages": [message], "output": text_of(message)}, because="the planner answered")
