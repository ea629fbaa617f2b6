"""Finding: where something stands in a text that should not be seen by everybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Finding(NamedTuple):
    """Where something stands in a text that should not be seen by everybody."""

    kind: str
    """One of `SECRET_KINDS` or of `PII_KINDS`, in `segue.tracing.detectors`."""
    start: int
    end: int
    """Behind its last character."""


def holds(text: str, words: Iterable[str]) -> bool:
    """Whether one of the words stands in the text. A plain loop: every detector begins with it."""
    for word in words:  # noqa: SIM110
        if word in text:
            return True
    return False


def apart(found: list[Finding]) -> list[Finding]:
    """The findings in order; of two that overlap the one that begins first, and of these the longer."""
    if len(found) < 2:
        return found
    out: list[Finding] = []
    for finding in sorted(found, key=lambda each: (each.start, -each.end)):
        if not out or finding.start >= out[-1].end:
            out.append(finding)
        elif finding.end > out[-1].end:
            out[-1] = out[-1]._replace(end=finding.end)
    return out
