"""SqliteIndex: the index in one SQLite file, by words with FTS5 (bm25) and by likeness with an exact cosine.

The two rankings are joined by reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009; k = 60). Vectors are
read once into a matrix and read again after a write of any process, which a counter in the file tells. A connection
lives as long as one call; what is done to the file happens in a thread.
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
from segue.memory.documents import sqlite_rows as rows
from segue.memory.documents.index import Entry, PassageFilter, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.words import fts_query

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_T = TypeVar("_T")
_FUSION_K = 60
_DEPTH = 50
"""How far down each of the two rankings is read."""
_BUSY_S = 10.0


@dataclass(frozen=True)
class _Vectors:
    """All vectors of one scope as they were at one generation of the file."""

    generation: int
    ids: list[int]
    paths: list[str]
    matrix: NDArray[np.float32]


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
        self._held: dict[Scope, _Vectors] = {}
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
            worded = self._by_words(db, scope, query, wanted)
            alike = self._by_likeness(db, scope, vector, wanted)
            found = _fuse([(worded, 1.0), (alike, self.likeness_weight)])
            return [rows.passage(db, chunk_id, score) for chunk_id, score in found[:k]]

        return await self._in_thread(find)

    def _by_words(self, db: sqlite3.Connection, scope: Scope, query: str, wanted: PassageFilter) -> list[int]:
        matching = fts_query(query)
        if not matching:
            return []
        found: list[int] = []
        for chunk_id, path in db.execute(rows.BY_WORDS, (matching, scope.tenant, scope.collection)):
            if wanted.fits(path):
                found.append(chunk_id)
                if len(found) == _DEPTH:
                    break
        return found

    def _by_likeness(
        self, db: sqlite3.Connection, scope: Scope, vector: NDArray[np.float32], wanted: PassageFilter
    ) -> list[int]:
        import numpy as np

        held = self._vectors(db, scope)
        if not held.ids or held.matrix.shape[1] != vector.shape[0]:
            return []
        likeness = held.matrix @ vector
        order = np.argsort(-likeness, kind="stable")
        close = (int(at) for at in order if likeness[at] >= self.min_similarity and wanted.fits(held.paths[at]))
        return [held.ids[at] for _, at in zip(range(_DEPTH), close, strict=False)]

    def _vectors(self, db: sqlite3.Connection, scope: Scope) -> _Vectors:
        generation = int(db.execute("SELECT number FROM generation").fetchone()[0])
        with self._lock:
            held = self._held.get(scope)
        if held is not None and held.generation == generation:
            return held
        held = _read_vectors(db, scope, generation)
        with self._lock:
            self._held[scope] = held
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


def _read_vectors(db: sqlite3.Connection, scope: Scope, generation: int) -> _Vectors:
    import numpy as np

    found = db.execute(
        "SELECT id, path, vector FROM chunks WHERE tenant = ? AND collection = ? ORDER BY path, seq",
        (scope.tenant, scope.collection),
    ).fetchall()
    flat = np.frombuffer(b"".join(row[2] for row in found), dtype=np.float32)
    matrix = flat.reshape(len(found), -1) if found else flat.reshape(0, 0)
    return _Vectors(generation, [row[0] for row in found], [row[1] for row in found], matrix)


def _fuse(rankings: Sequence[tuple[Sequence[int], float]]) -> list[tuple[int, float]]:
    """The rankings as one, each with its weight."""
    scores: dict[int, float] = {}
    for ranking, weight in rankings:
        for place, chunk_id in enumerate(ranking, start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + weight / (_FUSION_K + place)
    return sorted(scores.items(), key=lambda each: (-each[1], each[0]))
