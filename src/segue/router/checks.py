"""Whether routes fit together: every name exists, and nothing goes round in a circle."""

from __future__ import annotations

from collections.abc import Mapping

from segue.base.errors import ConfigError, names
from segue.router.settings import RouteSettings


def check_routes(
    routes: Mapping[str, RouteSettings], deployments: Mapping[str, object], default_route: str = ""
) -> None:
    """See that every name exists and that no route falls back to itself.

    Raises:
        ConfigError: A name does not exist (the message lists those that do), or fallbacks go round in a circle.
    """
    for name, route in routes.items():
        for wanted in route.deployments:
            if wanted not in deployments:
                raise ConfigError(f"[routes.{name}] names no deployment {wanted!r}; there are: {names(deployments)}.")
        for rule in route.rules:
            if rule.route not in routes:
                raise ConfigError(
                    f"[routes.{name}] has a rule for no route {rule.route!r}; there are: {names(routes)}."
                )
        if route.canary is not None and route.canary.route not in routes:
            raise ConfigError(
                f"[routes.{name}] has a canary of no route {route.canary.route!r}; there are: {names(routes)}."
            )
        if route.fleet_like and route.fleet_like not in deployments:
            raise ConfigError(
                f"[routes.{name}] fleet_like is no deployment {route.fleet_like!r}; there are: {names(deployments)}."
            )
        for wanted in route.fallbacks:
            if wanted not in routes:
                raise ConfigError(f"[routes.{name}] falls back to no route {wanted!r}; there are: {names(routes)}.")
    for name in routes:
        _refuse_circle(routes, (name,))
    if default_route and routes and default_route not in routes:
        raise ConfigError(f"[router] default_route is no route {default_route!r}; there are: {names(routes)}.")


def _refuse_circle(routes: Mapping[str, RouteSettings], path: tuple[str, ...]) -> None:
    for following in routes[path[-1]].fallbacks:
        if following in path:
            raise ConfigError(f"the fallbacks of route {path[0]!r} go round: {' -> '.join((*path, following))}.")
        _refuse_circle(routes, (*path, following))
