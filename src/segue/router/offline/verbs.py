"""Verbs alone: the tool that a command means though no noun of it stands in any schema ("Pause the music").

Goes in: a clause that fits no tool by its nouns, and the tools. Comes out: the one tool that carries the clause's verb
and can be called, or nothing. A verb that many things can be done with ("start", "delete", "turn") is not enough by
itself: its object must be what the tool takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from segue.router.offline.effects import effect_of, is_common, nouns_of
from segue.router.offline.fill import Filled, fill
from segue.router.offline.recall import Known
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.select import Index
from segue.router.offline.text import stem
from segue.router.offline.values import shape
from segue.router.offline.view import View
from segue.router.offline.words import word_set

_PARTICLES = word_set("on off up down in out")
_LIGHT = word_set("turn switch put set take make get give do have keep run go bring let use play open close call")
_SWITCHES = frozenset({"turn", "switch", "put", "shut", "power"})
_TARGETS = ("name", "device", "entity", "target", "object", "thing")


@dataclass(frozen=True)
class Option:
    """A tool that a clause could mean, what the clause gives to it, and how well it fits."""

    tool: Tool
    filled: Filled
    score: float


def by_verb_alone(clause: str, view: View, index: Index, known: Known) -> list[Option]:
    """The one tool that carries the clause's verb, or that searches where the clause says "search"; else none."""
    if view.is_question:
        return []
    if view.verb is None:
        return _by_choice(clause, view, index, known)
    found = [tool for tool in index.tools if _carries(tool, view)]
    exact = len(found) == 1 and bool(found[0].action_words[1:2]) and found[0].action_words[1] in _PARTICLES
    if len(found) == 1 and (exact or not _is_of_another(view, found[0], index)):
        filled = fill(found[0], clause, known)
        placed = give_target(found[0], filled, view)
        enough = not (is_common(view.verb) or view.verb.lower in _LIGHT) and not found[0].required
        if filled.complete and (enough or placed):
            return [Option(found[0], filled, 1.0)]
    return _searching(clause, view, index, known) or _by_choice(clause, view, index, known)


def _by_choice(clause: str, view: View, index: Index, known: Known) -> list[Option]:
    """The only tool that has the clause's verb among a required parameter's choices: "sell" of buy and sell."""
    opening = next((word for word in view.words if word.start >= view.body), None)
    if opening is None:
        return []
    found = [(t, leaf) for t in index.tools for leaf in t.required if opening.stem in _choices(leaf)]
    if len(found) != 1:
        return []
    tool, leaf = found[0]
    filled = fill(tool, clause, known)
    taken = any(start == opening.start for start, _ in filled.places.get(leaf.path, []))
    others = [x for x in tool.required if x is not leaf and filled.places.get(x.path)]
    return [Option(tool, filled, 1.0)] if taken and others else []


def _choices(leaf: Leaf) -> set[str]:
    choices = leaf.schema.get("enum")
    return {stem(choice) for choice in choices if isinstance(choice, str)} if isinstance(choices, list) else set()


def _carries(tool: Tool, view: View) -> bool:
    """Whether the tool's name opens with the clause's verb, and with its "on" or "off" where either has one."""
    assert view.verb is not None
    head, *rest = tool.action_words or ("",)
    particle = {word for word in rest[:1] if word in _PARTICLES}
    said = {word.lower for word in view.words if word.start >= view.verb.end and word.lower in _PARTICLES}
    same = stem(head) == view.verb.stem or (bool(particle) and {head, view.verb.lower} <= _SWITCHES)
    return same and (particle <= said if particle else not (said & {"on", "off"} and view.verb.lower in _LIGHT))


def _is_of_another(view: View, tool: Tool, index: Index) -> bool:
    """Whether the object of the clause is what another tool is about."""
    said = {word.stem for word in view.words if view.verb is not None and word.start >= view.verb.end}
    return any(said & (nouns_of(other) - nouns_of(tool)) for other in index.tools if other is not tool)


def give_target(tool: Tool, filled: Filled, view: View) -> bool:
    """Give the object of the clause to the optional text that names what is acted on; whether there is one."""
    objects = [phrase for phrase in view.phrases if not phrase.prep]
    for leaf in sorted((x for x in tool.leaves if _is_target(x)), key=lambda x: _TARGETS.index(_target_word(x))):
        if leaf.path in filled.values:
            return True
        new = objects and any(word.stem not in tool.name_stems for word in objects[0].words)
        if new and all(objects[0].end <= start or objects[0].start >= end for start, end in filled.spans):
            filled.values[leaf.path] = view.text[objects[0].start : objects[0].end]
            filled.places[leaf.path] = [(objects[0].start, objects[0].end)]
            return True
    return False


def _is_target(leaf: Leaf) -> bool:
    plain = leaf.kind == "string" and not leaf.schema.get("enum") and not leaf.is_free_text and shape(leaf) == "text"
    return plain and len(leaf.path) == 1 and bool(_target_word(leaf))


def _target_word(leaf: Leaf) -> str:
    return next((word for word in _TARGETS if word in leaf.raw_words), "")


def _searching(clause: str, view: View, index: Index, known: Known) -> list[Option]:
    """The only tool that searches by free text alone, for a clause that says to search."""
    assert view.verb is not None
    if view.verb.stem != "search":
        return []
    found = [
        t for t in index.tools if len(t.required) == 1 and t.required[0].is_search and not t.required[0].wants_code
    ]
    found = [tool for tool in found if "search" in tool.name_stems and effect_of(tool) != "write"]
    filled = fill(found[0], clause, known) if len(found) == 1 else None
    return [Option(found[0], filled, 1.0)] if filled is not None and filled.complete else []
