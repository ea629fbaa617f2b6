"""Whatever is JSON goes in without an error, and no mixture of requests and tools makes the model invent."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.router.offline.conversations import all_cases, calls_of
from tests.router.offline.derivable import undeclared

from segue.router.offline.engine import reply

CASES = all_cases()
TOOLS = [tool for _, tools, _ in CASES for tool in tools]
REQUESTS = sorted({text for _, _, case in CASES for text in case["say"]})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
SCRAPS = (
    "show cancel order 1042 A-17 ann@example.org the and then ; , “x” `y` in Paris on 2026-02-30 at 25:00 between 3 , "
    "don't "
    "if it ? 1. - € 1,000 %% \x00 ￿ 日本 🙂 ''"
)
words = st.sampled_from(SCRAPS.split(" "))
texts = st.text(max_size=200) | st.lists(words, max_size=30).map(" ".join) | st.sampled_from(REQUESTS)
schemas = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "odd"])
        | json_values,
        "enum": st.lists(json_values, max_size=3) | json_values,
        "pattern": st.sampled_from(["^[A-Z]+$", "[", "(a+)+$", "", r"\d{3}"]) | st.text(max_size=8),
        "format": st.sampled_from(["email", "date", "date-time", "uuid", "ipv4", "x"]),
        "minimum": json_values,
        "items": json_values | st.just({"type": "string"}) | st.just({"$ref": "#"}),
        "anyOf": st.just([{"type": "string"}, {"type": "null"}]) | json_values,
        "$ref": st.sampled_from(["#", "#/properties/x", "#/$defs/no", "x"]),
        "properties": json_values,
        "description": st.text(max_size=30) | json_values,
        "default": json_values,
    },
)
parameters = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=10) | words, schemas, max_size=4)},
    optional={"required": st.lists(words | st.text(max_size=10), max_size=3) | json_values},
)
functions = st.fixed_dictionaries(
    {"name": st.sampled_from(["get_order", "cancelOrder", "x", "", "find"]) | st.text(max_size=10)},
    optional={"description": st.text(max_size=40) | json_values, "parameters": parameters | json_values},
)
tools_given = st.lists(
    functions.map(lambda f: {"type": "function", "function": f}) | functions | json_values, max_size=4
)
tool_calls = st.lists(
    st.fixed_dictionaries(
        {"id": st.sampled_from(["a", "call_p0", "call_p1", ""])},
        optional={"function": st.fixed_dictionaries({"name": words, "arguments": st.text(max_size=20) | json_values})},
    )
    | json_values,
    max_size=2,
)
messages_given = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool", "developer", "odd"])},
        optional={
            "content": texts | json_values,
            "tool_calls": tool_calls | json_values,
            "tool_call_id": st.sampled_from(["a", "call_p0", ""]) | json_values,
            "name": st.text(max_size=5) | json_values,
            "failed": st.booleans(),
        },
    )
    | json_values,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(tools_given | json_values, messages_given | json_values, st.none() | schemas | json_values, json_values)
def test_any_json_is_answered_by_a_message_with_its_name(
    tools: Any, messages: Any, output_schema: Any, tool_choice: Any
) -> None:
    message = reply(tools, messages, output_schema, tool_choice)

    assert message["role"] == "assistant"
    assert message.get("name") == "offline-rules-1"
    assert isinstance(message["content"], str)
    for call in message.get("tool_calls", []):
        assert isinstance(json.loads(call["function"]["arguments"]), dict)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(TOOLS), max_size=8),
    st.lists(texts, min_size=1, max_size=3),
    st.sampled_from(["auto", "required"]),
)
def test_no_request_over_any_tools_is_filled_with_a_value_that_nobody_said(
    tools: list[dict[str, Any]], parts: list[str], choice: str
) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": ". ".join(parts)}]

    message = reply(tools, messages, None, choice)

    assert undeclared(calls_of(message), messages) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(TOOLS), max_size=8), texts)
def test_the_same_conversation_gives_the_same_message(tools: list[dict[str, Any]], text: str) -> None:
    messages = [{"role": "user", "content": text}]

    assert reply(tools, messages) == reply(tools, messages)
