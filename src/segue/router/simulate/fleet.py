"""The fleet of a simulation: which hosts there are, what they can do, and which route is asked.

In: deployments and routes of the settings with figures for their hosts, or a number of equal ones. Out: a `Plan`, which
can be changed by one thing at a time: more hosts, another policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from segue.base.errors import BadInput, names
from segue.router.deployment import Deployment
from segue.router.errors import EndpointUnreachable
from segue.router.limits import MINUTE_S, Slots, Tokens
from segue.router.placing.host import NO_PRICE, Host, Rates
from segue.router.policy import groups, made
from segue.router.sessions import is_loopback
from segue.router.settings import DeploymentSettings, PriceSettings, RouteSettings
from segue.router.simulate.figures import HOSTED, HostFigures, figures
from segue.router.types import GenerationRequest, OnDelta, Reply

ASSUMED_MODEL = "assumed"


class Planned(Deployment):
    """A deployment that is only described: it has a name, a price and limits, and answers nobody."""

    def __init__(
        self,
        name: str,
        held: HostFigures,
        settings: DeploymentSettings | None = None,
        price: PriceSettings | None = None,
    ) -> None:
        """`price` is that of the deployment, where it is known; what its figures say wins."""
        self.name = name
        self.figures = held
        self.settings = settings or DeploymentSettings(engine="vllm", model=ASSUMED_MODEL)
        self.model = self.settings.model
        self.engine = self.settings.engine
        self.weight = self.settings.weight
        self.price = _price(held, price or self.settings.price)

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Nothing is there to answer.

        Raises:
            EndpointUnreachable: Always.
        """
        raise EndpointUnreachable(self.name, "is only described, for a simulation")

    def about_usd(self, input_tokens: float, cached_tokens: float, output_tokens: float) -> float | None:
        """By its price."""
        rates = self.rates()
        if rates is None or rates is NO_PRICE:
            return None
        return (input_tokens - cached_tokens) * rates[0] + cached_tokens * rates[1] + output_tokens * rates[2]

    def rates(self) -> Rates | None:
        """By its price."""
        price = self.price
        if price is None:
            return NO_PRICE
        cached = price.input_usd_per_mtok if price.cached_usd_per_mtok is None else price.cached_usd_per_mtok
        return price.input_usd_per_mtok / 1e6, cached / 1e6, price.output_usd_per_mtok / 1e6

    def named(self, name: str) -> Planned:
        """Another one like it."""
        return Planned(name, self.figures, self.settings, self.price)


def _price(held: HostFigures, otherwise: PriceSettings | None) -> PriceSettings | None:
    if held.input_usd_per_mtok is None and held.output_usd_per_mtok is None:
        if otherwise is None and held.kind == "served":
            return PriceSettings(input_usd_per_mtok=0.0, output_usd_per_mtok=0.0)
        return otherwise
    return PriceSettings(
        input_usd_per_mtok=held.input_usd_per_mtok or 0.0, output_usd_per_mtok=held.output_usd_per_mtok or 0.0,
        cached_usd_per_mtok=held.cached_usd_per_mtok,
    )  # fmt: skip


class Bounds:
    """The limits of a deployment by a clock that is handed in: those of `segue.router.limits` that can be."""

    def __init__(self, settings: DeploymentSettings) -> None:
        wanted = ((settings.requests_per_second, 1.0), (settings.requests_per_minute, MINUTE_S))
        self._requests = [_spread(most, period_s) for most, period_s in wanted if most is not None]
        self._tokens = None if settings.tokens_per_minute is None else Tokens(settings.tokens_per_minute)
        self._slots = Slots(settings.max_concurrency)
        self.bind = bool(self._requests or self._tokens or settings.max_concurrency)
        """Whether there are any."""

    def wait_s(self, tokens: float, now: float) -> float:
        """Seconds until a request may go; 0 where it may now."""
        if not self.bind:
            return 0.0
        waits = [each.wait_s(1, now) for each in self._requests]
        if self._tokens is not None:
            waits.append(self._tokens.wait_s(tokens, now))
        if not self._slots.free:
            waits.append(1.0)
        return max(waits, default=0.0)

    def take(self, tokens: float, now: float) -> None:
        """A request goes."""
        self._slots.held += 1
        for each in self._requests:
            each.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)

    def end(self) -> None:
        """It has ended."""
        self._slots.held -= 1


def _spread(most: float, period_s: float) -> Tokens:
    whole = max(1, int(most))
    return Tokens(whole, period_s * whole / most)


