"""A ride: what one run on a lane holds of its thread, and the checkpoints that it writes on its way.

The channels are LangGraph's own, as are the versions, the ids and the order in which things are written: what is stored
is what LangGraph's loop would have stored, but for the writes of a task that finished, which its checkpoint holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, Self

from langgraph._internal._scratchpad import PregelScratchpad
from langgraph._internal._typing import MISSING
from langgraph.checkpoint.base import get_checkpoint_metadata
from langgraph.constants import START
from langgraph.pregel._algo import LazyAtomicCounter, PregelTaskWrites, local_read, task_path_str
from langgraph.pregel._checkpoint import LATEST_VERSION

from segue.base.errors import StoreError
from segue.context.run import RunContext
from segue.graphs.checkpoint_ids import new_checkpoint_id, now_text
from segue.graphs.edges import EdgeLog, branch_channel
from segue.graphs.running import EDGES, KEY
from segue.tracing.spans import new_span_id

ERROR, INTERRUPT = "__error__", "__interrupt__"
_INPUT = "__input__"
_PULL = "__pregel_pull"
_SENDS = "__pregel_tasks"
_BRANCH = branch_channel("")


class Notes(Protocol):
    """What a run notes between its checkpoints."""

    def take_along(self) -> None:
        """From now on they are stored with checkpoints."""
        ...

    def take(self) -> bytes:
        """What was noted since the last checkpoint; empty where nothing was."""
        ...


class Ride:
    """One run on its way."""

    __slots__ = (
        "_base", "_metadata", "_newest", "_notes", "_seen", "_versions", "channels", "config", "ctx", "id", "inputs",
        "log", "saver", "stage", "step", "task",
    )  # fmt: skip

    def __init__(
        self, graph: Any, saver: Any, saved: Any, config: Any, ctx: RunContext[Any], notes: Notes | None
    ) -> None:
        specs, self.inputs = _shape(graph)
        held: Mapping[str, Any] = saved.checkpoint["channel_values"] if saved is not None else {}
        self.channels = {
            name: spec.from_checkpoint(held[name]) if name in held else spec.copy() for name, spec in specs.items()
        }
        self._versions: dict[str, int] = dict(saved.checkpoint["channel_versions"]) if saved is not None else {}
        seen = saved.checkpoint["versions_seen"] if saved is not None else {}
        self._seen: dict[str, dict[str, int]] = {name: dict(versions) for name, versions in seen.items()}
        self.saver = saver
        self.config = config
        self.ctx = ctx
        self.log = (config.get("configurable") or {}).get(EDGES) or EdgeLog()
        self.step: int = (saved.metadata["step"] if saved is not None else -2) + 1
        self.id: str = saved.checkpoint["id"] if saved is not None else ""
        """Of the newest checkpoint."""
        self.task = ("", "")
        """The id and the node of the task that runs."""
        self._metadata = dict(get_checkpoint_metadata(config, {"source": "loop", "step": 0, "parents": {}}))
        self._notes = notes if saver is not None else None
        if self._notes is not None:
            self._notes.take_along()
        self._newest = max(self._versions.values(), default=0)
        self._base = new_span_id()
        self.stage = None if saver is None else saver.stage(config, before=self._decided)

    @classmethod
    def on(
        cls, graph: Any, saver: Any, saved: Any, config: Any, ctx: RunContext[Any], notes: Notes | None
    ) -> Self | None:
        """A ride on a thread that is new or was brought to an end; `None` for one that was left in the middle."""
        if saved is not None:
            held = saved.checkpoint["channel_values"]
            if saved.pending_writes or any(name.startswith(_BRANCH) or name in (START, _SENDS) for name in held):
                return None
        return cls(graph, saver, saved, config, ctx, notes)

    async def begin(self, given: dict[str, Any], entry: str) -> None:
        """Take the input in, as LangGraph does: a checkpoint that holds it, and one in whose channels it is."""
        self._seen = {_INPUT: {}, **self._seen}
        self._versions[START] = self._next()
        await self._put("input", {START: given}, [START], {START: self._versions[START]})
        writes = {name: value for name, value in given.items() if name in self.inputs}
        await self.step_to(START, START, writes, branch_channel(entry))

    async def step_to(self, node: str, trigger: str, update: Mapping[str, Any], onward: str | None) -> None:
        """A task is done: its update into the channels, a checkpoint out. `onward` is the next task's trigger."""
        versions = self._versions
        self._seen = {**self._seen, node: {**self._seen.get(node, {}), trigger: versions[trigger]}}
        version, updated = self._next(), []
        for name, value in update.items():
            channel = self.channels.get(name)
            if channel is not None and channel.update((value,)):
                versions[name] = version
                updated.append(name)
        if onward is not None:
            versions[onward] = version
            updated.append(onward)
        fresh = dict.fromkeys(updated, version)
        if trigger != onward:
            versions[trigger] = fresh[trigger] = version  # it is empty again
        await self._put("loop", {onward: None} if onward is not None else {}, updated, fresh)

    def values(self, names: Iterable[str]) -> dict[str, Any]:
        """The values of those channels that have one."""
        channels = self.channels
        return {name: channels[name].value for name in names if channels[name].value is not MISSING}

    async def durable(self) -> None:
        """Until every checkpoint of this run is durable, and before them what was decided otherwise than by an allow.

        Raises:
            StoreError: They cannot be written.
        """
        if self.stage is not None:
            await self.stage.durable()
        else:
            await self._decided()

    async def leave(self) -> None:
        """The run broke off: keep what can be kept of it."""
        with suppress(StoreError):
            await self.durable()

    async def left_word(self, writes: Sequence[tuple[str, Any]]) -> None:
        """What the task leaves that did not finish: a question, or what it raised."""
        if self.saver is None or not writes:
            return
        await self.durable()
        task_id, node = self.task
        at = {**self.config["configurable"], "checkpoint_ns": "", "checkpoint_id": self.id}
        await self.saver.aput_writes({"configurable": at}, writes, task_id, task_path_str((_PULL, node)))

    async def _decided(self) -> None:
        """What held or changed anything is written down before a checkpoint builds on it: `AuditLog.settle_soon`."""
        if (audit := self.ctx.services.audit) is not None:
            await audit.settle_soon()

    def _next(self) -> int:
        self._newest += 1
        return self._newest

    async def _put(self, source: str, passing: Mapping[str, Any], updated: list[str], fresh: dict[str, int]) -> None:
        step, parent, versions = self.step, self.id, dict(self._versions)
        self.step = step + 1
        if self.stage is None:  # nobody sees the id; tasks are told apart by it
            self.id = f"{self._base}{step + 2:016x}"
            return
        self.id = new_checkpoint_id(step)
        values = {
            name: channel.value
            for name, channel in self.channels.items()
            if channel.value is not MISSING and name in versions
        }
        checkpoint = {
            "v": LATEST_VERSION,
            "ts": now_text(),
            "id": self.id,
            "channel_values": {**values, **passing},
            "channel_versions": versions,
            "versions_seen": self._seen,
            "updated_channels": sorted(updated),
        }
        metadata = {**self._metadata, "source": source, "step": step}
        note = b"" if self._notes is None else self._notes.take()
        await self.stage.put(parent or None, checkpoint, metadata, fresh, (self.ctx.run_id, note))


