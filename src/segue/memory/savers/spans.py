"""Spans: a list as ranges of what is stored already, and what of a new list has to be stored beside it.

A lineage is an append-only run of elements; a span is a range of one; a list is spans one after the other, kept flat as
`[lineage, start, stop, lineage, start, stop, …]`. An appended message adds to the last span; an edit, a removal or a
sliding window keeps ranges of the old list and opens new lineages for what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from operator import eq, is_
from typing import Any

Spans = list[int]
MOST_SPANS = 24
"""A list in more pieces than this is written anew."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A range of the old list."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class New:
    """A range of the new list, to be stored."""

    start: int
    stop: int


Piece = Keep | New


def difference(old: Sequence[Any], new: Sequence[Any], *, same: Any = is_) -> list[Piece]:
    """The new list as ranges of the old one and of itself; elements are compared by `same`, `is` or `==`."""
    known = len(old)
    if len(new) >= known and all(map(same, old, new)):
        return _pieces(Keep(0, known), New(known, len(new)))
    head = _run(old, new, same)
    start = 0
    if not head and new:
        start = _find(old, new[0], same)
        head = _run(old[start:], new, same)
    rest = min(known - start - head, len(new) - head)
    tail = _run(old[known - rest :][::-1], new[len(new) - rest :][::-1], same) if rest else 0
    return _pieces(Keep(start, start + head), New(head, len(new) - tail), Keep(known - tail, known))


def begins_with(new: Sequence[Any], old: Sequence[Any]) -> bool:
    """Whether the new list is the old one, element by element the very same, with or without more behind it."""
    return len(new) >= len(old) and all(map(is_, old, new))


def kept(pieces: Sequence[Piece]) -> int:
    """How many elements of the old list are kept."""
    return sum(piece.stop - piece.start for piece in pieces if isinstance(piece, Keep))


def cut(spans: Spans, start: int, stop: int) -> Spans:
    """The spans of a range of the list."""
    out: Spans = []
    at = 0
    for lineage, first, last in triples(spans):
        length = last - first
        low, high = max(start - at, 0), min(stop - at, length)
        if low < high:
            add(out, lineage, first + low, first + high)
        at += length
    return out


def add(spans: Spans, lineage: int, start: int, stop: int) -> None:
    """Put a span behind the others; one that continues the last is joined to it."""
    if spans and spans[-3] == lineage and spans[-1] == start:
        spans[-1] = stop
    else:
        spans += (lineage, start, stop)


def triples(spans: Sequence[int]) -> list[tuple[int, int, int]]:
    """Lineage, start and stop of each span."""
    return list(zip(spans[::3], spans[1::3], spans[2::3], strict=True))


def length(spans: Sequence[int]) -> int:
    """How many elements the list has."""
    return sum(spans[2::3]) - sum(spans[1::3])


def _pieces(*pieces: Piece) -> list[Piece]:
    return [piece for piece in pieces if piece.start < piece.stop]


def _run(old: Sequence[Any], new: Sequence[Any], same: Any) -> int:
    """How many elements the two have in common from the start."""
    return sum(1 for _ in takewhile(bool, map(same, old, new)))


def _find(old: Sequence[Any], wanted: Any, same: Any) -> int:
    """Where an element stands in the old list; behind its end where it does not."""
    if same is eq:
        return next((at for at, item in enumerate(old) if item == wanted), len(old))
    return next((at for at, item in enumerate(old) if item is wanted), len(old))
