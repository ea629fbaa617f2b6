"""Terms: a text in, what it is found by out, in ASCII.

Every index keeps these terms beside the text and is asked for them, so that a question finds the same passages whatever
server holds them: what that server makes of accents, alphabets and inflections of its own does not come into it. A word
loses its accents and its English endings; what is left of other alphabets is written in hexadecimal. Chinese and
Japanese, which put no spaces, are cut into pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from segue.base.patterns import lazy_pattern
from segue.memory.documents.stem import stem
from segue.memory.documents.words import STOP_WORDS, words

MAX_TERMS = 20_000
"""Of one chunk; a longer one is a single line of a machine's, and is found by its beginning."""
_MAX_WORD = 64
_MAX_QUERY_TERMS = 48
_UNSPACED = lazy_pattern(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_SOUND_MARKS = "\u3099\u309a"
"""Of Japanese: they make another letter, not an accent."""


def terms(text: str) -> list[str]:
    """The terms of a text in its order, each as often as it stands there."""
    return [term for word in words(_folded(text)) for term in _terms_of(word)][:MAX_TERMS]


def query_terms(text: str) -> list[str]:
    """What a question looks for, each once. Stop words are left out unless there is nothing else."""
    asked = list(dict.fromkeys(words(_folded(text))))
    telling = [word for word in asked if word not in STOP_WORDS] or asked
    return list(dict.fromkeys(term for word in telling for term in _terms_of(word)))[:_MAX_QUERY_TERMS]


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(each for each in parts if not unicodedata.combining(each) or each in _SOUND_MARKS)
    return unicodedata.normalize("NFC", kept)


@lru_cache(maxsize=50_000)
def _terms_of(word: str) -> tuple[str, ...]:
    if word.isascii():
        return (stem(word) if word.isalpha() and len(word) <= _MAX_WORD else word[:_MAX_WORD],)
    found: list[str] = []
    for part in re.split(f"({_UNSPACED.pattern})", word):
        if _UNSPACED.fullmatch(part) and len(part) > 1:
            found.extend(_hex(part[at : at + 2]) for at in range(len(part) - 1))
        elif part:
            found.append(_hex(part[:_MAX_WORD]) if not part.isascii() else part[:_MAX_WORD])
    return tuple(found)


def _hex(part: str) -> str:
    return "u" + part.encode("utf-8", "ignore").hex()
