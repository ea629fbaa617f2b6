"""Plain strings: places, people, titles and other words that no format tells apart.

Goes in: a parameter without format, a view and the tool. Comes out: candidates that stand in the text word for word:
quoted strings, names, what follows the parameter's own word, and phrases that a preposition ties to it. Phrases in the
person's own words (a search, a message) are cut last, by `free_text`, from what no other parameter took.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from segue.router.offline.cues import Candidate, cue_score, role_score, words_before
from segue.router.offline.examples import is_in_two
from segue.router.offline.mentions import Mention
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import Token, content_stems, identifier_words, stem, words_of
from segue.router.offline.view import Phrase, View
from segue.router.offline.words import PREPOSITIONS, READ_VERBS, STOP, UNITS, VERBS

Spans = Sequence[tuple[int, int]]

_KINDS_OF_ROOM = frozenset(
    {"living", "dining", "meeting", "waiting", "guest", "conference", "utility", "changing", "class"}
)
_ARTICLES = frozenset({"the", "a", "an", "my", "our", "your", "their", "this", "that"})
_HELPERS = frozenset({"do", "does", "did", "can", "could", "will", "would", "should", "must"})
_SECOND = re.compile(r", (?:[A-Z]{2}\b|[A-Z]\w+\b(?!\s*,?\s*(?:and|or)\s)(?!, [A-Z]))")
_SIDES = frozenset({"front", "back", "rear", "side", "main", "left", "right", "upper", "lower", "inner", "outer"})
_PLACES = frozenset({"path", "paths", "file", "files", "filename", "filepath", "directory", "folder", "dir"})
_GLUED = re.compile(r"(?:[/_@-]\w+)+")
GENERIC = frozenset(
    stem(w)
    for w in [
        "number",
        "name",
        "item",
        "record",
        "detail",
        "information",
        "info",
        "data",
        "entry",
        "latest",
        "current",
        "recent",
    ]
)


def phrase_candidates(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """Quoted strings, names, marked values and phrases that the parameter could take, word for word."""
    for c in _pieces(leaf, view, tool):
        yield _whole(view, c)


def _whole(view: View, c: Candidate) -> Candidate:
    """A candidate that does not end inside "Europe/Paris" or "launch-plans"."""
    path = next((m for m in view.mentions if m.kind == "path" and m.start <= c.start < m.end), None)
    if path is not None:
        return replace(c, value=path.text, start=path.start, end=path.end)
    if c.value != view.text[c.start : c.end]:
        return c
    after = _GLUED.match(view.text, c.end)
    before = re.search(r"(?:\w+[/_@-])+$", view.text[max(0, c.start - 60) : c.start])
    start, end = c.start - (len(before.group()) if before else 0), after.end() if after else c.end
    return replace(c, value=view.text[start:end], start=start, end=end)


def _pieces(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    yield from _marked(leaf, view, tool)
    yield from _titled(leaf, view, tool)
    yield from _greeting(leaf, view)
    yield from _mentioned(leaf, view, tool)
    if not leaf.is_free_text:
        previous: Candidate | None = None
        for phrase in view.phrases:
            found = _from_phrase(leaf, view, tool, phrase)
            both = _joined(view, phrase, previous, found) if not _of_another(leaf, tool, phrase) else None
            yield from (c for c in (found, both) if c is not None)
            previous = both or found


def _marked(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """What stands after the parameter's name and a colon, an equals sign or "is": "subject: Lunch, body: At noon"."""
    label = r"[\s_-]".join(re.escape(word) for word in identifier_words(leaf.name))
    if not label:
        return
    others = "|".join(re.escape(words_of(o.name)) for o in tool.leaves if o.name != leaf.name) or r"(?!)"
    next_one = rf"\s*(?:[,;]|\band\b|\.)?\s*(?:the |with )?\b(?:{others})\b\s*(?:[:=]|is\b|are\b|[\"“'])"
    stop = rf"(?={next_one}|\s*[;\n]|\.?\s*$|[.!?]\s+[A-Z])"
    for m in re.finditer(
        rf"\b{label}\b\s*(?P<tie>[:=]|\bis\b|\bshould be\b)\s*(?P<value>\S.*?){stop}", view.text, re.I
    ):
        value, start = m["value"].strip(), m.start("value")
        if not leaf.is_free_text and m["tie"] not in (":", "="):
            value = re.split(r",|;|\s+and\s+", value)[0].rstrip()
        quoted = next((q for q in view.mentions if q.kind in ("quoted", "code") and q.start == start), None)
        if quoted is not None:
            yield Candidate(quoted.text, quoted.start, quoted.end, 5.5)
        elif value:
            yield Candidate(value, start, start + len(value), 5.0)


