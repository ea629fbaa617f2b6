"""Lists: array parameters filled from enumerations in a text ("milk, eggs and two pears").

Goes in: an array parameter, a view, the tool and the places that are taken. Comes out: the items with their places. An
item that is an object is filled by `fill_object`, which `fill` hands in, from its own piece of the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from segue.router.offline.check import fits
from segue.router.offline.cues import role_score
from segue.router.offline.freetext import gaps_between
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.strings import Spans
from segue.router.offline.text import identifier_words, stem, tokens
from segue.router.offline.values import candidates
from segue.router.offline.view import View
from segue.router.offline.words import PREPOSITIONS, STOP, VERBS

ObjectFiller = Callable[[tuple[Leaf, ...], str], dict[str, Any] | None]

_SEPARATOR = re.compile(r"\s*(?:,\s*(?:and|or)\b|,|;|\n\s*[-*•]?|\band\b|\bplus\b|&)\s*", re.I)
_END = re.compile(
    r"[.!?](?=\s|$)|\s(?:from|to|for|in|at|on|by|with|about|into|under|via|until|before|after|that|which|who)\s", re.I
)


@dataclass(frozen=True)
class Found:
    """The items of one list and the places that they stand in."""

    items: list[Any]
    spans: list[tuple[int, int]]


def list_value(leaf: Leaf, view: View, tool: Tool, used: Spans, fill_object: ObjectFiller) -> Found | None:
    """The list that the text gives for an array parameter; `None` where it gives none."""
    items = leaf.schema["items"]
    if leaf.schema.get("item_leaves"):
        return _objects(leaf, view, tool, used, fill_object)
    if _is_plain_text(items):
        return _texts(leaf, view, tool, used)
    return _typed(leaf, view, tool, used)


def _is_plain_text(items: dict[str, Any]) -> bool:
    special = items.get("enum") or items.get("format") or items.get("pattern")
    return items.get("type", "string") == "string" and not special


def _item_leaf(leaf: Leaf) -> Leaf:
    singular = leaf.name.removesuffix("s") if leaf.name.endswith("s") else leaf.name
    told = leaf.schema.get("description")
    return Leaf((singular,), {"description": told, **leaf.schema["items"]}, leaf.required, leaf.needed)


def _typed(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Found | None:
    items: list[Any] = []
    spans: list[tuple[int, int]] = []
    found = [c for c in candidates(_item_leaf(leaf), view, tool) if c.score >= (0.9 if leaf.required else 1.4)]
    for c in sorted(found, key=lambda c: (c.start, -(c.end - c.start))):
        if not _free(c.start, c.end, [*used, *spans]) or c.value in items:
            continue
        items.append(c.value)
        spans.append((c.start, c.end))
    return Found(items, spans) if items and fits(items, leaf.schema) else None


def _texts(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Found | None:
    item = _item_leaf(leaf)
    typed = [c for c in candidates(item, view, tool) if c.score >= 2.5 and not _is_phrase(c.value)]
    quoted = [m for m in view.mentions if m.kind == "quoted" and _free(m.start, m.end, used)]
    begin = _begin(leaf, view, tool, used)
    if begin is None and quoted and leaf.required:
        return Found([m.text for m in quoted], [(m.start, m.end) for m in quoted])
    if begin is None:
        typed = [c for c in typed if _free(c.start, c.end, used)][:1]
        return Found([c.value for c in typed], [(c.start, c.end) for c in typed]) if typed else None
    return _split(leaf, view, tool, used, begin)


def _is_phrase(value: Any) -> bool:
    return isinstance(value, str) and bool(_SEPARATOR.search(value))


def _begin(leaf: Leaf, view: View, tool: Tool, used: Spans) -> int | None:
    """Where the enumeration starts: after the parameter's word, after its preposition, else after the verb."""
    own = {stem(w) for w in identifier_words(leaf.name)}
    colon = re.search(r":\s+(?=\S)", view.text)
    before = [word.stem for word in view.words if colon and word.end <= colon.start()][-2:]
    own_colon = leaf.required or bool(own & set(before))
    if colon and own_colon and not any(m.start < colon.start() < m.end for m in view.mentions):
        return colon.end()
    for word in view.words:
        if word.start >= view.body and word.stem in own and view.text[word.end :].strip(" .:?!"):
            following = next((w for w in view.words if w.start >= word.end), None)
            if following is None or following.lower not in PREPOSITIONS - {"called", "named", "of"}:
                return word.end
    for word in view.words:
        if word.lower in PREPOSITIONS and role_score(leaf, word.lower) >= 2.5 and _free(word.end, word.end + 1, used):
            return word.end
    if not leaf.required:
        return None
    return view.verb.end if view.verb else view.body


