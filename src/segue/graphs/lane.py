"""Lanes: a graph whose tasks come one after the other in, its run out, without a scheduler for tasks side by side.

In the graph of an agent each step is one node, which says itself where to go. LangGraph plans such a step as it plans a
thousand tasks, and that costs more than the node. A lane runs the same nodes over the same channels, under the same
task ids, and writes the checkpoints that LangGraph would have written: either goes on from what the other left. It
takes plain starts only; answers of people, forks and threads that were left in the middle are LangGraph's.
"""

from __future__ import annotations

from asyncio import sleep
from binascii import unhexlify
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from typing import Any, NamedTuple

from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.context import _tracing_v2_is_enabled
from langgraph.channels.binop import BinaryOperatorAggregate
from langgraph.channels.ephemeral_value import EphemeralValue
from langgraph.channels.last_value import LastValue
from langgraph.constants import END, START
from langgraph.errors import GraphBubbleUp, GraphDrained, GraphInterrupt, GraphRecursionError
from xxhash import xxh3_128_hexdigest

from segue.context.run import RunContext
from segue.graphs.asking import ask
from segue.graphs.edges import Departure, branch_channel, edge_span_id, sizes
from segue.graphs.nodes import record_edge
from segue.graphs.riding import ERROR, INTERRUPT, Notes, Ride, task_config
from segue.graphs.steps import Goto

_PULL = "__pregel_pull"
_INSIDE = "__pregel_read"
MOST_STEPS = 10_007
"""LangGraph's own bound, where a config names none."""
Straight = Callable[[Any, RunContext[Any]], Awaitable[Goto]]
"""A node of a lane: the state and the run's context in, where to go out."""


class Outcome(NamedTuple):
    """What a run came to, as LangGraph's `ainvoke` gives it."""

    value: dict[str, Any]
    interrupts: tuple[Any, ...]


class Lane:
    """The way of one compiled graph from its start to its end."""

    def __init__(self, graph: Any, entry: str, nodes: Mapping[str, Straight]) -> None:
        self.graph = graph
        self.entry = entry
        self._nodes = dict(nodes)
        self._reads = {name: tuple(graph.nodes[name].channels) for name in nodes}
        self._ends = {name: tuple(graph.builder.nodes[name].ends or ()) for name in nodes}
        self._branches = {name: branch_channel(name) for name in nodes}
        self._writers = {name: (self._branches[name],) for name in nodes}
        self._others = {
            (name, target): tuple(each for each in ends if each != target)
            for name, ends in self._ends.items()
            for target in ends
        }
        self._named = {name: (name.encode(), f"{name}{_PULL}{self._branches[name]}".encode()) for name in nodes}

    async def run(
        self,
        given: dict[str, Any],
        config: Any,
        ctx: RunContext[Any],
        *,
        control: Any = None,
        notes: Notes | None = None,
        fresh: bool = False,
    ) -> Outcome | None:
        """Run from a plain start to the end, or to where a person is asked.

        Args:
            given: The graph's input.
            config: The thread, and the metadata that each checkpoint is stamped with.
            ctx: The run's context, inside the span that the nodes' spans hang under.
            control: LangGraph's `RunControl`, which may ask the run to stop before its next step.
            notes: What the run notes, to be stored with its checkpoints.
            fresh: The thread is known to have no checkpoint.

        Returns:
            `None` where the thread was left in the middle: nothing was done, and LangGraph has to go on with it.
        """
        saver = self.graph.checkpointer or None
        saved = None if fresh or saver is None else await saver.aget_tuple(config)
        ride = Ride.on(self.graph, saver, saved, config, ctx, notes)
        if ride is None:
            return None
        await sleep(0)  # others' turn; and whoever cancels a run that has not begun finds it so
        with ride.stage or nullcontext():
            try:
                await ride.begin(given, self.entry)
                interrupts = await self._go(ride, ctx, control, config.get("recursion_limit") or MOST_STEPS)
            except BaseException:
                await ride.leave()
                raise
            await ride.durable()
            if fresh and ride.stage is not None:
                ride.stage.let_go(ride.id)
        return Outcome(ride.values(self.graph.output_channels), interrupts)

    async def _go(self, ride: Ride, ctx: RunContext[Any], control: Any, limit: int) -> tuple[Any, ...]:
        last = ride.step - 1 + limit
        node, came = self.entry, Departure(source=START, target=self.entry, kind="start")
        while True:
            if ride.step > last:  # LangGraph looks before it knows that nothing is left to do
                raise GraphRecursionError(f"recursion limit of {limit} reached without coming to the end")
            if node == END:
                return ()
            if control is not None and control.drain_requested:
                raise GraphDrained(control.drain_reason)
            try:
                node, came = await self._step(ride, ctx, node, came)
            except GraphInterrupt as interrupt:
                asked = tuple(interrupt.args[0]) if interrupt.args else ()
                await ride.left_word([(INTERRUPT, list(asked))] if asked else [])
                return asked
            except GraphBubbleUp:
                raise
            except Exception as error:
                await ride.left_word([(ERROR, error)])
                raise

    def _task_id(self, checkpoint_id: str, node: str, step: int) -> str:
        """The id that LangGraph gives to the task of this node at this checkpoint."""
        before, behind = self._named[node]
        digest = xxh3_128_hexdigest(unhexlify(checkpoint_id.replace("-", "")) + before + b"%d" % step + behind)
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"

    async def _step(self, ride: Ride, ctx: RunContext[Any], node: str, came: Departure) -> tuple[str, Departure]:
        trigger, step = self._branches[node], ride.step
        task_id = self._task_id(ride.id, node, step)
        ride.task = (task_id, node)
        record_edge(came, ctx, task_id, edge_span_id(task_id, 0), step)
        span = ctx.services.tracer.start(
            "node", node, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id, parent_id=ctx.span_id
        )
        span.attributes["segue.step"] = step
        if ctx.agent:
            span.attributes["segue.agent"] = ctx.agent
        place = f"{node}:{task_id}"
        with span:
            inside = ctx.at(span_id=span.span_id, place=place, interrupt=ask, durable=ride.durable)
            token = var_child_runnable_config.set(task_config(ride, inside, place, self._writers[node]))
            try:
                came_to = await self._nodes[node](ride.values(self._reads[node]), inside)
            finally:
                var_child_runnable_config.reset(token)
            update: dict[str, Any] = came_to.update or {}
            changed = sizes(update)
            if changed:
                span.attributes["segue.changed"] = changed
        target = str(came_to.goto)
        await ride.step_to(node, trigger, update, self._branches.get(target))
        others = self._others.get((node, target))
        if others is None:
            others = self._ends[node]
        return target, Departure(
            source=node, target=target, kind="goto", reason=came_to.because, not_taken=others, changed=changed
        )


