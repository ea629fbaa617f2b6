"""The write-ahead log of a SQLite file: kept short by a thread, so that no writer pays for the disk's sync.

Pages are first copied while writers go on; what little they added meanwhile is then copied under the write lock, and
the log begins anew, in the same place on the disk: to have it grow costs more than to write over it. It is cut to
nothing only where somebody asks for that. Whoever wants to write in those milliseconds finds the file locked and tries
again; our own writers stand back by themselves, since they would never let go of it for long enough.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal

LONG_FRAMES = 1_000
"""A log of more pages than this is brought home."""
_LOOK_EVERY = 64
_HEADER, _FRAME_HEADER = 32, 24
"""Bytes at the beginning of a log, and before each page in it: https://www.sqlite.org/fileformat2.html#walformat."""
KEPT_BYTES = 16 * 1024 * 1024
"""A log that somebody's long read made longer than this is cut to it once it begins anew."""


class WalKeeper:
    """Watches the log of one file. `wrote` and `wait` are called under the lock of whoever writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = f"{path}-wal"
        self._writes = 0
        self._thread: threading.Thread | None = None
        self.wanted = False
        """Whether the log is about to be cut: writers of this process stand back."""

    def wrote(self) -> None:
        """A commit was made; now and then this looks at how long the log is."""
        self._writes += 1
        if self._writes % _LOOK_EVERY:
            return
        if self._thread is not None and self._thread.is_alive():
            return
        if self._is_long():
            self._thread = threading.Thread(target=self._bring_home, args=("RESTART",), name="segue-wal", daemon=True)
            self._thread.start()

    def _is_long(self) -> bool:
        """Whether a page stands where the log is long that was written since the log began anew.

        By the log itself, whose length on the disk says nothing: its index knows, but whoever opens and closes that
        takes the locks away which SQLite holds on it.
        """
        with suppress(OSError), open(self._log, "rb", buffering=0) as log:
            header = log.read(_HEADER)
            log.seek(_HEADER + LONG_FRAMES * (_FRAME_HEADER + int.from_bytes(header[8:12])))
            return len(header) == _HEADER and log.read(_FRAME_HEADER)[8:16] == header[16:24]
        return False

    def wait(self) -> None:
        """Until the thread is done."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def empty(self) -> None:
        """Copy the log into the file and cut it, as far as readers and writers let it; blocks meanwhile.

        What cannot be done now is done the next time: nothing is lost, and the log only stays longer.
        """
        self._bring_home("TRUNCATE")

    def _bring_home(self, how: Literal["RESTART", "TRUNCATE"]) -> None:
        with suppress(sqlite3.Error):
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0, isolation_level=None
            )
            try:
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self.wanted = True
                db.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            finally:
                self.wanted = False
                db.close()
