"""Filling arguments: one tool and one clause in, the arguments that the text holds out.

Every value stands in the text (or is looked up by `recall` where the clause points elsewhere); no two parameters
share a piece of text; an optional parameter that the text does not mention is left out. What a required one lacks
is `missing`; how to ask for it is left to `ask`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segue.router.offline.answers import from_answers
from segue.router.offline.check import fits
from segue.router.offline.cues import Candidate, leaf_side
from segue.router.offline.freetext import free_text, modifier
from segue.router.offline.lists import list_value
from segue.router.offline.recall import Known, is_missing, recall
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import stem
from segue.router.offline.values import candidates, shape
from segue.router.offline.view import View, view_of
from segue.router.offline.words import PREPOSITIONS, STOP, UNITS

Path = tuple[str, ...]

_REQUIRED_FLOOR, _OPTIONAL_FLOOR, _SECOND_OF_A_KIND = 0.5, 2.0, 3.0
_KIND_STEMS = frozenset(stem(w) for w in ("kind", "type", "sort", "category", "style", "genre", "class", "variety"))
_TITLES = frozenset({"title", "summary", "headline"})
_REST = frozenset({"title", "heading", "item"})
"""Beside free text, names whose parameter may take the rest of a clause."""


@dataclass
class Filled:
    """What one clause gives to one tool."""

    values: dict[Path, Any] = field(default_factory=dict)
    places: dict[Path, list[tuple[int, int]]] = field(default_factory=dict)
    """Where in the clause each value stands; empty for values from elsewhere."""
    missing: list[Leaf] = field(default_factory=list)
    strength: dict[Path, float] = field(default_factory=dict)
    """How surely each value from the clause belongs to its parameter."""
    drawn: bool = False
    """Whether a value comes from outside the request: a result, or an earlier turn."""
    wants_code: Leaf | None = None
    """A required parameter that wants SQL or source code, which is never written here."""

    @property
    def complete(self) -> bool:
        """Whether a call can be made."""
        return not self.missing and self.wants_code is None

    @property
    def arguments(self) -> dict[str, Any]:
        """The values as nested arguments, in the order of the schema's leaves."""
        out: dict[str, Any] = {}
        for path, value in self.values.items():
            place = out
            for part in path[:-1]:
                place = place.setdefault(part, {})
            place[path[-1]] = value
        return out

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Every place of the clause that a value took."""
        return [span for spans in self.places.values() for span in spans]


def fill(tool: Tool, clause: str, known: Known) -> Filled:
    """Fill a tool's arguments from a clause and from what it points at."""
    talk, known = known.conversation, replace(known, used_answers=set())
    view = view_of(clause, talk.today)
    filled = Filled()
    leaves = [leaf for leaf in tool.leaves if "const" not in leaf.schema]
    scalars = [leaf for leaf in leaves if not is_list(leaf)]
    _tail(filled, scalars, view)
    _assign(filled, scalars, view, tool)
    _assign(filled, [leaf for leaf in scalars if _beside_a_value(leaf, filled)], view, tool)
    for leaf in leaves:
        if is_list(leaf):
            found = list_value(leaf, view, tool, filled.spans, fill_object)
            if found is not None:
                _put(filled, leaf, found.items, found.spans)
    _pair(filled, tool, view)
    _free_texts(filled, leaves, view, tool)
    _modifier(filled, scalars, view, tool)
    for leaf in leaves:
        if leaf.path not in filled.values and (leaf.required or _beside_a_value(leaf, filled)):
            value = from_answers(leaf, tool, known)
            elsewhere = False
            if is_missing(value):
                value, elsewhere = recall(leaf, tool, view, known)
            if not is_missing(value):
                _put(filled, leaf, value, [])
                filled.drawn |= elsewhere
    _close(filled, tool)
    return filled


def fill_object(leaves: tuple[Leaf, ...], piece: str) -> dict[str, Any] | None:
    """One object of a list from its piece of text; `None` where a needed value is not in it."""
    inner = Tool("", "", {}, tuple(Leaf(x.path[-1:], x.schema, x.needed, x.needed) for x in leaves))
    view = view_of(piece)
    filled = Filled()
    scalars = [leaf for leaf in inner.leaves if "const" not in leaf.schema and not is_list(leaf)]
    _assign(filled, scalars, view, inner)
    _free_texts(filled, scalars, view, inner)
    _close(filled, inner)
    return filled.arguments if filled.complete and filled.values else None


def is_list(leaf: Leaf) -> bool:
    """Whether a parameter takes a list."""
    return leaf.kind == "array"


