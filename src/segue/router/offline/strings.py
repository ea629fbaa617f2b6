"""Plain strings: places, people, titles and other words that no format tells apart.

Goes in: a parameter without format, a view and the tool. Comes out: candidates that stand in the text word for word:
quoted strings, names, what follows the parameter's own word, and phrases that a preposition ties to it. Phrases in the
person's own words (a search, a message) are cut last, by `free_text`, from what no other parameter took.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from segue.router.offline.cues import Candidate, cue_score, role_score, words_before
from segue.router.offline.mentions import Mention
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import Token, content_stems, identifier_words, stem, words_of
from segue.router.offline.view import Phrase, View
from segue.router.offline.words import PREPOSITIONS, READ_VERBS, STOP, UNITS, VERBS

Spans = Sequence[tuple[int, int]]

_MARKER = re.compile(
    r"\b(?:saying|says?|that says|to say|with (?:the )?(?:text|message|body|content|note|comment)|reads?|stating)"
    r"\b(?: that)?[\s:,]*|\b(?:him|her|them|us|[A-Z]\w+|everyone|team) that\s+|:\s+",
)
_TOPIC = re.compile(
    r"\b(?:about|regarding|concerning|on the (?:topic|subject) of|for information on|related to|re)\b\s*", re.I
)
_SEARCH_TOPIC = re.compile(
    r"\b(?:about|regarding|concerning|related to|for|on|matching|containing|mentioning)\b\s*", re.I
)
_REASON = re.compile(r"\b(?:because(?: of)?|due to|since|as)\b\s*", re.I)
_TO_DO = re.compile(r"\b(?:to|that)\s+(?=\w)", re.I)
_KINDS_OF_ROOM = frozenset(
    {"living", "dining", "meeting", "waiting", "guest", "conference", "utility", "changing", "class"}
)
_GENERIC = frozenset(
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
    yield from _marked(leaf, view, tool)
    yield from _titled(leaf, view, tool)
    yield from _mentioned(leaf, view, tool)
    if not leaf.is_free_text:
        previous: Candidate | None = None
        for phrase in view.phrases:
            found = _from_phrase(leaf, view, tool, phrase)
            both = _joined(view, phrase, previous, found)
            yield from (c for c in (found, both) if c is not None)
            previous = both or found


def _marked(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """What stands after the parameter's name and a colon, an equals sign or "is": "subject: Lunch, body: At noon"."""
    label = r"[\s_-]".join(re.escape(word) for word in identifier_words(leaf.name))
    if not label:
        return
    others = "|".join(re.escape(words_of(o.name)) for o in tool.leaves if o.name != leaf.name) or r"(?!)"
    stop = rf"(?=\s*(?:[,;]|\band\b|\.)?\s*(?:the |with )?\b(?:{others})\b\s*(?:[:=]|is\b|are\b|[\"“'])|\s*[;\n]|\.?\s*$|[.!?]\s+[A-Z])"
    for m in re.finditer(rf"\b{label}\b\s*(?:[:=]|\bis\b|\bshould be\b)\s*(?P<value>\S.*?){stop}", view.text, re.I):
        value, start = m["value"].strip(), m.start("value")
        quoted = next((q for q in view.mentions if q.kind == "quoted" and q.start == start), None)
        if quoted is not None:
            yield Candidate(quoted.text, quoted.start, quoted.end, 5.5)
        elif value:
            yield Candidate(value, start, start + len(value), 5.0)


