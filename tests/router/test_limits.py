from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.router.faults import retry_after_s
from segue.router.limits import Limits, Requests, Slots, Tokens
from segue.router.waits import reset_s

Steps = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 2.9), st.floats(0, 2.9), st.booleans()), max_size=60)
"""Seconds until the next one comes, until its server has it, until that has answered; whether it waits its turn."""


class Taken:
    """One request: when it went, when the server had it, and when the router heard of that."""

    def __init__(self, number: int, went: float, there: float, heard: float, amount: float) -> None:
        self.number, self.went, self.there, self.heard, self.amount = number, went, there, heard, amount


def played(
    limit: Requests | Tokens, steps: list[tuple[float, float, float, bool]], amounts: list[float]
) -> list[Taken]:
    """Let requests go as soon as the limit lets them; what the server saw."""
    now, sent = 0.0, list[Taken]()
    for (after, travels, answers, waits), amount in zip(steps, amounts, strict=False):
        now += after
        for _ in range(1000):
            for each in [each for each in sent if each.heard <= now and each.number]:
                limit.arrived(each.number, each.heard)
                each.number = 0
            wait = limit.wait_s(now) if isinstance(limit, Requests) else limit.wait_s(amount, now)
            if wait <= 0 or not waits:
                break
            now += wait
        if wait > 0:
            continue
        number = limit.take(now) if isinstance(limit, Requests) else limit.take(amount, now)
        sent.append(Taken(number, now, now + travels, now + travels + answers, amount))
    return sent


@settings(max_examples=200, deadline=None)
@given(Steps, st.integers(1, 5), st.sampled_from([1.0, 7.0, 60.0]))
def test_no_window_of_a_server_holds_more_requests_than_allowed(steps: Any, most: int, period_s: float) -> None:
    sent = played(Requests(most, period_s), steps, [1.0] * len(steps))

    for each in sent:
        held = [other for other in sent if each.there - period_s < other.there <= each.there]
        assert len(held) <= most


@settings(max_examples=200, deadline=None)
@given(Steps, st.lists(st.floats(0.1, 130), min_size=60, max_size=60))
def test_no_window_of_a_server_holds_more_tokens_than_allowed(steps: Any, amounts: list[float]) -> None:
    most = 100
    sent = played(Tokens(most), steps, amounts)

    for each in sent:
        held = [other.amount for other in sent if each.there - 60 < other.there <= each.there]
        assert sum(held) <= most + 1e-6 or len(held) == 1


def waited(limit: Tokens, tokens: float, now: float) -> tuple[float, int]:
    """When so many may go, and how often that was looked at."""
    for looks in range(100):
        wait = limit.wait_s(tokens, now)
        if wait <= 0:
            return now, looks
        now += wait
    raise AssertionError("never")


def test_a_request_that_was_answered_late_makes_nobody_look_again_and_again() -> None:
    limit = Tokens(100)
    early = limit.take(10, 0.0)
    late = limit.take(90, 1.0)
    limit.arrived(late, 1.1)
    limit.arrived(early, 5.0)

    went, looks = waited(limit, 95, 10.0)

    assert 65.0 < went < 65.1
    assert looks == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.001, 50), min_size=1, max_size=30))
def test_when_all_is_over_as_much_may_go_as_at_first(amounts: list[float]) -> None:
    limit, now = Tokens(100), 0.0
    for amount in amounts:
        number = limit.take(amount, now)
        limit.arrived(number, now)
        limit.correct(number, amount / 3)
        now += 0.1

    assert limit.wait_s(100, now + 61) == 0.0
    assert limit.wait_s(1_000_000, now + 61) == 0.0


def test_what_it_took_in_truth_counts() -> None:
    limit = Tokens(100)
    one = limit.take(90, 0.0)
    assert limit.wait_s(50, 0.0) > 0

    limit.correct(one, 40)

    assert limit.wait_s(50, 0.0) == 0.0


def test_a_request_larger_than_the_limit_goes_when_nothing_else_counts() -> None:
    limit = Tokens(100)
    assert limit.wait_s(500, 0.0) == 0.0
    limit.arrived(limit.take(500, 0.0), 0.0)

    assert limit.wait_s(1, 59.0) > 0
    assert limit.wait_s(500, 60.1) == 0.0


def test_a_request_on_its_way_counts_until_its_server_has_surely_had_it() -> None:
    limit = Requests(1, 1.0)
    limit.take(0.0)

    assert limit.wait_s(1.5) > 0
    assert limit.wait_s(3.0) > 0  # taken for arrived only now
    assert limit.wait_s(4.1) == 0.0


@pytest.mark.parametrize(("per_minute", "apart_s"), [(0.5, 120.0), (1.0, 60.0), (1.5, 40.0)])
def test_less_than_one_in_an_interval_is_one_in_a_longer_one(per_minute: float, apart_s: float) -> None:
    limits = Limits.of(requests_per_minute=per_minute)
    limits.arrived(limits.take(1, 0.0), 0.0)

    assert limits.wait_s(1, apart_s - 0.1) > 0
    assert limits.wait_s(1, apart_s + 0.1) == 0.0


def test_the_narrowest_of_several_limits_holds() -> None:
    limits = Limits.of(requests_per_second=10, requests_per_minute=2)
    for _ in range(2):
        limits.arrived(limits.take(1, 0.0), 0.0)

    assert 59 < limits.wait_s(1, 0.0) < 61


Slot = st.sampled_from(["go", "well", "refused"])


