"""Whether effects happen once: an office of 23 writes and the example desk, stopped everywhere, and planted bugs.

Each boundary of the two scenarios - an await, a checkpoint, a write to a file - is one of `points`. The disk is kept as
it is at each, and another process takes it up from there; each await is cancelled once; some processes are killed by
SIGKILL. Over all these stops, `duplicates` are effects that were done twice, `lost` those that were not done, and
`asked` how often a person was asked what came of one. `writes` are the effects of the two when nothing stops them.
`planted_found` of the `planted` bugs are reported as what they are. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.testing.desk import ONCE
from tests.testing.office import OFFICE
from tests.testing.planted import PLANTED

from segue.testing import CrashReport, check_crash_points


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", default="all", help="how many stops of each kind for each scenario, or 'all'")
    parser.add_argument("--kills", type=int, default=20, help="how many true kills for each scenario")
    parser.add_argument("--processes", type=int, default=2, help="how many stops at the same time")
    given = parser.parse_args()
    options: dict[str, Any] = {
        "points": given.points if given.points == "all" else int(given.points),
        "kill_sample": given.kills,
        "processes": given.processes,
    }
    reports = [check_crash_points(OFFICE, **options), check_crash_points(ONCE, **options)]
    found = [name for name in PLANTED if finds(name, given.processes)]
    for name in sorted(PLANTED.keys() - found):
        print(f"not found: {name}")
    for report in reports:
        print(report, end="\n\n")
    figures = {
        **{name: total(reports, name) for name in ("points", "writes", "duplicates", "lost", "asked")},
        "planted_found": len(found),
        "planted": len(PLANTED),
        **{name: total(reports, name) for name in ("crashes", "cancels", "kills", "late", "not_reached")},
        "problems": sum(len(report.problems) for report in reports),
        "took_s": round(sum(report.took_s for report in reports), 1),
    }
    for name, value in figures.items():
        print(f"{name:16} {value:10}")
    print(json.dumps(figures))


def total(reports: list[CrashReport], name: str) -> int:
    return sum(getattr(report, name) for report in reports)


def finds(name: str, processes: int) -> bool:
    scenario, kind = PLANTED[name]
    report = check_crash_points(scenario, max_problems=4, processes=processes)
    return kind in {problem.kind for problem in report.problems}


if __name__ == "__main__":
    main()
