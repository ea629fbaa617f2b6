"""One check: a scenario's boundaries, the states that the disk was in, and what is tried from each.

In: the scenario and how much to try. Out: a report, filled stop by stop. All of it happens in the process that begins
the others; what runs in them is `crash_play`, `crash_cancel` and `crash_fresh`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal, TypeVar

from segue.base.errors import UserError
from segue.testing.crash_cancel import cancelled
from segue.testing.crash_disk import Disk, Snapshot
from segue.testing.crash_fresh import address_of, killed_and_resumed
from segue.testing.crash_play import Outcome, Place, played
from segue.testing.crash_process import Child, ChildDied, fork, freeze, frozen, in_child
from segue.testing.crash_report import CrashReport, Stop, judged
from segue.testing.crash_scenario import Scenario
from segue.testing.crash_watch import Point

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What to try; see `check_crash_points`."""

    points: Literal["all"] | int
    stops: tuple[str, ...]
    kill_sample: int
    processes: int
    max_problems: int | None

    def enough(self, report: CrashReport) -> bool:
        """Whether so many problems were found that it can be left."""
        return self.max_problems is not None and len(report.problems) >= self.max_problems

    def sample(self, items: list[T]) -> list[T]:
        """Those to try, of all."""
        return items if self.points == "all" else spread(items, self.points)


def spread(items: list[T], count: int) -> list[T]:
    """So many of them, evenly, with the first and the last."""
    if count >= len(items):
        return items
    if count <= 1:
        return items[: max(count, 0)]
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]


class Check:
    """One check: the states that the disk was in, and what is tried from each."""

    def __init__(self, scenario: Scenario, options: Options, root: Path) -> None:
        self.states: dict[Snapshot, Point] = {}
        """What the disk held, with the first boundary at which it did."""
        self.wanted: Counter[Hashable] = Counter()
        """How often each effect should be there."""
        self._scenario = scenario
        self._options = options
        self._disk = Disk(root / "kept")
        self._places = [Place(root / f"place{index}") for index in range(max(1, options.processes))]
        for place in self._places:
            place.world.mkdir(parents=True)
            place.data.mkdir()
        self._begin: Snapshot = frozenset()

    def whole(self) -> Outcome:
        """Play it to the end twice: to see that it is the same twice, and to know its boundaries."""
        place, scenario = self._places[0], self._scenario
        in_child(partial(scenario.prepare, place.world), scenario.limit_s)
        self._begin = self._disk.take(place.folder)
        first: Outcome = in_child(partial(played, scenario, place), scenario.limit_s * 1.5)
        if first.error:
            raise UserError(f"the scenario fails by itself, without a stop:\n{first.error}")
        _import(first.modules)
        self._disk.put_back(self._begin, place.folder)
        whole = self._recorded(place)
        if differing := [
            problem
            for problem in judged(whole, first, Counter(first.effects), "none", "its end")
            if problem.kind != "error"
        ]:
            raise UserError(
                f"the scenario is not the same twice, without any stop: {differing[0].what}.",
                way_out="Take out what depends on time, chance or the process: Scenario(same=…), models that answer by "
                "what they are asked.",
            )
        return whole

    def _recorded(self, place: Place) -> Outcome:
        """Play it and keep what the disk holds at each boundary."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)

        def reached(point: Point) -> None:
            os.write(writer, f"{point.kind}\t{point.number}\t{point.where}\n".encode()[:4000])
            freeze()

        said = ""

        def look() -> None:
            nonlocal said
            with contextlib.suppress(BlockingIOError):  # of two threads that get there at once, one speaks for both
                said = os.read(reader, 1 << 20).decode().splitlines()[-1]
            kind, number, where = said.split("\t")
            self.states.setdefault(self._disk.take(place.folder), Point(kind, int(number), where))  # type: ignore[arg-type]

        child = fork(partial(played, self._scenario, place, reached), quiet=True)
        whole: Outcome = frozen(child, look, self._scenario.limit_s * 10)
        os.close(reader)
        os.close(writer)
        return whole

    def crashes(self, whole: Outcome, report: CrashReport) -> None:
        """Take up what the disk held, in another process, as after a crash at that boundary."""
        states = self._options.sample(list(self.states.items()))
        work = [(str(point), state, partial(played, self._scenario)) for state, point in states]
        for where, outcome in self._tried(work, report):
            report.crashes += 1
            self._add(report, outcome, whole, "crash", where)

    def cancels(self, whole: Outcome, report: CrashReport) -> None:
        """Play it anew and cancel at an await."""
        numbers = self._options.sample(list(range(1, whole.awaits + 1)))
        work = [
            (f"await {number}", self._begin, partial(cancelled, self._scenario, number=number)) for number in numbers
        ]
        for where, outcome in self._tried(work, report):
            if not outcome.cancelled_at and not outcome.error:
                report.not_reached += 1
                continue
            report.cancels += 1
            self._add(report, outcome, whole, "cancel", outcome.cancelled_at or where)

    def kills(self, whole: Outcome, report: CrashReport) -> None:
        """Play it anew, have the process killed at an await, and take it up in another one."""
        address = address_of(self._scenario)
        report.fresh = address is not None
        numbers = spread(list(range(1, whole.awaits + 1)), self._options.kill_sample)
        work = [
            (f"await {number}", self._begin, partial(killed_and_resumed, self._scenario, address, number=number))
            for number in numbers
        ]
        for where, outcome in self._tried(work, report):
            if outcome.cancelled_at == "":
                report.not_reached += 1
                continue
            report.kills += 1
            self._add(report, outcome, whole, "kill", where)

    def _add(self, report: CrashReport, outcome: Outcome, whole: Outcome, stop: Stop, where: str) -> None:
        report.asked += outcome.asked
        report.given_up += outcome.given_up
        report.problems += judged(outcome, whole, self.wanted, stop, where)

    def _tried(
        self, work: Sequence[tuple[str, Snapshot, Callable[[Place], Outcome]]], report: CrashReport
    ) -> Iterator[tuple[str, Outcome]]:
        """Do each piece of work in a process of its own, on what the disk is to hold."""
        free, busy, left = list(self._places), dict[Any, tuple[str, Place, Child, float]](), list(work)[::-1]
        limit_s = self._scenario.limit_s * 1.5
        while left or busy:
            if self._options.enough(report):
                left.clear()
            while left and free:
                where, state, does = left.pop()
                place = free.pop(0)
                self._disk.put_back(state, place.folder)
                child = fork(partial(does, place), quiet=True)
                busy[child.says] = (where, place, child, time.monotonic() + limit_s)
            if not busy:
                return
            until = min(entry[3] for entry in busy.values())
            ready = wait(list(busy), timeout=max(0.0, until - time.monotonic()))
            late = [says for says, entry in busy.items() if entry[3] <= time.monotonic()]
            for says in {*ready, *late}:
                where, place, child, _ = busy.pop(says)
                free.append(place)
                try:
                    yield where, child.result(0)
                except ChildDied as error:
                    yield where, Outcome(error=error.message, cancelled_at=where)


def _import(modules: list[str]) -> None:
    """Have what libraries the scenario needed at hand for every process to come; its own modules begin anew."""
    for name in modules:
        spec = None
        if name not in sys.modules and "__main__" not in name:
            with contextlib.suppress(Exception):
                spec = importlib.util.find_spec(name)
        if spec is not None and ("site-packages" in (spec.origin or "") or name.startswith("segue.")):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
