"""Alternatives side by side: fleets, policies, rates and scenarios in, a row of figures for each out.

All alternatives of a rate and a seed are asked the same, request by request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from segue.base.errors import BadInput
from segue.router.simulate.faults import faults_of
from segue.router.simulate.fleet import Plan
from segue.router.simulate.report import Figures, figures_of, mean
from segue.router.simulate.sessions import simulate
from segue.router.simulate.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One row."""

    scenario: str
    rate: float
    """Sessions a second, or how much of what was recorded."""
    hosts: int
    policy: str
    runs: tuple[Figures, ...]
    """One for each seed."""

    @property
    def figures(self) -> Figures:
        """The mean over its seeds."""
        return mean(self.runs)


def compared(
    plans: Sequence[Plan],
    workload: Callable[[float, int], Workload],
    *,
    rates: Sequence[float],
    seeds: Sequence[int],
    scenarios: Sequence[str] = ("clean",),
) -> Iterator[Alternative]:
    """A row for each scenario, rate and plan; `workload` gives that of a rate and a seed.

    Raises:
        BadInput: There is no such scenario, or nothing is asked.
    """
    for rate in rates:
        drawn = [workload(rate, seed) for seed in seeds]
        if not all(each.requests for each in drawn):
            raise BadInput("the workload has no requests.", way_out="A longer --duration, or a higher --rate.")
        for scenario in scenarios:
            for plan in plans:
                runs = []
                for seed, each in zip(seeds, drawn, strict=True):
                    faults = faults_of(scenario, plan.asked, each.last_start_s)
                    runs.append(figures_of(simulate(plan, each, faults=faults, seed=seed)))
                yield Alternative(
                    scenario=scenario, rate=rate, hosts=len(plan.asked), policy=plan.policy, runs=tuple(runs)
                )  # fmt: skip
