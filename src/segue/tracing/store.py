"""The trace store: spans in, one SQLite file or a database, spans out by run; what `segue trace` shows.

Names and attributes are redacted before they are written; payloads are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from segue.base.rows import Rows, Tables, in_both, inserted
from segue.tracing.observed import KINDS
from segue.tracing.redaction import Redaction, Redactor
from segue.tracing.spans import SpanKind, SpanRow
from segue.tracing.uses import SCHEMA as USES
from segue.tracing.uses import Use, uses_in

_SCHEMA = in_both(
    """CREATE TABLE IF NOT EXISTS @spans (
        tenant TEXT NOT NULL, trace_id TEXT NOT NULL, span_id TEXT NOT NULL, parent_id TEXT NOT NULL,
        run_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL, status TEXT NOT NULL, attributes BLOB NOT NULL,
        PRIMARY KEY (tenant, run_id, span_id)) WITHOUT ROWID""",  # the spans of a run lie side by side
    "DROP INDEX IF EXISTS @spans_by_run",  # of earlier versions: the key finds them, and a run's are few to sort
    "CREATE INDEX IF NOT EXISTS @spans_generations ON @spans (tenant, start_ns) WHERE kind = 'generation'",
    "CREATE INDEX IF NOT EXISTS @spans_by_time ON @spans (start_ns)"
    " WHERE kind IN ('run', 'generation', 'tool', 'verdict')",
)


_VERDICTS, _SHORT = 512, 512
"""Verdicts' attributes that are remembered as they are kept, and their bytes at most."""
_TASK = "segue.graph_task"
_AT_ONCE = 200
"""Runs that one transaction takes out."""


class Forgotten(NamedTuple):
    """What was taken out."""

    spans: int
    artefacts: tuple[str, ...] = ()
    """Ids of artefacts that only tool calls of these runs had; they lie in the artefact store still."""


