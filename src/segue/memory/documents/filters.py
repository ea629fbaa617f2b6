"""Filters: which sources a search may look at. A source in, yes or no out.

Every index asks here, so that a filter means the same in each of them: it is judged against what is known of the
sources, and only the paths that fit reach the index's own language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from segue.base.errors import BadInput

if TYPE_CHECKING:
    from segue.memory.documents.index import Source

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]
"""What a source may say of itself under one name."""


@dataclass(frozen=True)
class Between:
    """A range with its ends; `None` leaves an end open.

    Numbers are compared with numbers and texts with texts, these by code point, so that dates written `2026-01-31` are
    in their order.
    """

    low: str | int | float | None = None
    high: str | int | float | None = None

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        kinds = {_kind(end) for end in ends}
        if not ends or len(kinds) > 1 or not kinds <= {"number", "text"}:
            raise BadInput(
                f"a range goes from a number to a number or from a text to a text, not from {self.low!r} to "
                f"{self.high!r}.",
                way_out="Write Between(2020, 2024) or Between('2026-01-01', None).",
            )

    def holds(self, value: Scalar) -> bool:
        """Whether the value lies in the range."""
        if _kind(value) != _kind(self.low if self.low is not None else self.high):
            return False
        return (self.low is None or value >= self.low) and (  # type: ignore[operator]
            self.high is None or value <= self.high  # type: ignore[operator]
        )


Condition = Scalar | tuple[Scalar, ...] | list[Scalar] | Between
"""Equal to a value, one of several, or within a range."""


@dataclass(frozen=True, kw_only=True)
class PassageFilter:
    """Narrows a search; each field that is given must fit."""

    paths: tuple[str, ...] = ()
    """Shell patterns over the whole path, `handbook/*.md`; one that fits is enough."""
    where: Mapping[str, Condition] = field(default_factory=dict)
    """What the source must say of itself: `{"team": "shop", "lang": ("de", "en"), "year": Between(2020, 2024)}`. Names
    are those of the page's front matter, and `path` and `title`. A source that says nothing under a name does not fit;
    one that says several things fits by any of them. Upper and lower case differ; `1` is `1.0`, and neither is `true`
    nor `"1"`."""

    def __post_init__(self) -> None:
        for name, wanted in self.where.items():
            _check(name, wanted)

    @property
    def is_empty(self) -> bool:
        """Whether everything fits."""
        return not self.paths and not self.where

    def fits(self, source: Source) -> bool:
        """Whether passages of this source are wanted."""
        if self.paths and not any(fnmatchcase(source.path, pattern) for pattern in self.paths):
            return False
        known = {"path": source.path, "title": source.title, **source.metadata} if self.where else {}
        return all(name in known and _meets(known[name], wanted) for name, wanted in self.where.items())


def dumped(metadata: Mapping[str, Value]) -> str:
    """What a source says of itself, as JSON."""
    return json.dumps(dict(metadata), ensure_ascii=True, sort_keys=True)


def loaded(text: str) -> dict[str, Value]:
    """What `dumped` made a text of."""
    held = json.loads(text or "{}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in held.items()}


def _check(name: str, wanted: Any) -> None:
    several = wanted if isinstance(wanted, tuple | list) else (wanted,)
    if isinstance(wanted, Between) or (several and all(_kind(each) for each in several)):
        return
    raise BadInput(
        f"the filter on {name!r} is {wanted!r}, which is no condition.",
        way_out="Give a text, a number or true or false; a list of those; or Between(low, high).",
    )


def _meets(value: Value, wanted: Condition) -> bool:
    said = value if isinstance(value, tuple) else (value,)
    if isinstance(wanted, Between):
        return any(wanted.holds(each) for each in said)
    several = wanted if isinstance(wanted, tuple | list) else (wanted,)
    return any(_kind(one) == _kind(each) and one == each for one in said for each in several)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else ""
