"""Personal data in a text: `find(text)` says where it stands and of which kind it is.

The detectors are those of redaction and of the rail `no_pii`, in `segue.tracing.detectors`.
"""

from __future__ import annotations

from typing import NamedTuple

from segue.tracing.detectors import PII_KINDS, find_pii

__all__ = ["KINDS", "Span", "find"]

KINDS = PII_KINDS


class Span(NamedTuple):
    """A part of a text."""

    start: int
    end: int
    """Behind its last character."""
    kind: str
    """One of `KINDS`."""


def find(text: str) -> list[Span]:
    """Where personal data stands, in order and none within another."""
    return [Span(start, end, kind) for kind, start, end in find_pii(text)]
