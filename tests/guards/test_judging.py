"""Judging: rails in order, verdicts together, and a rail that fails blocks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.context import Allow, Ask, Block, Rewrite, RunContext
from segue.guards import Judgement, Rail, Subject, TextRail, judge, rail


def on(text: str = "hello", **more: Any) -> Subject:
    return Subject(place="input", text=text, **more)


def says(verdict: Any, name: str = "says", **options: Any) -> Rail:
    @rail(name=name, **options)
    async def answer(text: str) -> Any:
        return verdict

    return answer


class Stubborn(Rail):
    timeout_s = 0.02

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Allow:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return Allow()


async def test_no_rails_allow(ctx: RunContext[Any]) -> None:
    judgement = await judge([], on(), ctx)

    assert judgement == Judgement(Allow(), "hello", None, ())


async def test_a_rewrite_is_what_the_next_rail_looks_at(ctx: RunContext[Any]) -> None:
    seen: list[str] = []

    @rail
    async def look(text: str) -> None:
        seen.append(text)

    judgement = await judge([says(Rewrite("bye", "nicer")), look], on(), ctx)

    assert seen == ["bye"]
    assert (judgement.verdict, judgement.text) == (Rewrite("bye", "nicer"), "bye")


async def test_a_rewrite_to_what_stood_there_allows(ctx: RunContext[Any]) -> None:
    text = await judge([says(Rewrite("hello"))], on(), ctx)
    data = await judge([says(Rewrite([{"a": 1}]))], on("t1: a", value=[{"a": 1}]), ctx)

    assert (text.verdict, text.said[0].verdict) == (Allow(), "rewrite")
    assert (data.verdict, data.text) == (Allow(), "t1: a")


async def test_the_first_block_ends_it_and_nothing_of_the_text_is_handed_on(ctx: RunContext[Any]) -> None:
    judgement = await judge([says(Block("no"), "first"), says(Block("never"), "second")], on(value={"a": 1}), ctx)

    assert (judgement.verdict, judgement.text, judgement.value) == (Block("no"), "", None)
    assert [said.rail for said in judgement.said] == ["first"]


async def test_an_ask_is_kept_while_later_rails_rewrite(ctx: RunContext[Any]) -> None:
    judgement = await judge([says(Ask("sure?")), says(Rewrite("bye")), says(Ask("really?"))], on(), ctx)

    assert (judgement.verdict, judgement.text) == (Ask("sure?"), "bye")
    assert [said.verdict for said in judgement.said] == ["ask", "rewrite", "ask"]


async def test_a_block_after_an_ask_blocks(ctx: RunContext[Any]) -> None:
    judgement = await judge([says(Ask("sure?")), says(False)], on(), ctx)

    assert isinstance(judgement.verdict, Block)


async def test_only_rails_of_the_place_are_asked(ctx: RunContext[Any]) -> None:
    judgement = await judge([says(False, places=["output"]), says(True)], on(), ctx)

    assert isinstance(judgement.verdict, Allow)
    assert len(judgement.said) == 1


async def test_a_rewrite_of_data_is_handed_on_as_data_and_as_text(ctx: RunContext[Any]) -> None:
    judgement = await judge([says(Rewrite('{"a": 2}'))], on('{"a": 1}', value={"a": 1}), ctx)

    assert (judgement.value, judgement.text) == ({"a": 2}, '{"a": 2}')
    assert isinstance(judgement.verdict, Rewrite)
    assert judgement.verdict.value == {"a": 2}


async def test_a_rail_cannot_change_the_data_behind_the_others_backs(ctx: RunContext[Any]) -> None:
    @rail
    async def meddle(what: Subject) -> None:
        what.value["amount"] = 1_000_000

    judgement = await judge([meddle], on(value={"amount": 1}), ctx)

    assert judgement.value == {"amount": 1}


@pytest.mark.parametrize(
    ("value", "rewrite", "said"),
    [
        (None, 42, "rewrote text to a number"),
        (None, {"a": 1}, "rewrote text to an object"),
        (None, None, "rewrote text to nothing"),
        ({"a": 1}, [1], "rewrote an object to a list"),
        ({"a": 1}, "not JSON", "rewrote an object to text that is not JSON"),
        ({"a": 1}, "[1]", "rewrote an object to a list"),
        ({"a": 1}, {"a": object()}, "rewrote an object to one that JSON cannot hold"),
        ({"a": 1}, {"a": float("nan")}, "rewrote an object to one that JSON cannot hold"),
        ([1], {"a": 1}, "rewrote a list to an object"),
        (True, 1, "rewrote a truth value to a number"),
    ],
)
async def test_a_rewrite_that_does_not_fit_fails_closed(
    ctx: RunContext[Any], value: Any, rewrite: Any, said: str
) -> None:
    judgement = await judge([says(Rewrite(rewrite), "odd")], on(value=value), ctx)

    assert isinstance(judgement.verdict, Block)
    assert judgement.verdict.reason == f"rail 'odd' {said}; a rail that fails blocks"


async def test_a_rail_that_raises_blocks_without_its_message(ctx: RunContext[Any]) -> None:
    @rail
    def broken(text: str) -> None:
        raise ValueError(f"cannot read {text}")

    judgement = await judge([broken], on("my password"), ctx)

    assert isinstance(judgement.verdict, Block)
    assert "rail 'broken' raised ValueError at test_judging.py:" in judgement.verdict.reason
    assert "password" not in judgement.verdict.reason


async def test_a_reason_that_quotes_is_told_without_the_quote(ctx: RunContext[Any], spans: Any) -> None:
    @rail
    async def chatty(text: str) -> Block:
        return Block(f"{text!r} holds ann@example.org, which is wrong")

    judgement = await judge([chatty], on("write to ann@example.org"), ctx)

    assert judgement.verdict == Block("'…' holds [email], which is wrong")
    assert "ann@example.org" not in repr((judgement, spans.read()))


@pytest.mark.parametrize("answer", [42, "no", b"", object(), [True]])
async def test_an_answer_that_is_no_verdict_blocks(ctx: RunContext[Any], answer: Any) -> None:
    judgement = await judge([says(answer)], on(), ctx)

    assert isinstance(judgement.verdict, Block)
    assert "instead of a verdict" in judgement.verdict.reason


class Odd(TextRail):
    """A rail that sees text only, and answers or raises what it is told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def look(self, text: str, before: str = "") -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ValueError("sk-secret"), "raised ValueError at test_judging.py:"),
        (None, "answered with NoneType instead of a verdict"),
        (Rewrite(7), "rewrote text to a number"),
    ],
)
async def test_a_rail_of_text_alone_that_fails_blocks_and_its_span_says_so(
    ctx: RunContext[Any], spans: Any, answer: Any, reason: str
) -> None:
    judgement = await judge([Odd(answer), Odd(Allow())], on(), ctx)

    assert isinstance(judgement.verdict, Block)
    assert f"rail 'Odd' {reason}" in judgement.verdict.reason
    assert "sk-secret" not in judgement.verdict.reason
    (span,) = spans.read()
    assert (span.kind, span.name, span.status) == ("verdict", "Odd", "error")
    assert span.attributes["segue.verdict"] == "block"
    assert span.attributes["segue.reason"] == judgement.verdict.reason


