"""Content: outgoing text in; what in it came from somewhere that nobody vouched for out.

Looked for are links, addresses and accounts that only untrusted text has brought in, values that a confidential
result gave, and characters that nobody sees. The cost grows with the text alone, not with what the run has read.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from segue.guards.gate.looks import found_in, hides
from segue.guards.gate.said import Said
from segue.guards.gate.seeing import plain
from segue.guards.gate.values import Origin, Values
from segue.tools.vocabulary import words_of

_WORD = re.compile(r"[^\W_]+(?:[.@'-][^\W_]+)*")
_APART = re.compile(r"(?:(?<!\w)\w(?:[^\w\n]|_){1,3}){5,60}\w(?!\w)")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{6,4000}={0,2}")
_JOINTS = re.compile(r"[.@'-]{2}")
_SPACED = {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) not in ".@'-"}
_ODD = re.compile(r"\d|[a-z][A-Z]")
_RUN = 6
"""So many words in a row that stand in a confidential text make a copy of it."""
_MOST = 20_000


class Secrets:
    """Values that confidential results gave."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, ...], Origin] = {}
        """By their words: where they were read."""
        self._lengths: dict[str, set[int]] = {}
        """By the first word: how many words values have that begin with it."""

    def see(self, tool: str, result: Any) -> None:
        """Take in a confidential result."""
        self._take(tool, plain(result), "", 0)

    def find(self, text: str, said: Said) -> Origin | None:
        """The first value that stands in a text, and which the user neither said nor asked for by its name."""
        if not self.held:
            return None
        words = _words(text)
        if found := self._find(words, said):
            return found
        for each in _unfolded(text, words):
            if found := self._find(_words(each), said):
                return found
        return None

    def _find(self, words: list[str], said: Said) -> Origin | None:
        lengths = self._lengths
        for at, word in enumerate(words):
            if word not in lengths:
                continue
            for length in lengths[word]:
                found = tuple(words[at : at + length])
                if (origin := self.held.get(found)) is not None and not self._wanted(found, origin, said):
                    return origin
        return None

    def _wanted(self, words: tuple[str, ...], origin: Origin, said: Said) -> bool:
        named = [word for word in words_of(origin[1].rpartition(".")[2]) if len(word) > 2]
        return (bool(named) and all(word in said.words for word in named)) or said.phrase(" ".join(words))

    def _take(self, tool: str, value: Any, field: str, depth: int) -> None:
        if depth > 40 or len(self.held) > _MOST:
            return
        if isinstance(value, Mapping):
            for key, item in value.items():
                self._take(tool, item, f"{field}.{key}" if field else str(key), depth + 1)
        elif isinstance(value, list):
            for item in value:
                self._take(tool, item, field, depth + 1)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            self._add(str(value), (tool, field))

    def _add(self, text: str, origin: Origin) -> None:
        words = _words(text)
        whole = tuple(words)
        runs: Iterable[tuple[str, ...]] = ()
        if len(words) > _RUN:
            runs = (whole[at : at + _RUN] for at in range(len(words) - _RUN + 1))
        elif words and (len(text) > 5 or any(char.isdigit() for char in text)) and len(text.strip()) > 3:
            runs = (whole,)
        coded = ((word,) for word in words if len(word) > 3 and any(char.isdigit() for char in word))
        for run in (*runs, *coded):
            self._keep(run, origin)

    def _keep(self, words: tuple[str, ...], origin: Origin) -> None:
        self.held.setdefault(words, origin)
        self._lengths.setdefault(words[0], set()).add(len(words))

    def to_dict(self) -> list[list[Any]]:
        """Plain data."""
        return [[list(words), *origin] for words, origin in self.held.items()]

    @classmethod
    def from_dict(cls, data: list[list[Any]]) -> Secrets:
        """The inverse of `to_dict`."""
        out = cls()
        for words, tool, field in data:
            out._keep(tuple(words), (tool, field))
        return out


def _words(text: str) -> list[str]:
    """The words of a text in lower case; what joins the parts of one - a dot, a hyphen - stays in it."""
    if text.isascii() and not _JOINTS.search(text):  # the same, in a fraction of the time
        return [word for each in text.lower().translate(_SPACED).split() if (word := each.strip(".@'-"))]
    return _WORD.findall(text.lower())


def _unfolded(text: str, words: list[str]) -> Iterable[str]:
    """What a text hides thinly: characters set apart, words backwards, and what is encoded in base64 or hex."""
    if text.count("-") + text.count("_") > 4 or list(map(len, words)).count(1) > 4:
        for match in _APART.finditer(text):
            yield re.sub(r"[\W_]", "", match[0])
    for match in _CODED.finditer(text) if _ODD.search(text) else ():
        token = match[0]
        if token.isalpha() and (token.islower() or token.istitle()):
            continue  # a word
        if any(char.isdigit() for char in token):
            yield token[::-1]
        for decode in (bytes.fromhex, lambda held: base64.b64decode(held + "=" * (-len(held) % 4), b"-_")):
            try:
                yield decode(token.rstrip("=")).decode("utf-8")
            except (ValueError, UnicodeDecodeError):
                continue


def texts(arguments: Mapping[str, Any], names: Iterable[str]) -> list[tuple[str, str]]:
    """The texts of some arguments, at any depth, as `(argument, text)`."""
    out: list[tuple[str, str]] = []
    for name in names:
        value = arguments.get(name)
        if isinstance(value, str):
            out.append((name, value))
        elif value is not None:
            out += [(name, text) for text in _strings(value, 0)]
    return out


def _strings(value: Any, depth: int) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and depth < 40:
        for key, item in value.items():
            yield str(key)
            yield from _strings(item, depth + 1)
    elif isinstance(value, list | tuple) and depth < 40:
        for item in value:
            yield from _strings(item, depth + 1)


def foreign(text: str, values: Values, said: Said) -> tuple[str, str, Origin | None] | None:
    """The first link, address or account in a text that nobody vouches for: kind, form and where it was read.

    What was read nowhere is the model's own, which counts only where nothing has been read that could have moved it.
    """
    for kind, key in found_in(text):
        if (kind, key) in said.values or said.has(key, kind):
            continue
        levels = {**values.whole.get((kind, key), {}), **values.inside.get((kind, key), {})}
        if levels.keys() & {"user", "looked", "trusted", "party", "member", "resolved"}:
            continue
        if not levels and (not values.tainted or kind == "account"):
            continue
        return kind, key, next(iter(levels.values()), None)
    return None


__all__ = ["Secrets", "foreign", "hides", "texts"]
