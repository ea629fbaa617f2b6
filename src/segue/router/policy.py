"""In which order the deployments of a route are tried.

In: a route and its deployments. Out: the same deployments, in order, and the words for why the first one is first.
Health, load and what has been learned of them are not looked at here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from segue.base.ports import Randomness
from segue.router.deployment import Deployment
from segue.router.settings import RouteSettings


class Order:
    """Orders the deployments of one route; remembers whose turn it is."""

    def __init__(self, route: RouteSettings, randomness: Randomness) -> None:
        self._route = route
        self._randomness = randomness
        self._turn = 0

    def of(self, deployments: Sequence[Deployment]) -> tuple[list[Deployment], str]:
        """The deployments in the order to try them, and why."""
        if len(deployments) == 1:
            return list(deployments), "its only deployment"
        match self._route.policy:
            case "first":
                return list(deployments), "the first of its deployments"
            case "round_robin":
                at = self._turn % len(deployments)
                self._turn += 1
                return [*deployments[at:], *deployments[:at]], "whose turn it was"
            case "weighted":
                return self._by_weight(deployments), "drawn by weight"
            case _ as never:
                assert_never(never)

    def _by_weight(self, deployments: Sequence[Deployment]) -> list[Deployment]:
        left, order = list(deployments), []
        while left:
            point = self._randomness.random() * sum(deployment.weight for deployment in left)
            for deployment in left:
                point -= deployment.weight
                if point < 0:
                    break
            left.remove(deployment)
            order.append(deployment)
        return order