@settings(max_examples=200, deadline=None)
@given(st.lists(Slot, max_size=80), st.one_of(st.none(), st.integers(1, 4)))
def test_there_are_never_more_side_by_side_than_there_are_slots_and_never_none(
    events: list[str], most: int | None
) -> None:
    slots, now = Slots(most), 0.0
    for event in events:
        now += 0.7
        if event == "go" and slots.free:
            slots.held += 1
        elif event != "go" and slots.held:
            if event == "refused":
                slots.refused(now)
            slots.held -= 1
            if event == "well":
                slots.went_well(now)
        assert slots.held >= 0
        assert most is None or slots.held <= most
        assert slots.limit >= 1.0
        assert slots.held or slots.free


def test_a_server_that_refuses_some_gets_fewer_and_then_one_more_each_round() -> None:
    slots = Slots()
    slots.held = 10
    slots.refused(0.0)
    assert slots.limit == 8.0
    slots.refused(0.1)
    assert slots.limit == 8.0  # of the same moment

    for _ in range(8):
        slots.held = 8
        slots.went_well(5.0)
    assert 8.9 < slots.limit < 9.1

    slots.went_well(500.0)
    assert slots.limit == float("inf")


RESETS = [
    ("1s", 1.0), ("6m0s", 360.0), ("1h2m3s", 3723.0), ("20ms", 0.02), ("2m59.56s", 179.56), ("1.5", 1.5), ("12", 12.0),
    (" 7s ", 7.0), ("1d", 86400.0), ("1m500ms", 60.5), ("0s", 0.0), ("0", 0.0), ("", 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "seconds"), RESETS)
def test_a_length_of_time_is_read_in_all_its_spellings(text: str, seconds: float) -> None:
    assert reset_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["soon", "5min", "-5s", "1e3", "s", "5x", "1.2.3s", "²s", "T", "2026-13-45T00:00:00Z", "nan"]
)
def test_what_is_no_length_of_time_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds
        reset_s(text)


def test_a_point_in_time_is_as_far_away_as_it_is() -> None:
    there = datetime.now(UTC) + timedelta(seconds=30)

    assert reset_s(there.isoformat()) == pytest.approx(30, abs=2)
    assert reset_s(there.strftime("%Y-%m-%dT%H:%M:%SZ")) == pytest.approx(30, abs=2)
    assert reset_s(str(int(there.timestamp()))) == pytest.approx(30, abs=2)
    assert reset_s("2020-01-01T00:00:00Z") == 0.0


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_length_of_time_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert reset_s(text) >= 0.0


@pytest.mark.parametrize("names", [
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
])  # fmt: skip
def test_a_server_that_says_nothing_is_left_is_left_alone_until_it_says(names: tuple[str, str]) -> None:
    limits = Limits()

    limits.told({names[0]: "0", names[1]: "6m0s"}, 100.0)

    assert limits.wait_s(1, 100.0) == pytest.approx(360)
    assert limits.wait_s(1, 460.0) == 0.0


def test_what_is_left_is_used_up_by_those_who_go() -> None:
    limits = Limits()
    limits.told({"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "10s"}, 0.0)

    for _ in range(2):
        assert limits.wait_s(1, 0.0) == 0.0
        limits.take(1, 0.0)

    assert limits.wait_s(1, 0.0) == pytest.approx(10)


def test_tokens_that_are_left_must_be_enough() -> None:
    limits = Limits()
    limits.told({"x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "10s"}, 0.0)

    assert limits.wait_s(100, 0.0) == 0.0
    assert limits.wait_s(101, 0.0) == pytest.approx(10)


Header = st.one_of(st.text(max_size=12), st.sampled_from(["0", "-1", "nan", "inf", "1e999", "0x10", "1718000000000"]))


@settings(max_examples=300, deadline=None)
@given(Header, Header, Header)
def test_whatever_a_server_says_it_is_asked_again_within_the_hour(left: str, reset: str, retry: str) -> None:
    limits, now = Limits(), 100.0
    for kind in ("requests", "tokens"):
        limits.told({f"x-ratelimit-remaining-{kind}": left, f"x-ratelimit-reset-{kind}": reset}, now)
    wait = retry_after_s({"Retry-After": retry})
    if wait is not None:
        assert 0 <= wait < float("inf")
    limits.over(wait, now)

    assert limits.wait_s(10, now + 3601) == 0.0


def test_a_server_over_its_limit_is_left_alone_for_as_long_as_it_says() -> None:
    limits = Limits()

    assert limits.over(7.0, 0.0) == 7.0
    assert limits.over(None, 0.0) == 1.0

    assert limits.wait_s(1, 0.0) == 7.0
    assert limits.refused == 2


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"Retry-After": "inf"}, None), ({"Retry-After": "nan"}, None), ({"retry-after-ms": "1e999"}, None),
     ({"Retry-After": "-3"}, 0.0), ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
     ({"Retry-After": ""}, None)],
)  # fmt: skip
def test_a_wait_that_is_none_counts_as_not_said(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers) == wait_s


def test_a_date_to_wait_for_is_as_far_away_as_it_is() -> None:
    there = datetime.now(UTC) + timedelta(seconds=60)

    assert retry_after_s({"Retry-After": there.strftime("%a, %d %b %Y %H:%M:%S GMT")}) == pytest.approx(60, abs=2)


def test_what_ends_gives_its_slot_back_and_its_true_tokens_count() -> None:
    limits, now = Limits.of(tokens_per_minute=100, max_concurrency=1), time.monotonic()
    taken = limits.take(90, now)
    assert limits.wait_s(1, now) > 0

    limits.end(taken, now, 10)

    assert limits.slots.held == 0
    assert limits.wait_s(90, now) == 0.0
    assert limits.wait_s(91, now) > 0
