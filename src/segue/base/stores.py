"""Stores and their errors: work on an SQLite file in, the same with `StoreError` for what went wrong out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.base.errors import StoreError

BUSY_S = 10.0
"""How long SQLite itself tries again while another process holds a file: the bound of all retries on a lock."""
_PASSING = ("locked", "busy", "disk is full", "disk I/O error")


@contextmanager
def store_errors(path: Path | str) -> Iterator[None]:
    """Turn what SQLite raises over a file into a `StoreError` that names it and says whether to try again.

    Raises:
        StoreError: In place of any error of SQLite's.
    """
    try:
        yield
    except sqlite3.Error as error:
        found = StoreError(f"{path} cannot be read or written: {error}.", way_out=_way_out(str(error)))
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
