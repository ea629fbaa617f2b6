"""What tests speak through: a scripted model, fakes of what a run is lent, and the crash-point checker.

Nothing here is used by a run that was not started by a test. Names are imported when they are first used, so that the
pytest plugin, which every test run loads, costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.testing.clock import FakeClock
    from segue.testing.crash import check_crash_points
    from segue.testing.crash_report import CrashReport, Problem
    from segue.testing.crash_scenario import Scenario
    from segue.testing.script import Script
    from segue.testing.scripted import ScriptedModel, call, calls

_HOMES = {
    "CrashReport": "crash_report",
    "FakeClock": "clock",
    "Problem": "crash_report",
    "Scenario": "crash_scenario",
    "Script": "script",
    "ScriptedModel": "scripted",
    "call": "scripted",
    "calls": "scripted",
    "check_crash_points": "crash",
}

__all__ = [
    "CrashReport",
    "FakeClock",
    "Problem",
    "Scenario",
    "Script",
    "ScriptedModel",
    "call",
    "calls",
    "check_crash_points",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'segue.testing' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"segue.testing.{home}"), name)
        globals()[name] = value
        return value
