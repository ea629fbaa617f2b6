"""Surrogate pairs: data in; the same without half a pair, which no store and no model server takes, out."""

from __future__ import annotations

from typing import Any


def paired(value: Any) -> Any:
    """Text, lists and dicts of it with U+FFFD in the place of each half of a surrogate pair; anything else as it is."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {paired(key): paired(item) for key, item in value.items()}
    return [paired(item) for item in value] if isinstance(value, list) else value
