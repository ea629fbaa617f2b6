"""The refining graph: a request in, an answer that somebody looked at out, in a bounded number of rounds.

    write ⇄ review

`write` has the writer make a draft, with what was said about the one before. `review` judges it. It ends with the
first draft that is accepted, or with the best one when the rounds are used up; the edge's reason says which.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.constants import END

from segue.base.budget import Budget
from segue.base.errors import RunStopped
from segue.base.labels import Labels
from segue.base.messages import Message, append, assistant, enter
from segue.context.run import RunContext
from segue.graphs.graph import Graph
from segue.graphs.guarding import GuardNodes, inspector
from segue.graphs.running import with_context
from segue.graphs.steps import Goto, led
from segue.guards.rail import Rail


class Draft(TypedDict):
    """One draft and what was said about it."""

    text: str
    output: Any
    """The draft as data, where the writer's answers are typed; else its text."""
    accepted: bool
    feedback: str
    score: float | None


class RefineState(TypedDict, total=False):
    """What a refining checkpoint holds."""

    messages: Annotated[list[Message], append]
    drafts: list[Draft]
    output: Any
    accepted: bool
    """Whether the answer was accepted; it is the best of the drafts where none was."""
    blocked: str


class RefineInput(TypedDict, total=False):
    """What a refining graph takes."""

    messages: Annotated[list[Message], append]
    drafts: list[Draft]
    blocked: str


class RefineOutput(TypedDict, total=False):
    """What a refining graph gives."""

    messages: Annotated[list[Message], append]
    output: Any
    accepted: bool
    blocked: str


@dataclass(frozen=True, kw_only=True)
class RefineSpec:
    """Everything that a refining graph is drawn from."""

    name: str
    write: Callable[[list[Message], RunnableConfig, RunContext[Any]], Awaitable[tuple[Any, str]]]
    """The conversation in; the draft as output and as text out."""
    review: Callable[
        [str, Sequence[Message], RunnableConfig, RunContext[Any]], Awaitable[tuple[bool, str, float | None]]
    ]
    """A draft and the conversation in; accepted, feedback and score out."""
    max_rounds: int
    best_effort: bool
    rails: tuple[Rail, ...] = ()
    budget: Budget | None = None
    """The most that one invocation may spend, within what its run may."""


def refine_graph(spec: RefineSpec) -> Graph:
    """Draw the graph."""
    guards = GuardNodes(spec.rails, spec.name, "write")

    def inside(config: RunnableConfig, ctx: RunContext[Any]) -> tuple[RunnableConfig, RunContext[Any]]:
        # Drafts are not shown while they come: only one of them is the answer.
        ctx = ctx.at(agent=spec.name, quiet=True, inspect=inspector(spec.rails, ctx.inspect))
        return with_context(config, ctx), ctx

    async def write_node(state: RefineState, config: RunnableConfig, ctx: RunContext[Any]) -> Goto:
        drafts = state.get("drafts") or []
        output, text = await spec.write([*state["messages"], *_talk(spec.name, drafts)], *inside(config, ctx))
        draft: Draft = {"text": text, "output": output, "accepted": False, "feedback": "", "score": None}
        return Goto("review", update={"drafts": [*drafts, draft]}, because=f"draft {len(drafts) + 1} is written")

    async def review_node(state: RefineState, config: RunnableConfig, ctx: RunContext[Any]) -> Goto:
        *before, draft = state["drafts"]
        accepted, feedback, score = await spec.review(draft["text"], state["messages"], *inside(config, ctx))
        drafts = [*before, {**draft, "accepted": accepted, "feedback": feedback, "score": score}]
        return led(_next(spec, drafts), END, guards.after_answer)

    graph = Graph(RefineState, budget=spec.budget, input_schema=RefineInput, output_schema=RefineOutput)
    guards.draw(graph)
    graph.add_node("write", write_node, destinations=("review",))
    graph.add_node("review", review_node, destinations=("write", guards.after_answer))
    return graph


def _next(spec: RefineSpec, drafts: list[Any]) -> Goto:
    """Write again, or end with the draft that stands."""
    last = drafts[-1]
    if last["accepted"]:
        return _end(drafts, last, f"draft {len(drafts)} was accepted")
    if len(drafts) < spec.max_rounds:
        return Goto("write", update={"drafts": drafts}, because=f"draft {len(drafts)} was not accepted")
    if not spec.best_effort:
        raise RunStopped(
            "loop",
            f"{spec.name} wrote {len(drafts)} drafts and none was accepted; the last was told: {last['feedback']}",
            way_out=f"Raise Refine(max_rounds={spec.max_rounds}), or take the best draft: on_exhausted='best'.",
        )
    best = max(reversed(drafts), key=lambda draft: draft["score"] if draft["score"] is not None else float("-inf"))
    return _end(drafts, best, f"none of {len(drafts)} drafts was accepted: the best one stands")


def _end(drafts: list[Any], chosen: Any, why: str) -> Goto:
    update = {
        "drafts": drafts,
        "output": chosen["output"],
        "accepted": chosen["accepted"],
        "messages": [assistant(chosen["text"])],
    }
    return Goto(END, update=update, because=why)


def _talk(name: str, drafts: Sequence[Draft]) -> list[Message]:
    """The last draft and what was said about it, as the writer reads them."""
    if not drafts:
        return []
    labels = Labels(integrity="tool", kind="feedback", source=name).to_dict()
    told = f"That was not accepted yet: {drafts[-1]['feedback']}\n\nGive the whole improved answer, and nothing else."
    return [assistant(drafts[-1]["text"]), enter({"role": "user", "content": told, "labels": labels})]