def _titled(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    """All that follows "titled" or "called", up to a comma or a preposition that announces another parameter."""
    others = [other for other in tool.leaves if other.path != leaf.path]
    for m in re.finditer(r"\b(?:titled|entitled|called|named)\s+(?=[^\s\"'“])", view.text, re.I):
        role = role_score(leaf, m.group().split()[0].lower())
        stop = re.search(r"[,;:!?]|\.(?=\s|$)|\s+and\s+|$", view.text[m.end() :])
        end = m.end() + (stop.start() if stop else 0)
        for word in view.words:
            if m.end() < word.start < end and any(role_score(o, word.lower) >= 1.2 for o in others):
                end = word.start
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
            number = re.search(r"\b\d{1,5}[a-z]? $", view.text[: m.start])
            if number and leaf.raw_words & {"street", "address"}:
                start = number.start()
                yield Candidate(view.text[start : m.end], start, m.end, 1.1 + cue_score(leaf, view, start, m.end))
        elif m.kind == "number" and m.text.isdigit() and not leaf.is_free_text:
            if any(word.stem in leaf.own for word in words_before(view, m.start, 1)):
                yield Candidate(m.text, m.start, m.end, 3.0)
        elif m.kind in ("email", "url", "phone", "id", "uuid", "ip") and not leaf.is_free_text:
            known = {m.kind, "address"} & (leaf.raw_words | leaf.hints | {w.rstrip("s") for w in _about(leaf)})
            score = cue + (2.0 if known else -0.6)
            if score > 0.5:
                yield Candidate(m.text, m.start, m.end, score)


def _named(view: View, m: Mention, tool: Tool, score: float) -> Iterator[Candidate]:
    """A name, without the tool's own verb where the clause opens with it."""
    head, _, tail = m.text.partition(" ")
    opens = m.start == view.body and bool(tool.name_words) and stem(head) == stem(tool.name_words[0])
    if not opens:
        yield Candidate(m.text, m.start, m.end, score)
    elif tail:
        yield Candidate(tail, m.end - len(tail), m.end, score)


def _from_phrase(leaf: Leaf, view: View, tool: Tool, phrase: Phrase) -> Candidate | None:
    words, told = _stripped(_cut(list(phrase.words), leaf, tool, view), leaf, tool)
    role = role_score(leaf, phrase.prep)
    if not words or not (told or _says_something(words, tool, announced=role >= 2.5)):
        return None
    start, end = words[0].start, words[-1].end
    if _is_only_typed(view, start, end):
        return None
    base = 0.7 if not phrase.prep else 0.55
    score = base + max(role, 3.0 if told else 0.0, _before(leaf, view, start))
    if view.verb is None and words[0].lower in VERBS and not phrase.prep and not told:
        score -= 0.4
    return Candidate(view.text[start:end], start, end, score)


def _joined(view: View, phrase: Phrase, previous: Candidate | None, found: Candidate | None) -> Candidate | None:
    """For "history of Rome": "history" and "of Rome" as one value."""
    if phrase.prep != "of" or previous is None or found is None or not 0 < found.start - previous.end < 10:
        return None
    return Candidate(view.text[previous.start : found.end], previous.start, found.end, previous.score + 0.1)


def _cut(words: list[Token], leaf: Leaf, tool: Tool, view: View) -> list[Token]:
    """The words up to another parameter's name or a number; after the own name where that stands in them."""
    if words and tool.name_words and words[0].start == view.body and words[0].stem == stem(tool.name_words[0]):
        words = words[1:]
    others = {s for other in tool.leaves if other.name != leaf.name for s in other.own} - leaf.own - tool.name_stems
    numbers = [m.start for m in view.mentions if m.kind in ("number", "id")]
    if len(words) > 1 and words[0].start in numbers and not words[1].text[:1].isupper():
        words = words[2:] if words[1].lower in UNITS else words[1:]
    for place, word in enumerate(words):
        before = words[place - 1] if place else None
        counted = word.start in numbers and before is not None and before.stem not in leaf.own
        if place and (word.stem in others or (counted and before is not None and not before.text[:1].isupper())):
            return words[:place]
    return words


def _before(leaf: Leaf, view: View, start: int) -> float:
    word = next((w for w in reversed(view.words) if w.end <= start), None)
    near = word is not None and view.text[word.end : start].strip() in ("", ":", "=")
    return 2.5 if near and word is not None and word.stem in leaf.own and word.lower not in STOP else 0.0


def _stripped(words: list[Token], leaf: Leaf, tool: Tool) -> tuple[list[Token], bool]:
    """The words without the tool's and the parameter's own nouns at both ends, and whether the latter were there."""
    own, theirs = leaf.own, tool.name_stems | _GENERIC
    told = False
    while words and _drops(words[0], own, theirs):
        told |= words[0].stem in own
        words = words[1:]
    while len(words) > 1 and _drops(words[-1], own, theirs) and not _is_compound(words):
        told |= words[-1].stem in own
        words = words[:-1]
    while words and words[0].lower in STOP:
        words = words[1:]
    return words, told


def _is_compound(words: Sequence[Token]) -> bool:
    """Whether the last word is part of a set phrase such as "living room"."""
    return words[-1].stem == "room" and words[-2].lower in _KINDS_OF_ROOM


def _drops(word: Token, own: Collection[str], theirs: Collection[str]) -> bool:
    if word.text[:1].isupper() and not word.text.isupper() and word.stem not in own:
        return False
    return word.stem in own or word.stem in theirs


def _says_something(words: Sequence[Token], tool: Tool, *, announced: bool = False) -> bool:
    """Whether words are more than the tool's own; what a preposition announces may be of its description."""
    known = tool.name_stems | _GENERIC | (frozenset() if announced else frozenset(content_stems(tool.description)))
    return any(word.text[0].isupper() or word.text[0].isdigit() or _is_new(word, known) for word in words)


def _is_new(word: Token, known: Collection[str]) -> bool:
    return word.stem not in known and word.lower not in STOP and word.lower not in READ_VERBS


def _new_words(view: View, start: int, end: int, tool: Tool) -> bool:
    inside = [word for word in view.words if start <= word.start < end]
    return any(word.stem not in tool.name_stems or (word.start > view.body and word.text.isupper()) for word in inside)


def _is_only_typed(view: View, start: int, end: int) -> bool:
    typed = ("date", "time", "datetime", "email", "url", "number", "uuid", "ip", "month", "phone", "id")
    return any(m.kind in typed and m.start <= start and end <= m.end for m in view.mentions)


def _about(leaf: Leaf) -> list[str]:
    return identifier_words(str(leaf.schema.get("description") or "").replace("e-mail", "email"))


def free_text(leaf: Leaf, view: View, tool: Tool, used: Spans, *, alone: bool) -> Candidate | None:
    """The phrase in the person's own words that is left for a free-text parameter; `None` where none is.

    `used` are the places that other parameters took; `alone` says that no other such parameter is open, so that the rest of
    the clause may go here. The words are the person's, in one piece.
    """
    for cut in (_after_marker, _after_topic, _after_reason):
        found = cut(leaf, view, tool, used)
        if found is not None:
            return found
    return _remainder(leaf, view, tool, used) if alone else None


def _seeks(leaf: Leaf, tool: Tool) -> bool:
    """Whether a free text says what to look for: by its own name, or because the tool searches."""
    heads = {*tool.name_words[:1], *identifier_words(tool.description)[:1]}
    return leaf.is_search or (leaf.is_free_text and bool(heads & {"find", "search", "lookup", "look", "query", "ask"}))


def _after_marker(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Candidate | None:
    if _seeks(leaf, tool) or leaf.raw_words & {"subject", "title"}:
        return None
    found = _MARKER.search(view.text, view.body)
    return _piece(view, found.end(), tool, used, leaf, strict=False) if found else None


def _after_topic(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Candidate | None:
    colon = re.search(r":\s+(?=\S)", view.text[view.body :]) if _seeks(leaf, tool) else None
    if colon and not any(m.start < view.body + colon.start() < m.end for m in view.mentions):
        return _piece(view, view.body + colon.end(), tool, used, leaf, strict=False)
    pattern = _SEARCH_TOPIC if _seeks(leaf, tool) else _TOPIC
    topical = _seeks(leaf, tool) or leaf.raw_words & {"subject", "topic", "title"}
    for found in pattern.finditer(view.text, view.body) if topical else ():
        if found.start() < (view.verb.end if view.verb else view.body) or _taken(found.end(), used):
            continue
        piece = _piece(view, found.end(), tool, used, leaf, strict=True, announced=True)
        if piece is not None:
            return piece
    return None


def _after_reason(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Candidate | None:
    found = _REASON.search(view.text, view.body) if leaf.raw_words & {"reason", "cause", "why"} else None
    return _piece(view, found.end(), tool, used, leaf, strict=False) if found else None


def _remainder(leaf: Leaf, view: View, tool: Tool, used: Spans) -> Candidate | None:
    begin = view.body if view.is_question and _seeks(leaf, tool) else view.verb.end if view.verb else view.body
    if not _seeks(leaf, tool):
        opener = _TO_DO.search(view.text, begin)
        if (
            opener
            and opener.start() - begin < 40
            and not any(s < opener.end() < e or (s >= opener.end() and s - opener.end() < 3) for s, e in used)
        ):
            begin = opener.end()
    return _piece(view, begin, tool, used, leaf, strict=True)


def _piece(
    view: View, begin: int, tool: Tool, used: Spans, leaf: Leaf, *, strict: bool, announced: bool = False
) -> Candidate | None:
    """The longest run of unused words from `begin` on, trimmed at both ends; `None` where it says nothing."""
    end = len(view.text.rstrip().rstrip(".!?"))
    gaps = _gaps(begin, end, used)
    best: Candidate | None = None
    for start, stop in gaps:
        words = [w for w in view.words if start <= w.start and w.end <= stop]
        words = _trim_ends(words, view, tool, leaf, used, strict=strict)
        if not words or (strict and not _says_something(words, tool, announced=announced)):
            continue
        found = _widened(view, words[0].start, words[-1].end, stop)
        if best is None or found.end - found.start > best.end - best.start:
            best = found
    return best


def _gaps(begin: int, end: int, used: Spans) -> list[tuple[int, int]]:
    out, place = [], begin
    for start, stop in sorted(used):
        if stop <= begin or start == stop:
            continue
        if start > place:
            out.append((place, start))
        place = max(place, stop)
    return [*out, (place, end)] if place < end else out


def _trim_ends(words: list[Token], view: View, tool: Tool, leaf: Leaf, used: Spans, *, strict: bool) -> list[Token]:
    if not strict:
        return words
    if not (view.is_question and _seeks(leaf, tool)):
        theirs = tool.name_stems | leaf.own | _GENERIC
        while words and (
            words[0].lower in STOP
            or words[0].lower in PREPOSITIONS
            or (words[0].stem in theirs and not words[0].text[0].isupper())
        ):
            words = words[1:]
    labels = {s for other in tool.leaves for s in other.own} if used else set()
    while (
        words
        and any(stop > words[-1].end for _, stop in used)
        and (words[-1].lower in STOP | PREPOSITIONS or words[-1].stem in labels)
    ):
        words = words[:-1]
    while words and words[-1].lower in {"please", "and", "or", "with", "for", "to", "in", "the", "at", "on"}:
        words = words[:-1]
    return words


def _widened(view: View, start: int, end: int, stop: int) -> Candidate:
    """Take along a quote, bracket or sign that belongs to the first or last word."""
    while start > 0 and view.text[start - 1] in "\"“'`($€£#@[<" and not view.text[start - 1].isspace():
        start -= 1
    while end < stop and view.text[end] in "\"”'`)%°]>!?+.…" and not view.text[end].isspace():
        end += 1
    text = view.text[start:end]
    whole = next((m for m in view.mentions if m.kind in ("quoted", "code") and (m.start, m.end) == (start, end)), None)
    return Candidate(whole.text if whole else text, start, end, 1.0)


def _taken(place: int, used: Spans) -> bool:
    return any(start <= place < stop for start, stop in used)
