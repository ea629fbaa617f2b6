"""Detectors: text in, the places of secrets and of personal data out.

Deterministic, without a model, and quick on ordinary text: each pattern is only tried where a literal that it needs
stands in the text. What is done with a finding - redact, block, ask - is decided by who asked:
`segue.tracing.redaction` for what leaves the process, the rails for what a model reads or says. The shapes of secrets
are in `secret_shapes`, of personal data in `pii_shapes`.
"""

from __future__ import annotations

from segue.tracing import pii
from segue.tracing.finding import Finding, apart
from segue.tracing.secret_shapes import assigned, headers, prefixed, private_keys, url_passwords

__all__ = ["PII_KINDS", "Finding", "find_pii", "find_secrets"]

PII_KINDS = pii.KINDS


def find_secrets(text: str) -> list[Finding]:
    """Keys, tokens, passwords in URLs and headers, private keys: in their order, none within another.

    A word that merely looks random is none: without a known prefix it takes a word such as `token=` before it.
    """
    return apart([
        *private_keys(text), *prefixed(text), *url_passwords(text), *headers(text), *assigned(text),
    ])  # fmt: skip


def find_pii(text: str) -> list[Finding]:
    """Personal data of the kinds in `PII_KINDS`, in their order, none within another.

    IBANs and cards only where their checksums fit; `ssn` is a US social security number.
    """
    return pii.find(text)
