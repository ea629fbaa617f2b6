"""The map-reduce graph: a request in, one piece of work for each item of a list between, one answer out.

    split → map ⇉ … → gather → (map ⇉ … | reduce)

`split` makes the list. Items go out in waves of a bounded size, each by a `Send` of its own, so that a stop anywhere
loses the items under way and nothing else; within a wave a bounded number works at a time. `reduce` makes one answer of
what came back, failures among it.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.constants import END
from langgraph.types import Send

from segue.base.budget import Budget
from segue.base.errors import UserError
from segue.base.messages import Message, append, assistant
from segue.context.events import TaskFinished, TaskStarted
from segue.context.run import RunContext
from segue.graphs.graph import Graph
from segue.graphs.guarding import GuardNodes, at_output, inspector
from segue.graphs.running import with_context
from segue.graphs.steps import Goto, led
from segue.guards.rail import Rail

MapWork = Callable[[Any, RunnableConfig, RunContext[Any]], Awaitable[tuple[Any, bool]]]
"""`(item, config, ctx) -> (value, whether it failed)`."""


class ItemResult(TypedDict):
    """What came of one item."""

    index: int
    """Its place in the list, from 0."""
    failed: bool
    value: Any
    """What the worker gave; where it failed, why, as text."""


def gathered(left: list[ItemResult] | None, right: list[ItemResult] | None) -> list[ItemResult]:
    """The reducer of results: later ones behind the earlier ones; `None` starts over."""
    return [] if right is None else [*(left or ()), *right]


class MapState(TypedDict, total=False):
    """What a map-reduce checkpoint holds."""

    messages: Annotated[list[Message], append]
    items: list[Any]
    done: Annotated[list[ItemResult], gathered]
    """In the order in which they came; of an item that was tried again, each try."""
    wave: int
    output: Any
    blocked: str


class MapInput(TypedDict, total=False):
    """What a map-reduce graph takes."""

    messages: Annotated[list[Message], append]
    done: Annotated[list[ItemResult], gathered]
    wave: int
    blocked: str


class MapOutput(TypedDict, total=False):
    """What a map-reduce graph gives."""

    messages: Annotated[list[Message], append]
    output: Any
    blocked: str


class Item(TypedDict):
    """What is sent to one worker."""

    index: int
    item: Any
    wave: int


@dataclass(frozen=True, kw_only=True)
class MapSpec:
    """Everything that a map-reduce graph is drawn from."""

    name: str
    split: Callable[[Sequence[Message], RunContext[Any]], Awaitable[list[Any]]]
    work: MapWork
    reduce: Callable[[list[ItemResult], RunnableConfig, RunContext[Any]], Awaitable[tuple[Any, str]]]
    """Every item's last result in the order of the items in; the output, and its text for the conversation, out."""
    max_items: int
    max_attempts: int
    max_parallel: int
    wave: int
    rails: tuple[Rail, ...] = ()
    budget: Budget | None = None
    """The most that one invocation may spend, within what its run may."""


def mapreduce_graph(spec: MapSpec) -> Graph:
    """Draw the graph."""
    guards, shown = GuardNodes(spec.rails, spec.name, "split"), at_output(spec.rails)
    gates = _Gates(spec.max_parallel)

    async def split_node(state: MapState, ctx: RunContext[Any]) -> Goto:
        items = await spec.split(state["messages"], ctx.at(agent=spec.name))
        if len(items) > spec.max_items:
            raise UserError(
                f"{spec.name} made {len(items)} items, above its bound of {spec.max_items}.",
                way_out="Raise MapReduce(max_items=…), or split into fewer.",
            )
        return _send(spec, {**state, "items": items, "done": [], "wave": 0}, {"items": items})

    async def map_node(item: Item, config: RunnableConfig, ctx: RunContext[Any]) -> dict[str, Any]:
        inside = ctx.at(
            agent=spec.name,
            task_id=f"{spec.name}.{item['index']}",
            inspect=inspector(spec.rails, ctx.inspect),
            shows=(*ctx.shows, *shown),
        )
        async with gates.of(ctx):
            return {"done": [await _one(spec, item, with_context(config, inside), inside)]}

    async def gather_node(state: MapState) -> Goto:
        return _send(spec, state, {})

    async def reduce_node(state: MapState, config: RunnableConfig, ctx: RunContext[Any]) -> Goto:
        inside = guards.at(ctx)
        output, text = await spec.reduce(_last(state["done"]), with_context(config, inside), inside)
        update = {"output": output, "messages": [assistant(text, source=spec.name)]}
        return led(Goto(END, update=update, because="every item has its result"), END, guards.after_answer)

    graph = Graph(MapState, budget=spec.budget, input_schema=MapInput, output_schema=MapOutput)
    guards.draw(graph)
    graph.add_node("split", split_node, destinations=("map", "reduce"))
    graph.add_node("map", map_node)
    graph.add_edge("map", "gather")
    graph.add_node("gather", gather_node, destinations=("map", "reduce"))
    graph.add_node("reduce", reduce_node, destinations=(guards.after_answer,))
    return graph


def _send(spec: MapSpec, state: MapState, update: dict[str, Any]) -> Goto:
    """The next wave, or on to `reduce`."""
    items, wave = state["items"], state.get("wave", 0) + 1
    left = _left(len(items), state.get("done") or [], spec.max_attempts)
    if not left:
        return Goto("reduce", update=update, because=f"all {len(items)} items are done")
    now = left[: spec.wave]
    sends = [Send("map", {"index": index, "item": items[index], "wave": wave}) for index in now]
    return Goto(sends, update={**update, "wave": wave}, because=f"wave {wave}: {len(now)} of {len(left)} items left")


def _left(count: int, results: Sequence[ItemResult], max_attempts: int) -> list[int]:
    """The items that are to be worked on: those without a result, then those that failed and may be tried again."""
    failures: dict[int, int] = {}
    done = bytearray(count)
    for result in results:
        index = result["index"]
        failures[index] = failures.get(index, 0) + result["failed"]
        done[index] = not result["failed"] or failures[index] >= max_attempts
    fresh = [index for index in range(count) if not done[index] and index not in failures]
    return fresh + [index for index in sorted(failures) if not done[index]]


def _last(results: Sequence[ItemResult]) -> list[ItemResult]:
    last = {result["index"]: result for result in results}
    return [last[index] for index in sorted(last)]


async def _one(spec: MapSpec, item: Item, config: RunnableConfig, ctx: RunContext[Any]) -> ItemResult:
    at = {"run_id": ctx.run_id, "task_id": ctx.task_id, "worker": spec.name}
    ctx.emit(TaskStarted(at=ctx.now(), task=str(item["item"])[:200], wave=item["wave"], **at))
    value, failed = await spec.work(item["item"], config, ctx)
    ctx.emit(TaskFinished(at=ctx.now(), failed=failed, result=str(value)[:2000], **at))
    return {"index": item["index"], "failed": failed, "value": value}


class _Gates:
    """One semaphore for each run that is under way; gone with its last worker."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    def of(self, ctx: RunContext[Any]) -> asyncio.Semaphore:
        """The run's own."""
        gate = self._held.get(ctx.run_id)
        if gate is None:
            self._held[ctx.run_id] = gate = asyncio.Semaphore(self._size)
        return gate
