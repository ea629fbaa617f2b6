"""The trace store: spans in, one SQLite file or a database, spans out by run; what `segue trace` shows.

Names and attributes are redacted before they are written; payloads are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from segue.base.rows import Rows, Tables, in_both, inserted
from segue.tracing.redaction import Redaction, Redactor
from segue.tracing.spans import SpanRow

_SCHEMA = in_both(
    """CREATE TABLE IF NOT EXISTS @spans (
        tenant TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT PRIMARY KEY, parent_id TEXT NOT NULL,
        run_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL, status TEXT NOT NULL, attributes BLOB NOT NULL) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS @spans_by_run ON @spans (tenant, run_id, start_ns)",
    "CREATE INDEX IF NOT EXISTS @spans_generations ON @spans (tenant, start_ns) WHERE kind = 'generation'",
)


class TraceStore:
    """A sink that keeps spans, and reads them back by run. Safe from any thread.

    Args:
        place: The file, made where there is none; or a database that is open, which stays open.
        redact: What takes out of names and attributes what must not lie here; `None` takes secrets and personal data.
    """

    def __init__(self, place: Path | str | Rows, *, redact: Redactor | None = None) -> None:
        self._redaction = Redaction(redact)
        self._tables = Tables(place, _SCHEMA)

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Keep a batch; a span that is there already is left as it is.

        Raises:
            StoreError: It cannot be kept.
        """
        seen = self._redaction
        encoded = [
            (*row[:6], _text(seen.text(row.name)), *row[7:10], _encoded(seen.data(row.attributes))) for row in rows
        ]
        self._tables.transaction(inserted("@spans", encoded, more="ON CONFLICT DO NOTHING"))

    def spans(self, run_id: str, *, tenant: str) -> list[SpanRow]:
        """The spans of one run, oldest first; empty where there is no such run in this tenant. Blocks.

        Raises:
            StoreError: They cannot be read.
        """
        rows = self._tables.execute(
            "SELECT * FROM @spans WHERE tenant = ? AND run_id = ? ORDER BY start_ns, end_ns DESC",
            (tenant, run_id),
        )
        return [SpanRow._make((*row[:-1], orjson.loads(row[-1]), None)) for row in rows]

    def generations(self, *, tenant: str, limit: int) -> list[SpanRow]:
        """The newest generations of a tenant, newest first. Blocks.

        Raises:
            StoreError: They cannot be read.
        """
        rows = self._tables.execute(
            "SELECT * FROM @spans WHERE tenant = ? AND kind = 'generation' ORDER BY start_ns DESC LIMIT ?",
            (tenant, limit),
        )
        return [SpanRow._make((*row[:-1], orjson.loads(row[-1]), None)) for row in rows]

    def close(self) -> None:
        """Close the file, where it is one."""
        self._tables.close()


def _text(name: str) -> str:
    """Without the one character that PostgreSQL's text does not take."""
    return name.replace("\x00", "")


def _encoded(attributes: dict[str, Any]) -> bytes:
    """As JSON; what JSON does not take becomes text, so that one odd value does not cost a whole batch."""
    try:
        return orjson.dumps(attributes, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        plain = {str(key): str(value).encode(errors="replace").decode() for key, value in attributes.items()}
        return orjson.dumps(plain)
