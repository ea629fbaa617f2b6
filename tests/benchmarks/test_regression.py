"""A run executes no more than the committed counts say.

They depend on the packages that are installed, and not on how busy the machine is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "benchmarks" / "calls.py"
RENEW = "python benchmarks/calls.py --renew"


@pytest.fixture
def calls(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("calls")


@pytest.fixture
def baseline(calls: ModuleType) -> dict[str, Any]:
    held: dict[str, Any] = json.loads(calls.BASELINE.read_text(encoding="utf-8"))
    return held


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_run_executes_no_more_than_the_baseline_says(calls: ModuleType, baseline: dict[str, Any]) -> None:
    if baseline["python"] != calls.python_version():
        pytest.skip(f"the baseline was taken with Python {baseline['python']}, and another one counts otherwise")

    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--times", "5"], capture_output=True, text=True, timeout=500, check=False
    )

    assert done.returncode == 0, done.stderr
    grown = calls.grown(json.loads(done.stdout.splitlines()[-1]), baseline)
    assert not grown, "\n".join([*grown, f"Make it cheaper; where it is worth that much, renew: {RENEW}"])


def test_the_baseline_holds_what_is_compared_with_it(calls: ModuleType, baseline: dict[str, Any]) -> None:
    assert calls.grown(baseline, baseline) == []
    assert all(calls.total(baseline[name]) > 0 for name in calls.WHERE)
    assert any(place.startswith("segue/graphs/") for place in baseline["lean"])


def test_what_grew_is_named_with_the_places_that_grew_most(calls: ModuleType) -> None:
    held = {name: {"segue/graphs/worker.py": 100.0, "langgraph": 900.0} for name in calls.WHERE}
    found = {**held, "lean": {"segue/graphs/worker.py": 160.0, "langgraph": 890.0, "segue/base/ids.py": 7.0}}

    assert calls.grown(found, held) == [
        "lean: 1057 calls, 1000 in the baseline; what grew most: segue/graphs/worker.py by 60, segue/base/ids.py by 7"
    ]


def test_less_than_the_tolerance_is_not_told(calls: ModuleType) -> None:
    held = {name: {"langgraph": 1000.0} for name in calls.WHERE}

    assert calls.grown({name: {"langgraph": 1015.0} for name in calls.WHERE}, held) == []
    assert len(calls.grown({name: {"langgraph": 1025.0} for name in calls.WHERE}, held)) == 3


def test_a_file_is_counted_as_the_house_or_the_package_that_it_is_of(calls: ModuleType) -> None:
    packages = Path("lib") / "python3.11" / "site-packages"

    assert calls.place_of(str(Path("src") / "segue" / "graphs" / "worker.py")) == "segue/graphs/worker.py"
    assert calls.place_of(str(packages / "segue" / "graphs" / "worker.py")) == "segue/graphs/worker.py"
    assert calls.place_of(str(packages / "langgraph" / "pregel" / "main.py")) == "langgraph"
    assert calls.place_of(str(Path("lib") / "python3.11" / "asyncio" / "events.py")) == ""
    assert calls.place_of(str(Path("lib") / "python3.11" / "dataclasses.py")) == "python"
