"""Examples: what a parameter's values look like, as its own schema shows them.

Goes in: a parameter whose description says "e.g. VH-0042", "such as '#W0000000'" or lists `examples`. Comes out: the
pieces of a text that are built like one of these. Only the build counts (letters, digits, signs in order); an example
itself is never a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from segue.router.offline.check import compile_pattern
from segue.router.offline.cues import Candidate, cue_score
from segue.router.offline.schema import Leaf
from segue.router.offline.view import View

_CUE = re.compile(
    r"\b(?:e\.\s?g\.?|i\.\s?e\.?|such as|for example|for instance|examples?|like|looks? like|in the form(?:at)?(?: of)?"
    r"|format(?:ted)?(?: as)?|written as)[\s:,(]*",
    re.I,
)
_QUOTED = re.compile(r"'([^'\n]{1,60})'|\"([^\"\n]{1,60})\"|`([^`\n]{1,60})`|“([^”\n]{1,60})”")
_BARE = re.compile(r"[^\s,;()'\"`]{2,60}")
_PIECE = re.compile(r"[^\s,;!?()\[\]\"“”`]{1,200}")
_RUN = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]")
_STRICT, _LOOSE = 3.5, 2.6


@dataclass(frozen=True)
class Build:
    """How a value is built: the example's own letters around its digits, or any letters in their place."""

    strict: re.Pattern[str]
    loose: re.Pattern[str]
    hashed: bool
    """Whether the example begins with #."""


def exemplified(leaf: Leaf, view: View) -> Iterator[Candidate]:
    """The pieces of the text that are built like an example of the parameter."""
    builds = builds_of(leaf)
    for m in _PIECE.finditer(view.text) if builds else ():
        piece = m.group().rstrip(".:'\u2019").lstrip("'\u2018")
        start = m.start() + m.group().find(piece)
        for build in builds:
            plain = piece if build.hashed else piece.removeprefix("#")
            score = _STRICT if build.strict.fullmatch(plain) else _LOOSE if build.loose.fullmatch(plain) else 0.0
            if score:
                end = start + len(piece)
                yield Candidate(plain, start, end, score + cue_score(leaf, view, start, end))
                break


def builds_of(leaf: Leaf) -> tuple[Build, ...]:
    """How the values of a parameter are built, by its examples; none where it gives none with a digit in it."""
    if leaf.kind not in ("string", "any") or leaf.schema.get("enum"):
        return ()
    listed = leaf.schema.get("examples")
    more = [x for x in listed if isinstance(x, str)] if isinstance(listed, list) else []
    if isinstance(leaf.schema.get("example"), str):
        more.append(leaf.schema["example"])
    return _builds(str(leaf.schema.get("description") or "")[:2000], tuple(more))


def is_built(leaf: Leaf, text: str) -> bool:
    """Whether a text is wholly as the pattern of a parameter says, or built like an example of it."""
    pattern = leaf.schema.get("pattern")
    if isinstance(pattern, str):
        compiled = compile_pattern(pattern)
        found = compiled.search(text) if compiled else None
        return found is not None and found.group() == text
    return any(build.loose.fullmatch(text) for build in builds_of(leaf))


def is_in_two(leaf: Leaf) -> bool:
    """Whether an example of the parameter is two words with a comma between them: "San Francisco, CA"."""
    told = str(leaf.schema.get("description") or "")
    return any(re.match(r"['\"“]?[A-Z]\w+(?: [A-Z]\w+)*, [A-Z]\w+", told[m.end() :]) for m in _CUE.finditer(told))


@lru_cache(maxsize=1024)
def _builds(told: str, more: tuple[str, ...]) -> tuple[Build, ...]:
    shown = dict.fromkeys([*_shown(told), *more])
    return tuple(build for example in shown if (build := _build(example)) is not None)


def _shown(told: str) -> Iterator[str]:
    for m in _CUE.finditer(told):
        sentence = re.split(r"[.!?]\s+[A-Z]|\n", told[m.end() :], maxsplit=1)[0]
        quoted = _QUOTED.match(sentence)
        if quoted:
            yield from (next(g for g in q.groups() if g) for q in _QUOTED.finditer(sentence))
        elif bare := _BARE.match(sentence):
            yield bare.group().rstrip(".:")


def _build(example: str) -> Build | None:
    if not re.search(r"\d", example) or re.search(r"\s|://|@", example) or re.fullmatch(r"[\d:.-]{1,2}", example):
        return None
    if re.fullmatch(r"\d{4}-\d\d(?:-\d\d.*)?|\d\d?:\d\d.*", example):
        return None
    body = example.removeprefix("#")
    runs = _RUN.findall(body)
    if body.isalnum() and len(runs) > 2:
        letters = "A-Z" if body.isupper() else "a-z" if body.islower() else "A-Za-z"
        mixed = re.compile(rf"#?(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[{letters}\d]{{{len(body)}}}")
        return Build(mixed, mixed, example.startswith("#"))
    exact = not re.search(r"[A-Za-z]", body)
    strict = "".join(
        rf"\d{{{len(r)}}}" if exact and r.isdigit() else r"\d+" if r.isdigit() else re.escape(r) for r in runs
    )
    loose = strict if exact else "".join(_loose(run) for run in runs)
    return Build(re.compile("#?" + strict), re.compile("#?" + loose), example.startswith("#"))


def _loose(run: str) -> str:
    if run.isdigit():
        return r"\d+"
    return (
        (r"[a-z]+" if run.islower() else r"[A-Z]+" if run.isupper() else r"[A-Za-z]+")
        if run.isalpha()
        else re.escape(run)
    )
