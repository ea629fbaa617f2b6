"""What the runners have in common: one agent's `setup` in, one line of JSON about its runs out.

Each runner is a program for one framework and runs in that framework's environment, so this needs the standard library
alone. A runner ends with `main(setup)`, where

    async def setup(base_url, model) -> (make_agent, run_one) or (make_agent, run_one, flush)

imports the framework and makes what its agents share; `make_agent()` builds one agent; `await run_one(agent, number)`
is one whole run and gives the text of its answer, which is looked at; `flush()` sends what tracing still holds and is
called, in a thread, at the end of each phase, within its CPU. `--variant` reaches a runner as `BENCH_VARIANT` in the
environment.

`--concurrency 1,50,500 --runs 40,100,500` are three phases. A phase at 1 tells the CPU of each run by itself
(`cpu_ms_p10`: neighbours and background threads work in bursts, which a low percentile leaves out; `cpu_ms_per_run` is
the mean with all of that, and the flush). `cold_cpu_s` is CPU from the start of the process to the end of its first
run, `cold_first_run_s` the same by the clock, from `BENCH_T0` on, where the one who started the process set it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import time
from collections.abc import Iterator

SAID = "sum is"
"""Stands in every right answer."""
QUIET = {
    "OPENAI_API_KEY": "sk-mock",
    "DO_NOT_TRACK": "1",
    "AGNO_TELEMETRY": "false",
    "ENABLE_INSTRUMENTATION": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "LOGFIRE_SEND_TO_LOGFIRE": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
}
"""No framework tells anybody of its runs, unless its variant is about that."""


def memory_kb(name: str = "VmRSS") -> int:
    """Memory of this process as Linux tells it; 0 where it does not."""
    try:
        with open("/proc/self/status") as lines:
            return next((int(line.split()[1]) for line in lines if line.startswith(f"{name}:")), 0)
    except OSError:
        return 0


def forget_peak() -> None:
    """Have the peak of the memory begin anew, where the system does that."""
    try:
        with open("/proc/self/clear_refs", "w") as switch:
            switch.write("5")
    except OSError:
        pass


def at_share(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Phase:
    """So many runs, so many of them side by side."""

    def __init__(self, runs: int, side: int, first: int) -> None:
        self.runs, self.side, self._numbers = runs, side, iter(range(first, first + runs))
        self.wall_s: list[float] = []
        self.cpu_s: list[float] = []
        self.errors = 0
        self.first_error: str | None = None

    async def go(self, agent, run_one, flush, max_seconds: float) -> dict:
        """Run them all, and tell of it."""
        gc.collect()
        before_kb = memory_kb()
        forget_peak()
        began, cpu = time.perf_counter(), time.process_time()
        limit = began + max_seconds
        await asyncio.gather(*(self._worker(agent, run_one, limit) for _ in range(self.side)))
        took = time.perf_counter() - began
        if flush is not None:
            await asyncio.to_thread(flush)
        return self._told(took, time.process_time() - cpu, before_kb, memory_kb("VmHWM"))

    async def _worker(self, agent, run_one, limit: float) -> None:
        for number in self._numbers:
            began, cpu = time.perf_counter(), time.process_time()
            if began > limit:
                return
            try:
                answer = str(await run_one(agent, number))
                if SAID not in answer:
                    raise ValueError(f"the answer is {answer[:80]!r}")
            except Exception as error:
                self.errors += 1
                self.first_error = self.first_error or repr(error)[:300]
            self.wall_s.append(time.perf_counter() - began)
            self.cpu_s.append(time.process_time() - cpu)

    def _told(self, took_s: float, cpu_s: float, before_kb: int, peak_kb: int) -> dict:
        count = len(self.wall_s)
        gc.collect()
        found = {
            "concurrency": self.side, "runs": count, "errors": self.errors, "first_error": self.first_error,
            "p50_ms": statistics.median(self.wall_s) * 1000, "p99_ms": at_share(self.wall_s, 0.99) * 1000,
            "min_ms": min(self.wall_s) * 1000, "cpu_ms_per_run": cpu_s / count * 1000, "runs_per_s": count / took_s,
            "rss_base_mb": before_kb / 1024, "rss_peak_mb": peak_kb / 1024, "rss_end_mb": memory_kb() / 1024,
            "rss_per_concurrent_kb": (peak_kb - before_kb) / min(self.side, count),
        }  # fmt: skip
        if self.side == 1:
            found["cpu_ms_p10"] = at_share(self.cpu_s, 0.1) * 1000
            found["cpu_ms_p50"] = statistics.median(self.cpu_s) * 1000
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}


async def measure(given: argparse.Namespace, setup, started: float) -> dict:
    """Everything about one framework, in the order in which a program of its would go through it."""
    began = time.perf_counter()
    make_agent, run_one, *rest = await setup(given.base_url, given.model)
    flush = rest[0] if rest else None
    setup_s, began = time.perf_counter() - began, time.perf_counter()
    agent = make_agent()
    first_build_s = time.perf_counter() - began
    answer = str(await run_one(agent, 0))
    cold_s, cold_cpu_s = time.clock_gettime(time.CLOCK_MONOTONIC) - started, time.process_time()
    if SAID not in answer:
        raise SystemExit(f"the answer is {answer[:200]!r}")
    for number in range(1, given.warmup):
        await run_one(agent, number)
    built = []
    for _ in range(7):
        began = time.perf_counter()
        make_agent()
        built.append(time.perf_counter() - began)
    if flush is not None:
        await asyncio.to_thread(flush)
    phases = [
        await Phase(runs, side, 1000 + 100_000 * at).go(agent, run_one, flush, given.max_seconds)
        for at, (runs, side) in enumerate(wanted(given))
    ]
    return {
        "setup_s": round(setup_s, 4), "first_build_ms": round(first_build_s * 1000, 4),
        "build_ms": round(min(built) * 1000, 4), "cold_first_run_s": round(cold_s, 4),
        "cold_cpu_s": round(cold_cpu_s, 4), "phases": phases,
    }  # fmt: skip


def wanted(given: argparse.Namespace) -> Iterator[tuple[int, int]]:
    """The runs of each phase and how many go side by side; the last number of runs holds for all that follow."""
    runs = [int(number) for number in given.runs.split(",")]
    for at, side in enumerate(given.concurrency.split(",")):
        yield runs[min(at, len(runs) - 1)], int(side)


def main(setup) -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="toolloop-5")
    parser.add_argument("--runs", default="40", help="of each phase, with commas between")
    parser.add_argument("--concurrency", default="1", help="of each phase, with commas between")
    parser.add_argument("--warmup", type=int, default=5, help="runs before the first phase")
    parser.add_argument("--max-seconds", type=float, default=120, help="no run of a phase begins later")
    parser.add_argument("--variant", default="")
    given = parser.parse_args()
    started = float(os.environ.get("BENCH_T0") or time.clock_gettime(time.CLOCK_MONOTONIC))
    os.environ.update(QUIET, OPENAI_BASE_URL=given.base_url, BENCH_VARIANT=given.variant)
    found = asyncio.run(measure(given, setup, started))
    print(json.dumps(found), flush=True)
    os._exit(0)  # whatever a framework's threads still wait for
