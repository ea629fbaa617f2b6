"""Results are shown as they are."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.router.offline import answer

LOOK = {"type": "function", "function": {"name": "look", "description": "Look at the thing.", "parameters": {}}}


def shown(result: str) -> str:
    start = [{"role": "user", "content": "look at the thing"}]
    call = answer([LOOK], start)
    said = {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": result}
    return str(answer([LOOK], [*start, dict(call), said])["content"])


def test_numbers_keep_the_literal_that_the_tool_wrote() -> None:
    text = shown(
        '{"a": 12.50, "b": 1e5, "c": 0.1000, "d": 123456789012345678901234567890, "e": -0.0, "f": true, "g": null}'
    )

    for line in (
        "a: 12.50",
        "b: 1e5",
        "c: 0.1000",
        "d: 123456789012345678901234567890",
        "e: -0.0",
        "f: true",
        "g: null",
    ):
        assert line in text.splitlines()


def test_rows_become_a_table_with_all_of_them() -> None:
    rows = [{"name": f"n{i}", "cents": i * 100} for i in range(100)]

    text = shown(json.dumps(rows))

    assert "| name | cents |" in text
    assert all(f"| n{i} | {i * 100} |" in text for i in range(100))
    assert "more rows" not in text


def test_rows_beyond_the_limit_are_counted_openly() -> None:
    text = shown(json.dumps([{"n": i} for i in range(137)]))

    assert "… and 37 more rows" in text


def test_columns_and_rows_become_a_table() -> None:
    text = shown('{"columns": ["reason", "n"], "rows": [["late", 3], ["broken", 4.0]], "row_count": 2}')

    assert "| reason | n |" in text
    assert "| broken | 4.0 |" in text
    assert "row_count: 2" in text


def test_text_with_citations_goes_through_untouched() -> None:
    passage = "Goods  may be returned.\n\n [handbook/returns.md:12-18] | a\tb"

    assert passage in shown(passage)


def test_text_that_only_looks_like_json_goes_through_untouched() -> None:
    assert "{not json, 1.50}" in shown("{not json, 1.50}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=6), x, max_size=4),
        max_leaves=12,
    )
)
def test_every_value_of_any_json_stands_in_what_is_shown(value: Any) -> None:
    text = shown(json.dumps({"value": value}))

    for leaf in _leaves(value):
        assert re.sub(r"\s+", "", leaf) in re.sub(r"\s+", "", text)


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in [str(key), *_leaves(item)]]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value] if isinstance(value, str) else [json.dumps(value)]
