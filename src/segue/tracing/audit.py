"""The audit log: decisions in, one row each out, every row chained to the one before it.

A decision is what a rail, the gate or a person said: who it was about, which call of which run, the verdict and the
rule. Rows hold ids, names and keyed hashes; never a payload, nor a reason, which could quote one: so that forgetting
a person elsewhere leaves the chain whole. Recording is an append in memory; `settle` writes what waits in one
transaction, and the run's runtime calls it before a decision takes effect; `settle_soon` lets what was merely allowed
wait a moment for what follows it. Whether the chain holds is looked at in `segue.tracing.audit_check`, the key is kept
by `segue.tracing.audit_key`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import orjson

from segue.base.errors import StoreError, UserError, names
from segue.base.stores import use_wal
from segue.tracing.audit_rows import RowMaker, chain, plain
from segue.tracing.decisions import VERDICTS, Decided, Verdict, decided

__all__ = ["VERDICTS", "AuditLog", "Decided", "Verdict", "decided"]

_log = logging.getLogger("segue.tracing.audit")

FIRST = bytes(32)
"""What the first row is chained to."""
ANCHOR_BYTES = 20 + 1 + 64 + 1 + 64 + 1
"""One line of the anchor file: count, head, its own code."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS decisions (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL);
CREATE TRIGGER IF NOT EXISTS no_update BEFORE UPDATE ON decisions
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON decisions
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
"""

_PATIENCE_MS = 5_000
ANCHOR_S = 0.5
"""How long the end of a run may wait for the anchor of others."""
SOON_S = 0.02
"""How long what was merely allowed may wait for other decisions."""
_SLACK_S = 0.001
"""Nobody waits once more for less than that."""


class AuditLog:
    """The log of one data directory. Several processes may write to it; safe from any thread."""

    def __init__(self, path: Path | str, key: bytes, *, capacity: int = 10_000) -> None:
        self.path = Path(path)
        self.capacity = capacity
        self.lost = 0
        """Decisions that could not be kept because the file could not be written; told by the next row."""
        self._key = key
        self._lock = threading.Lock()
        self._pending: deque[tuple[Decided, bytes]] = deque()
        self._pressing = False
        """Whether more than an allow may wait: set behind what is appended, taken back before what waits is counted."""
        self._unanchored = False
        self._soon: asyncio.AbstractEventLoop | None = None
        """The loop that will look whether something waits for too long."""
        self._since: float | None = None
        """When the first of what waits for that came, on the loop's clock."""
        self._anchoring: asyncio.AbstractEventLoop | None = None
        self._patience_ms = -1
        self._durable: bool | None = None
        self._rows = RowMaker(key)
        fresh = not self.path.exists()
        try:
            self._db = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None)
            self._waits(_PATIENCE_MS)
            use_wal(self._db)
            self._db.executescript(_SCHEMA)
            self._head()
        except sqlite3.Error as error:
            raise StoreError(
                f"the audit log {self.path} cannot be opened: {error}.",
                way_out="See what is wrong with: segue audit verify. Move the file away to begin a new log.",
            ) from error
        if fresh and not self.anchors.exists():
            self._anchor()

    @property
    def anchors(self) -> Path:
        """The file of anchors beside the log."""
        return anchors_of(self.path)

    @property
    def pending(self) -> int:
        """Decisions that are not written yet."""
        return len(self._pending) + (self.lost > 0)

    def record(self, decision: Decided) -> None:
        """Take a decision; it is written by the next `settle`. Never raises on what the file does, never blocks.

        Raises:
            UserError: The verdict is none.
        """
        if decision.verdict not in VERDICTS:
            raise UserError(f"{decision.verdict!r} is no verdict; there are {names(VERDICTS)}")
        if len(self._pending) >= self.capacity:
            self.lost += 1
            return
        subject = b"" if decision.subject is None else plain(decision.subject)
        self._pending.append((decision, subject))
        if decision.verdict != "allow":
            self._pressing = True

    async def settle(self, *, anchor: bool = False) -> None:
        """`flush` off the event loop; returns at once where nothing waits.

        Raises:
            StoreError: As `flush`.
        """
        if not self.pending and not (anchor and self._unanchored):
            return
        if anchor or not self._at_once():
            await asyncio.to_thread(self.flush, anchor=anchor)

    async def settle_ended(self) -> None:
        """`settle` at the end of a run; its anchor, down to the disk, is one with those of the next moments.

        Raises:
            StoreError: As `flush`.
        """
        await self.settle()
        loop = asyncio.get_running_loop()
        if self._unanchored and self._anchoring is not loop:
            self._anchoring = loop
            loop.call_later(ANCHOR_S, self._now_anchored, loop)

    def _now_anchored(self, loop: asyncio.AbstractEventLoop) -> None:
        self._anchoring = None
        loop.run_in_executor(None, partial(self.flush, anchor=True)).add_done_callback(_told)

    async def settle_soon(self) -> None:
        """`settle`, at once where anything but an allow waits; what was merely allowed is written a moment later.

        For where nothing takes effect yet: a tool that does not only read, a person's question and the end of a run
        call `settle`.

        Raises:
            StoreError: As `flush`; what is written later is told by the next `settle`.
        """
        if not self._pressing and not self.lost and len(self._pending) * 2 < self.capacity:
            if self._pending:
                self._write_soon()
            return
        await self.settle()

    def _write_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._since is None:
            self._since = loop.time()
        if self._soon is not loop:
            self._soon = loop
            loop.call_later(SOON_S, self._now_due, loop)

    def _now_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """What waited when this was set may be written by now; the time of what waits now may be later."""
        self._soon = None
        if not self._pending:
            return
        # what came while a thread wrote the others has no time of its own: it is written now
        left = 0.0 if (since := self._since) is None else since + SOON_S - loop.time()
        if left > _SLACK_S:
            self._soon = loop
            loop.call_later(left, self._now_due, loop)
        elif not self._at_once():
            loop.run_in_executor(None, self.flush).add_done_callback(_told)

    def _at_once(self) -> bool:
        """Write what waits here and now, where nobody else holds the file: a thread would cost more than the write."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._waits(0)
            self._write(False)
        except sqlite3.Error:
            return False  # `flush` waits for whoever holds it, and says what is wrong
        finally:
            self._lock.release()
        return True

    def _waits(self, milliseconds: int) -> None:
        if milliseconds != self._patience_ms:
            self._db.execute(f"PRAGMA busy_timeout={milliseconds}")
            self._patience_ms = milliseconds

    def flush(self, *, anchor: bool = False) -> None:
        """Write what waits, in one transaction; with `anchor`, down to the disk and with a line in the anchor file.

        Raises:
            StoreError: The file cannot be written. Everything is kept for the next time, up to `capacity`.
        """
        with self._lock:
            try:
                self._waits(_PATIENCE_MS)
                self._write(anchor)
                if anchor and self._unanchored:
                    self._sync()
                    self._anchor()
                    self._unanchored = False
            except (sqlite3.Error, OSError) as error:
                raise StoreError(
                    f"the audit log {self.path} cannot be written: {error}.",
                    way_out=f"Free the disk or the file; {self.pending} decisions wait to be written.",
                ) from error

    def close(self) -> None:
        """Write what waits and close the file; what cannot be written is told by the program's log."""
        try:
            self.flush(anchor=True)
        except StoreError as error:
            _log.critical("%s", error, extra={"error_id": error.error_id})
        with self._lock:
            self._db.close()

    def user(self, tenant: str, name: str) -> str:
        """How a user stands in the rows."""
        return self._rows.user(tenant, name)

    def _write(self, durable: bool) -> None:
        pressing, self._pressing = self._pressing, False
        count, lost = len(self._pending), self.lost
        if not count and not lost:
            return
        try:
            if durable is not self._durable:
                self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._durable = durable
            self._db.execute("BEGIN IMMEDIATE")
            seq, head = self._head()
            rows = []
            made = [self._rows.row(seq + at, *self._pending[at - 1]) for at in range(1, count + 1)]
            for encoded, code in chain(self._key, head, [*made, *_gap(seq + count + 1, lost)]):
                seq += 1
                rows.append((seq, bytearray(encoded), bytearray(code)))  # sqlite3 looks for an adapter of bytes
            self._db.executemany("INSERT INTO decisions VALUES (?,?,?)", rows)
            self._db.execute("COMMIT")
        except BaseException:
            self._pressing = self._pressing or pressing
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        for _ in range(count):
            self._pending.popleft()
        self._since = None
        self.lost -= lost
        self._unanchored = True

    def _head(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT seq, hash FROM decisions ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], bytes(row[1])) if row else (0, FIRST)

    def _sync(self) -> None:
        """Bring rows that were committed without it down to the disk: an anchor must not outlive what it anchors."""
        if not self._durable:
            with suppress(FileNotFoundError), open(f"{self.path}-wal", "r+b") as log:
                os.fsync(log.fileno())

    def _anchor(self) -> None:
        """How many rows there are and the hash of the last: what rows cut from the end are missed by."""
        count, head = self._head()
        line = f"{count:020d} {head.hex()}"
        line = f"{line} {hmac.digest(self._key, line.encode(), 'sha256').hex()}\n"
        with open(self.anchors, "ab") as file:
            if torn := os.fstat(file.fileno()).st_size % ANCHOR_BYTES:
                file.truncate(os.fstat(file.fileno()).st_size - torn)
            file.write(line.encode())


def anchors_of(path: Path) -> Path:
    """Where the anchors of a log lie."""
    return path.with_suffix(".anchors")


def _gap(seq: int, lost: int) -> Sequence[bytes]:
    return [orjson.dumps({"seq": seq, "kind": "gap", "verdict": "lost", "lost": lost})] if lost else []


def _told(writing: asyncio.Future[None]) -> None:
    """What could not be written waits on, and the next `settle` raises it."""
    if not writing.cancelled() and (error := writing.exception()) is not None:
        _log.warning("%s", error)
