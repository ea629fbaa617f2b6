"""Passage: a piece of a document that answers a query, with where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.memory.documents.filters import Value


@dataclass(frozen=True, kw_only=True)
class Passage:
    """Whole lines of one file."""

    text: str
    """The lines as they stand in the file, joined by a newline."""
    path: str
    """From the folder's own name on, with forward slashes: `handbook/returns.md`."""
    start_line: int
    """1-based, inclusive."""
    end_line: int
    """1-based, inclusive."""
    heading: str
    """The headings above, outermost first: `Returns > Damaged goods`; empty where there is none."""
    score: float
    """Reciprocal rank fusion; only good for comparing passages of one search."""
    version: str
    """Hash of the file's bytes as they were when it was indexed."""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    """What the page says of itself in its front matter."""

    @property
    def citation(self) -> str:
        """`[handbook/returns.md:12-18]`."""
        return f"[{self.path}:{self.start_line}-{self.end_line}]"
