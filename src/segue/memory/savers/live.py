"""The live cache: for the newest checkpoints that passed through this process, what a put needs to know of its parent.

It holds each list's own copy, whose elements a new value is compared with by identity. An element that is changed in
place after it was stored is therefore not stored again; `verify` finds those.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from segue.memory.savers.spans import Spans

Entry = bytes | int | list[Any]
"""How a checkpoint's row names a value: the piece itself; a lineage that holds it; spans of a list; or
`["text", lineage, position, key]`, a text that stands in an element of a list."""
Place = tuple[str, str, str]
"""Tenant, thread and namespace."""
_FIXED_BYTES = 2048


@dataclass(slots=True, eq=False)
class LiveList:
    """A list as it is stored. `shared` may have grown since: only its first `count` elements are this list's."""

    shared: list[Any]
    count: int
    spans: Spans
    open: bool
    """Whether its last span ends where its lineage ends, as far as we know; it can be added to there."""
    size: int
    digests: list[bytes] | None = None
    """A hash of each element as it was encoded, where changes in place are looked for."""

    def values(self) -> list[Any]:
        """The list, as one's own."""
        return self.shared[: self.count]

    def __iter__(self) -> Iterator[Any]:
        return islice(self.shared, self.count)

    def grown(self, new: list[Any], spans: Spans, size: int, digests: list[bytes] | None) -> LiveList:
        """The list with elements behind it; in the same memory where nobody else did so before."""
        if len(self.shared) == self.count:
            self.shared.extend(new)
            shared = self.shared
        else:
            shared = [*self, *new]
        return LiveList(shared, self.count + len(new), spans, True, self.size + size, digests)


@dataclass(slots=True, eq=False)
class Head:
    """A checkpoint as this process knows it."""

    thread: int
    """The thread's number."""
    id: str
    versions: dict[str, Any]
    entries: dict[str, Entry]
    row: bytes = b""
    """The row as it lies in the database; another process may have put another one in its place."""
    lists: dict[str, LiveList] = field(default_factory=dict)
    pieces: dict[str, bytes] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    codec: Any = None
    """Who decoded the elements: another one may be allowed to construct other types."""

    def size(self) -> int:
        """About how many bytes it takes."""
        size = _FIXED_BYTES
        for held in self.lists.values():
            size += held.size
        for piece in self.pieces.values():
            size += len(piece)
        for text in self.texts.values():
            size += len(text)
        return size


class LiveCache:
    """The heads used last, bounded by their number and by their bytes; safe to use from several threads."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self.lock = threading.RLock()
        self._most = most
        self._most_bytes = most_bytes
        self._heads: OrderedDict[tuple[Place, str], tuple[Head, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._heads)

    @property
    def bytes(self) -> int:
        """About how many bytes all heads take."""
        return self._bytes

    def get(self, place: Place, checkpoint_id: str) -> Head | None:
        """The head, if it is known."""
        with self.lock:
            found = self._heads.get((place, checkpoint_id))
            if found is None:
                return None
            self._heads.move_to_end((place, checkpoint_id))
            return found[0]

    def put(self, place: Place, head: Head, *, instead_of: str | None = None) -> None:
        """Keep a head; its parent, whose list it goes on with, is dropped."""
        with self.lock:
            if instead_of is not None:
                self._drop((place, instead_of))
            key, size = (place, head.id), head.size()
            if key in self._heads:
                self._drop(key)
            self._heads[key] = (head, size)
            self._bytes += size
            while self._heads and (len(self._heads) > self._most or self._bytes > self._most_bytes):
                self._drop(next(iter(self._heads)))

    def let_go(self, place: Place, checkpoint_id: str) -> None:
        """Drop a head that nobody is likely to go on with; who does reads it again."""
        with self.lock:
            self._drop((place, checkpoint_id))

    def forget(self, tenant: str, thread: str) -> None:
        """Drop whatever is known of a thread."""
        with self.lock:
            for key in [key for key in self._heads if key[0][:2] == (tenant, thread)]:
                self._drop(key)

    def _drop(self, key: tuple[Place, str]) -> None:
        found = self._heads.pop(key, None)
        if found is not None:
            self._bytes -= found[1]
