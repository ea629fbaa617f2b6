"""The router itself: deployments and routes under their names, and one generation at a time through them.

In: settings, or deployments and routes made in code. Out: `generate`, which picks by the route's policy, goes on to the
next deployment when one fails, then to the fallback routes, and tells the story. `segue.router.router.Router` puts
LangChain's face on it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.base.errors import BadInput
from segue.base.messages import enter
from segue.base.ports import Randomness
from segue.router.attempts import Attempts
from segue.router.budgets import Budgets, SpentStore
from segue.router.build import build, named_model
from segue.router.cache import Cache
from segue.router.chains import PIECE, Chains
from segue.router.checks import check_routes
from segue.router.deployment import Deployment
from segue.router.difficulty import difficulty as _difficulty
from segue.router.fleets import Fleets
from segue.router.forecast import Forecast, Lengths, forecast
from segue.router.limits import Limits
from segue.router.offline_deployment import show_whole
from segue.router.placing.fleet import Fleet
from segue.router.placing.host import Asked
from segue.router.placing.prefixes import Chain
from segue.router.rollout import Shares
from segue.router.routes import Routes
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings, RouterSettings, RouteSettings
from segue.router.shadows import OnShadow, Shadows
from segue.router.steps import Retries, Standing, Step
from segue.router.story import told
from segue.router.types import Generation, GenerationRequest, OnDelta
from segue.router.watching import Watching


class RouterCore:
    """Deployments, routes, and the way from a request to a generation."""

    def __init__(
        self,
        settings: RouterSettings | None = None,
        *,
        deployments: Mapping[str, Deployment | DeploymentSettings] | None = None,
        routes: Mapping[str, RouteSettings] | None = None,
        default_route: str = "",
        environ: Mapping[str, str] | None = None,
        randomness: Randomness | None = None,
        difficulty: Callable[[GenerationRequest], float] | None = None,
        shares: Shares | None = None,
        spent: SpentStore | None = None,
    ) -> None:
        """Deployments and routes given here are added to those of the settings, and win over them.

        `environ` is where `env:` references look; `None` is the environment of the process. `spent` keeps what is spent
        on budgets; without it that is known as long as the process lives.

        Raises:
            ConfigError: A route names a deployment or a route that does not exist.
        """
        settings = settings or RouterSettings()
        self._environ = environ
        self._randomness = randomness or random.Random()
        self._sessions = Sessions()
        self._deployments: dict[str, Deployment] = {}
        self._routes = Routes(
            {**settings.routes, **(routes or {})}, self._deployments,
            randomness=self._randomness, difficulty=difficulty or _difficulty, shares=shares,
        )  # fmt: skip
        self.budgets = Budgets(settings.budgets, spent)
        self.shadows = Shadows(self.generate)
        self.cache = Cache(int(settings.cache_mb * 1024 * 1024))
        self._chains = Chains()
        self._models: dict[int, tuple[object, str]] = {}
        self._lengths = Lengths()
        self.fleet = Fleet(jitter=self._randomness.random)
        self.watching = Watching(self.fleet, self._sessions, environ)
        self._standing = Standing(
            self.fleet, {}, self._randomness, settings.wait_s, retries=Retries(settings.retry_share)
        )
        for name, deployment in {**settings.deployments, **(deployments or {})}.items():
            self._take_in(name, deployment)
        self._fleets = Fleets(self._routes, settings.deployments, take_in=self._take_in, drop=self._drop)
        if not self._routes.held and self._deployments:
            self._routes.held["default"] = RouteSettings(deployments=tuple(self._deployments), policy="first")
        self._routes.default = default_route or settings.default_route or self._first_route()
        check_routes(self._routes.held, self._deployments, self.default_route)

    @property
    def default_route(self) -> str:
        """The route of those who name none; empty where there is no route."""
        return self._routes.default

    @property
    def limits(self) -> Mapping[str, Limits]:
        """What each deployment allows, by its name."""
        return self._standing.limits

    @property
    def routes(self) -> dict[str, RouteSettings]:
        """All routes by name, aliases of the default route included."""
        return self._routes.all

    @property
    def deployments(self) -> dict[str, Deployment]:
        """All deployments by name."""
        return dict(self._deployments)

    async def generate(
        self,
        request: GenerationRequest,
        *,
        route: str | None = None,
        on_delta: OnDelta | None = None,
        deadline: float | None = None,
        on_shadow: OnShadow | None = None,
        shadowing: bool = False,
    ) -> Generation:
        """Answer one request by a route; `None` is the default one.

        `on_delta` is called on the event loop with each piece of the answer as it comes, and with a `Reset` when what
        it was given is void. `deadline` is a reading of `time.monotonic()`. `on_shadow` is told later what a shadow
        route made of the request; `shadowing` says that this is for such a one, and has none itself.

        Raises:
            BadInput: There is no such route; the message lists those that exist.
            BudgetSpent: No deployment of the route is within the budgets.
            NoDeploymentLeft: Every deployment of the route and its fallbacks has failed.
            AttemptError: The request would fail anywhere (`BadRequest`, `ContextOverflow`), or `DeadlinePassed`.
        """
        start = time.monotonic()
        asked, name = route or self._routes.default, self._routes.name(route)
        if self._fleets:
            await self._fleets.ready(name)
        held = self._routes.held[name]
        key = None if held.cache_s is None else self.cache.key(name, held, request)
        if key is not None and (found := self.cache.get(key, request)) is not None:
            if on_delta is not None:
                show_whole(found.message, on_delta)
            return replace(found, route=asked, duration_s=time.monotonic() - start)
        read = None if request.input_estimate else self._chains.of(request)
        tokens = request.input_estimate or (read[1] // 4 if read else 0) or 1
        steps, rule = self._routes.steps(name, request, tokens)
        spending = None
        if self.budgets:
            longest = self._lengths.typical([each.name for each in steps[0].deployments], request.speaker)
            steps, spending = await self.budgets.within(asked, request, steps, input_tokens=tokens, longest=longest)
        alone = len(steps) == len(steps[0].deployments) == 1
        chain, chars = ((), 0) if alone else read or self._chains.of(request)
        self._standing.retries.request()
        attempts = Attempts(
            asked, self._asked(request, steps, chain, tokens / chars if chars else 0.0, tokens), steps, self._standing,
            on_delta=on_delta, deadline=deadline, tenant=request.tenant, run=request.run,
        )  # fmt: skip
        reply = None
        try:
            deployment, reply = await attempts.run()
        finally:
            if spending is not None:
                self.budgets.settle(spending, attempts.made, None if reply is None else reply.usage)
        if "labels" not in reply.message:  # who answers over a wire has entered it
            enter(reply.message, source=reply.model)
        self._lengths.learn(deployment.name, request.speaker, estimate=request.input_estimate, usage=reply.usage)
        found = told(
            deployment, reply, attempts, asked=asked, name=name, rule=rule, alone=alone,
            duration_s=time.monotonic() - start,
        )  # fmt: skip
        if key is not None and held.cache_s is not None:
            self.cache.put(key, found, held.cache_s)
        if held.shadow is not None and not shadowing and self._randomness.random() < held.shadow.share:
            self.shadows.begin(request, found, held.shadow.route, on_shadow)
        return found

    async def forecast(
        self,
        route: str | None = None,
        *,
        speaker: str = "",
        input_tokens: int,
        max_output_tokens: int | None = None,
        priced: bool = False,
    ) -> Forecast:
        """What a generation by a route may come to: its tokens, its dollars where `priced`, its longest context.

        Raises:
            BadInput: There is no such route; the message lists those that exist.
        """
        routes = [self._routes.held[name] for name in self._routes.reached(self._routes.name(route))]
        if len(routes) == 1 and len(routes[0].deployments) == 1:  # as most are
            deployments = [self._deployments[routes[0].deployments[0]]]
        else:
            deployments = list({name: self._deployments[name] for each in routes for name in each.deployments}.values())
        if max_output_tokens is None and None not in (caps := [each.max_output_tokens for each in routes]):
            max_output_tokens = max(cap for cap in caps if cap is not None)
        return await forecast(
            deployments, self._lengths, speaker=speaker, input_tokens=input_tokens,
            max_output_tokens=max_output_tokens, priced=priced,
        )  # fmt: skip

    async def context_tokens(self, route: str | None = None) -> int | None:
        """The longest conversation that a deployment of the route takes; `None` where none of them says.

        Raises:
            BadInput: There is no such route; the message lists those that exist.
        """
        found = 0
        for each in self._routes.reached(self._routes.name(route)):
            for name in self._routes.held[each].deployments:
                found = max(found, self._deployments[name].context_tokens or 0)
        return found or None

    def add_model(self, name: str, model: Any) -> str:
        """Take in a deployment, its settings, or a LangChain chat model, under a name and a route of that name.

        Raises:
            BadInput: The name is taken, or it is none of these.
        """
        if name in self._routes.held or name in self._deployments:
            raise BadInput(f"there is a route or deployment {name!r} already; choose another name.")
        self._take_in(name, model)
        self._routes.held[name] = RouteSettings(deployments=(name,))
        self._routes.default = self.default_route or name
        return name

    def resolve(self, model: Any = None) -> str:
        """The route that `model=` means, taken in first where it is new.

        A route's name stays as it is; `None` is the default route; `"openai:gpt-…"` (or `vllm:`, `ollama:`) becomes a
        deployment on the engine's usual endpoint; a deployment, a LangChain chat model or another router likewise.

        Raises:
            BadInput: No such route, and none of these; the message lists the routes that exist.
        """
        if model is None or isinstance(model, str):
            return self._resolve_text(model or self.default_route)
        if getattr(model, "core", model) is self:
            return str(getattr(model, "route", None) or self.default_route)
        known = self._models.get(id(model))
        if known is None:
            name = self._free_name(getattr(model, "name", None) or type(model).__name__)
            known = self._models[id(model)] = (model, self.add_model(name, model))
        return known[1]

    def describe(self) -> dict[str, Any]:
        """Routes and deployments as plain data, for a person to look at; no secrets."""
        return {
            "default_route": self.default_route,
            "routes": {
                name: {
                    "deployments": list(route.deployments),
                    "policy": route.policy,
                    "fallbacks": list(route.fallbacks),
                }
                for name, route in self.routes.items()
            },
            "deployments": {name: deployment.describe() for name, deployment in self._deployments.items()},
        }

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the router may be used again."""
        await self.shadows.aclose()
        await self.budgets.aclose()
        await self.watching.aclose()
        await self._fleets.aclose()
        for deployment in self._deployments.values():
            await deployment.aclose()
        await self._sessions.aclose()

    def _take_in(self, name: str, model: Any) -> None:
        deployment = self._deployments[name] = self._made(name, model)
        if isinstance(model, DeploymentSettings) and model.engine == "vllm" and model.metrics:
            self.watching.add(deployment.name, model)
        self._standing.limits[deployment.name] = deployment.limits()

    def _drop(self, name: str) -> None:
        """It is gone from its fleet; requests that it has go on."""
        deployment = self._deployments.pop(name, None)
        if deployment is not None:
            self.fleet.forget(deployment.name)
            self._standing.limits.pop(deployment.name, None)

    def _made(self, name: str, model: Any) -> Deployment:
        if isinstance(model, DeploymentSettings):
            return build(name, model, sessions=self._sessions, environ=self._environ)
        if isinstance(model, Deployment):
            model.name = getattr(model, "name", None) or name
            return model
        from segue.router.foreign import foreign

        return foreign(name, model)

    def _first_route(self) -> str:
        return "default" if "default" in self._routes.held else next(iter(self._routes.held), "")

    def _resolve_text(self, text: str) -> str:
        settings = None if text in self._routes.held else named_model(text)
        if settings is None:
            self._routes.name(text)
            return text
        if text in self._deployments:  # such as "offline", where that is what answers anyway
            self._routes.held[text] = RouteSettings(deployments=(text,))
            return text
        return self.add_model(text, settings)

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._routes.held or name in self._deployments:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _asked(
        self, request: GenerationRequest, steps: Sequence[Step], chain: Chain, tokens_per_char: float, tokens: int
    ) -> Asked:
        """The request as policies see it."""
        names = [each.name for step in steps for each in step.deployments]
        if len(names) > 1:
            self.watching.look(names, time.monotonic())
        return Asked(
            input_tokens=tokens,
            output_tokens=self._lengths.usual(names[:1], request.speaker),
            chain=chain,
            piece_tokens=PIECE * tokens_per_char,
            session=request.session,
        )
