"""Sealing: a piece opens with the right key in the right place, and nowhere else."""

from __future__ import annotations

import base64
import os

import pytest

from segue.base.errors import ConfigError, StoreError
from segue.memory import Sealer, new_key
from segue.memory.sealing import Plain, sealer

KEY = new_key()


def test_a_piece_opens_where_it_was_sealed_for() -> None:
    sealed = Sealer(KEY).seal(b"secret", "row", "acme", "t-1")

    assert b"secret" not in sealed
    assert Sealer(KEY).open(sealed, "row", "acme", "t-1") == b"secret"


@pytest.mark.parametrize("place", [("row", "acme", "t-2"), ("row", "acmet-1"), ("row", "acm", "et-1"), ("row",), ()])
def test_a_piece_that_was_moved_is_refused(place: tuple[str, ...]) -> None:
    sealed = Sealer(KEY).seal(b"secret", "row", "acme", "t-1")

    with pytest.raises(StoreError, match="moved from another place") as told:
        Sealer(KEY).open(sealed, *place)
    assert not told.value.retryable


def test_a_changed_byte_is_refused_wherever_it_is() -> None:
    sealed = Sealer(KEY).seal(b"secret", "row", "acme")

    for at in range(len(sealed)):
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        with pytest.raises(StoreError, match="'acme'"):
            Sealer(KEY).open(changed, "row", "acme")


def test_plain_and_sealed_pieces_refuse_each_other() -> None:
    with pytest.raises(StoreError, match="not encrypted, although a key is set"):
        Sealer(KEY).open(Plain().seal(b"x", "row", "a"), "row", "a")
    with pytest.raises(StoreError, match=r"the row of 'a' is encrypted\. Give the key"):
        Plain().open(Sealer(KEY).seal(b"x", "row", "a"), "row", "a")
    with pytest.raises(StoreError, match="not encrypted"):
        Sealer(KEY).open(b"", "row", "a")
    assert Plain().open(Plain().seal(b"x", "row", "a"), "row", "b") == b"x"


def test_a_new_key_opens_what_old_keys_sealed_and_seals_by_itself() -> None:
    new = new_key()
    old = Sealer(KEY).seal(b"old", "row", "a")
    both = Sealer(new, old_keys=[KEY])

    assert both.open(old, "row", "a") == b"old"
    assert Sealer(new).open(both.seal(b"new", "row", "a"), "row", "a") == b"new"
    with pytest.raises(StoreError, match="another key"):
        Sealer(new).open(old, "row", "a")


def test_a_key_comes_as_bytes_hex_or_base64() -> None:
    raw = os.urandom(32)
    sealed = Sealer(raw).seal(b"x", "row")

    for key in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode() + "\n"):
        assert Sealer(key).open(sealed, "row") == b"x"


@pytest.mark.parametrize("key", ["", "password", "00" * 31, b"short"])
def test_what_is_no_key_is_refused_without_being_repeated(key: str | bytes) -> None:
    with pytest.raises(ConfigError, match="16, 24 or 32 bytes") as told:
        Sealer(key)
    assert "password" not in str(told.value)
    assert "secrets.token_hex" in str(told.value)


def test_no_key_means_plain() -> None:
    assert isinstance(sealer(None), Plain)
    assert isinstance(sealer(KEY), Sealer)
