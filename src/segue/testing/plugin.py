"""The pytest plugin: the fixture `crash_points`, the marker that sets it, and an option to try fewer stops or all.

    @pytest.mark.crash_points(points=50)
    def test_the_desk_survives_every_stop(crash_points):
        crash_points(DESK)

Loaded by every pytest run in whose environment Segue is installed, so it imports nothing before it is used.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from segue.testing.crash_report import CrashReport
    from segue.testing.crash_scenario import Scenario

_OPTION = "--crash-points"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("segue").addoption(
        _OPTION,
        metavar="N",
        help="how many stops of each kind the fixture crash_points tries, or 'all'; before what tests say themselves",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "crash_points(**options): options of check_crash_points for the fixture crash_points of this test",
    )


@pytest.fixture
def crash_points(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., CrashReport]:
    """Checks a scenario at its crash points, fails the test where a stop is not survived, and returns the report.

    Takes a `Scenario` and the options of `check_crash_points`; those of the marker `crash_points` hold where the call
    says nothing, and `--crash-points` holds before both.
    """
    from segue.testing.crash import check_crash_points

    def check(scenario: Scenario, **options: Any) -> CrashReport:
        marker = request.node.get_closest_marker("crash_points")
        given = {"folder": tmp_path, **(marker.kwargs if marker else {}), **options}
        if (chosen := request.config.getoption(_OPTION)) is not None:
            given["points"] = chosen if chosen == "all" else int(chosen)
        report = check_crash_points(scenario, **given)
        if not report.ok:
            pytest.fail(str(report), pytrace=False)
        return report

    return check
