"""Rounds: what was measured side by side in, medians of paired ratios and a table out."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from processes import Column, Failed, Found


@dataclass(frozen=True)
class Beside:
    """A peer, and Segue measured right beside it; `None` where it was not."""

    peer: Column
    theirs: Found
    all_on: Found | None
    lean: Found | None = None


@dataclass
class Rounds:
    """All that was measured."""

    ours: Column
    lean: Column
    alone: list[Beside] = field(default_factory=list)
    """One run at a time."""
    many: list[Beside] = field(default_factory=list)
    """50 and 500 side by side."""
    streams: list[dict[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """What did not do what it was to do, and was left out of its round."""

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Say what is measured now; where it fails, it is left out and told in the end."""
        print(what, file=sys.stderr, flush=True)
        try:
            yield
        except Failed as error:
            print(f"left out: {error}", file=sys.stderr, flush=True)
            self.failed.append(f"{what}: {error}")

    def median(self, peer: Column, value: Callable[[Beside], float], *, many: bool = False) -> float | None:
        """The median over the rounds of a peer; `None` where it was in none."""
        held = [each for each in (self.many if many else self.alone) if each.peer == peer and each.all_on]
        return statistics.median(map(value, held)) if held else None

    def of(self, column: Column, side: int) -> list[Found]:
        """All that was found about a column, with so many runs side by side."""
        return [found for name, found in self.found() if name == column.name and found.has(side)]

    def found(self) -> Iterator[tuple[str, Found]]:
        """Everything, with the column's name."""
        for each in (*self.alone, *self.many):
            for column, found in ((self.ours, each.all_on), (self.lean, each.lean), (each.peer, each.theirs)):
                if found is not None:
                    yield column.name, found

    def frameworks(self) -> list[Column]:
        """Those that were measured, the one of the least CPU first."""
        held = {each.peer for each in self.alone if each.peer.framework}
        return sorted(held, key=lambda peer: self.median(peer, lambda each: each.theirs.cpu_ms) or 0.0)


def middle(values: Iterable[float]) -> float | None:
    """The median; `None` of none."""
    held = list(values)
    return statistics.median(held) if held else None


def table(rounds: Rounds) -> Iterator[str]:
    """A line for each, ours first, as Markdown."""
    heads = ("", "CPU ms", "mean CPU ms", "p50 ms", "runs/s at 50", "at 500", "KB a run at 500", "cold CPU s", "MB")
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    rows: dict[str, list[Found]] = {}
    for name, found in rounds.found():
        rows.setdefault(name, []).append(found)
    for name, held in rows.items():
        yield f"| {name} | {' | '.join(_cells(held))} |"


def _cells(held: list[Found]) -> Iterator[str]:
    asked: list[tuple[int, str, str]] = [
        (1, "cpu_ms_p10", ".2f"), (1, "cpu_ms_per_run", ".2f"), (1, "p50_ms", ".1f"), (50, "runs_per_s", ".0f"),
        (500, "runs_per_s", ".0f"), (500, "rss_per_concurrent_kb", ".0f"),
    ]  # fmt: skip
    for side, name, form in asked:
        values = [phase[name] for each in held for phase in each.phases if phase["concurrency"] == side]
        yield format(statistics.median(values), form) if values else "-"
    yield format(statistics.median(each.cold_cpu_s for each in held), ".2f")
    yield format(statistics.median(each.phases[0]["rss_base_mb"] for each in held), ".0f")
