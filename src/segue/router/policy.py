"""A route's policy made real: in which groups its deployments are asked, and who chooses within a group.

In: a route, its deployments, and what prices them. Out: groups in the order in which they are gone through, with the
policy for all of them. `predicted` goes model by model, in the order of the route, and shares the work among the
deployments of one model; all others have one group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

from segue.base.ports import Randomness
from segue.router.deployment import Deployment
from segue.router.placing.host import Host, Rates
from segue.router.placing.pick import Policy
from segue.router.placing.plain import ByWeight, Cheapest, InOrder, InTurn, LeastLoaded, LowestLatency
from segue.router.placing.predicted import Predicted
from segue.router.settings import RouteSettings

RatesOf = Callable[[Host], Rates | None]


def made(route: RouteSettings, deployments: Mapping[str, Deployment], rates: RatesOf, randomness: Randomness) -> Policy:
    """The policy of a route."""
    match route.policy:
        case "predicted" | "fastest":
            return Predicted(second_usd=route.second_usd, rates=rates)
        case "first":
            return InOrder()
        case "round_robin":
            return InTurn()
        case "weighted":
            return ByWeight({name: each.weight for name, each in deployments.items()}, randomness)
        case "least_loaded":
            return LeastLoaded()
        case "lowest_latency":
            return LowestLatency(randomness)
        case "cheapest":
            return Cheapest(rates)
        case _ as never:
            assert_never(never)


def groups(route: RouteSettings, deployments: Sequence[Deployment]) -> list[list[Deployment]]:
    """In which groups the deployments are gone through. A deployment that says no model is a model of its own."""
    if route.policy != "predicted":
        return [list(deployments)]
    found: dict[str, list[Deployment]] = {}
    for each in deployments:
        found.setdefault(each.model or f"the only one, {each.name}", []).append(each)
    return list(found.values())
