"""Rows of the audit log: a decision in, what is written of it out, and the keyed hashes that hold the chain together.

There are names and ids, where they are plain ones, and keyed hashes of all else.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

import orjson

from segue.tracing.decisions import Decided
from segue.tracing.detectors import find_pii, find_secrets

_NAME = re.compile(r"[\w .:/+-]{0,120}")
_NAMES_KEPT = 2_048
_ACTING = ("run_id", "thread_id", "agent", "task_id")
_OVER = ("tool", "effect", "place", "rule")
_who_of = attrgetter("tenant", "user", *_ACTING)
_what_of = attrgetter("kind", "verdict", *_OVER)
_KEPT = 256
_T = TypeVar("_T")


class _Names(dict[str, str]):
    """Values as they may stand in a row, each looked at once."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: str) -> str:
        if len(self) >= _NAMES_KEPT:
            self.clear()
        found = self[value] = self._make(value)
        return found


class RowMaker:
    """Makes the bodies of rows with the key of one log."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._names = _Names(self._name)
        self._users = _Names(lambda whose: keyed(key, "user", whose.encode()))
        self._who: dict[tuple[str, ...], bytes] = {}
        """What stands in a row of who acts where, as fields of JSON: decisions of one run share it."""
        self._what: dict[tuple[str, ...], tuple[bytes, bytes]] = {}
        """The same of what was decided, and over what: decisions of one rail at one place share it."""
        self._call = ("", b"")

    def row(self, seq: int, decision: Decided, subject: bytes) -> bytes:
        """What is written of a decision in the row of this number; `subject` are the bytes of what was decided over."""
        who, what = _who_of(decision), _what_of(decision)
        whose = self._who.get(who) or self._acting(who)
        said, over = self._what.get(what) or self._decided(what)
        if decision.call_id != self._call[0]:  # those of one call follow each other
            self._call = decision.call_id, _fields({"call_id": self._names[str(decision.call_id)]})
        call = self._call[1] if decision.call_id else b""
        own: dict[str, str] = {}
        if decision.interrupt_id:
            own["interrupt_id"] = self._names[str(decision.interrupt_id)]
        if decision.by:
            own["by"] = self.user(decision.tenant, decision.by)
        if subject:
            own["subject"] = keyed(self._key, "subject", subject)
        body = said + whose + call + over + (_fields(own) if own else b"")
        return b'{"seq":%d,"at":%.6f,%b}' % (seq, decision.at, body[:-1])

    def user(self, tenant: str, name: str) -> str:
        """How a user stands in the rows."""
        return self._users[f"{tenant}\x1f{name}"]

    def _acting(self, who: tuple[str, ...]) -> bytes:
        tenant, user, *values = who
        found = {"tenant": self._names[str(tenant)]} if tenant else {}
        if user:
            found["user"] = self.user(tenant, user)
        found |= {field: self._names[str(value)] for field, value in zip(_ACTING, values, strict=True) if value}
        return _kept(self._who, who, _fields(found))

    def _decided(self, what: tuple[str, ...]) -> tuple[bytes, bytes]:
        kind, verdict, *values = what
        over = {field: self._names[str(value)] for field, value in zip(_OVER, values, strict=True) if value}
        return _kept(self._what, what, (_fields({"kind": kind, "verdict": verdict}), _fields(over)))

    def _name(self, value: str) -> str:
        """The name itself where it is one; else its hash: an id may be anything that a caller or a model says."""
        return value if _is_name(value) else f"hash:{keyed(self._key, 'name', value.encode())}"


def _fields(found: dict[str, str]) -> bytes:
    """As they stand in a JSON object, each with a comma behind it."""
    return orjson.dumps(found)[1:-1] + b"," if found else b""


def _kept(held: dict[tuple[str, ...], _T], key: tuple[str, ...], value: _T) -> _T:
    if len(held) >= _KEPT:
        held.clear()
    held[key] = value
    return value


def chained(key: bytes, previous: bytes, body: bytes) -> bytes:
    """The hash of a row: over its bytes and the hash of the row before, with the key."""
    return _code(key, previous + body)


def chain(key: bytes, previous: bytes, bodies: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The rows of these bodies, each with its hash: `chained`, one after the other."""
    begun = _keyed(key)
    for body in bodies:
        code = begun.copy()
        code.update(previous + body)
        previous = code.digest()
        yield body, previous


def keyed(key: bytes, use: str, data: bytes) -> str:
    """A keyed hash, 32 hex digits: the same for the same data, and not to be guessed back without the key."""
    return _code(key, use.encode() + b"\x00" + data).hex()[:32]


def _code(key: bytes, data: bytes) -> bytes:
    code = _keyed(key).copy()
    code.update(data)
    return code.digest()


@lru_cache(maxsize=64)
def _keyed(key: bytes) -> hmac.HMAC:
    """Begun once for each key: `hmac.digest` sets OpenSSL's up each time."""
    return hmac.new(key, digestmod="sha256")


def plain(value: Any) -> bytes:
    """What was decided over, as bytes to hash."""
    if isinstance(value, bytes):
        return value
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(value, default=str, option=options)
    except (TypeError, ValueError):
        return repr(value).encode()


@lru_cache(maxsize=_NAMES_KEPT)
def _is_name(value: str) -> bool:
    """Looked at once: a run's decisions name the same run, thread and tools."""
    return _NAME.fullmatch(value) is not None and not find_pii(value) and not find_secrets(value)
