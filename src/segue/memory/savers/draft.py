"""A draft: a checkpoint and what is known of its parent in, the rows to write and the new head out; nothing is run.

A channel whose version did not change keeps its parent's entry. A list keeps the spans that it shares with its
parent's, and only what is new is encoded. Other values lie in the row when they are small, else in a lineage of their
own. Writes of the parent that are still unwritten go along, and name what the checkpoint stores instead of repeating
it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import eq
from typing import Any

from segue.base.errors import UserError
from segue.memory.database import Statement
from segue.memory.savers import schema
from segue.memory.savers.live import Entry, Head, LiveList, Place
from segue.memory.savers.spans import MOST_SPANS, Keep, Piece, Spans, add, begins_with, cut, difference, kept, triples
from segue.memory.savers.values import SMALL_BYTES, Codec, as_piece, joined
from segue.memory.sealing import Seal

_WORTH_NAMING = 128
_NONE = object()
_FIXED = frozenset({"id", "channel_values", "channel_versions", "versions_seen", "v", "ts", "updated_channels"})
EncodedWrite = tuple[str, bytes | list[bytes]]
"""A channel and its value: one piece, or the elements of a list."""


class ChangedInPlace(UserError):
    """A value was changed after it was stored, in place, so that the change would be lost."""

    def __init__(self, channel: str, index: int | None) -> None:
        what = f"the value of channel {channel!r}" if index is None else f"element {index} of channel {channel!r}"
        super().__init__(
            f"{what} was changed in place after it was stored; such a change is not stored.",
            way_out="Return a new object from the node instead.",
        )
        self.channel = channel
        self.index = index


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The writes of one task on one checkpoint, encoded."""

    place: Place
    checkpoint_id: str
    task_id: str
    task_path: str
    writes: Sequence[EncodedWrite]


