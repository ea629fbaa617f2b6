"""Reading: rows in, checkpoints with their values out.

Each function that needs more rows is a generator: it yields what to ask of the database and is sent the answer, so that
the same code serves callers that are async and callers that are not.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from langgraph.checkpoint.base import WRITES_IDX_MAP, writes_sort_key

from segue.base.errors import StoreError
from segue.memory.database import Row, Statement
from segue.memory.savers import schema
from segue.memory.savers.live import Entry, Head, LiveList, Place
from segue.memory.savers.spans import triples
from segue.memory.savers.values import Codec
from segue.memory.sealing import Seal

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to the database: a statement, or several as a transaction."""

    statements: Sequence[Statement]
    together: bool = False


Steps = Generator[Ask, list[Any], _T]
"""Asks and is sent rows; with `together`, the rows of each statement."""


class Run(Protocol):
    """Lets a database answer each question of the steps, and gives back what they come to."""

    async def __call__(self, steps: Steps[_T]) -> _T:
        """What the steps come to."""
        ...


def ask(sql: str, *parameters: Any) -> Steps[list[Row]]:
    """The rows of one statement."""
    return (yield Ask([(sql, parameters)]))


def together(statements: Sequence[Statement]) -> Steps[list[list[Row]]]:
    """The rows of each statement of one transaction."""
    return (yield Ask(statements, together=True))


@dataclass(frozen=True, slots=True)
class Body:
    """A checkpoint's row, opened."""

    v: Any
    ts: Any
    versions: dict[str, Any]
    seen: Any
    updated: Any
    entries: dict[str, Entry]
    rest: dict[str, Any]
    metadata: dict[str, Any]

    def checkpoint(self, checkpoint_id: str, values: dict[str, Any]) -> dict[str, Any]:
        """The checkpoint as LangGraph knows it."""
        return {
            "v": self.v,
            "ts": self.ts,
            "id": checkpoint_id,
            "channel_values": values,
            "channel_versions": self.versions,
            "versions_seen": self.seen,
            "updated_channels": self.updated,
            **self.rest,
        }


@dataclass(slots=True, eq=False)
class _Run:
    """A contiguous part of a lineage, decoded."""

    start: int
    elements: list[Any]
    ends: set[int]
    """Where its segments end."""
    size: int


