"""The example desk and an office of more than twenty writes are stopped at every boundary, and survive each stop."""

from __future__ import annotations

import pytest
from tests.testing.desk import DESK, ONCE
from tests.testing.office import OFFICE, WRITES
from tests.testing.planted import PLANTED, SAFE

from segue.testing import check_crash_points

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


def test_the_office_does_each_write_once_wherever_it_is_stopped() -> None:
    report = check_crash_points(OFFICE, kill_sample=20)

    assert report.ok, report
    assert report.writes == len(OFFICE.expected or ()) == WRITES
    assert report.crashes == report.states > 100
    assert report.cancels > 200
    assert report.asked > report.given_up == 0
    assert report.not_reached <= report.points // 50


def test_the_desk_ends_with_the_same_answer_wherever_it_crashes() -> None:
    report = check_crash_points(DESK, stops=["crash"], kill_sample=6)

    assert report.ok, report
    assert report.crashes == report.states > 100
    assert report.writes == 1


def test_the_desk_refunds_once_wherever_it_is_cancelled() -> None:
    report = check_crash_points(ONCE, points=200, stops=["cancel"])

    assert report.ok, report
    assert report.cancels >= 150


@pytest.mark.parametrize("name", SAFE)
def test_what_is_safe_passes_at_every_boundary(name: str) -> None:
    report = check_crash_points(SAFE[name])

    assert report.ok, report
    assert report.crashes == report.states > 10


@pytest.mark.parametrize("bug", PLANTED)
def test_each_planted_bug_is_found_for_what_it_is(bug: str) -> None:
    scenario, kind = PLANTED[bug]

    report = check_crash_points(scenario)

    kinds = {problem.kind for problem in report.problems}
    assert kind in kinds, report
    assert kinds <= {kind, "differs"}, report