def _greeting(leaf: Leaf, view: View) -> Iterator[Candidate]:
    """A capital word that is no name elsewhere, right after the parameter's own name: "with subject Hello"."""
    label = r"[\s_-]".join(re.escape(word) for word in identifier_words(leaf.name))
    for m in re.finditer(rf"\b(?i:{label})\s+(?P<value>[A-Z]\w+)\b", view.text) if label else ():
        if m["value"].lower() in STOP:
            yield Candidate(m["value"], m.start("value"), m.end("value"), 3.0)


def _titled(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """All that follows "titled" or "called", up to a comma or a preposition that announces another parameter."""
    others = [other for other in tool.leaves if other.path != leaf.path]
    for m in re.finditer(r"\b(?:titled|entitled|called|named)\s+(?=[^\s\"'“])", view.text, re.I):
        role = role_score(leaf, m.group().split()[0].lower())
        stop = re.search(r"[,;:!?]|\.(?=\s|$)|\s+and\s+|$", view.text[m.end() :])
        end = m.end() + (stop.start() if stop else 0)
        for word in view.words:
            if m.end() < word.start < end and any(
                role_score(o, word.lower) >= 1.2 or word.stem in o.own for o in others
            ):
                end = word.start
        inside = [word for word in view.words if m.end() <= word.start < end]
        while inside and inside[-1].lower in PREPOSITIONS | {"the", "a", "an", "and"}:
            end = inside.pop().start
        value = view.text[m.end() : end].rstrip()
        if role and value:
            yield Candidate(value, m.end(), m.end() + len(value), 1.2 + role)


def _mentioned(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    for m in view.mentions:
        cue = cue_score(leaf, view, m.start, m.end)
        if m.kind in ("quoted", "code"):
            yield Candidate(m.text, m.start, m.end, 1.3 + cue + (0.5 if leaf.is_free_text else 0))
        elif m.kind == "name" and not leaf.is_free_text and _new_words(view, m.start, m.end, tool):
            yield from _named(view, m, tool, 0.9 + cue)
            yield from _in_parts(leaf, view, m, 1.4 + cue)
            number = re.search(r"\b\d{1,5}[a-z]? $", view.text[: m.start])
            if number and {word.rstrip("123") for word in leaf.raw_words} & {"street", "address"}:
                start = number.start()
                yield Candidate(view.text[start : m.end], start, m.end, 1.1 + cue_score(leaf, view, start, m.end))
        elif m.kind == "path" and not leaf.is_free_text:
            yield Candidate(m.text, m.start, m.end, 0.9 + cue + _of_path(leaf, m))
        elif m.kind == "math" and leaf.raw_words & {"expression", "formula", "calculation", "equation"}:
            yield Candidate(m.text, m.start, m.end, 4.0)
        elif m.kind == "number" and m.text.isdigit() and not leaf.is_free_text:
            if any(word.stem in leaf.own for word in words_before(view, m.start, 1)):
                yield Candidate(m.text, m.start, m.end, 3.0)
        elif m.kind in ("email", "url", "phone", "id", "uuid", "ip") and not leaf.is_free_text:
            known = {m.kind, "address"} & (leaf.raw_words | leaf.hints | {w.rstrip("s") for w in _about(leaf)})
            score = cue + (2.0 if known else -0.6)
            if score > 0.5:
                yield Candidate(m.text, m.start, m.end, score)


def _in_parts(leaf: Leaf, view: View, m: Mention, score: float) -> Iterator[Candidate]:
    """A first or a last name of a whole one, and "Boston, MA" where an example of the parameter is of two words."""
    first, _, last = m.text.rpartition(" ")
    if first and "name" in leaf.raw_words and leaf.raw_words & {"first", "given", "fore"}:
        yield Candidate(first, m.start, m.start + len(first), score + 1.5)
    elif first and "name" in leaf.raw_words and leaf.raw_words & {"last", "family", "sur"}:
        yield Candidate(last, m.end - len(last), m.end, score + 1.5)
    more = _SECOND.match(view.text, m.end) if is_in_two(leaf) else None
    if more:
        yield Candidate(view.text[m.start : more.end()], m.start, more.end(), score)


def _of_path(leaf: Leaf, m: Mention) -> float:
    """What a parameter's words say for the place of a file, or for a pattern of such places."""
    words = leaf.raw_words | leaf.hints
    if "*" in m.text:
        return 2.0 if words & {"pattern", "glob", "mask", "wildcard"} else -0.5
    return 1.6 if words & _PLACES else 0.0


def _named(view: View, m: Mention, tool: Tool, score: float) -> Iterator[Candidate]:
    """A name, without the tool's own words where the clause opens with them: "Enter Ann Lee"."""
    text = m.text
    while m.start == view.body and text and stem(text.split(" ")[0]) in tool.name_stems:
        text = re.sub(r"^\S+(?: (?:of|for|the))*\s?", "", text)
    if text:
        yield Candidate(text, m.end - len(text), m.end, score)


def _from_phrase(leaf: Leaf, view: View, tool: Tool, phrase: Phrase) -> Candidate | None:
    words, told = _stripped(_cut(list(phrase.words), leaf, tool, view), leaf, tool)
    role = role_score(leaf, phrase.prep)
    if not words or not (told or says_something(words, tool, announced=role >= 2.5)):
        return None
    start, end = words[0].start, words[-1].end
    if _is_only_typed(view, start, end) or any(m.start < start < m.end for m in view.mentions if m.kind == "number"):
        return None
    base = 0.7 if not phrase.prep else 0.55
    score = base + max(role, 3.0 if told else 0.0, _before(leaf, view, start))
    if view.verb is None and words[0].lower in VERBS and not phrase.prep and not told:
        score -= 0.4
    return Candidate(view.text[start:end], start, end, score)


def _of_another(leaf: Leaf, tool: Tool, phrase: Phrase) -> bool:
    """Whether a phrase opens with the name of another parameter: "of owner acme"."""
    return any(phrase.words[0].stem in other.own - leaf.own for other in tool.leaves if other.path != leaf.path)


def _joined(view: View, phrase: Phrase, previous: Candidate | None, found: Candidate | None) -> Candidate | None:
    """For "history of Rome": "history" and "of Rome" as one value."""
    if phrase.prep != "of" or previous is None or found is None or not 0 < found.start - previous.end < 10:
        return None
    return Candidate(view.text[previous.start : found.end], previous.start, found.end, previous.score + 0.1)


def _cut(words: list[Token], leaf: Leaf, tool: Tool, view: View) -> list[Token]:
    """The words up to another parameter's name or a number; after the own name where that stands in them."""
    if words and tool.name_words and words[0].start == view.body and words[0].stem == stem(tool.name_words[0]):
        words = words[1:]
    words = _without_verb(words, view)
    others = {s for other in tool.leaves if other.name != leaf.name for s in other.own} - leaf.own - tool.name_stems
    numbers = [m.start for m in view.mentions if m.kind in ("number", "id")]
    if len(words) > 1 and words[0].start in numbers and not words[1].text[:1].isupper():
        words = words[2:] if words[1].lower in UNITS else words[1:]
    if words and words[0].stem in others and (len(words) == 1 or words[1].start in numbers):
        return []
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        counted = word.start in numbers and before is not None and before.stem not in leaf.own
        if place and (word.stem in others or (counted and before is not None and not before.text[:1].isupper())):
            return words[:place]
    return words


def _without_verb(words: list[Token], view: View) -> list[Token]:
    """The words without the question's own verb at their end: "green tea" of "how much does green tea cost"."""
    if not view.is_question or len(words) < 2 or not words[-1].text.islower():
        return words
    helper = next((w for w in reversed(view.words) if w.end <= words[0].start and w.lower not in _ARTICLES), None)
    return words[:-1] if helper is not None and helper.lower in _HELPERS else words


def _before(leaf: Leaf, view: View, start: int) -> float:
    word = next((w for w in reversed(view.words) if w.end <= start), None)
    near = word is not None and view.text[word.end : start].strip() in ("", ":", "=")
    return 2.5 if near and word is not None and word.stem in leaf.own and word.lower not in STOP else 0.0


def _stripped(words: list[Token], leaf: Leaf, tool: Tool) -> tuple[list[Token], bool]:
    """The words without the tool's and the parameter's own nouns at both ends, and whether the latter were there."""
    own, theirs = leaf.own, tool.name_stems | GENERIC
    told = False
    while words and _drops(words[0], own, theirs):
        told |= words[0].stem in own
        words = words[1:]
    while len(words) > 1 and _drops(words[-1], own, theirs) and not _is_compound(words, own):
        told |= words[-1].stem in own
        words = words[:-1]
    while words and words[0].lower in STOP:
        words = words[1:]
    if words and words[0].lower == "new" and (len(words) == 1 or _drops(words[1], own, theirs)):
        words, inner = _stripped(words[1:], leaf, tool)
        told |= inner
    return words, told


def _is_compound(words: Sequence[Token], own: Collection[str]) -> bool:
    """Whether the last word is part of a set phrase such as "living room" or "front door"."""
    if words[-1].stem in own:
        return words[-1].stem == "room" and words[-2].lower in _KINDS_OF_ROOM
    return words[-2].lower in _KINDS_OF_ROOM | _SIDES


def _drops(word: Token, own: Collection[str], theirs: Collection[str]) -> bool:
    if word.text[:1].isupper() and not word.text.isupper() and word.stem not in own:
        return False
    return word.stem in own or word.stem in theirs


def says_something(words: Sequence[Token], tool: Tool, *, announced: bool = False) -> bool:
    """Whether words are more than the tool's own; what a preposition announces may be of its description."""
    known = (
        tool.name_stems | GENERIC | {"new"} | (frozenset() if announced else frozenset(content_stems(tool.description)))
    )
    return any(word.text[0].isupper() or word.text[0].isdigit() or is_new(word, known) for word in words)


def is_new(word: Token, known: Collection[str]) -> bool:
    """Whether a word says something beyond the known stems and plain function words."""
    return word.stem not in known and word.lower not in STOP and word.lower not in READ_VERBS


def _new_words(view: View, start: int, end: int, tool: Tool) -> bool:
    inside = [word for word in view.words if start <= word.start < end]
    return any(word.stem not in tool.name_stems or (word.start > view.body and word.text.isupper()) for word in inside)


def _is_only_typed(view: View, start: int, end: int) -> bool:
    typed = ("date", "time", "datetime", "email", "url", "number", "uuid", "ip", "month", "phone", "id")
    return any(m.kind in typed and m.start <= start and end <= m.end for m in view.mentions)


def _about(leaf: Leaf) -> list[str]:
    return identifier_words(str(leaf.schema.get("description") or "").replace("e-mail", "email"))
