"""The tables of `SqliteIndex` and what is read from and written to them, each within the caller's transaction."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from segue.base.ids import content_hash
from segue.base.stores import use_wal
from segue.memory.documents.chunk import Chunk
from segue.memory.documents.filters import dumped, loaded
from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.memory.documents.ranking import CANDIDATES, Key, Worded
from segue.memory.documents.terms import terms
from segue.memory.documents.words import said, storable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_VERSION = 3

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    tenant TEXT NOT NULL, collection TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, version TEXT NOT NULL, embedder TEXT NOT NULL, note TEXT NOT NULL, title TEXT NOT NULL,
    metadata TEXT NOT NULL, PRIMARY KEY (tenant, collection, path)
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, collection TEXT NOT NULL, path TEXT NOT NULL, seq INTEGER NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL,
    scope TEXT NOT NULL, body_terms TEXT NOT NULL, heading_terms TEXT NOT NULL, terms INTEGER NOT NULL,
    vector BLOB NOT NULL, UNIQUE (tenant, collection, path, seq)
);
CREATE TABLE IF NOT EXISTS generation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO generation VALUES (1, abs(random() % 1000000000));
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    scope, body_terms, heading_terms, content='chunks', content_rowid='id', tokenize="ascii"
);
CREATE TRIGGER IF NOT EXISTS chunk_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, scope, body_terms, heading_terms)
    VALUES (new.id, new.scope, new.body_terms, new.heading_terms);
END;
CREATE TRIGGER IF NOT EXISTS chunk_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, scope, body_terms, heading_terms)
    VALUES ('delete', old.id, old.scope, old.body_terms, old.heading_terms);
END;
"""
_BY_WORDS = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 0.0, 1.0, 8.0)"
_PATH = "SELECT path FROM chunks WHERE id = ?"
_WORDED = "SELECT path, seq, body_terms, heading_terms FROM chunks WHERE id = ?"
_PASSAGE = """
SELECT chunks.text, chunks.path, start_line, end_line, heading, version, metadata FROM chunks
JOIN sources USING (tenant, collection, path) WHERE tenant = ? AND collection = ? AND path = ? AND seq = ?
"""
_COLUMNS = ("path", "size", "mtime_ns", "version", "embedder", "note", "title", "metadata")


def mark(scope: Scope, dims: int) -> str:
    """The one word that stands in every row of a scope, for vectors of one length, and in no other's."""
    return f"s{content_hash(f'{scope.tenant}{chr(31)}{scope.collection}'.encode())}d{dims}"


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables where they are missing; those of another version of ours are made anew."""
    use_wal(db)
    db.execute("PRAGMA synchronous=NORMAL")
    db.execute("BEGIN IMMEDIATE")
    held = db.execute("PRAGMA user_version").fetchone()[0]
    if held not in (0, _VERSION):
        for table in ("words", "chunks", "sources", "generation"):
            db.execute(f"DROP TABLE IF EXISTS {table}")
    for statement in _statements():
        db.execute(statement)
    db.execute(f"PRAGMA user_version={_VERSION}")
    db.execute("COMMIT")


def _statements() -> Iterator[str]:
    """The schema's statements one by one: `executescript` would commit before each."""
    held = ""
    for line in _SCHEMA.split("\n"):
        held += line + "\n"
        if sqlite3.complete_statement(held):
            yield held
            held = ""


def sources(db: sqlite3.Connection, scope: Scope) -> dict[str, Source]:
    """What the index holds of this scope, by path."""
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)} FROM sources WHERE tenant = ? AND collection = ?",
        (scope.tenant, scope.collection),
    )
    return {row[0]: Source(**dict(zip(_COLUMNS, (*row[:-1], loaded(row[-1])), strict=True))) for row in rows}


def add(db: sqlite3.Connection, scope: Scope, entries: Sequence[Entry]) -> None:
    """Put the entries in the place of what is there under the same paths."""
    remove(db, scope, [entry.source.path for entry in entries])
    for entry in entries:
        own = entry.source
        values = (*(getattr(own, name) for name in _COLUMNS[:-1]), dumped(own.metadata))
        db.execute(
            "INSERT INTO sources VALUES (?,?,?,?,?,?,?,?,?,?)",
            (scope.tenant, scope.collection, *values),
        )
        found = mark(scope, entry.vectors.shape[1]) if len(entry.chunks) else ""
        rows = zip(range(len(entry.chunks)), entry.chunks, entry.vectors, strict=True)
        db.executemany(
            "INSERT INTO chunks (tenant, collection, scope, path, seq, start_line, end_line, heading, text, "
            "body_terms, heading_terms, terms, vector) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
            [(scope.tenant, scope.collection, found, own.path, at, *_chunk(chunk, row)) for at, chunk, row in rows],
        )


def _chunk(chunk: Chunk, row: NDArray[np.float32]) -> tuple[Any, ...]:
    body, heading = terms(said(chunk.text)), terms(chunk.heading)
    return (
        chunk.start_line,
        chunk.end_line,
        storable(chunk.heading),
        storable(chunk.text),
        " ".join(body),
        " ".join(heading),
        len(body) + len(heading),
        row.astype("<f4").tobytes(),
    )


def by_words(
    db: sqlite3.Connection, found: str, query: Sequence[str], wanted: Callable[[str], bool] | None
) -> list[Worded]:
    """The first passages by SQLite's own BM25 that hold a term of the query, under paths that are wanted."""
    ids = (row[0] for row in db.execute(_BY_WORDS, (_match(found, query),)))
    if wanted is not None:
        ids = (each for each in ids if wanted(db.execute(_PATH, (each,)).fetchone()[0]))
    held = (db.execute(_WORDED, (each,)).fetchone() for each in itertools.islice(ids, CANDIDATES))
    return [Worded((path, seq), body, heading) for path, seq, body, heading in held]


def containing(db: sqlite3.Connection, found: str, query: Sequence[str]) -> dict[str, int]:
    """In how many passages of the scope each term stands."""
    count = "SELECT count(*) FROM words WHERE words MATCH ?"
    return {term: db.execute(count, (_match(found, [term]),)).fetchone()[0] for term in query}


def _match(found: str, query: Sequence[str]) -> str:
    """Terms are ASCII letters and digits, so that none of them is an operator."""
    asked = " OR ".join(f'"{term}"' for term in query)
    return f'scope : "{found}" AND {{body_terms heading_terms}} : ({asked})'


def touch(db: sqlite3.Connection, key: tuple[int, int, str, str, str]) -> None:
    """Note another size and time: `(size, mtime_ns, tenant, collection, path)`."""
    db.execute("UPDATE sources SET size = ?, mtime_ns = ? WHERE tenant = ? AND collection = ? AND path = ?", key)


def remove(db: sqlite3.Connection, scope: Scope, paths: Sequence[str]) -> None:
    """Take out these paths, and count the generation up, so that held vectors are read again."""
    keys = [(scope.tenant, scope.collection, path) for path in paths]
    db.execute("UPDATE generation SET number = number + 1")
    db.executemany("DELETE FROM chunks WHERE tenant = ? AND collection = ? AND path = ?", keys)
    db.executemany("DELETE FROM sources WHERE tenant = ? AND collection = ? AND path = ?", keys)


def passage(db: sqlite3.Connection, scope: Scope, key: Key, score: float) -> Passage:
    """One chunk as a passage."""
    row = db.execute(_PASSAGE, (scope.tenant, scope.collection, *key)).fetchone()
    text, path, start, end, heading, version, metadata = row
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
