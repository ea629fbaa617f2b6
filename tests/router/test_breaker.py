from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.router.breaker import FIRST_S, LAST, MANY, MOST_S, Breaker


def opened(breaker: Breaker, now: float) -> Breaker:
    breaker.failed(now, at_once=True)
    return breaker


def test_a_new_one_is_closed() -> None:
    breaker = Breaker()

    assert (breaker.state(0.0), breaker.allows(0.0), breaker.opens_in_s(0.0)) == ("closed", True, 0.0)


def test_a_refused_connection_opens_it_at_once() -> None:
    breaker = opened(Breaker(), 10.0)

    assert breaker.state(10.0) == "open"
    assert not breaker.allows(10.0 + FIRST_S - 0.01)
    assert breaker.opens_in_s(10.0) == FIRST_S


def test_two_failures_in_a_row_open_it_where_they_are_not_rare() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.went_well(0.0)
    breaker.failed(0.0)
    assert breaker.state(0.0) == "closed"

    breaker.failed(0.0)

    assert breaker.state(0.0) == "open"


def test_two_failures_in_a_row_among_many_answers_do_not_open_it_and_many_do() -> None:
    breaker = Breaker()
    for _ in range(LAST):
        breaker.went_well(0.0)
    for _ in range(MANY - 1):
        breaker.failed(0.0)
    assert breaker.state(0.0) == "closed"

    breaker.failed(0.0)

    assert breaker.state(0.0) == "open"


def test_half_of_the_last_ones_failing_in_turn_does_not_open_it_and_more_do() -> None:
    turns, more = Breaker(), Breaker()
    for each in (turns, more):
        for _ in range(LAST):
            each.went_well(0.0)
    more.failed(0.0)
    for each in (turns, more):
        for _ in range(LAST // 2 - 1):
            each.failed(0.0)
            each.went_well(0.0)
    turns.failed(0.0)
    assert (turns.state(0.0), more.state(0.0)) == ("closed", "closed")

    more.failed(0.0)

    assert more.state(0.0) == "open"


def test_when_its_time_is_over_one_may_try_and_no_other() -> None:
    breaker = opened(Breaker(), 0.0)

    assert breaker.state(FIRST_S) == "half-open"
    assert breaker.begin(FIRST_S)
    assert not breaker.allows(FIRST_S)
    assert not breaker.begin(FIRST_S)


def test_one_that_tries_and_is_answered_closes_it_for_all() -> None:
    breaker = opened(Breaker(), 0.0)
    breaker.begin(FIRST_S)

    breaker.went_well(FIRST_S + 1)

    assert breaker.state(FIRST_S + 1) == "closed"
    assert breaker.allows(FIRST_S + 1)


def test_after_it_is_well_again_one_failure_does_not_open_it() -> None:
    breaker = Breaker()
    now = 0.0
    for _ in range(LAST):
        breaker.failed(now)
        now += breaker.opens_in_s(now)
        breaker.begin(now)
    breaker.went_well(now)

    breaker.failed(now)

    assert breaker.state(now) == "closed"


def test_it_stays_open_twice_as_long_each_time_up_to_a_bound() -> None:
    breaker = opened(Breaker(), 0.0)
    waits, now = [breaker.opens_in_s(0.0)], 0.0
    for _ in range(8):
        now += breaker.opens_in_s(now)
        assert breaker.begin(now)
        breaker.failed(now)
        waits.append(breaker.opens_in_s(now))

    assert waits == pytest.approx([1, 2, 4, 8, 16, MOST_S, MOST_S, MOST_S, MOST_S])


def test_being_well_again_begins_with_the_first_wait() -> None:
    breaker = opened(Breaker(), 0.0)
    breaker.begin(FIRST_S)
    breaker.failed(FIRST_S)
    breaker.went_well(5.0)

    breaker.failed(6.0, at_once=True)

    assert breaker.opens_in_s(6.0) == FIRST_S


def test_one_that_tries_and_says_nothing_lets_another_one_try() -> None:
    breaker = opened(Breaker(), 0.0)
    tried = breaker.begin(FIRST_S)

    breaker.gave_up(tried)

    assert breaker.allows(FIRST_S)


def test_others_that_say_nothing_do_not_end_the_try() -> None:
    breaker = opened(Breaker(), 0.0)
    early = breaker.begin(0.5)
    breaker.begin(FIRST_S)

    breaker.gave_up(early)

    assert not breaker.allows(FIRST_S)


def test_failures_of_requests_that_were_there_already_do_not_keep_it_open_longer() -> None:
    breaker = opened(Breaker(), 0.0)

    for _ in range(10):
        breaker.failed(0.5, at_once=True)

    assert breaker.allows(FIRST_S)


def test_they_that_wait_for_it_are_spread() -> None:
    early, late = Breaker(), Breaker()
    early.failed(0.0, at_once=True, factor=0.75)
    late.failed(0.0, at_once=True, factor=1.25)

    assert (early.opens_in_s(0.0), late.opens_in_s(0.0)) == (0.75, 1.25)


Happens = st.tuples(st.sampled_from(["begin", "well", "failed", "gone", "left"]), st.floats(0, 40))


@settings(max_examples=300, deadline=None)
@given(st.lists(Happens, max_size=60))
def test_whatever_happens_at_most_one_tries_and_it_never_stays_shut(events: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(), 0.0
    going: list[bool] = []
    for what, after in events:
        now += after
        if what == "begin":
            allowed, half = breaker.allows(now), breaker.state(now) == "half-open"
            going.append(breaker.begin(now))
            assert going[-1] == (allowed and half)
        elif going:
            tried = going.pop(0)
            if what == "well":
                breaker.went_well(now)
                assert breaker.allows(now)
            elif what == "left":
                breaker.gave_up(tried)
            else:
                breaker.failed(now, at_once=what == "gone")
        assert 0 <= breaker.opens_in_s(now) <= MOST_S
        assert breaker.allows(now) or breaker.state(now) != "closed"

    for tried in going:
        breaker.gave_up(tried)
    assert breaker.allows(now + MOST_S)
