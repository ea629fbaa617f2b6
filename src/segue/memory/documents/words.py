"""Words of a text: what is indexed and what is asked for are taken apart in the same way."""

from __future__ import annotations

import re

from segue.base.patterns import lazy_pattern

_WORD = lazy_pattern(r"[^\W_]+", re.UNICODE)
_UNSTORABLE = lazy_pattern("[\x00\ud800-\udfff]")
_LINK = lazy_pattern(r"\[([^\]\n]*)\]\([^)\s]*\)")


def words(text: str) -> list[str]:
    """The words of the text in lower case, in order, stop words included."""
    return [match.group().lower() for match in _WORD.finditer(text)]


STOP_WORDS = frozenset(
    words("""
    a about above after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further had has have having he her here hers him his how
    i if in into is it its just may me might more most must my no nor not now of off on once only or other our ours
    out over own please same shall she should so some such tell than that the their them then there these they this
    those through to too under until up us very was we were what when where which while who whom why will with would
    you your yours
    """)
)
"""English words that say nothing of what a text is about."""


def said(text: str) -> str:
    """What the text says to a reader: without the targets of Markdown links, which repeat the words of other pages."""
    return _LINK.sub(r"\1", text)


def storable(text: str) -> str:
    """The text as every store takes it: half characters and the character 0 give way to the mark for such."""
    return _UNSTORABLE.sub("\ufffd", text)
