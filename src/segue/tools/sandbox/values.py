"""Values across the border: what may go into a sandbox and what may come out is JSON data, nothing that acts."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_MAX_DEPTH = 60
_INT64 = range(-(2**63), 2**63)


class NotJson(ValueError):
    """A value that is no JSON data."""


def to_json(value: Any, *, most_bytes: int) -> Any:
    """The value as JSON data: tuples and sets are lists; decimals, dates and integers beyond 64 bits are text.

    Raises:
        NotJson: It holds something else, is nested more than 60 deep, or is larger than `most_bytes`.
    """
    budget = [most_bytes]
    return _plain(value, budget, _MAX_DEPTH)


def _plain(value: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= len(value) if isinstance(value, str) else 8
    if budget[0] < 0:
        raise NotJson("the value is too large; return less, or a summary of it")
    if depth == 0:
        raise NotJson("the value is nested too deeply")
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if value in _INT64 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal | datetime.date | datetime.time):
        return value.isoformat() if not isinstance(value, Decimal) else str(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(item, budget, depth - 1) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, budget, depth - 1) for item in value), key=repr)
    if isinstance(value, list | tuple):
        return [_plain(item, budget, depth - 1) for item in value]
    raise NotJson(f"a {type(value).__name__} cannot leave the sandbox; return numbers, text, lists or dicts")


def _key(key: Any) -> str:
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float | Decimal | datetime.date):
        return str(key)
    raise NotJson(f"a dict's keys are text or numbers, not {type(key).__name__}")
