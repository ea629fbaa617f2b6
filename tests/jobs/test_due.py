"""What is due of a schedule, on a clock that a test sets: outages, catch-up, single times."""

from __future__ import annotations

from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.base.errors import BadInput
from segue.jobs.port import JobRequest
from segue.jobs.schedules import ON_TIME_S, CatchUp, Schedule, due, firing_id, jitter_of

HOUR, DAY = 3600, 86_400
START = 1_767_225_600
"""Midnight, 1 January 2026, UTC."""


def hourly(**changes: object) -> Schedule:
    fields = {"name": "hourly", "cron": "0 * * * *", "run": JobRequest(source="desk.py:agent", request="go"), **changes}
    return Schedule(**fields).checked()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("none", []), ("last", [START + DAY]), ("all", [START + DAY - 2 * HOUR, START + DAY - HOUR, START + DAY])],
)
def test_after_a_day_without_anybody_the_policy_says_what_is_made_up_for(policy: CatchUp, wanted: list[int]) -> None:
    found = due(hourly(catch_up=policy, catch_up_cap=3), upto=START, now=START + DAY + 600)

    assert list(found.ticks) == wanted
    assert found.missed


@pytest.mark.parametrize("policy", ["none", "last"])
def test_a_tick_on_time_is_fired_after_an_outage_and_nothing_else(policy: CatchUp) -> None:
    found = due(hourly(catch_up=policy), upto=START, now=START + DAY + 5)

    assert list(found.ticks) == [START + DAY]
    assert found.missed


def test_an_outage_shorter_than_the_cap_is_made_up_for_wholly() -> None:
    found = due(hourly(catch_up="all"), upto=START, now=START + 5 * HOUR + 600)

    assert list(found.ticks) == [START + hour * HOUR for hour in range(1, 6)]
    assert not found.missed


@pytest.mark.parametrize("policy", ["none", "last", "all"])
def test_what_is_late_by_seconds_is_not_missed(policy: CatchUp) -> None:
    found = due(hourly(cron="* * * * * *", catch_up=policy), upto=START, now=START + 8)

    assert list(found.ticks) == [START + second for second in range(1, 9)]
    assert not found.missed


def test_a_day_without_anybody_of_a_schedule_for_each_second_is_decided_at_once() -> None:
    found = due(hourly(cron="* * * * * *", catch_up="all", catch_up_cap=5), upto=START, now=START + DAY)

    assert len(found.ticks) == ON_TIME_S + 1 + 5
    assert found.missed


def test_nothing_is_due_of_a_paused_schedule_nor_when_the_clock_went_back() -> None:
    assert due(hourly(paused=True), upto=START, now=START + DAY).ticks == ()
    assert due(hourly(), upto=START, now=START - DAY).ticks == ()


@pytest.mark.parametrize("policy", ["none", "last", "all"])
def test_a_single_time_is_fired_once_however_late(policy: CatchUp) -> None:
    once = hourly(cron="", at=START + HOUR + 0.5, catch_up=policy)

    assert due(once, upto=START, now=START + HOUR - 1).ticks == ()
    assert due(once, upto=START, now=START + DAY).ticks == (START + HOUR,)
    assert due(once, upto=START + DAY, now=START + 2 * DAY).ticks == ()


@given(
    looks=st.lists(st.integers(1, 3 * HOUR), min_size=1, max_size=40),
    cron=st.sampled_from(["0 * * * *", "*/7 * * * *", "30 2 * * *"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/Santiago"]),
)
@settings(max_examples=60, deadline=None)
def test_whenever_it_is_looked_at_each_tick_is_fired_once(looks: list[int], cron: str, zone: str) -> None:
    schedule = hourly(cron=cron, timezone=zone, catch_up="all", catch_up_cap=10_000)
    upto = START
    fired: list[int] = []
    for pause in looks:
        found = due(schedule, upto=upto, now=upto + pause)
        assert not found.missed
        fired += found.ticks
        upto += pause

    assert fired == list(takewhile(lambda tick: tick <= upto, schedule.after(START)))


def test_a_firing_has_one_id_for_each_schedule_tick_and_tenant() -> None:
    other = JobRequest(source="desk.py:agent", request="go", tenant="acme", user="ann")
    ids = {
        firing_id(hourly(), START), firing_id(hourly(), START + 1), firing_id(hourly(name="b"), START),
        firing_id(hourly(run=other), START), firing_id(hourly(), START, by_hand=True),
    }  # fmt: skip

    assert firing_id(hourly(), START) == "sched-hourly-20260101T000000Z"
    assert len(ids) == 5


def test_jitter_is_off_at_first_and_the_same_for_the_same_firing() -> None:
    spread = [jitter_of(hourly(jitter_s=30), firing_id(hourly(), START + tick)) for tick in range(100)]

    assert jitter_of(hourly(), "sched-x") == 0
    assert spread == [jitter_of(hourly(jitter_s=30), firing_id(hourly(), START + tick)) for tick in range(100)]
    assert 0 <= min(spread) < 10 < 20 < max(spread) <= 30


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "No Spaces"}, "no name of a schedule"),
        ({"cron": "", "at": None}, "either a cron expression or one time"),
        ({"at": START}, "either a cron expression or one time"),
        ({"overlap": "often"}, "no overlap policy.*allow, cancel, queue, skip"),
        ({"catch_up": "some"}, "no catch-up policy.*all, last, none"),
        ({"catch_up_cap": 0}, "at least 1"),
        ({"cron": "bad"}, "no cron expression"),
        ({"timezone": "Nowhere"}, "no time zone"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        hourly(**changes)