class TraceStore:
    """A sink that keeps spans, and reads them back by run. Safe from any thread.

    Args:
        place: The file, made where there is none; or a database that is open, which stays open.
        redact: What takes out of names and attributes what must not lie here; `None` takes secrets and personal data.
    """

    def __init__(self, place: Path | str | Rows, *, redact: Redactor | None = None) -> None:
        self._redaction = Redaction(redact)
        self._verdicts: dict[tuple[tuple[str, Any], ...], bytes] = {}
        schema = {dialect: (*_SCHEMA[dialect], *USES[dialect]) for dialect in _SCHEMA}
        self._tables = Tables(place, schema)

    @property
    def rows(self) -> Rows:
        """The database that they lie in, for what lies beside them."""
        return self._tables.rows

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Keep a batch; a span that is there already is left as it is.

        Raises:
            StoreError: It cannot be kept.
        """
        text = self._redaction.text
        encoded = [(*row[:6], _text(text(row[6])), *row[7:10], bytearray(self._attributes(row))) for row in rows]
        statements = inserted("@spans", encoded, more="ON CONFLICT DO NOTHING")
        if used := uses_in(rows, text):
            statements += inserted("@uses", used, more="ON CONFLICT DO NOTHING")
        self._tables.transaction(statements)

    def _attributes(self, row: SpanRow) -> bytes:
        """As they are kept. Verdicts of a rail say the same over and over, and are made once."""
        if row.kind == "edge":
            return self._edge(dict(row.attributes))
        if row.kind != "verdict":
            return _encoded(self._redaction.mapping(row.attributes))
        try:
            key = tuple(row.attributes.items())
            known = self._verdicts.get(key)
        except TypeError:  # a value that is no key
            return _encoded(self._redaction.mapping(row.attributes))
        if known is None:
            known = _encoded(self._redaction.mapping(row.attributes))
            if len(known) <= _SHORT and all(type(value) is str for _, value in key):  # True and 1 are one key
                if len(self._verdicts) >= _VERDICTS:
                    self._verdicts.clear()
                self._verdicts[key] = known
        return known

    def _edge(self, held: dict[str, Any]) -> bytes:
        """An edge's: the id of its task is ours, another one for each, and not worth to be looked through."""
        task = held.pop(_TASK, None)
        found = self._redaction.mapping(held)
        if task is not None:
            found[_TASK] = task
        return _encoded(found)

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

    def between(
        self, begin_ns: int, end_ns: int, *, tenant: str = "", kinds: Sequence[SpanKind] = KINDS, limit: int = 200_000
    ) -> list[SpanRow]:
        """The runs, generations, tool calls and verdicts that began in a stretch of time, newest first. Blocks.

        Args:
            begin_ns: Since 1970, inclusive.
            end_ns: Exclusive.
            tenant: Whose; empty for all tenants.
            kinds: Which of the four.
            limit: How many at most; the newest are taken.

        Raises:
            StoreError: They cannot be read.
        """
        whose, held = ("AND tenant = ?", (tenant,)) if tenant else ("", ())
        rows = self._tables.execute(
            "SELECT * FROM @spans WHERE kind IN ('run', 'generation', 'tool', 'verdict') AND start_ns >= ? "
            f"AND start_ns < ? {whose} ORDER BY start_ns DESC LIMIT ?",
            (begin_ns, end_ns, *held, limit),
        )
        return [SpanRow._make((*row[:-1], orjson.loads(row[-1]), None)) for row in rows if row[5] in kinds]

    def uses(self, run_id: str, *, tenant: str) -> list[Use]:
        """The documents and artefacts that the tool calls of a run gave to the model, in their order. Blocks.

        Raises:
            StoreError: They cannot be read.
        """
        return self._uses("tenant = ? AND run_id = ? ORDER BY at_ns, name, first_line", (tenant, run_id))

    def uses_of(self, document: str, *, tenant: str, version: str = "", limit: int = 1_000) -> list[Use]:
        """Who read a document, newest first: by its path or the path's end, in one version or any. Blocks.

        Raises:
            StoreError: They cannot be read.
        """
        named = self._redaction.text(document)
        end = "".join(f"\\{each}" if each in "%_\\" else each for each in named)
        where, held = (
            "tenant = ? AND what = 'document' AND (name = ? OR name LIKE ? ESCAPE '\\')",
            [tenant, named, f"%/{end}"],
        )
        if version:
            where, held = f"{where} AND version LIKE ?", [*held, f"{version}%"]
        return self._uses(f"{where} ORDER BY at_ns DESC LIMIT ?", (*held, limit))

    def _uses(self, where: str, values: Sequence[Any]) -> list[Use]:
        return [Use._make(row) for row in self._tables.execute(f"SELECT * FROM @uses WHERE {where}", values)]

    def forget(self, run_ids: Sequence[str], *, tenant: str) -> Forgotten:
        """Take out all spans of these runs, so that nothing of them is left in the file. Blocks.

        What was recorded a moment ago may still be on its way: flush the tracer before.

        Raises:
            StoreError: They cannot be taken out.
        """
        count, orphans = 0, set[str]()
        for start in range(0, len(run_ids), _AT_ONCE):
            part = run_ids[start : start + _AT_ONCE]
            marks, held = ", ".join("?" * len(part)), (tenant, *part)
            mine = f"tenant = ? AND run_id IN ({marks})"
            gone = self._tables.transaction([
                (f"DELETE FROM @spans WHERE {mine} RETURNING 1", held),
                (f"DELETE FROM @uses WHERE {mine} RETURNING what, name", held),
            ])  # fmt: skip
            count += len(gone[0])
            orphans |= {name for what, name in gone[1] if what == "artefact"}
        left = "SELECT 1 FROM @uses WHERE tenant = ? AND what = 'artefact' AND name = ? LIMIT 1"
        unused = [each for each in sorted(orphans) if not self._tables.execute(left, (tenant, each))]
        if self._tables.own is not None:
            self._tables.own.empty_log()
        return Forgotten(count, tuple(unused))

    def sweep(self, before_ns: int, *, tenant: str | None = None, but: Collection[str] = ()) -> int:
        """Take out the spans of runs whose last span began before; how many. Blocks.

        Args:
            before_ns: Since 1970.
            tenant: Whose; `None` for all but `but`.
            but: Tenants that are left alone.

        Raises:
            StoreError: They cannot be taken out.
        """
        who, held = "1 = 1", tuple[str, ...]()
        if tenant is not None:
            who, held = "tenant = ?", (tenant,)
        elif but:
            who, held = f"tenant NOT IN ({', '.join('?' * len(but))})", tuple(but)
        count = 0
        old = f"SELECT tenant, run_id FROM @spans WHERE {who} GROUP BY tenant, run_id HAVING max(start_ns) < ? LIMIT ?"
        while found := self._tables.execute(old, (*held, before_ns, _AT_ONCE)):
            by_tenant: dict[str, list[str]] = {}
            for whose, run_id in found:
                by_tenant.setdefault(whose, []).append(run_id)
            count += sum(self.forget(run_ids, tenant=whose).spans for whose, run_ids in by_tenant.items())
        return count

    def close(self) -> None:
        """Close the file, where it is one."""
        self._tables.close()


def _text(name: str) -> str:
    """Without the one character that PostgreSQL's text does not take."""
    return name.replace("\x00", "") if "\x00" in name else name


def _encoded(attributes: dict[str, Any]) -> bytes:
    """As JSON; what JSON does not take becomes text, so that one odd value does not cost a whole batch."""
    try:
        return orjson.dumps(attributes, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        plain = {str(key): str(value).encode(errors="replace").decode() for key, value in attributes.items()}
        return orjson.dumps(plain)