async def test_a_rail_that_hangs_blocks_at_its_time_limit(ctx: RunContext[Any]) -> None:
    @rail(timeout_s=0.02)
    async def slow(text: str) -> None:
        await asyncio.Event().wait()

    judgement = await judge([slow], on(), ctx)

    assert judgement.verdict == Block("rail 'slow' took longer than its 0.02 s; a rail that fails blocks", "slow")


async def test_a_rail_that_ignores_being_cancelled_is_left_behind(ctx: RunContext[Any]) -> None:
    started = time.monotonic()

    judgement = await judge([Stubborn()], on(), ctx)

    assert isinstance(judgement.verdict, Block)
    assert time.monotonic() - started < 1


async def test_a_function_that_blocks_its_thread_is_left_behind(ctx: RunContext[Any]) -> None:
    release = threading.Event()

    @rail(timeout_s=0.02)
    def stuck(text: str) -> None:
        release.wait(10)

    judgement = await judge([stuck], on(), ctx)
    release.set()

    assert isinstance(judgement.verdict, Block)
    assert "took longer" in judgement.verdict.reason


async def test_a_rail_whose_calls_never_return_begins_no_more_of_them(ctx: RunContext[Any]) -> None:
    release, begun = threading.Event(), []

    @rail(timeout_s=0.01)
    def stuck(text: str) -> None:
        begun.append(text)
        release.wait(20)

    for _ in range(20):
        judgement = await judge([stuck], on(), ctx)
    release.set()

    assert len(begun) == 16
    assert isinstance(judgement.verdict, Block)
    assert "raised NeverReturned" in judgement.verdict.reason


