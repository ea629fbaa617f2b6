"""The tables of `PostgresIndex`, and the statements that read and write them.

A scope here is one collection of one tenant with vectors of one length. Writers of one collection take turns by an
advisory lock, so that two processes that index the same folder leave each file once, as the later one read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segue.memory.database import Row, Statement
from segue.memory.documents.filters import dumped, loaded
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import CANDIDATES, NEAR, Key
from segue.memory.documents.terms import terms
from segue.memory.documents.words import said, storable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_MARK = "segue documents 1"
"""The comment that our tables bear."""
MAX_INDEXED_DIMS = 2000
"""pgvector's bound for an HNSW index over `vector`."""
_INSERTED = 500
"""Chunks of one statement."""
_COLUMNS = ("path", "size", "mtime_ns", "version", "embedder", "note", "title", "metadata")

SCHEMA = (
    """CREATE TABLE segue_document_scopes (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant text NOT NULL, collection text NOT NULL,
        dims integer NOT NULL, passages bigint NOT NULL DEFAULT 0, terms bigint NOT NULL DEFAULT 0,
        UNIQUE (tenant, collection, dims)
    )""",
    """CREATE TABLE segue_document_sources (
        tenant text NOT NULL, collection text NOT NULL, path text COLLATE "C" NOT NULL, size bigint NOT NULL,
        mtime_ns bigint NOT NULL, version text NOT NULL, embedder text NOT NULL, note text NOT NULL,
        title text NOT NULL, metadata text NOT NULL, PRIMARY KEY (tenant, collection, path)
    )""",
    """CREATE TABLE segue_document_chunks (
        scope integer NOT NULL REFERENCES segue_document_scopes, path text COLLATE "C" NOT NULL, seq integer NOT NULL,
        version text NOT NULL, start_line integer NOT NULL, end_line integer NOT NULL, heading text NOT NULL,
        body text NOT NULL, body_terms text NOT NULL, heading_terms text NOT NULL, terms integer NOT NULL,
        words tsvector NOT NULL, embedding vector NOT NULL, PRIMARY KEY (scope, path, seq)
    )""",
    "CREATE INDEX segue_document_words ON segue_document_chunks USING gin (words)",
    f"COMMENT ON TABLE segue_document_chunks IS '{SCHEMA_MARK}'",
)
TABLES = "segue_document_chunks, segue_document_sources, segue_document_scopes"
FOUND = "SELECT to_regclass('segue_document_chunks') IS NOT NULL, obj_description(to_regclass('segue_document_chunks'))"

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(?, 11))"
_SCOPES = (
    "INSERT INTO segue_document_scopes (tenant, collection, dims) SELECT ?, ?, unnest(?::int[]) "
    "ON CONFLICT (tenant, collection, dims) DO NOTHING"
)
_DELETE_CHUNKS = """
WITH gone AS (
    DELETE FROM segue_document_chunks USING segue_document_scopes AS held
    WHERE held.tenant = ? AND held.collection = ? AND scope = held.id AND path = ANY(?)
    RETURNING scope, segue_document_chunks.terms
), counted AS (SELECT scope, count(*) AS passages, sum(terms) AS terms FROM gone GROUP BY scope)
UPDATE segue_document_scopes AS held SET passages = held.passages - counted.passages, terms = held.terms - counted.terms
FROM counted WHERE held.id = counted.scope
"""
_DELETE_SOURCES = "DELETE FROM segue_document_sources WHERE tenant = ? AND collection = ? AND path = ANY(?)"
_INSERT_SOURCE = "INSERT INTO segue_document_sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_CHUNKS = """
WITH came AS (
    INSERT INTO segue_document_chunks (
        scope, path, seq, version, start_line, end_line, heading, body, body_terms, heading_terms, terms, words,
        embedding
    )
    SELECT held.id, new.path, seq, version, start_line, end_line, heading, body, body_terms, heading_terms, new.terms,
        array_to_tsvector(array_remove(
            string_to_array(body_terms || ' ' || heading_terms || ' #' || held.id, ' '), '')),
        embedding::vector
    FROM unnest(?::int[], ?::text[], ?::int[], ?::text[], ?::int[], ?::int[], ?::text[], ?::text[], ?::text[],
        ?::text[], ?::int[], ?::text[]) AS new (dims, path, seq, version, start_line, end_line, heading, body,
        body_terms, heading_terms, terms, embedding)
    JOIN segue_document_scopes AS held ON held.tenant = ? AND held.collection = ? AND held.dims = new.dims
    RETURNING scope, segue_document_chunks.terms
), counted AS (SELECT scope, count(*) AS passages, sum(terms) AS terms FROM came GROUP BY scope)
UPDATE segue_document_scopes AS held SET passages = held.passages + counted.passages, terms = held.terms + counted.terms
FROM counted WHERE held.id = counted.scope
"""


def _lock(scope: Scope) -> Statement:
    return _LOCK, (f"{scope.tenant}\x1f{scope.collection}",)


def add(scope: Scope, entries: Sequence[Entry]) -> list[Statement]:
    """Put the entries in the place of what is there under the same paths."""
    key = (scope.tenant, scope.collection)
    dims = sorted({entry.vectors.shape[1] for entry in entries if len(entry.chunks)})
    statements = [*remove(scope, [entry.source.path for entry in entries]), (_SCOPES, (*key, dims))]
    for entry in entries:
        own = entry.source
        values = (*(getattr(own, name) for name in _COLUMNS[:-1]), dumped(own.metadata))
        statements.append((_INSERT_SOURCE, (*key, *values)))
    rows = [row for entry in entries for row in _chunks(entry)]
    for start in range(0, len(rows), _INSERTED):
        columns = [list(column) for column in zip(*rows[start : start + _INSERTED], strict=True)]
        statements.append((_INSERT_CHUNKS, (*columns, *key)))
    return statements


def _chunks(entry: Entry) -> list[tuple[Any, ...]]:
    rows = []
    for at, (chunk, vector) in enumerate(zip(entry.chunks, entry.vectors, strict=True)):
        body, heading = terms(said(chunk.text)), terms(chunk.heading)
        lines = (chunk.start_line, chunk.end_line, storable(chunk.heading), storable(chunk.text))
        found = (" ".join(body), " ".join(heading), len(body) + len(heading))
        rows.append((len(vector), entry.source.path, at, entry.source.version, *lines, *found, written(vector)))
    return rows


def remove(scope: Scope, paths: Sequence[str]) -> list[Statement]:
    """Take out these paths."""
    key = (scope.tenant, scope.collection, list(paths))
    return [_lock(scope), (_DELETE_CHUNKS, key), (_DELETE_SOURCES, key)]


def touch(scope: Scope, source: Source) -> Statement:
    """Note another size and time."""
    return (
        "UPDATE segue_document_sources SET size = ?, mtime_ns = ? WHERE tenant = ? AND collection = ? AND path = ?",
        (source.size, source.mtime_ns, scope.tenant, scope.collection, source.path),
    )


def sources(scope: Scope) -> Statement:
    """What is known of the scope's sources; see `source`."""
    return (
        f"SELECT {', '.join(_COLUMNS)} FROM segue_document_sources WHERE tenant = ? AND collection = ?",
        (scope.tenant, scope.collection),
    )


