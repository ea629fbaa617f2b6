"""From a route's name and a request to who may answer it, in which order.

In: the routes and deployments of a router. Out: steps for `segue.router.attempts`: first the route that a rule of the
one asked for sends the request to, then its fallbacks; of each the deployments that can serve the request at all, in
the groups of its policy. Choosing a model is done here; choosing one of its deployments by the policy, at the moment
when the request goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from segue.base.errors import BadInput, names
from segue.base.ports import Randomness
from segue.router.continuing import may_go_on
from segue.router.deployment import Deployment
from segue.router.needs import Needs, able, needs_of
from segue.router.placing.host import NO_PRICE, Host, Rates
from segue.router.placing.pick import Policy
from segue.router.policy import groups, made
from segue.router.rollout import Shares, among
from segue.router.settings import RouteSettings, RuleSettings
from segue.router.steps import Step
from segue.router.types import GenerationRequest

ALIASES = ("default", "fast", "smart")
"""Routes that always exist: where they are not configured they are the default route under another name."""
_DEFAULTS = ("temperature", "max_output_tokens", "parallel_tool_calls")
"""What a route says for the requests that leave it open."""


class Routes:
    """The routes of a router, over its deployments."""

    def __init__(
        self,
        held: dict[str, RouteSettings],
        deployments: Mapping[str, Deployment],
        *,
        randomness: Randomness,
        difficulty: Callable[[GenerationRequest], float],
        shares: Shares | None = None,
    ) -> None:
        """`held` and `deployments` are looked at anew each time."""
        self.held = held
        self.default = ""
        self._deployments = deployments
        self._randomness = randomness
        self._difficulty = difficulty
        self.shares = shares or Shares()
        self._policies: dict[str, tuple[RouteSettings, Policy]] = {}
        self._known: dict[tuple[str, ...], _Reach] = {}

    def name(self, route: str | None) -> str:
        """The configured route behind a name.

        Raises:
            BadInput: There is none; the message lists those that exist.
        """
        name = route or self.default
        if name in self.held:
            return name
        if name in ALIASES and self.default:
            return self.default
        held = names(self.all) if self.held else "none; configure one, or use segue.router.choose"
        raise BadInput(f"there is no route {name!r}; the routes are: {held}.")

    @property
    def all(self) -> dict[str, RouteSettings]:
        """All routes by name, aliases of the default route included."""
        out = dict(self.held)
        if self.default in out:
            for alias in ALIASES:
                out.setdefault(alias, out[self.default])
        return out

    def with_fallbacks(self, name: str) -> list[str]:
        """The route, then its fallbacks and theirs."""
        found = [name]
        for following in self.held[name].fallbacks:
            found.extend(each for each in self.with_fallbacks(following) if each not in found)
        return found

    def reached(self, name: str) -> list[str]:
        """Every route that a request by this one may end up at."""
        only = self.held[name]
        if not only.fallbacks and not only.rules and only.canary is None:
            return [name]
        found: list[str] = []
        for each in self.with_fallbacks(name):
            route = self.held[each]
            canary = () if route.canary is None else (route.canary.route,)
            for there in (each, *(rule.route for rule in route.rules), *canary):
                found.extend(more for more in self.with_fallbacks(there) if more not in found)
        return found

    def steps(self, name: str, request: GenerationRequest, tokens: int) -> tuple[list[Step], str]:
        """Who may be asked, in order, each with the request as its route wants it; and by which rule, in words.

        Raises:
            CannotServe: No deployment can take what the request has, such as images.
        """
        asked, rule, route = name, "", self.held[name]
        if route.rules:
            asked, rule = self._by_rule(name, request, needs_of(request, tokens))
        if self.held[asked].canary is not None:
            asked, rule = self._by_canary(asked, rule, request)
        reach = self._reach((asked, name) if rule else (name,))
        groups = [each.deployments for each in reach.groups]
        if reach.choosy:
            groups = able(name, groups, needs_of(request, tokens))
        steps = [
            Step(
                group,
                _with_defaults(request, each.route) if each.defaults else request,
                each.policy,
                each.route.hedge,
                "" if each.name == asked else each.name,
                each.route.continuation and may_go_on(request),
            )
            for each, group in zip(reach.groups, groups, strict=True)
            if group
        ]
        return steps, rule

    def _reach(self, order: tuple[str, ...]) -> _Reach:
        """All that may be asked by these routes and their fallbacks, each deployment once."""
        known = self._known.get(order)
        if known is not None and known.counts == (len(self._deployments), len(self.held)):
            for name, route in known.routes:
                if self.held[name] is not route:
                    break
            else:
                return known
        routes, found, seen = [], list[_Group](), set[str]()
        for name in dict.fromkeys(more for each in order for more in self.with_fallbacks(each)):
            route = self.held[name]
            routes.append((name, route))
            held = [self._deployments[each] for each in route.deployments if each not in seen]
            seen.update(route.deployments)
            policy = self._policy(name, route)
            found += [_Group(name, route, group, policy) for group in groups(route, held) if group]
        known = self._known[order] = _Reach(routes, found, (len(self._deployments), len(self.held)))
        return known

    def _by_rule(self, name: str, request: GenerationRequest, needs: Needs) -> tuple[str, str]:
        """The route that the first fitting rule names, and the rule in words."""
        for number, rule in enumerate(self.held[name].rules, 1):
            if self._fits(rule, request, needs):
                return rule.route, f"by rule {number} of {name!r}"
        return name, ""

    def _by_canary(self, asked: str, rule: str, request: GenerationRequest) -> tuple[str, str]:
        canary = self.held[asked].canary
        if canary is None:
            return asked, rule
        share = self.shares.of(asked, canary.share)
        if not among(asked, request.thread or request.session or request.run, share):
            return asked, rule
        return canary.route, f"{rule + ', ' if rule else ''}as the canary of {asked!r} ({share:.3g} of its threads)"

    def _fits(self, rule: RuleSettings, request: GenerationRequest, needs: Needs) -> bool:
        if rule.tools is not None and rule.tools != needs.tools:
            return False
        if rule.images is not None and rule.images != needs.images:
            return False
        if rule.min_input_tokens is not None and needs.tokens < rule.min_input_tokens:
            return False
        if rule.max_input_tokens is not None and needs.tokens > rule.max_input_tokens:
            return False
        if rule.speakers and not any(fnmatchcase(request.speaker, each) for each in rule.speakers):
            return False
        if rule.min_difficulty is None and rule.max_difficulty is None:
            return True
        found = self._difficulty(request)
        return (rule.min_difficulty or 0.0) <= found <= (1.0 if rule.max_difficulty is None else rule.max_difficulty)

    def _policy(self, name: str, route: RouteSettings) -> Policy:
        """One for each route, whichever way it is come to."""
        known = self._policies.get(name)
        if known is None or known[0] is not route:
            known = (route, made(route, self._deployments, self._rates, self._randomness))
            self._policies[name] = known
        return known[1]

    def _rates(self, host: Host) -> Rates | None:
        deployment = self._deployments.get(host.name)
        if deployment is None:
            deployment = next((each for each in self._deployments.values() if each.name == host.name), None)
        return NO_PRICE if deployment is None else deployment.rates()


class _Group:
    """Deployments of which one is chosen."""

    __slots__ = ("defaults", "deployments", "name", "policy", "route")

    def __init__(self, name: str, route: RouteSettings, deployments: list[Deployment], policy: Policy) -> None:
        self.name = name
        self.route = route
        self.deployments = deployments
        self.policy = policy
        self.defaults = bool(route.extra) or any(getattr(route, key) is not None for key in _DEFAULTS)
        """Whether its route fills in what a request leaves open."""


class _Reach:
    """Where a request by some routes may end up, as long as those stay what they are."""

    __slots__ = ("choosy", "counts", "groups", "routes")

    def __init__(self, routes: list[tuple[str, RouteSettings]], groups: list[_Group], counts: tuple[int, int]) -> None:
        self.routes = routes
        self.groups = groups
        self.counts = counts
        """Of deployments and of routes, when this was found."""
        self.choosy = any(
            each.context_tokens or False in each.can.values() for group in groups for each in group.deployments
        )
        """Whether any deployment is known not to take some requests."""


def _with_defaults(request: GenerationRequest, route: RouteSettings) -> GenerationRequest:
    """The request with what it leaves open filled from its route."""
    changes: dict[str, Any] = {
        key: getattr(route, key)
        for key in _DEFAULTS
        if getattr(request, key) is None and getattr(route, key) is not None
    }
    if route.extra:
        changes["extra"] = {**route.extra, **request.extra}
    return replace(request, **changes) if changes else request
