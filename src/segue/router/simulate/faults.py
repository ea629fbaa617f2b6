"""What befalls hosts during a simulation.

In: the name of a scenario, the hosts, how long it lasts. Out: faults with their times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from segue.base.errors import BadInput, names

SCENARIOS = {
    "clean": "nothing happens",
    "slow": "one host is at a third of its speed all the time",
    "crash": "one host is gone from 40 to 70 % of the time, and comes back with an empty memory",
    "hang": "one host does nothing from 40 to 60 % of the time, and refuses nothing",
    "degrade": "one host drops to a fifth of its speed from 30 to 80 % of the time",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One of them."""

    host: str
    kind: Literal["crash", "hang", "slow"]
    start_s: float
    end_s: float
    factor: float = 1.0
    """Of `slow`: how fast it still is."""


def faults_of(scenario: str, hosts: Sequence[str], duration_s: float) -> list[Fault]:
    """The faults of a scenario; they befall the third host, or the last one where there are fewer.

    Raises:
        BadInput: There is no such scenario.
    """
    host = hosts[min(2, len(hosts) - 1)]
    match scenario:
        case "clean":
            return []
        case "slow":
            return [Fault(host=host, kind="slow", start_s=0.0, end_s=float("inf"), factor=0.35)]
        case "crash":
            return [Fault(host=host, kind="crash", start_s=0.4 * duration_s, end_s=0.7 * duration_s)]
        case "hang":
            return [Fault(host=host, kind="hang", start_s=0.4 * duration_s, end_s=0.6 * duration_s)]
        case "degrade":
            return [Fault(host=host, kind="slow", start_s=0.3 * duration_s, end_s=0.8 * duration_s, factor=0.2)]
    raise BadInput(f"there is no scenario {scenario!r}; there are: {names(SCENARIOS)}.")
