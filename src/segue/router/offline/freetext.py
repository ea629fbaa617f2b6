"""Free text: the phrase in the person's own words that a search, a message or a note takes.

Goes in: a parameter, a view, and the places that other parameters took. Comes out: one piece of the text, word for
word, without the command before it. Values that stand alone (names, quoted strings) come from `strings`.
"""

from __future__ import annotations

import re

from segue.router.offline.cues import Candidate
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.strings import GENERIC, Spans, is_new, says_something
from segue.router.offline.text import Token, identifier_words
from segue.router.offline.view import View
from segue.router.offline.words import PREPOSITIONS, STOP, word_set

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
_WHEN = frozenset({"latest", "current", "recent"})
_GREETINGS = word_set("hi hello hey thanks thank good great nice morning evening afternoon yes no ok okay sure well")


def free_text(leaf: Leaf, view: View, tool: Tool, used: Spans, *, alone: bool) -> Candidate | None:
    """The phrase in the person's own words that is left for a free-text parameter; `None` where none is.

    `used` are the places that other parameters took; `alone` says that no other such parameter is open, so that the
    rest of the clause may go here. The words are the person's, in one piece.
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
            return _piece(view, opener.end(), tool, used, leaf, strict=False)
    return _piece(view, begin, tool, used, leaf, strict=True)


def _piece(
    view: View, begin: int, tool: Tool, used: Spans, leaf: Leaf, *, strict: bool, announced: bool = False
) -> Candidate | None:
    """The longest run of unused words from `begin` on, trimmed at both ends; `None` where it says nothing."""
    end = len(view.text.rstrip().rstrip(".!?"))
    gaps = gaps_between(begin, end, used)
    best: Candidate | None = None
    for start, stop in gaps:
        words = [w for w in view.words if start <= w.start and w.end <= stop]
        words = _trim_ends(words, view, tool, leaf, used, strict=strict)
        greets = any(word.lower in _GREETINGS for word in words) and not _seeks(leaf, tool)
        if not words or (strict and not greets and not says_something(words, tool, announced=announced)):
            continue
        found = _widened(view, words[0].start, words[-1].end, stop)
        if best is None or found.end - found.start > best.end - best.start:
            best = found
    return best


def gaps_between(begin: int, end: int, used: Spans) -> list[tuple[int, int]]:
    """The stretches from `begin` to `end` that nothing took, in order."""
    out, place = [], begin
    for start, stop in sorted(used):
        if stop <= begin or start == stop:
            continue
        if start > place:
            out.append((place, start))
        place = max(place, stop)
    return [*out, (place, end)] if place < end else out


def _trim_ends(words: list[Token], view: View, tool: Tool, leaf: Leaf, used: Spans, *, strict: bool) -> list[Token]:
    leading = STOP if _seeks(leaf, tool) else STOP - _GREETINGS
    if strict and not (view.is_question and _seeks(leaf, tool)):
        theirs = tool.name_stems | leaf.own | (GENERIC - _WHEN if _seeks(leaf, tool) else GENERIC)
        while words and (
            words[0].lower in leading
            or words[0].lower in PREPOSITIONS
            or (words[0].stem in theirs and not words[0].text[0].isupper())
        ):
            words = words[1:]
    labels = {s for other in tool.leaves for s in other.own} if used else set()
    while (
        words
        and any(stop > words[-1].end for _, stop in used)
        and (words[-1].lower in leading | PREPOSITIONS or words[-1].stem in labels)
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


def modifier(view: View, tool: Tool, used: Spans) -> Candidate | None:
    """The words right before the tool's own noun that nothing took: "Italian" in "cheap Italian restaurants"."""
    for phrase in view.phrases:
        for place, word in enumerate(phrase.words):
            if word.stem not in tool.name_stems:
                continue
            before = [w for w in phrase.words[:place] if not _taken(w.start, used)]
            while before and not is_new(before[0], tool.name_stems | GENERIC):
                before = before[1:]
            if before and before[-1].end + 1 >= word.start and before[0].text[0].isalpha():
                start, end = before[0].start, before[-1].end
                return Candidate(view.text[start:end], start, end, 1.0)
    return None


def _taken(place: int, used: Spans) -> bool:
    return any(start <= place < stop for start, stop in used)
