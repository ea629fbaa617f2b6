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
_LOOKALIKE = re.compile("[\u0370-\u03ff\u0400-\u052f\u0261\u0131\u2113]")
_LATIN = re.compile("[A-Za-z]")
_LEET = str.maketrans("0134578@$!|", "oieastbasil")
_LEET_AT = re.compile(r"[0134578@$!|](?<=[A-Za-z].)(?=[A-Za-z])|[0134578@$!|](?=[A-Za-z])(?<![0-9A-Za-z].)")
_SPACED = re.compile(r"[A-Za-z](?<!\S.)[ .\-_*](?:[A-Za-z][ .\-_*]){3,}[A-Za-z](?![A-Za-z])")
_GAPS = re.compile(r"[ \t][ \t]+|\t")
_BASE64 = re.compile(r"[A-Za-z0-9+/](?<![A-Za-z0-9+/].)[A-Za-z0-9+/]{23,4000}={0,2}")
_HEX = re.compile(r"[0-9a-fA-F](?<![0-9a-zA-Z].)(?:[0-9a-fA-F]{2}){11,2000}[0-9a-fA-F](?![0-9a-zA-Z])")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2}){8,}|(?:\\u00[0-9a-fA-F]{2}){6,}|(?:&#x?[0-9a-fA-F]{2,4};){6,}")
_ROT13 = ("vtaber", "qvfertneq", "sbetrg", "cerivbhf", "vafgehpgvba", "flfgrz cebzcg", "erirny")
_BACKWARDS = ("snoitcurtsni", "erongi", "tpmorp metsys", "draggersid", "suoiverp", "laever")
"""Words of an attack as they look so."""


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
    if _LOOKALIKE.search(plain):
        plain = re.sub(r"\S+", _as_latin, plain)
    hidden = f"{tags} {_decoded(plain)}"
    return Unveiled(_flat(_spelt_out(plain)), bool(tags), unseen + turned, _flat(hidden))


def _flat(text: str) -> str:
    return _GAPS.sub(" ", text.lower()).strip()


def _as_latin(word: re.Match[str]) -> str:
    """A word of two scripts in one."""
    return word[0].translate(_LOOKS) if _LATIN.search(word[0]) and _LOOKALIKE.search(word[0]) else word[0]


def _spelt_out(text: str) -> str:
    """Digits that stand for letters within words, and words that are written letter by letter, as they are read."""
    if _SPACED.search(text):
        apart = re.sub(r"(?<=\S)(?: {2,}| / )(?=\S)", "\n", text)  # between words the gap is wider than between letters
        text = _SPACED.sub(lambda match: re.sub(r"[ .\-_*]", "", match[0]), apart).replace("\n", " ")
    if len(_LEET_AT.findall(text)) >= 4:
        words = [word.translate(_LEET) for word in text.split() if _LEET_AT.search(word)]
        if sum(word.strip(".,;:?").isalpha() for word in words) >= 3:
            text += "\n" + " ".join(word.translate(_LEET) if _LEET_AT.search(word) else word for word in text.split())
    return text


def _decoded(text: str) -> str:
    """What base64, hex, escapes, ROT13 and writing backwards hide, each once."""
    found = [_bytes(match[0], "base64") for match in _BASE64.finditer(text)]
    found += [_bytes(match[0], "hex") for match in _HEX.finditer(text)]
    for match in _ESCAPED.finditer(text) if "%" in text or "\\u00" in text or "&#" in text else ():
        whole = match[0]
        base = 10 if whole.startswith("&#") and "x" not in whole else 16
        codes = re.findall(r"(?:%|\\u00|&#x?)([0-9a-fA-F]{2,4})", whole)
        found.append("".join(chr(int(each, base)) for each in codes if base == 16 or each.isdigit()))
    lowered = text.lower()
    if any(word in lowered for word in _ROT13):
        found.append(codecs.decode(text[:4000], "rot13"))
    if any(word in lowered for word in _BACKWARDS):
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
