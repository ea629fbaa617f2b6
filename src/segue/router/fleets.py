"""Deployments that are listed elsewhere: in a file, in DNS. They come and go without a restart.

In: the routes that name a fleet. Out: their deployments are in the router when a request goes by them. The first
request waits until the fleet is known; later ones do not wait: what is older than a few seconds is looked at beside
them. A fleet that cannot be read any more stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from segue.base.errors import SegueError
from segue.router.routes import Routes
from segue.router.settings import DeploymentSettings, RouteSettings

if TYPE_CHECKING:
    from segue.router.discovery import Discovery

EVERY_S = 5.0
logger = logging.getLogger("segue.router")

TakeIn = Callable[[str, DeploymentSettings], None]
Drop = Callable[[str], None]


@dataclass
class _Held:
    source: Discovery
    own: tuple[str, ...]
    """The deployments that the route names itself."""
    fleet: dict[str, DeploymentSettings]
    looked_at: float = float("-inf")
    known: bool = False
    task: asyncio.Task[None] | None = None


class Fleets:
    """The fleets of a router's routes."""

    def __init__(
        self, routes: Routes, declared: Mapping[str, DeploymentSettings], *, take_in: TakeIn, drop: Drop
    ) -> None:
        """`declared` are the deployments of the settings, of which one may be what a fleet's have in common.

        Raises:
            ConfigError: A route's `fleet` names nothing that can be read.
        """
        self._routes = routes
        self._take_in = take_in
        self._drop = drop
        self._held = {
            name: _Held(_source(route, declared), route.deployments, {})
            for name, route in routes.held.items()
            if route.fleet
        }

    def __bool__(self) -> bool:
        return bool(self._held)

    async def ready(self, name: str) -> None:
        """See that the fleets of this route and of those that it may go on to are known.

        Raises:
            ConfigError: A fleet that was never read holds something unusable, and its route has no other deployment.
            OperatorError: Such a fleet cannot be reached.
        """
        for route in self._routes.reached(name):
            held = self._held.get(route)
            if held is None or time.monotonic() - held.looked_at < EVERY_S:
                continue
            held.looked_at = time.monotonic()
            if held.known:
                held.task = asyncio.get_running_loop().create_task(self._look(route, held))
            else:
                await self._look(route, held)

    async def aclose(self) -> None:
        """End what is being looked at on the running event loop."""
        here = asyncio.get_running_loop()
        tasks = [each.task for each in self._held.values() if each.task is not None and each.task.get_loop() is here]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, route: str, held: _Held) -> None:
        try:
            found = await held.source.load()
        except SegueError as error:
            if not held.known and not held.own:
                held.looked_at = float("-inf")
                raise
            logger.warning("route %r: %s It stays as it was, with %d deployments.", route, error, len(held.fleet))
            return
        from segue.router.discovery import compare

        change = compare(held.fleet, found)
        held.known, held.fleet = True, dict(found)
        if not change:
            return
        for name in (*change.removed, *change.changed):
            self._drop(name)
        for name in (*change.added, *change.changed):
            self._take_in(name, found[name])
        names = tuple(dict.fromkeys((*held.own, *found)))
        self._routes.held[route] = self._routes.held[route].model_copy(update={"deployments": names})
        logger.info(
            "route %r: %d came, %d went, %d changed.", route, *map(len, (change.added, change.removed, change.changed))
        )


def _source(route: RouteSettings, declared: Mapping[str, DeploymentSettings]) -> Discovery:
    from segue.router.discovery import discovery

    return discovery(route.fleet, declared.get(route.fleet_like))
