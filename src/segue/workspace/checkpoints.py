"""Checkpoints of a thread: LangGraph's snapshots in, what a person needs to choose one out; and two compared.

Nothing here writes. Forking is in `travel`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from segue.base.errors import BadInput
from segue.base.messages import Message
from segue.context.decisions import InterruptRequest
from segue.context.effects import Effect
from segue.graphs.edges import sizes
from segue.workspace.resuming import BRANCH, RUN_ID, requests_of


@dataclass(frozen=True, kw_only=True)
class CheckpointInfo:
    """One checkpoint of a thread, without its state."""

    id: str
    parent_id: str
    """Empty for the first of a thread."""
    run_id: str
    """The run that wrote it; empty where none of ours did."""
    branch: str
    """The branch that it lies on; empty for the one that the thread began with."""
    step: int
    """The super-step, from -1 for an input."""
    source: str
    """What made it: `input`, `loop` for a super-step, `update` or `fork`."""
    next: tuple[str, ...]
    """The nodes that run next; empty where nothing is left to do."""
    at: float
    """Seconds since 1970."""
    changed: dict[str, int] = field(default_factory=dict)
    """The state keys that differ from the parent, with the size of each: items of a list, characters of a text."""
    waiting: tuple[InterruptRequest, ...] = ()
    """What a person was asked there."""


@dataclass(frozen=True, kw_only=True)
class StateAt:
    """The state of a thread at one checkpoint."""

    info: CheckpointInfo
    values: dict[str, Any]
    """By key, as the graph's nodes read it."""

    @property
    def messages(self) -> list[Message]:
        """The conversation, oldest first; empty where the graph keeps none."""
        return list(self.values.get("messages") or ())


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two checkpoints of a thread, side by side."""

    left: CheckpointInfo
    right: CheckpointInfo
    ancestor: CheckpointInfo | None
    """The last checkpoint that both come from; `None` where they have none in common."""
    differing: dict[str, tuple[Any, Any]]
    """The state keys whose values differ, with both values; a key that one of them lacks has `None` there."""
    messages: tuple[list[Message], list[Message]]
    """The messages of each that the other does not have, in order."""
    effects: tuple[list[Effect], list[Effect]]
    """What the runs after the common ancestor did to the world, each side's."""


async def snapshots(graph: Any, place: Mapping[str, Any], thread_id: str) -> list[Any]:
    """The thread's snapshots, newest first.

    Raises:
        BadInput: It has none.
    """
    found = [snapshot async for snapshot in graph.aget_state_history(place)]
    if not found:
        raise BadInput(f"thread {thread_id!r} has no checkpoints here", way_out="See `segue threads`, or ws.threads().")
    return found


def described(found: list[Any]) -> list[CheckpointInfo]:
    """What there is to tell of each snapshot of a thread, in the same order."""
    by_id = {id_of(each): each for each in found}
    branches: dict[str, str] = {}
    out = []
    for each in reversed(found):
        parent = parent_of(each)
        own = (each.metadata or {}).get(BRANCH, "")
        branches[id_of(each)] = branch = own or branches.get(parent, "")
        out.append(_info(each, by_id.get(parent), branch))
    return out[::-1]


def _info(snapshot: Any, parent: Any, branch: str) -> CheckpointInfo:
    metadata = snapshot.metadata or {}
    run_id = metadata.get(RUN_ID, "")
    asked = [InterruptRequest(**each) for raised in snapshot.interrupts for each in requests_of(raised, run_id)]
    before = parent.values if parent is not None else {}
    return CheckpointInfo(
        id=id_of(snapshot),
        parent_id=parent_of(snapshot),
        run_id=run_id,
        branch=branch,
        step=int(metadata.get("step", 0)),
        source=str(metadata.get("source", "")),
        next=tuple(snapshot.next),
        at=datetime.fromisoformat(snapshot.created_at).timestamp() if snapshot.created_at else 0.0,
        changed=sizes({key: value for key, value in snapshot.values.items() if not _same(before, key, value)}),
        waiting=tuple(asked),
    )


def _same(before: Mapping[str, Any], key: str, value: Any) -> bool:
    return key in before and (before[key] is value or before[key] == value)


def compared(left: StateAt, right: StateAt, infos: Mapping[str, CheckpointInfo]) -> Compared:
    """Two states of a thread side by side, their effects left out."""
    keys = sorted(left.values.keys() | right.values.keys())
    pairs = {key: (left.values.get(key), right.values.get(key)) for key in keys}
    return Compared(
        left=left.info,
        right=right.info,
        ancestor=_common(left.info, right.info, infos),
        differing={key: pair for key, pair in pairs.items() if pair[0] != pair[1]},
        messages=(_only(left.messages, right.messages), _only(right.messages, left.messages)),
        effects=([], []),
    )


def runs_since(info: CheckpointInfo, ancestor: CheckpointInfo | None, infos: Mapping[str, CheckpointInfo]) -> list[str]:
    """The ids of the runs that wrote the checkpoints from the ancestor, without it, to this one; oldest first."""
    found: dict[str, None] = {}
    for each in line(info, infos):
        if ancestor is not None and each.id == ancestor.id:
            break
        if each.run_id:
            found.setdefault(each.run_id)
    return list(found)[::-1]


def line(info: CheckpointInfo, infos: Mapping[str, CheckpointInfo]) -> list[CheckpointInfo]:
    """A checkpoint and all that it comes from, newest first."""
    out = [info]
    while (parent := infos.get(out[-1].parent_id)) is not None:
        out.append(parent)
    return out


def _common(left: CheckpointInfo, right: CheckpointInfo, infos: Mapping[str, CheckpointInfo]) -> CheckpointInfo | None:
    before = {each.id for each in line(left, infos)}
    return next((each for each in line(right, infos) if each.id in before), None)


def _only(messages: list[Message], others: list[Message]) -> list[Message]:
    """Those that the others do not hold; one that was edited and kept its id is another."""
    known = {_said(each) for each in others}
    return [each for each in messages if _said(each) not in known]


def _said(message: Message) -> str:
    return f"{message.get('id') or message} {message.get('content')} {message.get('tool_calls')}"


def id_of(snapshot: Any) -> str:
    """The id of a snapshot's checkpoint."""
    return str(snapshot.config["configurable"]["checkpoint_id"])


def parent_of(snapshot: Any) -> str:
    """The id of the checkpoint before it; empty for the first."""
    held = snapshot.parent_config
    return str(held["configurable"].get("checkpoint_id", "")) if held else ""


async def namespaces(saver: Any, place: Mapping[str, Any], checkpoint_id: str) -> AsyncIterator[str]:
    """The namespaces, of graphs inside the thread's graph, that hold a checkpoint of this id."""
    async for held in saver.alist({"configurable": {"thread_id": place["configurable"]["thread_id"]}}):
        found = held.config["configurable"]
        if found["checkpoint_id"] == checkpoint_id and found.get("checkpoint_ns"):
            yield str(found["checkpoint_ns"])


__all__ = ["CheckpointInfo", "Compared", "StateAt", "compared", "described", "runs_since", "snapshots"]
