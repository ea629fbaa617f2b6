"""Values: whether what stands behind a word for a secret is one, or a placeholder, a reference, a plain word."""

from __future__ import annotations

import math
import re

from segue.base.patterns import lazy_pattern

_REFERENCE = (
    "env:", "file:", "$", "[secret", "***", "http://", "https://", "${", "{{", "{", "<", "%(", "%s", "[", "!", "@",
    "process.env", "os.environ", "os.getenv", "getenv", "config.", "config[", "settings.", "self.", "this.", "args.",
    "vault:", "ssm:", "arn:", "secret://", "op://", "ref:", "keyring:", "/run/", "/etc/", "/var/", "./", "../", "~/",
    "system.getenv", "env.", "env(", "env[", "secrets.", "var.", "local.", "data.", "module.", "import.meta", "base64.",
    "props.", "request.", "req.", "params.", "options.", "opts.", "user.", "form.", "ctx.", "event.", "app.", "field(",
)  # fmt: skip
_PLACEHOLDER = lazy_pattern(
    r"x{4,}|\*{3,}|\.{3}|your[_\-]?|example|placeholder|change[_\-]?(?:me|it|this)|redacted|hidden|insert|replace"
    r"|dummy|todo"
    r"|\bmy[_\-]?(?:secret|password|token|api)|<[^>]*>|_here|-here|^0+$"
    r"|^1234(?:5(?:6(?:7(?:8(?:90?)?)?)?)?)?$|^a+$|\u2026",
    re.IGNORECASE,
)
_WORDS = frozenset(
    "string str text none null nil undefined true false required optional password passwd secret token bearer value"
    " empty"
    " missing invalid wrong incorrect expired hidden redacted unknown default test testing changeme admin root user"
    " guest"
    " postgres pass pwd field input type number integer boolean object array any never always yes no not set unset here"
    " there see below above basic digest oauth jwt sha256 sha512 md5 bcrypt argon2 argon2id scrypt aes256 rsa2048"
    " base64"
    " utf8 utf-8 secretstr optional[str]".split()
)
_COMMON = frozenset(
    "letmein qwerty qwertz azerty iloveyou monkey dragon sunshine princess football baseball welcome superman batman"
    " shadow"
    " michael jordan hunter trustno master killer pepper hello freedom whatever starwars computer jessica ashley"
    " charlie donald"
    " summer winter autumn spring sommer herbst passw0rd p4ssword schatz hallo geheim bonjour soleil loulou doudou"
    " contrasena"
    " tequiero estrella ciao juventus senha flamengo hunter2 periwinkle cheese cookie liverpool chelsea arsenal"
    " pokemon naruto".split()
)
"""Plain words that many choose."""
_IDENTIFIER = lazy_pattern(
    r"[A-Za-z_]+(?:\.[A-Za-z_]+)+(?:\(|$)|[a-z]+(?:[A-Z][a-z]+)+$|[a-z]+(?:_[a-z]+)+$|[A-Z]+(?:_[A-Z]+)+$"
)
_HASH = lazy_pattern(r"\$(?:2[aby]|argon2|1|5|6|y|pbkdf2|scrypt)")


def is_reference(value: str) -> bool:
    """Where a secret comes from, a mask, a hash or a word that stands for one is none."""
    lowered = value.lower()
    if _HASH.match(value):
        return True
    if lowered.startswith(_REFERENCE):
        return not _begins_oddly(value)
    return lowered.strip(".,;:") in _WORDS or (len(value) < 32 and _PLACEHOLDER.search(value) is not None)


def _begins_oddly(value: str) -> bool:
    """A password may begin with a sign that a reference begins with, where digits and letters are mixed behind it."""
    odd = value[0] in "!@$" and not value[1:2].isupper() and "{" not in value[:2]
    return odd and _mixed(value) and len(set(value)) > 5


def is_password(value: str) -> bool:
    """Behind `password:` or `password=`: something with a digit, a capital or a sign in it, that refers to nothing."""
    if len(value) < 4 or is_reference(value) or _IDENTIFIER.match(value) or (value[0] == "/" and "/" in value[1:]):
        return False
    if value.lower() in _COMMON:
        return True
    kinds = sum(
        (any(c.isdigit() for c in value), any(c.isupper() for c in value[1:]), any(not c.isalnum() for c in value[:-1]))
    )
    if value.isdigit():
        return True
    return kinds >= 1 and any(char.isalpha() for char in value)


def is_said_password(value: str) -> bool:
    """Behind `the password is`: with a digit, or a sign that words do not have, or many hyphens."""
    if len(value) < 5 or is_reference(value):
        return False
    digit = any(char.isdigit() for char in value)
    sign = any(not char.isalnum() and char not in "-_.'’/" for char in value)
    alpha = any(char.isalpha() for char in value)
    return (digit and (alpha or len(value) >= 6)) or (sign and alpha) or value.count("-") >= 3


def is_random(value: str) -> bool:
    """Behind `token` and `key`: letters and digits mixed, of some entropy."""
    if len(value) < 8 or is_reference(value):
        return False
    if not _mixed(value) or value.count("/") > 4 or (value.count(".") > 4 and "_" not in value):
        return False
    if value.count(" ") or _PATH.match(value):
        return False
    return entropy(value) >= (3.0 if len(value) >= 16 else 2.75)


_PATH = lazy_pattern(
    r"(?:[a-z_\-]{2,}/){1,6}[\w.\-]*$|[\w\-/]+\.(?:json|pem|txt|key|ya?ml|py|js|ts|go|md|html?|jpg|png|com|org|net"
    r"|io)$|v?[0-9]+(?:\.[0-9]+)+$"
)


def _mixed(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)


def entropy(value: str) -> float:
    """Shannon's, in bits a character."""
    size = len(value)
    return -sum((count := value.count(char)) / size * math.log2(count / size) for char in set(value))
