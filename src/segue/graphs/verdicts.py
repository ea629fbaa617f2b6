"""Verdicts: what will become of a stored thread in a graph that has changed, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

VerdictKind = Literal["resumes", "needs migration", "breaks"]
"""`resumes`: it goes on with nothing lost. `needs migration`: as it stands something would be lost or fail, and a
migration of state or names mends it. `breaks`: none does."""

_ORDER: tuple[VerdictKind, ...] = ("resumes", "needs migration", "breaks")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing in a stored thread that the graph takes otherwise now."""

    kind: VerdictKind
    """`resumes` is worth knowing only."""
    where: str
    """A node, a channel with the path into its value, a tool, a join; `worker > …` inside a graph inside."""
    expected: str
    """What the graph wants."""
    found: str
    """What the thread holds."""
    way_out: str = ""

    def inside(self, label: str) -> Finding:
        """The same, found in the graph that this node holds."""
        return replace(self, where=f"{label} > {self.where}")

    def __str__(self) -> str:
        return f"{self.where}: wanted {self.expected}; there is {self.found}. {self.way_out}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What will become of one thread."""

    kind: VerdictKind
    findings: tuple[Finding, ...] = ()
    migrations: tuple[str, ...] = ()
    """The migrations that are applied first; `kind` is what holds after them."""
    stored: str = ""
    """The version and hash of the graph that the thread is stamped with; empty where with none."""
    next: tuple[str, ...] = ()
    """The nodes that run next; none at rest."""
    changes: tuple[str, ...] = ()
    """What of the graph is otherwise than it was when the thread was written, in words; empty where that graph is not
    known."""
    thread_id: str = ""
    tenant: str = ""
    run_id: str = ""
    """The newest run of the thread, and its status."""
    status: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        return "; ".join([self.kind, *map(str, self.findings)])


def verdict_of(findings: Iterable[Finding], **more: Any) -> Verdict:
    """The verdict that the findings come to: the worst of them."""
    held = tuple(dict.fromkeys(findings))
    worst = max((_ORDER.index(each.kind) for each in held), default=0)
    ordered = tuple(sorted(held, key=lambda each: -_ORDER.index(each.kind)))
    return Verdict(kind=_ORDER[worst], findings=ordered, **more)
