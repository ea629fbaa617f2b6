"""What secrets look like: known prefixes, key files, passwords in URLs, headers, and values after a telling word.

Text in, findings out. Prefixes are those that the issuers document for secret scanning. A regular expression runs only
where its literal beginning stands in the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from segue.tracing.finding import Finding


def _table(*rows: tuple[str, str]) -> list[tuple[str, re.Pattern[str]]]:
    return [(prefix, re.compile(re.escape(prefix) + rest)) for prefix, rest in rows]


_MIXED = r"(?=[A-Za-z_\-]{0,60}[0-9])"
"""A digit soon: so `sk-learn-and-other-words` is none."""
_PREFIXES = _table(
    ("sk-", _MIXED + r"[A-Za-z0-9_\-]{16,}"),  # OpenAI, Anthropic, OpenRouter, Langfuse, LiteLLM
    ("sk_live_", r"[A-Za-z0-9]{10,}"), ("sk_test_", r"[A-Za-z0-9]{10,}"), ("rk_live_", r"[A-Za-z0-9]{10,}"),
    ("whsec_", r"[A-Za-z0-9+/=]{16,}"),
    ("glpat-", r"[A-Za-z0-9_\-.]{16,}"), ("gldt-", r"[A-Za-z0-9_\-]{16,}"), ("glrt-", r"[A-Za-z0-9_\-]{16,}"),
    ("ghp_", r"[A-Za-z0-9]{20,}"), ("gho_", r"[A-Za-z0-9]{20,}"), ("ghu_", r"[A-Za-z0-9]{20,}"),
    ("ghs_", r"[A-Za-z0-9]{20,}"), ("ghr_", r"[A-Za-z0-9]{20,}"), ("github_pat_", r"[A-Za-z0-9_]{20,}"),
    ("hf_", r"[A-Za-z0-9]{20,}"), ("npm_", r"[A-Za-z0-9]{20,}"), ("pypi-", r"[A-Za-z0-9_\-]{20,}"),
    ("AIza", r"[A-Za-z0-9_\-]{30,}"), ("GOCSPX-", r"[A-Za-z0-9_\-]{16,}"), ("ya29.", r"[A-Za-z0-9_\-]{16,}"),
    ("xox", r"[abeoprs](?:\.xox[bp])?-[A-Za-z0-9\-]{10,}"), ("xapp-", r"[A-Za-z0-9\-]{16,}"),
    ("hvs.", r"[A-Za-z0-9_\-]{16,}"), ("hvb.", r"[A-Za-z0-9_\-]{16,}"),
    ("AKIA", r"[A-Z0-9]{16}(?![A-Z0-9])"), ("ASIA", r"[A-Z0-9]{16}(?![A-Z0-9])"),
    ("dop_v1_", r"[a-f0-9]{32,}"), ("SG.", r"[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}"),
    ("shpat_", r"[A-Fa-f0-9]{16,}"), ("lin_api_", r"[A-Za-z0-9]{16,}"), ("dckr_pat_", r"[A-Za-z0-9_\-]{16,}"),
    ("gsk_", r"[A-Za-z0-9]{20,}"), ("r8_", r"[A-Za-z0-9]{30,}"), ("lsv2_", r"[a-z]{2}_[A-Za-z0-9_]{20,}"),
    ("AGE-SECRET-KEY-1", r"[A-Z0-9]{20,}"), ("hooks.slack.com/services/", r"[A-Za-z0-9/]{16,}"),
)  # fmt: skip
_SIGNS = "-_."
"""Most prefixes end in one of these: looking for the sign is quicker than for each prefix."""
_JWT = re.compile(r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}\.[A-Za-z0-9_\-]*")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_URL_PASSWORD = re.compile(r"""://[^\s/:@"'<>]{0,128}:([^\s/"'<>]{1,256})(?=@)""")
_AUTHORIZATION = re.compile(
    r"""authorization\\?["']?\s{0,4}[:=]\s{0,4}\\?["']?"""
    r"""(?:(?:bearer|basic|token|digest|apikey)\s{1,4})?([^\s"',;\\]{8,})""",
    re.IGNORECASE,
)
_BEARER = re.compile(r"bearer\s{1,4}([A-Za-z0-9._~+/=\-]{12,})", re.IGNORECASE)
_COOKIE = re.compile(r"cookie\\?[\"']?\s{0,4}:\s{0,4}\\?[\"']?([^\r\n\"']{8,})", re.IGNORECASE)

