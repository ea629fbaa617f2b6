"""How values look: text in; the addresses, links, accounts, numbers and dates in it out, each in one form.

Two values are the same where their forms are equal. A form takes away what no system tells apart - outer space, the
case of an e-mail address, the scheme of a link, the spaces of an account number - and nothing else: characters that
only look alike stay different.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from segue.guards.hidden import visible

_TLD = (
    "com|org|net|edu|gov|io|ai|co|dev|app|info|biz|eu|uk|de|fr|it|es|nl|ch|at|se|no|dk|fi|pl|pt|ie|us|ca|au|nz|jp|cn|in|"
    "ru|br|me|tv|xyz|site|online|shop|store|cloud|tech|top|club|live|news|blog|example|test|local|internal|invalid"
)
ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
URL = re.compile(
    r"(?:(?<![\w@])[a-zA-Z][a-zA-Z0-9+.-]{1,20}:(?:/|\\){1,4}[^\s<>\"'`\]|^{}]{1,2000}"
    r"|(?<![\w@.-])www\.[^\s<>\"'`\]|^{}]{1,2000}"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,6}(?:" + _TLD + r")(?![\w@.-]*\w)(?:[:/?#][^\s<>\"'`\]|^{}]{0,2000})?"
    r"|(?<![\w@.-])(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}/[^\s<>\"'`\]|^{}]{0,2000}"
    r"|(?<![\w@.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])(?:[:/?#][^\s<>\"'`\]|^{}]{0,2000})?)"
)
ACCOUNT = re.compile(
    r"(?<![A-Za-z0-9])(?:[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){8,30}|0x[0-9a-fA-F]{40}|bc1[a-z0-9]{20,60}|\d{8,20}"
    r"|\d{4}(?:[ -]\d{4}){2,3})(?![A-Za-z0-9])"
)
_COUNTED = re.compile(
    r"(?:#|№|\b(?:order|invoice|id|no|nr|number|ticket|case|customer|account|room|page|version|step|item|article|chapter|"
    r"section|transaction|file|code|in|since|until|year|of (?:"
    + "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
    + r")"
    r"[a-z]*|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?\s*[:#]?\s*)$",
    re.IGNORECASE,
)
NUMBER = re.compile(r"(?<![\w.,:/-])[-+]?(?:\d{1,3}(?:[,']\d{3})+|\d+)(?:[.,]\d+)?(?![\w:/-])(?!\.\d)")
_AMOUNT = r"(?:\d{1,3}(?:[,']\d{3})+|\d+)(?:[.,]\d{1,2})?"
_SUM = re.compile(
    rf"(?:[€$£¥]|\b(?:EUR|USD|GBP|CHF|JPY))\s?(?P<one>{_AMOUNT})(?![\w%])"
    rf"|(?<![\w.,])(?P<two>{_AMOUNT})\s?(?:[€$£¥]|(?:EUR|USD|GBP|CHF|JPY|euros?|dollars?|pounds?|francs?|bucks)\b)"
    rf"|\b(?:pay|send|transfer|refund|wire|give|repay)\s+(?:[a-z]+\s+){{0,2}}(?P<three>{_AMOUNT})(?![\w%.,]*[\w%])",
    re.IGNORECASE,
)
_DOTTED = re.compile(r"[\w\]][.:][\w/\\]")
_DIGITS = re.compile(r"\d\d|0x")
_ISO = re.compile(r"\b(\d{4})-(\d{1,2})-(\d{1,2})")
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_NAMED = "|".join(_MONTHS)
_DAY_MONTH = re.compile(rf"\b(?:the )?(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_NAMED})[a-z]*", re.IGNORECASE)
_MONTH_DAY = re.compile(rf"\b({_NAMED})[a-z]*\.? (?:the )?(\d{{1,2}})(?:st|nd|rd|th)?\b", re.IGNORECASE)
_RUN_ON = re.compile(rf"^((?:[a-zA-Z][a-zA-Z0-9+.-]*://)?[^/\s]*?\.(?:{_TLD}))\.[A-Z][a-z]*(?:[./]|$)")
_ANGLED = re.compile(r"[^<>]*<\s*([^<>\s]+)\s*>\s*")
_CONFUSED = str.maketrans(
    "аеорсухіјѕԁһԛԝвкмнтАВЕКМНОРСТУХІЈЅαεικνορτυχγΑΒΕΖΗΙΚΜΝΟΡΤΥΧ0131|",  # noqa: RUF001
    "aeopcyxijsdhqwbkmhtABEKMHOPCTYXIJSaeiknoptuxyABEZHIKMNOPTYXol3ll",
)
_TRAILING = ".,;:!?)>*_~"


def form(text: str, kind: str) -> str:
    """A value in the one form that it is compared by."""
    text = text.strip()
    if kind == "address":
        return text.removeprefix("mailto:").lower() if text.isascii() else text
    if kind == "url":
        return _url(text)
    if kind == "account":
        return re.sub(r"[\s-]", "", text).upper() if text.isascii() else text
    return text


def _url(text: str) -> str:
    text = text.rstrip(_TRAILING) if not text.endswith("/)") else text
    rest = re.sub(r"^https?://", "", text, flags=re.IGNORECASE)
    if "://" in rest.partition("?")[0]:
        return text
    host, slash, path = rest.partition("/")
    host = host.lower() if host.isascii() else host
    return (f"{host}{slash}{path}").removesuffix("/")


def _ended(text: str) -> str:
    """A link or an address without the sentence that follows its full stop with no space between."""
    found = _RUN_ON.match(text)
    return found[1] if found else text


def look_of(text: str) -> str:
    """The kind that a whole value looks like: address, url, account, or user."""
    text = text.strip()
    if ADDRESS.fullmatch(text) or "@" in text:
        return "address"
    if ACCOUNT.fullmatch(text):
        return "account"
    return "url" if URL.fullmatch(text) else "user"


def found_in(text: str) -> Iterator[tuple[str, str]]:
    """Addresses, links and accounts in a text, as `(kind, form)`."""
    spans: list[tuple[int, int]] = []
    if "@" in text:
        for match in ADDRESS.finditer(text):
            spans.append(match.span())
            yield "address", form(_ended(match[0].strip(".").lstrip("'`")), "address")
    if _DOTTED.search(text):
        for match in URL.finditer(text):
            if not any(start <= match.start() < end for start, end in spans):
                spans.append(match.span())
                yield "url", form(_ended(match[0]), "url")
    if _DIGITS.search(text):
        for match in ACCOUNT.finditer(text):
            if not any(start <= match.start() < end for start, end in spans):
                yield "account", form(match[0], "account")


def addressed(text: str) -> str:
    """The address itself of `Name <address>`, which is what counts; else the text."""
    match = _ANGLED.fullmatch(text)
    return match[1] if match else text


def hides(text: str) -> bool:
    """Whether a text holds characters that nobody sees."""
    return not text.isascii() and visible(text) != text


def skeleton(text: str) -> str:
    """A text as the eye reads it: characters that look alike are one. For saying that a value imitates another."""
    plain = unicodedata.normalize("NFKD", visible(text))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return plain.translate(_CONFUSED).lower().replace("rn", "m").translate(_CONFUSED)


def numbers(text: str) -> list[float]:
    """The numbers in a text that may be amounts: no days, years, times, or numbers that something bears."""
    return [
        each
        for match in NUMBER.finditer(text)
        if not _COUNTED.search(text[max(0, match.start() - 24) : match.start()])
        and (each := number(match[0])) is not None
    ]


def sums(text: str) -> list[float]:
    """The sums of money that a text names: numbers beside a currency, or right behind a verb of paying."""
    found = (match["one"] or match["two"] or match["three"] for match in _SUM.finditer(text))
    return [each for text in found if (each := number(text)) is not None]


def number(value: Any) -> float | None:
    """A number, or a text that is one; `None` for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            return float(value) if value == value and abs(value) != float("inf") else None
        except OverflowError:
            return None
    if not isinstance(value, str):
        return None
    text = re.sub(r"^[^\d+-]{0,4}|[^\d]{0,5}$", "", value.strip()).replace("'", "")
    if re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    try:
        return float(text.replace(",", ".")) if re.fullmatch(r"[-+]?\d{1,300}([.,]\d+)?", text) else None
    except ValueError:
        return None


def dates(text: str) -> set[tuple[int, int]]:
    """The days that a text names, as `(month, day)`."""
    out = {(int(match[2]), int(match[3])) for match in _ISO.finditer(text)}
    out |= {(_MONTHS[match[2].lower()[:3]], int(match[1])) for match in _DAY_MONTH.finditer(text)}
    return out | {(_MONTHS[match[1].lower()[:3]], int(match[2])) for match in _MONTH_DAY.finditer(text)}
