"""Cron against two oracles: every minute around each clock change, and dateutil's rules over ten years."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule, tz
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.base.errors import BadInput
from segue.jobs.cron import Cron

ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "America/Havana",
    "Africa/Casablanca", "Pacific/Auckland", "Antarctica/Troll", "America/Sao_Paulo", "Asia/Kolkata",
)  # fmt: skip
FIRST, LAST = 2016, 2026
Matches = Callable[[datetime], bool]
NAMED: dict[str, Matches] = {
    "30 2 * * *": lambda wall: (wall.hour, wall.minute) == (2, 30),
    "*/20 0-3 * * *": lambda wall: wall.minute % 20 == 0 and wall.hour <= 3,
    "0 0 * * *": lambda wall: (wall.hour, wall.minute) == (0, 0),
    "15,45 1,23 * * sun": lambda wall: (
        wall.minute in (15, 45) and wall.hour in (1, 23) and wall.isoweekday() == 7
    ),
}  # fmt: skip
EVERY_HOUR: dict[str, Matches] = {
    "*/15 * * * *": lambda wall: wall.minute % 15 == 0,
    "7 0-23 * * sat-sun": lambda wall: wall.minute == 7 and wall.isoweekday() >= 6,
}
PATTERNS = NAMED | EVERY_HOUR


def instant(year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, zone: str = "UTC") -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).timestamp())


def walls(zone: str, expression: str, after: int, count: int) -> list[str]:
    ticks = islice(Cron.parse(expression, zone).after(after), count)
    return [datetime.fromtimestamp(tick, ZoneInfo(zone)).isoformat() for tick in ticks]


@lru_cache
def changes(zone: str) -> list[int]:
    """The hours within which the clocks change, in ten years."""
    found, place = [], ZoneInfo(zone)
    offset = None
    for at in range(instant(FIRST, 1, 1), instant(LAST, 1, 1), 3600):
        now = datetime.fromtimestamp(at, place).utcoffset()
        if offset is not None and now != offset:
            found.append(at)
        offset = now
    return found


def by_the_minute(zone: str, expression: str, start: int, end: int) -> Iterator[int]:
    """What a person with a clock on the wall would do."""
    place, matches, named = ZoneInfo(zone), PATTERNS[expression], expression in NAMED
    before = datetime.fromtimestamp(start - 60, UTC).astimezone(place)
    for at in range(start, end, 60):
        wall = datetime.fromtimestamp(at, UTC).astimezone(place)
        jumped = int((wall.replace(tzinfo=None) - before.replace(tzinfo=None)).total_seconds()) // 60 - 1
        skipped = [before.replace(tzinfo=None) + timedelta(minutes=each) for each in range(1, jumped + 1)]
        again = named and wall.fold == 1
        if (matches(wall) and not again) or (named and any(map(matches, skipped))):
            yield at
        before = wall


@pytest.mark.parametrize("zone", ZONES)
def test_around_every_clock_change_of_ten_years_it_falls_due_as_the_clock_on_the_wall_says(zone: str) -> None:
    day = 24 * 3600
    for change in changes(zone):
        start, end = change - day // 2, change + day // 2
        for expression in PATTERNS:
            cron = Cron.parse(expression, zone)
            wanted = list(by_the_minute(zone, expression, start, end))

            found = list(takewhile(lambda tick: tick < end, cron.after(start - 1)))  # noqa: B023
            back = list(takewhile(lambda tick: tick >= start, cron.before(end - 1)))  # noqa: B023

            assert (expression, found) == (expression, wanted)
            assert (expression, back[::-1]) == (expression, wanted)


@pytest.mark.parametrize("zone", ZONES)
def test_over_ten_years_a_daily_time_falls_due_on_each_day_once(zone: str) -> None:
    place = tz.gettz(zone)
    wanted = []
    for wall in rrule.rrule(
        rrule.DAILY, dtstart=datetime(FIRST, 1, 2), until=datetime(LAST, 1, 1), byhour=2, byminute=30, bysecond=0
    ):
        while not tz.datetime_exists(wall, place):
            wall += timedelta(minutes=1)
        wanted.append(int(wall.replace(tzinfo=place, fold=0).timestamp()))

    end = wanted[-1]
    found = takewhile(lambda tick: tick <= end, Cron.parse("30 2 * * *", zone).after(wanted[0] - 1))

    assert list(found) == wanted


@given(
    after=st.integers(instant(2000, 1, 1), instant(2035, 1, 1)),
    zone=st.sampled_from(ZONES),
    expression=st.sampled_from([*PATTERNS, "5 4 29 2 *", "* * * * * *", "*/7 30 2 * * *", "0 12 l * *", "@weekly"]),
)
@settings(max_examples=150, deadline=None)
def test_forwards_and_backwards_are_the_same_ticks(after: int, zone: str, expression: str) -> None:
    cron = Cron.parse(expression, zone)
    ahead = list(islice(cron.after(after), 4))

    assert all(a < b for a, b in zip([after, *ahead], ahead, strict=False))
    assert list(islice(cron.before(ahead[-1]), 4)) == ahead[::-1]
    assert next(cron.before(ahead[0] - 1)) <= after


def test_a_time_that_is_skipped_falls_due_once_at_the_end_of_the_gap() -> None:
    assert walls("Europe/Berlin", "0,15,30 2 * * *", instant(2026, 3, 28, 12), 4) == [
        "2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T02:15:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ]  # fmt: skip


def test_a_time_that_comes_twice_falls_due_the_first_time() -> None:
    assert walls("Europe/Berlin", "30 2 * * *", instant(2026, 10, 24, 12), 2) == [
        "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00",
    ]  # fmt: skip


def test_an_interval_goes_on_through_a_repeated_hour() -> None:
    found = walls("Europe/Berlin", "*/30 * * * *", instant(2026, 10, 25, 1, 30, zone="Europe/Berlin"), 4)

    assert [each[11:] for each in found] == ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00"]


def test_a_sixth_field_in_front_is_seconds() -> None:
    assert walls("UTC", "10 0 0 1 1 *", instant(2026, 5, 1), 1) == ["2027-01-01T00:00:10+00:00"]


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "61 * * * *", "0 24 * * *", "a b c d e", "R * * * *", "H * * * *", "0 0 * * * * *", "@reboot",
     "* * * * mon-", "0 0 1-32 * *"],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(BadInput, match=r"no cron expression.*mon-fri"):
        Cron.parse(expression)


def test_a_day_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BadInput, match="never falls due"):
        Cron.parse("0 0 30 2 *")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "Europe"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadInput, match=r"no time zone.*Europe/Berlin"):
        Cron.parse("* * * * *", zone)