def source(row: Row) -> Source:
    """One row of `sources`."""
    return Source(**dict(zip(_COLUMNS, (*row[:-1], loaded(row[-1])), strict=True)))


def place(scope: Scope, dims: int) -> Statement:
    """The number of a scope for vectors of one length, with its passages and their terms."""
    return (
        "SELECT id, passages, terms FROM segue_document_scopes WHERE tenant = ? AND collection = ? AND dims = ?",
        (scope.tenant, scope.collection, dims),
    )


def any_words(number: int, query: Sequence[str], paths: list[str] | None) -> Statement:
    """Some passages with a term of the query, in no order: all, where they are fewer than `CANDIDATES`."""
    where, held = _where(number, query, paths)
    return f"{_WORDED} WHERE {where} LIMIT {CANDIDATES}", held


def best_words(number: int, query: Sequence[str], rarity: Mapping[str, float], paths: list[str] | None) -> Statement:
    """Those with the most and the rarest terms of the query."""
    where, held = _where(number, query, paths)
    weighed = " + ".join("(words @@ ?::tsquery)::int * ?::float8" for _ in query)
    weights = [each for term in query for each in (f"'{term}'", rarity[term])]
    return f"{_WORDED} WHERE {where} ORDER BY {weighed} DESC, path, seq LIMIT {CANDIDATES}", (*held, *weights)


