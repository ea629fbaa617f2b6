"""Where money lies: IBANs, cards, bank codes, wallets. Text in, findings out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding
from segue.tracing.pii.checks import luhn, mod_97
from segue.tracing.pii.contacts import continues
from segue.tracing.pii.words import NOTHING, said

_IBAN = lazy_pattern(r"[0-9](?<=[A-Za-z]{2}[0-9])[0-9](?:[ \u00a0\-]?[A-Za-z0-9]){11,30}")
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
_CARD = lazy_pattern(
    r"[1-6][0-9]{3}(?:[0-9]{8,15}|[ \u00a0\-.][0-9]{4}[ \u00a0\-.][0-9]{4}[ \u00a0\-.][0-9]{4}(?:[ \-][0-9]{3})?"
    r"|[ \u00a0\-.][0-9]{6}[ \u00a0\-.][0-9]{4,5})(?![0-9])"
)
_TOKEN = lazy_pattern(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}(?![A-Za-z0-9])")
_SEPARATORS = str.maketrans("", "", " \u00a0-.")
_BIC = lazy_pattern(
    r"(?:\bBIC|\bbic|SWIFT|[Ss]wift)(?:[/ \-]?(?:BIC|SWIFT|code|Code|CODE|nr|no))?\W{0,8}(?:is |ist |lautet |: ?)?"
    r"([A-Za-z]{6}[A-Za-z0-9]{2}(?:[A-Za-z0-9]{3})?)(?![A-Za-z0-9])"
)
_WALLET = lazy_pattern(
    r"(?<![A-Za-z0-9])(?:bc1[ac-hj-np-z02-9]{11,71}|(?:0x)[0-9a-fA-F]{40}|[13][1-9A-HJ-NP-Za-km-z]{25,34}"
    r"|(?:ltc1)[ac-hj-np-z02-9]{20,71}|[LMD][1-9A-HJ-NP-Za-km-z]{32,33}|T[1-9A-HJ-NP-Za-km-z]{33}"
    r"|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93})(?![A-Za-z0-9])"
)
_BASE58 = {char: index for index, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}


def ibans(text: str, start: int, end: int) -> Iterator[Finding]:
    """IBANs of a country's length whose checksum fits, or behind the word IBAN."""
    for match in _IBAN.finditer(text, start, end):
        first = match.start() - 2
        country = text[max(first, 0) : match.start()].upper()
        length = int(_IBAN_LENGTHS.get(country, 0))
        if first > 0 and (text[first - 1].isalnum() or text[first - 1] == "_"):
            continue
        last = _nth(text, first, length) if length else None
        if last is None or last > match.end() or text[last : last + 1].isalnum():
            token = _TOKEN.match(text, first, first + 35)
            last = token.end() if token else first
        plain = text[first:last].translate(_SEPARATORS).upper()
        fits = 15 <= len(plain) <= 34 and mod_97(plain)
        if fits or (length == len(plain) and "iban" in said(text, first) and sum(map(str.isdigit, plain)) >= 12):
            yield Finding("iban", first, last)


def cards(text: str, start: int, end: int) -> Iterator[Finding]:
    """Card numbers of a known issuer whose checksum (Luhn) fits, or in groups behind a word for a card."""
    at = start
    while match := _CARD.search(text, at, end):
        at, last = match.start() + 1, match.end()
        if continues(text, match.start()) or (
            text[last : last + 1] in ("-", ".") and text[last + 1 : last + 2].isdigit()
        ):
            continue
        digits = match[0].translate(_SEPARATORS)
        size = len(digits)
        labels = said(text, match.start()) if luhn(digits) or size in (15, 16) else ()
        if not _issued(digits) and not ("card" in labels and luhn(digits)):
            continue
        fits = (
            luhn(digits)
            and (labels != NOTHING or not match[0].isdigit())
            and (size not in (12, 13) or "card" in labels or digits[0] == "4")
        )
        if fits or (size in (15, 16) and "card" in labels):
            yield Finding("card", match.start(), last)
            at = last


def bank_codes(text: str) -> Iterator[Finding]:
    """BICs behind their name, and sort codes."""
    for match in _BIC.finditer(text):
        if match[1].isupper() or (match[1].islower() and any(char.isdigit() for char in match[1])):
            yield Finding("bic", match.start(1), match.end(1))


def wallets(text: str) -> Iterator[Finding]:
    """Addresses of Bitcoin and its kin whose checksum fits, of Ethereum, Tron and Monero."""
    for match in _WALLET.finditer(text):
        if match[0].startswith(("bc1", "0x", "ltc1")) or len(match[0]) == 95 or _base58_check(match[0]):
            yield Finding("wallet", match.start(), match.end())


def _base58_check(address: str) -> bool:
    number = 0
    for char in address:
        number = number * 58 + _BASE58[char]
    raw = number.to_bytes(25, "big") if number.bit_length() <= 200 else b""
    return len(raw) == 25 and hashlib.sha256(hashlib.sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _nth(text: str, start: int, count: int) -> int | None:
    """The place behind the n-th letter or digit from `start` on; `None` where the text ends before."""
    at = start
    while count and at < len(text):
        count -= text[at] not in " \u00a0-."
        at += 1
    return None if count else at


def _issued(digits: str) -> bool:
    """Whether a card number's beginning and length are those of an issuer (ISO 7812)."""
    two, four, size = int(digits[:2]), int(digits[:4]), len(digits)
    if digits[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (36, 38, 39) or 300 <= int(digits[:3]) <= 305:
        return size in (14, 16)
    if two in (50, 56, 57, 58, 63, 67):
        return size in (12, 16, 18, 19)
    if four in (2131, 1800):
        return size == 15
    return (four == 6011 or two in (35, 60, 62, 64, 65, 81, 82) or 2200 <= four <= 2204) and size in (16, 19)
