"""Planning without a model: a request and the tools in; the groups that it needs out.

The plan is made of the user's words alone, before anything else is read, so that nothing that is read can widen it. A
group is in the plan where one clause of the request holds a verb for what one of its tools does and a noun for what
it does that to. What a document is to say is not in the request: there the gate asks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from segue.guards.gate.lexicon import (
    ACTS,
    ADDRESSING,
    DELEGATES,
    ENOUGH,
    GENERIC,
    MONEY,
    MONEY_ACTS,
    PAYING,
    THINGS,
)
from segue.guards.gate.looks import ADDRESS
from segue.tools.declaration import Declaration
from segue.tools.vocabulary import singular, word_set, words_of

_CLAUSE = re.compile(r"(?<=[.!?;\n])\s+(?=[A-Z0-9\"'])|\n+")
_WORD = re.compile(r"[a-z]+(?:[-'][a-z]+)*|[#@]|(?<=\s)\.(?=\s)")
_FILE = re.compile(r"[\w-]+\.(?:docx?|xlsx?|pdf|txt|md|csv|pptx?|png|jpe?g|json|ya?ml|html)\b")
_QUESTION = re.compile(
    r"\s*(?:and |so |hey |hi )?(?:how (?:much|many|long|often)|when|where|who|which|why"
    r"|what(?:'s| is| are| was| did| do)|did|does|is|are|was|were|has|have)\b",
    re.IGNORECASE,
)
"""What asks for an answer and for nothing to be done."""
_JOINTS = word_set("by in for from to with of at on into via per about a the my our new")
_BEFORE_NOUNS = word_set(
    "the an my his her its their our your this that these those of from in by via with any each every last latest "
    "next previous recent unread received sent which what whose no"
)
_DELEGATES = re.compile(DELEGATES, re.IGNORECASE)


@dataclass(frozen=True)
class Proposed:
    """A plan that was read out of a request."""

    why: Mapping[str, str]
    """By group: the words that ask for it."""
    parts: Mapping[str, str]
    """By group: the part of the request that asks for it, with what is said there of how."""
    delegated: bool
    """Whether the request leaves it to a document to say what to do."""


@dataclass(frozen=True)
class Known:
    """What planning knows of a tool."""

    name: str
    declared: Declaration


def propose(texts: Iterable[str], tools: Iterable[Known]) -> Proposed:
    """The groups of tools that write which a request asks for."""
    text = "\n".join(texts)
    clauses = [_read(each) for each in _CLAUSE.split(text) if each.strip()]
    spoken = frozenset[str]().union(*(each.words for each in clauses))
    asked: dict[int, dict[str, str]] = {}
    writing = [tool for tool in tools if tool.declared.effect != "read"]
    verbs = Counter(name_words(tool.name)[0] for tool in writing)
    for tool in writing:
        own = verbs[name_words(tool.name)[0]] == 1
        for at, clause in enumerate(clauses):
            if found := _asks(tool, clause, spoken, own=own):
                asked.setdefault(at, {}).setdefault(tool.declared.group or tool.name, found)
    why: dict[str, str] = {}
    parts: dict[str, str] = {}
    for at, groups in asked.items():
        part = _part(at, sorted(asked), clauses)
        for group, words in groups.items():
            why.setdefault(group, words)
            parts[group] = f"{parts[group]}\n{part}" if group in parts else part
    return Proposed(why, parts, bool(_DELEGATES.search(text)))


def delegates(text: str) -> bool:
    """Whether these words leave it to a document to say what to do."""
    return bool(_DELEGATES.search(text))


@dataclass(frozen=True)
class _Clause:
    text: str
    words: frozenset[str]
    verbs: frozenset[str]
    """The words that are not nouns by where they stand: `the email` asks for no sending."""


def _part(at: int, asking: list[int], clauses: list[_Clause]) -> str:
    """A clause that asks for something, with the clauses around it that ask for nothing themselves."""
    place = asking.index(at)
    start = 0 if place == 0 else at
    end = asking[place + 1] if place + 1 < len(asking) else len(clauses)
    return "\n".join(each.text for each in clauses[start:end])


def _read(text: str) -> _Clause:
    """The words of a clause, without what it quotes: a title that says `delete` asks for nothing."""
    bare = _FILE.sub(" . ", re.sub(r"(?<!\w)(['\"])(?:(?!\1).){1,300}\1(?!\w)", _kept, text))
    line = _WORD.findall(ADDRESS.sub(" @ ", bare).lower())
    words = {*line, *map(singular, line)}
    if _QUESTION.match(text):
        return _Clause(text, frozenset(words), frozenset())
    verbs = {word for before, word in zip(["", *line], line, strict=False) if before not in _BEFORE_NOUNS}
    return _Clause(text, frozenset(words), frozenset(verbs))


def _kept(match: re.Match[str]) -> str:
    """Of what is quoted, only that it is a file or an address."""
    return " . " if _FILE.search(match[0]) else " @ " if ADDRESS.search(match[0]) else " "


def _asks(tool: Known, clause: _Clause, spoken: frozenset[str], *, own: bool) -> str:
    """The words by which a clause asks for a tool; empty where it does not. `own`: no other tool has its verb."""
    verb, rest = name_words(tool.name)
    nouns = {singular(word) for word in rest if word not in _JOINTS}
    if any(sink.kind == "channel" for sink in (tool.declared.sinks or {}).values()):
        nouns.add("channel")
    more = MONEY_ACTS.get(verb, "") if nouns & MONEY else ""
    verbs = {verb, *ACTS.get(verb, "").split(), *more.split()}
    acts = {word for word in verbs if word in clause.verbs or _inflected(word) & clause.verbs}
    if not acts:
        return ""
    called = {word for noun in nouns for word in (noun, *THINGS.get(noun, "").split())}
    things: set[str] = (called & clause.words) - acts - (set() if acts & ADDRESSING else {"@"})
    telling = acts & ENOUGH
    if not things and telling:
        if (nouns & MONEY and telling & PAYING) or telling & (called | {verb}):
            return min(telling)
        things = called & spoken - acts
    if not things and nouns and not (own and verb in acts and verb not in GENERIC):
        return ""
    return " ".join((min(acts), *sorted(things)[:1]))


def name_words(name: str) -> tuple[str, list[str]]:
    """The verb that a tool's name begins with, and the words behind it."""
    words = words_of(name)
    return (words[0], words[1:]) if words else ("", [])


def _inflected(word: str) -> set[str]:
    if len(word) < 3:
        return set()
    stem = word[:-1] if word.endswith("e") else word
    return {f"{stem}ing", f"{stem}ed", f"{word}s", f"{word}{word[-1]}ing"}
