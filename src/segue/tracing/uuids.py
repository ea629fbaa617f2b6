"""UUIDs: findings in a text in, those that do not stand in a UUID out.

Of some thousand UUIDs one has digits whose checksum is a card's or an account's by chance. They are ids of tasks and
checkpoints, by which traces are put together, and identify nobody.
"""

from __future__ import annotations

import re
from typing import Protocol, TypeVar

from segue.base.patterns import lazy_pattern

_UUID = lazy_pattern(
    r"(?<![\w-])(?=[\d-]*[a-f])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\w-])", re.IGNORECASE
)


def is_uuid(text: str) -> bool:
    """Whether the text is a UUID and nothing else; one of digits alone is taken for none."""
    return len(text) == 36 and _UUID.fullmatch(text) is not None


class Placed(Protocol):
    """What has a place in a text."""

    @property
    def start(self) -> int:
        """Its first character."""
        ...

    @property
    def end(self) -> int:
        """The one behind its last."""
        ...


PlacedT = TypeVar("PlacedT", bound=Placed)


def outside_uuids(text: str, found: list[PlacedT]) -> list[PlacedT]:
    """Those that do not touch a UUID; one of digits alone is taken for none."""
    if not found:
        return found
    ids = [(each.start(), each.end()) for each in _UUID.finditer(text)]
    return [each for each in found if not any(start < each.end and each.start < end for start, end in ids)]
