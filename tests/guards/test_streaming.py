from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.base.errors import UserError
from segue.context.decisions import Allow, Block, Decision, Rewrite
from segue.guards import max_length, no_foreign_links, no_hidden_text, no_pii, no_secrets, rail
from segue.guards.rail import Rail, Subject
from segue.guards.streaming import SLACK, StreamGuard

VALUES = (
    "sk-proj-Zk3R8vQ1xT6mW2pL9aB4cD7e", "ghp_1a2B3c4D5e6F7g8H9i0J1k2L3m4N5o6P7q8R", "jane.miller@example-mail.com",
    "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111", "+49 30 901820 55", "AKIAIOSFODNN7EXAMPLQ",
)  # fmt: skip
SAID = (
    "The order went out this morning. Please write to {} when it is there, and not before noon.",
    "Two ways:\n- by mail, {}\n- at the desk\n\nBoth are free. We are here from nine to five, every day but Sunday.",
    "{} is what the form says, which nobody has checked so far; the next one is {}.",
    "First some words of no weight at all, so that a window passes by. " * 9 + "Then {}, then {}, and an end.",
)  # fmt: skip
RAILS = (no_secrets(), no_pii())


def texts() -> list[tuple[str, list[str]]]:
    """At least a hundred, each with the values that are planted in it."""
    pick, found = random.Random(7), list[tuple[str, list[str]]]()
    while len(found) < 120:
        said = SAID[len(found) % len(SAID)]
        planted = pick.sample(VALUES, said.count("{}"))
        found.append((said.format(*planted), planted))
    return found


async def whole(rails: Sequence[Rail], text: str) -> str:
    for each in rails:
        said = await each.check(Subject(place="output", text=text), None)  # type: ignore[arg-type]
        text = str(said.value) if isinstance(said, Rewrite) else text
    return text


async def streamed(rails: Sequence[Rail], pieces: Iterable[str]) -> tuple[str, int]:
    """What was shown, and the most characters that were held after a piece was taken."""
    guard, late = StreamGuard(rails), 0
    for piece in pieces:
        await guard.feed(piece)
        late = max(late, guard.held)
    await guard.close()
    assert guard.stopped is None
    return guard.shown, late


def cut(text: str, at: Iterable[int]) -> list[str]:
    edges = [0, *sorted(at), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(edges)]


def small(text: str, planted: Sequence[str]) -> list[Rail]:
    """Rails that take out just these values, with no more of a window than they need."""
    longest = max(map(len, planted))

    @rail(places=("output",), window=longest)
    async def taken_out(what: str) -> Decision:
        for value in planted:
            what = what.replace(value, "[gone]")
        return Rewrite(what)

    return [taken_out]


