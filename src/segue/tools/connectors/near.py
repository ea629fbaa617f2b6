"""Near names: what was written and what there is in, a hint at what was meant out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, held: Iterable[str], *, shown: int = 40) -> str:
    """`did you mean …?` where something is spelled alike, and what there is."""
    names = list(held)
    lowered = {each.lower(): each for each in names}
    close = [lowered[each] for each in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.6)]
    parts = [name.lower().rstrip("s") in each or each.rstrip("s") in name.lower() for each in lowered]
    close = close or [each for each, fits in zip(names, parts, strict=True) if fits and name][:3]
    listed = ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
    return (f"did you mean {' or '.join(close)}? " if close else "") + f"There is: {listed or 'none'}"