@dataclass(slots=True, eq=False)
class Reader:
    """Opens rows of one tenant's threads; what it decoded once is shared among the checkpoints that it reads."""

    codec: Codec
    seal: Seal
    segments: schema.Segments
    _runs: dict[int, _Run] = field(default_factory=dict)

    def body(self, place: Place, checkpoint_id: str, parent: str | None, row: bytes) -> Body:
        """A checkpoint's row, opened."""
        data = self.seal.open(row, "checkpoint", *place, checkpoint_id, parent or "")
        with _undamaged(f"checkpoint {checkpoint_id!r}", place):
            return Body(*self.codec.unpack(data))

    def values(self, place: Place, body: Body) -> Steps[tuple[dict[str, Any], dict[str, LiveList], dict[str, bytes]]]:
        """Every channel's value; the lists and the large pieces as a head keeps them."""
        values: dict[str, Any] = {}
        lists: dict[str, LiveList] = {}
        pieces: dict[str, bytes] = {}
        for channel, entry in body.entries.items():
            if isinstance(entry, int):
                pieces[channel] = yield from self._piece(place, entry)
                values[channel] = self.codec.load(pieces[channel])
            elif isinstance(entry, list) and entry[0] != "text":
                lists[channel] = yield from self.elements(place, entry)
                values[channel] = lists[channel].values()
            else:
                values[channel] = yield from self.value(place, entry)
        return values, lists, pieces

    def value(self, place: Place, entry: Entry) -> Steps[Any]:
        """One channel's value."""
        if isinstance(entry, bytes):
            return self.codec.load(entry)
        if isinstance(entry, int):
            return self.codec.load((yield from self._piece(place, entry)))
        if entry[0] == "text":
            return (yield from self._text(place, entry))
        return (yield from self.elements(place, entry)).values()

    def elements(self, place: Place, spans: Sequence[int]) -> Steps[LiveList]:
        """A list by its spans.

        Raises:
            StoreError: A part of it is gone.
        """
        found: list[Any] = []
        size, ends = 0, False
        for lineage, start, stop in triples(spans):
            run = yield from self._run(place, lineage, start, stop)
            found += run.elements[start - run.start : stop - run.start]
            size += run.size * (stop - start) // max(len(run.elements), 1)
            ends = stop in run.ends
        return LiveList(found, len(found), [*spans], ends, size)

    def writes(self, place: Place, checkpoint_id: str, rows: Sequence[Row]) -> Steps[list[tuple[str, str, Any]]]:
        """The writes pending on a checkpoint, in LangGraph's order; of a task's repeated ones the first counts."""
        found: dict[tuple[str, int], tuple[str, str, Any]] = {}
        for _, task, path, row in rows:
            data = self.seal.open(row, "writes", *place, checkpoint_id, task, path)
            with _undamaged(f"writes of task {task!r} on checkpoint {checkpoint_id!r}", place):
                writes = [(channel, held) for channel, held in self.codec.unpack(data)]
            for at, (channel, held) in enumerate(writes):
                index = WRITES_IDX_MAP.get(channel, at)
                if index >= 0 and (task, index) in found:
                    continue
                found[task, index] = (path, channel, (yield from self.written(place, held)))
        order = sorted(found, key=lambda key: writes_sort_key(found[key][0], *key))
        return [(key[0], found[key][1], found[key][2]) for key in order]

    def written(self, place: Place, held: Any) -> Steps[Any]:
        """A written value: see `Draft.task`."""
        if isinstance(held, bytes):
            return self.codec.load(held)
        if isinstance(held, int):
            return self.codec.load((yield from self._piece(place, held)))
        if held and held[0] == "text":
            return (yield from self._text(place, held))
        if held and isinstance(held[0], int):
            return (yield from self._element(place, *held))
        out = []
        for element in held:
            if isinstance(element, bytes):
                out += self.codec.load_elements(b"\x91" + element)
            else:
                out.append((yield from self._element(place, *element)))
        return out

    def _element(self, place: Place, lineage: int, at: int) -> Steps[Any]:
        run = yield from self._run(place, lineage, at, at + 1)
        return run.elements[at - run.start]

    def _text(self, place: Place, entry: Sequence[Any]) -> Steps[str]:
        _, lineage, at, key = entry
        element = yield from self._element(place, lineage, at)
        return str(element[key])

    def _piece(self, place: Place, lineage: int) -> Steps[bytes]:
        rows = yield from ask(self.segments.read, lineage, 1, lineage, 0)
        if not rows:
            raise _missing(place, lineage, 0, 1)
        return self.seal.open(rows[0][1], "segment", *place[:2], str(lineage), "0")

    def _run(self, place: Place, lineage: int, start: int, stop: int) -> Steps[_Run]:
        run = self._runs.get(lineage)
        if run is not None:
            end = run.start + len(run.elements)
            if run.start <= start and stop <= end:
                return run
            start, stop = min(start, run.start), max(stop, end)
        rows = yield from ask(self.segments.read, lineage, stop, lineage, start)
        run = self._decoded(place, lineage, rows)
        if run.start > start or run.start + len(run.elements) < stop:
            raise _missing(place, lineage, start, stop)
        self._runs[lineage] = run
        return run

    def _decoded(self, place: Place, lineage: int, rows: Sequence[Row]) -> _Run:
        elements: list[Any] = []
        ends: set[int] = set()
        first = at = rows[0][0] if rows else 0
        size = 0
        for pos, row in rows:
            if pos != at:
                raise _missing(place, lineage, at, pos)
            data = self.seal.open(row, "segment", *place[:2], str(lineage), str(pos))
            with _undamaged(f"segment {pos} of lineage {lineage}", place):
                elements += self.codec.load_elements(data)
            size += len(data)
            at = first + len(elements)
            ends.add(at)
        return _Run(first, elements, ends, size)


def head_of(
    thread: int, checkpoint_id: str, row: bytes, body: Body, codec: Codec, lists: dict[str, LiveList] | None = None
) -> Head:
    """What a put needs to know of this checkpoint as its parent."""
    return Head(thread, checkpoint_id, dict(body.versions), dict(body.entries), bytes(row), lists or {}, codec=codec)


@contextmanager
def _undamaged(what: str, place: Place) -> Iterator[None]:
    """Tell by its name what cannot be decoded; with a key such a row was refused before."""
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError) as error:
        told = StoreError(
            f"the {what} of thread {place[1]!r} of tenant {place[0]!r} is damaged: {error}.",
            way_out="Bring back a copy, or go on from another checkpoint.",
        )
        told.retryable = False
        raise told from error


def _missing(place: Place, lineage: int, start: int, stop: int) -> StoreError:
    tenant, thread, _ = place
    error = StoreError(
        f"thread {thread!r} of tenant {tenant!r} lacks elements {start} to {stop} of lineage {lineage}: "
        "rows were taken out of the database.",
        way_out="Bring back a copy, or go on from an older checkpoint.",
    )
    error.retryable = False
    return error
