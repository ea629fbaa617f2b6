"""Hidden text: characters that a person does not see and a model reads. Text in, text without them out.

Tag characters, bidirectional controls, zero-width characters and runs of variation selectors can carry whole
sentences. What belongs to visible writing stays: flags and joined emoji, the joiners of Arabic and Indic scripts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal

from segue.base.patterns import lazy_pattern
from segue.context.decisions import Block, Decision, Rewrite
from segue.guards.rail import Place, Rail, checked_places, makes_rail
from segue.guards.texts import ALLOW, TextRail

_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_JOINING = "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u17ff\ufb50-\ufdff\ufe70-\ufefc"
_KEPT = (
    "\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}\U000e007f"  # a flag
    f"|(?<=[{_EMOJI}])[\ufe0e\ufe0f]"  # text or colour
    "|(?<=[0-9#*])\ufe0f(?=\u20e3)"  # a key
    f"|(?<=[{_EMOJI}])\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_EMOJI}]\ufe0f)\u200d(?=[{_EMOJI}])"
    f"|(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    "|(?<=[\u3400-\u9fff])[\U000e0100-\U000e0103]"  # which form of a Chinese character
)
_HIDDEN = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_FIND = lazy_pattern(f"(?P<kept>{_KEPT})|[{_HIDDEN}]")


@makes_rail
def no_hidden_text(
    *,
    action: Literal["rewrite", "block"] = "rewrite",
    places: Iterable[Place] = ("input", "output", "tool_call", "tool_result"),
) -> Rail:
    """Take out characters that nobody sees, or block text that has some."""
    return _Hidden(action == "block", places)


def visible(text: str) -> str:
    """The text without its hidden characters."""
    if text.isascii():
        return text
    return _FIND.sub(lambda found: found["kept"] or "", text)


class _Hidden(TextRail):
    name = "no_hidden_text"
    window = 64

    def __init__(self, block: bool, places: Iterable[Place]) -> None:
        self._block, self.places = block, checked_places(places, self.name)

    def look(self, text: str, before: str = "") -> Decision:
        shown = text if text.isascii() else visible(text)
        if shown == text:
            return ALLOW
        gone = set(text) - set(shown) or {"\ufe0f"}
        kinds = "tag characters" if any(each >= "\U000e0000" for each in gone) else _called(min(gone))
        reason = f"{len(text) - len(shown)} hidden characters ({kinds})"
        return Block(reason, self.name) if self._block else Rewrite(shown, f"{reason} taken out", self.name)


def _called(character: str) -> str:
    return unicodedata.name(character, f"U+{ord(character):04X}").lower()
