"""Text: words, stems and content words of a request or a schema.

Goes in: any text. Comes out: tokens with their place in the text, and stems by which two spellings of one word
meet ("refunds", "refunded", "refund"). What a word means is left to `words`, where it counts to `select` and `fill`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from segue.router.offline.words import STOP

MAX_CHARS = 20_000
"""How much of one request is read; the answer says so where more was given."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W\d_]+)?")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Token:
    """One word and where it stands."""

    text: str
    start: int
    end: int

    @property
    def lower(self) -> str:
        """The word in small letters, with a straight apostrophe."""
        return self.text.lower().replace("\u2019", "'")

    @property
    def stem(self) -> str:
        """The stem of the word."""
        return stem(self.text)


def tokens(text: str) -> list[Token]:
    """The words of a text in order; `order_id` gives two."""
    return [Token(m.group(), m.start(), m.end()) for m in _WORD.finditer(text)]


def identifier_words(name: str) -> list[str]:
    """The words of an identifier: `getOrder_byId` gives get, order, by, id."""
    return [word.lower() for word in re.split(r"[\W_]+", _CAMEL.sub(" ", name)) if word]


def stems(text: str) -> list[str]:
    """The stems of all words, identifiers taken apart, in order."""
    return [stem(word) for word in identifier_words(text)]


def content_stems(text: str, *, apart: bool = True) -> list[str]:
    """The stems of the words that say something: no stop words, each once, in order; `apart` takes camelCase apart."""
    seen: dict[str, None] = {}
    for token in tokens(_CAMEL.sub(" ", text) if apart else text):
        if token.lower not in STOP and token.lower.removesuffix("'s") not in STOP and len(token.text) > 1:
            seen.setdefault(token.stem)
    return list(seen)


@lru_cache(maxsize=30_000)
def stem(word: str) -> str:
    """A light stem: plural, -ing, -ed, -ation, -ment, -ly, final e and doubled letters are taken off."""
    w = word.lower().replace("\u2019", "'")
    w = w.removesuffix("'s")
    if len(w) <= 3:
        return w
    w = _singular(w)
    for suffix, left in (("ing", 3), ("ied", 2), ("ed", 3), ("ation", 4), ("ment", 4), ("ion", 5), ("ly", 4)):
        if w.endswith(suffix) and len(w) - len(suffix) >= left:
            w = w[: -len(suffix)] + ("y" if suffix == "ied" else "")
            w = w[:-2] if suffix == "ied" and w.endswith("ly") and len(w) >= 6 else w
            break
    if w.endswith("ate") and len(w) >= 7:
        w = w[:-3]
    if w.endswith("ery") and len(w) >= 7:
        w = w[:-1]
    w = w[:-3] + "iz" if w.endswith("ise") and len(w) > 5 else w
    w = w[:-1] if len(w) > 3 and w.endswith("e") else w
    return w[:-1] if len(w) > 3 and w[-1] == w[-2] else w


def _singular(w: str) -> str:
    if w.endswith("ies") and len(w) > 4:
        return w[:-3] + "y"
    if w.endswith(("sses", "xes", "ches", "shes", "zes")):
        return w[:-2]
    if w.endswith("s") and not w.endswith(("ss", "us", "is")):
        return w[:-1]
    return w


def akin(left: str, right: str) -> bool:
    """Whether two stems are most likely of one family: a long shared beginning and short different ends."""
    if len(left) < 5 or len(right) < 5 or left[:5] != right[:5]:
        return False
    shared = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
    return len(left) - shared <= 3 and len(right) - shared <= 3


def words_of(name: str) -> str:
    """An identifier as words for a person: `order_id` gives "order id"."""
    return " ".join(identifier_words(name)) or name


def first_sentence(text: str) -> str:
    """The first sentence of a description on one line, without its full stop."""
    line = " ".join(text.split())
    found = re.match(r"(.+?(?<!\be\.g)(?<!\bi\.e)(?<!\betc)[.!?])(?:\s|$)", line)
    return (found.group(1) if found else line)[:300].rstrip(".!? ")
