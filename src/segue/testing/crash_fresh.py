"""Interpreters of their own for the crash-point checker: one that is killed at an await, one that goes on after it.

`python -m segue.testing.crash_fresh JOB` is what each of them runs; the job is a file that says where the scenario
stands, and what to do with it. A scenario that stands in no module under a name cannot be found by another
interpreter: it is forked instead.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from segue.testing.crash_play import Outcome, Place, played
from segue.testing.crash_process import ChildDied, in_child
from segue.testing.crash_scenario import Scenario
from segue.testing.crash_watch import Point

Address = tuple[str, str, str]
"""The module's name, its file, and the scenario's name in it."""


def address_of(scenario: Scenario) -> Address | None:
    """Where another interpreter finds the scenario; `None` where it cannot."""
    for name, module in sorted(sys.modules.items(), key=lambda item: item[0] == "__main__"):
        file = getattr(module, "__file__", None)
        if file is None:
            continue
        for attribute, value in list(vars(module).items()):
            if value is scenario:
                return name, file, attribute
    return None


def killed_and_resumed(scenario: Scenario, address: Address | None, place: Place, *, number: int) -> Outcome:
    """Play, be killed at this await, and go on in another process; `cancelled_at` is empty where it never came."""
    if address is None:
        run, go_on = partial(_forked, scenario, place, number), partial(_forked, scenario, place, 0)
    else:
        run, go_on = partial(_fresh, address, scenario, place, number), partial(_fresh, address, scenario, place, 0)
    ended = run()
    if ended is not None:
        return Outcome(error=ended.error, cancelled_at=f"await {number}" if ended.error else "")
    outcome = go_on()
    if outcome is None:
        return Outcome(error="the process that went on was killed itself", cancelled_at=f"await {number}")
    outcome.cancelled_at = f"await {number}"
    return outcome


def _killing(number: int) -> Any:
    def reached(point: Point) -> None:
        if point.kind == "await" and point.number == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached if number else None


def _forked(scenario: Scenario, place: Place, number: int) -> Outcome | None:
    try:
        outcome: Outcome = in_child(partial(played, scenario, place, _killing(number)), scenario.limit_s)
    except ChildDied:
        return None
    return outcome


def _fresh(address: Address, scenario: Scenario, place: Place, number: int) -> Outcome | None:
    name = place.folder.parent / place.folder.name
    interpreter = begin(name, partial(_play, place=place, number=number), address)
    _, told = interpreter.communicate(timeout=scenario.limit_s * 1.5)
    if interpreter.returncode == -signal.SIGKILL:
        return None
    if interpreter.returncode:
        return Outcome(error=f"an interpreter of its own ended with {interpreter.returncode}:\n{told[-2000:]}")
    outcome: Outcome = what_it_said(name)
    return outcome


def _play(scenario: Scenario, *, place: Place, number: int) -> Outcome:
    return played(scenario, place, _killing(number))


def begin(
    name: Path, does: Callable[[Scenario], Any], address: Address, *, leads: bool = False
) -> subprocess.Popen[str]:
    """Begin an interpreter that does this with the scenario; files beside `name` hold its job and what it says.

    Args:
        name: A path that no other interpreter of this check has.
        does: A function of a module, or a `partial` of one.
        address: Where the scenario stands.
        leads: Its processes are a group, led by it.
    """
    job, said = name.with_suffix(".job"), name.with_suffix(".said")
    said.unlink(missing_ok=True)
    job.write_bytes(pickle.dumps((sys.path, address, said, pickle.dumps(does))))
    command = [sys.executable, "-m", "segue.testing.crash_fresh", str(job)]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=leads
    )


def what_it_said(name: Path) -> Any:
    """What an interpreter that has ended well made of its scenario."""
    return pickle.loads(name.with_suffix(".said").read_bytes())


def main(job: Path) -> None:
    """What an interpreter of its own does."""
    path, (name, file, attribute), said, does = pickle.loads(job.read_bytes())
    sys.path[:] = path
    scenario: Scenario = getattr(_loaded(name, file), attribute)
    outcome = pickle.loads(does)(scenario)
    part = said.with_suffix(".part")
    part.write_bytes(pickle.dumps(outcome))
    part.rename(said)
    os._exit(0)


def _loaded(name: str, file: str) -> Any:
    name = "scenario" if name == "__main__" else name
    with contextlib.suppress(ImportError):
        module = importlib.import_module(name)
        if getattr(module, "__file__", None) == file:
            return module
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(Path(sys.argv[1]))
