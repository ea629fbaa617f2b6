"""Choosing a tool: the words of a request against the words of each tool's schema.

Goes in: the tools and one clause. Comes out: the tools that fit it, best first, with scores; none where nothing
fits. A word counts by how few of the given tools share it, and by where it stands: a name says more than a
description. Whether the arguments can be filled is weighed in `choose`, which asks `fill`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from segue.router.offline.effects import FAMILIES, effect_factor, nouns_of, tells_others
from segue.router.offline.examples import is_built
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import akin, content_stems, identifier_words, stem, stems
from segue.router.offline.view import View
from segue.router.offline.words import ALIASES, ASKED, NOUN_TOO, QUESTION, READ_VERBS, STOP, VERBS

FLOOR = 0.6
"""A score below this chooses nothing."""

_NAME, _DESCRIPTION, _PARAMETER, _CHOICE, _PARAMETER_TEXT = 1.0, 0.55, 0.5, 0.6, 0.3
_VERB = 0.7
"""What a verb of the clause counts; a noun counts 1."""
_READ_STEMS = frozenset(stem(verb) for verb in READ_VERBS)
_PLACES = frozenset({"path", "file", "filename", "filepath", "name"})
_TYPED = frozenset({"quoted", "code", "email", "url", "id", "path", "uuid", "date", "datetime", "time"})


@dataclass(frozen=True)
class Match:
    """One tool and how well a clause fits it."""

    tool: Tool
    score: float
    name_hits: frozenset[str]
    """Stems of the clause that stand in the tool's name, verbs included."""
    matched: frozenset[str]
    """All stems of the clause that the tool's schema has."""


class Index:
    """The words of a set of tools, weighed once."""

    def __init__(self, tools: Sequence[Tool], *, effects: bool = True) -> None:
        """`effects` says whether the tools change things by their verbs; workers of a plan do not."""
        self.tools = list(tools)
        self._effects = effects
        self._floor = FLOOR if effects else 0.2
        self._weights = [_weights(tool) for tool in tools]
        counts: dict[str, int] = {}
        for weights in self._weights:
            for word in weights:
                counts[word] = counts.get(word, 0) + 1
        self._families: dict[str, list[str]] = {}
        for word in counts:
            self._families.setdefault(word[:5], []).append(word)
        top = math.log((len(tools) + 1) / 1.5) or 1.0
        self._rarity = {word: max(math.log((len(tools) + 1) / (n + 0.5)) / top, 0.3) for word, n in counts.items()}

    def matches(self, view: View) -> list[Match]:
        """Every tool that shares a word with the clause, best first; arguments are not looked at."""
        query = self._joined(query_stems(view), view)
        found = [
            self._match(tool, weights, query, view) for tool, weights in zip(self.tools, self._weights, strict=True)
        ]
        kept = [match for match in found if match.score > 0]
        return sorted(kept, key=lambda match: -match.score)

    def _joined(self, query: dict[str, float], view: View) -> dict[str, float]:
        """The query with two words as one where a tool writes them so: "check out" and checkout."""
        for one, two in zip(view.words, view.words[1:], strict=False):
            both = stem(one.lower + two.lower)
            if both in self._rarity and both not in query:
                query = {word: worth for word, worth in query.items() if word not in (one.stem, two.stem)} | {both: 1.0}
        return query

    def picks(self, view: View) -> Match | None:
        """The best tool above the floor by words alone; `None` where none is."""
        found = self.matches(view)
        return found[0] if found and found[0].score >= self._floor else None

    def _match(self, tool: Tool, weights: dict[str, float], query: dict[str, float], view: View) -> Match:
        total, hits, matched = 0.0, set(), set()
        for word, plain in query.items():
            importance = 1.5 if view.verb and word == view.verb.stem and not self._effects else plain
            term, worth = self._best_term(word, weights, tool)
            if not term:
                continue
            total += worth * self._rarity[term] * importance
            matched.add(word)
            if term in tool.name_stems:
                hits.add(word)
        nouns = nouns_of(tool)
        if nouns and total:
            total += 0.5 * len(nouns & {_kin(w, dict.fromkeys(nouns, 1.0)) or w for w in hits}) / len(nouns)
        solid = [word for word in matched if query[word] != _VERB] or hits or not self._effects
        total = (total + _verb_bonus(tool, view) + 0.3 * is_shaped(tool, view)) if solid else 0.0
        factor = effect_factor(tool, view) if self._effects else 1.0
        return Match(tool, total * factor, frozenset(hits), frozenset(matched))

    def _best_term(self, word: str, weights: dict[str, float], tool: Tool) -> tuple[str, float]:
        """The tool's word that a word of the request stands for, and what it is worth; kin counts for less."""
        best, worth = (word, weights[word]) if word in weights else ("", 0.0)
        for other in self._families.get(word[:5], ()) if len(word) >= 5 else ():
            if other in weights and 0.6 * weights[other] > worth and akin(word, other):
                best, worth = other, 0.6 * weights[other]
        return best, worth