@pytest.mark.parametrize("number", range(0, 120, 6))
def test_whatever_three_cuts_are_made_nothing_leaks_and_the_rest_is_as_the_rails_want_it(number: int) -> None:
    text, planted = texts()[number]

    async def run() -> None:
        plain = text[:150] if len(text) > 400 else text
        values = [each for each in planted if each in plain] or [plain[10:16]]
        rails = small(plain, values)
        wanted = await whole(rails, plain)
        for at in itertools.combinations(range(0, len(plain), max(1, len(plain) // 12)), 3):
            assert (await streamed(rails, cut(plain, at)))[0] == wanted

    asyncio.run(run())


def test_exhaustively_to_three_cuts_on_short_texts() -> None:
    async def run() -> None:
        for before, value, after in itertools.product(("", "to "), ("a@b.io", "x9x9x"), (" ok", ".")):
            text = before + value + after
            rails = small(text, [value])
            for count in (1, 2, 3):
                for at in itertools.combinations(range(1, len(text)), count):
                    assert (await streamed(rails, cut(text, at)))[0] == before + "[gone]" + after

    asyncio.run(run())


@pytest.mark.parametrize("text_planted", texts(), ids=range(120))
async def test_our_own_rails_leak_nothing_however_it_is_cut(text_planted: tuple[str, list[str]]) -> None:
    text, planted = text_planted
    wanted = await whole(RAILS, text)
    pick = random.Random(text)

    for pieces in (list(text), [text], *(cut(text, pick.sample(range(len(text)), 9)) for _ in range(3))):
        shown, late = await streamed(RAILS, pieces)

        assert shown == wanted
        assert not any(value in shown for value in planted)
        longest = max(map(len, pieces))
        assert late < max(each.window or 0 for each in RAILS) + SLACK + longest + max(map(len, planted))


async def test_what_is_harmless_is_shown_at_most_a_window_and_a_slack_late() -> None:
    guard, text = StreamGuard(RAILS), "Nothing of weight is said here, word after word. " * 60
    for at, char in enumerate(text, 1):
        await guard.feed(char)
        assert at - len(guard.shown) <= guard.window + SLACK

    await guard.close()
    assert guard.shown == text


async def test_a_value_that_grows_beyond_every_window_is_held_to_its_end() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEA7x9\n" * 400 + "-----END RSA PRIVATE KEY-----"
    shown, _ = await streamed(RAILS, [*f"Here: {key} and more. " + "So it goes. " * 100])

    assert shown == "Here: [secret] and more. " + "So it goes. " * 100


async def test_what_stands_before_a_value_and_was_shown_still_counts() -> None:
    text = "The words go on and on. " * 40 + "The password is " + "hunter2!secret" + ". " + "And on. " * 90

    shown, _ = await streamed([no_secrets()], [*text])

    assert "hunter2" not in shown
    assert shown == await whole([no_secrets()], text)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["ab", "X1X", " ", "b", "a", "1", "X", "\n"]), max_size=60), st.data())
def test_rails_that_chase_each_other_come_to_the_same_as_on_the_whole(words: list[str], data: Any) -> None:
    text = "".join(words)

    @rail(places=("output",), window=3)
    async def first(what: str) -> Decision:
        return Rewrite(what.replace("X1X", "ooo"))

    @rail(places=("output",), window=2)
    async def second(what: str) -> Decision:
        return Rewrite(what.replace("ab", "--"))

    at = data.draw(st.lists(st.integers(0, len(text)), max_size=8))

    async def run() -> None:
        assert (await streamed([first, second], cut(text, at)))[0] == await whole([first, second], text)

    asyncio.run(run())


async def test_a_block_shows_nothing_from_a_window_before_it_on() -> None:
    @rail(places=("output",), window=20)
    async def no_names(text: str) -> Decision:
        return Block("it names them") if "Initech" in text else Allow()

    guard = StreamGuard([no_names])
    for char in "a" * 200 + "Initech" + "b" * 200:
        await guard.feed(char)
    await guard.close()

    assert isinstance(guard.stopped, Block)
    assert set(guard.shown) == {"a"}
    assert len(guard.shown) >= 200 - 20 - SLACK


async def test_a_rail_that_raises_stops_it() -> None:
    @rail(places=("output",), window=4)
    async def broken(text: str) -> Decision:
        raise RuntimeError("no")

    guard = StreamGuard([broken])
    for _ in range(100):
        await guard.feed("words ")

    assert isinstance(guard.stopped, Block)
    assert guard.shown == ""


async def test_hidden_text_and_links_are_taken_out_on_the_way() -> None:
    rails = [no_hidden_text(), no_foreign_links(["ok.example"])]
    text = (
        "It is\u200b here. " * 300
    ) + "See [this](https://evil.example/x?q=1) and [that](https://ok.example/y). " * 60

    shown, _ = await streamed(rails, cut(text, range(0, len(text), 7)))

    assert shown == await whole(rails, text)
    assert "evil" not in shown


def test_a_rail_of_whole_answers_cannot_be_streamed() -> None:
    with pytest.raises(UserError, match="whole answers"):
        StreamGuard([max_length(10)])
