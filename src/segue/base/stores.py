"""Stores and their errors: work on an SQLite file in, the same with `StoreError` for what went wrong out."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from segue.base.errors import StoreError

BUSY_S = 10.0
"""How long SQLite itself tries again while another process holds a file: the bound of all retries on a lock."""
_PASSING = ("locked", "busy", "disk is full", "disk I/O error")


_PAUSE_S = 0.01


class store_errors:  # noqa: N801 - used as a function, and cheaper than one
    """Turns what SQLite raises over a file inside `with` into a `StoreError` that says whether to try again.

    Raises:
        StoreError: In place of any error of SQLite's; names the file.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path | str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if isinstance(error, sqlite3.Error):
            found = StoreError(f"{self._path} cannot be read or written: {error}.", way_out=_way_out(str(error)))
            found.retryable = any(words in str(error) for words in _PASSING)
            raise found from error


def _way_out(said: str) -> str:
    if "locked" in said or "busy" in said:
        return f"Another process has held it for {BUSY_S:g} s; see which, and try again."
    if "not a database" in said or "malformed" in said:
        return "The file is damaged: move it away, or bring back a copy."
    if "disk" in said:
        return "Free some of the disk and try again."
    return "Check that the file and its folder may be written."


def use_wal(db: sqlite3.Connection, *, patience_s: float = BUSY_S) -> None:
    """Switch the file to write-ahead logging, where it is not there yet.

    The switch ignores the busy timeout, so two who start at once on a new file have to take turns. Blocks meanwhile.

    Raises:
        sqlite3.OperationalError: Another connection held the file for longer than `patience_s`.
    """
    ends_at = time.monotonic() + patience_s
    while True:
        try:
            if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > ends_at:
                raise
            time.sleep(_PAUSE_S)
