"""How somebody is reached: e-mail addresses, phone numbers, addresses of machines. Text in, findings out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding
from segue.tracing.pii.words import NOTHING, said

_DOMAIN = lazy_pattern(r"[^\W_](?:[\w\-]{0,62}\.)+[^\W\d_]{2,24}")
_AT = lazy_pattern(r"@|%40|\uff20")
_NAME = frozenset("._%+-'")
_SPELT_AT = lazy_pattern(
    r" ?[\[({<] ?(?:at|@|ät|arroba|chiocciola|arobase|małpa|собака|klammeraffe|à) ?[\])}>] ?| at | AT | \[@\] ",
    re.IGNORECASE,
)
_SPELT_DOMAIN = lazy_pattern(
    r"[\w\-]{1,63}(?: ?[\[({<] ?(?:dot|\.|punkt|punto|point|ponto|kropka|точка) ?[\])}>] ?[\w\-]{2,63}"
    r"| (?:dot|punkt|punto|point|ponto|DOT) [\w\-]{2,24}|\.[\w\-]{2,63}){1,4}",
    re.IGNORECASE,
)
_TOP = lazy_pattern(
    r"(?:com|org|net|de|edu|gov|io|co|uk|fr|es|it|eu|info|dev|ch|at|nl|pl|ru|br|jp|in|app|me|example)$", re.I
)
_IPV4_HINT = lazy_pattern(r"\.[0-9]{1,3}\.[0-9]{1,3}")
_IPV4 = lazy_pattern(r"[0-9][0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9])")
_IPV6_HINT = lazy_pattern(r"::|:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:[0-9a-fA-F]{1,4}:")
_IPV6 = lazy_pattern(
    r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}(?:[0-9a-fA-F]{0,4}|[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![\w:])"
)
_MAC = lazy_pattern(
    r"[0-9A-Fa-f](?<![\w:\-].)(?:[0-9A-Fa-f](?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w\-]|:[0-9A-Fa-f])"
    r"|[0-9A-Fa-f]{3}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![\w.]))"
)
_NOBODY = frozenset(
    "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 9.9.9.9 192.168.0.1 192.168.1.1 192.168.1.254 10.0.0.1 169.254.169.254".split()
)
"""Public resolvers and what routers are called in every home: addresses of nobody."""
_NUMBERED = lazy_pattern(
    r"(?:\b(?:version|release|firmware|chapter|section|kapitel|abschnitt|driver|build|ver|v|oid|asn)|§)\W{0,3}$", re.I
)
_PHONE_WORLD = lazy_pattern(r"[+\uff0b][ ]?[(]?[1-9](?:[ \u00a0().\-/]{0,3}[0-9]){7,14}(?![0-9])")
_PHONE_00 = lazy_pattern(r"0(?<![A-Za-z0-9_].)0[1-9][0-9]{0,3}(?:[ ()./\-]{1,3}[0-9]{1,12}){1,6}(?![0-9])")
_PHONE_US = lazy_pattern(
    r"[(1-9](?<![A-Za-z0-9_].)(?:(?<=1)[ .\-](?:\([0-9]{3}\) ?|[2-9][0-9]{2}[ .\-])"
    r"|(?<=\()[0-9]{3}\) ?|(?<=[2-9])[0-9]{2}[ .\-])"
    r"[0-9]{3}[ .\-][0-9]{4}(?![0-9])"
)
_PHONE_NATIONAL = lazy_pattern(
    r"[(08](?<![A-Za-z0-9_].)(?:(?<=\()0[1-9][0-9]{0,4}\) ?[0-9]{3,}(?:[ \-][0-9]{2,}){0,4}"
    r"|(?<=0)[1-9][0-9]{0,4}(?: ?/ ?|[ \-]{1,3})[0-9]{3,}(?:[ \-][0-9]{2,}){0,4}"
    r"|(?<=0)[1-9](?:[ .\-][0-9]{2}){4}"
    r"|(?<=\()[1-9][0-9]\) ?9?[0-9]{4}-[0-9]{4}"
    r"|(?<=8) \([0-9]{3}\) [0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"|(?<=0)[1-9][0-9]{8,9})(?![A-Za-z0-9_])"
)
_PHONE_SAID = lazy_pattern(r"[(0-9](?<![A-Za-z0-9_].)[0-9 \u00a0()./\-]{5,19}[0-9](?![0-9])")
_PHONE_AFTER = lazy_pattern(
    r"\W{1,3}(?:is|was|ist|es|est|è|é) (?:my|his|her|our|their|the|meine|mi|mon|il mio|o meu) (?:\w+ )?(?:number|phone"
    r"|mobile|cell"
    r"|nummer|número|numéro|numero|teléfono|telefono|handynummer|telefonnummer)"
)
_ZIP = lazy_pattern(r"0[0-9]{4}-[0-9]{4}|(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]\b.*")
"""An American postcode, and a date."""
_LONE_DIGIT = lazy_pattern(r" [0-9]$")
"""What follows a number, and is none of its groups."""


def emails(text: str) -> Iterator[Finding]:
    """E-mail addresses, also percent-encoded ones and those with umlauts."""
    for at in _AT.finditer(text):
        start = at.start()
        while start > 0 and at.start() - start < 64 and (text[start - 1].isalnum() or text[start - 1] in _NAME):
            start -= 1
        while start < at.start() and text[start] in ".'-%":
            start += 1
        domain = _DOMAIN.match(text, at.end())
        if domain is not None and start < at.start() and text[start : at.start()] != "git":
            yield Finding("email", start, domain.end())


def spelt_emails(text: str) -> Iterator[Finding]:
    """E-mail addresses that are written against harvesters: `jane (at) example (dot) org`."""
    for at in _SPELT_AT.finditer(text):
        start = at.start()
        while start > 0 and at.start() - start < 64 and (text[start - 1].isalnum() or text[start - 1] in _NAME):
            start -= 1
        domain = _SPELT_DOMAIN.match(text, at.end())
        if domain is None or start == at.start():
            continue
        if at[0].strip().lower() == "at" and not re.search(r"[ \])}](?:dot|punkt|punto)[ \])}]", domain[0], re.I):
            continue
        if _TOP.search(domain[0]):
            yield Finding("email", start, domain.end())


def machines(text: str) -> Iterator[Finding]:
    """IPv4 and IPv6 addresses and MACs; not those of the machine itself, of networks, and of public resolvers."""
    if _IPV4_HINT.search(text):
        for match in _IPV4.finditer(text):
            if not continues(text, match.start()) and _somebodys(text, match):
                yield Finding("ip", match.start(), match.end())
    if _IPV6_HINT.search(text):
        for match in _IPV6.finditer(text):
            groups = [group for group in match[0].split(":") if group]
            if (len(groups) >= 3 or (len(groups) >= 2 and len(groups[0]) == 4)) and _somebodys(text, match):
                yield Finding("ip", match.start(), match.end())


def macs(text: str) -> Iterator[Finding]:
    """Hardware addresses; with dots only behind a word for one."""
    for match in _MAC.finditer(text):
        digits = set(match[0].upper()) - set(":-.")
        if len(digits) > 2 and ("." not in match[0] or "mac" in said(text, match.start())):
            yield Finding("mac", match.start(), match.end())


def phones(text: str, start: int, end: int) -> Iterator[Finding]:
    """Phone numbers: international, American and national forms, and others behind a word that announces one."""
    abroad = [_PHONE_WORLD] if text.find("+", start, end) >= 0 or not text.isascii() else []
    abroad += [_PHONE_00] if text.find("00", start, end) >= 0 else []
    for pattern in (*abroad, _PHONE_US, _PHONE_NATIONAL):
        for match in pattern.finditer(text, start, end):
            number = _LONE_DIGIT.sub("", match[0])
            if continues(text, match.start()) or not 9 <= digits(number) <= 15 + (pattern is _PHONE_00):
                continue
            if _ZIP.fullmatch(number) and "phone" not in said(text, match.start()):
                continue
            if text[match.start() + len(number) :][:1] == "-" or _more(text, match.start() + len(number)):
                continue
            if pattern in (_PHONE_US, _PHONE_NATIONAL) and said(text, match.start()) == NOTHING:
                continue
            if pattern is _PHONE_NATIONAL and number.isdigit() and not _called(said(text, match.start())):
                continue
            yield Finding("phone", match.start(), match.start() + len(number))
    for match in _PHONE_SAID.finditer(text, start, end):
        if not 7 <= digits(match[0]) <= 15 or _ZIP.match(match[0]) or continues(text, match.start()):
            continue
        if "phone" in said(text, match.start()) or _PHONE_AFTER.match(text, match.end()):
            yield Finding("phone", match.start(), match.end())


def _called(labels: tuple[str, ...]) -> bool:
    """A number without any separator may be anything; behind a word for some other thing it is that."""
    return "phone" in labels or not labels


def _more(text: str, at: int) -> bool:
    after = text[at : at + 2]
    return len(after) == 2 and after[0] in "./" and after[1].isdigit()


def continues(text: str, at: int) -> bool:
    """Whether a number at this place is the rest of something longer."""
    if at == 0:
        return False
    before = text[at - 1]
    return joins(before) or before in "_+" or (before in ".-/" and at > 1 and text[at - 2].isalnum())


def joins(char: str) -> bool:
    """Whether a letter or digit beside a number makes one word with it, as in scripts with spaces between words."""
    return char.isalnum() and char < "\u0590"


def digits(text: str) -> int:
    """How many there are."""
    return sum(map(str.isdigit, text))


def _somebodys(text: str, match: re.Match[str]) -> bool:
    try:
        found = ipaddress.ip_address(match[0])
    except ValueError:
        return False
    if found.is_loopback or found.is_unspecified or found.is_multicast or match[0] in _NOBODY:
        return False
    if match[0].startswith(("255.", "0.")) or re.match(r"/[0-9]{1,3}(?![0-9/])", text[match.end() : match.end() + 5]):
        return False
    return _NUMBERED.search(text, max(0, match.start() - 24), match.start()) is None
