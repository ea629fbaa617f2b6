"""Schema and repair: what fits, what is mended, and that nothing is made up."""

from __future__ import annotations

import json
import sys
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from segue.base.errors import UserError
from segue.context import Allow, Block, Rewrite, RunContext
from segue.guards import Subject, judge, matches_schema
from segue.guards.repair import repaired_json

SCHEMA = {
    "type": "object",
    "properties": {"total": {"type": "number"}, "items": {"type": "array", "items": {"type": "string"}}},
    "required": ["total"],
    "additionalProperties": False,
}


class Reply(BaseModel):
    total: float
    due: date | None = None


async def verdict(ctx: RunContext[Any], text: str, schema: Any = None, value: Any = None, **options: Any) -> Any:
    check = matches_schema(schema or SCHEMA, **options)
    return (await judge([check], Subject(place="output", text=text, value=value), ctx)).verdict


@pytest.mark.parametrize("schema", [SCHEMA, Reply])
async def test_json_that_fits_is_allowed_as_it_stands(ctx: RunContext[Any], schema: Any) -> None:
    assert await verdict(ctx, '{"total": 3}', schema) == Allow()
    assert await verdict(ctx, "", schema, value={"total": 3}) == Allow()


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"total": 3}\n```',
        'Here it is:\n```\n{"total": 3,}\n```\nAnything else?',
        'The answer is {"total": 3}, I think.',
        "{'total': 3}",
        '{"total": 3,\n}',
        '[note] {"total": 3}',
        '\ufeff{"total": 3}',
    ],
)
async def test_json_that_is_nearly_written_is_mended(ctx: RunContext[Any], text: str) -> None:
    said = await verdict(ctx, text)

    assert isinstance(said, Rewrite)
    assert json.loads(said.value) == {"total": 3}


async def test_quotes_within_quotes_are_kept(ctx: RunContext[Any]) -> None:
    said = await verdict(ctx, """{'total': 1, "items": ['say "x", it\\'s', "True, ]"],}""")

    assert json.loads(said.value) == {"total": 1, "items": ['say "x", it\'s', "True, ]"]}


@pytest.mark.parametrize(
    "text",
    ['{"total": 3', '{"total": ', "total: 3", "", "[" * 5000, '{"total": NaN}', '{"total" 3}', "{" * 100_000],
)
async def test_what_would_have_to_be_guessed_is_blocked(ctx: RunContext[Any], text: str) -> None:
    assert await verdict(ctx, text) == Block("it is no JSON, nor nearly", "matches_schema")


@pytest.mark.parametrize(
    ("schema", "text", "said"),
    [
        (SCHEMA, "{}", "/ (required ['total'])"),
        (SCHEMA, '{"total": "secret-value"}', "/total (type number)"),
        (SCHEMA, '{"total": 1, "items": ["a", 5]}', "/items/1 (type string)"),
        (Reply, '{"total": "3"}', "/total (float_type)"),
        (Reply, '{"total": 3, "due": "soon"}', "/due (date_parsing)"),
    ],
)
async def test_what_does_not_fit_is_blocked_and_the_place_named(
    ctx: RunContext[Any], schema: Any, text: str, said: str
) -> None:
    found = await verdict(ctx, text, schema)

    assert found == Block(f"it does not fit the schema: {said}", "matches_schema")
    assert "secret-value" not in found.reason


async def test_without_repair_only_json_is_json(ctx: RunContext[Any]) -> None:
    assert await verdict(ctx, "{'total': 3}", repair=False) == Block("it is no JSON", "matches_schema")


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, int, "text"])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(UserError, match="matches_schema"):
        matches_schema(schema)


def test_a_json_schema_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)

    with pytest.raises(UserError, match="pip install jsonschema"):
        matches_schema(SCHEMA)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    data=st.dictionaries(st.text(max_size=4), JSON, min_size=1, max_size=3),
    around=st.sampled_from(["", "So: ", "```json\n"]),
)
def test_repair_gives_back_the_very_data(data: dict[str, Any], around: str) -> None:
    text = around + json.dumps(data) + ("\n```" if "`" in around else "")

    assert repaired_json(text) == data
    if "\\" not in repr(data):
        assert repaired_json(text.replace(json.dumps(data), repr(data))) == data


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.sampled_from("{}[]'\",:tru1 \\`\n"), max_size=40))
async def test_any_text_is_allowed_rewritten_to_what_fits_or_blocked(ctx: RunContext[Any], text: str) -> None:
    said = await verdict(ctx, text, {"type": "object"})

    if isinstance(said, Rewrite):
        assert await verdict(ctx, said.value, {"type": "object"}) == Allow()
    else:
        assert isinstance(said, Allow | Block)
