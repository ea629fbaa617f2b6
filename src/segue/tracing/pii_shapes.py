"""What personal data looks like: addresses, numbers and identifiers whose form or checksum gives them away.

Text in, findings out. Names of people are not looked for: that takes a model. Number patterns begin with a digit or a
sign, so that text without numbers costs next to nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from segue.tracing.secret_shapes import Finding

_DOMAIN = re.compile(r"[^\W_](?:[\w\-]{0,62}\.)+[^\W\d_]{2,24}")
_AT = re.compile(r"@|%40")
_RUN = re.compile(r"[0-9](?:[ ().\-/]?[ ().\-/]?[0-9]){5,40}")
"""At least six digits with no more than two separators between: all numbers below but IP addresses hold such a run."""
_DATE = re.compile(r"(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])")
_MARGIN = 36
"""Characters around a run that may belong to the number: the letters of an IBAN, a country code."""
_IBAN = re.compile(r"(?<=[A-Za-z]{2})[0-9]{2}(?:[ \-]?[A-Za-z0-9]){11,30}")
_IBAN_LENGTHS = dict(
    re.findall(
        r"([A-Z]{2}):([0-9]{2})",
        "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DK:18 DO:28 "
        "EE:20 EG:29 ES:24 FI:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26 "
        "IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MR:27 MT:31 MU:30 "
        "NL:18 NO:15 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 SA:24 SC:31 SE:24 SI:19 SK:24 SM:27 ST:25 SV:28 TL:23 "
        "TN:24 TR:26 UA:29 VA:22 VG:24 XK:20",
    )
)
"""Country and length, from the SWIFT registry."""
_CARD = re.compile(r"(?<![0-9])[2-6](?:[ \-]?[0-9]){12,18}(?![0-9])")
_SSN = re.compile(r"[0-9]{3}-[0-9]{2}-[0-9]{4}(?![0-9\-])")
_SSN_SAID = re.compile(r"(?<!\w)[0-9]{3} ?[0-9]{2} ?[0-9]{4}(?![0-9])")
_SSN_WORD = re.compile(r"ssn|social security", re.IGNORECASE)
_IPV4_HINT = re.compile(r"\.[0-9]{1,3}\.[0-9]{1,3}")
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])")
_IPV6_HINT = re.compile(r"::|:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])")
_PHONE_WORLD = re.compile(r"\+[1-9](?:[ ().\-/]{0,3}[0-9]){7,14}(?![0-9])")
_PHONE_00 = re.compile(r"(?<!\w)00[1-9][0-9](?:[ ()./\-]{1,3}[0-9]{1,12}){2,6}(?![0-9])")
_PHONE_US = re.compile(r"(?<!\w)[(2-9][0-9]{2,3}(?:\) ?|[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}(?![0-9])")
_PHONE_NATIONAL = re.compile(r"(?<!\w)\(?0[1-9][0-9]{1,4}\)?[ /\-]{1,3}[0-9]{3,}(?:[ \-][0-9]{2,}){0,4}(?![0-9])")
_PHONE_SAID = re.compile(r"(?<!\w)[(0-9][0-9 ()./\-]{5,18}[0-9](?![0-9])")
_LONE_DIGIT = re.compile(r" [0-9]$")
"""What follows a number, and is none of its groups."""
_PHONE_WORD = re.compile(
    r"\b(?:phone|tele?fon(?:nummer)?|telephone|tel|mobile|mobil|handy|cell|fax|whatsapp|sms|rufnummer|number to call"
    r"|call (?:me|us|him|her|them)|ring me|reach me)\b[^0-9(+\n]{0,24}$",
    re.IGNORECASE,
)


def windows(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text that may hold a number which identifies somebody, as start and end; dates are left out."""
    at, start, end = 0, 0, 0
    while run := _RUN.search(text, at):
        date = _DATE.match(text, run.start())
        at = date.end() if date else run.end()
        if date:
            continue
        if end and run.start() - _MARGIN > end:
            yield start, end
            end = 0
        start = start if end else max(0, run.start() - _MARGIN)
        end = min(len(text), run.end() + _MARGIN)
    if end:
        yield start, end


def emails(text: str) -> Iterator[Finding]:
    """E-mail addresses, also percent-encoded ones and those with umlauts."""
    for at in _AT.finditer(text):
        start = at.start()
        while start > 0 and at.start() - start < 64 and (text[start - 1].isalnum() or text[start - 1] in "._%+-'"):
            start -= 1
        while start < at.start() and text[start] in ".'-%":
            start += 1
        domain = _DOMAIN.match(text, at.end())
        if domain is not None and start < at.start():
            yield Finding("email", start, domain.end())


