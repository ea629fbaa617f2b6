"""Carrying: a thread of an older version in, a new checkpoint of it for the graph as it is now out.

History stays as it was: the migrated state is a checkpoint of its own behind the newest one. What lies with the old
one goes with it: work that has finished, questions that wait and their answers, graphs inside that are under way. The
new checkpoint is written last, so a crash before it leaves the thread as it was, and the next load begins again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from langgraph.channels import DeltaChannel
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.types import _DeltaSnapshot
from langgraph.constants import START
from langgraph.pregel._checkpoint import achannels_from_checkpoint
from langgraph.types import Interrupt

from segue.base.messages import open_calls
from segue.graphs.checkpoint_ids import new_checkpoint_id
from segue.graphs.migration import MigrationFailed, Step, chain, changed
from segue.graphs.naming import Level, Names
from segue.graphs.origins import PLACES, before, places_of
from segue.graphs.specs import WorkerSpec
from segue.graphs.stored import (
    BRANCH,
    ERROR,
    INTERRUPT,
    JOIN,
    NULL_TASK,
    SENDS,
    Stored,
    interrupt_id,
    is_state,
)
from segue.graphs.versions import STAMP, read_stamp, stamp_of


@dataclass(frozen=True)
class Put:
    """One checkpoint to be written, with the writes that lie with it."""

    namespace: str
    parent: str | None
    checkpoint: Any
    metadata: Any
    versions: Mapping[str, Any]
    """Of the channels whose values are new."""
    writes: Sequence[tuple[str, str, Any]]


@dataclass
class Carried:
    """A thread's migration, worked out."""

    steps: tuple[Step, ...]
    puts: list[Put] = field(default_factory=list)
    """Graphs inside first, the thread's own last."""
    places: dict[str, str] = field(default_factory=dict)
    """By the namespace of a task, the one that it had when it began."""
    interrupts: dict[str, str] = field(default_factory=dict)
    """Ids of questions as they were, to those as they are now."""
    saver: Any = None
    """Holds the copy, where it was made for looking only."""


async def stored_at(saver: Any, config: Any) -> Stored | None:
    """The newest checkpoint of a thread, or of a graph inside; `None` where there is none."""
    tup = await saver.aget_tuple(config)
    namespace = (config.get("configurable") or {}).get("checkpoint_ns", "")
    return None if tup is None else Stored(tup, namespace)


async def inner_stored(saver: Any, held: Stored, name: str, task: str) -> list[Stored]:
    """The checkpoints of the graphs inside a task, in the order in which it called them."""
    found: list[Stored] = []
    thread = held.tup.config["configurable"]["thread_id"]
    while True:
        namespace = held.inner(name, task) + (f"|{len(found)}" if found else "")
        each = await stored_at(saver, {"configurable": {"thread_id": thread, "checkpoint_ns": namespace}})
        if each is None:
            return found
        found.append(each)


def inner_graphs(graph: Any, name: str, held: Stored) -> list[Any]:
    """The graphs that a node holds, as far as one can see: an agent that another one calls as a tool counts."""
    found = [each for each in graph.nodes[name].subgraphs if hasattr(each, "builder")]
    spec = (getattr(graph.builder, "about", None) or {}).get(name)
    if found or not isinstance(spec, WorkerSpec):
        return found
    called = [call["function"]["name"] for call in open_calls(held.state.get("messages") or [])]
    tools = {tool.name: tool for tool in spec.toolset.tools() if tool.delegates}
    for each in (tools[one] for one in called if one in tools):
        cells = [cell.cell_contents for cell in getattr(each.fn, "__closure__", None) or ()]
        found += [agent.graph for agent in cells if hasattr(agent, "graph") and hasattr(agent, "fresh_input")]
    return found


async def migrate(graph: Any, config: Any) -> Carried | None:
    """Migrate a thread to the graph's version, where it was written by an older one.

    Args:
        graph: A compiled graph with its checkpointer.
        config: LangGraph's, with the thread's id.

    Returns:
        What was done; `None` where there was nothing to do.

    Raises:
        MigrationFailed: A function raised, or gave what the graph has no channel for; the thread is as it was.
        UserError: The migrations start at the thread's version and do not lead to the graph's.
    """
    carried = await _carried(graph, config)
    if carried is None:
        return None
    thread = config["configurable"]["thread_id"]
    for put in carried.puts:
        await _write(graph.checkpointer, thread, put)
    return carried


