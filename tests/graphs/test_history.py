"""Long threads: what of them a model reads, what stays byte for byte, and that no tool call loses its result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue import Agent, Planner, Team, UserError, Workspace, tool
from segue.base.messages import Message, append, assistant, text_of, tool_result, user, wire
from segue.graphs.call_ids import with_fresh_ids
from segue.graphs.history import Limit, Summarise, Window, turn_start
from segue.router.errors import ContextOverflow, EndpointUnreachable
from segue.router.types import GenerationRequest
from segue.testing import ScriptedModel, call


@tool(effect="read")
def look(n: int) -> str:
    """Look.

    Args:
        n: What at.
    """
    return f"seen {n} " * 5


def talker() -> ScriptedModel:
    """Calls a tool at each third turn, and answers."""

    def reply(request: GenerationRequest) -> Any:
        last = request.messages[-1]
        number = int(text_of(last).split()[-1]) if last["role"] == "user" else 0
        if last["role"] == "user" and number % 3 == 0:
            return [call("look", n=number), call("look", n=number + 1)]
        return f"answer to {text_of(last)[:20]}"

    return ScriptedModel(reply, stream=False)


def assert_whole(messages: Sequence[Message]) -> None:
    """Every call has its results right behind it, and every result its call."""
    open_ids: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] in open_ids
            open_ids.remove(message["tool_call_id"])
        else:
            assert not open_ids
            open_ids = [each["id"] for each in message.get("tool_calls", ())]
    assert not open_ids


def as_bytes(request: GenerationRequest) -> list[bytes]:
    return [orjson.dumps(message) for message in wire(request.messages)]


async def test_prompts_share_their_prefix_from_turn_to_turn_but_for_the_moves_of_a_block(ws: Workspace) -> None:
    model = talker()
    agent = Agent("a", model=model, tools=[look], instructions="Be kind.", history=Window(messages=50))

    for turn in range(300):
        await ws.run(agent, f"turn {turn}", thread_id="t")

    sent = [as_bytes(request) for request in model.requests]
    moves = sum(after[: len(before)] != before for before, after in pairwise(sent))
    for request in model.requests:
        assert len(request.messages) <= 51
        assert text_of(request.messages[0]).startswith("Be kind.")
        assert request.messages[1]["role"] == "user"
        assert_whole(request.messages)
    assert len(await ws.messages("t", agent=agent)) == 900
    assert 30 <= moves <= 40  # 900 messages in blocks of at least 25
    assert len(model.requests) == 400


turns = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 400)), min_size=1, max_size=60
)  # rounds of tools and length of the texts


@given(
    made=turns,
    messages=st.none() | st.integers(1, 40),
    tokens=st.none() | st.integers(1, 800),
    block=st.floats(0.1, 1.0),
)
@settings(max_examples=200, deadline=None)
def test_a_window_never_parts_a_call_from_its_result_and_keeps_the_turn(
    made: list[tuple[int, int]], messages: int | None, tokens: int | None, block: float
) -> None:
    limit, thread, start, moves = Limit(messages=messages, tokens=tokens, block=block), list[Message](), 0, 0

    for rounds, length in made:
        thread.append(user("x" * length))
        for number in range(rounds + 1):
            again = limit.moved(thread, start)
            moves += again > start
            assert again >= start
            assert again <= turn_start(thread)
            assert thread[again]["role"] == "user"
            assert limit.moved(thread, again) == again  # nothing moves twice
            start = again
            if number < rounds:
                asked = call("look", n=number)
                thread += [assistant("y" * length, [asked]), tool_result(asked["id"], "z" * length, name="look")]
        thread.append(assistant("x" * length))
    assert_whole(thread[start:])
    assert moves <= len(made) * 4


async def test_a_window_of_tokens_can_keep_the_first_message_of_a_thread(ws: Workspace) -> None:
    model = talker()
    agent = Agent("a", model=model, tools=[look], history=Window(tokens=300, first=True))

    for turn in range(40):
        await ws.run(agent, f"turn {turn}", thread_id="t")

    last = [message for message in model.requests[-1].messages if message["role"] != "system"]
    assert text_of(last[0]) == "turn 0"
    assert sum(message["tokens"] for message in last) < 320
    assert len(last) < 40


async def test_without_a_window_a_known_context_bounds_what_is_sent(ws: Workspace) -> None:
    model = talker()
    model.context_tokens = 400
    agent = Agent("a", model=model, tools=[look])

    for turn in range(60):
        assert (await ws.run(agent, f"turn {turn}", thread_id="t")).status == "completed"

    assert max(sum(each["tokens"] for each in request.messages) for request in model.requests) < 400
    assert len(await ws.messages("t", agent=agent)) == 180


async def test_a_conversation_that_a_model_cannot_take_is_sent_shorter_and_stays_so(ws: Workspace) -> None:
    inner = talker()
    refused: list[int] = []

    async def reply(request: GenerationRequest) -> Any:
        if sum(each["tokens"] for each in request.messages) > 500:
            refused.append(len(request.messages))
            raise ContextOverflow("m", "cannot take so long a conversation")
        return (await inner.generate(request)).message

    agent = Agent("a", model=ScriptedModel(reply, stream=False), tools=[look])
    for turn in range(300):
        run = await ws.run(agent, f"turn {turn}", thread_id="t")
        assert run.status == "completed", (turn, run.error)

    assert len(refused) == 1


async def test_a_single_turn_that_is_too_long_ends_the_run_with_the_reason(ws: Workspace) -> None:
    model = ScriptedModel(lambda request: ContextOverflow("m", "cannot take so long a conversation"))

    run = await ws.run(Agent("a", model=model), "go")

    assert run.status == "failed"
    assert "cannot take so long a conversation" in run.error
    assert len(model.requests) == 1


def summariser(texts: list[str]) -> ScriptedModel:
    def reply(request: GenerationRequest) -> str:
        texts.append(text_of(request.messages[-1]))
        return f"summary {len(texts)}"

    return ScriptedModel(reply, name="summariser", stream=False)


async def test_what_falls_out_is_summarised_and_the_summary_stays_as_it_is_until_the_next_block(ws: Workspace) -> None:
    model, told = talker(), list[str]()
    agent = Agent(
        "a", model=model, tools=[look], history=Summarise(after=30, keep=10, model=summariser(told))
    )  # fmt: skip

    for turn in range(60):
        await ws.run(agent, f"turn {turn}", thread_id="t")

    sent = [as_bytes(request) for request in model.requests]
    moves = sum(after[: len(before)] != before for before, after in pairwise(sent))
    assert moves == len(told) > 3
    assert text_of(model.requests[-1].messages[2]) == f"summary {len(told)}"
    assert "summary 1" in told[1]
    assert "turn 0" in told[0]
    assert "look(" in told[0]
    for request in model.requests:
        assert_whole(request.messages)
    assert not any("summary" in text_of(each) for each in await ws.messages("t", agent=agent))


async def test_a_summary_is_a_generation_of_its_own_and_no_more_trusted_than_what_it_covers(ws: Workspace) -> None:
    model, told = talker(), list[str]()
    agent = Agent("a", model=model, tools=[look], history=Summarise(after=8, keep=2, model=summariser(told)))
    runs = [await ws.run(agent, f"turn {turn}", thread_id="t") for turn in range(12)]

    [summed] = [run for run in runs if any(each.get("agent") == "a.summary" for each in run.trajectory)][:1]
    summary = next(each for each in model.requests[-1].messages if text_of(each).startswith("summary"))

    assert summed.usage.model_calls >= 2
    assert "".join(str(each.get("text")) for each in summed.trajectory if each["agent"] == "a") != ""
    assert summary["labels"]["integrity"] == "untrusted"
    assert not any("summary" in str(run.output) for run in runs)
    tree = await ws.trace(summed.id)
    assert "a.summary" in str(tree)


async def test_a_summary_that_fails_leaves_the_window(ws: Workspace) -> None:
    broken = ScriptedModel(lambda request: EndpointUnreachable("s", "is away"), name="broken")
    model = talker()
    agent = Agent("a", model=model, tools=[look], history=Summarise(after=12, keep=4, model=broken))

    runs = [await ws.run(agent, f"turn {turn}", thread_id="t") for turn in range(20)]

    assert {run.status for run in runs} == {"completed"}
    assert broken.requests
    assert max(len(request.messages) for request in model.requests) <= 13
    spans = [str(await ws.trace(run.id)) for run in runs]
    assert any("segue.summary_failed" in each for each in spans)


async def test_a_planner_reads_a_window_of_its_thread(ws: Workspace) -> None:
    model = ScriptedModel(lambda request: "planned nothing", stream=False)
    scout = Agent("scout", description="Looks.", model=ScriptedModel([]))
    desk = Team("desk", planner=Planner(model=model), workers=[scout], history=Window(messages=10))

    for turn in range(30):
        await ws.run(desk, f"turn {turn}", thread_id="t")

    assert max(len(request.messages) for request in model.requests) <= 11
    assert text_of(model.requests[-1].messages[-1]) == "turn 29"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Window(),
        lambda: Window(messages=0),
        lambda: Window(tokens=10, block=0),
        lambda: Summarise(after=5, keep=5),
    ],
)
def test_a_window_of_nothing_is_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match=r"Window|Summarise"):
        wrong()


def test_a_whole_conversation_handed_over_twice_adds_only_what_is_new_however_long_it_is() -> None:
    thread = append([], [user(f"say {number}") for number in range(300)])
    longer = append(thread, [*thread, assistant("new")])
    fork = append([*thread[:100], user("another way"), *thread[101:]], [*thread, assistant("newer")])

    assert longer == [*thread, longer[-1]]
    assert append(longer, list(longer)) == longer
    assert [text_of(each) for each in fork[-2:]] == ["say 100", "newer"]


def test_ids_of_calls_that_a_server_counts_are_looked_for_in_the_whole_thread() -> None:
    thread = [user("a"), assistant(None, [call("look", "call_0", n=1)]), user("b"), assistant("c")]
    counted, random = assistant(None, [call("look", "call_0", n=2)]), assistant(None, [call("look", "c3f9a1b27e", n=2)])

    [fresh] = with_fresh_ids(counted, thread, thread[2:])["tool_calls"]

    assert fresh["id"] != "call_0"
    assert with_fresh_ids(random, thread, thread[2:]) == random
    again = with_fresh_ids(random, [*thread, random], [random])["tool_calls"]
    assert again[0]["id"] != "c3f9a1b27e"