def ibans(text: str, start: int, end: int) -> Iterator[Finding]:
    """IBANs of a country's length whose checksum (ISO 7064, mod 97) fits."""
    for match in _IBAN.finditer(text, start, end):
        first = match.start() - 2
        country = text[max(first, 0) : match.start()].upper()
        length = int(_IBAN_LENGTHS.get(country, 0))
        if not length or (first > 0 and text[first - 1].isalnum()):
            continue
        last = _nth(text, first, length)
        if last is None or last > match.end() or text[last : last + 1].isalnum():
            continue
        plain = re.sub(r"[ \-]", "", text[first:last]).upper()
        if int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1:
            yield Finding("iban", first, last)


def cards(text: str, start: int, end: int) -> Iterator[Finding]:
    """Card numbers of a known issuer whose checksum (Luhn) fits."""
    at = start
    while match := _CARD.search(text, at, end):
        at = match.start() + 1
        last = None if _continues(text, match.start()) else _card_end(text, match.start(), match.end())
        if last is not None:
            yield Finding("card", match.start(), last)
            at = last


def _card_end(text: str, start: int, end: int) -> int | None:
    for length in (19, 16, 15, 14, 13):
        last = _nth(text, start, length)
        if last is None or last > end or text[last : last + 1].isdigit():
            continue
        digits = re.sub(r"[ \-]", "", text[start:last])
        if _issued(digits) and _luhn(digits):
            return last
    return None


def ssns(text: str, start: int, end: int) -> Iterator[Finding]:
    """US social security numbers, without dashes only behind a word that says so."""
    for match in _SSN.finditer(text, start, end):
        if not _continues(text, match.start()) and _ssn(match[0].replace("-", "")):
            yield Finding("ssn", match.start(), match.end())
    for said in _SSN_SAID.finditer(text, start, end):
        announced = _SSN_WORD.search(text, max(0, said.start() - 40), said.start())
        if announced and not _continues(text, said.start()) and _ssn(said[0].replace(" ", "")):
            yield Finding("ssn", said.start(), said.end())


def ip_addresses(text: str) -> Iterator[Finding]:
    """IPv4 and IPv6 addresses, those of the machine itself aside."""
    for match in _IPV4.finditer(text) if _IPV4_HINT.search(text) else ():
        if not _continues(text, match.start()) and _address(match[0]):
            yield Finding("ip", match.start(), match.end())
    if _IPV6_HINT.search(text):
        for match in _IPV6.finditer(text):
            groups = [group for group in match[0].split(":") if group]
            if (len(groups) >= 3 or (len(groups) >= 2 and len(groups[0]) == 4)) and _address(match[0]):
                yield Finding("ip", match.start(), match.end())


def phones(text: str, start: int, end: int) -> Iterator[Finding]:
    """Phone numbers: international, American and national forms, and others behind a word that announces one."""
    for pattern in (_PHONE_WORLD, _PHONE_00, _PHONE_US, _PHONE_NATIONAL):
        for match in pattern.finditer(text, start, end):
            number = _LONE_DIGIT.sub("", match[0])
            if not _continues(text, match.start()) and 9 <= _digits(number) <= 15:
                yield Finding("phone", match.start(), match.start() + len(number))
    for match in _PHONE_SAID.finditer(text, start, end):
        if 7 <= _digits(match[0]) <= 15 and not _continues(text, match.start()):
            before = text[max(0, match.start() - 48) : match.start()]
            if _PHONE_WORD.search(before):
                yield Finding("phone", match.start(), match.end())


def _continues(text: str, at: int) -> bool:
    """Whether a number at this place is the rest of something longer."""
    if at == 0:
        return False
    before = text[at - 1]
    return before.isalnum() or before in "_+" or (before in ".-/" and at > 1 and text[at - 2].isalnum())


def _nth(text: str, start: int, count: int) -> int | None:
    """The place behind the n-th letter or digit from `start` on; `None` where the text ends before."""
    at = start
    while count and at < len(text):
        count -= text[at] not in " -"
        at += 1
    return None if count else at


def _digits(text: str) -> int:
    return sum(char.isdigit() for char in text)


def _issued(digits: str) -> bool:
    """Whether a card number's beginning and length are those of an issuer (ISO 7812)."""
    two, four, size = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (36, 38) or 300 <= int(digits[:3]) <= 305:
        return size == 14
    return (four == 6011 or two in (35, 62, 64, 65)) and size in (16, 19)


def _luhn(digits: str) -> bool:
    total = 0
    for index, char in enumerate(reversed(digits)):
        value = int(char) * (2 if index % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _ssn(digits: str) -> bool:
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _address(text: str) -> bool:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified or text == "255.255.255.255")
