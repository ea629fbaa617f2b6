"""Cron: an expression and a time zone in, the instants at which it falls due out, forwards or backwards.

An instant is whole seconds since 1970. Where the clocks change, two rules hold. An expression that names hours (say
`30 2 * * *`) means the time on the wall: a time that is skipped falls due once, at the end of the gap, and one that
comes twice falls due the first time only. An expression for every hour (`*/15 * * * *`) means regular intervals: it
falls due whenever the clock on the wall shows one of its times, in both passes of a repeated hour. Fields are read and
matched by croniter; clock changes are none of its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from segue.base.errors import BadInput

_DAY_S = 86_400
_PROBE_S = 6 * 3600
_EPOCH = datetime(1970, 1, 1)  # naive: a time on the wall
_YEARS = 60
"""How far ahead or back an expression may fall due for it to be possible: rare days repeat within 28 years, or 40."""
_ITEM = re.compile(r"(\*|\?|l[0-7]?|\d+|[a-z]{3})(-(\d+|[a-z]{3}))?(/\d+)?(#(\d|l))?$", re.IGNORECASE)
_ALIASES = ("@midnight", "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually")


@dataclass(frozen=True)
class Cron:
    """When something falls due. Made by `Cron.parse`."""

    expression: str
    """Five fields (minute, hour, day, month, weekday), or six with seconds first; or an alias such as `@daily`."""
    timezone: str

    @classmethod
    def parse(cls, expression: str, timezone: str = "UTC") -> Cron:
        """The expression, checked.

        Raises:
            BadInput: It is no cron expression, falls on no day that there is, or the zone is not known.
        """
        found = cls(" ".join(expression.split()), timezone)
        zone(timezone)
        _check(found.expression)
        return found

    def after(self, instant: float) -> Iterator[int]:
        """The instants after this one, in their order; it ends after some decades without any."""
        start = int(instant // 1)
        for stretch in _stretches(self.timezone, start):
            if stretch.start - start > _YEARS * 366 * _DAY_S:
                return
            yield from self._within(stretch, max(start, stretch.start - 1))

    def before(self, instant: float) -> Iterator[int]:
        """The instants up to and including this one, newest first."""
        end = int(instant // 1)
        for stretch in _stretches_back(self.timezone, end):
            if end - stretch.end > _YEARS * 366 * _DAY_S:
                return
            yield from self._within_back(stretch, min(end, stretch.end - 1))

    def _within(self, stretch: _Stretch, after: int) -> Iterator[int]:
        """Those of one stretch of constant offset that come after an instant."""
        if after < stretch.start and self._skipped_into(stretch):
            yield stretch.start
            after = stretch.start
        ticks = _fields(self.expression, _wall(max(after, self._first(stretch) - 1) + stretch.offset))
        while (tick := _instant(ticks.get_next(datetime)) - stretch.offset) < stretch.end:
            yield tick

    def _within_back(self, stretch: _Stretch, until: int) -> Iterator[int]:
        begins = self._first(stretch)
        skipped = self._skipped_into(stretch)
        ticks = _fields(self.expression, _wall(until + 1 + stretch.offset))
        while (tick := _instant(ticks.get_prev(datetime)) - stretch.offset) >= begins:
            if tick == stretch.start and skipped:
                break
            yield tick
        if skipped and until >= stretch.start:
            yield stretch.start

    def _first(self, stretch: _Stretch) -> int:
        """From where on times on the wall count: those that come a second time do not, where hours are named."""
        repeated = max(0, stretch.before - stretch.offset)
        return stretch.start + (0 if _every_hour(self.expression) else repeated)

    def _skipped_into(self, stretch: _Stretch) -> bool:
        """Whether a time that hours are named for was skipped when this stretch began."""
        if stretch.offset <= stretch.before or _every_hour(self.expression):
            return False
        ticks = _fields(self.expression, _wall(stretch.start + stretch.before - 1))
        return _instant(ticks.get_next(datetime)) < stretch.start + stretch.offset


def zone(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        BadInput: There is none.
    """
    try:
        return _zone(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(
            f"there is no time zone {name!r}.", way_out="Name one as IANA does: Europe/Berlin, America/New_York, UTC."
        ) from None


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


class _Stretch(NamedTuple):
    """A time between two changes of the clocks. The last and first ones of what is looked at are cut."""

    start: int
    end: int
    offset: int
    """Seconds that the wall is ahead of UTC."""
    before: int
    """The offset until `start`."""


def _stretches(name: str, since: int) -> Iterator[_Stretch]:
    """The stretches of a zone from the one that holds this instant on, a year's end cutting one too."""
    year = _wall(since).year
    while year < 9998:
        for stretch in _of_year(name, year):
            if stretch.end > since:
                yield stretch
        year += 1


def _stretches_back(name: str, until: int) -> Iterator[_Stretch]:
    year = _wall(until).year
    while year > 1900:
        for stretch in reversed(_of_year(name, year)):
            if stretch.start <= until:
                yield stretch
        year -= 1


@lru_cache(maxsize=512)
def _of_year(name: str, year: int) -> tuple[_Stretch, ...]:
    """The stretches of one UTC year. Clocks do not change twice within six hours."""
    found = zone(name)
    first, end = (_instant(datetime(each, 1, 1)) for each in (year, year + 1))
    starts, offset = [(first, _offset(found, first), _offset(found, first - 1))], _offset(found, first)
    for probe in range(first + _PROBE_S, end, _PROBE_S):
        if (now := _offset(found, probe)) != offset:
            starts.append((_change(found, probe - _PROBE_S, probe), now, offset))
            offset = now
    ends = [*(each[0] for each in starts[1:]), end]
    return tuple(_Stretch(at, to, now, before) for (at, now, before), to in zip(starts, ends, strict=True))


def _change(found: ZoneInfo, low: int, high: int) -> int:
    """The first instant of the offset at `high`; at `low` it is another one."""
    wanted = _offset(found, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(found, middle) == wanted else (middle, high)
    return high


def _offset(found: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, UTC).astimezone(found).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _wall(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _instant(wall: datetime) -> int:
    return (wall - _EPOCH) // timedelta(seconds=1)


def _fields(expression: str, start: datetime) -> Any:
    from croniter import croniter

    return croniter(expression, start, second_at_beginning=True, max_years_between_matches=_YEARS)


@lru_cache(maxsize=1024)
def _every_hour(expression: str) -> bool:
    """Whether the hour field is one for regular intervals."""
    from croniter import croniter

    expanded = croniter.expand(expression, second_at_beginning=True)[0]
    hours = expanded[1]
    return hours == ["*"] or set(hours) == set(range(24))


def _check(expression: str) -> None:
    from croniter import croniter
    from croniter.croniter import CroniterBadDateError

    fields = expression.split(" ")
    plain = expression.lower() in _ALIASES or (
        len(fields) in (5, 6) and all(_ITEM.match(item) for field in fields for item in field.split(","))
    )
    if not plain or not croniter.is_valid(expression, second_at_beginning=True):
        raise BadInput(
            f"{expression!r} is no cron expression.",
            way_out="Give minute, hour, day, month and weekday, such as '30 7 * * mon-fri'; a sixth field in front is "
            "seconds.",
        )
    try:
        _fields(expression, datetime(2000, 1, 1)).get_next()
    except CroniterBadDateError:
        raise BadInput(f"{expression!r} never falls due: there is no such day.") from None
