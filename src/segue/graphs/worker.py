"""The worker graph: a conversation in, an answer out, two nodes a round.

    generate ⇄ act        act = gate, [approve], tool

`generate` asks the model. Where it asks for tools, the calls are in a checkpoint before `act` runs any of them, and a
person who must approve is asked before anything ran. Where it answers, the graph ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated, Any, TypedDict

from langgraph.constants import END

from segue.base.errors import RunStopped
from segue.base.messages import Message, ToolCall, append, open_calls, text_of
from segue.base.words import user_words
from segue.context.events import ToolFinished
from segue.context.run import Inspect, RunContext
from segue.graphs.asking import ask
from segue.graphs.budgeting import in_budget
from segue.graphs.call_ids import with_fresh_ids
from segue.graphs.generation import Speaker, generate
from segue.graphs.graph import Graph
from segue.graphs.guarding import GuardNodes, badges, inspector, standing
from segue.graphs.history import Mark, ThreadRecall
from segue.graphs.loops import notices
from segue.graphs.specs import WorkerSpec
from segue.graphs.steps import Goto, led
from segue.graphs.typed import OutputType, conclude
from segue.tools.execution import execute_tool_calls
from segue.tools.tool import Tool


class WorkerState(TypedDict, total=False):
    """What a worker's checkpoint holds."""

    messages: Annotated[list[Message], append]
    output: Any
    """Plain JSON data: text, or what fits the output type."""
    rounds: int
    """Generations since the run began."""
    blocked: str
    """Why a rail ended the run; empty where none did."""
    history: Mark
    """Where the messages begin that the model reads."""
    spent: dict[str, Any] | None
    """Of a budget of its own: what this invocation has spent, kept over a stop."""


class WorkerInput(TypedDict, total=False):
    """What a worker graph takes."""

    messages: Annotated[list[Message], append]
    rounds: int
    blocked: str
    spent: dict[str, Any] | None


class WorkerOutput(TypedDict, total=False):
    """What a worker graph gives."""

    messages: Annotated[list[Message], append]
    output: Any
    blocked: str


def worker_graph(spec: WorkerSpec) -> Graph:
    """Draw the graph of one agent."""
    guards = GuardNodes(spec.rails, spec.name, "generate")
    inspects = standing(spec.rails, "tool_call", "tool_result")

    async def generate_node(state: WorkerState, ctx: RunContext[Any]) -> Goto:
        return led(await generate_step(spec, state, guards.at(ctx)), END, guards.after_answer)

    async def act_node(state: WorkerState, ctx: RunContext[Any]) -> Goto:
        inspect = inspector(spec.rails, ctx.inspect) if inspects else ctx.inspect
        return await act_step(spec, state, ctx, inspect)

    graph = Graph(WorkerState, budget=spec.budget, input_schema=WorkerInput, output_schema=WorkerOutput)
    graph.about = {"generate": spec, "act": spec}
    guards.draw(graph)
    graph.add_node("generate", generate_node, destinations=("act", guards.after_answer))
    again = ("act",) if any(tool.delegates for tool in spec.toolset.tools()) else ()
    graph.add_node("act", act_node, destinations=("generate", *again), metadata=badges(spec.rails))
    if not again:  # an agent that is called as a tool is a graph inside: LangGraph's own
        graph.straight = {"generate": generate_node, "act": act_node, **guards.straight()}
    return graph


async def generate_step(spec: WorkerSpec, state: WorkerState, ctx: RunContext[Any]) -> Goto:
    """Ask the model: on to `act` where it asks for tools, to the end where it answers."""
    recall = ThreadRecall(spec.history, state.get("history"))
    with in_budget(spec.budget, state, ctx) as spent:
        step = await _generate(spec, state, recall, ctx)
    return _with(step, {**recall.update(), **spent()})


def _with(step: Goto, more: dict[str, Any]) -> Goto:
    """The step, writing more into the state."""
    return Goto(step.goto, update={**(step.update or {}), **more}, because=step.because) if more else step


