"""Length and topic: what is too long, and what has nothing to do with it."""

from __future__ import annotations

from typing import Any

import pytest

from segue.base.errors import UserError
from segue.context import Allow, Ask, Block, Rewrite, RunContext
from segue.guards import Rail, Subject, judge, max_length, on_topic

SHOP = ["order", "refund", "return", "invoice", "delivery", "shipping", "customer", "payment", "product", "warranty"]
EXAMPLES = [
    "Can I send the shoes back and get my money?",
    "When will my parcel arrive?",
    "The lamp that you delivered is broken, please replace it.",
]


async def verdict(check: Rail, ctx: RunContext[Any], text: str, value: Any = None) -> Any:
    return (await judge([check], Subject(place="input", text=text, value=value), ctx)).verdict


async def test_text_at_the_limit_is_allowed_and_one_more_blocks(ctx: RunContext[Any]) -> None:
    assert await verdict(max_length(5), ctx, "12345") == Allow()
    assert await verdict(max_length(5), ctx, "123456") == Block("6 characters are more than 5 chars", "max_length")


async def test_a_limit_in_tokens_counts_four_characters_each(ctx: RunContext[Any]) -> None:
    assert await verdict(max_length(tokens=2), ctx, "x" * 8) == Allow()
    assert isinstance(await verdict(max_length(tokens=2), ctx, "x" * 9), Block)


async def test_longer_text_may_be_cut_but_data_may_not(ctx: RunContext[Any]) -> None:
    cut = max_length(5, action="cut")

    assert (await verdict(cut, ctx, "123456")).value == "12345"
    assert isinstance(await verdict(cut, ctx, '{"a": 1}', value={"a": 1}), Block)


@pytest.mark.parametrize("limits", [{}, {"chars": 1, "tokens": 1}, {"chars": 0}])
def test_a_length_needs_one_limit(limits: Any) -> None:
    with pytest.raises(UserError, match="either chars or tokens"):
        max_length(**limits)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Please refund what I paid for the last orders of mine", Allow),
        ("What are your shipping costs to Norway at the moment?", Allow),
        ("Write a poem about the sea and the autumn wind", Block),
        ("Explain quantum entanglement with a simple picture", Block),
        ("yes please", Allow),
        ("", Allow),
    ],
)
async def test_the_words_of_the_topic_keep_text_on_it(ctx: RunContext[Any], text: str, kind: type[Any]) -> None:
    assert isinstance(await verdict(on_topic(SHOP), ctx, text), kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("my parcels did not arrive, when will they?", Allow),
        ("the lamp arrived broken, can you replace it?", Allow),
        ("Translate this poem about dragons into Latin verse", Ask),
    ],
)
async def test_likeness_to_examples_keeps_text_on_it(ctx: RunContext[Any], text: str, kind: type[Any]) -> None:
    check = on_topic(examples=EXAMPLES, action="ask")

    assert isinstance(await verdict(check, ctx, text), kind)


async def test_words_of_the_topic_put_into_other_text_pass_it(ctx: RunContext[Any]) -> None:
    """What it cannot do, told in its docstring."""
    assert await verdict(on_topic(SHOP), ctx, "Write a poem about an order of monks") == Allow()


def test_a_topic_needs_words_or_examples() -> None:
    with pytest.raises(UserError, match="words or examples"):
        on_topic()
    with pytest.raises(UserError, match="at_least"):
        on_topic(SHOP, at_least=2)


async def test_a_rewrite_cuts_to_the_limit_exactly(ctx: RunContext[Any]) -> None:
    said = await verdict(max_length(3, action="cut"), ctx, "é" * 10)

    assert isinstance(said, Rewrite)
    assert len(said.value) == 3
