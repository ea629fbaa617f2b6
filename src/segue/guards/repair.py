"""Repair of JSON that a model wrote: text in, the data in it out.

What is mended is how it is written, never what it says: fences and words around it, commas before a closing bracket,
single quotes, Python's True, False and None. Nothing is filled in, so text that was cut off stays broken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

LONGEST = 200_000
"""Characters; longer text is read as it stands or not at all."""
STARTS = 8
"""How many beginnings of an object or a list are tried in a text."""
_FENCE = re.compile(r"```[A-Za-z0-9_-]{0,20}[ \t]*\r?\n(.*?)```", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?P<single>'(?:[^'\\]|\\.)*+(?:'|\\?\Z))"""  # or cut off: to the end
    r"""|(?P<comma>,(?=\s{0,200}[\]}]))|(?P<word>\b(?:True|False|None)\b)|(?P<other>[^"',TFN]+|.)""",
    re.DOTALL,
)
_WORDS = {"True": "true", "False": "false", "None": "null"}


def read_json(text: str) -> Any:
    """The data as it stands.

    Raises:
        ValueError: It is no JSON; `NaN` and `Infinity` are none either.
    """
    return json.loads(text, parse_constant=_no_constant)


def repaired_json(text: str) -> Any:
    """The data in a text that is nearly JSON: the first candidate that can be read.

    Raises:
        ValueError: There is none.
    """
    if len(text) <= LONGEST:
        for candidate in _candidates(text):
            for written in (candidate, _mended(candidate)):
                try:
                    return read_json(written)
                except (ValueError, RecursionError):
                    continue
    raise ValueError("no JSON in the text")


def _candidates(text: str) -> Iterator[str]:
    """The text, what is in its fences, and each outermost object or list."""
    yield text.strip().removeprefix("\ufeff")
    for found in _FENCE.finditer(text):
        yield found[1]
    at = 0
    for _ in range(STARTS):
        start = min((place for place in (text.find("{", at), text.find("[", at)) if place >= 0), default=-1)
        if start < 0:
            return
        end = _closing(text, start)
        if end:
            yield text[start:end]
        at = end or start + 1


def _closing(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; 0 where none does."""
    open_: list[str] = []
    for token in _TOKEN.finditer(text, start):
        if token["double"] or token["single"]:
            continue
        for offset, char in enumerate(token[0]):
            if char in "{[":
                open_.append("}" if char == "{" else "]")
            elif char in "}]":
                if not open_ or open_.pop() != char:
                    return 0
                if not open_:
                    return token.start() + offset + 1
    return 0


def _mended(text: str) -> str:
    return "".join(map(_mend, _TOKEN.finditer(text)))


def _mend(token: re.Match[str]) -> str:
    if token["single"]:
        inner = token[0][1:-1].replace("\\'", "'")
        return '"' + re.sub(r'(?<!\\)"', r"\"", inner) + '"'
    if token["comma"]:
        return ""
    return _WORDS[token[0]] if token["word"] else token[0]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
