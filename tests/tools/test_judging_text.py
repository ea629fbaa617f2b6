"""Arguments as rails read them are what `json.dumps` makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.tools import judging

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), plain, max_size=4))
def test_the_text_of_arguments_is_that_of_json(value: dict[str, Any]) -> None:
    assert judging._as_text(value) == json.dumps(value, ensure_ascii=False)


def test_without_the_encoder_in_c_the_text_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)
    value = {"größe": [1, 2.5, None, True, "\u2028"], "a": {}}

    assert judging._encoder()(value) == json.dumps(value, ensure_ascii=False)


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        judging._as_text({"a": object()})
