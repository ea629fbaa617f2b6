"""Personal data: text in, the places of what identifies somebody out, by family: contacts, money, ids, people, places.

Each family is only looked for where something that it needs stands in the text: a digit, a sign, a word. Number
patterns look at the parts around runs of digits only, so that text without numbers costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding, apart, holds
from segue.tracing.pii.contacts import emails, machines, macs, phones, spelt_emails
from segue.tracing.pii.ids import identities
from segue.tracing.pii.money import bank_codes, cards, ibans, wallets
from segue.tracing.pii.people import birth_dates, coordinates, named, persons, plates
from segue.tracing.pii.places import addresses

KINDS = (
    "email", "phone", "iban", "card", "ip", "ssn", "national_id", "passport", "license", "birth_date", "address", "bic",
    "account", "mac", "vin", "plate", "wallet", "location", "person",
)  # fmt: skip

SHORTEST = 5
"""Characters of the shortest text that may hold any: `Mr Li`."""
_RUN = lazy_pattern(r"[0-9](?:[ \u00a0().\-/]?[ ().\-/]?[0-9]){5,40}")
"""At least six digits with no more than two separators between: most numbers of people hold such a run."""
_MIXED = lazy_pattern(r"[A-Z0-9][A-Z0-9\-]{7,19}")
"""What letters break up: an Italian tax code, the number of a passport."""
_DATE = lazy_pattern(r"(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])")
_MARGIN = 36
"""Characters around a run that may belong to the number: the letters of an IBAN, a country code."""
_YEAR = lazy_pattern(r"[0-9](?:[90][0-9]{2}|[./\-][0-9]{2})(?![0-9])")
_HEX = lazy_pattern(r"[:\-.][0-9A-Fa-f]{2,4}[:\-.]")
_NUMBER = lazy_pattern(r"[0-9０-９]")


def find(text: str) -> list[Finding]:
    """Personal data of the kinds in `KINDS`, in their order, none within another."""
    if len(text) < SHORTEST:
        return []
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that has no single one in lower case
        lowered = text
    found = list(persons(text, lowered))
    if "@" in text or "%40" in text or "\uff20" in text:
        found += emails(text)
    if (
        " dot " in lowered
        or "at)" in lowered
        or "at]" in lowered
        or "[@]" in text
        or "(@)" in text
        or "at }" in lowered
    ):
        found += spelt_emails(text)
    if "bic" in lowered or "swift" in lowered:
        found += bank_codes(text)
    if _NUMBER.search(text) is None:
        return _with_names(text, lowered, found)
    found += machines(text)
    if _HEX.search(text):
        found += macs(text)
    if max(map(len, text.split()), default=0) >= 26:
        found += wallets(text)
    if _YEAR.search(text):
        found += birth_dates(text, lowered)
    found += coordinates(text)
    found += plates(text, lowered)
    found += addresses(text, lowered)
    for start, end in windows(text):
        for shape in (ibans, cards, identities, phones):
            found += shape(text, start, end)
    return _with_names(text, lowered, found)


def _with_names(text: str, lowered: str, found: list[Finding]) -> list[Finding]:
    if holds(lowered, ("name", "nom", "naam", "namn", "navn", "isim", "имя", "фио")):
        found += named(text, found)
    return apart(found)


def windows(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that may hold a number which identifies somebody, as start and end; dates are left out."""
    start, end = 0, 0
    for first, last in _runs(text):
        if end and first - _MARGIN > end:
            yield start, end
            end = 0
        start = start if end else max(0, first - _MARGIN)
        end = min(len(text), last + _MARGIN)
    if end:
        yield start, end


def _runs(text: str) -> Iterator[tuple[int, int]]:
    at, broken = 0, _broken_up(text)
    mixed = next(broken, None)
    while True:
        run = _RUN.search(text, at)
        while mixed is not None and (run is None or mixed[0] < run.start()):
            yield mixed
            mixed = next(broken, None)
        if run is None:
            return
        date = _DATE.match(text, run.start())
        at = date.end() if date else run.end()
        if not date:
            yield run.span()


def _broken_up(text: str) -> Iterator[tuple[int, int]]:
    for match in _MIXED.finditer(text):
        if any(char.isdigit() for char in match[0]) and not match[0].isdigit():
            yield match.span()