@dataclass(frozen=True)
class Step:
    """Deployments of which one is chosen, and by whom."""

    names: tuple[str, ...]
    policy: Any
    """A `segue.router.placing.pick.Policy`."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Hosts, and the route that is asked."""

    hosts: Mapping[str, Planned]
    routes: Mapping[str, RouteSettings]
    route: str
    wait_s: float = 60.0
    """The longest that a request waits in the router for limits."""
    told: str = ""
    """What is different about it; empty for nothing."""

    @property
    def policy(self) -> str:
        """The route's."""
        return self.routes[self.route].policy

    @property
    def asked(self) -> tuple[str, ...]:
        """The hosts of the route, those of its fallbacks aside."""
        return tuple(self.routes[self.route].deployments)

    @property
    def used(self) -> dict[str, Planned]:
        """The hosts that the route and its fallbacks may ask."""
        return {name: self.hosts[name] for each in self._with_fallbacks(self.route)
                for name in self.routes[each].deployments}  # fmt: skip

    def with_policy(self, policy: str) -> Plan:
        """The same with another policy of its route.

        Raises:
            ConfigError: There is no such policy.
        """
        held = self.routes[self.route].model_dump(exclude_unset=True)
        route = RouteSettings.model_validate({**held, "policy": policy})
        return replace(self, routes={**self.routes, self.route: route})

    def with_more(self, count: int) -> Plan:
        """The same with so many more hosts like the first one of the route that batches.

        Raises:
            BadInput: The route has none.
        """
        if count == 0:
            return self
        like = next((self.hosts[name] for name in self.asked if self.hosts[name].figures.kind == "served"), None)
        if like is None:
            raise BadInput(f"route {self.route!r} has only hosted APIs: hosts cannot be added to those.")
        more = {f"{like.name}+{number}": like.named(f"{like.name}+{number}") for number in range(1, count + 1)}
        held = self.routes[self.route]
        place = held.deployments.index(like.name) + 1
        deployments = (*held.deployments[:place], *more, *held.deployments[place:])
        route = held.model_copy(update={"deployments": deployments})
        return replace(self, hosts={**self.hosts, **more}, routes={**self.routes, self.route: route})

    def steps(self, randomness: Any) -> list[Step]:
        """Who may be asked, in order: what the router does with a route."""

        def rates(host: Host) -> Rates | None:
            return self.hosts[host.name].rates()

        out: list[Step] = []
        known: set[str] = set()
        for name in self._with_fallbacks(self.route):
            route = self.routes[name]
            held = [self.hosts[each] for each in route.deployments if each not in known]
            known.update(route.deployments)
            policy = made(route, self.hosts, rates, randomness)
            out += [Step(tuple(each.name for each in group), policy) for group in groups(route, held) if group]
        return out

    def _with_fallbacks(self, name: str) -> list[str]:
        found = [name]
        for following in self.routes[name].fallbacks:
            found.extend(each for each in self._with_fallbacks(following) if each not in found)
        return found


def equal_hosts(
    count: int,
    everywhere: Mapping[str, Any] | None = None,
    *,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    policy: str = "predicted",
) -> Plan:
    """So many hosts that are alike, `host1` and so on; `everywhere` and `known` as in `planned`.

    Raises:
        BadInput: Figures name no host.
        ConfigError: A figure does not fit.
    """
    like = DeploymentSettings(engine="vllm", model=ASSUMED_MODEL)
    hosts = {f"host{number}": like for number in range(1, count + 1)}
    route = RouteSettings.model_validate({"deployments": tuple(hosts), "policy": policy})
    return planned(hosts, {"default": route}, "default", known=known, everywhere=everywhere)


def usual_figures(settings: DeploymentSettings) -> HostFigures:
    """What is assumed of a deployment: an API, or a server of one's own."""
    own = settings.engine in ("vllm", "ollama", "offline") or is_loopback(settings.url)
    return HostFigures() if own else HOSTED


def planned(
    deployments: Mapping[str, DeploymentSettings],
    routes: Mapping[str, RouteSettings],
    route: str,
    *,
    known: Mapping[str, Mapping[str, Any]] | None = None,
    everywhere: Mapping[str, Any] | None = None,
    prices: Mapping[str, PriceSettings] | None = None,
    wait_s: float = 60.0,
) -> Plan:
    """The fleet of the settings.

    `known` are figures by deployment, `everywhere` those of all that are no API, `prices` what a table says.

    Raises:
        BadInput: There is no such route, or figures name no deployment.
        ConfigError: A figure does not fit.
    """
    if route not in routes:
        raise BadInput(f"there is no route {route!r}; the routes are: {names(routes)}.")
    if strange := [name for name in known or {} if name not in deployments]:
        raise BadInput(
            f"there are figures of {names(strange)}, which is no deployment; there are: {names(deployments)}."
        )
    hosts = {}
    for name, settings in deployments.items():
        usual = usual_figures(settings)
        more = dict(everywhere or {}) if usual.kind == "served" else {}
        held = figures(f"host {name!r}", usual, {**more, **((known or {}).get(name) or {})})
        hosts[name] = Planned(name, held, settings, (prices or {}).get(name))
    return Plan(hosts=hosts, routes=routes, route=route, wait_s=wait_s)
