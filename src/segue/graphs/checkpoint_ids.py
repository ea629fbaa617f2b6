"""What checkpoints are stamped with: the time, and ids, UUIDs of version 6 that sort by when they were made.

They are what LangGraph makes, without its objects. The last time that LangGraph gave out an id for is looked at and
set, so that ids of both rise together, also where the machine's clock is set back.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

from langgraph.checkpoint.base import id as langgraph_ids

_SINCE_1582 = 0x01B21DD213814000
"""Of 100 ns each, from where such UUIDs begin to count up to 1970."""
_second = (0, "")
"""The second that was last written, and its text."""


def now_text() -> str:
    """The time in UTC as `datetime.isoformat` writes it; that asks the time zone each time."""
    global _second
    seconds, micro = divmod(time.time_ns() // 1000, 1_000_000)
    known, text = _second
    if known != seconds:
        text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
        _second = (seconds, text)
    return f"{text}.{micro:06d}+00:00"


def new_checkpoint_id(step: int) -> str:
    """A new id, above all that were made in this process before; `step` is its sequence number, as LangGraph has it."""
    at = time.time_ns() // 100 + _SINCE_1582
    last = langgraph_ids._last_v6_timestamp
    if last is not None and at <= last:
        at = last + 1
    langgraph_ids._last_v6_timestamp = at  # type: ignore[assignment]
    digits = f"{at >> 12:012x}"
    return f"{digits[:8]}-{digits[8:]}-6{at & 0xFFF:03x}-{step & 0x3FFF | 0x8000:04x}-{random.getrandbits(48):012x}"
