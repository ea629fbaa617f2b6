"""Canaries: words that stand where nobody should read them aloud, in an agent's instructions or in a memory row.

A text with one in it, plain or in one of the writings in which a model is talked into smuggling it out, is blocked:
whoever made the model say it has made it say more. A canary is a word that occurs nowhere else: `new_canary()`.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import quote

from segue.base.errors import UserError
from segue.base.ids import new_id
from segue.context.decisions import Allow, Block, Decision
from segue.guards.rail import Place, Rail, checked_places
from segue.guards.texts import TextRail

LEAST = 12
"""Characters of a canary: shorter ones occur by chance."""
_PART = 12
"""So many characters of an encoded one in a row give it away."""
_NOT_SAID = re.compile(r"[^0-9a-z]")
_RUNS = re.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")


def new_canary() -> str:
    """A word for the instructions of an agent: it looks like an id, and occurs nowhere else."""
    return new_id("ref")


def no_canaries(words: str | Iterable[str], *, places: Iterable[Place] = ("output", "tool_call", "plan")) -> Rail:
    """Block what holds one of these words: plain, spelt apart, backwards, as hex, base64, rot13 or in percent codes.

    Raises:
        UserError: There is none, one is too short, or a place is unknown.
    """
    held = [words] if isinstance(words, str) else list(words)
    if not held:
        raise UserError("no_canaries needs a word; make one with new_canary() and put it into the instructions")
    for word in held:
        if len(_said(word)) < LEAST:
            raise UserError(f"a canary has at least {LEAST} letters and digits; {word!r} occurs by chance")
    return _Canaries(held, places)


class _Canaries(TextRail):
    name = "no_canaries"

    def __init__(self, words: list[str], places: Iterable[Place]) -> None:
        self.places = checked_places(places, self.name)
        longest = max(map(len, words))
        self.window = 8 * longest + 64
        self._said = [_said(word) for word in words]
        self._parts = {part for word in words for part in _encoded(word)}

    def look(self, text: str, before: str = "") -> Decision:
        plain = unicodedata.normalize("NFKC", text).lower()
        said = _said(plain)
        if any(word in said or word[::-1] in said for word in self._said):
            return Block("it holds what must not be said", self.name)
        if any(part in plain for part in self._parts) or self._decoded(text):
            return Block("it holds what must not be said, encoded", self.name)
        return Allow()

    def _decoded(self, text: str) -> bool:
        """Whether a run of base64 says it, however far from its beginning."""
        for run in _RUNS.findall(text):
            for skip in range(4):
                piece = run[skip:].rstrip("=")
                try:
                    raw = base64.b64decode(piece[: len(piece) // 4 * 4].replace("-", "+").replace("_", "/"))
                except ValueError:
                    continue
                said = _said(raw.decode("latin-1").lower())
                if any(word in said for word in self._said):
                    return True
        return False


def _said(text: str) -> str:
    """Letters and digits alone: what stands between them is left out."""
    return _NOT_SAID.sub("", text.lower())


def _encoded(word: str) -> set[str]:
    """How it looks as hex, in rot13 and in percent codes; parts of these, since a part gives it away."""
    raw = word.encode()
    rot13 = codecs.encode(word, "rot13").lower()
    codes = "".join(f"%{byte:02x}" for byte in raw)
    found = {raw.hex(), " ".join(f"{byte:02x}" for byte in raw), rot13, codes, quote(word).lower()}
    return {each for each in found if len(each) >= _PART}