async def migrated_copy(graph: Any, config: Any) -> Carried | None:
    """The same into a saver of its own, `carried.saver`; the thread is not touched."""
    carried = await _carried(graph, config)
    if carried is None:
        return None
    carried.saver = InMemorySaver(serde=graph.checkpointer.serde)
    thread = config["configurable"]["thread_id"]
    for put in carried.puts:
        await _write(carried.saver, thread, replace(put, parent=None, versions=put.checkpoint["channel_versions"]))
    return carried


async def _write(saver: Any, thread: str, put: Put) -> None:
    """The writes first: once the checkpoint is there, all of it is."""
    at = {"thread_id": thread, "checkpoint_ns": put.namespace}
    held = {"configurable": {**at, "checkpoint_id": put.checkpoint["id"]}}
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task, channel, value in put.writes:
        by_task.setdefault(task, []).append((channel, value))
    for task, writes in by_task.items():
        await saver.aput_writes(held, writes, task)
    before = {"configurable": at if put.parent is None else {**at, "checkpoint_id": put.parent}}
    await saver.aput(before, put.checkpoint, put.metadata, put.versions)


async def _carried(graph: Any, config: Any) -> Carried | None:
    migrations = getattr(getattr(graph, "builder", None), "migrations", None)
    if not migrations:
        return None
    at = {"configurable": {"thread_id": config["configurable"]["thread_id"], "checkpoint_ns": ""}}
    held = await stored_at(graph.checkpointer, at)
    if held is None:
        return None
    version, _ = read_stamp(str(held.tup.metadata.get(STAMP) or ""))
    steps = chain(migrations, version, graph.builder.version)
    if not steps:
        return None
    carried = Carried(tuple(steps))
    await _Carrier(graph.checkpointer, carried).carry(graph, held, Level(tuple(steps)), "", {})
    root, earlier = carried.puts[-1], places_of(held.tup.metadata)
    places = {place: before(earlier, was) for place, was in carried.places.items()}
    metadata = {**root.metadata, STAMP: stamp_of(graph), PLACES: orjson.dumps(places).decode()}
    carried.puts[-1] = replace(root, metadata=metadata)
    return carried


