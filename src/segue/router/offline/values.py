"""Values by schema: what a text offers to a number, a choice, a yes-or-no, an id, a date, an address or a pattern.

Goes in: a parameter, a view of a text and the tool. Comes out: candidates, each valid by the schema and each
standing in the text. Plain strings come from `strings`, lists from `lists`; which candidate wins is decided in
`fill`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from segue.router.offline.check import compile_pattern, fits
from segue.router.offline.choices import boolean_candidates, enum_candidates
from segue.router.offline.cues import Candidate, cue_score, nouns_before, side_score, word_after, words_before
from segue.router.offline.examples import exemplified
from segue.router.offline.mentions import Mention
from segue.router.offline.quantities import number_candidates
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.strings import phrase_candidates
from segue.router.offline.text import stem
from segue.router.offline.view import View
from segue.router.offline.words import ID_WORDS, MONTHS, PREPOSITIONS, STOP, VERBS, WEEKDAYS

_ID_STEMS = frozenset(stem(w) for w in ID_WORDS)
_FORMATS = {
    "email": "email", "idn-email": "email", "uri": "url", "url": "url", "iri": "url", "uuid": "uuid", "uuid4": "uuid",
    "ipv4": "ip", "ipv6": "ip", "date": "date", "date-time": "datetime", "time": "time", "phone": "phone",
}  # fmt: skip


def candidates(leaf: Leaf, view: View, tool: Tool) -> list[Candidate]:
    """Everything in the text that the parameter could take by its schema, best first."""
    found: list[Candidate] = []
    for schema in (leaf.schema, *leaf.schema.get("alts", ())):
        found += _of_kind(replace(leaf, schema=schema), view, tool)
    valid = [c for c in found if fits(c.value, leaf.schema)]
    return sorted(valid, key=lambda c: (-c.score, c.start))


def _of_kind(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    if isinstance(leaf.schema.get("enum"), list):
        yield from enum_candidates(leaf, view, tool)
    elif leaf.kind == "boolean":
        yield from boolean_candidates(leaf, view)
    elif leaf.kind in ("integer", "number"):
        yield from _ids(leaf, view, tool) if leaf.is_id else number_candidates(leaf, view, tool)
    elif leaf.kind in ("string", "any"):
        yield from _texts(leaf, view, tool)


def shape(leaf: Leaf) -> str:
    """What kind of text a string parameter wants, by format, pattern, name and description; `text` for any."""
    told = _FORMATS.get(str(leaf.schema.get("format")))
    if told:
        return told
    if isinstance(leaf.schema.get("pattern"), str) and _selective(leaf.schema["pattern"]):
        return "pattern"
    words, about = leaf.raw_words, str(leaf.schema.get("description") or "")
    if leaf.is_free_text or leaf.wants_code:
        return "text"
    if words & {"datetime", "timestamp"} or re.search(r"date[ -]?time|date and time|YYYY-MM-DD[T ]HH", about, re.I):
        return "datetime"
    if words & {"email", "mail"} or "emails" in words:
        return "email"
    if words & {"url", "uri", "link", "website", "href"}:
        return "url"
    if "uuid" in words or "guid" in words:
        return "uuid"
    if words & {"date", "birthday", "dob"} or re.search(r"YYYY-MM-DD|\bISO(?:[ -]?8601)? date\b", about):
        return "date"
    if ("time" in words and not words & {"zone", "frame"}) or re.search(r"\bHH:MM", about):
        return "time"
    if words & {"phone", "telephone", "mobile", "fax"}:
        return "phone"
    if words & {"ip"}:
        return "ip"
    if words & {"weekday"} or re.search(r"\bday of (?:the )?week\b|\bweekday\b", about, re.I):
        return "weekday"
    if words == {"month"} or re.search(r"\bname of (?:the )?month\b", about, re.I):
        return "month"
    if leaf.is_id:
        return "id"
    if _is_day(leaf, about):
        return "date"
    return "weekday" if words == {"day"} else "text"


def _is_day(leaf: Leaf, about: str) -> bool:
    dated = leaf.raw_words & {
        "day",
        "since",
        "until",
        "deadline",
        "due",
        "start",
        "end",
        "when",
        "checkin",
        "checkout",
        "check",
    }
    return bool(dated) and bool(re.search(r"\bdate\b", about, re.I))


def _selective(pattern: str) -> bool:
    compiled = compile_pattern(pattern)
    return compiled is not None and not any(compiled.search(probe) for probe in ("the", "any words at all"))


def _texts(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    kind = shape(leaf)
    if kind == "pattern":
        yield from _patterned(leaf, view)
    elif kind == "datetime":
        yield from _datetimes(leaf, view)
    elif kind in ("date", "time"):
        yield from _days(leaf, view, kind)
    elif kind == "id":
        yield from _ids(leaf, view, tool)
    elif kind in ("weekday", "month"):
        yield from _calendar_names(leaf, view, WEEKDAYS if kind == "weekday" else MONTHS)
    elif kind in ("email", "url", "uuid", "ip", "phone"):
        yield from _typed(leaf, view, kind)
    else:
        yield from phrase_candidates(leaf, view, tool)
    if kind in ("id", "text") and not leaf.wants_code:
        yield from exemplified(leaf, view)


def _typed(leaf: Leaf, view: View, kind: str) -> Iterator[Candidate]:
    for m in view.mentions:
        if m.kind == kind or (m.kind == "quoted" and fits(m.text, {"format": leaf.schema.get("format") or kind})):
            yield Candidate(m.text, m.start, m.end, 2.5 + cue_score(leaf, view, m.start, m.end))
        elif kind == "phone" and m.kind == "number" and len(m.text) >= 5 and m.text.isdigit():
            yield Candidate(m.text, m.start, m.end, 0.6 + cue_score(leaf, view, m.start, m.end))


def _days(leaf: Leaf, view: View, kind: str) -> Iterator[Candidate]:
    about = f"{leaf.schema.get('description') or ''} {leaf.schema.get('examples') or ''}".lower()
    for m in view.mentions:
        if m.kind != kind and not (kind == "date" and m.kind == "month" and "month" in leaf.raw_words):
            continue
        side = side_score(leaf, view, m.start)
        shown = view.text[m.start : m.end]
        named_here = re.search(rf"\b{re.escape(shown.lower())}\b", about) and not leaf.schema.get("format")
        if side is None or not (m.sure or named_here):
            continue
        plain = kind == "time" and not leaf.schema.get("format") and not re.search(r"hh:mm|24|\d\d:\d\d", about)
        value = shown if plain or named_here else m.text
        yield Candidate(value, m.start, m.end, 2.5 + side + cue_score(leaf, view, m.start, m.end))


def _calendar_names(leaf: Leaf, view: View, names: Sequence[str]) -> Iterator[Candidate]:
    """Weekdays or months by their names, as written; a date where the text gives one instead."""
    for m in view.mentions:
        if m.kind == "date" and m.sure and not any(w.lower in names for w in view.words if m.start <= w.start < m.end):
            yield Candidate(m.text, m.start, m.end, 2.5 + cue_score(leaf, view, m.start, m.end))
    for word in view.words:
        if word.lower.removesuffix("s") in names and not (word.lower in ("may", "march") and word.text.islower()):
            shown = word.text[:-1] if word.lower not in names else word.text
            yield Candidate(shown, word.start, word.end, 3.0 + cue_score(leaf, view, word.start, word.end))


def _datetimes(leaf: Leaf, view: View) -> Iterator[Candidate]:
    days = [m for m in view.mentions if m.kind == "date" and m.sure]
    spaced = re.search(r"YYYY-MM-DD HH:MM", str(leaf.schema.get("description") or "")) is not None
    for m in view.mentions:
        if m.kind == "number" and re.fullmatch(r"\d{9,13}(?:\.\d+)?", m.text) and not leaf.schema.get("format"):
            yield Candidate(m.text, m.start, m.end, 2.5 + cue_score(leaf, view, m.start, m.end))
        side = side_score(leaf, view, m.start) if m.kind in ("datetime", "time", "date") else None
        if side is None:
            continue
        score = 2.5 + side + cue_score(leaf, view, m.start, m.end)
        if m.kind == "datetime":
            value = m.text.replace("T", " ")[:16] if spaced else m.text
            yield Candidate(value, m.start, m.end, score + 0.5)
        elif m.kind == "time" and days:
            day = min(days, key=lambda d: abs(d.start - m.start))
            clock = m.text if spaced or len(m.text) > 5 else m.text + ":00"
            yield Candidate(
                f"{day.text}{' ' if spaced else 'T'}{clock}", m.start, m.end, score, ((day.start, day.end),)
            )
        elif m.kind == "date" and m.sure and not spaced and not _has_time(view):
            yield Candidate(m.text, m.start, m.end, score - 0.5)


def _has_time(view: View) -> bool:
    return any(m.kind == "time" for m in view.mentions)


def _patterned(leaf: Leaf, view: View) -> Iterator[Candidate]:
    pattern = compile_pattern(str(leaf.schema["pattern"]))
    if pattern is None:
        return
    quoted = [m for m in view.mentions if m.kind in ("quoted", "name", "id", "phone", "date", "time", "month")]
    pieces = [(m.text, m.start, m.end) for m in quoted]
    for m in re.finditer(r"[^\s,;!?()\"“”]{1,200}", view.text):
        text = m.group().rstrip(".:").strip("'`")
        start = m.start() + m.group().find(text) if text else m.start()
        pieces.append((text, start, start + len(text)))
        if text.startswith("#"):
            pieces.append((text[1:], start, start + len(text)))
    seen: set[tuple[str, int]] = set()
    for text, start, end in pieces:
        found = pattern.search(text) if text and (text, start) not in seen else None
        seen.add((text, start))
        if found and found.group() == text:
            yield Candidate(text, start, end, 2.0 + cue_score(leaf, view, start, end))


def _ids(leaf: Leaf, view: View, tool: Tool) -> Iterator[Candidate]:
    for m in view.mentions:
        value = _id_value(leaf, m)
        if value is None:
            continue
        score = _id_cue(leaf, view, tool, m)
        if score > 0.4:
            bonus = 0.3 if m.kind in ("id", "uuid") else 0.0
            yield Candidate(value, m.start, m.end, score + bonus)


def _id_value(leaf: Leaf, m: Mention) -> str | int | float | None:
    if leaf.kind in ("integer", "number"):
        return m.number if m.kind in ("id", "number") else None
    if m.kind in ("id", "uuid", "quoted"):
        return m.text.removeprefix("#")
    if m.kind == "number" and re.fullmatch(r"\d+", m.text):
        return m.text
    if m.kind == "name" and m.text.isupper() and " " not in m.text:
        return m.text
    return None


def _id_cue(leaf: Leaf, view: View, tool: Tool, m: Mention) -> float:
    if any(w.stem in leaf.own for w in words_before(view, m.start, 2)):
        return 4.0
    nouns = nouns_before(view, m.start)
    if leaf.required and _is_only_number(leaf, view, tool, m):
        return 1.6
    for distance, noun in enumerate(nouns):
        if noun.stem in leaf.own or noun.lower in leaf.raw_words:
            return 4.0 - distance
    if m.kind == "number" and m.unit and stem(m.unit) not in tool.name_stems and _is_counted(leaf, m.unit):
        return 0.0
    linked = {w.lower for w in view.words if m.start - 12 <= w.start < m.start} & leaf.raw_words
    if linked - PREPOSITIONS:
        return 2.5
    if not nouns or nouns[0] == view.verb:
        return 1.2
    noun = nouns[0]
    if noun.stem in tool.name_stems and (leaf.own & tool.name_stems or leaf.own <= _ID_STEMS):
        return 2.2
    if noun.stem in leaf.hints:
        return 1.8
    joined = word_after(view, m.end)
    return 1.5 if joined is not None and joined.stem in leaf.own else 0.2


def _is_only_number(leaf: Leaf, view: View, tool: Tool, m: Mention) -> bool:
    """Whether the only number of the text stands bare after a preposition, for the only number that the tool needs."""
    others = [x for x in tool.required if x.path != leaf.path and (x.is_id or x.kind in ("integer", "number"))]
    alone = [x for x in view.mentions if x.kind in ("number", "id")] == [m]
    before = words_before(view, m.start, 1)
    bare = m.kind == "number" and m.text.isdigit() and not m.unit
    return bare and alone and not others and bool(before) and before[0].lower in ("to", "for", "of", "on")


def _is_counted(leaf: Leaf, unit: str) -> bool:
    """Whether the word after a number is what it counts, and not the parameter's own noun."""
    plain = unit.isalpha() and unit not in STOP and unit not in PREPOSITIONS and unit not in VERBS
    return plain and stem(unit) not in leaf.own
