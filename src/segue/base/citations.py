"""Citations: how a place in a document is named in a text, such as `[handbook/returns.md:12-18]`."""

from __future__ import annotations

from dataclasses import dataclass

from segue.base.patterns import lazy_pattern

CITED = lazy_pattern(r"\[([^\[\]\s:]+(?: [^\[\]\s:]+)*):(\d+)(?:[-\u2013](\d+))?\]")


@dataclass(frozen=True)
class Cited:
    """A place that a text cites: `[handbook/returns.md:12-18]`."""

    source: str
    first: int
    last: int

    def within(self, other: Cited) -> bool:
        """Whether all of its lines are the other's, too."""
        return self.source == other.source and other.first <= self.first and self.last <= other.last

    def __str__(self) -> str:
        return f"[{self.source}:{self.first}-{self.last}]"


def citations_in(text: str) -> list[Cited]:
    """The citations of a text, in their order, each once."""
    found = [Cited(path, int(first), int(last or first)) for path, first, last in CITED.findall(text)]
    return list(dict.fromkeys(found))
