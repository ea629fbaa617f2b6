"""The artefact store: large values by the hash of their bytes, within a tenant.

What a tool returns above a size, and documents' text, lies here once; messages, spans and tapes refer to it by id.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from segue.base.errors import BadInput
from segue.base.ids import content_hash
from segue.base.stores import BUSY_S, store_errors, use_wal

_SCHEMA = """
CREATE TABLE IF NOT EXISTS artefacts (
    tenant TEXT NOT NULL, artefact_id TEXT NOT NULL, media_type TEXT NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (tenant, artefact_id)
);
"""


class ArtefactStore:
    """Bytes by hash, in one SQLite file. Safe from any thread; what is erased is overwritten on disk."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, timeout=BUSY_S)
        use_wal(self._db)
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)

    def put(self, tenant: str, data: bytes, media_type: str = "application/json") -> str:
        """Keep the bytes and return their id, `art_…`; the same bytes have the same id within a tenant."""
        artefact_id = f"art_{content_hash(data)}"
        with store_errors(self._path), self._lock, self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO artefacts VALUES (?,?,?,?)", (tenant, artefact_id, media_type, data)
            )
        return artefact_id

    def get(self, tenant: str, artefact_id: str) -> tuple[str, bytes]:
        """The media type and the bytes.

        Raises:
            BadInput: This tenant has no artefact of this id.
        """
        with store_errors(self._path), self._lock:
            row = self._db.execute(
                "SELECT media_type, data FROM artefacts WHERE tenant = ? AND artefact_id = ?", (tenant, artefact_id)
            ).fetchone()
        if row is None:
            raise BadInput(f"no artefact {artefact_id!r} in tenant {tenant!r}")
        return row[0], row[1]

    def erase(self, tenant: str, artefact_id: str) -> None:
        """Forget the bytes, in the file and in its log; nothing happens where there are none."""
        with store_errors(self._path), self._lock:
            with self._db:
                self._db.execute("DELETE FROM artefacts WHERE tenant = ? AND artefact_id = ?", (tenant, artefact_id))
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()
