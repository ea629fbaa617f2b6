from __future__ import annotations

from typing import Any

import pytest
from tests.router.asking import ask, calls_of
from tests.router.wire_server import (
    Scripted,
    WireServer,
    call_piece,
    chunk,
    sse,
    two_calls,
    usage_chunk,
)

from segue.base.messages import assistant, tool_call, tool_result, user

BOTH_CALLS = [("find_customer", {"email": "ann@müller.example"}), ("find_order", {"order_id": 1042})]


def _whole_piece(name: str, arguments: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


QUIRKS: dict[str, list[dict[str, Any]]] = {
    "no index, told apart by id": [
        _whole_piece("find_customer", '{"email": "ann@müller.', id="1"),
        {"id": "1", "function": {"arguments": 'example"}'}},
        _whole_piece("find_order", '{"order_id": 1042}', id="2"),
    ],
    "no index and no id, each call whole": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}'),
        _whole_piece("find_order", '{"order_id": 1042}'),
    ],
    "index 0 for all, told apart by id": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=0, id="2"),
    ],
    "index 0 for all and no id": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id=""),
        _whole_piece("find_order", '{"order_id": 1042}', index=0, id=""),
    ],
    "id and name repeated with every piece": [
        _whole_piece("find_customer", '{"email": "ann', index=0, id="1"),
        _whole_piece("find_customer", '@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=1, id="2"),
    ],
    "the same id for two calls": [
        _whole_piece("find_customer", '{"email": "ann@müller.example"}', index=0, id="1"),
        _whole_piece("find_order", '{"order_id": 1042}', index=1, id="1"),
    ],
    "arguments as an object": [
        {"index": 0, "id": "1", "function": {"name": "find_customer", "arguments": {"email": "ann@müller.example"}}},
        {"index": 1, "id": "2", "function": {"name": "find_order", "arguments": {"order_id": 1042}}},
    ],
}


@pytest.mark.parametrize("pieces", QUIRKS.values(), ids=QUIRKS.keys())
async def test_tool_calls_are_put_together_however_the_server_numbers_them(pieces: list[dict[str, Any]]) -> None:
    chunks = [chunk({"tool_calls": [piece]}) for piece in pieces]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*chunks, chunk({}, finish="tool_calls"), usage_chunk())))

    assert calls_of(reply.message) == BOTH_CALLS
    ids = [call["id"] for call in reply.message["tool_calls"]]
    assert all(ids)
    assert len(set(ids)) == 2


async def test_a_tool_call_id_that_the_conversation_has_already_is_made_anew() -> None:
    history = [
        user("hi"),
        assistant(None, [tool_call("find_order", {"order_id": 1}, call_id="call_a")]),
        tool_result("call_a", "none", name="find_order"),
    ]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*two_calls())), request={"messages": history})

    ids = [call["id"] for call in reply.message["tool_calls"]]
    assert "call_a" not in ids
    assert ids[1] == "call_b"


async def test_a_tool_call_that_the_token_limit_cut_off_is_left_out() -> None:
    pieces = [call_piece(0, '{"order_id": 1}', call_id="a", name="find_order")]
    pieces.append(call_piece(1, '{"email": "an', call_id="b", name="find_customer"))
    chunks = [*(chunk({"tool_calls": [piece]}) for piece in pieces), chunk({}, finish="length")]
    async with WireServer() as server:
        reply = await ask(server, Scripted(body=sse(*chunks)))

    assert calls_of(reply.message) == [("find_order", {"order_id": 1})]
    assert reply.finish_reason == "length"
