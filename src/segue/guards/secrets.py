"""Secrets in a text: `find(text)` says where they stand and of which kind they are.

The detectors are those of redaction and of the rail `no_secrets`, in `segue.tracing.detectors`.
"""

from __future__ import annotations

from segue.guards.pii import Span
from segue.tracing.detectors import SECRET_KINDS, find_secrets

__all__ = ["KINDS", "Span", "find"]

KINDS = SECRET_KINDS


def find(text: str) -> list[Span]:
    """Where keys, tokens and passwords stand, in order and none within another."""
    return [Span(start, end, kind) for kind, start, end in find_secrets(text)]