class _Carrier:
    """Works out the checkpoints of one thread, level by level."""

    def __init__(self, saver: Any, carried: Carried) -> None:
        self._saver = saver
        self._carried = carried

    async def carry(self, graph: Any, held: Stored, level: Level, namespace: str, parents: Mapping[str, str]) -> None:
        """Put the new checkpoint of this graph behind those of the graphs inside."""
        names = Names(graph, level)
        checkpoint = await self._checkpoint(graph, held, level, names)
        same_place = namespace == held.namespace
        metadata = {**held.tup.metadata, "parents": dict(parents)}
        if same_place:
            metadata |= {"source": "update", "step": held.step}
        tup = CheckpointTuple(held.tup.config, cast(Any, checkpoint), cast(Any, metadata), None, None)
        new = Stored(tup, namespace)
        tasks = names.tasks(held, new)
        for old, (old_name, now, now_name) in tasks.items():
            was, place = held.inner(old_name, old), new.inner(now_name, now)
            self._carried.interrupts[interrupt_id(was)] = interrupt_id(place)
            if old in held.writes or await inner_stored(self._saver, held, old_name, old):
                self._carried.places[place] = was
            await self._inside(graph, held, level, (old, old_name), place, now_name, {
                **parents, namespace: checkpoint["id"],
            })  # fmt: skip
        before = held.tup.checkpoint
        versions = {
            name: version
            for name, version in checkpoint["channel_versions"].items()
            if not same_place or before["channel_versions"].get(name) != version
        }
        parent = before["id"] if same_place else None
        writes = self._writes(held, names, {old: now for old, (_, now, _) in tasks.items()})
        self._carried.puts.append(Put(namespace, parent, checkpoint, metadata, versions, writes))

    async def _inside(
        self,
        graph: Any,
        held: Stored,
        level: Level,
        task: tuple[str, str],
        namespace: str,
        name: str,
        parents: Mapping[str, str],
    ) -> None:
        old, old_name = task
        graphs = inner_graphs(graph, name, held)
        if not graphs:
            return
        for index, inner in enumerate(await inner_stored(self._saver, held, old_name, old)):
            place = namespace + (f"|{index}" if index else "")
            within = graphs[min(index, len(graphs) - 1)]
            await self.carry(within, inner, level.inside(old_name), place, parents)

    async def _checkpoint(self, graph: Any, held: Stored, level: Level, names: Names) -> dict[str, Any]:
        old = held.tup.checkpoint
        values, versions = dict(old["channel_values"]), dict(old["channel_versions"])
        fresh = self._saver.get_next_version(max(versions.values(), default=None), None)
        await self._whole(graph, held, values, versions, fresh)
        state = {name: value for name, value in values.items() if is_state(name)}
        thread = held.tup.config["configurable"]["thread_id"]
        made = _through(level, state, thread) if state else {}
        if isinstance(start := values.get(START), dict):
            values[START] = _input(level, state, made, start, thread)
            versions[START] = fresh
        _take(graph, values, versions, state, made, fresh, thread)
        values, versions = names.channels(values), names.versions(versions)
        for name, value in values.items():
            if not is_state(name) and name not in old["channel_versions"]:
                values[name] = names.value(name, value)
        if SENDS in values:
            values[SENDS], versions[SENDS] = [names.sent(each) for each in values[SENDS]], fresh
        for name in list(values):
            if name.startswith((JOIN, BRANCH)):
                again = names.value(name, values[name])
                if again != values[name]:
                    values[name], versions[name] = again, fresh
        return {
            **old,
            "id": new_checkpoint_id(held.step),
            "ts": datetime.now(UTC).isoformat(),
            "channel_values": values,
            "channel_versions": versions,
            "versions_seen": names.seen(old["versions_seen"]),
            "updated_channels": None,
        }

    async def _whole(
        self, graph: Any, held: Stored, values: dict[str, Any], versions: dict[str, Any], fresh: Any
    ) -> None:
        """Channels that are stored by what was added to them, as they stand."""
        delta = {name: spec for name, spec in graph.channels.items() if isinstance(spec, DeltaChannel)}
        delta = {name: spec for name, spec in delta.items() if name in versions and name not in values}
        if not delta:
            return
        found, _ = await achannels_from_checkpoint(
            delta, held.tup.checkpoint, saver=self._saver, config=held.tup.config
        )
        for name, channel in found.items():
            values[name], versions[name] = _DeltaSnapshot(channel.get()), fresh

    def _writes(self, held: Stored, names: Names, tasks: Mapping[str, str]) -> list[tuple[str, str, Any]]:
        out: list[tuple[str, str, Any]] = []
        for task, channel, value in held.tup.pending_writes or ():
            now = NULL_TASK if task == NULL_TASK else tasks.get(task)
            if now is None:
                if channel in (ERROR, "__error_source_node__"):
                    continue
                raise MigrationFailed(
                    f"the work of a task ({channel}) belongs to no node of the new graph.",
                    way_out="Name the node in renames={'old': 'new'}, or let the run end before the change.",
                )
            out.append((now, names.channel(channel), self._value(names, channel, value)))
        return out

    def _value(self, names: Names, channel: str, value: Any) -> Any:
        if channel == INTERRUPT:
            return [self._interrupt(each) for each in (value if isinstance(value, list | tuple) else [value])]
        if channel == SENDS:
            return names.sent(value)
        return names.renamed(value) if channel.startswith(JOIN) and isinstance(value, str) else value

    def _interrupt(self, each: Interrupt[Any]) -> Interrupt[Any]:
        return Interrupt(value=each.value, id=self._carried.interrupts.get(each.id, each.id))


def _through(level: Level, state: Mapping[str, Any], thread: str) -> dict[str, Any]:
    """The state after every step."""
    at = copy.deepcopy(dict(state))
    for step in level.steps:
        at = changed(step, at, thread)
    return at


def _input(
    level: Level, state: Mapping[str, Any], made: Mapping[str, Any], start: Mapping[str, Any], thread: str
) -> dict[str, Any]:
    """Input that no node has read yet: what the migration makes of the state with it, less that without."""
    both = _through(level, {**state, **start}, thread)
    return {name: value for name, value in both.items() if name not in made or not same_value(made[name], value)}


def _take(
    graph: Any,
    values: dict[str, Any],
    versions: dict[str, Any],
    state: Mapping[str, Any],
    made: Mapping[str, Any],
    fresh: Any,
    thread: str,
) -> None:
    """Put the migrated state in the place of the old one."""
    if unknown := sorted(name for name in made if name not in graph.channels):
        raise MigrationFailed(
            f"thread {thread}: the migrations give {unknown[0]!r}, which is no channel of the graph; it has "
            f"{', '.join(sorted(filter(is_state, graph.channels)))}."
        )
    for name in state.keys() - made.keys():
        del values[name]
        versions.pop(name, None)
    for name, value in made.items():
        if name not in state or not same_value(state[name], value):
            values[name], versions[name] = value, fresh


def same_value(left: Any, right: Any) -> bool:
    """Whether two values of a channel are equal and of one type."""
    try:
        return type(left) is type(right) and bool(left == right)
    except Exception:
        return False


__all__ = [
    "Carried", "Put", "inner_graphs", "inner_stored", "migrate", "migrated_copy", "same_value", "stored_at",
]  # fmt: skip
