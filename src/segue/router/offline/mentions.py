"""Mentions: the pieces of a text that could be a value.

Goes in: a text, and today's date where it was stated. Comes out: its quoted strings, addresses, links, ids, dates,
times, numbers and names, each with its place, none inside another. Which parameter a mention fits is left to `fill`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from segue.router.offline.dates import find_dates
from segue.router.offline.text import MAX_CHARS, Token, tokens
from segue.router.offline.words import MONTHS, NUMBERS, SCALES, STOP, UNITS, VERBS, WEEKDAYS

Number = int | float


@dataclass(frozen=True, slots=True)
class Mention:
    """One piece of text that could be a value."""

    kind: str
    """quoted, code, email, url, path, uuid, ip, date, time, datetime, month, phone, math, id, number or name."""
    start: int
    end: int
    text: str
    """The value as text: without quotes, without #; a date in ISO form."""
    number: Number | None = None
    unit: str = ""
    """The word right after or the sign right before a number, in small letters."""
    sure: bool = True
    """False for a date that is not known for certain; it fills nothing."""


_QUOTED = re.compile(
    r'"([^"\n]{1,4000})"|“([^”\n]{1,4000})”|«([^»\n]{1,4000})»|„([^“”\n]{1,4000})[“”]'
    r"|(?<![\w'])'([^'\n]{1,2000}(?:'(?=\w)[^'\n]{0,2000}){0,8})'(?!\w)|\u2018([^\u2019\n]{1,2000})\u2019(?!\w)"
)
_CODE = re.compile(r"```[\w+-]*\n?(.*?)```|`([^`\n]{1,4000})`", re.S)
_TYPED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("url", re.compile(r"\b(?:https?|ftp|wss?)://[^\s<>\"'`]{1,2000}[^\s<>\"'`.,;:!?)\]}]")),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}(?<![.-])")),
    ("uuid", re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b")),
    (
        "ip",
        re.compile(
            r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b"
        ),
    ),
)
_MATH = re.compile(
    r"(?<![\w.])\(*-?\d+(?:\.\d+)?\)*(?:(?:\s?[+*\u00d7\u00f7^]\s?|\s[-/]\s)\(*-?\d+(?:\.\d+)?\)*)+(?![\w.]*\w)"
)
_PHONE = re.compile(
    r"(?<![\w.-])\+\d[\d ().-]{6,18}\d(?![\w-])|(?<![\w-])(?:\(\d{2,5}\) ?)?\d{3}[ -]\d{3}[ -]\d{3,4}(?![\w-])"
)
_ID = re.compile(
    r"(?<![\w@/.#-])(?:#(?P<hash>[\w-]{1,60})|(?P<id>(?=[\w/-]*\d)(?=[\w/-]*[A-Za-z_/-])\w[\w/-]{0,59}(?<![/-])))(?![\w@])"
)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[$€£¥]\s?)?(?P<num>[-+]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\d+,\d{1,2}(?!\d)))"
    r"(?P<glued>\s?[%€£$°]C?|[A-Za-z]{1,3}\b)?(?![\w]|[.,]\d)"
)
_PATH = re.compile(
    r"(?<![\w/.~*:-])(?:(?:~|\.{1,2})?/(?:[\w.@%+*~-]+/?){1,40}(?<![.,])|(?:[\w.@%+*-]{1,60}/){0,40}[\w@%+*-][\w.@%+*-]{1,60}"
    r"\.[a-z][a-z0-9]{1,4}|\*\.\w{1,8})(?![\w/@])"
)
_VERSION = re.compile(r"(?<![\w.])v?\d{1,6}(?:\.\d{1,6}){2,4}(?:[+-][\w.]{1,30}\w)?(?![\w.]*\w)")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)$", re.I)
_NAME_PART = r"(?:Dr|Mr|Mrs|Ms|Prof|St)\.|[A-ZÀ-ÖØ-Þ][\w'\u2019.&-]*[\w]|[A-ZÀ-ÖØ-Þ]\.?"
_WITHIN_NAME = r"(?:of|de|da|del|van|von|der|den|la|le|the|&|bin|al)"
_NAME = re.compile(rf"(?<![\w@#/.-])(?:{_NAME_PART})(?: (?:{_WITHIN_NAME} ){{0,2}}(?:{_NAME_PART}))*")
_OBJECT = re.compile(r" (?:the|an?|my|our|your|his|her|their|all|every|each|this|these|those) \w")
_NOT_EVEN_WITHIN = frozenset(MONTHS) | frozenset(WEEKDAYS) | {"i"}
_NEVER_NAMES = STOP | VERBS | frozenset(MONTHS) | frozenset(WEEKDAYS) | frozenset(NUMBERS)


def find_mentions(text: str, today: date | None = None) -> list[Mention]:
    """The mentions of a text in order; earlier kinds win over later ones where they overlap.

    What stands inside quotes is one quoted mention; when it is as a whole an address, a date or a number, that is left
    to the parameter that it is offered to.
    """
    text = text[:MAX_CHARS]
    found: list[Mention] = []
    sources: tuple[Callable[[str], Iterator[Mention]], ...] = (
        _code, _quoted, _typed, _paths, lambda t: _dates(t, today), _phones, _sums, _ids, _numbers, _number_words,
        _names,
    )  # fmt: skip
    covered = bytearray(len(text) + 1)
    for source in sources:
        for mention in source(text):
            if mention.end > mention.start and not any(covered[mention.start : mention.end]):
                covered[mention.start : mention.end] = b"\x01" * (mention.end - mention.start)
                found.append(mention)
    return sorted(found, key=lambda mention: mention.start)