def _split(leaf: Leaf, view: View, tool: Tool, used: Spans, begin: int) -> Found | None:
    stop = _END.search(view.text, begin + 1)
    limit = min([stop.start() if stop else len(view.text), *[s for s, e in used if s > begin and e > s]])
    items: list[Any] = []
    spans: list[tuple[int, int]] = []
    place = begin
    for m in [*_separators(view, begin, limit), None]:
        end = m.start() if m else limit
        found = _trimmed(view, place, end, leaf, tool)
        place = m.end() if m else end
        if found and _free(found[1], found[2], used):
            items.append(found[0])
            spans.append((found[1], found[2]))
    return Found(items, spans) if items and fits(items, leaf.schema) else None


def _separators(view: View, begin: int, limit: int) -> list[re.Match[str]]:
    """The commas and joins between items; none inside a quote, a number or another value."""
    found = _SEPARATOR.finditer(view.text, begin, limit)
    return [m for m in found if not any(q.start < m.start() < q.end for q in view.mentions)]


def _trimmed(view: View, start: int, end: int, leaf: Leaf, tool: Tool) -> tuple[str, int, int] | None:
    quoted = next((m for m in view.mentions if m.kind == "quoted" and start <= m.start and m.end <= end), None)
    if quoted:
        return quoted.text, quoted.start, quoted.end
    own = {stem(w) for w in identifier_words(leaf.name)} | tool.name_stems
    words = [w for w in tokens(view.text[:end]) if w.start >= start]
    while words and (words[0].lower in STOP | PREPOSITIONS | VERBS or (words[0].stem in own and len(words) > 1)):
        words = words[1:]
    while words and (words[-1].lower in STOP | PREPOSITIONS or words[-1].stem in own):
        words = words[:-1]
    if not words:
        return None
    first, last = words[0].start, words[-1].end
    return view.text[first:last], first, last


def _objects(leaf: Leaf, view: View, tool: Tool, used: Spans, fill_object: ObjectFiller) -> Found | None:
    begin = _begin(leaf, view, tool, ()) if leaf.required else _optional_begin(leaf, view)
    if begin is None:
        return None
    items, spans, place = [], [], begin
    for m in [*_separators(view, begin, len(view.text)), None]:
        end = m.start() if m else len(view.text)
        gaps = [gap for gap in gaps_between(place, end, used) if view.text[slice(*gap)].strip()]
        tried = [(fill_object(leaf.schema["item_leaves"], view.text[slice(*gap)]), gap) for gap in gaps]
        made = [(item, gap) for item, gap in tried if item]
        if made:
            items.append(made[-1][0])
            spans.append(made[-1][1])
        elif items and gaps and _is_short_of(leaf.schema["item_leaves"], view.text[slice(*gaps[0])]):
            return None
        place = m.end() if m else end
    return Found(items, spans) if items and fits(items, leaf.schema) else None


def _is_short_of(leaves: tuple[Leaf, ...], piece: str) -> bool:
    """Whether a piece of a list names a thing but not all that an item needs ("2 teas and some cake"): better asked."""
    words = [w for w in tokens(piece) if w.lower not in STOP | PREPOSITIONS | VERBS]
    counts = [leaf for leaf in leaves if leaf.needed and leaf.kind in ("integer", "number")]
    return bool(counts) and 0 < len(words) < 3


def _optional_begin(leaf: Leaf, view: View) -> int | None:
    own = {stem(w) for w in identifier_words(leaf.name)}
    return next((word.end for word in view.words if word.stem in own), None)


def _free(start: int, end: int, used: Spans) -> bool:
    return all(end <= s or start >= e for s, e in used if e > s)