@dataclass(slots=True, eq=False)
class Draft:
    """One checkpoint on its way into the database."""

    place: Place
    thread: int
    codec: Codec
    seal: Seal
    segments: schema.Segments
    number: Callable[[], int]
    """Gives the number of a new lineage."""
    parent: Head | None
    fresh: bool = False
    """Whether every list opens a new lineage: another process wrote to the one that we know."""
    verify: bool = False
    put: str = schema.PUT
    """What stores the row."""
    statements: list[Statement] = field(default_factory=list)
    _named: dict[bytes, Entry] = field(default_factory=dict)
    _new: list[tuple[int, int, Any]] = field(default_factory=list)
    _grow: list[tuple[Head, str, LiveList, list[Any], Spans, int, list[bytes] | None]] = field(default_factory=list)

    def checkpoint(
        self,
        checkpoint: dict[str, Any],
        metadata: dict[str, Any],
        new_versions: dict[str, Any],
        parent_id: str | None,
        tasks: Sequence[Task],
    ) -> Head:
        """Add the checkpoint and its parent's unwritten writes to the statements."""
        entries, head = self._entries(checkpoint, new_versions)
        rest: dict[str, Any] = {}
        if checkpoint.keys() != _FIXED:
            rest = {key: value for key, value in checkpoint.items() if key not in _FIXED}
        if not rest.get("pending_sends", True):
            del rest["pending_sends"]
        body = [
            checkpoint.get("v"),
            checkpoint.get("ts"),
            head.versions,
            checkpoint.get("versions_seen"),
            checkpoint.get("updated_channels"),
            entries,
            rest,
            metadata,
        ]
        place = (*self.place, head.id, parent_id or "")
        head.row = self.seal.seal(self.codec.pack(body), "checkpoint", *place)
        run, other = _runs(metadata)
        for task in tasks:
            self.task(task)
        row = bytearray(head.row)  # sqlite3 looks for an adapter of bytes, each time
        self.statements.append((self.put, (self.thread, self.place[2], head.id, parent_id, run, other, row)))
        return head

    def task(self, task: Task) -> None:
        """Add the writes of a task."""
        body = self.codec.pack([[channel, self._written(piece)] for channel, piece in task.writes])
        place = (*task.place, task.checkpoint_id, task.task_id, task.task_path)
        row = self.seal.seal(body, "writes", *place)
        self.statements.append(
            (schema.PUT_WRITES, (self.thread, task.place[2], task.checkpoint_id, task.task_id, task.task_path, row))
        )

    def committed(self) -> None:
        """Let the head's lists grow: the rows are there now."""
        for head, channel, old, new, spans, size, hashes in self._grow:
            head.lists[channel] = old.grown(new, spans, size, hashes)

    def _entries(self, checkpoint: dict[str, Any], new_versions: dict[str, Any]) -> tuple[dict[str, Entry], Head]:
        values: dict[str, Any] = checkpoint.get("channel_values") or {}
        versions: dict[str, Any] = checkpoint.get("channel_versions") or {}
        entries: dict[str, Entry] = {}
        head = Head(self.thread, checkpoint["id"], versions, entries, codec=self.codec)
        parent = self.parent
        known, before = ({}, {}) if parent is None else (parent.entries, parent.versions)
        late = []
        for channel, value in values.items():
            if channel in known and channel not in new_versions and before.get(channel, _NONE) == versions.get(channel):
                self._take_over(channel, value, head)
            elif type(value) is list and value and self._list(channel, value, head):
                pass
            else:
                late.append((channel, value))
        for channel, value in late:
            self._single(channel, value, head)
        return entries, head

    def _take_over(self, channel: str, value: Any, head: Head) -> None:
        parent = self.parent
        assert parent is not None
        head.entries[channel] = parent.entries[channel]
        if channel in parent.lists:
            held = head.lists[channel] = parent.lists[channel]
            if type(value) is list:
                self._check(channel, held, Keep(0, min(held.count, len(value))), value, 0)
        elif channel in parent.pieces:
            head.pieces[channel] = parent.pieces[channel]
        elif channel in parent.texts:
            head.texts[channel] = parent.texts[channel]
        if self.verify and channel not in parent.lists:
            self._check_piece(channel, parent, value)

    def _single(self, channel: str, value: Any, head: Head) -> None:
        if type(value) is str and len(value) >= SMALL_BYTES and (found := self._standing_in(value)):
            head.entries[channel] = found
            head.texts[channel] = value
            self._named[self.codec.value(value)] = found
            return
        piece = self.codec.value(value)
        if len(piece) < SMALL_BYTES:
            head.entries[channel] = piece
            return
        head.pieces[channel] = piece
        if self.parent is not None and not self.fresh and self.parent.pieces.get(channel) == piece:
            head.entries[channel] = self.parent.entries[channel]
            return
        lineage = self._lineage()
        self._segment(lineage, 0, piece)
        head.entries[channel] = lineage
        self._named[piece] = lineage

    def _standing_in(self, text: str) -> list[Any] | None:
        """Where a text stands in an element that this checkpoint stores."""
        for lineage, at, element in self._new:
            if type(element) is dict:
                for key, value in element.items():
                    if type(key) is str and type(value) is str and value == text:
                        return ["text", lineage, at, key]
        return None

    def _list(self, channel: str, value: list[Any], head: Head) -> bool:
        """Store a list by its spans; false where it is to be stored as a single value."""
        old = self.parent.lists.get(channel) if self.parent is not None else None
        if old is None or self.fresh:
            return self._whole_list(channel, value, head)
        if old.open and not self.verify and old.count == len(old.shared) and begins_with(value, old.shared):
            return self._longer(channel, value, head, old)
        pieces = difference(_seen(old), value)
        if kept(pieces) * 2 < min(old.count, len(value)):
            pieces = self._by_bytes(old, value) or pieces
        spans: Spans = []
        still_open, size = False, 0
        hashes: list[bytes] | None = [] if self.verify and old.digests is not None else None
        done = 0
        for at, piece in enumerate(pieces):
            if isinstance(piece, Keep):
                self._check(channel, old, piece, value, done)
                for span in triples(cut(old.spans, piece.start, piece.stop)):
                    add(spans, *span)
                still_open = old.open and piece.stop == old.count
                if hashes is not None:
                    hashes += (old.digests or [])[piece.start : piece.stop]
            else:
                encoded = self.codec.elements(value[piece.start : piece.stop])
                if encoded is None:
                    return False
                behind = still_open and at == len(pieces) - 1 and bool(spans)
                behind = behind and spans[-1] + len(encoded) < schema.MOST_ELEMENTS
                size += self._store(spans, encoded, value[piece.start : piece.stop], behind=behind)
                still_open = True
                if hashes is not None:
                    hashes += map(_digest, encoded)
            done += piece.stop - piece.start
        if len(spans) > 3 * MOST_SPANS:
            return self._whole_list(channel, value, head)
        head.entries[channel] = spans
        if len(pieces) <= 2 and pieces and pieces[0] == Keep(0, old.count):
            self._grow.append((head, channel, old, value[old.count :], spans, size, hashes))
        else:
            head.lists[channel] = LiveList(value[:], len(value), spans, still_open, old.size + size, hashes)
        return True

    def _longer(self, channel: str, value: list[Any], head: Head, old: LiveList) -> bool:
        """What nearly every step does: the list as it was, with something behind it."""
        new = value[old.count :]
        if not new:
            head.entries[channel], head.lists[channel] = old.spans, old
            return True
        encoded = self.codec.elements(new)
        if encoded is None:
            return False
        spans = old.spans[:]
        size = self._store(spans, encoded, new, behind=spans[-1] + len(encoded) < schema.MOST_ELEMENTS)
        head.entries[channel] = spans
        self._grow.append((head, channel, old, new, spans, size, None))
        return True

    def _whole_list(self, channel: str, value: list[Any], head: Head) -> bool:
        encoded = self.codec.elements(value)
        if encoded is None:
            return False
        size = sum(map(len, encoded))
        if size < SMALL_BYTES:
            head.entries[channel] = as_piece(encoded)
            return True
        spans: Spans = []
        self._store(spans, encoded, value, behind=False)
        head.entries[channel] = spans
        hashes = list(map(_digest, encoded)) if self.verify else None
        head.lists[channel] = LiveList(value[:], len(value), spans, True, size, hashes)
        return True

    def _by_bytes(self, old: LiveList, value: list[Any]) -> list[Piece] | None:
        """The difference by what elements are rather than by which they are: somebody copies them at each step."""
        before, after = self.codec.elements(old.values()), self.codec.elements(value)
        return difference(before, after, same=eq) if before is not None and after is not None else None

    def _store(self, spans: Spans, encoded: list[bytes], values: list[Any], *, behind: bool) -> int:
        """One segment for new elements: behind the last span, or in a lineage of its own."""
        lineage, start = (spans[-3], spans[-1]) if behind else (self._lineage(), 0)
        row = joined(encoded)
        self._segment(lineage, start, row)
        add(spans, lineage, start, start + len(encoded))
        at = start
        for piece in encoded:
            if len(piece) >= _WORTH_NAMING:
                self._named[piece] = [lineage, at]
                self._new.append((lineage, at, values[at - start]))
            at += 1
        return len(row)

    def _segment(self, lineage: int, start: int, row: bytes) -> None:
        sealed = self.seal.seal(row, "segment", *self.place[:2], str(lineage), str(start))
        self.statements.append((self.segments.put, (lineage, start, bytearray(sealed))))

    def _lineage(self) -> int:
        lineage = self.number()
        self.statements.append((schema.NEW_LINEAGE, (lineage, self.thread)))
        return lineage

    def _written(self, piece: bytes | list[bytes]) -> Any:
        """A written value: a piece, or a list of elements; what the checkpoint stores is only named."""
        if not self._named:
            return piece
        if isinstance(piece, bytes):
            return self._named.get(piece) or self._named.get(piece[1:], piece)
        return [self._named.get(element, element) for element in piece]

    def _check(self, channel: str, held: LiveList, kept: Keep, value: list[Any], start: int) -> None:
        """Encode the elements again that were stored before, and compare."""
        if not self.verify or held.digests is None:
            return
        same = value[start : start + kept.stop - kept.start]
        for index, encoded in enumerate(self.codec.elements(same) or (), start):
            if _digest(encoded) != held.digests[kept.start + index - start]:
                raise ChangedInPlace(channel, index)

    def _check_piece(self, channel: str, parent: Head, value: Any) -> None:
        entry = parent.entries[channel]
        stored = parent.pieces.get(channel) or (entry if isinstance(entry, bytes) else None)
        if stored is not None and self.codec.value(value) != stored:
            raise ChangedInPlace(channel, None)


def _seen(held: LiveList) -> list[Any]:
    """The elements to compare with; the very list where nobody made it grow since."""
    return held.shared if len(held.shared) == held.count else held.values()


def _runs(metadata: dict[str, Any]) -> tuple[str | None, str | None]:
    """The run's id in our metadata, and LangGraph's where it is another one."""
    ours, theirs = metadata.get("segue_run_id"), metadata.get("run_id")
    if theirs is None and type(ours) is str:
        return ours, None
    ours = ours if isinstance(ours, str) else None
    theirs = theirs if isinstance(theirs, str) and theirs != ours else None
    return (ours, theirs) if ours is not None else (theirs, None)


def digests(codec: Codec, values: list[Any]) -> list[bytes] | None:
    """A hash of each element as it is encoded now."""
    encoded = codec.elements(values)
    return None if encoded is None else list(map(_digest, encoded))


def _digest(encoded: bytes) -> bytes:
    return hashlib.blake2b(encoded, digest_size=8).digest()
