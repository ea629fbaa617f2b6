"""What a run executes: calls of Python functions and of builtins, counted, so that a busy machine does not matter.

A run with everything on and a lean one (`runners/run_segue.py`): five tool rounds and an answer, against a mock model
server in another process. `chunk` is one more chunk of a streamed answer, everything on. Counted is what happens in the
event loop's thread: by file for Segue's own code, by package for what others wrote, and as `builtins` what is written
in C. asyncio and what it waits with are left out, since how often they go round is a matter of time. Each figure is the
median of several runs, after some that warm up; it is the same on any machine with the same packages.

`benchmarks/data/baseline.json` holds the counts that were committed, for the version of Python that they were taken
with; `--renew` writes it anew. `make test-all` fails where a run executes more than they say. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from mock_model import MockModel, serving

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "data" / "baseline.json"
WHERE = ("all_on", "lean", "chunk")
SHORT, LONG = 20, 220
"""Chunks of the two answers whose difference is counted."""
LEFT_OUT = frozenset({"asyncio", "selectors", "threading", "concurrent", "contextlib", "weakref", "ssl", "socket"})
TOLERANCE = 0.02
"""More than this share over the baseline is told."""
Counts = dict[str, float]
"""By file or package, calls of one run."""


class Counting:
    """Counts calls in this thread, while its context lasts."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._places: dict[str, str] = {}

    def __enter__(self) -> Counter[str]:
        sys.setprofile(self._seen)
        return self.calls

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _seen(self, frame: Any, event: str, argument: Any) -> None:
        if event not in ("call", "c_call"):
            return
        name = frame.f_code.co_filename
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = place_of(name)
        if place:
            self.calls["builtins" if event == "c_call" else place] += 1


def place_of(file: str) -> str:
    """Where a source file belongs: `segue/…` for ours, else its package; empty for what is left out."""
    if file.startswith(str(HERE)):
        return ""
    parts = Path(file).parts
    if "site-packages" in parts or "src" in parts:
        inside = parts[len(parts) - parts[::-1].index("site-packages" if "site-packages" in parts else "src") :]
        return "/".join(inside) if inside[0] == "segue" else inside[0].removesuffix(".py")
    return "" if LEFT_OUT.intersection((Path(file).stem, *parts[-3:-1])) else "python"


async def counted(run_one: Callable[[], Awaitable[Any]], times: int) -> Counts:
    """The medians over several runs."""
    for _ in range(5):
        await run_one()
    found = []
    for _ in range(times):
        counting = Counting()
        with counting:
            await run_one()
        found.append(counting.calls)
    places = sorted(set().union(*found))
    return {place: statistics.median(each[place] for each in found) for place in places}


async def of_runner(mock: MockModel, model: str, variant: str, times: int) -> Counts:
    """What a run of `runners/run_segue.py` executes."""
    sys.path.insert(0, str(HERE / "runners"))
    import run_segue

    os.environ["BENCH_VARIANT"] = variant
    make_agent, run_one, flush = await run_segue.setup(mock.url, model)
    agent = make_agent()
    try:
        return await counted(lambda: run_one(agent, 0), times)
    finally:
        await asyncio.to_thread(flush)


async def measure(mock: MockModel, times: int) -> dict[str, Counts]:
    """The counts of all three."""
    short, long = [await of_runner(mock, f"words-{count}", "stream", times) for count in (SHORT, LONG)]
    chunk = {place: (calls - short.get(place, 0)) / (LONG - SHORT) for place, calls in long.items()}
    return {
        "all_on": await of_runner(mock, "toolloop-5", "", times),
        "lean": await of_runner(mock, "toolloop-5", "lean", times),
        "chunk": {place: calls for place, calls in chunk.items() if abs(calls) >= 0.01},
    }


def total(counts: Mapping[str, float]) -> float:
    """All calls of one run."""
    return sum(counts.values())


def grown(found: Mapping[str, Counts], held: Mapping[str, Counts], tolerance: float = TOLERANCE) -> list[str]:
    """A sentence for each of the three that executes more than the baseline says, with the places that grew most."""
    told = []
    for name in WHERE:
        now, before = total(found[name]), total(held[name])
        if now <= before * (1 + tolerance):
            continue
        more = {place: calls - held[name].get(place, 0) for place, calls in found[name].items()}
        most = sorted((place for place in more if more[place] > 0), key=lambda place: -more[place])[:5]
        places = ", ".join(f"{place} by {more[place]:g}" for place in most)
        told.append(f"{name}: {now:g} calls, {before:g} in the baseline; what grew most: {places}")
    return told


def python_version() -> str:
    """As the baseline names it: counts of another one are others."""
    return ".".join(platform.python_version_tuple()[:2])


def renew(found: Mapping[str, Counts]) -> None:
    """Write the baseline."""
    held = {"python": python_version(), **{name: found[name] for name in WHERE}}
    BASELINE.write_text(json.dumps(held, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=9, help="runs of each that are counted")
    parser.add_argument("--renew", action="store_true", help="write the baseline anew")
    given = parser.parse_args()
    with serving() as mock, tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch
        found = asyncio.run(measure(mock, given.times))
    found = {name: {place: round(calls, 2) for place, calls in counts.items()} for name, counts in found.items()}
    for name, counts in found.items():
        ours = sum(calls for place, calls in counts.items() if place.startswith("segue/"))
        print(f"{name:8} {total(counts):10.2f} calls, {ours:10.2f} of them Segue's own functions")
    if given.renew:
        renew(found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
