"""Where somebody lives: postal addresses in the common forms of many countries. Text in, findings out.

A street needs its number, and a town with its code behind it, or a word that says it is an address, unless the street's
own word can mean nothing else. The patterns are in `streets`.
"""

from __future__ import annotations

from collections.abc import Iterator

from segue.tracing.finding import Finding, holds
from segue.tracing.pii import streets


def addresses(text: str, lowered: str) -> Iterator[Finding]:
    """Streets with their numbers, as far as the town behind them."""
    done = 0
    for match in streets.NUMBER_FIRST.finditer(text):
        begin = match.start()
        if begin >= done and _begins(text, begin) and (found := _number_first(text, begin)):
            yield found
            done = found.end
    if streets.TAIL.search(text) or holds(lowered, streets.HINTS):
        for match in streets.HOUSE_AT.finditer(text):
            begin = match.start() + 1
            word = text[text.rfind(" ", max(0, begin - 34), begin - 1) + 1 : begin].strip(" .,#º°:n")
            if word[:1].isupper() or word.endswith(streets.SURE_ENDINGS) or "\n" in word:
                street = _street_first(text, begin)
                if street is not None:
                    yield street
    yield from _boxes_and_fields(text, lowered)
    if not text.isascii() and streets.ASIAN_HINT.search(text):
        for match in streets.ASIAN.finditer(text):
            yield Finding("address", match.start(), match.end())


def _boxes_and_fields(text: str, lowered: str) -> Iterator[Finding]:
    for match in streets.BOX.finditer(text) if holds(lowered, streets.BOX_WORDS) else ():
        yield Finding("address", match.start(), match.end())
    for match in streets.FIELD.finditer(text) if holds(lowered, streets.FIELD_WORDS) else ():
        value = match[1].rstrip(" .,")
        if lowered[max(0, match.start() - 9) : match.start()].endswith(streets.NO_FIELD):
            continue
        if (
            any(char.isdigit() for char in value)
            and (value.count(" ") >= 2 or value[0] >= "\u3040")
            and not value.startswith("0x")
        ):
            yield Finding("address", match.start(1), match.start(1) + len(value))


def _begins(text: str, at: int) -> bool:
    before = text[at - 1 : at]
    return not (before.isalnum() or (before in (".", ",", "/", "-") and not text[at - 2 : at - 1].isspace()))


def _number_first(text: str, at: int) -> Finding | None:
    if match := streets.ENGLISH.match(text, at):
        rest = streets.ENGLISH_REST.match(text, match.end())
        end = rest.end() if rest else match.end()
        if streets.ENGLISH_TOWN.search(text, match.end(), end) or _announced(text, at):
            return Finding("address", at, end)
    if match := streets.ANY_STREET.match(text, at):
        return Finding("address", at, match.end())
    if match := streets.FRENCH.match(text, at):
        return Finding("address", at, _rest(text, match.end()))
    return None


def _street_first(text: str, at: int) -> Finding | None:
    before = text[max(0, at - 72) : at].rpartition("\n")[2]
    words = before.split()
    if not words or (
        text[at : at + 2] in ("19", "20") and text[at + 2 : at + 4].isdigit() and not text[at + 4 : at + 5].isdigit()
    ):
        return None  # a year
    if match := streets.CONTINENT.match(text, at):
        street = streets.STREET_BEFORE.search(before)
        if street is not None:
            return Finding("address", at - len(street[0]), match.end())
    house = streets.HOUSE.match(text, at)
    if house is None:
        return None
    last = words[-1].strip(".,:").lower()
    if last.endswith((*streets.SURE_ENDINGS, *streets.ENDINGS)) and (street := streets.STREET_ENDED.search(before)):
        start, end = at - len(street[0]), _rest(text, house.end())
        sure = last.endswith(streets.SURE_ENDINGS) and len(last) > 4
        if sure or end > house.end() or _announced(text, start):
            return Finding("address", start, end)
    typed = [word.lower() for word in words if word.lower() in streets.TYPES or word.startswith(("C/", "c/"))]
    if typed and (street := streets.STREET_TYPED.search(before)):
        start, end = at - len(street[0]), _rest(text, house.end())
        if typed[-1] not in streets.BARE or end > house.end() or _announced(text, start):
            return Finding("address", start, end)
    return None


def _rest(text: str, at: int) -> int:
    """The end of the town behind a street; `at` where there is none."""
    rest = streets.REST.match(text, at)
    return rest.end() if rest else at


def _announced(text: str, at: int) -> bool:
    return streets.SAID.search(text[max(0, at - 32) : at]) is not None
