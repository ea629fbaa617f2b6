"""Dates and times in words: "3 March 2026", "12/25/2026", "tomorrow", "3:30 pm".

Goes in: text, and today's date where somebody stated it. Comes out: found dates and times with their ISO value. A date
that cannot be known for certain (day and month could be swapped, no year, relative to an unstated today) has no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from segue.router.offline.words import MONTHS, NUMBERS, WEEKDAYS


@dataclass(frozen=True, slots=True)
class When:
    """A date, a time or both, found in a text."""

    start: int
    end: int
    kind: str
    """`date`, `time`, `datetime` or `month`."""
    value: str | None
    """ISO 8601; `None` where it cannot be known for certain."""


_MONTH = "|".join(f"{m[:3]}(?:{m[3:]})?" if m[3:] else m for m in MONTHS).replace("sep(?:tember)?", "sept?(?:ember)?")
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_ISO = re.compile(
    r"(?<![\w-])(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})"
    r"(?:[T ](?P<t>\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(?P<z>Z|[+-]\d{2}:?\d{2})?)?(?![\w-])"
)
_TEXTUAL = (
    re.compile(rf"\b{_DAY}(?:\s+of)?\s+(?P<month>{_MONTH})\b\.?(?:,?\s+(?P<year>\d{{4}})\b)?", re.I),
    re.compile(rf"\b(?P<month>{_MONTH})\b\.?\s+{_DAY}\b(?!:)(?:,?\s+(?P<year>\d{{4}})\b)?", re.I),
)
_MONTH_YEAR = re.compile(rf"\b(?P<month>{_MONTH})\s+(?P<year>\d{{4}})\b", re.I)
_NUMERIC = re.compile(r"(?<![\w/.-])(\d{1,4})([/.])(\d{1,2})\2(\d{1,4})(?![\w/-]|\.\d)")
_TIME = re.compile(
    r"(?<![\w:.])(?:(?P<h>[01]?\d|2[0-3]):(?P<min>[0-5]\d)(?::(?P<sec>[0-5]\d))?\s*(?P<ap>[ap]\.?m\b\.?)?"
    r"|(?P<h12>1[0-2]|0?[1-9])\s*(?P<ap12>[ap]\.?m\b\.?)|(?P<word>noon|midnight))(?![\w:])",
    re.I,
)
_RELATIVE = re.compile(
    r"\b(?:(?P<plain>the day after tomorrow|today|tomorrow|tonight|yesterday)"
    r"|in (?P<n>\d+|[a-z]+) (?P<unit>days?|weeks?)|(?P<back>\d+|[a-z]+) (?P<bunit>days?|weeks?) ago"
    rf"|(?P<which>next |last |this |on )?(?P<weekday>{'|'.join(WEEKDAYS)})"
    r"|(?P<vague>(?:next|last|this) (?:week|weekend|month|year)))\b",
    re.I,
)
_STATED = re.compile(r"\b(?:today|current date|date|now|current time)\b[^\n]{0,40}", re.I)
_PAST_CUE = re.compile(r"\b(?:since|from|after|before|until|till|between|and)\s+(?:the\s+)?$", re.I)


def find_dates(text: str, today: date | None) -> list[When]:
    """Every date and time in the text, in order, none overlapping another."""
    taken: list[When] = []
    for source in (_iso, _textual, _numeric, _month_year, _relative, _times):
        for when in source(text, today):
            if all(when.end <= other.start or when.start >= other.end for other in taken):
                taken.append(when)
    return sorted(taken, key=lambda when: when.start)


def stated_today(texts: Iterable[str]) -> date | None:
    """The current date as a system message states it; `None` where none does."""
    for text in texts:
        for match in _STATED.finditer(text[:20_000]):
            for when in find_dates(match.group(), None):
                if when.value and when.kind in ("date", "datetime"):
                    return date.fromisoformat(when.value[:10])
    return None


def _iso(text: str, today: date | None) -> Iterator[When]:
    for m in _ISO.finditer(text):
        day = _date(int(m["y"]), int(m["m"]), int(m["d"]))
        if day and m["t"]:
            clock = m["t"] if len(m["t"]) > 5 else m["t"] + ":00"
            yield When(m.start(), m.end(), "datetime", f"{day}T{clock}{m['z'] or ''}")
        elif day:
            yield When(m.start(), m.end(), "date", day)


def _textual(text: str, today: date | None) -> Iterator[When]:
    for pattern in _TEXTUAL:
        for m in pattern.finditer(text):
            month = _month(m["month"])
            if m["year"]:
                yield When(m.start(), m.end(), "date", _date(int(m["year"]), month, int(m["day"])))
            elif 1 <= int(m["day"]) <= 31:
                past = bool(_PAST_CUE.search(text[max(0, m.start() - 20) : m.start()]))
                yield When(m.start(), m.end(), "date", _this_year(month, int(m["day"]), today, past=past))


def _this_year(month: int, day: int, today: date | None, *, past: bool) -> str | None:
    found = _date(today.year, month, day) if today else None
    return found if found and today and (past or found >= today.isoformat()) else None


def _numeric(text: str, today: date | None) -> Iterator[When]:
    for m in _NUMERIC.finditer(text):
        a, b, c = int(m[1]), int(m[3]), int(m[4])
        if len(m[1]) == 4:
            yield When(m.start(), m.end(), "date", _date(a, b, c))
        elif len(m[4]) == 4:
            sure_day_first = m[2] == "." or a > 12 or a == b
            value = _date(c, b, a) if sure_day_first else _date(c, a, b) if b > 12 else None
            yield When(m.start(), m.end(), "date", value)


def _month_year(text: str, today: date | None) -> Iterator[When]:
    for m in _MONTH_YEAR.finditer(text):
        yield When(m.start(), m.end(), "month", f"{int(m['year']):04d}-{_month(m['month']):02d}")


def _relative(text: str, today: date | None) -> Iterator[When]:
    for m in _RELATIVE.finditer(text):
        count = m["n"] or m["back"]
        named = (
            m["plain"]
            and m.group()[0].isupper()
            and text[: m.start()].rstrip(" ")[-1:] not in ("", ".", "!", "?", "\n", ":")
        )
        if named or (count and _count(count) is None):
            continue
        start = m.start("weekday") if m["weekday"] and (m["which"] or "").strip().lower() == "on" else m.start()
        yield When(start, m.end(), "date", _resolve(m, today) if today else None)


def _resolve(m: re.Match[str], today: date) -> str | None:
    try:
        if m["plain"]:
            shift = {"yesterday": -1, "tomorrow": 1, "the day after tomorrow": 2}.get(m["plain"].lower(), 0)
            return (today + timedelta(days=shift)).isoformat()
        if m["n"] or m["back"]:
            days = (_count(m["n"] or m["back"]) or 0) * (7 if (m["unit"] or m["bunit"]).lower()[0] == "w" else 1)
            return (today + timedelta(days=days if m["n"] else -days)).isoformat()
        if m["weekday"] and (m["which"] or "").strip().lower() in ("", "on", "this"):
            ahead = (WEEKDAYS.index(m["weekday"].lower()) - today.weekday()) % 7 or 7
            return (today + timedelta(days=ahead)).isoformat()
    except OverflowError:
        return None
    return None


def _times(text: str, today: date | None) -> Iterator[When]:
    for m in _TIME.finditer(text):
        if m["word"]:
            yield When(m.start(), m.end(), "time", "12:00" if m["word"].lower() == "noon" else "00:00")
            continue
        hour, half = int(m["h"] or m["h12"]), (m["ap"] or m["ap12"] or "").lower()
        if half and hour <= 12:
            hour = hour % 12 + (12 if half.startswith("p") else 0)
        seconds = f":{m['sec']}" if m["sec"] else ""
        yield When(m.start(), m.end(), "time", f"{hour:02d}:{m['min'] or '00'}{seconds}")


def _count(word: str) -> int | None:
    return int(word) if word.isdigit() and len(word) < 6 else NUMBERS.get(word.lower())


def _month(word: str) -> int:
    return next(i for i, name in enumerate(MONTHS, 1) if name[:3] == word[:3].lower())


def _date(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
