"""Detectors: text in, the places of secrets and of personal data out.

Deterministic, without a model, and quick on ordinary text: each pattern is only tried where a literal that it needs
stands in the text. What is done with a finding - redact, block, ask - is decided by who asked:
`segue.tracing.redaction` for what leaves the process, the rails for what a model reads or says. The shapes of secrets
are in `segue.tracing.secrets`, of personal data in `segue.tracing.pii`.
"""

from __future__ import annotations

from functools import lru_cache

from segue.base.ids import is_own_id
from segue.tracing import pii, secrets
from segue.tracing.finding import Finding
from segue.tracing.plain import seen_plainly
from segue.tracing.uuids import is_uuid, outside_uuids

__all__ = ["PII_KINDS", "SECRET_KINDS", "Finding", "find_pii", "find_secrets"]

PII_KINDS = pii.KINDS
SECRET_KINDS = secrets.KINDS
_LEAST_ID = 24
"""Characters of the shortest id."""
_SHORT = 128
"""Up to this many characters a text is looked at once and remembered: names and values come again and again."""


def find_secrets(text: str) -> list[Finding]:
    """Keys, tokens, passwords in URLs and headers, private keys: in their order, none within another.

    A word that merely looks random is none: without a known prefix it takes a word such as `token=` before it.
    """
    if len(text) >= _LEAST_ID and (is_own_id(text) or is_uuid(text)):
        return []  # alone it is an id; behind a word that says otherwise it is not alone
    return list(_short_secrets(text)) if len(text) <= _SHORT else seen_plainly(text, secrets.find)


def find_pii(text: str) -> list[Finding]:
    """Personal data of the kinds in `PII_KINDS`, in their order, none within another.

    A number counts where its form and checksum say enough, or behind a word for it; names and addresses only in forms
    that can mean nothing else. `ssn` is a US social security number, `national_id` those of other countries and taxes.
    """
    if len(text) >= _LEAST_ID and (is_own_id(text) or is_uuid(text)):
        return []
    return list(_short_pii(text)) if len(text) <= _SHORT else seen_plainly(text, _personal)


@lru_cache(maxsize=1024)
def _short_secrets(text: str) -> tuple[Finding, ...]:
    return tuple(seen_plainly(text, secrets.find))


@lru_cache(maxsize=1024)
def _short_pii(text: str) -> tuple[Finding, ...]:
    return tuple(seen_plainly(text, _personal))


def _personal(text: str) -> list[Finding]:
    return outside_uuids(text, pii.find(text))
