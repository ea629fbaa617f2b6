"""Uses: which documents and artefacts the tool calls of a run gave to the model; written beside its spans.

In: finished tool spans that say where their results were taken from. Out: rows by document and version, so that one
finds the runs that read it, and rows by run. Paths are redacted as all else is; no text lies here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from segue.base.rows import Row, in_both
from segue.tracing.redaction import Redactor
from segue.tracing.spans import SpanRow

SCHEMA = in_both(
    """CREATE TABLE IF NOT EXISTS @uses (
        tenant TEXT NOT NULL, what TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
        first_line INTEGER NOT NULL, last_line INTEGER NOT NULL, run_id TEXT NOT NULL, span_id TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        PRIMARY KEY (tenant, what, name, version, span_id, first_line, last_line)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS @uses_by_run ON @uses (tenant, run_id)",
)
_SOURCE = re.compile(r"(.*):(\d+)-(\d+)@(.*)", re.DOTALL)


class DocumentSource(NamedTuple):
    """Some lines of one version of a document."""

    path: str
    """As citations have it: `handbook/returns.md`."""
    first: int
    last: int
    version: str
    """Hash of its bytes; empty where it is not known."""
    score: float | None = None
    """What the search gave it; `None` where it was not searched for."""

    def text(self) -> str:
        """As it stands in a span: `handbook/returns.md:12-18@VERSION`."""
        return f"{self.path}:{self.first}-{self.last}@{self.version}"


class Use(NamedTuple):
    """A document or an artefact that a tool call gave to the model."""

    tenant: str
    what: Literal["document", "artefact"]
    name: str
    """A path, or an artefact's id."""
    version: str
    first: int
    last: int
    run_id: str
    span_id: str
    """Of the tool call."""
    at_ns: int
    """When the call ended, since 1970."""


def source_in(text: str) -> DocumentSource | None:
    """What `DocumentSource.text` made; `None` of anything else."""
    found = _SOURCE.fullmatch(text)
    return DocumentSource(found[1], int(found[2]), int(found[3]), found[4]) if found else None


def uses_in(rows: Sequence[SpanRow], redact: Redactor) -> list[Row]:
    """The uses that a batch of spans tells of."""
    found: list[Use] = []
    for row in rows:
        if row.kind != "tool":
            continue
        place = (row.run_id, row.span_id, row.end_ns)
        for each in row.attributes.get("segue.sources") or ():
            if isinstance(each, str) and (source := source_in(each)) is not None:
                path = redact(source.path).replace("\x00", "")
                found.append(Use(row.tenant, "document", path, source.version, source.first, source.last, *place))
        if artefact := row.attributes.get("segue.artefact_id"):
            found.append(Use(row.tenant, "artefact", str(artefact), "", 0, 0, *place))
    return [tuple(each) for each in dict.fromkeys(found)]
