"""Effects: what a tool does to the world by its words, what a clause commands, and whether the two agree.

Goes in: tools and clauses. Comes out: `read` or `write`, verbs that do the same or undo each other, and the factor by
which a tool counts for a clause. Who wants a tool's own statement of its effect finds that in `segue.tools`, not here.
"""

from __future__ import annotations

import re

from segue.router.offline.opposites import opposite
from segue.router.offline.schema import Tool
from segue.router.offline.text import Token, content_stems, stem
from segue.router.offline.view import View
from segue.router.offline.words import NOUN_TOO, QUESTION, READ_VERBS, STOP, VERBS, WRITE_VERBS

FAMILIES = tuple(
    frozenset(stem(word) for word in row.split())
    for row in (
        "show get find list look search lookup fetch read display view check see retrieve query browse give",
        "create add make new open register insert write draft file log record",
        "book schedule reserve plan arrange",
        "update change set edit modify adjust rename activate deactivate enable disable reset",
        "move reschedule shift relocate",
        "delete remove cancel drop clear erase discard purge destroy terminate wipe revoke kill",
        "send message notify mail email text tell post ping",
        "count many number total",
        "buy purchase order",
        "start launch run begin",
        "stop halt end",
        "summarize summarise",
        "plot chart graph draw",
    )
)
_DELETING = next(family for family in FAMILIES if "delet" in family)
_ENDING = _DELETING | {stem(word) for word in ("close", "merge", "stop", "send", "pay", "refund", "email", "mail")}
_COMMAND = re.compile(r"\s*\w+\s+(?:an?|the|all|one|some|your|every|each|this|these|its|new|up|out)\b", re.I)


def nouns_of(tool: Tool) -> set[str]:
    """The stems of a tool's name that are no verbs."""
    told = enumerate(tool.action_words)
    return {stem(w) for i, w in told if w not in STOP and not (w in VERBS and (i == 0 or w not in NOUN_TOO))}


def is_common(verb: Token) -> bool:
    """Whether a verb is one of many that do the same, so that only its object tells what is meant."""
    return any(verb.stem in family for family in FAMILIES)


def effect_of(tool: Tool) -> str:
    """`read`, `write` or empty: what the tool does by the verb that opens its name or description.

    A verb that is not known to only read counts as `write`, also one that no list here has: a name and a
    description that open with the same word ("discard_sample", "Discard a sample") open with a verb.
    """
    told = _forms(tool.told_verb)
    heads = tool.action_words[:1]
    if tool.description and heads and heads[0] in NOUN_TOO:
        told, heads = [*told, *(w for w in heads if w in READ_VERBS and len(tool.action_words) > 1)], ()
    for word in (*heads, *told):
        if word in READ_VERBS:
            return "read"
        if word in VERBS or (word == tool.action_words[0] and word in told and _COMMAND.match(tool.description)):
            return "write"
    inside = [word for word in tool.action_words[1:] if word in VERBS and word not in NOUN_TOO]
    return "" if not inside else "read" if inside[0] in READ_VERBS else "write"


def _forms(word: str) -> list[str]:
    """A word that opens a description as a command writes it: "Retrieves" and "Searches"; "Returns" shows."""
    if word == "returns":
        return ["show"]
    return [word, *(word.removesuffix(end) for end in ("s", "es") if word.endswith(end))]


def is_reading(view: View) -> bool:
    """Whether the clause only asks to be shown or told something."""
    if view.verb is None or (
        view.verb.lower in ("give", "tell") and not re.match(r"\s+(?:me|us)\b", view.text[view.verb.end :])
    ):
        return False
    return view.verb.lower in QUESTION or view.verb.lower in READ_VERBS


def is_writing(view: View) -> bool:
    """Whether the clause commands a change."""
    return view.verb is not None and (view.verb.lower in WRITE_VERBS or tells_others(view))


def tells_others(view: View) -> bool:
    """Whether the clause has somebody else told something: "tell Ann that …", not "tell me"."""
    if view.verb is None or view.verb.lower not in ("tell", "inform", "notify"):
        return False
    return not re.match(r"\s+(?:me|us)\b", view.text[view.verb.end :])


def effect_factor(tool: Tool, view: View) -> float:
    """What a tool's words count for a clause: 1 where effects agree, 0 where a change would answer a question."""
    effect = effect_of(tool)
    opening = next((word for word in view.words if word.start >= view.body), None)
    own_verb = opening is not None and opening.stem in tool.name_stems
    following = next((word for word in view.words if opening is not None and word.start >= opening.end), None)
    if opening is not None and following is not None:
        own_verb |= stem(opening.lower + following.lower) in tool.name_stems
    if view.verb is not None and view.verb.lower in ("get", "give"):
        own_verb |= any(word.stem == stem(tool.action_words[0]) for word in view.words)
    if effect == "write" and is_reading(view) and not own_verb:
        return 0.0
    if effect == "write" and _names_a_thing(tool, view):
        return 0.3
    if contrary(tool, view):
        return 0.0
    if effect == "read" and is_writing(view) and not own_verb:
        return 0.3 if view.verb is not None and view.verb.stem in _ENDING else 0.7
    return 0.3 if _undoes(tool) and not own_verb and not same_verb(tool, view) else 1.0


def _names_a_thing(tool: Tool, view: View) -> bool:
    """Whether the clause says no more than which thing it is, as the tool calls it: "and order 1042"."""
    said = {word.stem for word in view.words if word.start >= view.body and word.lower not in STOP}
    things = nouns_of(tool)
    return bool(said & things) and all(each in things or any(char.isdigit() for char in each) for each in said)


def contrary(tool: Tool, view: View) -> bool:
    """Whether the clause's verb is the contrary of the tool's, says "off" for its "on", or adds to what it creates."""
    head, *rest = tool.action_words
    if view.verb is None:
        return False
    said = {word.lower for word in view.words if word.start >= view.verb.end}
    if rest and rest[0] in ("on", "off"):
        return ("off" if rest[0] == "on" else "on") in said and rest[0] not in said
    told = {*tool.name_stems, *content_stems(tool.description)}
    if opposite(view.verb.stem, stem(head)) and view.verb.stem not in told:
        return True
    if view.verb.lower not in ("add", "put") or head not in ("create", "make", "new", "open"):
        return False
    into = [phrase for phrase in view.phrases if phrase.prep in ("to", "into", "onto", "on")]
    direct = {word.stem for phrase in view.phrases if phrase not in into for word in phrase.words}
    return bool(into) and not direct & nouns_of(tool)


def _undoes(tool: Tool) -> bool:
    """Whether a tool deletes or cancels; no other command may choose it by its nouns alone."""
    return any(stem(word) in _DELETING for word in tool.action_words[:2])


def same_verb(tool: Tool, view: View) -> bool:
    """Whether the clause opens with the tool's own verb, or with one that does the same to the world."""
    if view.verb is None:
        return False
    said, theirs = view.verb.stem, {stem(w) for w in (*tool.action_words[:1], tool.told_verb) if w}
    changing = (family for family in FAMILIES[1:] if said in family)
    return said in theirs or any(theirs & family for family in changing)
