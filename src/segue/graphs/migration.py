"""Migration: what people write so that threads of an older graph go on in a newer one.

In: functions from one version's state to the next one's, and new names of nodes. Out: the chain that leads from the
version a thread was stamped with to the graph's own. How a chain is applied to checkpoints is in `carrying`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from segue.base.errors import UserError

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""The stored state, a dict of its channels, in; the whole new state out. A channel that is left out is dropped."""


class MigrationFailed(UserError):
    """A migration could not be applied to a thread; the thread is as it was."""


@dataclass(frozen=True)
class Migration:
    """One step from a version to the next."""

    change: Change | None = None
    """`None` leaves the state as it is."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Old names of nodes to the new ones."""
    inside: Mapping[str, Migration] = field(default_factory=dict)
    """For the graphs inside, by the old names of the nodes that hold them."""
    end: str = ""
    """The version that it leads to; in a dict of migrations that is the next key, and the graph's own at the end."""

    @property
    def name(self) -> str:
        """What messages call its function."""
        return getattr(self.change, "__qualname__", None) or (repr(self.change) if self.change else "renames only")


@dataclass(frozen=True)
class Step:
    """A migration with the version that it starts from."""

    start: str
    migration: Migration

    def __str__(self) -> str:
        return f"{self.start or 'no version'} → {self.migration.end}"


def read_migrations(given: Mapping[str, Any] | None, version: str) -> dict[str, Migration]:
    """Migrations by the version that they start from, each with the version that it leads to.

    Args:
        given: Functions or `Migration`s by the version they start from, oldest first; `""` are threads from before
            the graph had a version.
        version: The graph's own.

    Raises:
        UserError: An item is neither, or there are migrations and no version to lead to.
    """
    if not given:
        return {}
    if not version:
        raise UserError("migrations lead to a version, and this graph has none.", way_out="Give version=… beside them.")
    ends = [*(end for _, end in pairwise(given)), version]
    return {start: _migration(item, start, end) for (start, item), end in zip(given.items(), ends, strict=True)}


def _migration(item: Any, start: str, end: str) -> Migration:
    if isinstance(item, Migration):
        return item if item.end else replace(item, end=end)
    if not callable(item):
        raise UserError(f"migrations[{start!r}] is {item!r}; it is a function of the state, or a Migration")
    return Migration(item, end=end)


def chain(migrations: Mapping[str, Migration], start: str, end: str) -> list[Step]:
    """The steps from one version to another; none where they are the same, or nothing starts at the first.

    Raises:
        UserError: The migrations start there and do not lead to the end.
    """
    steps: list[Step] = []
    at = start
    while at != end and at in migrations:
        steps.append(Step(at, migrations[at]))
        at = migrations[at].end
        if any(step.start == at for step in steps):
            raise UserError(f"migrations go round: {', '.join(map(str, steps))}")
    if steps and at != end:
        raise UserError(
            f"migrations lead from version {start!r} to {at!r}, and the graph is at {end!r}.",
            way_out=f"Write the one that starts from {at!r}.",
        )
    return steps


def changed(step: Step, state: dict[str, Any], thread: str) -> dict[str, Any]:
    """The state after one step.

    Raises:
        MigrationFailed: The function raised, or gave no dict. The message names the thread and the function.
    """
    migration = step.migration
    if migration.change is None:
        return state
    try:
        found = migration.change(dict(state))
    except Exception as error:
        raise MigrationFailed(
            f"thread {thread}: the migration {step}, {migration.name}, raised {type(error).__name__}: {error}.",
            way_out="The thread is as it was; mend the function and check again: segue check.",
        ) from error
    if not isinstance(found, dict):
        raise MigrationFailed(
            f"thread {thread}: the migration {step}, {migration.name}, gave {type(found).__name__}; it returns the "
            "whole new state, a dict of channels."
        )
    return found
