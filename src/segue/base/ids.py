"""Ids: short, unique, and sortable by the time they were made."""

from __future__ import annotations

import hashlib
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A new id such as `run_01k9w3c4r57k2m9qf3vd`: milliseconds since 1970, then 50 random bits, in base 32."""
    return f"{prefix}_{_base32(time.time_ns() // 1_000_000, 10)}{_base32(secrets.randbits(50), 10)}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, always: what a redelivery is recognised by."""
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=10).digest()
    return f"{prefix}_{_base32(int.from_bytes(digest), 16)}"


def content_hash(data: bytes) -> str:
    """Names bytes by what they are: the first 32 hex digits of their SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


def _base32(number: int, digits: int) -> str:
    return "".join([_ALPHABET[number >> shift & 31] for shift in range(5 * digits - 5, -1, -5)])
