"""Values: what a run has read, by value. Results of tools in; how far each value in them can be trusted out.

Every value of a result has a level, a kind and an origin. Whole values of a kind are kept apart from what merely stands
in a text: a file's name that looks like an address is no address, since only the system says which field is one. Each
value is looked up by its form, so that a judgement costs the same after a thousand results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from segue.guards.gate.looks import form, found_in
from segue.guards.gate.said import Said

Origin = tuple[str, str]
"""The tool, or whoever it was, and the field."""

_ORDER = ("user", "looked", "trusted", "party", "source", "member", "untrusted")
_MOST, _LONGEST = 40_000, 200_000
_CASELESS = ("user", "channel", "venue")


def key_of(text: str, kind: str) -> str:
    """What a value of a kind is looked up by."""
    base = kind.partition(":")[0]
    return text.strip().lstrip("#@").lower() if base in _CASELESS else form(text, base)


class Values:
    """What has been read, ready for looking up."""

    def __init__(self) -> None:
        self.whole: dict[tuple[str, str], dict[str, Origin]] = {}
        """Whole values by kind and form: the levels that they were seen at, each with its first origin."""
        self.tools: dict[tuple[str, str], set[str]] = {}
        """The tools that gave a whole value as trusted."""
        self.spelled: dict[tuple[str, str], set[str]] = {}
        """How values are written that are told apart by their case alone."""
        self.inside: dict[tuple[str, str], dict[str, Origin]] = {}
        """Addresses, links and accounts that stand in texts."""
        self.texts: dict[str, list[tuple[str, Origin]]] = {}
        """Texts by level, in lower case."""
        self.titles: dict[tuple[str, str], set[str]] = {}
        """What the records of an id, or of an address, are called."""
        self.confirmed: set[tuple[str, str]] = set()
        self.named: dict[str, set[str]] = {}
        """By kind: what the user named of those that are known, by value or by title."""
        self.unclear: dict[tuple[str, str], Origin] = {}
        """What a lookup gave together with others, so that nobody knows which one was meant."""
        self.largest = 0.0
        self.tainted = ""
        """The first tool that gave text which anybody could have written; empty where none has."""
        self._length = 0
        self._kinds: dict[str, None] = {}
        self._joined: dict[str, tuple[int, str]] = {}

    def level_of_words(self, value: Any, said: Said) -> str:
        """How far an argument that is no sink came from the user: a query, a file's name, a day."""
        if isinstance(value, list | tuple):
            found = [self.level_of_words(each, said) for each in value]
            return max(found, key=_ORDER.index) if found and all(found) else ""
        if not isinstance(value, str | int | float) or isinstance(value, bool) or value == "":
            return ""
        text = str(value)
        if said.mentions(text) or any(
            (kind, form(text, kind)) in said.values for kind in ("address", "url", "account")
        ):
            return "user"
        kinds = {kind for kind, key in self.whole_keys(text)}
        levels = {level for kind in kinds for level in self.whole.get((kind, key_of(text, kind)), ())}
        levels |= {level for kind, key in found_in(text) if key_of(text, kind) == key
                   for level in self.inside.get((kind, key), ())}  # fmt: skip
        levels |= {level for level in ("party", "source", "member") if self.in_texts(text, level)}
        return min(levels - {"untrusted"}, key=_ORDER.index, default="")

    def whole_keys(self, text: str) -> Iterator[tuple[str, str]]:
        """The kinds that are known, with this text's form in each."""
        for kind in self._kinds:
            if (kind, key := key_of(text, kind)) in self.whole:
                yield kind, key

    def in_texts(self, text: str, level: str) -> Origin | None:
        """Where these words stand in a text of a level."""
        lower = text.strip().lower()
        if len(lower) < 2 or lower not in self._all(level):
            return None
        find = re.compile(rf"(?<![\w@]){re.escape(lower)}(?![\w@])").search
        return next((origin for held, origin in self.texts.get(level, ()) if lower in held and find(held)), None)

    def _all(self, level: str) -> str:
        """All texts of a level as one, for a first look."""
        held = self.texts.get(level, ())
        count, text = self._joined.get(level, (0, ""))
        if count != len(held):
            text = "\n".join((text, *(each for each, _ in held[count:])))
            self._joined[level] = (len(held), text)
        return text

    def add(self, text: str, kind: str, level: str, origin: Origin) -> None:
        """One whole value."""
        if len(self.whole) >= _MOST:
            return
        pair = (kind, key_of(text, kind))
        self.whole.setdefault(pair, {}).setdefault(level, origin)
        self._kinds.setdefault(kind, None)
        if level in ("trusted", "looked"):
            self.tools.setdefault(pair, set()).add(origin[0])
            if kind in _CASELESS:
                self.spelled.setdefault(pair, set()).add(text.strip())

    def add_text(self, text: str, level: str, origin: Origin) -> None:
        """A text, for what stands in it."""
        for pair in found_in(text):
            self.inside.setdefault(pair, {}).setdefault(level, origin)
        if self._length < _LONGEST:
            self._length += len(text)
            self.texts.setdefault(level, []).append((text.lower(), origin))
        if level in ("untrusted", "source", "member", "party"):
            self.tainted = self.tainted or origin[0]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "whole": [[*key, {level: list(at) for level, at in held.items()}] for key, held in self.whole.items()],
            "inside": [[*key, {level: list(at) for level, at in held.items()}] for key, held in self.inside.items()],
            "tools": [[*key, sorted(held)] for key, held in self.tools.items()],
            "spelled": [[*key, sorted(held)] for key, held in self.spelled.items()],
            "titles": [[*key, sorted(held)] for key, held in self.titles.items()],
            "texts": {level: [[text, *at] for text, at in held] for level, held in self.texts.items()},
            "confirmed": sorted(map(list, self.confirmed)),
            "named": {kind: sorted(held) for kind, held in self.named.items()},
            "unclear": [[*key, *at] for key, at in self.unclear.items()],
            "largest": self.largest, "tainted": self.tainted,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Values:
        """The inverse of `to_dict`."""
        out = cls()
        for name in ("whole", "inside"):
            held = {(kind, key): {level: tuple(at) for level, at in levels.items()} for kind, key, levels in data[name]}
            setattr(out, name, held)
        for name in ("tools", "spelled", "titles"):
            setattr(out, name, {(kind, key): set(held) for kind, key, held in data[name]})
        out.texts = {level: [(text, (tool, field)) for text, tool, field in held]
                     for level, held in data["texts"].items()}  # fmt: skip
        out.confirmed, out.named = (
            {(kind, key) for kind, key in data["confirmed"]},
            {kind: set(held) for kind, held in data["named"].items()},
        )
        out.unclear = {(kind, key): (tool, field) for kind, key, tool, field in data["unclear"]}
        out.largest, out.tainted = data["largest"], data["tainted"]
        out._length = sum(len(text) for held in out.texts.values() for text, _ in held)
        for kind, _ in out.whole:
            out._kinds.setdefault(kind, None)
        return out
