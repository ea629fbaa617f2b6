"""Sealing: bytes and what they belong to in, bytes that nobody else can read or move elsewhere out.

AES-GCM with a random nonce for each piece; `associated` is authenticated beside it, so that a piece opens only in the
place that it was sealed for. Without a key `Plain` marks pieces as such, and either refuses what the other wrote. A key
may seal 2^32 pieces. An older state of the same place still opens there: sealing proves origin, not freshness.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Iterable
from typing import Protocol

from segue.base.errors import ConfigError, StoreError

_PLAIN = b"\x00"
_SEALED = b"\x01"
_KEY_ID = 4
_NONCE = 12
_HEAD = 1 + _KEY_ID + _NONCE
_SIZES = (16, 24, 32)


class Seal(Protocol):
    """What turns a piece into what lies on disk, and back."""

    def seal(self, data: bytes, *associated: str) -> bytes:
        """The piece as it lies on disk, for this place alone."""
        ...

    def open(self, data: object, *associated: str) -> bytes:
        """The piece again; `data` is what the row holds, whatever that is.

        Raises:
            StoreError: It was not sealed by one of our keys for this place, or was changed since.
        """
        ...


class Plain:
    """No key: a piece is marked and kept as it is."""

    def seal(self, data: bytes, *associated: str) -> bytes:
        """The piece behind a mark."""
        return _PLAIN + data

    def open(self, data: object, *associated: str) -> bytes:
        """The piece without its mark; a `StoreError` for one that is encrypted, or not ours."""
        data = _raw(data)
        if data[:1] != _PLAIN:
            raise _refused(associated, "is encrypted" if data[:1] == _SEALED else "is not ours", "Give the key.")
        return data[1:]


class Sealer:
    """Seals with one key and opens with it or an older one.

    Args:
        key: 16, 24 or 32 bytes; as text in hex or base64. See `new_key`.
        old_keys: Keys that were used before; what they sealed still opens.

    Raises:
        ConfigError: A key is none of these.
    """

    def __init__(self, key: bytes | str, old_keys: Iterable[bytes | str] = ()) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        raw = _key(key)
        self._id = _key_id(raw)
        self._ciphers = {_key_id(old): AESGCM(old) for old in map(_key, old_keys)}
        self._cipher = self._ciphers[self._id] = AESGCM(raw)
        self._head = _SEALED + self._id

    def seal(self, data: bytes, *associated: str) -> bytes:
        """The piece, encrypted and bound to its place."""
        nonce = os.urandom(_NONCE)
        return self._head + nonce + self._cipher.encrypt(nonce, data, _bound(associated))

    def open(self, data: object, *associated: str) -> bytes:
        """The piece again; a `StoreError` for one that is plain, moved, changed or of another key."""
        from cryptography.exceptions import InvalidTag

        data = _raw(data)
        if data[:1] != _SEALED or len(data) < _HEAD:
            raise _refused(associated, "is not encrypted, although a key is set", "Somebody else wrote it.")
        cipher = self._ciphers.get(data[1 : 1 + _KEY_ID])
        if cipher is None:
            raise _refused(associated, "was encrypted with another key", "Give that key among the old ones.")
        try:
            return cipher.decrypt(data[1 + _KEY_ID : _HEAD], data[_HEAD:], _bound(associated))
        except InvalidTag:
            raise _refused(associated, "was changed, or moved from another place", "Bring back a copy.") from None

    def __repr__(self) -> str:
        return f"Sealer(key {self._id.hex()})"


def sealer(key: bytes | str | None, old_keys: Iterable[bytes | str] = ()) -> Seal:
    """What seals with the key, or marks as plain where there is none."""
    return Plain() if key is None else Sealer(key, old_keys)


def new_key() -> str:
    """A new key of 32 bytes, in hex."""
    return os.urandom(32).hex()


def _raw(data: object) -> bytes:
    """A row's bytes; none for a text or a number, which SQLite keeps in a column of bytes as well."""
    return bytes(data) if isinstance(data, bytes | bytearray | memoryview) else b""


def _key(key: bytes | str) -> bytes:
    if isinstance(key, bytes | bytearray) and len(key) in _SIZES:
        return bytes(key)
    if isinstance(key, str):
        for decode in (bytes.fromhex, _base64):
            try:
                found = decode(key.strip())
            except ValueError:
                continue
            if len(found) in _SIZES:
                return found
    raise ConfigError(
        f"an encryption key is 16, 24 or 32 bytes, as text in hex or base64; this one is {len(key)} "
        f"{'characters' if isinstance(key, str) else 'bytes'} long and neither.",
        way_out="Make one with: python -c 'import secrets; print(secrets.token_hex(32))'",
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _key_id(key: bytes) -> bytes:
    return hashlib.blake2b(key, digest_size=_KEY_ID, person=b"segue key id").digest()


def _bound(associated: tuple[str, ...]) -> bytes:
    """The same bytes for the same parts and for no others."""
    parts = [part.encode("utf-8", "surrogatepass") for part in associated]
    return b"".join([len(part).to_bytes(4, "big") + part for part in parts])


def _refused(associated: tuple[str, ...], found: str, way_out: str) -> StoreError:
    kind, *place = associated or ("piece",)
    error = StoreError(f"the {kind} of {' / '.join(map(repr, place))} {found}.", way_out=way_out)
    error.retryable = False
    return error
