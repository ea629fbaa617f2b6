"""The decision for one clause: which tool, with which arguments, or what stands in the way.

Goes in: a part of a request, the tools' index and what is known. Comes out: one of `Do`, `Ask`, `Tie`, `Code`,
`Nothing`. Words choose first (`select`); then tools whose arguments the text holds are preferred over those whose
it does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from segue.router.offline.clauses import Part
from segue.router.offline.cues import words_before
from segue.router.offline.effects import contrary, effect_of, is_reading, is_writing, same_verb
from segue.router.offline.fill import Filled, fill
from segue.router.offline.mentions import Mention
from segue.router.offline.recall import Known
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.select import FLOOR, Index, Match, is_shaped, query_stems
from segue.router.offline.spread import siblings, spread
from segue.router.offline.text import identifier_words, stem
from segue.router.offline.verbs import Option, by_verb_alone, give_target
from segue.router.offline.view import View, view_of
from segue.router.offline.words import PREPOSITIONS, READ_VERBS, STOP

_LOOKED_AT = 6
_UNSAID = frozenset({"email", "url", "uuid", "phone", *(stem(verb) for verb in READ_VERBS)})
"""Words that ask for nothing in particular; they neither speak for a tool nor against it."""
_ALIKE, _SAME, _NEARER = 0.10, 0.03, 0.5
_ELLIPSIS = re.compile(r"^\s*(?:and|or|now|what about|how about|same for|the same for|also|then)\b[\s,]*", re.I)


@dataclass(frozen=True)
class Do:
    """Call the tool, once with each of the arguments."""

    tool: Tool
    calls: list[dict[str, Any]]
    drawn: bool
    """Whether a value comes from outside the request."""
    left: list[str] = field(default_factory=list)
    """Ids and addresses of the request that no call takes."""


@dataclass(frozen=True)
class Ask:
    """The tool is clear, required arguments are missing."""

    tool: Tool
    missing: list[Leaf]


@dataclass(frozen=True)
class Tie:
    """Two tools fit alike."""

    tools: list[Tool]


@dataclass(frozen=True)
class Code:
    """The only tool that fits wants SQL or source code."""

    tool: Tool
    leaf: Leaf


@dataclass(frozen=True)
class Nothing:
    """No tool fits."""


Decision = Do | Ask | Tie | Code | Nothing


def choose(part: Part, index: Index, known: Known, *, forced: Tool | None = None, floor: float = FLOOR) -> Decision:
    """Decide what to do for one part; with `forced` the tool is given, with a floor of 0 the best one is taken."""
    view = view_of(part.clause, known.conversation.today)
    if forced is not None:
        return _decide(Option(forced, fill(forced, part.clause, known), 1.0), part, known)
    options = _options(part, view, index, known, floor)
    if not options:
        options = _by_verb(part, view, index, known) or by_verb_alone(part.clause, view, index, known)
    if not options:
        return _like_before(part, index, known)
    options = _meant_to_change(options, view)
    best = _best(options, view)
    tied = [o for o in options if o.score >= best.score * (1 - _SAME) and o.filled.complete == best.filled.complete]
    if _opens_with_choice(best, view):
        return _decide(best, part, known)
    tied = [o for o in tied if o is best or _unused(o, view) <= _unused(best, view)]
    verbal = [o for o in tied if same_verb(o.tool, view)]
    if len(verbal) == 1 and len(tied) > 1:
        best, tied = verbal[0], verbal
    if len(tied) > 1 and best.filled.wants_code is None:
        meant = _meant(tied, known)
        if meant is None:
            return Tie([option.tool for option in tied[:3]])
        best = meant
    return _decide(best, part, known)


def _options(part: Part, view: View, index: Index, known: Known, floor: float) -> list[Option]:
    matches = [match for match in index.matches(view)[:_LOOKED_AT] if match.score >= floor * 0.8]
    if floor == 0 and not matches:
        matches = [Match(tool, 0.01, frozenset(), frozenset()) for tool in index.tools[:_LOOKED_AT]]
    out = []
    for match in matches:
        filled = fill(match.tool, part.clause, known)
        score = _weighed(match, filled, view)
        if score >= floor * 0.85:
            out.append(Option(match.tool, filled, score))
    return sorted(out, key=lambda option: -option.score)


def _by_verb(part: Part, view: View, index: Index, known: Known) -> list[Option]:
    """Tools that share only the verb ("look up Ann Lee"), where names, ids or typed values of the clause fill them."""
    out = []
    for tool in index.tools:
        if (
            view.verb is None
            or not tool.required
            or contrary(tool, view)
            or not (same_verb(tool, view) or _shows_alike(tool, view))
        ):
            continue
        filled = fill(tool, part.clause, known)
        named = [(m.start, m.end) for m in view.mentions if m.kind != "number"]
        solid = [leaf for leaf in tool.required if any(span in named for span in filled.places.get(leaf.path, []))]
        loose = [leaf for leaf in tool.required if leaf not in solid and not leaf.is_free_text]
        if filled.complete and solid and not loose:
            match = Match(tool, 1.0, frozenset(), frozenset({view.verb.stem}))
            out.append(Option(tool, filled, _weighed(match, filled, view)))
    return sorted((option for option in out if option.score >= 0.8), key=lambda option: -option.score)


def _shows_alike(tool: Tool, view: View) -> bool:
    """Whether clause and tool both only show something, and the text holds an id built as the tool wants it."""
    return is_reading(view) and effect_of(tool) == "read" and is_shaped(tool, view)


def _weighed(match: Match, filled: Filled, view: View) -> float:
    """The word score, weighed by how much of the clause the tool explains and whether it can be called."""
    said = [w for w, worth in query_stems(view).items() if w not in _UNSAID and (worth > 0.5 or w in match.matched)]
    spans = [*filled.spans, *((c.start, c.end) for c in siblings(filled, match.tool, view)[1])]
    taken = {w.stem for w in view.words for start, end in spans if start <= w.start < end}
    explained = sum(1 for word in said if word in match.matched or word in taken)
    given = [m for m in view.mentions if m.kind in ("id", "path", "uuid")]
    used = sum(1 for m in given if any(start < m.end and m.start < end for start, end in spans))
    coverage = (explained + used) / (len(said) + used) if said or used else 1.0
    if coverage < 0.34 or (coverage <= 0.5 and not filled.spans and match.score < 1.6 and len(said) > 1):
        return 0.0
    share = len(filled.missing) / max(len(match.tool.required), 1)
    typed = sum(
        1 for x in match.tool.required if filled.places.get(x.path) and (x.schema.keys() & {"pattern", "format"})
    )
    factor = 1.15 + 0.08 * min(typed, 2) if filled.complete else 1.0 - 0.15 * share
    sure = [min(filled.strength.get(leaf.path, 1.0), 4.0) for leaf in match.tool.required]
    factor *= 1.0 + 0.03 * (sum(sure) / len(sure) if sure else 2.0)
    return match.score * (0.55 + 0.45 * coverage) * factor * (0.4 if filled.wants_code else 1.0)


def _meant_to_change(options: list[Option], view: View) -> list[Option]:
    """The options without those that only read, where a change is commanded and a tool that changes fits well too."""
    changing = [option for option in options if effect_of(option.tool) != "read"]
    close = changing and changing[0].score >= options[0].score * _NEARER
    named = view.verb is not None and view.verb.stem == stem(options[0].tool.action_words[0])
    return changing if close and is_writing(view) and not named else options


def _best(options: list[Option], view: View) -> Option:
    """The best option; of those that are near it the first that can be called, or one that leaves no id unused."""
    chosen = [option for option in options if _opens_with_choice(option, view)]
    if len(chosen) == 1 and chosen[0].score >= options[0].score * _NEARER:
        return chosen[0]
    near = [option for option in options if option.score >= options[0].score * (1 - _ALIKE)]
    best = next((option for option in near if option.filled.complete), options[0])
    left = _unused(best, view)
    if not left:
        return best
    others = [
        o for o in options if o.filled.complete and o.score >= best.score * _NEARER and effect_of(o.tool) != "write"
    ]
    return next((o for o in others if _unused(o, view) < left and o.filled.spans), best)


def _opens_with_choice(option: Option, view: View) -> bool:
    """Whether the word that opens the clause is what a required choice of the tool took: "Like video 7"."""
    opening = next((word.start for word in view.words if word.start >= view.body), -1)
    listed = [leaf for leaf in option.tool.required if leaf.schema.get("enum")]
    return any(start == opening for leaf in listed for start, _ in option.filled.places.get(leaf.path, []))


def _unused(option: Option, view: View) -> int:
    """How many ids and addresses of the clause the option has no place for."""
    return sum(1 for m in _shown(view) if not _is_taken(m, option))


def _shown(view: View) -> list[Mention]:
    return [m for m in view.mentions if m.kind in ("id", "uuid", "email", "path") or _is_numbered(m, view)]


def _is_taken(m: Mention, option: Option) -> bool:
    return any(start < m.end and m.start < end for start, end in option.filled.spans)


def _is_numbered(m: Mention, view: View) -> bool:
    """Whether a whole number stands right after a noun: "order 55"."""
    before = words_before(view, m.start, 1)
    noun = bool(before) and before[0].lower not in STOP | PREPOSITIONS and before[0] != view.verb
    return m.kind == "number" and m.text.isdigit() and noun and (not m.unit or m.unit in STOP)


def _decide(option: Option, part: Part, known: Known) -> Decision:
    filled = option.filled
    if filled.wants_code is not None:
        return Code(option.tool, filled.wants_code)
    if filled.missing:
        return Ask(option.tool, filled.missing)
    view = view_of(part.clause, known.conversation.today)
    if not (option.tool.required or filled.spans) and effect_of(option.tool) == "write":
        give_target(option.tool, filled, view)
    calls = _by_halves(option, view, known) if _unused(option, view) else []
    calls = calls or spread(filled, option.tool, part.clause, known)
    return Do(option.tool, calls, filled.drawn, _left(option, calls, view))


def _left(option: Option, calls: list[dict[str, Any]], view: View) -> list[str]:
    """The ids and addresses of the clause that stand in none of its calls."""
    given = str(calls)
    return [m.text for m in _shown(view) if not _is_taken(m, option) and m.text not in given]


def _by_halves(option: Option, view: View, known: Known) -> list[dict[str, Any]]:
    """Two calls for "add two A-1 and three A-2": each half fills the tool by itself and holds an id; else none."""
    if view.verb is None:
        return []
    for m in re.finditer(r"\s+and\s+", view.text[view.verb.end :]):
        left = view.text[: view.verb.end + m.start()]
        right = f"{view.text[view.body : view.verb.end]} {view.text[view.verb.end + m.end() :]}"
        halves = [fill(option.tool, half, known) for half in (left, right)]
        given = [_unused(Option(option.tool, Filled(), 0.0), view_of(half)) for half in (left, right)]
        used = [
            _unused(Option(option.tool, f, 0.0), view_of(half)) for f, half in zip(halves, (left, right), strict=True)
        ]
        if all(f.complete and not f.drawn for f in halves) and all(given) and not any(used):
            return [f.arguments for f in halves]
    return []


def _meant(tied: list[Option], known: Known) -> Option | None:
    """The tool that an answer to "which is meant" names; `None` where none was asked or it names none."""
    for question, answer in reversed(known.conversation.answers):
        if not all(option.tool.name in question for option in tied):
            continue
        said = {stem(word) for word in identifier_words(answer)}
        order = sorted(tied, key=lambda option: question.index(option.tool.name))
        for word, option in zip(("first", "second", "third"), order, strict=False):
            if word in said:
                return option
        scored = sorted(tied, key=lambda option: -_overlap(said, option, tied))
        if _overlap(said, scored[0], tied) > _overlap(said, scored[1], tied):
            return scored[0]
    return None


def _overlap(said: set[str], option: Option, tied: list[Option]) -> float:
    others = {word for other in tied if other is not option for word in other.tool.name_stems}
    about = {stem(word) for word in identifier_words(option.tool.description)}
    return len(said & (option.tool.name_stems - others)) + 0.3 * len(said & about)


def _like_before(part: Part, index: Index, known: Known) -> Decision:
    """For "and in Berlin?": the tool of the newest earlier call, with what is new in its place."""
    calls = known.conversation.earlier_calls
    head = _ELLIPSIS.match(part.clause) or (_ELLIPSIS.match(known.conversation.request) if calls else None)
    tool = next((t for t in index.tools if calls and t.name == calls[-1].name), None)
    if not head or tool is None:
        return Nothing()
    clause = _ELLIPSIS.sub("", part.clause)
    filled = fill(tool, clause, known)
    if not any(places for places in filled.places.values()):
        return Nothing()
    before = calls[-1].arguments
    for leaf in list(filled.missing):
        if len(leaf.path) == 1 and leaf.name in before:
            filled.values[leaf.path] = before[leaf.name]
            filled.missing.remove(leaf)
    return Ask(tool, filled.missing) if filled.missing else Do(tool, spread(filled, tool, clause, known), True)