async def _generate(spec: WorkerSpec, state: WorkerState, recall: ThreadRecall, ctx: RunContext[Any]) -> Goto:
    messages, rounds = state["messages"], state.get("rounds", 0)
    if rounds >= spec.max_rounds:
        raise RunStopped(
            "loop",
            f"{spec.name} asked its model {rounds} times without coming to an answer",
            way_out=f"Raise Agent(max_rounds={spec.max_rounds}) if the work is that long.",
        )
    speaker = spec.speaker(ctx, recall)
    if spec.output is not None and not speaker.tools:
        data, said = await conclude(ctx, speaker, messages, spec.output)
        return Goto(END, update={"messages": said, "output": data}, because="the model answered")
    generation = await generate(ctx, speaker, messages)
    message = with_fresh_ids(generation.message, messages, recall.sent(messages))
    if calls := message.get("tool_calls"):
        asked = ", ".join(call["function"]["name"] for call in calls)
        update = {"messages": [message], "rounds": rounds + 1}
        return Goto("act", update=update, because=f"the model asked for {asked}")
    if spec.output is None:
        update = {"messages": [message], "output": text_of(message)}
        return Goto(END, update=update, because="the model answered")
    return await _typed_answer(spec.output, speaker, [*messages, message], message, ctx)


async def _typed_answer(
    kind: OutputType, speaker: Speaker, messages: list[Message], message: Message, ctx: RunContext[Any]
) -> Goto:
    """Take the text as data where it fits already; else have the model say it again as data."""
    try:
        update = {"messages": [message], "output": kind.read(text_of(message))}
    except ValueError:
        data, said = await conclude(ctx, speaker, messages, kind)
        update = {"messages": [message, *said], "output": data}
    return Goto(END, update=update, because="the model answered")


async def act_step(spec: WorkerSpec, state: WorkerState, ctx: RunContext[Any], inspect: Inspect | None) -> Goto:
    """Run tool calls that are open: back to `generate`, or to `act` where some are left.

    Where they have been run often enough, the model is told so instead. `inspect` are the rails of the agent and of
    those above it.
    """
    with in_budget(spec.budget, state, ctx) as spent:
        step = await _act(spec, state, ctx, inspect)
    return _with(step, spent())


async def _act(spec: WorkerSpec, state: WorkerState, ctx: RunContext[Any], inspect: Inspect | None) -> Goto:
    asked, tools = open_calls(state["messages"]), spec.toolset.tools()
    if told := notices(state["messages"], asked, agent=spec.name, most=spec.max_repeats):
        for call, message in zip(asked, told, strict=True):
            ctx.emit(ToolFinished(
                run_id=ctx.run_id, at=ctx.now(), agent=spec.name, call_id=call["id"], tool=call["function"]["name"],
                failed=True, result=text_of(message), duration_s=0.0, task_id=ctx.task_id,
            ))  # fmt: skip
        return Goto("generate", update={"messages": told}, because="the same calls gave the same results before")
    calls = _next_calls(asked, tools)
    if ctx.durable is not None:
        await ctx.durable()  # the calls are in a checkpoint that nothing takes away any more
    words = ctx.words or user_words(state["messages"])
    ctx = ctx.at(
        agent=spec.name, interrupt=ask, inspect=inspect, labelled=state["messages"], toolset=tools, words=words
    )
    results = await execute_tool_calls(calls, tools, ctx, max_parallel=spec.max_parallel_tools)
    failed = sum(result.failed for result in results)
    reason = f"{len(results)} tool result{'s' if len(results) > 1 else ''}"
    if failed:
        reason += f", {failed} of them failed"
    left = len(asked) - len(calls)
    if left:
        reason += f", {left} call{'s' if left > 1 else ''} left"
    update = {"messages": [result.message() for result in results]}
    return Goto("act" if left else "generate", update=update, because=reason)


def _next_calls(calls: Sequence[ToolCall], tools: Sequence[Tool]) -> list[ToolCall]:
    """The calls of this step: the first ones up to a delegation, or one delegation.

    An agent that is called as a tool may wait for a person, and its step starts over when the answer is in. No other
    call may stand in that step: it would run twice, and of two delegations one could get the other's answer, since
    LangGraph tells the graphs inside a step apart by the order in which they start.
    """
    delegating = {tool.name for tool in tools if tool.delegates}
    if calls[0]["function"]["name"] in delegating:
        return [calls[0]]
    return list(takewhile(lambda call: call["function"]["name"] not in delegating, calls))