def query_stems(view: View) -> dict[str, float]:
    """The content words of a clause with their importance; a typed value counts as its kind ("email", "url")."""
    out = dict.fromkeys(content_stems(_without_quotes(view), apart=False), 1.0)
    if view.verb is not None and view.verb.stem in out and view.verb.lower not in QUESTION:
        out[view.verb.stem] = _VERB
    for word in view.words:
        if word.lower in VERBS and word.stem in out and (word.lower not in NOUN_TOO or word == view.verb):
            out[word.stem] = _VERB
    for mention in view.mentions:
        if mention.kind in ("email", "url", "uuid", "phone"):
            out.setdefault(stem(mention.kind), 0.6)
        elif mention.kind == "math":
            out |= {stem(word): 0.8 for word in ("expression", "arithmetic", "calculator", "evaluate", "formula")}
    if tells_others(view):
        out.setdefault(stem("message"), 0.5)
    text = view.text.lower()
    for choice, ways in ASKED.items():
        way = next((way for way in ways if way in text), "")
        if way:
            out.setdefault(stem(choice), 0.5)
            if " " in way:
                out.pop(stem(way.split()[-1]), None)
    for choice, ways in ALIASES.items():
        if any(way in text for way in ways if " " in way or len(way) > 3) and len(choice) > 2:
            out.setdefault(stem(choice), 0.5)
    return out


def _without_quotes(view: View) -> str:
    text = view.text[view.body :]
    if view.verb is not None and view.verb.start == view.body:
        text = view.verb.text.ljust(view.verb.end - view.body) + view.text[view.verb.end :]
    for m in reversed(view.mentions):
        typed = m.kind in _TYPED or (m.kind == "number" and m.text[:1].isdigit() and "." in m.text)
        if typed and m.start >= view.body:
            text = text[: m.start - view.body] + " " + text[m.end - view.body :]
    return text


def _kin(word: str, weights: dict[str, float]) -> str:
    if word in weights:
        return word
    return next((other for other in weights if akin(word, other)), "") if len(word) >= 5 else ""


@lru_cache(maxsize=1024)
def _weights(tool: Tool) -> dict[str, float]:
    out: dict[str, float] = {}

    def add(words: Sequence[str], weight: float) -> None:
        for word in words:
            if len(word) > 1:
                out[word] = max(out.get(word, 0.0), weight)

    for leaf in tool.leaves:
        _add_leaf(leaf, add)
        for inner in leaf.schema.get("item_leaves", ()):
            _add_leaf(inner, add)
    add(content_stems(tool.description), _DESCRIPTION)
    add([stem(w) for w in tool.name_words if w not in STOP or len(tool.name_words) == 1], _NAME)
    return out


def _add_leaf(leaf: Leaf, add: object) -> None:
    assert callable(add)
    add([stem(w) for w in identifier_words(leaf.name) if w not in STOP], _PARAMETER)
    add(content_stems(str(leaf.schema.get("description") or "")), _PARAMETER_TEXT)
    choices = leaf.schema.get("enum")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, str):
            add([s for s in stems(choice) if s not in STOP], _CHOICE)
    for note in leaf.schema.get("notes", {}).values():
        add(content_stems(note), _PARAMETER_TEXT)


def _verb_bonus(tool: Tool, view: View) -> float:
    """A little where the clause's verb and the tool's say the same in other words."""
    if view.verb is None:
        return 0.0
    said = view.verb.stem
    theirs = {stem(w) for w in (*tool.action_words[:2], tool.told_verb) if w}
    if said == stem(tool.action_words[0]):
        return 0.5
    if said in theirs:
        return 0.3
    if view.is_question and theirs & _READ_STEMS:
        return 0.2
    return 0.3 if any(said in family and theirs & family for family in FAMILIES) else 0.0


def is_shaped(tool: Tool, view: View) -> bool:
    """Whether an id in the clause is built as a pattern or an example of a required parameter says."""
    shown = [m.text for m in view.mentions if m.kind == "id"]
    if any(m.kind == "path" for m in view.mentions) and any(leaf.raw_words <= _PLACES for leaf in tool.required):
        return True
    return any(is_built(leaf, text) for leaf in tool.required for text in shown)