def as_number(literal: str) -> Number | None:
    """The number that a literal such as "1,250.50" or "12,50" stands for; an int where it is whole."""
    plain = literal.strip().lstrip("+")
    plain = plain.replace(",", ".") if re.fullmatch(r"-?\d+,\d{1,2}", plain) else plain.replace(",", "")
    if not re.fullmatch(r"-?\d{1,30}(\.\d{1,30})?", plain):
        return None
    return float(plain) if "." in plain else int(plain)


def _code(text: str) -> Iterator[Mention]:
    for m in _CODE.finditer(text):
        yield Mention("code", m.start(), m.end(), (m[1] if m[1] is not None else m[2] or "").strip("\n"))


def _quoted(text: str) -> Iterator[Mention]:
    for m in _QUOTED.finditer(text):
        yield Mention("quoted", m.start(), m.end(), next(g for g in m.groups() if g is not None))


def _typed(text: str) -> Iterator[Mention]:
    for kind, pattern in _TYPED:
        for m in pattern.finditer(text):
            yield Mention(kind, m.start(), m.end(), m.group())


def _paths(text: str) -> Iterator[Mention]:
    """Places of files: /var/log, ./a/b.csv, README.md, *.log."""
    for m in _PATH.finditer(text):
        yield Mention("path", m.start(), m.end(), m.group())


def _dates(text: str, today: date | None) -> Iterator[Mention]:
    for when in find_dates(text, today):
        shown = when.value or text[when.start : when.end]
        yield Mention(when.kind, when.start, when.end, shown, sure=when.value is not None)


def _phones(text: str) -> Iterator[Mention]:
    for m in _PHONE.finditer(text):
        yield Mention("phone", m.start(), m.end(), m.group())


def _sums(text: str) -> Iterator[Mention]:
    for m in _MATH.finditer(text):
        yield Mention("math", m.start(), m.end(), m.group())


def _ids(text: str) -> Iterator[Mention]:
    for m in _VERSION.finditer(text):
        yield Mention("id", m.start(), m.end(), m.group())
    for m in _ID.finditer(text):
        value = m["hash"] or m["id"]
        if m["hash"] and value.isdigit():
            yield Mention("id", m.start(), m.end(), value, number=as_number(value))
        elif m["hash"]:
            yield Mention("id", m.start(), m.end(), m.group())
        elif not _ORDINAL.match(value) and not _is_measure(value):
            yield Mention("id", m.start(), m.end(), value)


def _is_measure(value: str) -> bool:
    glued = re.fullmatch(r"-?\d+([A-Za-z]{1,3})", value)
    return bool(glued and glued[1].lower() in UNITS) or bool(re.fullmatch(r"-\d+", value))


def _numbers(text: str) -> Iterator[Mention]:
    for m in _NUMBER.finditer(text):
        number = as_number(m["num"])
        glued = (m["glued"] or "").strip().lower()
        if number is None or (glued.isalpha() and glued not in UNITS):
            continue
        unit, end = (m["sign"] or "").strip() or glued, m.end()
        if not unit:
            after = re.match(r"\s?-?([^\W\d_]+)", text[end : end + 30])
            unit = after[1].lower().replace("percent", "%") if after else ""
            number, end, unit = _scaled(number, unit, end, after)
        yield Mention("number", m.start(), end, m["num"], number=number, unit=unit)


def _scaled(number: Number, unit: str, end: int, after: re.Match[str] | None) -> tuple[Number, int, str]:
    if after and unit in SCALES:
        scaled = number * SCALES[unit]
        return (int(scaled) if float(scaled).is_integer() else scaled), end + after.end(), ""
    return number, end, unit


def _number_words(text: str) -> Iterator[Mention]:
    words = tokens(text)
    index = 0
    while index < len(words):
        total, used = _read_number(words, index)
        if used and not _is_pronoun(words, index, used):
            last = words[index + used - 1]
            unit = words[index + used].lower.replace("percent", "%") if index + used < len(words) else ""
            span = text[words[index].start : last.end]
            yield Mention("number", words[index].start, last.end, span, number=total, unit=unit)
        index += used or 1


def _read_number(words: list[Token], index: int) -> tuple[int, int]:
    total, current, used = 0, 0, 0
    while index + used < len(words):
        word = words[index + used].lower
        if word in NUMBERS and (current == 0 or (current % 10 == 0 and current > 10 and NUMBERS[word] < 10)):
            current += NUMBERS[word]
        elif word in SCALES and used:
            current *= SCALES[word]
            total, current = (total + current, 0) if SCALES[word] >= 1000 else (total, current)
        else:
            break
        used += 1
    return total + current, used


def _is_pronoun(words: list[Token], index: int, used: int) -> bool:
    if used > 1 or words[index].lower != "one":
        return False
    before = words[index - 1].lower if index else ""
    return before in {"that", "this", "which", "the", "first", "last", "other", "no", "any", "each"}


def _is_no_name(word: str, *, opens: bool) -> bool:
    """Whether a capital letter says nothing here: a month, "I", or any plain word that opens a sentence."""
    lower = word.lower().replace("\u2019", "'")
    return lower in _NEVER_NAMES if opens else lower in _NOT_EVEN_WITHIN or lower.startswith("i'")


def _names(text: str) -> Iterator[Mention]:
    for m in _NAME.finditer(text):
        start, value = m.start(), m.group().rstrip(".")
        opens = not text[: m.start()].rstrip("\"'( ") or text[: m.start()].rstrip()[-1:] in ".!?:;\n"
        if opens and " " not in value and _OBJECT.match(text, m.end()):
            continue
        while value and _is_no_name(value.split(" ", 1)[0], opens=opens):
            head, _, value = value.partition(" ")
            start, opens = start + len(head) + 1, False
        if value.strip():
            yield Mention("name", start, start + len(value), value)
