"""SqliteIndex: the index in one SQLite file, by words with FTS5 and by likeness with an exact cosine.

How the two are ranked and joined stands in `ranking`. Vectors are read once into a matrix and read again after a write
of any process, which a counter in the file tells. A connection lives as long as one call; what is done to the file
happens in a thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from segue.base.errors import StoreError
from segue.memory.documents import ranking
from segue.memory.documents import sqlite_rows as rows
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import CANDIDATES, NEAR, Key, Statistics
from segue.memory.documents.terms import query_terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")
Fits = Callable[[str], bool]
_BUSY_S = 10.0
_HELD = 8
"""Scopes whose vectors are kept in memory."""


@dataclass(frozen=True)
class _Vectors:
    """All vectors of one scope as they were at one generation of the file."""

    generation: int
    keys: list[Key]
    matrix: NDArray[np.float32]
    terms: int
    """Of all passages together."""


class SqliteIndex:
    """The index in one file. Safe from any thread, event loop and process.

    Args:
        file: Made when first used; its folder has to be there.
        min_similarity: A cosine below this is no likeness; a passage then counts only if it shares a word.
        likeness_weight: What a place by likeness counts beside one by words. A half suits the hashing embedder, which
            knows no synonyms; give 1 with a model that does.
    """

    def __init__(self, file: Path | str, *, min_similarity: float = 0.25, likeness_weight: float = 0.5) -> None:
        self.file = Path(file)
        self.likeness_weight = likeness_weight
        self.min_similarity = min_similarity
        self._held: dict[str, _Vectors] = {}
        self._lock = threading.Lock()
        self._made = False

    async def sources(self, scope: Scope) -> Mapping[str, Source]:
        """What is in the index, by path."""
        return await self._in_thread(lambda db: rows.sources(db, scope))

    async def add(self, scope: Scope, entries: Sequence[Entry]) -> None:
        """Put the entries in the place of what is there under the same paths, all of them or none."""
        await self._in_thread(lambda db: rows.add(db, scope, entries))

    async def touch(self, scope: Scope, source: Source) -> None:
        """Note another size and time of a path whose chunks stay as they are."""
        key = (source.size, source.mtime_ns, scope.tenant, scope.collection, source.path)
        await self._in_thread(lambda db: rows.touch(db, key))

    async def remove(self, scope: Scope, paths: Sequence[str]) -> None:
        """Take out these paths; one that is not there is no error."""
        await self._in_thread(lambda db: rows.remove(db, scope, paths))

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

        Raises:
            StoreError: The file is no index, or is in use for longer than 10 seconds.
        """
        wanted = filter or PassageFilter()

        def find(db: sqlite3.Connection) -> list[Passage]:
            held = self._vectors(db, scope, vector.shape[0])
            fits = _fitting(db, scope, wanted)
            worded = _by_words(db, rows.mark(scope, vector.shape[0]), query, held, fits)
            alike = self._by_likeness(held, vector, fits)
            found = ranking.fuse(worded, alike, likeness_weight=self.likeness_weight)
            return [rows.passage(db, scope, key, score) for key, score in found[:k]]

        return await self._in_thread(find)

    async def close(self) -> None:
        """Let go of the vectors in memory."""
        with self._lock:
            self._held.clear()

    def _by_likeness(self, held: _Vectors, vector: NDArray[np.float32], fits: Fits | None) -> list[Key]:
        import numpy as np

        if not held.keys:
            return []
        likeness = held.matrix @ vector
        if fits is not None:
            likeness = np.where([fits(path) for path, _ in held.keys], likeness, -np.inf)
        near = np.argsort(-likeness, kind="stable")[:NEAR]
        near = near[np.isfinite(likeness[near])]
        keys = [held.keys[at] for at in near]
        return ranking.by_likeness(vector, keys, held.matrix[near], at_least=self.min_similarity)

    def _vectors(self, db: sqlite3.Connection, scope: Scope, dims: int) -> _Vectors:
        generation = int(db.execute("SELECT number FROM generation").fetchone()[0])
        mark = rows.mark(scope, dims)
        with self._lock:
            held = self._held.pop(mark, None)
        if held is None or held.generation != generation:
            held = _read_vectors(db, scope, dims, generation)
        with self._lock:
            self._held[mark] = held
            while len(self._held) > _HELD:
                del self._held[next(iter(self._held))]
        return held

    async def _in_thread(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return await asyncio.to_thread(self._with_db, work)

    def _with_db(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with closing(self._connect()) as db, _transaction(db):
                return work(db)
        except sqlite3.Error as error:
            raise StoreError(
                f"the document index {str(self.file.absolute())!r} cannot be used: {error}.",
                way_out="It can be deleted at any time: it is built again from the documents.",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.file, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._lock:
                if not self._made or not self.file.exists() or not self.file.stat().st_size:
                    rows.prepare(db)
                    self._held.clear()
                    self._made = True
        except BaseException:
            db.close()
            raise
        return db


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _fitting(db: sqlite3.Connection, scope: Scope, wanted: PassageFilter) -> Fits | None:
    """Whether a path may be looked at; `None` where all may."""
    if wanted.is_empty:
        return None
    return frozenset(path for path, source in rows.sources(db, scope).items() if wanted.fits(source)).__contains__


def _by_words(db: sqlite3.Connection, mark: str, query: str, held: _Vectors, fits: Fits | None) -> list[Key]:
    asked = query_terms(query)
    if not asked:
        return []
    candidates = rows.by_words(db, mark, asked, fits)
    whole = fits is None and len(candidates) < CANDIDATES
    holding = ranking.containing(asked, candidates) if whole else rows.containing(db, mark, asked)
    return ranking.by_words(asked, candidates, Statistics(len(held.keys), held.terms, holding))


def _read_vectors(db: sqlite3.Connection, scope: Scope, dims: int, generation: int) -> _Vectors:
    import numpy as np

    found = db.execute(
        "SELECT path, seq, vector, terms FROM chunks WHERE tenant = ? AND collection = ? AND scope = ? "
        "ORDER BY path, seq",
        (scope.tenant, scope.collection, rows.mark(scope, dims)),
    ).fetchall()
    flat = np.frombuffer(b"".join(row[2] for row in found), dtype=np.float32)
    return _Vectors(
        generation, [(row[0], row[1]) for row in found], flat.reshape(-1, dims), sum(row[3] for row in found)
    )
