"""Numbers of identity: national ids, tax and insurance numbers, and what stands behind a word for one.

A text and a part of it in, findings out. Groups of letters and digits are joined step by step; the shape that comes
out (`999-99-9999`) is looked up in the tables of `ids_europe` and `ids_world`. A shape that many things have counts
only behind a word for it; one that says enough itself, where its checksum fits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from segue.base.patterns import lazy_pattern
from segue.tracing.finding import Finding
from segue.tracing.pii import checks, ids_europe, ids_world
from segue.tracing.pii.contacts import joins
from segue.tracing.pii.words import NOTHING, said

_ATOM = lazy_pattern(
    r"[A-Za-z0-9](?:(?:(?<=[0-9])|[A-Za-z]{0,7}[0-9])[A-Za-z0-9]*(?:(?<=[A-Za-z0-9]{5})|(?=["
    r" .\-/\u00a0(]{1,3}[A-Z0-9]))"
    r"|(?<=[A-Z])[A-Z]{0,4}(?=[ \-/][A-Z0-9]{0,3}[0-9]))"
)
"""A group with a digit in it that is long or goes on, or a few capitals before one."""
_NEXT = lazy_pattern(r"(?:[.\-/]|[  ]{1,2}| ?[\-/] ?)([A-Za-z0-9]+)|\(([A-Z0-9])\)")
_LONGEST = 34
"""Characters of the longest number."""
_GROUPS = 8
"""How many groups are joined to it."""
_DATE = lazy_pattern(r"(?:19|20)[0-9]{2}-[01][0-9]-[0-3][0-9](?![0-9])")
_SHAPE = str.maketrans(
    {**{chr(each): "9" for each in range(48, 58)}, **{chr(each): "A" for each in [*range(65, 91), *range(97, 123)]},
     "\u00a0": " "}
)  # fmt: skip
_PLAIN = str.maketrans("", "", " .-/()\u00a0")
_AMBIGUOUS = frozenset("it_piva ca_sin in_pan la_dni fr_nir my_ic cl_rut sg_nric za_id id_nik co_cc".split())
"""Those whose words mean something else too: behind these words as well the check has to fit."""
_SAID: dict[str, tuple[str, int, int]] = {
    "passport": ("passport", 6, 12), "license": ("license", 5, 20), "account": ("account", 6, 28),
    "id": ("national_id", 6, 20), "de_ausweis": ("national_id", 9, 11), "vin": ("vin", 17, 17),
}  # fmt: skip
"""What is taken behind a word whatever its shape: the kind, the fewest characters and the most."""

_FORMS: dict[str, list[tuple[str, bool, checks.Check | None]]] = {}
"""A shape, and which identifiers have it, whether it says enough itself, and the check."""
_BEGINNINGS: set[str] = set()


def _spelt(form: str) -> str:
    return re.sub(r"(.)\*(\d+)", lambda found: found[1] * int(found[2]), form)


def _learn() -> None:
    for name, _, forms, check in (*ids_europe.ROWS, *ids_world.ROWS):
        for form in filter(None, (each.strip() for each in forms.split(";"))):
            shape = _spelt(form.lstrip("!"))
            _FORMS.setdefault(shape, []).append((name, form.startswith("!"), check))
            _BEGINNINGS.update(shape[:size] for size in range(1, len(shape) + 1))
    for shape, alone in (("999-99-9999", True), ("999 99 9999", False), ("9" * 9, False)):
        _FORMS.setdefault(shape, []).insert(0, ("us_ssn", alone, checks.ssn))
        _BEGINNINGS.update(shape[:size] for size in range(1, len(shape) + 1))
    _FORMS.setdefault("A9AAA9A9AA9999999", [])


_learn()
_NAMES = frozenset(row[0] for row in (*ids_europe.ROWS, *ids_world.ROWS))


def identities(text: str, start: int, end: int) -> Iterator[Finding]:
    """Numbers of identity whose first character lies in this part of the text."""
    done = start
    dates = {match.start(): match.end() for match in _DATE.finditer(text, start, end)}
    for atom in _ATOM.finditer(text, start, end):
        begin = atom.start()
        if begin in dates:
            done = dates[begin]
        if begin < done or atom.end() - begin > _LONGEST or not _may_begin(text, begin):
            continue
        found = _one(text, begin, atom.end())
        if found is not None:
            yield found
            done = found.end


def _may_begin(text: str, begin: int) -> bool:
    before = text[begin - 1 : begin]
    joined = begin > 1 and text[begin - 2].isalnum()
    if before and (joins(before) or before in "_+@$€£&" or (before in ".-/\\" and joined)):
        return False
    if text.startswith(("0x", "0X"), begin):
        return False
    return before != "#" or joined


def _one(text: str, begin: int, end: int) -> Finding | None:
    """The longest identifier that begins here."""
    ends, wide = _joined(text, begin, end)
    labels: tuple[str, ...] | None = None
    for last, shape in reversed(ends):
        for name, alone, check in _FORMS.get(shape, ()):
            if _goes_on(text, last):
                break
            raw = text[begin:last]
            plain = raw.translate(_PLAIN).upper()
            fits = check is None or _fits(check, plain)
            if labels is None:
                labels = said(text, begin)
            strong = alone and fits and check is not None and raw.upper() == raw and labels != NOTHING
            if (strong and not (" " in shape and _in_a_row(text, begin, last))) or (
                name in labels and (fits or name not in _AMBIGUOUS) and not plain.startswith("000000")
            ):
                return Finding("ssn" if name == "us_ssn" else "national_id", begin, last)
    held = sum(map(str.isdigit, text[begin:wide]))
    if wide - begin < 5 or held < 3 or (held < 5 and wide - begin < 8):
        return None
    labels = said(text, begin) if labels is None else labels
    for label in labels:
        if label in _SAID:
            kind, fewest, most = _SAID[label]
            size = len(text[begin:wide].translate(_PLAIN))
            if fewest <= size <= most and not _goes_on(text, wide):
                return Finding(kind, begin, wide)
    if labels and labels[0] in _NAMES and not _AMBIGUOUS.issuperset(labels) and not _goes_on(text, wide):
        plain = text[begin:wide].translate(_PLAIN)
        if 7 <= len(plain) <= 15 and sum(map(str.isdigit, plain)) >= 6:
            return Finding("national_id", begin, wide)
    plain = text[begin:end]
    if end - begin == 17 and plain.isupper() and not _goes_on(text, end) and "A" in plain.translate(_SHAPE)[:3]:
        return Finding("vin", begin, end) if checks.vin(plain) else None
    return None


def _in_a_row(text: str, begin: int, end: int) -> bool:
    """Whether more groups of digits stand around it, so that it was cut out of something longer."""
    return text[max(0, begin - 2) : begin].strip(" ").isdigit() or text[end : end + 2].strip(" ").isdigit()


def _fits(check: checks.Check, plain: str) -> bool:
    try:
        return check(plain)
    except (ValueError, IndexError, KeyError):
        return False


def _joined(text: str, begin: int, end: int) -> tuple[list[tuple[int, str]], int]:
    """The ends of what begins here and joins to a known beginning, with its shapes; and where the number may end."""
    whole = text[begin : begin + _LONGEST].translate(_SHAPE)
    shape = whole[: end - begin]
    ends = [(end, shape)] if shape in _BEGINNINGS else []
    known, wide, digits = bool(ends), end, "9" in shape
    for _ in range(_GROUPS):
        following = _NEXT.match(text, end)
        if following is None or following.end() - begin > _LONGEST:
            break
        group = whole[end - begin : following.end() - begin]
        numeric = "9" in group
        if not numeric and not (len(group) <= 4 and (following[1] or following[2]).isupper()):
            break
        size, end = len(group), following.end()
        if known:
            shape = whole[: end - begin]
            known = shape in _BEGINNINGS
            if known:
                ends.append((end, shape))
        if (numeric and (digits or size > 4)) or (digits and group[0] in "-/"):
            wide = end
        digits = digits or numeric
    return ends, wide


def _goes_on(text: str, last: int) -> bool:
    """Whether what ends here is a part of something longer."""
    after = text[last : last + 2]
    return bool(after) and (joins(after[0]) or after[0] == "_" or (after[0] in "-/.:" and after[1:].isalnum()))
