"""Secrets in their place: key files, headers, URLs, connection strings. Text in, findings out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding
from segue.tracing.secrets.values import entropy, is_reference

_PRIVATE_KEY = lazy_pattern(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_PUTTY = lazy_pattern(r"Private-Lines: [0-9]{1,3}\s{1,2}((?:[A-Za-z0-9+/=]{16,80}\s{0,2}){1,60})")
_URL_PASSWORD = lazy_pattern(r"""://[^\s/:@"'<>]{0,128}:([^\s/"'<>]{1,256})(?=@)""")
_EVERYBODYS = frozenset(
    "password pass pwd passwd postgres guest root user admin username secret test example mysql changeme code token pw"
    " xxx your_password yourpassword db_password".split()
)
"""Passwords of examples and of servers as they come."""
_SIGNED = lazy_pattern(
    r"[?&;](?:sig|signature|x-amz-signature|x-goog-signature|x-amz-security-token|access_token|id_token|refresh_token"
    r"|auth"
    r"|key|token|code|sharedaccesssignature|jwt|apikey|api_key|client_secret)=([A-Za-z0-9%_\-+/=.~]{20,2048})",
    re.IGNORECASE,
)
_AUTHORIZATION = lazy_pattern(
    r"""authorization\\?["']?\s{0,4}[:=,]\s{0,4}\\?["'`]?f?["']?"""
    r"""(?:(?:bearer|basic|token|digest|apikey|api-key|negotiate|bot|key|splunk|ssws|aws4-hmac-sha256)\s{1,4})?([^\s"',;\\`]{8,})""",
    re.IGNORECASE,
)
_BEARER = lazy_pattern(r"bearer\s{1,4}([A-Za-z0-9._~+/=\-]{12,})", re.IGNORECASE)
_BASIC = lazy_pattern(r"[Bb]asic\s{1,2}([A-Za-z0-9+/]{12,}={0,2})(?![A-Za-z0-9+/])")
_COOKIE = lazy_pattern(r"cookie\\?[\"']?\s{0,4}:\s{0,4}\\?[\"']?([^\r\n\"']{8,})", re.IGNORECASE)
_SESSION = lazy_pattern(
    r"(?:sess|sid|auth|token|jwt|csrf|xsrf|login|remember|user|account|key|id)[\w\-.]{0,24}=", re.IGNORECASE
)


def private_keys(text: str) -> Iterator[Finding]:
    """PEM, PGP and PuTTY private keys, also those whose end is cut off."""
    if "-----BEGIN " in text:
        for match in _PRIVATE_KEY.finditer(text):
            yield Finding("private_key", match.start(), match.end())
    if "Private-Lines: " in text:
        for match in _PUTTY.finditer(text):
            yield Finding("private_key", match.start(1), match.end(1))


def urls(text: str, lowered: str) -> Iterator[Finding]:
    """The password in `scheme://user:password@host`, and signatures and keys in queries."""
    if "://" in text and "@" in text:
        for match in _URL_PASSWORD.finditer(text):
            value = match[1]
            if value.lower() not in _EVERYBODYS and not (
                value.startswith(("$", "{", "%(", "[")) or set(value) <= set("*x.\u2026")
            ):
                yield Finding("password", match.start(1), match.end(1))
    if "=" in text and ("?" in text or "&" in text or ";" in text):
        for match in _SIGNED.finditer(text):
            if any(char.isdigit() for char in match[1]) and entropy(match[1]) > 3 and not is_reference(match[1]):
                yield Finding("api_key", match.start(1), match.end(1))


def headers(text: str, lowered: str) -> Iterator[Finding]:
    """What stands in `Authorization:` and `Cookie:` headers, and after a bare `Bearer`."""
    if "authorization" in lowered:
        for match in _AUTHORIZATION.finditer(text):
            coded = any(char.isdigit() or char.isupper() or char in "=+/" for char in match[1][1:])
            if coded and "[" not in match[1] and not is_reference(match[1]):
                yield Finding("header", match.start(1), match.end(1))
    if "bearer" in lowered:
        for match in _BEARER.finditer(text):
            if any(char.isdigit() for char in match[1]) and not is_reference(match[1]):
                yield Finding("header", match.start(1), match.end(1))
    if "basic " in lowered:
        for match in _BASIC.finditer(text):
            if match[1].endswith("=") or (any(c.isdigit() for c in match[1]) and any(c.isupper() for c in match[1])):
                yield Finding("header", match.start(1), match.end(1))
    if "cookie" in lowered:
        for match in _COOKIE.finditer(text):
            if "=" in match[1] and _tells(match[1]):
                yield Finding("header", match.start(1), match.end(1))


def _tells(cookie: str) -> bool:
    """Whether a cookie says who somebody is: by its name, or by a value that looks random."""
    for pair in cookie[:4096].split(";"):
        name, _, value = pair.strip().partition("=")
        mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
        if len(value) >= 6 and (
            (_SESSION.match(name + "=") and not is_reference(value)) or (mixed and len(value) >= 16)
        ):
            return True
    return False