def _assign(filled: Filled, leaves: Sequence[Leaf], view: View, tool: Tool) -> None:
    """Give pieces of text to parameters, the surest pair first."""
    pool: list[tuple[float, int, int, Leaf, Candidate]] = []
    kinds = [_kind(leaf) for leaf in leaves if leaf.required]
    chosen = _named_choices(leaves, view, tool)
    for order, leaf in enumerate(leaves):
        floor = _REQUIRED_FLOOR if leaf.required or _beside_a_value(leaf, filled) else _OPTIONAL_FLOOR
        if leaf.is_free_text:
            floor = max(floor, 1.7)
        if not leaf.required and kinds.count(_kind(leaf)) and not leaf_side(leaf):
            floor = _SECOND_OF_A_KIND
        extra = 0.5 if leaf.required else 0.0
        offered = [c for c in candidates(leaf, view, tool) if c.score >= floor]
        offered = [c for c in offered if not leaf.wants_code or _is_given_code(c, view)]
        if not leaf.schema.get("enum"):
            offered = [c for c in offered if (c.start, c.end) not in chosen or c.score > 4.0]
        pool += [(-(c.score + extra), c.start, order, leaf, c) for c in offered]
    for _, _, _, leaf, c in sorted(pool, key=lambda row: row[:3]):
        if leaf.path in filled.values:
            continue
        held = _room(c, filled.spans, view)
        if held is not None and fits(held.value, leaf.schema):
            _put(filled, leaf, held.value, [(held.start, held.end), *held.also])
            filled.strength[leaf.path] = held.score


def _named_choices(leaves: Sequence[Leaf], view: View, tool: Tool) -> set[tuple[int, int]]:
    """The places where the text names a whole choice of some enum."""
    listed = [leaf for leaf in leaves if leaf.schema.get("enum")]
    return {(c.start, c.end) for leaf in listed for c in candidates(leaf, view, tool) if c.score >= 3.3}


def _is_given_code(c: Candidate, view: View) -> bool:
    """Whether the person gave the code itself, between backticks, in a fence or in quotes."""
    given = next((m for m in view.mentions if (m.start, m.end) == (c.start, c.end)), None)
    if given is None:
        return False
    return given.kind == "code" or (
        given.kind == "quoted" and bool(re.search(r"[;(){}=*]|\bselect\b", given.text, re.I))
    )


def _kind(leaf: Leaf) -> str:
    if leaf.schema.get("enum") or leaf.kind not in ("string", "any"):
        return f"{leaf.kind} {leaf.name}" if leaf.schema.get("enum") or leaf.kind == "boolean" else leaf.kind
    return shape(leaf)


