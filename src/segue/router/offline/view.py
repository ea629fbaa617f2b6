"""A text as rules look at it: its mentions, and its phrases with the preposition before each.

Goes in: one clause. Comes out: a `View`, made once per text. What a phrase means for a parameter is left to `strings`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from segue.router.offline.mentions import Mention, find_mentions
from segue.router.offline.text import MAX_CHARS, Token, tokens
from segue.router.offline.words import NOUN_TOO, PHRASAL, PREPOSITIONS, QUESTION, STOP, VERBS, word_set

_POLITE = re.compile(
    r"^(?:\s|please\b|kindly\b|hi\b|hello\b|hey\b|ok(?:ay)?\b|now\b|just\b|first(?:ly)?\b|second(?:ly)?\b|third(?:ly)?\b"
    r"|also\b|and\b|then\b|finally\b|lastly\b|next\b|so\b|well\b|thanks?\b|afterwards\b|"
    r"(?:can|could|would|will) you\b|(?:can|could|may) (?:i|we)\b"
    r"|(?:i|we)(?:'d| would)? (?:want|like|need|have)(?: you)? to\b"
    r"|(?:i|we)(?:'d| would)? (?:like|love)\b|(?:i|we) (?:want|need)\b|let(?:'s| us| me)\b"
    r"|help me(?: to)?\b|go ahead and\b"
    r"|i(?:'m| am) (?:trying to\b|(?=(?:looking|searching) for\b))|do you know\b|don't forget to\b"
    r"|make sure (?:to|you)\b|be so kind(?: as)? to\b|is it possible to\b"
    r"|[,:.!\u2013-])+",
    re.I,
)
_OBJECT = re.compile(r"\s+(?:the|an?|my|our|your|his|her|their|all|every|each|this|these|those)\s+\w", re.I)
_BREAKS = re.compile(r"[,;:!?()\[\]\n]|\.(?=\s|$)|\s[\u2013—-]\s")
_JOINS = frozenset({"and", "or", "&", "but", "plus"})
_CLAUSE_WORDS = word_set("that which who because where when if so while than")
_TYPED_KINDS = frozenset({"email", "url", "uuid", "ip", "date", "time", "datetime", "month", "phone"})
_PARTED = word_set("turn switch put power shut set pick sign")
_PARTICLES = word_set("on off up down in out")
_TRIM = STOP - {"who"}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A run of words between prepositions, commas and joins: "the kitchen light"."""

    start: int
    end: int
    prep: str
    """The preposition before it, in small letters; empty for a verb's object."""
    joined: bool
    """Whether `and`, `or` or a comma ties it to the phrase before."""
    words: tuple[Token, ...]


@dataclass(frozen=True)
class View:
    """One text with everything that rules ask of it."""

    text: str
    words: tuple[Token, ...]
    mentions: tuple[Mention, ...]
    phrases: tuple[Phrase, ...]
    body: int
    """Where the request begins: after politeness, before the verb."""
    verb: Token | None
    """The verb that opens the request, or the question word."""

    @property
    def is_question(self) -> bool:
        """Whether the text asks rather than commands."""
        return self.verb is not None and self.verb.lower in QUESTION


@lru_cache(maxsize=256)
def view_of(text: str, today: date | None = None) -> View:
    """Look at a text, at most its first 20,000 characters; the same text gives the same view."""
    text = text[:MAX_CHARS]
    words = tuple(tokens(text))
    mentions = tuple(find_mentions(text, today))
    body = polite_end(text)
    opening = next((word for word in words if word.start >= body), None)
    begins = opening is not None and opening.start - body < 3
    verb = _phrasal(text, opening) if opening and begins else None
    if verb is None and opening and begins and (opens(opening.lower) or _commands(text, opening)):
        verb = opening
    return View(text, words, mentions, tuple(_phrases(text, words, mentions, body, verb)), body, verb)


def opens(word: str) -> bool:
    """Whether a word can open a request: a verb or a question word."""
    return word in VERBS or word in QUESTION