_PASSWORD_WORDS = ("password", "passwd", "passwort", "passphrase", "pwd")
_TOKEN_WORDS = ("token", "secret", "api_key", "api-key", "apikey", "api key", "access_key", "accesskey", "access-key",
                "private_key", "credential", "client_secret", "auth_key", "signing_key", "encryption_key")  # fmt: skip
_VALUE = r"""[a-z_\-]{0,24}\\?["']?\s{0,3}(?:[:=]|=>|\bis\b|\bist\b)\s{0,3}\\?["']?([^\s"',;\\<>(){}\[\]]{6,512})"""
_ASSIGNED = [(word, re.compile(re.escape(word) + _VALUE, re.IGNORECASE)) for word in (*_PASSWORD_WORDS, *_TOKEN_WORDS)]
_STEMS = ("pass", "pwd", "token", "secret", "key", "credential")
"""One of these is in each of the words."""
_KEY_NAME = re.compile(
    r"(?:.*[_\-. ])?(?:password|passwd|passwort|passphrase|pwd|secret|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key"
    r"|(?:access|auth|bearer|refresh|session|id|api)[_\- ]?token|token|authorization|cookie|credentials?)",
    re.IGNORECASE,
)


def names_a_secret(key: str) -> bool:
    """Whether the value under a key of this name is a secret whatever it looks like, as under `password`."""
    return len(key) <= 64 and _KEY_NAME.fullmatch(key) is not None


def prefixed(text: str) -> Iterator[Finding]:
    """Keys that say themselves what they are."""
    signs = {sign for sign in _SIGNS if sign in text}
    for prefix, pattern in _PREFIXES:
        if (prefix[-1] in signs or prefix[-1] not in _SIGNS) and prefix in text:
            for match in pattern.finditer(text):
                if _begins(text, match.start()):
                    yield Finding("api_key", match.start(), match.end())
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            yield Finding("jwt", match.start(), match.end())


def private_keys(text: str) -> Iterator[Finding]:
    """PEM and PGP private keys, also those whose end is cut off."""
    if "-----BEGIN " in text:
        for match in _PRIVATE_KEY.finditer(text):
            yield Finding("private_key", match.start(), match.end())


def url_passwords(text: str) -> Iterator[Finding]:
    """The password in `scheme://user:password@host`: connection strings too."""
    if "://" in text and "@" in text:
        for match in _URL_PASSWORD.finditer(text):
            yield Finding("password", match.start(1), match.end(1))


def headers(text: str) -> Iterator[Finding]:
    """What stands in `Authorization:` and `Cookie:` headers, and after a bare `Bearer`."""
    lowered = text.lower()
    if "authorization" in lowered:
        for match in _AUTHORIZATION.finditer(text):
            yield Finding("header", match.start(1), match.end(1))
    if "bearer" in lowered:
        for match in _BEARER.finditer(text):
            if any(char.isdigit() for char in match[1]):
                yield Finding("header", match.start(1), match.end(1))
    if "cookie" in lowered:
        for match in _COOKIE.finditer(text):
            if "=" in match[1]:
                yield Finding("header", match.start(1), match.end(1))


def assigned(text: str) -> Iterator[Finding]:
    """Values after a word that announces a secret: after `password` most, after `token` those that look random."""
    lowered = text.lower()
    stems = {stem for stem in _STEMS if stem in lowered}
    for word, pattern in _ASSIGNED if stems else ():
        if word not in lowered:
            continue
        for match in pattern.finditer(text):
            value = match[1].rstrip(".!?")
            wanted = _is_password(value) if word in _PASSWORD_WORDS else _is_random(value)
            if wanted:
                yield Finding("password" if word in _PASSWORD_WORDS else "api_key", match.start(1),
                              match.start(1) + len(value))  # fmt: skip


def _begins(text: str, at: int) -> bool:
    return at == 0 or not (text[at - 1].isalnum() and text[at - 1].isascii())


def _is_password(value: str) -> bool:
    kinds = sum((any(c.isdigit() for c in value), any(c.isupper() for c in value), any(not c.isalnum() for c in value)))
    return not _is_reference(value) and kinds >= 1 and any(char.isalpha() for char in value)


def _is_random(value: str) -> bool:
    if len(value) < 8 or _is_reference(value):
        return False
    mixed = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return mixed and _entropy(value) >= (3.0 if len(value) >= 16 else 2.75)


def _is_reference(value: str) -> bool:
    """Where a secret comes from, or a mask, is none."""
    return value.startswith(("env:", "file:", "$", "[secret", "***", "http://", "https://"))


def _entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    size = len(value)
    return -sum((count := value.count(char)) / size * math.log2(count / size) for char in set(value))