def _shape(graph: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The channels that hold values, and the names of the input: the same for each run of a graph."""
    found: tuple[dict[str, Any], frozenset[str]] | None = graph.__dict__.get("_segue_shape")
    if found is None:
        specs = {name: spec for name, spec in graph.channels.items() if not name.startswith(("__", _BRANCH))}
        inputs = frozenset(graph.builder.schemas[graph.builder.input_schema])
        found = graph.__dict__["_segue_shape"] = specs, inputs
    return found


def _nothing(consume: bool = False) -> None:
    """A plain start has no answer to go on with."""


def task_config(ride: Ride, ctx: RunContext[Any], place: str, triggers: tuple[str, ...]) -> Any:
    """What code inside a task finds as its config: what LangGraph would have put there."""
    task_id, node = ride.task
    writes: list[tuple[str, Any]] = []
    pad = PregelScratchpad(
        step=ride.step, stop=ride.step, call_counter=LazyAtomicCounter(), interrupt_counter=LazyAtomicCounter(),
        get_null_resume=_nothing, resume=[], subgraph_counter=LazyAtomicCounter(),
    )  # fmt: skip
    read = partial(local_read, pad, ride.channels, {}, PregelTaskWrites((_PULL, node), node, writes, triggers))
    return {
        "configurable": {
            **(ride.config.get("configurable") or {}),
            "thread_id": ctx.thread_id,
            KEY: ctx,
            EDGES: ride.log,
            "__pregel_task_id": task_id,
            "__pregel_send": writes.extend,
            "__pregel_read": read,
            "__pregel_checkpointer": ride.saver,
            "__pregel_scratchpad": pad,
            "checkpoint_map": {"": ride.id},
            "checkpoint_id": None,
            "checkpoint_ns": place,
        },
        "metadata": {"langgraph_step": ride.step, "langgraph_node": node, "langgraph_checkpoint_ns": place},
        "recursion_limit": 100_000,
    }
