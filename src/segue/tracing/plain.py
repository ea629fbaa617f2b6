"""Plain text: the same text without what hides a secret from a pattern, and the way back to where things stood.

Characters that nobody sees are left out, and full-width letters and digits become ordinary ones, one for one.
"""

from __future__ import annotations

from collections.abc import Callable

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding

_HIDDEN = lazy_pattern(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]"
)
_WIDE = {each: each - 0xFEE0 for each in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_WIDE_HINT = lazy_pattern("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff20]")


def seen_plainly(text: str, find: Callable[[str], list[Finding]]) -> list[Finding]:
    """What `find` finds in the plain text, at the places where it stands in the text itself."""
    hidden = None if text.isascii() else _HIDDEN.search(text)
    if not text.isascii() and _WIDE_HINT.search(text):
        text = text.translate(_WIDE)
    if hidden is None:
        return find(text)
    places = [index for index, char in enumerate(text) if not _HIDDEN.match(char)]
    found = find("".join([text[index] for index in places]))
    return [each._replace(start=places[each.start], end=places[each.end - 1] + 1) for each in found]