@pytest.mark.parametrize("timeout_s", [None, 0, float("inf"), "2"])
async def test_a_class_without_a_usable_time_limit_blocks(ctx: RunContext[Any], timeout_s: Any) -> None:
    class Endless(Rail):
        async def check(self, subject: Subject, ctx: RunContext[Any]) -> Allow:
            await asyncio.Event().wait()
            return Allow()

    check = Endless()
    check.timeout_s = timeout_s

    assert isinstance((await judge([check], on(), ctx)).verdict, Block)


async def test_a_rail_that_cancels_itself_blocks(ctx: RunContext[Any]) -> None:
    @rail
    async def gone(text: str) -> None:
        raise asyncio.CancelledError

    judgement = await judge([gone], on(), ctx)

    assert isinstance(judgement.verdict, Block)


async def test_cancelling_the_judge_cancels_the_rail(ctx: RunContext[Any]) -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    @rail
    async def waits(text: str) -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    task = asyncio.ensure_future(judge([waits], on(), ctx))
    await entered.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(left.wait(), 1)


async def test_each_rail_leaves_a_span_that_says_what_it_said(ctx: RunContext[Any], spans: Any) -> None:
    await judge([says(Allow(), "a"), says(Block("too long", "r1"), "b")], on(tool="send"), ctx)

    first, second = spans.read()
    assert (first.kind, first.name, first.status, first.parent_id) == ("verdict", "a", "ok", ctx.span_id)
    assert (second.name, second.status, second.trace_id, second.run_id) == ("b", "error", ctx.trace_id, "run-1")
    assert second.attributes == {
        "segue.rail": "b",
        "segue.place": "input",
        "segue.tool": "send",
        "segue.verdict": "block",
        "segue.reason": "too long",
        "segue.rule": "r1",
    }


ANSWERS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.builds(Allow),
    st.builds(Block, st.text(max_size=8)),
    st.builds(Ask, st.text(max_size=8)),
    st.builds(
        Rewrite, st.one_of(st.text(max_size=8), st.integers(), st.dictionaries(st.text(max_size=2), st.integers()))
    ),
    st.sampled_from(["raise", "hang"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(ANSWERS, max_size=5), value=st.one_of(st.none(), st.just({"a": 1}), st.just([1])))
async def test_judge_never_raises_and_ends_within_the_sum_of_the_time_limits(
    ctx: RunContext[Any], answers: list[Any], value: Any
) -> None:
    def make(answer: Any) -> Rail:
        @rail(timeout_s=0.01)
        async def check(text: str) -> Any:
            if answer == "raise":
                raise RuntimeError(text)
            if answer == "hang":
                await asyncio.Event().wait()
            return answer

        return check

    started = time.monotonic()
    judgement = await judge([make(answer) for answer in answers], on(value=value), ctx)

    assert time.monotonic() - started < 0.01 * len(answers) + 0.5
    assert isinstance(judgement.verdict, Allow | Rewrite | Block | Ask)
    assert isinstance(judgement.text, str)
    if isinstance(judgement.verdict, Block):
        assert judgement.text == ""
    else:
        assert type(judgement.value) is type(value)
