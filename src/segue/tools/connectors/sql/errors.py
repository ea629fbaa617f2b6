"""What is wrong with a query, said so that whoever wrote it can mend it: a model reads these as failed tool results."""

from __future__ import annotations

from collections.abc import Iterable

from segue.tools.connectors.near import near


class QueryError(ValueError):
    """A query that cannot be run as it stands."""


class UnknownName(QueryError):
    """A table, view or column that is not there."""

    def __init__(self, kind: str, name: str, held: Iterable[str], *, where: str = "") -> None:
        self.kind, self.name, self.held = kind, name, sorted(set(held))
        super().__init__(f"no {kind} named {name!r}{where}; {near(name, self.held)}")


class NotAllowed(QueryError):
    """A statement that reads what it may not, or does more than read."""


class QueryTimeout(QueryError):
    """A statement that ran past its time."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(
            f"the query was stopped after {timeout_s:g} s. Narrow it: filter by date, group, or join along keys."
        )
        self.timeout_s = timeout_s
