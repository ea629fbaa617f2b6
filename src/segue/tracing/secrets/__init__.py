"""Secrets: text in, the places of keys, tokens and passwords out.

By family: keys whose form says whose they are (`issuers`), what stands in headers, URLs and key files (`headers`), what
a word announces (`assigned`, `values`). Entropy counts only behind a word.
"""

from __future__ import annotations

import re

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding, apart
from segue.tracing.secrets.assigned import assigned, spoken
from segue.tracing.secrets.headers import headers, private_keys, urls
from segue.tracing.secrets.issuers import issued

KINDS = ("api_key", "private_key", "jwt", "password", "header", "pin", "seed_phrase")

SHORTEST = 7
"""Characters of the shortest text that may hold one: `pw:a1b2`."""

_KEY_NAME = lazy_pattern(
    r"(?:.*[_\-. ])?(?:password|passwd|passwort|passphrase|pwd|secret|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key"
    r"|(?:access|auth|bearer|refresh|session|id|api)[_\- ]?token|token|authorization|cookie|credentials?)",
    re.IGNORECASE,
)


def names_a_secret(key: str) -> bool:
    """Whether the value under a key of this name is a secret whatever it looks like, as under `password`."""
    return len(key) <= 64 and _KEY_NAME.fullmatch(key) is not None


def find(text: str) -> list[Finding]:
    """Secrets of the kinds in `KINDS`, in their order, none within another."""
    if len(text) < SHORTEST:
        return []
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter that has no single one in lower case
        lowered = text
    return apart([
        *private_keys(text), *issued(text), *urls(text, lowered), *headers(text, lowered), *assigned(text, lowered),
        *spoken(text, lowered),
    ])  # fmt: skip
