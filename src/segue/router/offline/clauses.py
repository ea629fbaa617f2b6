"""Clauses: one request cut into its parts.

Goes in: the text of a request and the tools. Comes out: parts in order, each with its words as written, whether it
waits for those before it ("then"), whether it is forbidden ("but don't …") and the condition that it carries ("if
…"). "and" parts two clauses only where each has a verb or a tool of its own; quoted text, code and brackets are
never cut.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from segue.router.offline.select import Index
from segue.router.offline.text import MAX_CHARS, content_stems, identifier_words, stem
from segue.router.offline.view import View, opens, polite_end, takes_object, view_of
from segue.router.offline.words import NOUN_TOO, QUESTION, VERBS

_SIGHT = 400
"""How many characters on either side of a link are looked at to decide whether it parts two clauses."""
MAX_PARTS = 40
"""How many parts one request is cut into at most; the rest stays in the last."""


@dataclass(frozen=True)
class Part:
    """One thing that is asked for."""

    text: str
    """As written, without the words that tie it to the part before."""
    clause: str
    """The text without its condition: what arguments are filled from."""
    then: bool = False
    """Whether it waits for every part before it."""
    negated: bool = False
    """Whether the person says not to do it."""
    condition: str = ""
    """The condition as written; nothing here decides it."""
    rest: str = ""
    """The request without this part."""
    context: str = ""
    """What the request says before it without asking for anything: "For order 1042", "I moved last week."."""


@dataclass(frozen=True)
class _Piece:
    start: int
    end: int
    link: str


_LINKS = (
    ("item", r"\n\s*(?:\d{1,2}[.)]|[-*•])\s+|\n+\s*"),
    ("item", r"(?:^|(?<=\s))\(?[1-9][.)]\s+(?=[A-Za-z])"),
    ("then", r"[\s,;.]*(?:\b(?:and|but)\s+)?\b(?:(?<!back )(?<!until )(?<!since )(?<!by )then|after that|after this"
     r"|afterwards|after which|subsequently"
     r"|once (?:that|this|it|you|they)(?:'s|\u2019s| is| are|'re)? (?:done|finished|complete|ready)"
     r"|once done|when (?:that's |that is |it's |it is )?(?:done|finished)|finally|lastly|next(?=,))\b,?\s*"),
    ("semi", r"\s*;\s*(?:and\s+)?"),
    ("sentence", r"(?<=[\w)\"”'\u2019%`])[.!?]+[\"”']?\s+(?=\S)"),
    ("and", r"\s*,?\s+(?:and also|and|also|plus|as well as|but)\s+|\s+&\s+"),
    ("comma", r"\s*,\s+"),
)  # fmt: skip
_SEPARATOR = re.compile("|".join(f"(?P<s{i}>{pattern})" for i, (_, pattern) in enumerate(_LINKS)), re.I)
_ABBREVIATION = re.compile(r"\b(?:no|nr|dr|mr|mrs|ms|st|vs|e\.g|i\.e|etc|approx|prof|inc|ltd|[A-Z])$", re.I)
_NOT = re.compile(r"^(?:but\s+|and\s+|please\s+|also\s+)*(?:do not|don't|don\u2019t|never)\s+\w", re.I)
_UNREAL = r"(?!\s+(?:possible|you can|so|any|needed|necessary|available|not\b|that's ok|you like))"
_IF = r"(?:if|unless|provided(?: that)?|as long as|in case|assuming)"
_COND = rf"(?:but\s+)?(?:only\s+)?(?:{_IF}\b{_UNREAL}|on condition that\b)"
_TRAILING = re.compile(rf"[,\s]+(?P<cond>{_COND}.+)$", re.I | re.S)
_LEADING = re.compile(rf"^(?P<cond>{_COND}[^,]+),\s*(?:then\s+)?(?=\S)", re.I)
_WHETHER = re.compile(r"\b(?:see|check|know|ask|tell|tell me|verify|determine|find out|say|wonder)\s*$", re.I)
_OPENER = re.compile(
    r"\b(?:to|that|saying|says?|about|for|message|text|note|body|titled|called)\b[\s:\"“']+(?:\w+\s+){0,1}\w+|:\s+\w",
    re.I,
)
_TELLS = re.compile(
    r"(?:my|our|the|i|we|it|this|that|he|she|they|there)\b.*\b(?:is|are|was|were|am|has|have|had|did|does|do|will|\w+ed|"
    r"came|got|went|left|broke|arrives?|needs?|\w+n't)\b|(?:i|we)(?:'m|'ve|'d)\b",
    re.I | re.S,
)
_SUBJECT = re.compile(r"^(?:for|in|on|about|regarding|with|from|at)\s+[^,:;.]{1,80}[,:]\s+", re.I)


def split_request(text: str, index: Index, today: date | None = None) -> list[Part]:
    """Cut a request into its parts, in order; a text that asks for one thing gives one part.

    Sentences that ask for nothing ("I moved last week.") are no parts of their own: each stays with its neighbour or in
    the `rest` of every part.
    """
    text = text[:MAX_CHARS].strip()
    cutter = _Cutter(text, index, today)
    pieces = cutter.pieces()
    parts: list[Part] = []
    waiting, context = False, ""
    for piece in pieces:
        raw = text[piece.start : piece.end].strip(" ,;\n\t")
        waiting |= piece.link == "then"
        if not raw or (not content_stems(raw) and len(pieces) > 1):
            continue
        if len(pieces) > 1 and piece.link != "then" and cutter.is_context(raw):
            context = f"{context} {raw}".strip()
            continue
        rest = f"{text[: piece.start]}\n{text[piece.end :]}".strip()
        parts.append(_part(raw, rest, context, then=waiting and bool(parts)))
        context = context or _subject(raw)
        waiting = False
    return parts or [_part(text, "", "", then=False)]


def _subject(raw: str) -> str:
    found = _SUBJECT.match(raw)
    return found.group().rstrip(": ,") + "," if found else ""


def _part(raw: str, rest: str, context: str, *, then: bool) -> Part:
    body = polite_end(raw)
    text = raw[body:].strip() if raw[body:].strip() and not _NOT.match(raw) else raw
    clause, condition = _conditioned(text)
    subject = _SUBJECT.match(clause)
    if subject and opens_request(clause[subject.end() :]):
        rest, clause = f"{subject.group()}\n{rest}", clause[subject.end() :]
    return Part(text, clause, then, bool(_NOT.match(raw)), condition, rest, context)


def opens_request(text: str) -> bool:
    """Whether a text begins with a verb or a question word, politeness aside."""
    return view_of(text).verb is not None


def _conditioned(text: str) -> tuple[str, str]:
    leading = _LEADING.match(text)
    if leading:
        return text[leading.end() :], leading["cond"].strip()
    trailing = _TRAILING.search(text)
    if trailing and not _WHETHER.search(text[: trailing.start()]) and not _in_quotes(text, trailing.start()):
        return text[: trailing.start()].rstrip(" ,"), trailing["cond"].strip(" .!?")
    return text, ""


def _in_quotes(text: str, place: int) -> bool:
    return any(m.kind in ("quoted", "code") and m.start <= place < m.end for m in view_of(text).mentions)


class _Cutter:
    """Where one text may be cut."""

    def __init__(self, text: str, index: Index, today: date | None) -> None:
        self.text, self.index, self.today = text, index, today
        self.sealed, self.closed = _closed(text, view_of(text, today))
        self.numbered = bool(re.search(r"(?:^|\s)\(?1[.)]\s", text) and re.search(r"\s\(?2[.)]\s", text))
        self.verbs = {stem(t.name_words[0]) for t in index.tools if _opens_with_verb(t.name_words, t.description)}

    def pieces(self) -> list[_Piece]:
        """The pieces of the text in order, each with the link before it."""
        seps = [s for s in self._separators() if not self._is_closed(s)]
        out: list[_Piece] = []
        begin, link = 0, "start"
        for position, sep in enumerate(seps):
            if sep.start < begin or len(out) >= MAX_PARTS - 1:
                continue
            until = next((s.start for s in seps[position + 1 :] if s.start >= sep.end), len(self.text))
            left = self.text[begin : min(sep.start, begin + _SIGHT)]
            right = self.text[sep.end : min(until, sep.end + _SIGHT)]
            if self._cuts(sep, left, right, self.text[sep.end : sep.end + _SIGHT]):
                out.append(_Piece(begin, sep.start, link))
                begin, link = sep.end, sep.link
        return [*out, _Piece(begin, len(self.text), link)]

    def is_context(self, raw: str) -> bool:
        """Whether a piece only tells something: no verb that commands, no question, no wish, no list item of a tool."""
        if _NOT.match(raw) or self._commands(raw):
            return False
        return polite_end(raw) == 0 and bool(_TELLS.match(raw))

    def _separators(self) -> list[_Piece]:
        out: list[_Piece] = []
        for m in _SEPARATOR.finditer(self.text):
            number = next(i for i in range(len(_LINKS)) if m[f"s{i}"] is not None)
            if number == 1 and not self.numbered:
                continue
            out.append(_Piece(m.start(), m.end(), _LINKS[number][0]))
        return out

    def _is_closed(self, sep: _Piece) -> bool:
        closed = self.sealed if sep.link == "item" else self.closed
        return any(sep.start < stop and begin < sep.end for begin, stop in closed)

    def _cuts(self, sep: _Piece, left: str, right: str, after: str) -> bool:
        if not after.strip() or (not left.strip() and sep.link != "item"):
            return False
        if sep.link == "then":
            return not re.match(r"\s*(?:if|when|unless)\b", left, re.I) and bool(left.strip())
        if sep.link == "item":
            return True
        if sep.link == "sentence":
            return self._ends_sentence(sep, left, right)
        if _NOT.match(right):
            return True
        if re.match(r"\s*(?:only\s+)?(?:if|unless|when|in case)\b", left, re.I) or _SUBJECT.fullmatch(f"{left}, "):
            return False
        if sep.link == "semi":
            return self._commands(right) or self._picks(right)
        return self._cuts_softly(sep, left, right)

    def _ends_sentence(self, sep: _Piece, left: str, right: str) -> bool:
        mark = self.text[sep.start]
        if mark == "." and _ABBREVIATION.search(self.text[max(0, sep.start - 8) : sep.start]):
            return False
        if mark == "." and not right[:1].isupper() and not self._commands(right):
            return False
        return self._commands(right) or _NOT.match(right) is not None or not self._commands(left) or self._wishes(right)

    def _cuts_softly(self, sep: _Piece, left: str, right: str) -> bool:
        if len(left.split()) < 2:
            return False
        if self._commands(right):
            chosen = self._picks(right)
            if sep.link == "comma":
                return chosen and (self._commands(left) or self._picks(left))
            if chosen and (self._commands(left) or self._picks(left) or self._chooses(left)):
                return not self._is_tail(left, right)
            return (
                self._commands(left)
                and not _OPENER.search(left)
                and len(right.split()) > 1
                and not self._is_noun(right)
            )
        return sep.link == "and" and self._other_tool(left, right)

    def _is_tail(self, left: str, right: str) -> bool:
        """Whether the right side goes on inside a message or a thing to do that the left side opened."""
        subject = _SUBJECT.match(left)
        left = left[subject.end() :] if subject else left
        opener = re.search(r"\b(?:saying|says|that)\s+\w|:\s+\w", left, re.I)
        match = self.index.picks(view_of(right, self.today))
        return opener is not None and (match is None or len(match.name_hits) < 2)

    def _other_tool(self, left: str, right: str) -> bool:
        ours, theirs = self.index.picks(view_of(left, self.today)), self.index.picks(view_of(right, self.today))
        if ours is None or theirs is None or ours.tool.name == theirs.tool.name:
            return False
        unlike = theirs.name_hits - ours.tool.name_stems and ours.name_hits - theirs.tool.name_stems
        again = self.index.picks(view_of(f"{left} and {right}", self.today))
        return bool(unlike) and again is not None and theirs.score >= 1.0 and ours.score >= 1.0

    def _commands(self, text: str) -> bool:
        text = text.strip()
        subject = _SUBJECT.match(text)
        view = view_of(text[subject.end() :] if subject else text, self.today)
        first = next((word for word in view.words if word.start >= view.body), None)
        if first is None or first.start - view.body > 3:
            return False
        if not opens(first.lower) and first.stem not in self.verbs:
            return False
        following = next((word for word in view.words if word.start >= first.end), None)
        if first.lower in QUESTION and first.lower not in VERBS:
            return following is not None
        return takes_object(view.text, first, following)

    def _chooses(self, text: str) -> bool:
        """Whether a text opens with a choice of a required parameter: "Like video 7" where a rating is like or not."""
        view = view_of(text.strip(), self.today)
        first = next((word for word in view.words if word.start >= view.body), None)
        listed = [leaf.schema["enum"] for t in self.index.tools for leaf in t.required if leaf.schema.get("enum")]
        return first is not None and any(first.lower == c for choices in listed for c in choices if isinstance(c, str))

    def _is_noun(self, text: str) -> bool:
        first = next(iter(view_of(text.strip(), self.today).words), None)
        return first is not None and first.lower in NOUN_TOO

    def _wishes(self, text: str) -> bool:
        return polite_end(text.strip()) > 0 and self._picks(text)

    def _picks(self, text: str) -> bool:
        return self.index.picks(view_of(text.strip(), self.today)) is not None


def _opens_with_verb(name_words: tuple[str, ...], description: str) -> bool:
    first = identifier_words(description[:60])[:1]
    return bool(name_words) and (
        name_words[0] in VERBS or (bool(first) and stem(first[0]) == stem(name_words[0]) and len(name_words) > 1)
    )


def _closed(text: str, view: View) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The places that are never cut, not even by a line end, and those that no word or comma cuts."""
    sealed = [(m.start, m.end) for m in view.mentions if m.kind in ("quoted", "code", "url", "email", "path")]
    sealed += [m.span() for m in re.finditer(r"\([^()\n]{0,2000}\)", text)]
    typed = [(m.start, m.end) for m in view.mentions if m.kind in ("date", "datetime", "number", "name", "time", "ip")]
    pairs = [m.span() for m in re.finditer(r"\bbetween\s+[^,.;]{1,60}?\s+and\s+", text, re.I)]
    return sealed, [*sealed, *typed, *pairs]
