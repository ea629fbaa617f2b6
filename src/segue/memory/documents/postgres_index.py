"""PostgresIndex: the index in PostgreSQL with pgvector, for many processes and machines.

By words it finds candidates with a `tsvector` of our own terms, by likeness exactly, and from `hnsw_above` passages of
a scope on by an HNSW index of that scope alone. How the two are ranked and joined stands in `ranking`, what is asked
of the server in `postgres_rows`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from segue.base.errors import StoreError
from segue.memory.database import Row, Statement
from segue.memory.documents import postgres_rows as rows
from segue.memory.documents import ranking
from segue.memory.documents.filters import PassageFilter
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import CANDIDATES, Key, Statistics, Worded
from segue.memory.documents.terms import query_terms
from segue.memory.postgres_database import PostgresDatabase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEADLINE_S = 60.0
"""Of one call, whatever it does."""
_BUILD_S = 3600.0
_BROKEN_S = 5.0
"""A call that fails sooner had a connection that the server closed; one that fails later has no server to reach."""
_T = TypeVar("_T")
_SETUP: Statement = ("SELECT pg_advisory_xact_lock(11, 0)", ())
"""Whoever makes tables takes turns."""
CREATE = "CREATE EXTENSION IF NOT EXISTS vector"
_EXTENSION = """
SELECT to_regtype('vector') IS NOT NULL,
    (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector')
"""


class PostgresIndex:
    """The index in a PostgreSQL database. It connects and makes its tables when first used.

    Args:
        url: `postgresql://…`, as libpq reads it.
        min_similarity: A cosine below this is no likeness; a passage then counts only if it shares a word.
        likeness_weight: What a place by likeness counts beside one by words.
        hnsw_above: From how many passages of a scope on likeness is looked up in an HNSW index, which may miss some.
            The write that reaches it waits until the index is built.

    Raises:
        ConfigError: psycopg is not installed.
    """

    def __init__(
        self, url: str, *, min_similarity: float = 0.25, likeness_weight: float = 0.5, hnsw_above: int = 50_000
    ) -> None:
        self.min_similarity = min_similarity
        self.likeness_weight = likeness_weight
        self.hnsw_above = hnsw_above
        self.database = PostgresDatabase(url)
        self._made = False
        self._open = False
        self._indexed: set[int] = set()

    async def sources(self, scope: Scope) -> Mapping[str, Source]:
        """What is in the index, by path."""
        async with self._deadline():
            return {row[0]: rows.source(row) for row in await self._execute(*rows.sources(scope))}

    async def add(self, scope: Scope, entries: Sequence[Entry]) -> None:
        """Put the entries in the place of what is there under the same paths, all of them or none."""
        async with self._deadline():
            await self._transaction(await asyncio.to_thread(rows.add, scope, entries))
        for dims in {entry.vectors.shape[1] for entry in entries if len(entry.chunks)}:
            await self._index_vectors(scope, dims)

    async def touch(self, scope: Scope, source: Source) -> None:
        """Note another size and time of a path whose chunks stay as they are."""
        async with self._deadline():
            await self._execute(*rows.touch(scope, source))

    async def remove(self, scope: Scope, paths: Sequence[str]) -> None:
        """Take out these paths; one that is not there is no error."""
        async with self._deadline():
            await self._transaction(rows.remove(scope, paths))

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
            StoreError: The server cannot be reached, refuses, or takes longer than 60 seconds.
        """
        async with self._deadline():
            found = await self._execute(*rows.place(scope, len(vector)))
            paths = await self._fitting(scope, filter or PassageFilter())
            if not found or paths == []:
                return []
            number, held, terms = found[0]
            worded = await self._by_words(number, (held, terms), query_terms(query), paths)
            alike = await self._by_likeness(number, vector, paths)
            best = ranking.fuse(worded, alike, likeness_weight=self.likeness_weight)[:k]
            read = await self._execute(*rows.passages(number, [key for key, _ in best]))
            texts = {(row[0], row[1]): row for row in read}
            return [rows.passage(texts[key], score) for key, score in best if key in texts]

    async def close(self) -> None:
        """Disconnect; the next call connects again."""
        self._open = False
        await self.database.close()

    async def _fitting(self, scope: Scope, wanted: PassageFilter) -> list[str] | None:
        """The paths that may be looked at; `None` where all may."""
        if wanted.is_empty:
            return None
        held = map(rows.source, await self._execute(*rows.sources(scope)))
        return [source.path for source in held if wanted.fits(source)]

    async def _by_words(
        self, number: int, size: tuple[int, int], asked: list[str], paths: list[str] | None
    ) -> list[Key]:
        if not asked:
            return []
        found = await self._execute(*rows.any_words(number, asked, paths))
        if paths is None and len(found) < CANDIDATES:
            holding = ranking.containing(asked, candidates := _worded(found))
            return ranking.by_words(asked, candidates, Statistics(*size, holding))
        counted = await self._transaction([rows.holding(number, term) for term in asked])
        holding = {term: row[0][0] for term, row in zip(asked, counted, strict=True)}
        statistics = Statistics(*size, holding)
        if len(found) == CANDIDATES:
            found = await self._execute(*rows.best_words(number, asked, ranking.rarity(asked, statistics), paths))
        return ranking.by_words(asked, _worded(found), statistics)

    async def _by_likeness(self, number: int, vector: NDArray[np.float32], paths: list[str] | None) -> list[Key]:
        found = (await self._transaction(rows.near(number, vector, paths)))[-1]
        keys = [(row[0], row[1]) for row in found]
        return ranking.by_likeness(vector, keys, rows.vectors(found), at_least=self.min_similarity) if keys else []

    async def _index_vectors(self, scope: Scope, dims: int) -> None:
        """Build the scope's HNSW index once it has become large; one process does, the others go on without."""
        number, passages, _ = (await self._execute(*rows.place(scope, dims)))[0]
        if passages < self.hnsw_above or number in self._indexed or dims > rows.MAX_INDEXED_DIMS:
            return
        await build(self.database.url, number, dims)
        self._indexed.add(number)

    async def _execute(self, sql: str, parameters: Sequence[object]) -> list[Row]:
        return await self._again(lambda: self.database.execute(sql, parameters))

    async def _transaction(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return await self._again(lambda: self.database.transaction(statements))

    async def _again(self, work: Callable[[], Awaitable[_T]]) -> _T:
        """Once more where a connection broke: all that is done here leaves the same when it is done twice."""
        await self._connected()
        began = time.monotonic()
        try:
            return await work()
        except StoreError as error:
            if not error.retryable or time.monotonic() - began > _BROKEN_S:
                raise
            return await work()

    async def _connected(self) -> None:
        if not self._open:
            await self.database.start()
            self._open = True
        if not self._made:
            await prepare(self.database)
            self._made = True

    @asynccontextmanager
    async def _deadline(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(DEADLINE_S):
                yield
        except TimeoutError as error:
            raise StoreError(
                f"the document index in {self.database.name} gave no answer within {DEADLINE_S:g} s.",
                way_out="See whether the server is overloaded or out of reach, and try again.",
            ) from error


async def prepare(database: PostgresDatabase) -> None:
    """Make the extension and the tables where they are missing.

    Raises:
        StoreError: There is no pgvector, or tables of these names are not ours.
    """
    await _extension(database)
    there, mark = (await database.execute(rows.FOUND))[0]
    if not there:
        made = [(sql.replace("CREATE TABLE ", "CREATE TABLE IF NOT EXISTS "), ()) for sql in rows.SCHEMA]
        made = [(sql.replace("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS "), ()) for sql, _ in made]
        await database.transaction([_SETUP, *made])
    elif mark != rows.SCHEMA_MARK:
        raise _final(
            f"{database.name} has a table segue_document_chunks that is not of this version: it is marked {mark!r}, "
            f"not {rows.SCHEMA_MARK!r}.",
            f"It holds only what can be read again from the documents: DROP TABLE {rows.TABLES}; or name another "
            "schema in the URL, with options=-csearch_path%3DNAME.",
        )


async def _extension(database: PostgresDatabase) -> None:
    usable, schema = (await database.execute(_EXTENSION))[0]
    if usable:
        return
    if schema is not None:
        raise _final(
            f"{database.name} has pgvector in the schema {schema}, which is not on the search path.",
            f"Add it: options=-csearch_path%3D…,{schema} at the end of the URL.",
        )
    try:
        await database.transaction([_SETUP, (CREATE, ())])
    except StoreError as error:
        if error.retryable:
            raise
        if (await database.execute(_EXTENSION))[0][0]:  # somebody else made it at this moment
            return
        raise _final(
            f"{database.name} has no pgvector, and it could not be made: {error.message}",
            "Install pgvector on the server (0.8 or later), and have somebody who may run: CREATE EXTENSION vector",
        ) from error


async def build(url: str, number: int, dims: int) -> None:
    """Build the HNSW index of one scope beside its readers and writers, unless another process does so now.

    Raises:
        StoreError: The server could not.
    """
    import psycopg

    name, statement = rows.vector_index(number, dims)
    try:
        async with (
            asyncio.timeout(_BUILD_S),
            await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=10) as connection,
        ):
            turn = await connection.execute("SELECT pg_try_advisory_lock(11, %s)", (number,))
            if not (await turn.fetchone() or (False,))[0]:
                return
            broken = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
            held = await (await connection.execute(broken, (name,))).fetchone()
            if held and not held[0]:
                await connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            await connection.execute(statement)
    except (psycopg.Error, TimeoutError) as error:
        raise StoreError(
            f"the HNSW index {name} could not be built: {' '.join(str(error).split())}",
            way_out="The documents are written and are searched without it; the next write tries again.",
        ) from error


def _worded(found: Sequence[Row]) -> list[Worded]:
    return [Worded((path, seq), body, heading) for path, seq, body, heading in found]


def _final(message: str, way_out: str) -> StoreError:
    found = StoreError(message, way_out=way_out)
    found.retryable = False
    return found