def is_free(c: Candidate, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether nothing took any of a candidate's text."""
    return all(c.end <= start or c.start >= end for start, end in spans if end > start)


def _room(c: Candidate, spans: Sequence[tuple[int, int]], view: View) -> Candidate | None:
    """The candidate, or the words of its phrase that stand before what others took; `None` where nothing is left."""
    if is_free(c, spans):
        return c
    first = min(start for start, end in spans if end > start and start < c.end and c.start < end)
    whole = any(m.start == c.start and m.end == c.end for m in view.mentions)
    if whole or c.value != view.text[c.start : c.end] or first <= c.start:
        return None
    words = [w for w in view.words if c.start <= w.start and w.end <= first]
    while words and words[-1].lower in STOP | PREPOSITIONS:
        words.pop()
    if not words or words[0].lower in STOP:
        return None
    return replace(c, value=view.text[c.start : words[-1].end], end=words[-1].end)


def _put(filled: Filled, leaf: Leaf, value: Any, spans: list[tuple[int, int]]) -> None:
    filled.values[leaf.path] = value
    filled.places[leaf.path] = spans


def _free_texts(filled: Filled, leaves: Sequence[Leaf], view: View, tool: Tool) -> None:
    """Give the phrases that are left to the free-text parameters: marked ones first, then the rest to one."""
    takers = [x for x in leaves if (x.is_free_text or x.raw_words & _REST) and x.kind in ("string", "any")]
    takers = [x for x in takers if not x.schema.get("enum") and not x.wants_code]
    takers.sort(key=lambda leaf: bool(leaf.raw_words & {"subject", "title", "topic"}))
    for alone in (False, True):
        for leaf in takers:
            if leaf.path in filled.values or (alone and not leaf.required):
                continue
            found = free_text(leaf, view, tool, [*filled.spans, *_units(filled, view)], alone=alone)
            if found is None and alone and leaf.is_search:
                found = free_text(
                    leaf, view, tool, [*_without_choices(filled, tool), *_units(filled, view)], alone=True
                )
            if found is not None and fits(found.value, leaf.schema):
                _put(filled, leaf, found.value, [(found.start, found.end)])
                if alone:
                    return


def _units(filled: Filled, view: View) -> list[tuple[int, int]]:
    """The unit words after numbers that parameters took."""
    ends = {end for _, end in filled.spans}
    after = ((next((w for w in view.words if w.start >= m.end), None), m) for m in view.mentions if m.end in ends)
    return [(w.start, w.end) for w, m in after if w is not None and m.unit in UNITS and w.lower == m.unit]


def _without_choices(filled: Filled, tool: Tool) -> list[tuple[int, int]]:
    """The places taken, those of choices aside: a word may say the kind of thing and be what is searched for."""
    choices = {leaf.path for leaf in tool.leaves if leaf.schema.get("enum")}
    return [span for path, spans in filled.places.items() if path not in choices for span in spans]


def _tail(filled: Filled, leaves: Sequence[Leaf], view: View) -> None:
    """Give all that follows a colon to a required title: "Open an issue in acme: Login fails on Safari"."""
    takers = [x for x in leaves if x.required and x.raw_words & _TITLES and x.kind == "string"]
    found = re.search(r"(\w+):\s+(?=\w+\s+\w)", view.text[view.body :]) if len(takers) == 1 else None
    if found is None or "enum" in takers[0].schema:
        return
    named = any(stem(found[1]) in leaf.own for leaf in leaves if leaf is not takers[0])
    start, end = view.body + found.end(), len(view.text.rstrip(" .!?"))
    held = any(m.kind in ("quoted", "code", "url") for m in view.mentions)
    if not named and not held and ":" not in view.text[start:end] and fits(view.text[start:end], takers[0].schema):
        _put(filled, takers[0], view.text[start:end], [(start, end)])
        filled.strength[takers[0].path] = 3.0


def _pair(filled: Filled, tool: Tool, view: View) -> None:
    """Give "acme/demo" to the only two required plain texts of a tool, in their order, where nothing says otherwise."""
    texts = [x for x in tool.required if x.kind in ("string", "any") and not x.schema.get("enum")]
    texts = [
        x for x in texts if shape(x) == "text" and not x.is_free_text and not (x.wants_code or x.raw_words & _REST)
    ]
    found = [*re.finditer(r"(?<![\w/.~:-])([A-Za-z][\w.-]*)/([A-Za-z][\w.-]*\w)(?![\w/])", view.text)]
    if len(texts) != 2 or len(found) != 1:
        return
    m = found[0]
    sure = [leaf for leaf in texts if filled.strength.get(leaf.path, 0.0) >= 2.0]
    held = [leaf for leaf in sure if filled.values[leaf.path] != m.group()]
    ours = {leaf.path for leaf in texts}
    others = [span for path, spans in filled.places.items() if path not in ours for span in spans]
    if not held and all(m.end() <= start or m.start() >= end for start, end in others):
        for leaf, number in zip(texts, (1, 2), strict=True):
            _put(filled, leaf, m[number], [m.span(number)])


def _modifier(filled: Filled, leaves: Sequence[Leaf], view: View, tool: Tool) -> None:
    """Give "Italian" of "cheap Italian restaurants" to the optional text that says what kind of thing is wanted.

    Only where the tool has one such parameter: no other plain text is open, or it alone speaks of kinds.
    """
    takers = [x for x in leaves if x.path not in filled.values and x.kind == "string" and not x.required]
    takers = [x for x in takers if not (x.schema.keys() & {"enum", "pattern", "format"}) and not x.is_free_text]
    takers = [x for x in takers if shape(x) == "text" and (x.words | x.hints) & _KIND_STEMS]
    if len(takers) == 1:
        found = modifier(view, tool, filled.spans)
        if found is not None and fits(found.value, takers[0].schema):
            _put(filled, takers[0], found.value, [(found.start, found.end)])


def _beside_a_value(leaf: Leaf, filled: Filled) -> bool:
    """Whether an optional object has a value already and needs this one too."""
    around = leaf.path[:-1]
    return bool(around) and leaf.needed and any(path[: len(around)] == around for path in filled.values)


def _close(filled: Filled, tool: Tool) -> None:
    """Add constants, keep the schema's order, and note what is missing."""
    for leaf in tool.leaves:
        if "const" in leaf.schema and (leaf.required or _beside_a_value(leaf, filled)):
            _put(filled, leaf, leaf.schema["const"], [])
        elif leaf.null_if_absent and leaf.path not in filled.values:
            _put(filled, leaf, None, [])
    filled.values = {leaf.path: filled.values[leaf.path] for leaf in tool.leaves if leaf.path in filled.values}
    held = {path[0] for path in filled.values}
    filled.missing += [leaf for leaf in tool.open_objects if leaf.name not in held]
    for leaf in tool.leaves:
        if leaf.path in filled.values or not (leaf.required or _beside_a_value(leaf, filled)):
            continue
        if leaf.wants_code:
            filled.wants_code = leaf
        elif "default" not in leaf.schema or leaf.schema["default"] is None:
            filled.missing.append(leaf)
