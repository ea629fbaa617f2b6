"""Pins: what the plan step said of an argument before anything was read in; whether a value keeps to it out.

A trusted value need not be the one that was meant. A pin says which one was: one of the user's own words, the result of
a certain lookup, this very value, or a text of this form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from segue.base.errors import UserError
from segue.guards.gate.looks import form, found_in
from segue.guards.gate.said import Said, stands_in
from segue.guards.gate.sinks import Filled
from segue.tools.declaration import Sink

_QUOTE = r"(?:'(?P<one>[^'\n]{1,200})'|\"(?P<two>[^\"\n]{1,200})\"|[“‘](?P<three>[^”’\n]{1,200})[”’])"  # noqa: RUF001
_LINK = r"(?:\s+(?:should|must|be|is|as|of|the|an?|to|it|its|with|and|email|event|file|called|named|titled)\b){0,5}"
_TITLED: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (arguments, re.compile(rf"\b(?:{words})\b{_LINK}\s*[:=]?\s*{_QUOTE}", re.IGNORECASE))
    for arguments, words in (
        (
            r"title|name|summary|event_title|heading",
            r"titled?|called|named|event|meeting|appointment|subject|heading",
        ),
        (r"subject|heading", r"titled?|subject|heading"),
        (r"file_?name|name", r"file|document|named|called|name"),
    )
)
_MAKING = re.compile(
    r"\b(?:create|add|make|new|schedule|set|send|write|save|use|should|must|draft|post|book|open|put)\b",
    re.IGNORECASE,
)
_FINDING = re.compile(
    r"\b(?:find|search|read|look|from|forward|reply|in|of|with|summari[sz]e)\b[^.!?]{0,60}\bwith (?:the |an? )?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Pin:
    """What one argument of one tool may hold. Any of these that is given may hold."""

    user: bool = False
    """One of the user's own words."""
    lookups: tuple[str, ...] = ()
    """A trusted value that one of these tools gave."""
    values: tuple[str, ...] = ()
    """This very value, or one of them."""
    like: tuple[str, ...] = ()
    """A text of this form; `{…}` stands for anything."""

    @classmethod
    def of(cls, given: Any, where: str) -> Pin:
        """A pin out of `"user"`, a tool's name, `{"lookup": …}`, `{"value": …}`, `{"like": …}`, or a list of them.

        Raises:
            UserError: It is none of these. The message names the argument.
        """
        if isinstance(given, Pin):
            return given
        found: dict[str, list[str]] = {"lookup": [], "value": [], "like": []}
        user = False
        for each in given if isinstance(given, list | tuple) else [given]:
            if each == "user":
                user = True
            elif isinstance(each, str) and each:
                found["lookup"].append(each)
            elif isinstance(each, Mapping) and each and set(each) <= found.keys():
                for key, value in each.items():
                    found[key] += [str(item) for item in (value if isinstance(value, list | tuple) else [value])]
            else:
                raise UserError(
                    f"the pin of {where} is 'user', a tool's name, or lookup, value or like with one, not {each!r}"
                )
        return cls(user, tuple(found["lookup"]), tuple(found["value"]), tuple(found["like"]))

    def holds(self, filled: Filled) -> bool:
        """Whether a value keeps to it."""
        if self.user and "user" in filled.levels:
            return True
        if filled.tools & set(self.lookups) and filled.levels & {"looked", "trusted"}:
            return True
        base = filled.kind.partition(":")[0]
        if any(form(filled.value, base) == form(each, base) for each in self.values):
            return True
        return self.reads(filled.value)

    def reads(self, text: str) -> bool:
        """Whether a text has the form that was said."""
        return any(_pattern(each).fullmatch(text.strip()) for each in self.like)

    def wants(self) -> str:
        """In words."""
        parts = ["one that you named"] if self.user else []
        parts += [f"a result of {each}" for each in self.lookups]
        return " or ".join(parts + [repr(each) for each in (*self.values, *self.like)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"user": self.user, "lookups": self.lookups, "values": self.values, "like": self.like}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Pin:
        """The inverse of `to_dict`."""
        return cls(data["user"], *(tuple(data[key]) for key in ("lookups", "values", "like")))


def titles_said(arguments: Iterable[str], text: str) -> dict[str, Pin]:
    """Pins for titles, subjects and names of files that a request gives in quotes; braces stand for what is filled in.

    Only what is to be made is pinned: a title by which something is to be found says nothing of what is written.
    """
    out: dict[str, Pin] = {}
    for argument in arguments:
        found = [
            match["one"] or match["two"] or match["three"]
            for names, pattern in _TITLED
            if re.fullmatch(names, argument.lower())
            for match in pattern.finditer(text)
            if _made(text, match)
        ]
        if found:
            out[argument] = Pin(like=tuple(dict.fromkeys(found)))
    return out


def _made(text: str, match: re.Match[str]) -> bool:
    """Whether the words before a title speak of making what bears it."""
    start = max(text.rfind(end, 0, match.start()) for end in (". ", "! ", "? ", "\n")) + 1
    before = text[start : match.start()]
    return bool(_MAKING.search(text[start : match.end()])) and not _FINDING.search(before)


def meant(filled: Filled, sink: Sink, said: Said, part: str, named: Mapping[str, Iterable[str]]) -> bool:
    """Whether a trusted value is the one that the user meant, as far as their words tell.

    Where the part of the request that asks for this call names one of this kind, another one was not meant - unless a
    lookup by the user's own words gave it. `named` holds what the user named of the values that are known.
    """
    if filled.levels & set(sink.levels) - {"trusted"} or "looked" in filled.levels:
        return True
    base = filled.kind.partition(":")[0]
    if base in ("address", "url", "account"):
        return not any(kind == base for kind, _ in found_in(part))
    lower = part.lower()
    if not any(stands_in(each.lower(), lower) and not _speaker(each, part) for each in named.get(filled.kind, ())):
        return True
    return any(said.phrase(each) for each in filled.titles)


def _speaker(name: str, text: str) -> bool:
    """Whether it is the user who bears this name: `this is Ann`."""
    return bool(re.search(rf"\b(?:this is|i am|i'm|my name is) {re.escape(name)}\b", text, re.IGNORECASE))


def _pattern(like: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^{}]*\}", like.strip())
    return re.compile(".{1,200}?".join(re.escape(part) for part in parts), re.IGNORECASE | re.DOTALL)
