"""Spans: whatever becomes of a list, ranges of the old one and what is new make up the new one."""

from __future__ import annotations

from operator import eq
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.memory.savers.spans import Keep, New, add, cut, difference, length, triples

ITEMS = [[n] for n in range(8)]
LISTS = st.lists(st.sampled_from(ITEMS), max_size=12)


@given(old=LISTS, new=LISTS, by_value=st.booleans())
def test_a_difference_makes_up_the_new_list(old: list[Any], new: list[Any], by_value: bool) -> None:
    pieces = difference(old, new, same=eq) if by_value else difference(old, new)

    made: list[Any] = []
    for piece in pieces:
        source = old if isinstance(piece, Keep) else new
        made += source[piece.start : piece.stop]
    assert made == new


@given(old=LISTS, more=LISTS)
def test_what_is_appended_alone_is_new(old: list[Any], more: list[Any]) -> None:
    pieces = difference(old, [*old, *more])

    assert [piece for piece in pieces if isinstance(piece, New)] == ([New(len(old), len(old) + len(more))] * bool(more))


@given(data=st.data(), lengths=st.lists(st.integers(1, 5), max_size=6))
def test_a_cut_of_spans_is_the_cut_of_their_list(data: st.DataObject, lengths: list[int]) -> None:
    spans: list[int] = []
    for lineage, size in enumerate(lengths):
        add(spans, lineage % 3, 10 * lineage, 10 * lineage + size)
    whole = [(lineage, at) for lineage, start, stop in triples(spans) for at in range(start, stop)]
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))

    found = cut(spans, start, stop)

    assert [(lineage, at) for lineage, a, b in triples(found) for at in range(a, b)] == whole[start:stop]
    assert length(found) == stop - start
