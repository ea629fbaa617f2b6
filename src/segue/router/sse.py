"""Server-sent events: bytes as they arrive in, whole events out.

Written by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html: bytes may be split anywhere,
lines end in LF, CRLF or CR, comments and unknown fields are passed over, several data lines are one text. One rule
is bent: an event that the end of the stream leaves without its empty line still counts, since some servers hang up
that way. What an event means is decided in `segue.router.assemble`.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 32 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


Event = tuple[str, bytes]
"""The name of an event, empty where the server gives none, and its data."""


class SSEParser:
    """Takes the bytes of one stream, piece by piece."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = ""
        self._started = False

    def feed(self, piece: bytes) -> list[Event]:
        """The events that this piece completes, in their order.

        Raises:
            ValueError: An event is longer than `MAX_EVENT_BYTES`: this is no event stream.
        """
        if piece[:6] == b"data: " and piece[-2:] == b"\n\n" and not (self._rest or self._data or self._name):
            found = piece[6:-2].split(b"\n\ndata: ")
            if piece.count(b"\n") == 2 * len(found) and b"\r" not in piece:
                self._started = True
                return [("", data) for data in found]  # nothing but whole events, each a single line of data
        if b"\n" not in piece and b"\r" not in piece:
            self._keep(piece)
            return []
        text, held = piece, b""
        if self._rest:
            text = b"".join((*self._rest, piece))
            self._rest, self._rest_bytes = [], 0
        if b"\r" in text:
            if text.endswith(b"\r"):  # an LF may follow, and the two are one line end
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._started and text.startswith(b"data: "):
            self._started = True  # and no byte order mark is before it
        if self._started and not self._data and not self._name and not held:
            return self._blocks(text)
        *lines, rest = text.split(b"\n")
        self._keep(rest + held)
        return [event for line in lines if (event := self._line(line)) is not None]

    def _blocks(self, text: bytes) -> list[Event]:
        """The same where an event begins: nearly every one is a single line of data."""
        *blocks, rest = text.split(b"\n\n")
        events: list[Event] = []
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(("", block[6:]))
                continue
            lines = [*block.split(b"\n"), b""]
            events.extend(event for line in lines if (event := self._line(line)) is not None)
        if not rest:
            return events
        *lines, rest = rest.split(b"\n")
        self._keep(rest)
        return events + [event for line in lines if (event := self._line(line)) is not None]

    def close(self) -> list[Event]:
        """The stream has ended: the event that was left without its empty line, if there is one."""
        rest = b"".join(self._rest)
        self._rest, self._rest_bytes = [], 0
        events = [event for line in rest.splitlines() if (event := self._line(line)) is not None]
        last = self._line(b"")
        return events if last is None else [*events, last]

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._rest.append(rest)
            self._rest_bytes += len(rest)
        if self._rest_bytes > MAX_EVENT_BYTES:
            raise _too_large()

    def _line(self, line: bytes) -> Event | None:
        if not self._started:
            self._started = True
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > MAX_EVENT_BYTES:
                raise _too_large()
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> Event | None:
        name, self._name = self._name, ""
        if not self._data:
            return None
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data, self._data_bytes = [], 0
        return name, data


def _too_large() -> ValueError:
    return ValueError(f"an event of more than {MAX_EVENT_BYTES} bytes")
