"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from segue.base.patterns import lazy_pattern


def test_a_pattern_finds_what_the_compiled_one_finds() -> None:
    pattern = lazy_pattern(r"(?P<key>[a-z]+)=(\d+)", re.IGNORECASE)

    for _ in range(2):
        assert [match["key"] for match in pattern.finditer("A=1 b=2")] == ["A", "b"]
    assert pattern.sub("x", "A=1") == "x"
    assert pattern.fullmatch("A=") is None
    assert pattern.pattern == r"(?P<key>[a-z]+)=(\d+)"


def test_a_pattern_is_not_compiled_before_it_is_used() -> None:
    pattern = lazy_pattern("(")

    with pytest.raises(re.error):
        pattern.search("text")
