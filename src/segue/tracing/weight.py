"""Weight: a payload in, about how many characters it holds on to out."""

from __future__ import annotations

from typing import Any


def weight(value: Any, depth: int = 4) -> int:
    """About how many characters a payload holds on to."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        if isinstance(tokens := value.get("tokens"), int) and "role" in value:
            return tokens * 4
        return sum(weight(held, depth - 1) for held in list(value.values())) if depth else 1_000
    if isinstance(value, list | tuple):
        return sum(weight(held, depth - 1) for held in value) if depth else 1_000
    return 16
