"""How long a server says that something lasts: what the headers of its limits hold, in any of their spellings."""

from __future__ import annotations

import time

_EPOCH_S = 1e9
"""A length of time is shorter than this; what is not is a point in time, in seconds since 1970."""


def reset_s(text: str) -> float:
    """Seconds in `6m0s`, `1.5s`, `20ms`, plain seconds, or until a time in RFC 3339 or in seconds since 1970.

    Raises:
        ValueError: It is none of these.
    """
    text = text.strip()
    if "T" in text:
        from datetime import datetime

        return max(0.0, datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - time.time())
    units = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    seconds, number, at = 0.0, "", 0
    while at < len(text):
        if text[at].isdigit() or text[at] == ".":
            number += text[at]
            at += 1
            continue
        unit = "ms" if text.startswith("ms", at) else text[at]
        if unit not in units or not number:
            raise ValueError(f"not a length of time: {text!r}")
        seconds += float(number) * units[unit]
        number, at = "", at + len(unit)
    seconds += float(number) if number else 0.0
    return seconds if seconds < _EPOCH_S else max(0.0, seconds - time.time())