def _phrasal(text: str, word: Token) -> Token | None:
    """A verb of more than one word as the plain verb that says the same, in its place: "pull up" is "show"."""
    for said, plain in PHRASAL.items():
        if text[word.start : word.start + len(said) + 1].lower().rstrip() == said:
            return Token(plain, word.start, word.start + len(said))
    return None


def _commands(text: str, word: Token) -> bool:
    """Whether a word that no list has is a verb, since an object with its article follows it: "sink the ship"."""
    return word.lower not in STOP | PREPOSITIONS and _OBJECT.match(text, word.end) is not None


def polite_end(text: str) -> int:
    """Where the request proper begins, after "please", "could you", "then" and the like."""
    found = _POLITE.match(text)
    end = found.end() if found else 0
    return end if text[end:].strip() else 0


def _phrases(
    text: str, words: tuple[Token, ...], mentions: tuple[Mention, ...], body: int, verb: Token | None
) -> list[Phrase]:
    begin = verb.end if verb else body
    solid = [m for m in mentions if m.kind in ("quoted", "code", "name", "path") and m.start >= begin]
    typed = [m for m in mentions if m.kind in _TYPED_KINDS]
    cuts = [m.start() for m in _BREAKS.finditer(text) if not _inside(m.start(), mentions)]
    out: list[Phrase] = []
    run: list[Token] = []
    prep, joined, last_end, cut_index = "", False, begin, 0

    def flush() -> None:
        trimmed = _trimmed(run)
        if trimmed:
            out.append(Phrase(trimmed[0].start, trimmed[-1].end, prep, joined and bool(out), tuple(trimmed)))
        run.clear()

    for word in words:
        if word.start < begin:
            continue
        while cut_index < len(cuts) and cuts[cut_index] < last_end:
            cut_index += 1
        if cut_index < len(cuts) and cuts[cut_index] < word.start:
            flush()
            prep, joined = ("", text[cuts[cut_index]] == ",")
        last_end = word.end
        lower = word.lower
        if verb is not None and word.start == verb.end + 1 and lower in _PARTICLES and verb.lower in _PARTED:
            continue
        if _inside(word.start, solid):
            run.append(word)
        elif _inside(word.start, typed):
            flush()
            prep, joined = "", False
        elif lower in PREPOSITIONS or lower in _CLAUSE_WORDS:
            if lower == "by" and len(run) > 1 and run[-1].lower.endswith("ed"):
                run.pop()
            flush()
            prep, joined = lower, False
        elif lower in _JOINS:
            flush()
            joined = True
        else:
            run.append(word)
    flush()
    return [_with_quotes(text, phrase, solid) for phrase in out]


def _inside(place: int, solid: Sequence[Mention]) -> bool:
    return any(m.start <= place < m.end for m in solid)


def _trimmed(run: list[Token]) -> list[Token]:
    start, end = 0, len(run)
    while start < end and run[start].lower in _TRIM:
        start += 1
    while end > start and run[end - 1].lower in _TRIM:
        end -= 1
    return run[start:end]


def _with_quotes(text: str, phrase: Phrase, solid: list[Mention]) -> Phrase:
    """Widen a phrase that touches a quoted string or a name to hold the whole of it."""
    start, end = phrase.start, phrase.end
    for m in solid:
        if m.start < end and start < m.end:
            start, end = min(start, m.start), max(end, m.end)
    return Phrase(start, end, phrase.prep, phrase.joined, phrase.words)


def takes_object(text: str, verb: Token, following: Token | None) -> bool:
    """Whether a word that is both verb and noun is a verb here: an object follows it."""
    if verb.lower not in NOUN_TOO:
        return True
    if following is None:
        return False
    between = text[verb.end : following.start]
    opener = following.lower
    if between.strip() not in ("", '"', "'", "`", "#", "€", "$", "£", "“"):
        return False
    if opener in PREPOSITIONS or opener in ("and", "or", "is", "are", "was", "were"):
        return opener in ("to", "for", "with", "in", "off", "on") and verb.lower in ("reply", "search", "look", "check")
    return True
