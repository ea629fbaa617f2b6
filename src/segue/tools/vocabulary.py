"""Vocabulary: what common names of tools, arguments and fields mean. For deriving what an author did not declare."""

from __future__ import annotations

import re
from typing import Literal

from segue.base.patterns import lazy_pattern


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


READS = word_set(
    "get list search find read fetch look lookup check show view count query describe summarise summarize compute "
    "calculate calc download retrieve browse open load is has whoami recall select inspect explain preview "
    "convert translate estimate forecast validate verify compare"
)
FINAL = word_set(
    "delete remove cancel pay transfer send refund post publish invite wipe drop share forward email mail message "
    "reply notify tweet charge purchase buy order submit revoke purge destroy terminate execute deploy"
)
OUT = word_set("send share forward email mail message reply notify post publish tweet invite pay transfer")
ACCOUNT = word_set("password profile permission permissions account settings role roles credentials")
JOINTS = word_set("by in for from to with of at on into via per about")
SECRET = lazy_pattern(
    r"passport|credit.?card|bank.?account|social.?security|salar|password|secret|personal (?:data|information)"
    r"|user.?info(?:rmation)?\b|medical|patient",
    re.IGNORECASE,
)
ANYBODY = word_set(
    "memory memories recall remember web webpage page pages website internet online review reviews comment "
    "comments feed news post posts tweet forum scrape crawl browse http summarise summarize translate extract "
    "parse ocr convert"
)
"""Words in the name of a tool whose results anybody may have written, whatever its fields are called."""
AWAY = word_set("web internet online google bing http browse fetch scrape crawl webpage website url")
WRITTEN = ("body", "text", "content", "message", "subject", "title")
QUERIES = ("query", "q", "name", "search", "term", "keyword", "title", "filename", "email", "subject", "day", "date")

ARGUMENTS: tuple[tuple[str, str], ...] = (
    (r"passwords?|passphrase|secret|pin|new_password|api_key", "secret"),
    (r"cc|bcc|e?mails?|e?mail_address(?:es)?|.*_emails?|participants?|attendees|invitees|guests|reply_to", "address"),
    (r"iban|bic|account|account_(?:number|no|iban)|.*_account|.*_iban|wallet|payee|beneficiary", "account"),
    (r"urls?|uri|links?|href|website|webhook|endpoint|.*_ur[li]|callback", "url"),
    (r"channels?|channel_name|rooms?|chat", "channel"),
    (r"users?|usernames?|user_name|members?|assignee|collaborators?", "user"),
    (r"hotels?|restaurants?|compan(?:y|ies)|venues?|airline|hotel_names?|restaurant_names?|company_name", "venue"),
    (r"recipients?|to|receivers?|destination|target|contacts?", "auto"),
    (r"street|city|phone|phone_number|first_name|last_name|zip|postcode|home_address", "text"),
)
CONTENT = lazy_pattern(
    r"body|content|text|message|subject|title|description|note|notes|comment|caption|summary|html|markdown|reason"
    r"|memo|reference|payload|data"
)
AMOUNT = lazy_pattern(r"amount(?:_\w+)?|price|sum|total|value|limit|.*_amount")
FIELDS: tuple[tuple[str, str], ...] = (
    (r"e?mails?|e?mail_address(?:es)?", "address"),
    (r"participants?|attendees|recipients?|cc|bcc|to|members|owner|shared_with", "auto"),
    (r"sender|from|from_|author|created_by|sent_by", "sender"),
    (r"users?|usernames?|user_name|login|handle", "user"),
    (r"channels?|channel_name|room", "channel"),
    (r"iban|account|account_number", "account"),
    (r"amount|balance|price|total", "amount"),
    (r"filename|file_name|path", "path"),
    (r"date|day", "date"),
)
NOUNS = {
    "channel": "channel", "user": "user", "member": "user", "contact": "auto", "hotel": "venue", "restaurant": "venue",
    "company": "venue", "iban": "account", "day": "date", "date": "date", "time": "date", "balance": "amount",
    "file": "path", "filename": "path", "email": "auto",
}  # fmt: skip


def words_of(name: str) -> list[str]:
    """The words of a name in snake_case or camelCase, in lower case."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def singular(word: str) -> str:
    """A noun without its plural."""
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 else word


def noun_of(name: str) -> str:
    """What a tool is about: the last noun of its name before a preposition, in the singular."""
    words = words_of(name)
    for at, word in enumerate(words[1:], start=1):
        if word in JOINTS:
            words = words[:at]
            break
    return singular(words[-1]) if words else ""


def effect_of(name: str) -> Literal["read", "write", "irreversible"]:
    """What a verb does to the world."""
    verb = next(iter(words_of(name)), "")
    return "read" if verb in READS else "irreversible" if verb in FINAL else "write"


def spelled(pattern: str) -> list[str]:
    """The names that a small pattern of `a|b?c|(?:de)?` stands for."""
    out = []
    for part in pattern.split("|"):
        made = [""]
        for token in re.findall(r"\(\?:(\w+)\)(\??)|(\w)(\??)", part):
            text, optional = token[0] or token[2], token[1] or token[3]
            made = [each + text for each in made] + (made if optional else [])
        out += made
    return out
