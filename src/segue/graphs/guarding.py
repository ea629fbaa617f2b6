"""Guard nodes: where rails stand in a graph, and what their verdicts do to a run.

At input, plan and output they are nodes of their own; rails on tool calls and results are lent to `act` as
`ctx.inspect`. Allow goes on, rewrite goes on with the new text, ask waits for a person, block ends the run: what was
blocked is taken out of the conversation, so that the thread can take a next turn.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langgraph.constants import END, START
from langgraph.types import Overwrite

from segue.base.errors import BadInput
from segue.base.messages import Message, text_of
from segue.context.decisions import Allow, Approve, Ask, Block, Decision, InterruptRequest, Reject, Rewrite
from segue.context.events import TextAdded, TextReset
from segue.context.questions import request_id
from segue.context.run import Inspect, Inspected, RunContext
from segue.graphs.asking import ask
from segue.graphs.graph import Graph
from segue.graphs.plan import PlanInvalid, Task, read_plan
from segue.graphs.steps import Goto
from segue.guards.judging import judge
from segue.guards.rail import Place, Rail, Subject, text_of_value
from segue.guards.streaming import readable

WITHHELD = "[withheld]"
"""Stands in the conversation where an answer was blocked."""


def standing(rails: Sequence[Rail], *places: Place) -> bool:
    """Whether any of the rails stands at one of these places."""
    return any(place in rail.places for rail in rails for place in places)


def at_output(rails: Sequence[Rail]) -> tuple[Rail, ...]:
    """Those that stand at the output."""
    return tuple(rail for rail in rails if "output" in rail.places)


def badges(rails: Sequence[Rail]) -> dict[str, Any] | None:
    """What the drawn graph says of the rails inside `act`."""
    found = {
        place.replace("_", " "): ", ".join(rail.name for rail in rails if place in rail.places)
        for place in ("tool_call", "tool_result")
        if standing(rails, place)
    }
    return {f"rails on {place}s": names for place, names in found.items()} or None


class GuardNodes:
    """The guard nodes of one graph: which there are, and where they lead."""

    def __init__(self, rails: Sequence[Rail], name: str, entry: str, *, prefix: str = "") -> None:
        self.rails = rails
        self._at_output = at_output(rails)
        self.name = name
        self.entry = entry
        self.before_entry = f"{prefix}guard_input" if standing(rails, "input") else entry
        self.after_plan = "guard_plan" if standing(rails, "plan") else "dispatch"
        self.after_answer = f"{prefix}guard_output" if standing(rails, "output") else END

    def at(self, ctx: RunContext[Any]) -> RunContext[Any]:
        """The context of a node that generates: what it says is shown as the rails at the output want it."""
        return ctx.at(agent=self.name, shows=(*ctx.shows, *self._at_output))

    def draw(self, graph: Graph) -> None:
        """Add the nodes for input and output, and the edge from the start."""
        graph.add_edge(START, self.before_entry)
        self.draw_nodes(graph)

    def draw_nodes(self, graph: Graph) -> None:
        """Add the nodes for input and output, where rails stand there."""
        if self.before_entry != self.entry:
            graph.add_node(self.before_entry, self._input, destinations=(self.entry, END), metadata=self.badge("input"))
        if self.after_answer != END:
            graph.add_node(self.after_answer, self._output, destinations=(END,), metadata=self.badge("output"))

    def straight(self) -> dict[str, Any]:
        """By node, the functions of those that were drawn."""
        nodes = {self.before_entry: self._input, self.after_answer: self._output}
        return {name: function for name, function in nodes.items() if name not in (self.entry, END)}

    async def _input(self, state: dict[str, Any], ctx: RunContext[Any]) -> Goto:
        return await guard_input(self.rails, state["messages"], ctx.at(agent=self.name), self.entry)

    async def _output(self, state: dict[str, Any], ctx: RunContext[Any]) -> Goto:
        shown = tuple(result["text"] for result in (state.get("results") or {}).values())
        return await guard_output(self.rails, state["messages"], state.get("output"), ctx.at(agent=self.name), shown)

    def badge(self, place: Place) -> dict[str, Any]:
        """What the drawn graph says of the rails of one node."""
        return {"rails": ", ".join(rail.name for rail in self.rails if place in rail.places)}


def inspector(rails: Sequence[Rail], above: Inspect | None) -> Inspect | None:
    """Rails on tool calls and results as the port that tools are given; those of the team come first."""
    if not standing(rails, "tool_call", "tool_result"):
        return above

    async def inspect(ctx: RunContext[Any], place: Any, text: str, value: Any, tool: str, effect: str) -> Inspected:
        if above is None:
            subject = Subject(place=place, text=text, value=value, tool=tool, agent=ctx.agent, effect=effect)
            own = await judge(rails, subject, ctx)
            return Inspected(own.verdict, own.text, own.value)
        first = await above(ctx, place, text, value, tool, effect)
        if isinstance(first.verdict, Block):
            return first
        subject = Subject(place=place, text=first.text, value=first.value, tool=tool, agent=ctx.agent, effect=effect)
        own = await judge(rails, subject, ctx)
        keeps = isinstance(own.verdict, Allow) or (isinstance(first.verdict, Ask) and isinstance(own.verdict, Rewrite))
        return Inspected(first.verdict if keeps else own.verdict, own.text, own.value)

    return inspect


async def guard_input(rails: Sequence[Rail], messages: list[Message], ctx: RunContext[Any], onward: str) -> Goto:
    """Judge what the person said last, before a model reads it."""
    first, end = _said_last(messages)
    kept, reasons = [], []
    for message in messages[first:end]:
        verdict, rewritten = await _judged(rails, message, ctx)
        if isinstance(verdict, Ask):
            verdict = _answered(verdict, "input", ctx)
        if isinstance(verdict, Block):
            update = {"messages": Overwrite(messages[:first]), "blocked": verdict.reason}
            return Goto(END, update=update, because=f"the input was blocked: {verdict.reason}")
        if rewritten is not message:
            reasons.append(verdict.reason)
        kept.append(rewritten)
    if not reasons:
        return Goto(onward, because="the rails allow the input")
    update = {"messages": Overwrite([*messages[:first], *kept, *messages[end:]])}
    return Goto(onward, update=update, because=f"the input was rewritten: {'; '.join(reasons)}")


async def guard_output(
    rails: Sequence[Rail], messages: list[Message], output: Any, ctx: RunContext[Any], shown: tuple[str, ...] = ()
) -> Goto:
    """Judge the answer, before anybody sees it; `shown` are the texts of workers."""
    shown += tuple(text_of(message) for message in messages if message["role"] == "tool")
    text = output if isinstance(output, str) else text_of_value(output)
    value = None if isinstance(output, str) else output
    judgement = await judge(rails, Subject(place="output", text=text, value=value, agent=ctx.agent, shown=shown), ctx)
    verdict = judgement.verdict
    if isinstance(verdict, Ask):
        verdict = _answered(verdict, "output", ctx)
    if isinstance(verdict, Block):
        await _show(ctx, "")
        update = {"messages": _said_instead(messages, WITHHELD), "output": None, "blocked": verdict.reason}
        return Goto(END, update=update, because=f"the answer was blocked: {verdict.reason}")
    await _show(ctx, judgement.text)
    if judgement.text == text and judgement.value == value:
        return Goto(END, because="the rails allow the answer")
    final = judgement.text if value is None else judgement.value
    update = {"messages": _said_instead(messages, judgement.text), "output": final}
    return Goto(END, update=update, because=f"the answer was rewritten: {verdict.reason}")


async def guard_plan(
    rails: Sequence[Rail], plan: list[Task], done: dict[str, bool], workers: Sequence[str], ctx: RunContext[Any]
) -> Goto:
    """Judge a plan, before any of its tasks is sent; a rewritten one must hold together as any other."""
    text = "\n".join(f"{task['id']} ({task['worker']}): {task['task']}" for task in plan)
    judgement = await judge(rails, Subject(place="plan", text=text, value=plan, agent=ctx.agent), ctx)
    verdict = judgement.verdict
    if isinstance(verdict, Ask):
        verdict = _answered(verdict, "plan", ctx)
    changed = not isinstance(verdict, Block) and judgement.value != plan
    if changed:
        try:
            plan = read_plan(json.dumps({"tasks": judgement.value}), workers, done, max_tasks=len(plan))
        except PlanInvalid as error:
            verdict = Block(f"a rail rewrote the plan to one that does not hold together: {error}")
    if isinstance(verdict, Block):
        return Goto(
            END, update={"plan": [], "blocked": verdict.reason}, because=f"the plan was blocked: {verdict.reason}"
        )
    if changed:
        return Goto("dispatch", update={"plan": plan}, because=f"the plan was rewritten: {verdict.reason}")
    return Goto("dispatch", because="the rails allow the plan")


def _said_last(messages: Sequence[Message]) -> tuple[int, int]:
    """Where the last messages of the person begin and end; behind them stands what agents did before a handoff."""
    end = len(messages)
    while end and messages[end - 1]["role"] != "user":
        end -= 1
    first = end
    while first and messages[first - 1]["role"] == "user":
        first -= 1
    return first, end


async def _judged(rails: Sequence[Rail], message: Message, ctx: RunContext[Any]) -> tuple[Decision, Message]:
    """The verdict over a message, and the message as the rails want it."""
    content = message.get("content")
    if not isinstance(content, list):
        judgement = await judge(rails, Subject(place="input", text=text_of(message), agent=ctx.agent), ctx)
        if isinstance(judgement.verdict, Block) or judgement.text == text_of(message):
            return judgement.verdict, message
        return judgement.verdict, {**message, "content": judgement.text}
    parts: list[dict[str, Any]] = []
    held: Decision = Allow()
    for part in content:
        if part.get("type") != "text":
            parts.append(part)
            continue
        subject = Subject(place="input", text=part.get("text") or "", agent=ctx.agent)
        judgement = await judge(rails, subject, ctx)
        if isinstance(judgement.verdict, Block):
            return judgement.verdict, message
        if isinstance(judgement.verdict, Ask) or isinstance(held, Allow):
            held = judgement.verdict
        parts.append({**part, "text": judgement.text})
    return held, {**message, "content": parts} if parts != content else message


def _answered(verdict: Ask, place: str, ctx: RunContext[Any]) -> Decision:
    """What a person makes of an ask."""
    request = InterruptRequest(
        id=request_id(ctx, place, ctx.agent, ctx.task_id),
        kind="approval",
        question=f"May the {place} of {ctx.agent} pass?",
        reason=verdict.reason,
        agent=ctx.agent,
    )
    match ask([request])[request.id]:
        case Approve(by=by):
            return Allow(f"a person let it pass{f' ({by})' if by else ''}: {verdict.reason}", verdict.rule)
        case Reject(reason=reason):
            return Block(f"a person said no{f': {reason}' if reason else ''}", verdict.rule)
        case other:
            raise BadInput(f"a guard's question is answered by Approve or Reject, not {type(other).__name__}")


def _said_instead(messages: list[Message], text: str) -> Any:
    """The conversation with other words in its last answer."""
    if not messages or messages[-1]["role"] != "assistant":
        return []
    return Overwrite([*messages[:-1], {**messages[-1], "content": text}])


async def _show(ctx: RunContext[Any], text: str) -> None:
    """See that this is what is shown of the answer, as those around it want it; what was shown already may be it."""
    told = ctx.told.pop(ctx.task_id, "")
    if ctx.quiet:
        return
    text = await readable(ctx.shows, text, ctx)
    at: dict[str, Any] = {"run_id": ctx.run_id, "at": ctx.now(), "agent": ctx.agent, "task_id": ctx.task_id}
    if told and told != text:
        ctx.emit(TextReset(reason="the rails want it otherwise", **at))
    if text and told != text:
        ctx.emit(TextAdded(text=text, **at))