_WORDED = "SELECT path, seq, body_terms, heading_terms FROM segue_document_chunks"


def _where(number: int, query: Sequence[str], paths: list[str] | None) -> tuple[str, tuple[Any, ...]]:
    """Terms are ASCII letters and digits, so that none of them is an operator."""
    asked = f"'#{number}' & ({' | '.join(f'{chr(39)}{term}{chr(39)}' for term in query)})"
    if paths is None:
        return "words @@ ?::tsquery", (asked,)
    return "words @@ ?::tsquery AND path = ANY(?)", (asked, paths)


def holding(number: int, term: str) -> Statement:
    """In how many passages of the scope a term stands."""
    return "SELECT count(*) FROM segue_document_chunks WHERE words @@ ?::tsquery", (f"'#{number}' & '{term}'",)


def near(number: int, vector: NDArray[np.float32], paths: list[str] | None) -> list[Statement]:
    """The most alike ones with their vectors, in the last of the statements; see `vectors`.

    The number and the length stand in the text, since only so the planner finds the scope's own index.
    """
    dims = len(vector)
    only = "" if paths is None else " AND path = ANY(?)"
    held: list[Any] = [] if paths is None else [paths]
    cast = f"embedding::vector({dims})"
    return [
        ("SET LOCAL hnsw.ef_search = 200", ()),
        ("SET LOCAL hnsw.iterative_scan = 'strict_order'", ()),
        (
            f"SELECT path, seq, vector_send(embedding) FROM segue_document_chunks WHERE scope = {number}{only} "
            f"ORDER BY ({cast}) <#> ?::vector({dims}) LIMIT {NEAR}",
            (*held, written(vector)),
        ),
    ]


def vectors(rows: Sequence[Row]) -> NDArray[np.float32]:
    """The vectors of `near`: pgvector sends a length, a number without meaning, and the floats."""
    import numpy as np

    flat = np.frombuffer(b"".join(bytes(row[2])[4:] for row in rows), dtype=">f4").astype(np.float32)
    return flat.reshape(len(rows), -1)


def written(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it; each float comes back the same."""
    return f"[{','.join(map(repr, vector.astype(float).tolist()))}]"


def passages(number: int, keys: Sequence[Key]) -> Statement:
    """The chunks at these keys; see `passage`."""
    return (
        "SELECT path, seq, body, start_line, end_line, heading, chunk.version, metadata "
        "FROM segue_document_chunks AS chunk JOIN unnest(?::text[], ?::int[]) AS wanted (path, seq) USING (path, seq) "
        "JOIN segue_document_scopes AS held ON held.id = chunk.scope "
        "JOIN segue_document_sources AS source USING (tenant, collection, path) WHERE chunk.scope = ?",
        ([path for path, _ in keys], [seq for _, seq in keys], number),
    )


def passage(row: Row, score: float) -> Passage:
    """One row of `passages`."""
    path, _, text, start, end, heading, version, metadata = row
    return Passage(
        text=text,
        path=path,
        start_line=start,
        end_line=end,
        heading=heading,
        score=round(score, 6),
        version=version,
        metadata=loaded(metadata),
    )


def vector_index(number: int, dims: int) -> tuple[str, str]:
    """The name of a scope's HNSW index, and the statement that makes it."""
    name = f"segue_document_near_{number}"
    return name, (
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON segue_document_chunks "
        f"USING hnsw ((embedding::vector({dims})) vector_ip_ops) WHERE scope = {number}"
    )
