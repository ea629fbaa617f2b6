"""The crash-point checker: a scenario in, what came of stopping it at every place where it can be stopped out.

    def desk(world: Path) -> Agent: ...

    report = check_crash_points(Scenario(agent=desk, requests=["Refund order 1042."], effects=refunds_in))
    assert report.ok, report

The scenario is played once without a stop, and at each boundary - an await, a checkpoint, a write - its process is
frozen and the disk is copied: that is what a `kill -9` there would leave. Then, for each thing that the disk held,
another process takes it up; and for each await, another one plays the scenario anew, cancels its run there and has a
next turn. A sample is killed in truth, in interpreters of their own. What came of each is compared with the first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Literal

from segue.base.errors import UserError
from segue.testing.crash_check import Check, Options
from segue.testing.crash_fresh import address_of, begin, what_it_said
from segue.testing.crash_process import ChildDied, fork
from segue.testing.crash_report import CrashReport, Problem, own_problems, wanted_effects
from segue.testing.crash_scenario import Scenario
from segue.tools.sandbox import monty

_FOR_EVER_S = 7 * 24 * 3600.0


def check_crash_points(
    scenario: Scenario,
    *,
    points: Literal["all"] | int = "all",
    stops: Collection[Literal["crash", "cancel"]] = ("crash", "cancel"),
    kill_sample: int = 0,
    processes: int = 1,
    max_problems: int | None = None,
    folder: Path | None = None,
) -> CrashReport:
    """Stop the scenario at every boundary, go on after each stop, and compare with a run that nothing stopped.

    Blocks until it is done; all of the scenario runs in processes of its own.

    Args:
        scenario: What is played.
        points: `"all"`, or how many stops of each kind, spread evenly over the scenario.
        stops: Which kinds.
        kill_sample: How many awaits, spread evenly, at which a process is killed in truth. It is an interpreter of its
            own, as is the one that goes on, where the scenario stands in a module under a name; else both are forked.
        processes: How many stops are tried at the same time, each in a folder of its own. With one, every process
            finds the scenario at the same path.
        max_problems: After how many to leave it; `None` tries all stops.
        folder: Where to work; `None` is a temporary one, removed at the end.

    Raises:
        UserError: The scenario fails by itself, is not the same twice, or this system cannot fork.
    """
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="segue-crash-", dir=folder))
    options = Options(points, tuple(stops), kill_sample, processes, max_problems)
    try:
        report = _led(scenario, options, place)
    except ChildDied as error:
        raise UserError(f"the scenario could not be checked: {error.message}") from None
    finally:
        shutil.rmtree(place, ignore_errors=True)
    report.took_s = time.monotonic() - began
    return report


def _led(scenario: Scenario, options: Options, root: Path) -> CrashReport:
    """Check it in a process of its own: a fork of this one, unless a fork could not run the sandbox."""
    address = address_of(scenario) if monty.begun() else None
    if address is None:
        report: CrashReport = fork(partial(_checked, scenario, options, root), leads=True).result(_FOR_EVER_S)
        return report
    interpreter = begin(root / "lead", partial(_outcome, options=options, root=root), address, leads=True)
    try:
        _, told = interpreter.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(interpreter.pid, signal.SIGKILL)
        interpreter.wait()
    if interpreter.returncode:
        raise ChildDied(f"its interpreter ended with {interpreter.returncode}:\n{told[-4000:]}")
    result: CrashReport | str = what_it_said(root / "lead")
    if isinstance(result, str):
        raise UserError(result)
    return result


def _outcome(scenario: Scenario, *, options: Options, root: Path) -> CrashReport | str:
    """The report, or what was misused."""
    try:
        return _checked(scenario, options, root)
    except UserError as error:
        return str(error)


def _checked(scenario: Scenario, options: Options, root: Path) -> CrashReport:
    """In the process that begins all others: it never plays the scenario itself, so that each begins clean."""
    check = Check(scenario, options, root)
    whole = check.whole()
    report = CrashReport(points=whole.boundaries, writes=len(whole.effects), asked=whole.asked)
    check.wanted = wanted_effects(whole, scenario.expected)
    report.problems += own_problems(whole, check.wanted)
    report.states = len(check.states)
    if "crash" in options.stops:
        check.crashes(whole, report)
    if "cancel" in options.stops:
        check.cancels(whole, report)
    if options.kill_sample:
        check.kills(whole, report)
    return report


__all__ = ["CrashReport", "Problem", "Scenario", "check_crash_points"]
