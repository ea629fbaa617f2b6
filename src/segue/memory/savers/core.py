"""The core of the savers: what LangGraph asks of a checkpointer, for one tenant, as steps over a database.

Each operation is a generator of questions to the database (`reading.Ask`); the saver runs it, async or not. Nothing
here waits, and nothing here knows which database answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from langgraph.checkpoint.base import CheckpointTuple

from segue.base.errors import BadInput, StoreError
from segue.memory.database import Clash, Statement
from segue.memory.savers import schema
from segue.memory.savers.draft import Draft, Task, digests
from segue.memory.savers.live import Head, LiveCache, LiveList, Place
from segue.memory.savers.reading import Body, Reader, Steps, ask, head_of, together
from segue.memory.savers.values import Codec
from segue.memory.sealing import Seal

Note = tuple[str, bytes]
"""A run's id, and what it notes; empty where it notes nothing."""
_BLOCK = 64
_NONE_FREE = (0, 0)
_TRIES = 6
_PAGE = 50
_THREADS = 2_000
"""Threads whose numbers are remembered."""


@dataclass(eq=False)
class Shared:
    """What all views of one database share."""

    seal: Seal
    segments: schema.Segments
    cache: LiveCache
    verify: bool = False
    threads: dict[tuple[str, str], int] = field(default_factory=dict)
    _free: dict[str, tuple[int, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, name: str, count: int) -> Steps[None]:
        """Make sure that `count` numbers can be had without asking."""
        while True:
            if self.has(name, count):
                return
            size = max(_BLOCK, 2 * count)
            rows = yield from ask(schema.RESERVE, size, name)
            with self._lock:
                self._free[name] = (rows[0][0] - size, rows[0][0])

    def has(self, name: str, count: int) -> bool:
        """Whether `count` numbers can be had without asking, unless somebody else takes them meanwhile."""
        first, end = self._free.get(name, _NONE_FREE)
        return end - first >= count

    def number(self, name: str) -> int:
        """The next number of a block that was reserved."""
        with self._lock:
            first, end = self._free[name]
            if first >= end:
                raise Clash("a block of numbers ran out")
            self._free[name] = (first + 1, end)
            return first

    def keep_thread(self, key: tuple[str, str], number: int) -> None:
        """Remember the number of a thread that is there."""
        if len(self.threads) >= _THREADS:
            for old in list(self.threads)[: _THREADS // 2]:
                self.threads.pop(old, None)
        self.threads[key] = number

    def forget(self, tenant: str, thread: str) -> None:
        """Drop what is known of a thread: somebody else changed it."""
        self.cache.forget(tenant, thread)
        self.threads.pop((tenant, thread), None)


def place_of(tenant: str, config: Any) -> tuple[Place, str | None]:
    """Where a config points: tenant, thread and namespace, and the checkpoint's id if it names one.

    Raises:
        BadInput: It names no thread.
    """
    held = config.get("configurable") or {}
    thread = held.get("thread_id")
    if thread is None:
        raise BadInput('a checkpoint needs a thread: {"configurable": {"thread_id": …}} in the config')
    return (tenant, str(thread), held.get("checkpoint_ns") or ""), held.get("checkpoint_id") or None


def config_of(place: Place, checkpoint_id: str) -> Any:
    """The config that points at a checkpoint."""
    return {"configurable": {"thread_id": place[1], "checkpoint_ns": place[2], "checkpoint_id": checkpoint_id}}


@dataclass(frozen=True, slots=True)
class Core:
    """One tenant's view, with the types that one serialiser may construct."""

    shared: Shared
    tenant: str
    codec: Codec

    def reader(self) -> Reader:
        """What opens rows, and shares among them what it decoded."""
        return Reader(self.codec, self.shared.seal, self.shared.segments)

    def put(
        self, place: Place, parent_id: str | None, checkpoint: Any, metadata: Any, new_versions: Any, tasks: list[Task]
    ) -> Steps[None]:
        """Store a checkpoint and the writes that wait on its parent."""
        shared, fresh = self.shared, False
        for _ in range(_TRIES):
            parent = yield from self._parent(place, parent_id, checkpoint, new_versions)
            thread = parent.thread if parent is not None else (yield from self.thread(place))
            yield from shared.reserve("lineage", _lineages(checkpoint))
            with shared.cache.lock:
                draft = self._draft(place, thread, parent, fresh=fresh)
                head = draft.checkpoint(checkpoint, metadata, new_versions, parent_id, tasks)
            try:
                yield from together(draft.statements)
            except Clash:
                shared.forget(*place[:2])
                fresh = True
                continue
            with shared.cache.lock:
                draft.committed()
                shared.cache.put(place, head, instead_of=parent_id)
            return
        raise _contended(place)

    def stage(
        self, place: Place, thread: int, parent_id: str | None, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> Steps[tuple[Head, list[Statement]]]:
        """The head, and what stores a checkpoint, for the caller to run; it is taken to be stored now.

        `thread` is the number where it is known, else 0: a new thread's row comes with its first checkpoint, and
        clashes where it is there by then.
        """
        shared = self.shared
        parent = yield from self._parent(place, parent_id, checkpoint, new_versions)
        opening: list[Statement] = []
        if parent is not None:
            thread = parent.thread
        elif not thread and not (thread := shared.threads.get(place[:2], 0)):
            yield from shared.reserve("thread", 1)
            thread = shared.number("thread")
            opening.append((schema.OPEN_THREAD, (thread, *place[:2])))
        if not shared.has("lineage", most := _lineages(checkpoint)):
            yield from shared.reserve("lineage", most)
        with shared.cache.lock:
            draft = self._draft(place, thread, parent, put=schema.PUT_NEW)
            draft.statements += opening
            head = draft.checkpoint(checkpoint, metadata, new_versions, parent_id, ())
            draft.committed()
            shared.cache.put(place, head, instead_of=parent_id)
        return head, draft.statements

    def follow(
        self, place: Place, parent: Head, checkpoint: Any, metadata: Any, new_versions: Any
    ) -> tuple[Head, list[Statement]] | None:
        """`stage` for whoever holds the parent's head already: nothing is asked, and the cache is not touched.

        `None` where something has to be asked.
        """
        shared, lists, entries = self.shared, parent.lists, parent.entries
        if shared.verify or not shared.has("lineage", _lineages(checkpoint)):
            return None
        for channel in new_versions:
            if channel not in lists and isinstance(entries.get(channel), list):
                return None
        with shared.cache.lock:
            draft = self._draft(place, parent.thread, parent, put=schema.PUT_NEW)
            head = draft.checkpoint(checkpoint, metadata, new_versions, parent.id, ())
            draft.committed()
        return head, draft.statements

    def note(self, place: Place, thread: int, note: Note) -> Statement:
        """What stores a note."""
        run, body = note
        return schema.NOTE, (thread, run, bytearray(self.shared.seal.seal(body, "note", *place[:2], run)))

    def notes(self, thread: str, run: str) -> Steps[list[bytes]]:
        """What a run has noted since its record was kept, the oldest first."""
        rows = yield from ask(schema.NOTES, self.tenant, thread, run)
        opened = (self.shared.seal.open(bytes(row[0]), "note", self.tenant, thread, run) for row in rows)
        return [line for body in opened for line in body.split(b"\n")]

    def put_writes(self, tasks: Sequence[Task]) -> Steps[None]:
        """Store the writes of tasks."""
        for _ in range(_TRIES):
            statements: list[Statement] = []
            for task in tasks:
                draft = self._draft(task.place, (yield from self.thread(task.place)), None)
                draft.task(task)
                statements += draft.statements
            try:
                yield from together(statements)
            except Clash:
                for task in tasks:
                    self.shared.forget(*task.place[:2])
                continue
            return
        raise _contended(tasks[0].place)

    def get(self, place: Place, checkpoint_id: str | None) -> Steps[CheckpointTuple | None]:
        """The checkpoint, or the newest one."""
        reader = self.reader()
        if checkpoint_id is None:
            rows = yield from ask(schema.LATEST, *place)
        else:
            rows = yield from ask(schema.ONE, *place, checkpoint_id)
        if not rows:
            return None
        thread, found_id, parent, row = rows[0]
        writes = yield from ask(schema.WRITES, thread, place[2], found_id)
        body = reader.body(place, found_id, parent, row)
        values = self._live_values(place, thread, found_id, bytes(row))
        if values is None:
            values, lists, pieces = yield from reader.values(place, body)
            lists = {channel: self._watched(held) for channel, held in lists.items()}
            head = head_of(thread, found_id, row, body, self.codec, lists)
            head.pieces = pieces
            self._keep(place, head, values)
        pending = yield from reader.writes(place, found_id, writes)
        return _tuple(place, found_id, parent, body, values, pending)

    def page(self, reader: Reader, numbers: Sequence[int]) -> Steps[list[tuple[Any, ...]]]:
        """The rows of some checkpoints, in the order of their numbers, opened: thread, place, id, parent and body."""
        rows = yield from ask(schema.BY_NUMBER.format(marks=schema.marks(len(numbers))), *numbers)
        found = {row[0]: row for row in rows}
        out = []
        for number in numbers:
            if number in found:
                _, thread, name, ns, checkpoint_id, parent, row = found[number]
                place = (self.tenant, name, ns)
                out.append((thread, place, checkpoint_id, parent, reader.body(place, checkpoint_id, parent, row)))
        return out

    def whole(self, reader: Reader, opened: tuple[Any, ...]) -> Steps[CheckpointTuple]:
        """The tuple of a checkpoint of a page."""
        thread, place, checkpoint_id, parent, body = opened
        rows = yield from ask(schema.WRITES, thread, place[2], checkpoint_id)
        values, _, _ = yield from reader.values(place, body)
        pending = yield from reader.writes(place, checkpoint_id, rows)
        return _tuple(place, checkpoint_id, parent, body, values, pending)

    def numbers(self, config: Any, before: str | None, run: str | None, limit: int | None) -> Steps[list[int]]:
        """The numbers of a listing's checkpoints, the newest first."""
        clauses, parameters = ["t.tenant = ?"], [self.tenant]
        held = (config or {}).get("configurable") or {}
        wanted: list[tuple[str, Any]] = [
            ("t.thread = ?", None if held.get("thread_id") is None else str(held["thread_id"])),
            ("c.ns = ?", held.get("checkpoint_ns")),
            ("c.id = ?", held.get("checkpoint_id") or None),
            ("c.id < ?", before),
            ("c.run = ?", run),
        ]
        for clause, value in wanted:
            if value is not None:
                clauses.append(clause)
                parameters.append(value)
        sql = f"{schema.LISTED} WHERE {' AND '.join(clauses)} ORDER BY c.id DESC, c.no DESC"
        rows = yield from ask(sql if limit is None else f"{sql} LIMIT {int(limit)}", *parameters)
        return [row[0] for row in rows]

    def thread(self, place: Place) -> Steps[int]:
        """The thread's number; a new one where it has none."""
        key = place[:2]
        known = self.shared.threads.get(key)
        if known is None:
            yield from self.shared.reserve("thread", 1)
            new = (schema.NEW_THREAD, (self.shared.number("thread"), *key))
            rows = yield from together([new, (schema.THREAD, key)])
            known = int(rows[1][0][0])
            self.shared.keep_thread(key, known)
        return known

    def _draft(
        self, place: Place, thread: int, parent: Head | None, *, fresh: bool = False, put: str = schema.PUT
    ) -> Draft:
        shared = self.shared
        number: Callable[[], int] = lambda: shared.number("lineage")  # noqa: E731
        return Draft(place, thread, self.codec, shared.seal, shared.segments, number, parent, fresh, shared.verify, put)

    def _parent(self, place: Place, parent_id: str | None, checkpoint: Any, new_versions: Any) -> Steps[Head | None]:
        """What is known of the parent, with those of its lists that the checkpoint goes on with."""
        if parent_id is None:
            return None
        head = self.shared.cache.get(place, parent_id)
        reader: Reader | None = None
        if head is None or head.codec is not self.codec:
            rows = yield from ask(schema.ONE, *place, parent_id)
            if not rows:
                return None
            thread, found_id, parent, row = rows[0]
            reader = self.reader()
            head = head_of(thread, found_id, row, reader.body(place, found_id, parent, row), self.codec)
        values = checkpoint.get("channel_values") or {}
        for channel, entry in head.entries.items():
            if channel in head.lists or not isinstance(entry, list) or entry[0] == "text":
                continue
            if self.shared.verify or (channel in new_versions and type(values.get(channel)) is list):
                reader = reader or self.reader()
                head.lists[channel] = self._watched((yield from reader.elements(place, entry)))
        return head

    def _watched(self, held: LiveList) -> LiveList:
        """With `verify`, the list with a digest of each element as it was when it left here."""
        if self.shared.verify:
            held.digests = digests(self.codec, held.values())
        return held

    def _live_values(self, place: Place, thread: int, checkpoint_id: str, row: bytes) -> dict[str, Any] | None:
        """The values out of the live cache, if all are there and nobody replaced the row."""
        with self.shared.cache.lock:
            head = self.shared.cache.get(place, checkpoint_id)
            if head is None or head.thread != thread or head.row != row or head.codec is not self.codec:
                return None
            values: dict[str, Any] = {}
            for channel, entry in head.entries.items():
                if isinstance(entry, bytes):
                    values[channel] = self.codec.load(entry)
                elif channel in head.lists:
                    values[channel] = head.lists[channel].values()
                elif channel in head.pieces:
                    values[channel] = self.codec.load(head.pieces[channel])
                elif channel in head.texts:
                    values[channel] = head.texts[channel]
                else:
                    return None
            return values

    def _keep(self, place: Place, head: Head, values: dict[str, Any]) -> None:
        for channel, entry in head.entries.items():
            if isinstance(entry, list) and entry[0] == "text":
                head.texts[channel] = values[channel]
        self.shared.cache.put(place, head)


def _lineages(checkpoint: Any) -> int:
    """The most that a checkpoint opens."""
    return 3 * len(checkpoint.get("channel_values") or ()) + 4


def matches(metadata: dict[str, Any], wanted: dict[str, Any] | None) -> bool:
    """Whether metadata has every wanted value."""
    return not wanted or all(metadata.get(key) == value for key, value in wanted.items())


def pages(numbers: Sequence[int], limit: int | None) -> Iterator[Sequence[int]]:
    """Numbers in portions, small where few are wanted."""
    size = _PAGE if limit is None else max(1, min(_PAGE, limit))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]


def _tuple(
    place: Place, checkpoint_id: str, parent: str | None, body: Body, values: dict[str, Any], pending: Iterable[Any]
) -> CheckpointTuple:
    return CheckpointTuple(
        config=config_of(place, checkpoint_id),
        checkpoint=body.checkpoint(checkpoint_id, values),  # type: ignore[arg-type]
        metadata=body.metadata,  # type: ignore[arg-type]
        parent_config=config_of(place, parent) if parent else None,
        pending_writes=list(pending),
    )


def _contended(place: Place) -> StoreError:
    return StoreError(
        f"thread {place[1]!r} is written to by others without pause.",
        way_out="Let one process at a time run a thread, and try again.",
    )
