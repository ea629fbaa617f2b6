"""The write-ahead log of a SQLite file: kept short by a thread, so that no writer pays for the disk's sync.

Pages are first copied while writers go on; what little they added meanwhile is then copied under the write lock, and
the log is cut to nothing. Whoever wants to write in those milliseconds finds the file locked and tries again; our own
writers stand back by themselves, since they would never let go of it for long enough.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

LONG_BYTES = 4 * 1024 * 1024
"""A log longer than this is brought home."""
_LOOK_EVERY = 64


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
        with suppress(OSError):
            if os.stat(self._log).st_size > LONG_BYTES:
                self._thread = threading.Thread(target=self.empty, name="segue-wal", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Until the thread is done."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def empty(self) -> None:
        """Copy the log into the file and cut it, as far as readers and writers let it; blocks meanwhile.

        What cannot be done now is done the next time: nothing is lost, and the log only stays longer.
        """
        with suppress(sqlite3.Error):
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode=rw", uri=True, timeout=1.0, isolation_level=None
            )
            try:
                db.execute("PRAGMA synchronous=NORMAL")
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self.wanted = True
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            finally:
                self.wanted = False
                db.close()
