"""EmbeddedCRM: contacts and activities in one SQLite file, for those who have no other CRM."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from segue.base.errors import StoreError
from segue.base.ids import derived_id, new_id
from segue.tools.connectors.crm.port import CRM, Activity, ActivityKind, Contact, ContactId, NoSuchContact, Tier

_T = TypeVar("_T")
_CONTACT = ("contact_id", "name", "email", "phone", "company", "tier", "owner", "since", "notes")
_ACTIVITY = ("activity_id", "contact_id", "kind", "on_date", "summary")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS contacts (
    contact_id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, phone TEXT, company TEXT,
    tier TEXT NOT NULL CHECK (tier IN ('standard', 'plus', 'business')), owner TEXT, since TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS activities (
    activity_id INTEGER PRIMARY KEY, contact_id INTEGER NOT NULL REFERENCES contacts (contact_id),
    kind TEXT NOT NULL CHECK (kind IN ('call', 'email', 'meeting', 'note')), on_date TEXT NOT NULL,
    summary TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS recorded (key TEXT PRIMARY KEY, activity_id NOT NULL);
"""
_FIND = f"""
SELECT {", ".join(_CONTACT)} FROM contacts
WHERE instr(fold(name), :text) OR instr(fold(email), :text) OR instr(fold(company), :text)
    OR (length(:digits) >= 4 AND instr(digits(phone), :digits))
ORDER BY fold(email) = :text DESC, fold(name) = :text DESC, name, contact_id LIMIT :limit
"""


class EmbeddedCRM(CRM):
    """The CRM in a SQLite file; its tables are made where they are missing.

    Args:
        path: The file; relative to the current folder, or absolute.
        name: Ends the tools' names where one agent has two CRMs.
    """

    def __init__(self, path: Path | str, *, name: str = "") -> None:
        super().__init__(name=name)
        self.path = Path(path).absolute()

    async def find_contacts(self, text: str, *, limit: int = 10) -> list[Contact]:
        """Contacts whose name, e-mail address, phone or company holds the text in any case; an exact address first."""
        wanted = _fold(text)
        if not wanted:
            return []
        number = "" if any(char.isalpha() for char in wanted) else _digits(wanted)
        given = {"text": wanted, "digits": number, "limit": limit}
        rows = await self._do(lambda db: db.execute(_FIND, given).fetchall())
        return [Contact(**dict(zip(_CONTACT, row, strict=True))) for row in rows]

    async def get_contact(self, contact_id: ContactId) -> Contact:
        """One contact."""
        return await self._do(lambda db: _contact(db, contact_id))

    async def list_activities(self, contact_id: ContactId, *, limit: int = 20) -> list[Activity]:
        """What happened with a contact, the latest first."""

        def listed(db: sqlite3.Connection) -> list[Activity]:
            _contact(db, contact_id)
            rows = db.execute(
                f"SELECT {', '.join(_ACTIVITY)} FROM activities WHERE contact_id = ? "
                "ORDER BY on_date DESC, activity_id DESC LIMIT ?",
                (contact_id, limit),
            )
            return [_activity(row) for row in rows]

        return await self._do(listed)

    async def add_activity(
        self, contact_id: ContactId, *, kind: ActivityKind, summary: str, on_date: str, key: str = ""
    ) -> Activity:
        """Record that something happened; the same non-empty `key` records it once."""
        return await self._do(lambda db: _add(db, contact_id, (kind, on_date, summary), key))

    async def update_tier(self, contact_id: ContactId, tier: Tier) -> Contact:
        """Put a contact in a tier."""
        return await self._do(lambda db: _update(db, contact_id, "tier", tier))

    async def update_owner(self, contact_id: ContactId, owner: str) -> Contact:
        """Give a contact to a colleague."""
        return await self._do(lambda db: _update(db, contact_id, "owner", owner))

    async def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        return await asyncio.to_thread(self._with_db, work)

    def _with_db(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            with closing(sqlite3.connect(self.path, timeout=10, isolation_level="IMMEDIATE")) as db:
                db.execute("PRAGMA foreign_keys=ON")
                db.create_function("fold", 1, _fold, deterministic=True)
                db.create_function("digits", 1, _digits, deterministic=True)
                db.executescript(_SCHEMA)
                with db:
                    return work(db)
        except sqlite3.IntegrityError as error:
            raise ValueError(f"the CRM refuses it: {error}") from error
        except sqlite3.Error as error:
            raise StoreError(f"the CRM {str(self.path)!r} cannot be used: {error}.") from error


def _fold(text: str | None) -> str:
    """Case and spaces aside, in every script."""
    return " ".join((text or "").casefold().split())


def _digits(text: str | None) -> str:
    return "".join(char for char in text or "" if char.isdigit())


def _contact(db: sqlite3.Connection, contact_id: ContactId) -> Contact:
    row = db.execute(f"SELECT {', '.join(_CONTACT)} FROM contacts WHERE contact_id = ?", (contact_id,)).fetchone()
    if row is None:
        raise NoSuchContact(contact_id)
    return Contact(**dict(zip(_CONTACT, row, strict=True)))


def _activity(row: tuple[Any, ...]) -> Activity:
    return Activity(**dict(zip(_ACTIVITY, row, strict=True)))


def _add(db: sqlite3.Connection, contact_id: ContactId, said: tuple[str, str, str], key: str) -> Activity:
    held = _contact(db, contact_id)
    known = db.execute("SELECT activity_id FROM recorded WHERE key = ?", (key,)).fetchone() if key else None
    if known is None:
        activity_id = _next_id(db, key)
        values = (activity_id, held.contact_id, *said)
        cursor = db.execute(f"INSERT INTO activities ({', '.join(_ACTIVITY)}) VALUES (?,?,?,?,?)", values)
        known = (activity_id if activity_id is not None else cursor.lastrowid,)
        if key:
            db.execute("INSERT INTO recorded VALUES (?, ?)", (key, known[0]))
    return _activity(
        db.execute(f"SELECT {', '.join(_ACTIVITY)} FROM activities WHERE activity_id = ?", known).fetchone()
    )


def _next_id(db: sqlite3.Connection, key: str) -> str | None:
    """`None` where SQLite numbers the rows; a file of somebody else's may name them by text."""
    declared = {row[1]: row[2].upper() for row in db.execute("PRAGMA table_info(activities)")}
    if "INT" in declared.get("activity_id", ""):
        return None
    return derived_id("act", key) if key else new_id("act")


def _update(db: sqlite3.Connection, contact_id: ContactId, column: str, value: str) -> Contact:
    _contact(db, contact_id)
    db.execute(f"UPDATE contacts SET {column} = ? WHERE contact_id = ?", (value, contact_id))
    return _contact(db, contact_id)
