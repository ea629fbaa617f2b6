"""Detectors: text in, the places of secrets and of personal data out.

Deterministic, without a model, and quick on ordinary text: each pattern is only tried where a literal that it needs
stands in the text. What is done with a finding - redact, block, ask - is decided by who asked:
`segue.tracing.redaction` for what leaves the process, the rails for what a model reads or says. The shapes of secrets
are in `secret_shapes`, of personal data in `pii_shapes`.
"""

from __future__ import annotations

from collections.abc import Iterable

from segue.tracing.pii_shapes import cards, emails, ibans, ip_addresses, phones, ssns, windows
from segue.tracing.secret_shapes import Finding, assigned, headers, prefixed, private_keys, url_passwords
from segue.tracing.uuids import outside_uuids

__all__ = ["PII_KINDS", "Finding", "find_pii", "find_secrets"]

PII_KINDS = ("email", "phone", "iban", "card", "ip", "ssn")


def find_secrets(text: str) -> list[Finding]:
    """Keys, tokens, passwords in URLs and headers, private keys: in their order, none within another.

    A word that merely looks random is none: without a known prefix it takes a word such as `token=` before it.
    """
    return _apart([
        *private_keys(text), *prefixed(text), *url_passwords(text), *headers(text), *assigned(text),
    ])  # fmt: skip


def find_pii(text: str) -> list[Finding]:
    """Personal data of the kinds in `PII_KINDS`, in their order, none within another.

    IBANs and cards only where their checksums fit; `ssn` is a US social security number.
    """
    found = list(emails(text)) if "@" in text or "%40" in text else []
    found += ip_addresses(text)
    for start, end in windows(text):
        for shape in (ibans, cards, ssns, phones):
            found += shape(text, start, end)
    return _apart(outside_uuids(text, found))


def _apart(found: Iterable[Finding]) -> list[Finding]:
    """The findings in order; of two that overlap the one that begins first, and of these the longer."""
    out: list[Finding] = []
    for finding in sorted(found, key=lambda each: (each.start, -each.end)):
        if not out or finding.start >= out[-1].end:
            out.append(finding)
        elif finding.end > out[-1].end:
            out[-1] = out[-1]._replace(end=finding.end)
    return out
