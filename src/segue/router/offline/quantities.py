"""Numbers: which number of a text a parameter takes, by unit, by cue and by the end of a range that it names.

Goes in: a parameter of type integer or number and a view. Comes out: candidates. A number in another unit of the
same kind (hours for minutes, euros for cents) is no candidate: nothing is converted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.router.offline.cues import Candidate, cue_score, side_score, words_before
from segue.router.offline.mentions import Mention
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import identifier_words, stem
from segue.router.offline.view import View
from segue.router.offline.words import PREPOSITIONS, STOP, UNITS, VERBS

_MONEY = frozenset(
    stem(w)
    for w in ["amount", "price", "cost", "budget", "fee", "payment", "salary", "balance", "total", "money", "limit"]
)
_VERB_STEMS = frozenset(stem(verb) for verb in VERBS)
_FIRST = frozenset({"top", "first", "last", "latest", "newest"})


def number_candidates(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """The numbers of the text that a parameter of type integer or number could take."""
    alone = sum(1 for other in tool.required if other.kind in ("integer", "number")) == 1
    for m in view.mentions:
        if m.kind not in ("number", "id") or m.number is None or (m.kind == "id" and not alone):
            continue
        side, unit = side_score(leaf, view, m.start), _unit_score(leaf, m)
        if side is None or unit is None:
            continue
        cue = cue_score(leaf, view, m.start, m.end) + _how_many(leaf, view, m)
        if unit < 0 and cue < 1 and not alone:
            continue
        if _is_year(view, m):
            if "year" not in leaf.raw_words and cue < 2.5:
                continue
            cue += 3.0
        yield Candidate(m.number, m.start, m.end, 1.0 + side + unit + cue)


def _how_many(leaf: Leaf, view: View, m: Mention) -> float:
    """What "4 of", "order 4 …" and "top 5" say for a parameter that counts."""
    before = [word for word in words_before(view, m.start, 2) if word.lower not in ("me", "us")][:1]
    limits = leaf.raw_words & {"limit", "top", "k", "n", "size", "max"}
    if limits and before and (before[0].lower in _FIRST or before[0] == view.verb):
        return 2.0
    counts = leaf.raw_words & {"quantity", "qty", "count", "copies", "pieces", "units", "repeats", "times", "runs"}
    ordered = m.unit in ("of", "x", "times", "pieces", "copies") or (
        view.verb is not None and before[:1] == [view.verb]
    )
    return 2.0 if counts and ordered else 0.0


def _is_year(view: View, m: Mention) -> bool:
    before = view.text[max(0, m.start - 8) : m.start].lower()
    return isinstance(m.number, int) and 1900 <= m.number <= 2100 and bool(re.search(r"\b(in|of|year)\s+$", before))


def _unit_score(leaf: Leaf, m: Mention) -> float | None:
    """What a number's unit says for a parameter; `None` where it is another unit or another quantity."""
    mine = _units_of(leaf)
    if m.unit in UNITS and m.unit != "in":
        dimension, size = UNITS[m.unit]
        same = [other for other in mine if other[0] == dimension]
        if same:
            return 3.0 if (dimension, size) in same else None
        if dimension == "money":
            return 1.5 if (leaf.words | leaf.hints) & _MONEY else -0.4
        return None if mine and stem(m.unit) not in leaf.own | leaf.hints else -0.4
    if m.unit == "%":
        percent = {"percent", "percentage", "rate", "discount", "share"} & (leaf.raw_words | set(_about(leaf)))
        return 2.0 if percent else 0.0
    counted = m.unit and m.unit.isalpha() and m.unit not in STOP and m.unit not in PREPOSITIONS
    counted = counted and stem(m.unit) not in _VERB_STEMS
    return -0.4 if counted and stem(m.unit) not in leaf.own | leaf.hints else 0.0


def _units_of(leaf: Leaf) -> set[tuple[str, int]]:
    """The units that a parameter is in, by its name first, else by "in minutes" in its description."""
    named = {UNITS[w] for w in leaf.raw_words if w in UNITS and len(w) > 1}
    if named:
        return {(d, int(s)) for d, s in named}
    told = re.findall(r"\bin (?:whole )?([a-z°$€£]+)", str(leaf.schema.get("description") or "").lower())
    return {(UNITS[w][0], int(UNITS[w][1])) for w in told if w in UNITS}


def _about(leaf: Leaf) -> list[str]:
    return identifier_words(str(leaf.schema.get("description") or ""))
