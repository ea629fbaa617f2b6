"""Rails of functions and classes: what they are handed, what they may say, and how they are wired wrongly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from segue.base.errors import UserError
from segue.context import Allow, Block, RunContext
from segue.guards import Rail, Subject, judge, no_pii, no_secrets, rail
from segue.guards.given import as_rails


async def verdict(check: Rail, ctx: RunContext[Any], text: str = "hello") -> Any:
    return (await judge([check], Subject(place="input", text=text), ctx)).verdict


@pytest.mark.parametrize("answer", [None, True])
async def test_none_and_true_allow(ctx: RunContext[Any], answer: Any) -> None:
    assert await verdict(rail(lambda text: answer), ctx) == Allow()


async def test_false_blocks_and_names_the_rail(ctx: RunContext[Any]) -> None:
    @rail(name="polite")
    def check(text: str, ctx: RunContext[Any]) -> bool:
        return "please" in text

    assert await verdict(check, ctx) == Block("rail 'polite' says no", "polite")


async def test_a_function_may_look_at_the_whole_subject(ctx: RunContext[Any]) -> None:
    @rail
    async def place(what: Subject, ctx: RunContext[Any]) -> Block:
        return Block(f"{what.place} of {ctx.run_id}")

    assert await verdict(place, ctx) == Block("input of run-1")


async def test_a_function_that_returns_something_to_await_is_awaited(ctx: RunContext[Any]) -> None:
    async def later() -> bool:
        return False

    assert isinstance(await verdict(rail(lambda text: later()), ctx), Block)


async def test_a_plain_function_does_not_hold_up_the_loop(ctx: RunContext[Any]) -> None:
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    @rail
    def waits_for_the_loop(text: str) -> bool:
        future = asyncio.run_coroutine_threadsafe(reached.wait(), loop)
        return future.result(1)

    loop.call_soon(reached.set)

    assert await verdict(waits_for_the_loop, ctx) == Allow()


def test_a_rail_of_a_function_is_still_the_function() -> None:
    @rail
    def check(text: str) -> bool:
        return text == "x"

    assert check("x") is True


def test_a_class_without_a_name_is_called_like_the_class() -> None:
    class Polite(Rail):
        async def check(self, subject: Subject, ctx: RunContext[Any]) -> Allow:
            return Allow()

    assert Polite().name == "Polite"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"places": ["inptu"]}, "cannot stand at inptu; the places are input, output, plan, tool_call, tool_result"),
        ({"places": []}, "cannot stand at nowhere"),
        ({"timeout_s": 0}, "timeout_s is a number of seconds above 0, not 0"),
        ({"timeout_s": float("inf")}, "timeout_s is a number of seconds above 0"),
    ],
)
def test_an_unusable_option_is_named(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        rail(name="check", **options)(lambda text: None)


@pytest.mark.parametrize("fn", [lambda: None, lambda a, b, c: None, lambda *, text: None])
def test_a_function_of_other_arguments_is_refused(fn: Any) -> None:
    with pytest.raises(UserError, match=r"is a function of \(what\) or \(what, ctx\)"):
        rail(fn)


def test_guards_may_be_rails_functions_or_makers_of_rails() -> None:
    def polite(text: str) -> bool:
        return True

    made = as_rails([no_pii(), no_secrets, polite], "agent 'a'")

    assert [each.name for each in made] == ["no_pii", "no_secrets", "polite"]


def test_something_else_is_no_guard() -> None:
    with pytest.raises(UserError, match="agent 'a': 42 is no guard"):
        as_rails([42], "agent 'a'")
