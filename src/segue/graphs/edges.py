"""Edges taken: what each node sent on goes in, one edge for each source of a task that starts comes out.

A node that finished leaves here where it went and why. When a task starts, LangGraph says what triggered it; the
entries left for it are the edges taken: one per incoming branch at a join, one per `Send`, one per `goto`. After a
restart the entries of the step before are gone; then the graph's own structure says where the task can have come from.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langgraph.constants import START
from xxhash import xxh3_64_intdigest

from segue.base.quick import quick

PUSH = "__pregel_push"
"""What LangGraph names as the trigger of a task that a `Send` started."""


_FORM = (1 << 63) - 1
_SIZED = (str, bytes, list, tuple, dict, set)


def branch_channel(target: str) -> str:
    """The channel of edges, conditions and gotos to a node, as LangGraph names it."""
    return f"branch:to:{target}"


def join_channel(sources: Sequence[str], target: str) -> str:
    """The channel of an edge that waits for several nodes, as LangGraph names it."""
    return f"join:{'+'.join(sources)}:{target}"


EdgeKind = Literal["static", "conditional", "goto", "send", "join", "start", "recovered"]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One way out of a node that finished."""

    source: str
    target: str
    kind: EdgeKind
    channel: str = ""
    """The channel of LangGraph's that it went by, which the task that it starts names as its trigger; empty where the
    departure was made up afterwards."""
    waits_for: int = 1
    """How many sources the channel waits for before a task starts: more than 1 at a join."""
    reason: str = ""
    value: str = ""
    """What the condition said, as text."""
    not_taken: tuple[str, ...] = ()
    """The branches that the condition could have said."""
    changed: dict[str, int] = field(default_factory=dict)
    """The state keys that the source wrote, with the size of each: items of a list, characters of a text."""


class EdgeLog:
    """The departures of one run that nothing has arrived by yet, per graph instance."""

    def __init__(self, *, resumed: bool = False) -> None:
        self._resumed = resumed
        self._first: dict[str, int] = {}
        self._waiting: dict[tuple[str, str, str], deque[Departure]] = defaultdict(deque)

    def leave(self, namespace: str, departure: Departure) -> None:
        """A node finished and went this way."""
        self._waiting[namespace, departure.target, departure.channel].append(departure)

    def arrive(self, namespace: str, node: str, triggers: tuple[str, ...]) -> list[Departure]:
        """A task starts: the departures that made it start. Empty where they are not known here."""
        if PUSH in triggers:
            waiting = self._waiting.get((namespace, node, PUSH))
            return [waiting.popleft()] if waiting else []
        keys = [(namespace, node, trigger) for trigger in triggers]  # all that could have started it, as LangGraph says
        return [departure for key in keys if self._complete(key) for departure in _branches(self._waiting.pop(key))]

    def _complete(self, key: tuple[str, str, str]) -> bool:
        waiting = self._waiting.get(key)
        return waiting is not None and len({departure.source for departure in waiting}) >= waiting[0].waits_for

    def begins(self, namespace: str, step: int) -> bool:
        """Whether this is the first super-step of a graph that started afresh: its tasks come from the start."""
        first = self._first.setdefault(namespace, step)
        return step <= 1 or (step == first and not self._resumed)


def _branches(waiting: Iterable[Departure]) -> list[Departure]:
    """At a join one for each source: one that came twice before the others had filled nothing by its second time."""
    first: dict[str, Departure] = {}
    return [
        departure
        for departure in waiting
        if departure.waits_for == 1 or first.setdefault(departure.source, departure) is departure
    ]


def edge_span_id(task_id: str, index: int) -> str:
    """The same for each delivery of the same task, so that a redelivered edge is not kept twice; see `new_span_id`."""
    return f"{xxh3_64_intdigest(f'{task_id}/{index}'.encode()) & _FORM | 0xA0000000:016x}"


def sizes(update: Any) -> dict[str, int]:
    """The keys of a state update with the size of each value."""
    if not isinstance(update, dict):
        return {}
    return {str(key): len(value) if isinstance(value, _SIZED) else 1 for key, value in update.items()}


def structural(target: str, edges: Iterable[tuple[str, str]], ends: Mapping[str, Sequence[str]]) -> str:
    """Where a task of this node can have come from, by the structure alone: one name, or several with `|` between."""
    sources = {source for source, end in edges if end == target}
    sources |= {source for source, targets in ends.items() if target in targets}
    return "|".join(sorted(sources)) or START
