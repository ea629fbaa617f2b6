"""Ids: short, unique, and sortable by the time they were made."""

from __future__ import annotations

import hashlib
import os
import re
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(70, -1, -10)
"""Of the pairs of digits in 80 bits."""


_POOL: list[bytes] = []
"""Random bytes for the next ids, seven each: the system is asked once for many."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.clear)


def _random() -> bytes:
    try:
        return _POOL.pop()
    except IndexError:
        drawn = os.urandom(7 * 256)
        _POOL.extend(drawn[at : at + 7] for at in range(0, len(drawn), 7))
        return os.urandom(7)


_OWN = re.compile(r"(?:run|call|msg|int|err|job)_01(?!.*\d{6})[0-9a-hjkmnp-tv-z]{18}")


def is_own_id(text: str) -> bool:
    """Whether the text has the form of an id made here, and no longer row of digits that could be something else."""
    return 24 <= len(text) <= 25 and _OWN.fullmatch(text) is not None


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9w3c4r57k2m9qf3vd`: milliseconds since 1970, then 50 random bits, in base 32."""
    pairs, at, more = _PAIRS, time.time_ns() // 1_000_000, int.from_bytes(_random()) >> 6
    return (
        f"{prefix}_{pairs[at >> 40 & 1023]}{pairs[at >> 30 & 1023]}{pairs[at >> 20 & 1023]}{pairs[at >> 10 & 1023]}"
        f"{pairs[at & 1023]}{pairs[more >> 40]}{pairs[more >> 30 & 1023]}{pairs[more >> 20 & 1023]}"
        f"{pairs[more >> 10 & 1023]}{pairs[more & 1023]}"
    )


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, always: what a redelivery is recognised by."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=10).digest()
    pairs, number = _PAIRS, int.from_bytes(digest)
    return f"{prefix}_{''.join([pairs[number >> shift & 1023] for shift in _SHIFTS])}"


def content_hash(data: bytes) -> str:
    """Names bytes by what they are: the first 32 hex digits of their SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]
