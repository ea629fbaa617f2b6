"""Reasoning parts that a server signs or encrypts: where they stood in their answer, and when they go back.

A message keeps them in `reasoning`, apart from its text and calls; `at` says how many of those stood before a part, so
that the order can be made again. They go back only within the turn that they belong to, to the deployment that wrote
them (`by`): nobody else can read them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segue.base.messages import Message

_KEPT = ("by", "at")


def turn_start(messages: Sequence[Message]) -> int:
    """The place after the last message by a person: from there on reasoning is still of use."""
    for at in range(len(messages) - 1, -1, -1):
        if messages[at]["role"] == "user":
            return at + 1
    return 0


def own_parts(message: Message, deployment: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    """The parts of these kinds that this deployment wrote."""
    parts = message.get("reasoning") or ()
    return [part for part in parts if part.get("by") == deployment and part.get("type") in kinds]


def interleaved(parts: Sequence[Mapping[str, Any]], others: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts, without keys of ours, between the text and calls that they stood between."""
    out: list[dict[str, Any]] = []
    left = list(parts)
    for place, other in enumerate(others):
        while left and int(left[0].get("at") or 0) <= place:
            out.append(_clean(left.pop(0)))
        out.append(other)
    return [*out, *map(_clean, left)]


def _clean(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key not in _KEPT}
