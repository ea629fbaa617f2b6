"""The artefact store: large values by the hash of their bytes, within a tenant.

What a tool returns above a size, and documents' text, lies here once; messages, spans and tapes refer to it by id.
"""

from __future__ import annotations

from pathlib import Path

from segue.base.errors import BadInput
from segue.base.ids import content_hash
from segue.base.rows import Rows, Tables, in_both

_SCHEMA = in_both(
    """CREATE TABLE IF NOT EXISTS @artefacts (
        tenant TEXT NOT NULL, artefact_id TEXT NOT NULL, media_type TEXT NOT NULL, data BLOB NOT NULL,
        PRIMARY KEY (tenant, artefact_id))""",
    "CREATE INDEX IF NOT EXISTS @artefacts_by_type ON @artefacts (tenant, media_type)",
)


class ArtefactStore:
    """Bytes by hash, in one SQLite file or a database that is open. Safe from any thread; every call blocks.

    What is erased is overwritten in a file; in PostgreSQL its vacuum does that.
    """

    def __init__(self, place: Path | str | Rows) -> None:
        self._tables = Tables(place, _SCHEMA)

    def put(self, tenant: str, data: bytes, media_type: str = "application/json") -> str:
        """Keep the bytes and return their id, `art_…`; the same bytes have the same id within a tenant."""
        artefact_id = f"art_{content_hash(data)}"
        self._tables.execute(
            "INSERT INTO @artefacts VALUES (?,?,?,?) ON CONFLICT DO NOTHING", (tenant, artefact_id, media_type, data)
        )
        return artefact_id

    def get(self, tenant: str, artefact_id: str) -> tuple[str, bytes]:
        """The media type and the bytes.

        Raises:
            BadInput: This tenant has no artefact of this id.
        """
        found = self._tables.execute(
            "SELECT media_type, data FROM @artefacts WHERE tenant = ? AND artefact_id = ?", (tenant, artefact_id)
        )
        if not found:
            raise BadInput(f"no artefact {artefact_id!r} in tenant {tenant!r}")
        return found[0][0], found[0][1]

    def of_type(self, tenant: str, media_type: str) -> list[str]:
        """The ids of what a tenant keeps of a media type, in no order."""
        found = self._tables.execute(
            "SELECT artefact_id FROM @artefacts WHERE tenant = ? AND media_type = ?", (tenant, media_type)
        )
        return [row[0] for row in found]

    def erase(self, tenant: str, artefact_id: str) -> None:
        """Forget the bytes, in the file and in its log; nothing happens where there are none."""
        self._tables.execute("DELETE FROM @artefacts WHERE tenant = ? AND artefact_id = ?", (tenant, artefact_id))
        if self._tables.own is not None:
            self._tables.own.empty_log()

    def close(self) -> None:
        """Close the file, where it is one."""
        self._tables.close()
