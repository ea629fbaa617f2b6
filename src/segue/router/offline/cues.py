"""Cues: how strongly the words around a piece of text tie it to a parameter.

Goes in: a parameter, a view and a place in its text. Comes out: a score; 0 where nothing ties them, about 3 where the
text says it ("city Paris", "from Oslo" for an origin, "5 nights").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from segue.router.offline.schema import Leaf
from segue.router.offline.text import Token, stem
from segue.router.offline.view import View
from segue.router.offline.words import HIGH, LOW, PREPOSITIONS, ROLES, STOP, VERBS, word_set


@dataclass(frozen=True, slots=True)
class Candidate:
    """One value that a parameter could take, and the text that it stands in."""

    value: Any
    start: int
    end: int
    score: float
    also: tuple[tuple[int, int], ...] = ()
    """Further places that it is made of, which others may share: the day of a time."""


_ROLE_STEMS = {prep: frozenset(stem(word) for word in words) for prep, words in ROLES.items()}
_LINKS = word_set(
    "the a an is are was be of to = as my our your his her their number no nr id code named called numbered ref "
    "reference with equal equals at"
)
_LOW_BEFORE = re.compile(
    r"\b(?:from|since|after|over|above|between|more than|at least|min(?:imum)?|starting|greater than|exceeding"
    r"|not (?:before|under|below)|no (?:less|fewer) than|arriving|beginning)\s*(?:on|at|of|in|the|is)?\s*[$€£]?\s*$",
    re.I,
)
_HIGH_BEFORE = re.compile(
    r"\b(?:to|until|till|before|under|below|less than|fewer than|at most|up to|max(?:imum)?|not (?:over|after|above)"
    r"|no more than|ending|leaving|by|through)\s*(?:on|at|of|in|the|is)?\s*[$€£]?\s*$",
    re.I,
)


def role_score(leaf: Leaf, prep: str) -> float:
    """How well a preposition announces a parameter: "from" an origin, "in" a city."""
    if not prep:
        return 0.0
    if prep in leaf.raw_words or prep in leaf.around:
        return 3.0
    roles = _ROLE_STEMS.get(prep, frozenset())
    if roles & leaf.words or any(stem(word) in roles for word in leaf.around):
        return 2.5
    return 1.2 if roles & leaf.hints else 0.0


def words_before(view: View, place: int, count: int) -> list[Token]:
    """The words right before a place, nearest first, up to a comma, a stop or a bracket."""
    out: list[Token] = []
    edge = place
    for word in reversed([w for w in view.words if w.end <= place]):
        if re.search(
            r"[,;.!?()\n]",
            view.text[word.end : edge].replace(". ", " ", 1) if edge == place else view.text[word.end : edge],
        ):
            break
        out.append(word)
        edge = word.start
        if len(out) == count:
            break
    return out


def word_after(view: View, place: int) -> Token | None:
    """The word right after a place; `None` where punctuation comes first."""
    for word in view.words:
        if word.start >= place:
            return word if not re.search(r"[,;.!?()\n:]", view.text[place : word.start]) else None
    return None


def cue_score(leaf: Leaf, view: View, start: int, end: int) -> float:
    """How strongly the words before and after a piece of text tie it to the parameter."""
    best, content, announced = 0.0, 0, False
    for word in words_before(view, start, 5):
        if any(m.start <= word.start < m.end for m in view.mentions if m.end <= start):
            break
        if word.stem in leaf.own and word.lower not in PREPOSITIONS:
            best = max(best, 3.0 - 0.5 * content)
            break
        if word.lower in PREPOSITIONS and not announced:
            best, announced = max(best, role_score(leaf, word.lower) - 0.5 * content), True
        if word.lower in _LINKS or word.lower in PREPOSITIONS:
            continue
        if word.stem in leaf.hints and word.lower not in VERBS:
            best = max(best, 1.2 - 0.4 * content)
        content += 1
        if content == 2:
            break
    after = word_after(view, end)
    if after is not None and after.lower in PREPOSITIONS:
        return best
    if after is not None and after.stem in leaf.own:
        best = max(best, 2.5)
    elif after is not None and after.stem in leaf.hints:
        best = max(best, 1.0)
    return best


def nouns_before(view: View, place: int) -> list[Token]:
    """The nearest content words before a place, at most two, link words such as "number" and "with" passed over."""
    found = [w for w in words_before(view, place, 6) if w.lower not in _LINKS and w.lower not in PREPOSITIONS]
    return [word for word in found if word.lower not in STOP and not word.text[0].isdigit()][:2]


def side_of(view: View, start: int) -> str:
    """Whether a value is the `low` or the `high` end of a range by the words before it; else empty."""
    before = view.text[max(0, start - 40) : start]
    between = re.search(
        r"\b(?:between|from)\s+\S+(?:\s+\S+){0,5}\s+(?:and|to|until|till)\s+(?:the\s+)?[$€£]?\s*$", before, re.I
    )
    if between or re.search(r"\d\s?[-\u2013—]\s?$", before):
        return "high"
    if _HIGH_BEFORE.search(before):
        return "high"
    return "low" if _LOW_BEFORE.search(before) else ""


def leaf_side(leaf: Leaf) -> str:
    """Whether a parameter is the `low` or the `high` end of a range by its name; else empty."""
    words = leaf.raw_words
    if "check" in words and words & {"in", "out"}:
        return "low" if "in" in words else "high"
    low, high = bool(words & LOW), bool(words & HIGH)
    return "" if low == high else "low" if low else "high"


def side_score(leaf: Leaf, view: View, start: int) -> float | None:
    """What the ends of a range say for a pair; `None` where they contradict."""
    wanted, told = leaf_side(leaf), side_of(view, start)
    if wanted and told:
        return 2.5 if wanted == told else None
    if wanted:
        return -0.4
    return -0.1 if told else 0.0
