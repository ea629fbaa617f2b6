"""The tables of `SqliteIndex` and what is read from and written to them, each within the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from segue.memory.documents.index import Entry, Scope, Source
from segue.memory.documents.passage import Passage
from segue.base.stores import use_wal
from segue.memory.documents.words import said

_VERSION = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    tenant TEXT NOT NULL, collection TEXT NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL, version TEXT NOT NULL, embedder TEXT NOT NULL, note TEXT NOT NULL, title TEXT NOT NULL,
    PRIMARY KEY (tenant, collection, path)
);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, collection TEXT NOT NULL, path TEXT NOT NULL, seq INTEGER NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL,
    said TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (tenant, collection, path, seq)
);
CREATE TABLE IF NOT EXISTS generation (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT OR IGNORE INTO generation VALUES (1, abs(random() % 1000000000));
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    said, heading, content='chunks', content_rowid='id', tokenize="porter unicode61 remove_diacritics 2"
);
CREATE TRIGGER IF NOT EXISTS chunk_in AFTER INSERT ON chunks BEGIN
    INSERT INTO words (rowid, said, heading) VALUES (new.id, new.said, new.heading);
END;
CREATE TRIGGER IF NOT EXISTS chunk_out AFTER DELETE ON chunks BEGIN
    INSERT INTO words (words, rowid, said, heading) VALUES ('delete', old.id, old.said, old.heading);
END;
"""
BY_WORDS = """
SELECT chunks.id, chunks.path FROM words JOIN chunks ON chunks.id = words.rowid
WHERE words MATCH ? AND chunks.tenant = ? AND chunks.collection = ? ORDER BY bm25(words, 1.0, 8.0), chunks.id
"""
_PASSAGE = """
SELECT chunks.text, chunks.path, start_line, end_line, heading, version FROM chunks
JOIN sources USING (tenant, collection, path) WHERE chunks.id = ?
"""


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
        "SELECT path, size, mtime_ns, version, embedder, note, title FROM sources WHERE tenant = ? AND collection = ?",
        (scope.tenant, scope.collection),
    )
    names = ("path", "size", "mtime_ns", "version", "embedder", "note", "title")
    return {row[0]: Source(**dict(zip(names, row, strict=True))) for row in rows}


def add(db: sqlite3.Connection, scope: Scope, entries: Sequence[Entry]) -> None:
    """Put the entries in the place of what is there under the same paths."""
    remove(db, scope, [entry.source.path for entry in entries])
    for entry in entries:
        own = entry.source
        db.execute(
            "INSERT INTO sources VALUES (?,?,?,?,?,?,?,?,?)",
            (
                scope.tenant,
                scope.collection,
                own.path,
                own.size,
                own.mtime_ns,
                own.version,
                own.embedder,
                own.note,
                own.title,
            ),
        )
        db.executemany(
            "INSERT INTO chunks (tenant, collection, path, seq, start_line, end_line, heading, text, said, vector) "
            "VALUES (?,?,?,?,?,?,?,?,?,?)",
            [
                (
                    scope.tenant,
                    scope.collection,
                    own.path,
                    at,
                    chunk.start_line,
                    chunk.end_line,
                    chunk.heading,
                    chunk.text,
                    said(chunk.text),
                    row.tobytes(),
                )
                for at, (chunk, row) in enumerate(zip(entry.chunks, entry.vectors, strict=True))
            ],
        )


def touch(db: sqlite3.Connection, key: tuple[int, int, str, str, str]) -> None:
    """Note another size and time: `(size, mtime_ns, tenant, collection, path)`."""
    db.execute("UPDATE sources SET size = ?, mtime_ns = ? WHERE tenant = ? AND collection = ? AND path = ?", key)


def remove(db: sqlite3.Connection, scope: Scope, paths: Sequence[str]) -> None:
    """Take out these paths, and count the generation up, so that held vectors are read again."""
    keys = [(scope.tenant, scope.collection, path) for path in paths]
    db.execute("UPDATE generation SET number = number + 1")
    db.executemany("DELETE FROM chunks WHERE tenant = ? AND collection = ? AND path = ?", keys)
    db.executemany("DELETE FROM sources WHERE tenant = ? AND collection = ? AND path = ?", keys)


def passage(db: sqlite3.Connection, chunk_id: int, score: float) -> Passage:
    """One chunk as a passage."""
    text, path, start, end, heading, version = db.execute(_PASSAGE, (chunk_id,)).fetchone()
    return Passage(
        text=text, path=path, start_line=start, end_line=end, heading=heading, score=round(score, 6), version=version
    )
