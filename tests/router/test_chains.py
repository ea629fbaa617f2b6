from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.base.messages import Message, assistant, system, tool_call, tool_result, user
from segue.router import GenerationRequest
from segue.router.chains import _SESSIONS, _TOOLSETS, PIECE, Chains

TOOL = {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
Texts = st.lists(st.text(max_size=PIECE * 2), min_size=1, max_size=8)


def of(chains: Chains, messages: Sequence[Message], *, tools: Any = (), session: str = "") -> Sequence[int]:
    return chains.of(GenerationRequest(messages=messages, tools=tools, session=session))[0]


def long(text: str, pieces: int = 3) -> Message:
    return user(text * (PIECE * pieces // len(text)))


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    at = 0
    while at < min(len(one), len(other)) and one[at] == other[at]:
        at += 1
    return at


@settings(max_examples=150, deadline=None)
@given(Texts, st.integers(1, 8))
def test_a_conversation_that_grew_has_the_chain_of_one_that_is_read_at_once(texts: list[str], until: int) -> None:
    messages, chains = [user(text) for text in texts], Chains()
    for end in range(1, len(messages) + 1):
        grown = of(chains, messages[:end], session="s")

    assert grown == of(Chains(), messages)
    assert of(chains, messages[:until]) == grown[: len(of(Chains(), messages[:until]))]


@settings(max_examples=150, deadline=None)
@given(Texts, Texts, Texts)
def test_what_begins_alike_has_chains_that_begin_alike(beginning: list[str], one: list[str], other: list[str]) -> None:
    chains, first = Chains(), [user(text) for text in beginning]
    held = len(of(chains, first))

    left = of(chains, [*first, *map(user, one)], session="one")
    right = of(chains, [*first, *map(user, other)], session="other")

    assert shared(left, right) >= held


@settings(max_examples=150, deadline=None)
@given(Texts, st.data())
def test_what_differs_in_one_place_has_chains_that_part_there_and_never_meet(texts: list[str], data: Any) -> None:
    at = data.draw(st.integers(0, len(texts) - 1))
    edited = [*texts[:at], f"{texts[at]}!", *texts[at + 1 :]]
    before = len(of(Chains(), [user(text) for text in texts[:at]]))

    one, other = of(Chains(), [user(text) for text in texts]), of(Chains(), [user(text) for text in edited])

    parts = shared(one, other)
    assert parts >= before
    assert not set(one[parts:]) & set(other[parts:])


def test_a_fork_shares_what_was_before_it() -> None:
    chains, beginning = Chains(), [long("a"), long("b")]
    held = of(chains, beginning, session="s")

    forked = of(chains, [*beginning, long("c")], session="s")
    other = of(chains, [*beginning, long("d")], session="s")

    assert shared(forked, other) == len(held)


def test_an_earlier_message_that_was_edited_is_read_anew_also_under_its_old_id() -> None:
    chains, first, second, third = Chains(), long("a"), long("b"), long("c")
    whole = of(chains, [first, second, third], session="s")
    shortened = cast(Message, {**second, "content": "[left out]"})

    edited = of(chains, [first, shortened, third], session="s")

    assert edited == of(Chains(), [first, shortened, third])
    assert shared(whole, edited) < len(whole)


def test_a_conversation_that_was_shortened_is_read_anew() -> None:
    chains, messages = Chains(), [long("a"), long("b"), long("c")]
    of(chains, messages, session="s")

    assert of(chains, messages[:1], session="s") == of(Chains(), messages[:1])


def test_a_system_message_that_changed_changes_all() -> None:
    chains, said = Chains(), long("a")
    one = of(chains, [system("x" * PIECE), said], session="s")

    other = of(chains, [system("y" * PIECE), said], session="s")

    assert shared(one, other) == 0
    assert other == of(Chains(), [system("y" * PIECE), said])


def test_a_system_message_that_is_made_anew_with_the_same_words_changes_nothing() -> None:
    chains, said = Chains(), long("a")

    assert of(chains, [system("x"), said], session="s") == of(chains, [system("x"), said], session="s")


def test_other_tools_are_another_beginning_and_their_order_is_none() -> None:
    chains, said = Chains(), [long("a")]
    other = {**TOOL, "function": {**TOOL["function"], "name": "seek"}}  # type: ignore[dict-item]

    assert shared(of(chains, said), of(chains, said, tools=[TOOL])) == 0
    assert shared(of(chains, said, tools=[TOOL]), of(chains, said, tools=[TOOL, other])) == 0
    assert of(chains, said, tools=[TOOL, other]) == of(chains, said, tools=[other, TOOL])


def test_tools_that_changed_within_a_session_are_seen() -> None:
    chains, said = Chains(), [long("a")]
    one = of(chains, said, tools=[TOOL], session="s")

    assert shared(one, of(chains, said, session="s")) == 0


def test_calls_and_results_are_part_of_the_chain() -> None:
    call = tool_call("look", {"n": "x" * PIECE}, call_id="c1")
    other = tool_call("look", {"n": "y" * PIECE}, call_id="c1")
    result = tool_result("c1", "seen" * PIECE, name="look")

    one = of(Chains(), [user("hi"), assistant(None, [call]), result])
    two = of(Chains(), [user("hi"), assistant(None, [other]), result])

    assert len(one) > 4
    assert shared(one, two) == 0


def test_characters_are_counted_with_the_tools() -> None:
    chains = Chains()
    _, bare = chains.of(GenerationRequest(messages=[user("x" * 1000)]))
    _, with_tools = chains.of(GenerationRequest(messages=[user("x" * 1000)], tools=[TOOL]))

    assert 1000 <= bare < 1020
    assert with_tools > bare + 50


@pytest.mark.parametrize("odd", ["\ud83d", 2**70, {1: "x"}, object()])
def test_what_orjson_does_not_take_is_read_all_the_same(odd: Any) -> None:
    parts = cast(Any, [{"type": "text", "text": "hi", "extra": odd}])
    tool = {"type": "function", "function": {"name": "look", "description": odd}}

    chain = of(
        Chains(), [user("x" * PIECE), cast(Message, {"role": "user", "content": parts, "id": "m"})], tools=[tool]
    )

    assert chain


def test_no_more_is_remembered_than_the_latest_sessions_and_toolsets() -> None:
    chains = Chains()
    for at in range(_SESSIONS + 50):
        of(chains, [user("hi")], session=f"s{at}", tools=[{"function": {"name": f"t{at}"}}])

    assert len(chains._read) == _SESSIONS
    assert len(chains._tools) == _TOOLSETS