def may_ride(graph: Any, given: Any, config: Any) -> bool:
    """Whether this is a plain start of a graph on its own, of which nobody wants to see more than what comes of it."""
    saver, held = graph.checkpointer, (config or {}).get("configurable") or {}
    around = (var_child_runnable_config.get() or {}).get("configurable") or {}
    kept = saver is None or (hasattr(saver, "stage") and "thread_id" in held)
    return (
        isinstance(given, dict)
        and kept
        and "checkpoint_id" not in held
        and not held.get("checkpoint_ns")
        and not (config or {}).get("callbacks")
        and _INSIDE not in held
        and _INSIDE not in around
        and graph.config is None
        and not _tracing_v2_is_enabled()
    )


def lane_of(graph: Any) -> Lane | None:
    """The lane of a compiled graph; `None` where its tasks may stand side by side, or LangGraph is asked for more."""
    held = graph.__dict__.get("_segue_lane", _UNKNOWN)
    if held is _UNKNOWN:
        held = graph.__dict__["_segue_lane"] = _lane_of(graph)
    return held  # type: ignore[no-any-return]


_UNKNOWN = object()


def _lane_of(graph: Any) -> Lane | None:
    builder = graph.builder
    nodes: dict[str, Straight] = getattr(builder, "straight", {})
    entries = [target for source, target in builder.edges if source == START]
    plain = (
        nodes.keys() == builder.nodes.keys()
        and len(entries) == 1
        and len(builder.edges) == 1
        and not builder.branches.get(START)
        and not any(builder.branches.values())
        and not builder.waiting_edges
        and not builder.timeouts
        and not graph.interrupt_before_nodes
        and not graph.interrupt_after_nodes
        and graph.store is None
        and graph.cache is None
    )
    if not plain or not all(_is_plain(name, spec) for name, spec in graph.channels.items()):
        return None
    if any(isinstance(graph.nodes[name].channels, str) or graph.nodes[name].mapper is not None for name in nodes):
        return None
    return Lane(graph, entries[0], nodes)


def _is_plain(name: str, spec: Any) -> bool:
    if name.startswith("__") and name != START:
        return True  # what `Send` goes by, which no node of a lane uses
    return type(spec) in (LastValue, BinaryOperatorAggregate, EphemeralValue)
