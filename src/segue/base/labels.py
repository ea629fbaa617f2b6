"""Labels: where a piece of text came from, and who may see it.

A label is set once, when a message enters a run, and travels with it. The gate judges tool calls by labels;
nothing else here judges anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from segue.base.quick import quick

Integrity = Literal["system", "user", "tool", "untrusted"]
Confidentiality = Literal["public", "internal", "private", "secret"]

_MAX_ATOMS = 256
_MAX_ATOM_CHARS = 200


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is known of the origin of one message part or tool result."""

    integrity: Integrity
    """Who could have written it: the developer, the user, a trusted tool, or anybody."""
    confidentiality: Confidentiality = "internal"
    """Who may read it at most."""
    kind: str = "text"
    """What it is: `text`, `tool_result`, `plan`, `document`, `answer`."""
    source: str = ""
    """Which tool, document, agent or person it came from."""
    readers: tuple[str, ...] | None = None
    """The users who may read it; `None` where that is not known."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for a message; fields that say nothing are left out."""
        out = plain_labels(self.integrity, self.kind, self.source, confidentiality=self.confidentiality)
        if self.readers is not None:
            out["readers"] = list(self.readers)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Labels:
        """The inverse of `to_dict`."""
        readers = data.get("readers")
        return cls(
            integrity=data["integrity"],
            confidentiality=data.get("confidentiality", "internal"),
            kind=data.get("kind", "text"),
            source=data.get("source", ""),
            readers=None if readers is None else tuple(readers),
        )


def plain_labels(
    integrity: Integrity, kind: str, source: str, *, confidentiality: Confidentiality = "internal"
) -> dict[str, Any]:
    """Labels as a message carries them, made at once."""
    out: dict[str, Any] = {"integrity": integrity, "confidentiality": confidentiality, "kind": kind}
    if source:
        out["source"] = source
    return out


def atoms(value: Any) -> list[list[str]]:
    """The leaves of a JSON value as `[pointer, text]`, for the gate to find an argument's origin by.

    At most 256 leaves of at most 200 characters; longer texts are content, not values, and are left out.
    """
    found: list[list[str]] = []
    for pointer, text in _leaves(value, ""):
        if len(found) >= _MAX_ATOMS:
            break
        if text and len(text) <= _MAX_ATOM_CHARS:
            found.append([pointer, text])
    return found


def _leaves(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{pointer}/{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{pointer}/{index}")
    elif value is not None and not isinstance(value, bool):
        yield pointer, str(value)
