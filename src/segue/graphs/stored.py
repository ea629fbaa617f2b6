"""Stored: a checkpoint as LangGraph keeps it, read for what it says: state, what is next, what was sent, who waits.

Task ids are worked out as LangGraph works them out, so that a write that lies with a checkpoint can be told to the
node that made it, in the graph as it was and as it is.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple
from langgraph.constants import START
from langgraph.types import Send
from xxhash import xxh3_128_hexdigest

BRANCH = "branch:to:"
JOIN = "join:"
SENDS = "__pregel_tasks"
PULL, PUSH = "__pregel_pull", "__pregel_push"
INTERRUPT, RESUME, ERROR = "__interrupt__", "__resume__", "__error__"
NULL_TASK = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Join:
    """A join that some of its sources have arrived at."""

    channel: str
    sources: tuple[str, ...]
    target: str
    seen: frozenset[str]

    def __str__(self) -> str:
        return f"join {'+'.join(self.sources)} → {self.target}"


@dataclass(frozen=True)
class Stored:
    """One checkpoint with the writes that lie with it."""

    tup: CheckpointTuple
    namespace: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """By channel, LangGraph's own included."""
        return self.tup.checkpoint["channel_values"]

    @property
    def versions(self) -> Mapping[str, Any]:
        """By channel."""
        return self.tup.checkpoint["channel_versions"]

    @property
    def step(self) -> int:
        """The super-step that comes next."""
        return int(self.tup.metadata.get("step", -1)) + 1

    @cached_property
    def state(self) -> dict[str, Any]:
        """The channels of the graph's state."""
        return {name: value for name, value in self.values.items() if is_state(name)}

    @cached_property
    def branches(self) -> dict[str, Any]:
        """By node: what stands in the channel that leads to it, which makes it run."""
        return {name.removeprefix(BRANCH): value for name, value in self.values.items() if name.startswith(BRANCH)}

    @cached_property
    def sends(self) -> list[Send]:
        """Work that was sent, in its order."""
        return [each for each in self.values.get(SENDS) or () if isinstance(each, Send)]

    @cached_property
    def joins(self) -> list[Join]:
        """Joins that at least one source has arrived at, and that have not let anything through yet."""
        return [join for name, value in self.values.items() if (join := join_of(name, value)) and join.seen]

    @cached_property
    def writes(self) -> dict[str, list[tuple[str, Any]]]:
        """Writes of the step that is under way, by task; those of input left out."""
        found: dict[str, list[tuple[str, Any]]] = {}
        for task, channel, value in self.tup.pending_writes or ():
            if task != NULL_TASK:
                found.setdefault(task, []).append((channel, value))
        return found

    @cached_property
    def outputs(self) -> dict[str, list[tuple[str, Any]]]:
        """What tasks wrote that have finished, by task."""
        control = (INTERRUPT, RESUME, ERROR, "__error_source_node__", "__scheduled__")
        out = {task: [each for each in held if each[0] not in control] for task, held in self.writes.items()}
        return {task: held for task, held in out.items() if held}

    @cached_property
    def waiting(self) -> frozenset[str]:
        """Tasks that asked a person."""
        held = self.writes.items()
        return frozenset(task for task, writes in held if any(channel == INTERRUPT for channel, _ in writes))

    def pull_id(self, name: str, triggers: Sequence[str]) -> str:
        """The id of the task that a channel's write starts."""
        return self._task_id(name, PULL, *sorted(triggers))

    def push_id(self, name: str, index: int) -> str:
        """The id of the task that the n-th piece of work that was sent starts."""
        return self._task_id(name, PUSH, str(index))

    def _task_id(self, name: str, *parts: str) -> str:
        return task_id(self.tup.checkpoint["id"], self.namespace, self.step, name, *parts)

    def inner(self, name: str, task: str) -> str:
        """The namespace of the first graph inside a task; further ones have `|1`, `|2` behind it."""
        return namespace_of(self.namespace, name, task)

    def likely_ids(self, name: str, triggers: Sequence[str]) -> Iterator[str]:
        """The ids that a task of this node may have, were other edges to lead to it."""
        yield self.pull_id(name, triggers)
        yield self.pull_id(name, [BRANCH + name])
        joins = [each for each in self.versions if each.startswith(JOIN) and each.rpartition(":")[2] == name]
        yield self.pull_id(name, [BRANCH + name, *joins])


def task_id(checkpoint_id: str, namespace: str, step: int, name: str, *parts: str) -> str:
    """A task's id, as `langgraph.pregel._algo.prepare_single_task` has it."""
    ns = f"{namespace}|{name}" if namespace else name
    head = binascii.unhexlify(checkpoint_id.replace("-", ""))
    digest = xxh3_128_hexdigest(head + "".join((ns, str(step), name, *parts)).encode())
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))


def namespace_of(parent: str, name: str, task: str) -> str:
    """The namespace of a task's own checkpoints."""
    return f"{parent}|{name}:{task}" if parent else f"{name}:{task}"


def interrupt_id(namespace: str) -> str:
    """The id of what a task asked, as LangGraph has it."""
    return xxh3_128_hexdigest(namespace.encode())


def join_of(channel: str, value: Any) -> Join | None:
    """The join that a channel stands for, with who has arrived; `None` for other channels."""
    if not channel.startswith(JOIN):
        return None
    sources, _, target = channel.removeprefix(JOIN).rpartition(":")
    seen = value[0] if isinstance(value, list | tuple) and value and not isinstance(value[0], str) else value
    return Join(channel, tuple(sources.split("+")), target, frozenset(seen or ()))


def is_state(channel: str) -> bool:
    """Whether a channel is the state's own, not LangGraph's."""
    return channel == "__root__" or not channel.startswith((BRANCH, JOIN, "__"))


def is_empty(value: Any) -> bool:
    """Whether nothing is lost with it."""
    return value is None or (isinstance(value, str | bytes | list | tuple | dict | set | frozenset) and not value)


__all__ = [
    "BRANCH", "ERROR", "INTERRUPT", "JOIN", "NULL_TASK", "RESUME", "SENDS", "START", "Join", "Stored", "interrupt_id",
    "is_empty", "is_state", "join_of", "namespace_of", "task_id",
]  # fmt: skip
