"""Checking the audit log: a file and its key in; out comes whether the chain holds, and where it first does not.

Each row's hash covers its bytes and the hash before it, with a key that does not lie in the file. So an altered, a
deleted and a reordered row are found where they stand; rows cut from the end are found by the anchors. An anchor that
was kept elsewhere also finds a log that was cut together with its anchor file.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from segue.base.errors import BadInput
from segue.tracing.audit import ANCHOR_BYTES, FIRST, anchors_of
from segue.tracing.audit_rows import chained


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What came of a check."""

    rows: int
    """Rows that hold, from the first one on."""
    head: str
    """The hash of the last of them, 64 hex digits."""
    problem: str = ""
    """What is wrong at the first row that does not hold; empty where all do."""
    row: int | None = None
    """The number of that row, from 1; `None` where all hold, or where the anchor file itself is wrong."""
    lost: int = 0
    """Decisions that the log itself says could not be written."""

    @property
    def ok(self) -> bool:
        """Whether the chain holds from the first row to the last anchor."""
        return not self.problem

    @property
    def anchor(self) -> str:
        """`COUNT:HASH`, to keep elsewhere and hand to a later check."""
        return f"{self.rows}:{self.head}"


def verify(path: Path, key: bytes, *, anchor: str = "") -> Verification:
    """Check the whole log.

    Args:
        path: The log, `audit.db`.
        key: Its key.
        anchor: `COUNT:HASH` of an earlier check, kept elsewhere; empty for none.

    Raises:
        BadInput: `anchor` is not of that form.
    """
    anchored, damage = _anchors(path, key)
    if anchor:
        anchored = {**anchored, **_given(anchor)}
    rows, lost, head = 0, 0, FIRST
    try:
        for seq, body, stored in _rows(path):
            problem, gap = _problem(rows + 1, seq, body, stored, head, key)
            if not problem and anchored.get(seq, stored.hex()) != stored.hex():
                problem = f"row {seq} is not the one that was anchored: rows up to it were cut off and written anew"
            if problem:
                return Verification(rows=rows, head=head.hex(), problem=problem, row=rows + 1, lost=lost)
            rows, head, lost = seq, stored, lost + gap
    except sqlite3.Error as error:
        problem = f"row {rows + 1} cannot be read: {error}"
        return Verification(rows=rows, head=head.hex(), problem=problem, row=rows + 1, lost=lost)
    if (last := max(anchored, default=0)) > rows:
        problem = f"row {rows + 1} and all behind it are missing: there were {last} rows"
        return Verification(rows=rows, head=head.hex(), problem=problem, row=rows + 1, lost=lost)
    return Verification(rows=rows, head=head.hex(), problem=damage, lost=lost)


def entries(path: Path, *, limit: int = 50, **wanted: str) -> list[dict[str, Any]]:
    """The newest rows as they stand in the log, newest first; `wanted` are fields that must have these values.

    What is not there or cannot be read ends the list; whether that is right is for `verify` to say.
    """
    out: list[dict[str, Any]] = []
    with suppress(sqlite3.Error, ValueError):
        for _, body, _ in _rows(path, newest_first=True):
            entry = orjson.loads(body)
            if all(entry.get(name) == value for name, value in wanted.items()):
                out.append(entry)
            if len(out) >= limit:
                break
    return out


def _rows(path: Path, *, newest_first: bool = False) -> Iterator[tuple[Any, Any, Any]]:
    if not path.is_file():
        return
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        db.text_factory = bytes
        yield from db.execute(f"SELECT seq, body, hash FROM decisions ORDER BY seq {'DESC' if newest_first else ''}")


def _problem(wanted: int, seq: Any, body: Any, stored: Any, head: bytes, key: bytes) -> tuple[str, int]:
    """What is wrong with a row, and how many decisions it says were lost."""
    if seq != wanted:
        return f"row {wanted} is missing: row {seq} follows", 0
    if not isinstance(body, bytes) or not isinstance(stored, bytes):
        return f"row {seq} was altered: it holds other kinds of data", 0
    if not hmac.compare_digest(chained(key, head, body), stored):
        own = _own_number(body)
        return (
            f"row {seq} was moved: it is row {own}"
            if own not in (None, seq)
            else f"row {seq} was altered, or its key is another"
        ), 0
    return "", int(orjson.loads(body).get("lost", 0))


def _own_number(body: bytes) -> Any:
    try:
        return orjson.loads(body).get("seq")
    except (ValueError, AttributeError):
        return None


def _anchors(path: Path, key: bytes) -> tuple[dict[int, str], str]:
    """The anchors by their count, and what is wrong with their file."""
    file = anchors_of(path)
    if not file.is_file():
        return (
            {},
            f"the anchor file {file.name} is gone: rows cut from the end would not be seen" if path.exists() else "",
        )
    data = file.read_bytes()
    found: dict[int, str] = {}
    for number, at in enumerate(range(0, len(data) - len(data) % ANCHOR_BYTES, ANCHOR_BYTES), 1):
        line, _, code = data[at : at + ANCHOR_BYTES - 1].rpartition(b" ")
        expected = hmac.new(key, line, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(expected, code) or data[at + ANCHOR_BYTES - 1 : at + ANCHOR_BYTES] != b"\n":
            return found, f"line {number} of the anchor file {file.name} was altered, or its key is another"
        count, _, head = line.decode().partition(" ")
        if int(count):
            found[int(count)] = head
    return found, ""


def _given(anchor: str) -> dict[int, str]:
    count, _, head = anchor.strip().partition(":")
    if not count.isdecimal() or len(head) != 64:
        raise BadInput(
            f"{anchor!r} is no anchor.", way_out="An anchor is COUNT:HASH, as `segue audit verify` prints it."
        )
    return {int(count): head.lower()} if int(count) else {}
