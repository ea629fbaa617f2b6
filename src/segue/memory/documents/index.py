"""Index: the port that keeps chunks and finds them again.

`SqliteIndex` is the one in the house, `PostgresIndex` and `WeaviateIndex` the ones for many machines. Each takes the
same entries and ranks by the same rules (`ranking`); every key begins with the tenant, and a search sees one collection
of one tenant only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from segue.memory.documents.chunk import Chunk
from segue.memory.documents.filters import PassageFilter, Value
from segue.memory.documents.passage import Passage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Scope:
    """Whose documents: nothing is read or written across scopes."""

    tenant: str
    collection: str
    """One folder; for the collections of this house its absolute path."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """What is known of a file in the index, to tell whether it changed."""

    path: str
    size: int
    mtime_ns: int
    version: str
    """Hash of its bytes; empty where it could not be read."""
    embedder: str
    """The embedder that made its vectors."""
    note: str = ""
    """What was wrong with it."""
    title: str = ""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    """What the page says of itself, for filters."""


@dataclass(frozen=True)
class Entry:
    """One file with all of its chunks and their vectors, row by row."""

    source: Source
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]


class Index(Protocol):
    """Keeps entries by scope and path. Every method may be cancelled; a file is written whole or not at all."""

    async def sources(self, scope: Scope) -> Mapping[str, Source]:
        """What is in the index, by path."""
        ...

    async def add(self, scope: Scope, entries: Sequence[Entry]) -> None:
        """Put the entries in the place of what is there under the same paths."""
        ...

    async def touch(self, scope: Scope, source: Source) -> None:
        """Note another size and time of a path whose chunks stay as they are."""
        ...

    async def remove(self, scope: Scope, paths: Sequence[str]) -> None:
        """Take out these paths; one that is not there is no error."""
        ...

    async def search(
        self,
        scope: Scope,
        query: str,
        vector: NDArray[np.float32],
        *,
        k: int,
        filter: PassageFilter | None = None,  # noqa: A002
    ) -> list[Passage]:
        """The `k` best passages, best first; fewer or none where little fits.

        Only passages whose vectors are as long as this one are looked at: others are from another embedder, and about
        to be embedded anew.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; the next call opens them again."""
        ...
