"""Answers in a schema hold what the conversation holds, and nothing else."""

from __future__ import annotations

import json
from typing import Any

from segue.router.offline import answer

Json = dict[str, Any]


def filled(schema: Json, text: str, *more: Json) -> Any:
    message = answer([], [{"role": "user", "content": text}, *more], output_schema=schema)
    assert message.get("name") == "offline-rules-1"
    return json.loads(str(message["content"]))


def test_fields_are_filled_from_the_text() -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "email": {"type": "string", "format": "email"},
            "age": {"type": "integer"},
            "member": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        },
        "required": ["name", "email", "age", "member"],
    }

    found = filled(schema, "My name is Ann Lee, I am 34 years old and my address is ann@example.org")

    assert found == {"name": "Ann Lee", "email": "ann@example.org", "age": 34, "member": None}


def test_a_required_field_that_nothing_holds_is_left_out() -> None:
    schema = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}

    assert filled(schema, "Good morning") == {}


def test_the_answer_takes_the_text_and_the_citations_of_the_results() -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "citations": {"type": "array", "items": {"type": "string"}}},
        "required": ["answer", "citations"],
    }
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    passage = "Broken goods are replaced. [handbook/returns.md:12-18]"

    found = filled(
        schema,
        "What about broken goods?",
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "name": "search", "content": passage},
    )

    assert passage in found["answer"]
    assert found["citations"] == ["[handbook/returns.md:12-18]"]


def test_values_of_results_go_under_their_names_as_they_are() -> None:
    schema = {
        "type": "object",
        "properties": {"order_id": {"type": "integer"}, "total": {"type": "number"}, "status": {"type": "string"}},
        "required": ["order_id", "total"],
    }
    call = {"id": "c1", "type": "function", "function": {"name": "get_order", "arguments": '{"order_id": 1042}'}}

    found = filled(
        schema,
        "Show the order",
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"order_id": 1042, "total": 64.90, "status": "open"}'},
    )

    assert found == {"order_id": 1042, "total": 64.9, "status": "open"}


def test_a_plan_in_a_schema_has_one_task_for_each_part() -> None:
    worker = {
        "type": "string",
        "enum": ["cook", "waiter"],
        "description": "- cook: cooks meals\n- waiter: serves guests",
    }
    task = {
        "type": "object",
        "properties": {"worker": worker, "task": {"type": "string"}},
        "required": ["worker", "task"],
    }
    schema = {"type": "object", "properties": {"tasks": {"type": "array", "items": task}}, "required": ["tasks"]}

    found = filled(schema, "Cook a soup, then serve it to the guests")

    assert found["tasks"] == [
        {"worker": "cook", "task": "Cook a soup"},
        {"worker": "waiter", "task": "serve it to the guests"},
    ]


def test_a_question_is_json_too() -> None:
    schema = {"type": "object", "properties": {"reply": {"type": "string"}}, "required": ["reply"]}
    tool = {
        "name": "lend_book",
        "description": "Lend a book.",
        "parameters": {"type": "object", "properties": {"isbn": {"type": "string"}}, "required": ["isbn"]},
    }

    message = answer([tool], [{"role": "user", "content": "Lend a book"}], output_schema=schema)

    assert json.loads(str(message["content"]))["reply"].endswith("?")
