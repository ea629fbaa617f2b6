"""Sealing of exports: plain data and the audit key in, a file out that shows what was done to it later; and the check.

The file is canonical JSON: keys sorted, no blanks, UTF-8. Its content falls into parts: each item of a list, each key
of a table. The seal holds a hash of every part, and an HMAC with the audit key over them all, so that a check says
which part was changed, and nobody without the key can make a seal that fits. Whoever can check can also seal.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from segue.base.errors import BadInput

FORMAT = 1
_ALGORITHM = "HMAC-SHA256"
_SEAL = {"algorithm", "key", "parts", "code"}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a check found."""

    verdict: Literal["intact", "changed", "wrong key"]
    where: tuple[str, ...] = ()
    """The parts that were changed, added or taken out, as `spans/3`; `seal` where it is the seal itself."""
    parts: int = 0
    """How many there are."""

    def __str__(self) -> str:
        match self.verdict:
            case "intact":
                return f"intact: {self.parts} parts are as they were sealed"
            case "wrong key":
                return "wrong key: it was sealed with another audit key, so nothing can be said of it"
            case _:
                return f"changed: {', '.join(self.where)}"


def canonical(value: Any) -> bytes:
    """Plain data as the one JSON text that stands for it.

    Raises:
        BadInput: It is no plain data, or holds half a character.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise BadInput(f"this cannot be sealed: {error}") from None


def sealed(content: dict[str, Any], key: bytes) -> bytes:
    """The file.

    Raises:
        BadInput: The content is no plain data.
    """
    plain = orjson.loads(canonical(content))
    parts = {path: hashlib.sha256(canonical(part)).hexdigest() for path, part in _parts(plain)}
    seal = {"algorithm": _ALGORITHM, "key": _key_name(key), "parts": parts, "code": _code(key, parts)}
    return canonical({"segue_export": FORMAT, "content": plain, "seal": seal}) + b"\n"


def check(data: bytes, key: bytes) -> Checked:
    """What was done to a file since it was sealed. Blanks and the order of keys do not matter.

    Raises:
        BadInput: It is no export.
    """
    try:
        found = orjson.loads(data)
        content, seal = found["content"], found["seal"]
        parts, code = dict(seal["parts"]), str(seal["code"])
        version, named = found["segue_export"], seal["key"]
        if not isinstance(content, dict):
            raise TypeError
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise BadInput("this is no export of a run.", way_out="Make one: segue trace RUN --export FILE") from None
    if version != FORMAT:
        raise BadInput(f"this export has the format {version!r}; this version of Segue reads {FORMAT}")
    if named != _key_name(key):
        return Checked(verdict="wrong key")
    if seal.get("algorithm") != _ALGORITHM or not hmac.compare_digest(code.encode(), _code(key, parts).encode()):
        return Checked(verdict="changed", where=("seal",))
    now = {path: hashlib.sha256(canonical(part)).hexdigest() for path, part in _parts(content)}
    where = sorted(path for path in now.keys() | parts.keys() if now.get(path) != parts.get(path))
    extra = sorted(found.keys() - {"content", "seal", "segue_export"}) + sorted(seal.keys() - _SEAL)
    if where or extra:
        return Checked(verdict="changed", where=(*where, *extra), parts=len(parts))
    return Checked(verdict="intact", parts=len(parts))


def check_file(path: Path, key: bytes) -> Checked:
    """As `check`, of a file.

    Raises:
        BadInput: It is no export, or cannot be read.
    """
    try:
        return check(path.read_bytes(), key)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from None


def _parts(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The parts with their paths. How long a list is, and what keys a table has, is a part too."""
    for name, value in content.items():
        if isinstance(value, list):
            yield from ((f"{name}/{number}", part) for number, part in enumerate(value))
            yield name, len(value)
        elif isinstance(value, dict):
            yield from ((f"{name}/{inner}", part) for inner, part in value.items())
            yield name, sorted(value)
        else:
            yield name, value


def _key_name(key: bytes) -> str:
    """What tells keys apart, and nothing of the key."""
    return hmac.new(key, b"segue export key", hashlib.sha256).hexdigest()[:16]


def _code(key: bytes, parts: dict[str, Any]) -> str:
    return hmac.new(key, b"segue export\x00" + canonical([FORMAT, parts]), hashlib.sha256).hexdigest()
