"""Messages across the borders, and conversations that stay whole."""

from __future__ import annotations

from typing import Any, cast

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, convert_to_messages
from pydantic import BaseModel

from segue import BadInput
from segue.base.labels import Labels, atoms
from segue.base.messages import (
    append,
    assistant,
    closed,
    coerce,
    enter,
    from_langchain,
    open_calls,
    to_langchain,
    tool_call,
    tool_result,
    user,
    wire,
    with_note_inside,
)

CALL = tool_call("look", {"n": 1}, call_id="c1")


def test_labels_a_failure_and_ids_survive_the_way_through_langchain() -> None:
    ours = [
        user("hi"),
        assistant(None, [CALL]),
        tool_result("c1", "no", name="look", failed=True, labels=Labels(integrity="untrusted"), atoms=[["/a", "1"]]),
    ]

    back = [from_langchain(message) for message in convert_to_messages([dict(message) for message in ours])]

    for before, after in zip(ours, back, strict=True):
        assert {**after, "content": after["content"] or None} == before


def test_a_failed_result_is_an_error_to_langchain_and_back() -> None:
    [theirs] = to_langchain([tool_result("c1", "no", name="look", failed=True)])

    assert isinstance(theirs, ToolMessage)
    assert theirs.status == "error"
    assert from_langchain(theirs)["failed"]


@pytest.mark.parametrize(
    ("item", "role"),
    [
        ("hi", "user"),
        (("human", "hi"), "user"),
        (("system", "hi"), "system"),
        ({"role": "user", "content": "hi"}, "user"),
        (HumanMessage("hi"), "user"),
        (AIMessage("hi"), "assistant"),
    ],
)
def test_whatever_stands_for_a_message_becomes_one(item: Any, role: str) -> None:
    message = coerce(item)

    assert (message["role"], message["content"]) == (role, "hi")
    assert message["id"]
    assert message["tokens"] > 0


@pytest.mark.parametrize(
    "item", [3, None, {"content": "x"}, {"role": "wizard", "content": "x"}, ("user", 3), BaseModel]
)
def test_what_is_no_message_is_refused(item: Any) -> None:
    with pytest.raises(BadInput, match="message"):
        coerce(item)


def test_a_message_is_completed_once_and_the_callers_own_dict_stays_as_it_was() -> None:
    given = {"role": "user", "content": "hi"}
    first = coerce(given)

    assert given == {"role": "user", "content": "hi"}
    assert coerce(first) is first
    assert enter(first) == first


def test_our_own_keys_never_go_on_the_wire() -> None:
    parts: list[dict[str, Any]] = [{"type": "text", "text": "a", "labels": {}}, {"type": "text", "text": "b"}]
    picture: list[dict[str, Any]] = [parts[0], {"type": "image_url", "image_url": {}}]

    sent = wire([user("hi"), enter({"role": "user", "content": parts}), enter({"role": "user", "content": picture})])

    assert sent[:2] == [{"role": "user", "content": "hi"}, {"role": "user", "content": "a\n\nb"}]
    assert sent[2]["content"][0] == {"type": "text", "text": "a"}


def test_appending_a_conversation_that_is_there_already_adds_only_what_is_new() -> None:
    one, two = user("one"), assistant("two")
    three = user("three")

    assert append([one, two], [one, two, three]) == [one, two, three]
    assert append(None, "hi")[0]["content"] == "hi"


def test_a_new_turn_closes_the_tool_calls_that_a_cancelled_run_left_open() -> None:
    other = tool_call("look", {}, call_id="c2")
    left = [user("one"), assistant(None, [CALL, other]), tool_result("c1", "done", name="look")]

    after = append(left, user("two"))

    assert [message["role"] for message in after] == ["user", "assistant", "tool", "tool", "user"]
    assert after[3]["tool_call_id"] == "c2"
    assert after[3]["failed"]
    assert open_calls(after) == []
    assert [message["id"] for message in closed(left)] == [message["id"] for message in closed(left)]


def test_atoms_are_the_short_leaves_of_a_value() -> None:
    value = {"a": [1, "x" * 300, None, True, {"b": "y"}], "c": ""}

    assert atoms(value) == [["/a/0", "1"], ["/a/4/b", "y"]]
    assert len(atoms(list(range(1000)))) == 256


def test_labels_survive_as_plain_data() -> None:
    labels = Labels(integrity="user", kind="document", source="x.md", readers=("ann",))

    assert Labels.from_dict(labels.to_dict()) == labels
    assert Labels.from_dict(Labels(integrity="tool").to_dict()) == Labels(integrity="tool")


def test_a_note_at_the_end_is_put_into_the_text_before_it() -> None:
    note = enter({"role": "system", "content": "little is left", "note": True})
    result = tool_result("c1", "seen", name="look")

    assert [each["content"] for each in with_note_inside([user("hi"), result, note])] == [
        "hi",
        "seen\n\nlittle is left",
    ]
    assert with_note_inside([assistant("hi"), note])[-1] is note
    assert with_note_inside([user("hi"), assistant("there")])[-1]["content"] == "there"
    assert result["content"] == "seen"


@pytest.mark.parametrize(
    "fields",
    [
        {"content": [3]},
        {"content": [{"type": "text", "text": 5}]},
        {"tool_calls": [{}]},
        {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
        {"tool_calls": 7},
    ],
)
def test_what_only_looks_like_a_message_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"part of a message's content|a tool call has a function"):
        enter(cast(Any, {"role": "assistant", **fields}))


def test_a_message_without_tool_calls_may_say_so() -> None:
    said = cast(Any, {"role": "assistant", "content": "hi", "tool_calls": None})

    assert enter(said)["tokens"] > 0
