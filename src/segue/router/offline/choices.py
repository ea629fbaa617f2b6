"""Choices: values of an enum, and yes or no, as a text says them.

Goes in: a parameter with an enum or of type boolean, and a view. Comes out: candidates whose words stand in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from segue.router.offline.cues import Candidate, cue_score
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import Token, identifier_words, stem
from segue.router.offline.view import View
from segue.router.offline.words import ALIASES, NEGATION, STOP, word_set

_ON = re.compile(r"\b(?:(?:turn|switch|put)(?:ed)? (?:[\w']+ ){0,5}?on|enabled?|activated?)\b|\bon[.!]?$", re.I)
_OFF = re.compile(
    r"\b(?:(?:turn|switch|shut|put)(?:ed)? (?:[\w']+ ){0,5}?off|disabled?|deactivated?)\b|\boff[.!]?$", re.I
)
_SWITCH = word_set("on enabled enable active activated power powered state status")


def enum_candidates(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """The choices that the text names, whole or by a word that no other choice has."""
    choices = leaf.schema["enum"]
    shared = _word_counts(tuple(str(choice) for choice in choices))
    for choice in choices:
        if choice is None or isinstance(choice, bool | list | dict):
            continue
        if isinstance(choice, int | float):
            yield from _numeric(leaf, view, choice)
            continue
        own = {stem(word) for word in identifier_words(str(choice))} <= tool.name_stems
        for c in _whole(leaf, view, str(choice), choice):
            if own and view.verb is not None and c.start == view.verb.start:
                continue
            yield replace(c, score=c.score - 1.0) if own else c
        yield from _by_a_word(leaf, view, tool, choice, shared)


def _numeric(leaf: Leaf, view: View, choice: float) -> Iterator[Candidate]:
    for m in view.mentions:
        if m.number is not None and m.number == choice:
            yield Candidate(choice, m.start, m.end, 2.0 + cue_score(leaf, view, m.start, m.end))


def _whole(leaf: Leaf, view: View, spelled: str, choice: Any) -> Iterator[Candidate]:
    ways = [(spelled, 0.0), *((alias, -0.3) for alias in ALIASES.get(spelled.lower(), ()))]
    for way, less in ways:
        if way in ("€", "£"):
            yield from (Candidate(choice, m.start(), m.end(), 2.0) for m in re.finditer(re.escape(way), view.text))
            continue
        wanted = [stem(word) for word in identifier_words(way)]
        for start, end in _runs(view.words, wanted):
            if way.lower().endswith("ing") and not view.text[start:end].lower().rstrip("s").endswith("ing"):
                continue
            exact = view.text[start:end].lower() == way.lower()
            if len(way) == 1 and view.text[start:end] != way and cue_score(leaf, view, start, end) < 2:
                continue
            score = 3.3 + less + 0.6 * (len(wanted) - 1) + (0.2 if exact else 0)
            yield Candidate(choice, start, end, score + cue_score(leaf, view, start, end))


def _by_a_word(leaf: Leaf, view: View, tool: Tool, choice: Any, shared: dict[str, int]) -> Iterator[Candidate]:
    """A choice by one of its words, where no other choice, no other parameter and not the tool itself has that word."""
    words = [stem(word) for word in identifier_words(str(choice)) if word not in STOP]
    if len(words) < 2:
        return
    theirs = tool.name_stems.union(*(other.own for other in tool.leaves if other.path != leaf.path))
    words = [word for word in words if word not in theirs - leaf.own]
    for word in view.words:
        if word.stem in words and shared.get(word.stem) == 1 and word.lower not in STOP:
            cue = cue_score(leaf, view, word.start, word.end)
            yield Candidate(choice, word.start, word.end, 1.0 + cue + (0.3 if word.stem == words[-1] else 0))


@lru_cache(maxsize=256)
def _word_counts(choices: tuple[str, ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for choice in choices:
        for word in {stem(word) for word in identifier_words(choice)}:
            counts[word] = counts.get(word, 0) + 1
    return counts


def _runs(words: Sequence[Token], wanted: list[str]) -> Iterator[tuple[int, int]]:
    if not wanted:
        return
    flat = [(token, part) for token in words for part in [token.stem]]
    size = len(wanted)
    for index in range(len(flat) - size + 1):
        if [part for _, part in flat[index : index + size]] == wanted:
            yield flat[index][0].start, flat[index + size - 1][0].end


def boolean_candidates(leaf: Leaf, view: View) -> Iterator[Candidate]:
    """Yes where the text names what the parameter is about ("with breakfast"), no where it negates it."""
    about = [stem(w) for w in identifier_words(leaf.name) if w not in STOP | {"include", "is", "has", "use", "allow"}]
    if leaf.raw_words & _SWITCH and not [w for w in about if w not in {stem(s) for s in _SWITCH}]:
        yield from _switched(view)
        return
    if not about:
        return
    stems = [word.stem for word in view.words]
    places = [view.words[stems.index(word)] for word in about if word in stems]
    if len(places) < len(about) or max(p.start for p in places) - min(p.start for p in places) > 40:
        return
    start, end = min(p.start for p in places), max(p.end for p in places)
    said = _said(view.text[end : end + 20])
    value = not _negated(view, start) if said is None else said
    yield Candidate(value, start, end, 3.0)


def _said(after: str) -> bool | None:
    told = re.match(r"\s*(?:[:=]|is|to|should be)?\s*(true|yes|on|enabled|false|no|off|disabled)\b", after, re.I)
    return None if told is None else told[1].lower() in ("true", "yes", "on", "enabled")


def _switched(view: View) -> Iterator[Candidate]:
    off = _OFF.search(view.text)
    on = _ON.search(view.text) if off is None else None
    if off:
        yield Candidate(False, off.start(), off.start(), 3.0)
    elif on:
        yield Candidate(True, on.start(), on.start(), 3.0)


def _negated(view: View, place: int) -> bool:
    before = [word.lower for word in view.words if word.end <= place][-4:]
    return bool(NEGATION & set(before))
