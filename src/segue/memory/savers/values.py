"""Values: what a channel holds in, bytes out, and back; through LangGraph's serialiser.

A list is encoded element by element, so that a part of it can be stored beside what is there already. Everything else
is one piece behind a tag that says how it was written.
"""

from __future__ import annotations

from typing import Any

SMALL_BYTES = 512
"""What is smaller lies in the checkpoint's own row."""
_TAGS = {"msgpack": b"\x01", "null": b"\x02", "bytes": b"\x03", "bytearray": b"\x04"}
_NAMES = {tag[0]: name for name, tag in _TAGS.items()}
_MSGPACK = _TAGS["msgpack"]
_NAMED = b"\x00"
_COMMON = frozenset({type(None), bool, str, int})


class Codec:
    """Encodes and decodes with one serialiser of LangGraph's (`dumps_typed`, `loads_typed`)."""

    def __init__(self, serde: Any) -> None:
        self._dumps = serde.dumps_typed
        self._loads = serde.loads_typed
        self._by_element = self._dumps([])[0] == "msgpack"
        self._common = {(type(value), value): self._piece(value) for value in (None, False, True, "", *range(64))}
        """What most channels hold most of the time."""

    def value(self, value: Any) -> bytes:
        """A value as one piece."""
        if type(value) in _COMMON and (known := self._common.get((type(value), value))) is not None:
            return known
        return self._piece(value)

    def _piece(self, value: Any) -> bytes:
        name, data = self._dumps(value)
        tag = _TAGS.get(name)
        if tag is None:
            tag = _NAMED + bytes([len(name)]) + name.encode()
        return tag + bytes(data)

    def load(self, piece: bytes) -> Any:
        """The value of one piece."""
        tag = piece[0]
        if tag:
            return self._loads((_NAMES[tag], piece[1:]))
        end = 2 + piece[1]
        return self._loads((piece[2:end].decode(), piece[end:]))

    def elements(self, values: list[Any]) -> list[bytes] | None:
        """Each element of a list by itself; `None` where the serialiser does not write them so."""
        if not self._by_element:
            return None
        out = []
        for value in values:
            name, data = self._dumps([value])
            if name != "msgpack":
                return None
            out.append(data[1:])
        return out

    def load_elements(self, row: bytes) -> list[Any]:
        """The elements that were joined to a row."""
        found: list[Any] = self._loads(("msgpack", row))
        return found

    def pack(self, plain: Any) -> bytes:
        """Anything as a row of its own."""
        return self._piece(plain)

    def unpack(self, row: bytes) -> Any:
        """What `pack` was given."""
        return self.load(row)


def joined(elements: list[bytes]) -> bytes:
    """Elements as one row: an array of MessagePack."""
    count = len(elements)
    if count < 16:
        head = bytes([0x90 | count])
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(elements)


def as_piece(elements: list[bytes]) -> bytes:
    """Elements as the one piece that their list is."""
    return _MSGPACK + joined(elements)
