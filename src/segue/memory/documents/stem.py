"""Stemming: an English word in lower case in, what it shares with its inflections out.

The algorithm is Porter's (M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980), as SQLite's FTS5 has
it too. It is here so that every index takes the same words apart in the same way, whatever its own server can do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MEASURE = re.compile("v+c+")
_SHORT = 3
"""A shorter word is its own stem."""

_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"), ("logi", "log"),
    ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"),
    ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous"),
    ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a word of the letters a to z."""
    if len(word) < _SHORT:
        return word
    word = _endings(_plural(word))
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _STEP_2)
    word = _replaced(word, _STEP_3)
    word = _stripped(word)
    if word.endswith("e") and _drops_e(word[:-1]):
        word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


def _shape(word: str) -> str:
    """Vowels and consonants: `v` or `c` for each letter; a `y` after a consonant is a vowel."""
    shape = ""
    for letter in word:
        vowel = letter in "aeiou" or (letter == "y" and shape[-1:] == "c")
        shape += "v" if vowel else "c"
    return shape


def _measure(word: str) -> int:
    """How often vowels are followed by consonants."""
    return len(_MEASURE.findall(_shape(word)))


def _ends_short(word: str) -> bool:
    """Whether it ends in consonant, vowel, consonant, the last of them not w, x or y."""
    return _shape(word).endswith("cvc") and word[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _endings(word: str) -> str:
    """Without `-ed` and `-ing`, the end mended after them."""
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix) and "v" in _shape(word[: -len(suffix)]):
            return _mended(word[: -len(suffix)])
    return word


def _mended(word: str) -> str:
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if len(word) > 1 and word[-1] == word[-2] and _shape(word).endswith("c") and word[-1] not in "lsz":
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _ends_short(word) else word


def _replaced(word: str, rules: Sequence[tuple[str, str]]) -> str:
    """The longest suffix of the rules replaced, where enough is left before it."""
    fits = [rule for rule in rules if word.endswith(rule[0])]
    if not fits:
        return word
    suffix, instead = max(fits, key=lambda rule: len(rule[0]))
    kept = word[: -len(suffix)]
    return kept + instead if _measure(kept) > 0 else word


def _stripped(word: str) -> str:
    fits = [suffix for suffix in _STEP_4 if word.endswith(suffix)]
    if not fits:
        return word
    suffix = max(fits, key=len)
    kept = word[: -len(suffix)]
    if suffix == "ion" and not kept.endswith(("s", "t")):
        return word
    return kept if _measure(kept) > 1 else word


def _drops_e(word: str) -> bool:
    measure = _measure(word)
    return measure > 1 or (measure == 1 and not _ends_short(word))
