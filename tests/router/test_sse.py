from __future__ import annotations

import pytest

from segue.router.sse import MAX_EVENT_BYTES, Event, SSEParser

STREAM = (
    "\ufeff: keep-alive\r\n\r\ndata: ä🙂\r\rid: 7\nretry: 10\nevent: error\ndata:first\ndata:  second\ndata\n\n"
    "event: lost its data\n\nunknown\ndata: last without its empty line"
).encode()
EVENTS = [
    ("", "ä🙂".encode()),
    ("error", b"first\n second\n"),
    ("", b"last without its empty line"),
]


def parse(*pieces: bytes) -> list[Event]:
    parser = SSEParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return [*events, *parser.close()]


@pytest.mark.parametrize("at", range(len(STREAM) + 1))
def test_a_stream_split_anywhere_gives_the_same_events(at: int) -> None:
    assert parse(STREAM[:at], STREAM[at:]) == EVENTS


def test_a_stream_in_single_bytes_gives_the_same_events() -> None:
    assert parse(*(bytes([byte]) for byte in STREAM)) == EVENTS


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    parser, piece = SSEParser(), b"x" * (MAX_EVENT_BYTES // 4)
    for _ in range(4):
        parser.feed(piece)

    with pytest.raises(ValueError, match="an event of more than"):
        parser.feed(piece)
