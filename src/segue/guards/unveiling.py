"""Unveiling: what a model may read in a text although a person does not, or reads something else. Text in, text out.

Hidden tag characters are spelt out, characters that nobody sees are taken out, letters of other scripts that look Latin
and digits that stand for letters become Latin, and what is encoded once is decoded and put behind the text.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from dataclasses import dataclass

_UNSEEN = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u2060-\u2064\ufeff\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TAGS = re.compile("[\U000e0020-\U000e007e]{6,}")
_LOOKS = str.maketrans(
    "аеорсухіјѕԁһԛԝьмктнвАЕОРСУХІЈЅНВКМТαεορυνικτΑΕΟΡΤΥΝΙΚΒΗΜΖΧɡıℓ",
    "aeopcyxijsdhqwbmktHBAEOPCYXIJSHBKMTaeopuvikt" "AEOPTYNIKBHMZXgil",
)  # fmt: skip
_MIXED = re.compile(r"(?=[^\s]{0,24}[A-Za-z])(?=[^\s]{0,24}[\u0370-\u03ff\u0400-\u052f\u0261\u0131\u2113])\S+")
_LEET = str.maketrans("0134578@$!|", "oieasibasil"[:0] + "oieastbasil")
_LEET_WORD = re.compile(r"[A-Za-z0134578@$!|]*(?:[A-Za-z][0134578@$!|]|[0134578@$!|][A-Za-z])[A-Za-z0134578@$!|]*")
_SPACED = re.compile(r"(?<!\S)(?:[A-Za-z][ .\-_*]){4,}[A-Za-z](?![A-Za-z])")
_BASE64 = re.compile(r"[A-Za-z0-9+/](?<![A-Za-z0-9+/].)[A-Za-z0-9+/]{23,4000}={0,2}")
_HEX = re.compile(r"[0-9a-fA-F](?<![0-9a-zA-Z].)(?:[0-9a-fA-F]{2}){11,2000}[0-9a-fA-F](?![0-9a-zA-Z])")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2}){8,}|(?:\\u00[0-9a-fA-F]{2}){6,}|(?:&#x?[0-9a-fA-F]{2,4};){6,}")
_ROT13 = re.compile(
    r"\b(?:vtaber|qvfertneq|sbetrg|cerivbhf|vafgehpgvbaf?|flfgrz|cebzcg|erirny|cnffjbeq)\b", re.IGNORECASE
)
_BACKWARDS = re.compile(r"snoitcurtsni|erongi|tpmorp|draggersid|suoiverp|drowssap|laever", re.IGNORECASE)


@dataclass(frozen=True)
class Unveiled:
    """A text as a model may read it."""

    text: str
    """In lower case, with one space between words."""
    tagged: bool = False
    """Whether tag characters spelt something."""
    veiled: int = 0
    """How many characters nobody sees, or turn the direction of writing."""
    decoded: str = ""
    """What was encoded in it, in lower case."""


def unveil(text: str) -> Unveiled:
    """The text as a model may read it; what it hides is decoded once."""
    if text.isascii():
        return Unveiled(_flat(_spelt_out(text)), decoded=_flat(_decoded(text)))
    tags = "".join("".join(chr(ord(char) - 0xE0000) for char in match[0]) for match in _TAGS.finditer(text))
    unseen, turned = len(_UNSEEN.findall(text)), len(_BIDI.findall(text))
    plain = _BIDI.sub("", _UNSEEN.sub("", _TAGS.sub(" ", text)))
    plain = unicodedata.normalize("NFKC", plain)
    plain = _MIXED.sub(lambda match: match[0].translate(_LOOKS), plain)
    hidden = f"{tags} {_decoded(plain)}"
    return Unveiled(_flat(_spelt_out(plain)), bool(tags), unseen + turned, _flat(hidden))


def _flat(text: str) -> str:
    return re.sub(r"[ \t]+", " ", text.lower()).strip()


def _spelt_out(text: str) -> str:
    """Digits that stand for letters within words, and words that are written letter by letter, as they are read."""
    if _SPACED.search(text):
        text = _SPACED.sub(
            lambda match: re.sub(r"[ .\-_*]", "", match[0]), re.sub(r"(?<=\S)(?: {2,}| / )(?=\S)", "\n", text)
        )
        text = text.replace("\n", " ") if text.count("\n") < 64 else text
    words = _LEET_WORD.findall(text)
    if sum(word.translate(_LEET).isalpha() and not word.isalpha() for word in words) >= 3:
        text += "\n" + _LEET_WORD.sub(lambda match: match[0].translate(_LEET), text)
    return text


def _decoded(text: str) -> str:
    """What base64, hex, escapes, ROT13 and writing backwards hide, each once."""
    found = []
    for match in _BASE64.finditer(text):
        found.append(_bytes(match[0], "base64"))
    for match in _HEX.finditer(text):
        found.append(_bytes(match[0], "hex"))
    for match in _ESCAPED.finditer(text):
        digits = re.findall(r"(?:%|\\u00|&#x?)([0-9a-fA-F]{2,4})", match[0])
        found.append("".join(chr(int(each, 16 if "&#" not in match[0] or "x" in match[0] else 10)) for each in digits))
    if _ROT13.search(text):
        found.append(codecs.decode(text[:4000], "rot13"))
    if _BACKWARDS.search(text):
        found.append(text[:4000][::-1])
    return " ".join(each for each in found if each)


def _bytes(coded: str, how: str) -> str:
    """The words behind a code; empty where it holds none."""
    try:
        if how == "hex":
            raw = bytes.fromhex(coded[: len(coded) // 2 * 2])
        else:
            raw = base64.b64decode(coded.rstrip("=")[: len(coded.rstrip("=")) // 4 * 4])
        said = raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return said if said.count(" ") >= 2 and sum(char.isprintable() for char in said) > 0.95 * len(said) else ""
