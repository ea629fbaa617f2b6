"""Seeing: one result on its way in. What a tool gave and what it declares in; each value labelled, and kept, out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from segue.guards.gate.looks import found_in, look_of, number
from segue.guards.gate.said import Said
from segue.guards.gate.values import Values, key_of
from segue.tools.declaration import Declaration, Returned

CARRIED = {
    "user": "looked",
    "looked": "trusted",
    "trusted": "trusted",
    "party": "party",
    "source": "source",
    "member": "member",
}
"""What a lookup's system data counts for, by where its argument came from. `looked` is trusted, and found by the user's
own words."""
_TITLES = re.compile(r"(?:file_?|display_?|full_?|first_?|last_?)?name|title|subject|label|topic")
_MOST, _DEEPEST = 4_000, 40


def plain(value: Any) -> Any:
    """A result as JSON data; text that holds a JSON object or list counts as that."""
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in ("{", "[") and len(text) < 2_000_000:
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return value
        return value
    try:
        return to_jsonable_python(value, fallback=str, inf_nan_mode="strings", bytes_mode="base64")
    except (ValueError, TypeError, RecursionError):
        return str(value)


def see(
    values: Values, tool: str, declared: Declaration, arguments: Mapping[str, Any], result: Any, said: Said
) -> None:
    """Take in what a tool gave."""
    _Seeing(values, tool, declared, arguments, said).take(plain(result))


class _Seeing:
    """One result on its way in."""

    def __init__(
        self, held: Values, tool: str, declared: Declaration, arguments: Mapping[str, Any], said: Said
    ) -> None:
        self.held, self.tool, self.declared, self.arguments, self.said = held, tool, declared, arguments, said
        self.returns = declared.returns or {}
        source = held.level_of_words(arguments.get(declared.src), said) if declared.src else ""
        self.base = "source" if source in ("user", "looked", "party") else "untrusted"
        self.count = 0
        self.titled: set[tuple[str, str]] = set()
        self.untitled: set[tuple[str, str]] = set()
        self.picked: dict[tuple[str, str], list[tuple[str, str, bool]]] = {}
        """By field and kind: single values that a lookup gave, and whether their record bears the name asked for."""

    def take(self, value: Any) -> None:
        self._walk(value, "", {}, 0)
        self._told_apart()

    def _walk(self, value: Any, field: str, record: Mapping[str, Any], depth: int) -> None:
        if depth > _DEEPEST or self.count > _MOST:
            self.held.tainted = self.held.tainted or self.tool
        elif isinstance(value, Mapping):
            found: list[tuple[str, str]] = []
            for key, item in value.items():
                name = f"{field}.{key}" if field else str(key)
                self._walk_leaf(item, name, value, depth, found)
                if str(key) not in self.returns:
                    self._text(str(key), f"{name} (its name)", "untrusted") if "@" in str(key) else None
            self._called(value, found)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            for item in value:
                self._walk_leaf(item, field, record, depth, [])
        else:
            self._leaf(value, field, record, [])

    def _walk_leaf(
        self, item: Any, name: str, record: Mapping[str, Any], depth: int, found: list[tuple[str, str]]
    ) -> None:
        if isinstance(item, Mapping) or (isinstance(item, Sequence) and not isinstance(item, str)):
            self._walk(item, name, record, depth + 1)
        else:
            self._leaf(item, name, record, found)

    def _leaf(self, value: Any, field: str, record: Mapping[str, Any], found: list[tuple[str, str]]) -> None:
        if value is None or isinstance(value, bool):
            return
        self.count += 1
        what = self._what(field)
        if what is None or what.kind == "text":
            level = self.base if what is None else self._level(what, record)
            if isinstance(value, str):
                self._text(value, field, "untrusted" if level in ("trusted", "looked") else level)
            return
        level = self._level(what, record)
        for text in _lines(str(value)) if field == "" else [str(value)]:
            self._whole(text, what, level, field, record, found)

    def _whole(
        self, text: str, what: Returned, level: str, field: str, record: Mapping[str, Any],
        found: list[tuple[str, str]],
    ) -> None:  # fmt: skip
        held, kind = self.held, look_of(text) if what.kind == "auto" else what.kind
        if not text.strip():
            return
        pair = (kind, key_of(text, kind))
        held.add(text, kind, level, (self.tool, field))
        found.append(pair)
        for inner in found_in(text):
            if inner != pair:  # what hides in a value is not the value
                held.inside.setdefault(inner, {}).setdefault("untrusted", (self.tool, field))
        if self.declared.resolver and _same(kind, self.declared.resolver):
            held.confirmed.add(pair)
        if kind == "amount" and level in ("trusted", "looked") and (amount := number(text)) is not None:
            held.largest = max(held.largest, abs(amount))
        if level in ("untrusted", "member"):
            held.tainted = held.tainted or self.tool
        if level in ("looked", "trusted", "party") and self.said.has(text, kind):
            held.named.setdefault(kind, set()).add(text.strip())
        asked = next((each[4:] for each in what.trust if each.startswith("sys:")), "")
        if asked and level == "looked" and kind in ("address", "account", "user") and field and record:
            wanted = str(self.arguments.get(asked, "")).strip().lower()
            same = any(isinstance(each, str) and each.strip().lower() == wanted for each in record.values())
            if not isinstance(record.get(field.rpartition(".")[2]), list):
                self.picked.setdefault((field, kind), []).append((pair[1], text, same))

    def _told_apart(self) -> None:
        """Where a lookup by name gave several, only the one that bears exactly that name is the one."""
        for (field, kind), found in self.picked.items():
            exact = {key for key, _, same in found if same}
            keys = {key for key, _, _ in found}
            if len(keys) < 2 or len(exact) == 1:
                lost = keys - exact if len(keys) > 1 else set()
            else:
                lost = keys
            for key in lost:
                self.held.unclear[(kind, key)] = (self.tool, field)
                self.held.whole.get((kind, key), {}).pop("looked", None)
        for pair in self.untitled if self.titled else ():  # the user named another one of these
            if origin := self.held.whole.get(pair, {}).pop("looked", None):
                self.held.whole[pair].setdefault("trusted", origin)

    def _text(self, text: str, field: str, level: str) -> None:
        self.held.add_text(text, level, (self.tool, field))

    def _what(self, field: str) -> Returned | None:
        name = field
        while name:
            if name in self.returns:
                return self.returns[name]
            _, dot, name = name.partition(".")
            if not dot:
                break
        return self.returns.get("") if field == "" else None

    def _level(self, what: Returned, record: Mapping[str, Any]) -> str:
        for trust in what.trust:
            kind, _, of = trust.partition(":")
            if kind == "sys" and not of:
                return "trusted"
            if kind == "sys" and (found := CARRIED.get(self.held.level_of_words(self.arguments.get(of), self.said))):
                return found
            if kind == "party" and self._known(record.get(of, self.arguments.get(of))):
                return "party"
            if kind == "member":
                return "member"
        return self.base

    def _known(self, who: Any) -> bool:
        """Whether the user named this party: by its address or its name as the system has it, as a whole."""
        text = who if isinstance(who, str) else ""
        return bool(text) and self.said.has(text, look_of(text))

    def _called(self, record: Mapping[str, Any], found: list[tuple[str, str]]) -> None:
        titles = [text for key, text in record.items()
                  if isinstance(text, str) and len(text) <= 120 and _TITLES.fullmatch(str(key).lower())]  # fmt: skip
        for pair in found:
            if titles and (pair[0].startswith("id") or pair[0] in ("address", "account", "user")):
                self.held.titles.setdefault(pair, set()).update(titles)
                named = {text for text in titles if self.said.phrase(text)} if pair[0].startswith("id") else set()
                if named:
                    self.held.named.setdefault(pair[0], set()).update(named)
                    self.titled.add(pair)
                self.untitled.update({pair} if not named else ())


def _same(kind: str, wanted: str) -> bool:
    return kind == wanted or (":" not in wanted and kind.partition(":")[0] == wanted)


def _lines(text: str) -> list[str]:
    """The items of a result that is text: its lines, the first one without a heading."""
    if "\n" not in text.strip():
        return [text]
    first, *rest = [line.strip() for line in text.strip().splitlines()]
    return [each for each in (first.rpartition(": ")[2], *rest) if each]
