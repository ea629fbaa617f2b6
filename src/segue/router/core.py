"""The router itself: deployments and routes under their names, and one generation at a time through them.

In: settings, or deployments and routes made in code. Out: `generate`, which picks by the route's policy, goes on to the
next deployment when one fails, then to the fallback routes, and tells the story. `segue.router.router.Router` puts
LangChain's face on it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.base.errors import BadInput, names
from segue.base.messages import enter
from segue.base.ports import Randomness
from segue.router.attempts import Attempts, Standing, Step
from segue.router.build import build, named_model
from segue.router.chains import PIECE, Chains
from segue.router.deployment import Deployment
from segue.router.forecast import Forecast, Lengths, forecast
from segue.router.placing.fleet import Fleet
from segue.router.placing.host import Asked, Host
from segue.router.placing.pick import Policy
from segue.router.policy import groups, made
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings, RouterSettings, RouteSettings, check_routes
from segue.router.types import Generation, GenerationRequest, OnDelta, Reply

ALIASES = ("default", "fast", "smart")
"""Routes that always exist: where they are not configured they are the default route under another name."""
_WORTH_TELLING_S = 0.05


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
    ) -> None:
        """Deployments and routes given here are added to those of the settings, and win over them.

        `environ` is where `env:` references look; `None` is the environment of the process.

        Raises:
            ConfigError: A route names a deployment or a route that does not exist.
        """
        settings = settings or RouterSettings()
        self._environ = environ
        self._randomness = randomness or random.Random()
        self._sessions = Sessions()
        self._deployments: dict[str, Deployment] = {}
        self._routes: dict[str, RouteSettings] = {**settings.routes, **(routes or {})}
        self._by_name: dict[str, Deployment] = {}
        """By the name that a deployment gives itself."""
        self._policies: dict[str, Policy] = {}
        self._chains = Chains()
        self._models: dict[int, tuple[object, str]] = {}
        self._lengths = Lengths()
        self.fleet = Fleet(jitter=self._randomness.random)
        self._standing = Standing(self.fleet, {}, self._randomness, settings.wait_s)
        for name, deployment in {**settings.deployments, **(deployments or {})}.items():
            self._take_in(name, deployment)
        if not self._routes and self._deployments:
            self._routes["default"] = RouteSettings(deployments=tuple(self._deployments), policy="first")
        self.default_route = default_route or settings.default_route or self._first_route()
        check_routes(self._routes, self._deployments, self.default_route)

    @property
    def routes(self) -> dict[str, RouteSettings]:
        """All routes by name, aliases of the default route included."""
        out = dict(self._routes)
        if self.default_route in out:
            for alias in ALIASES:
                out.setdefault(alias, out[self.default_route])
        return out

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
    ) -> Generation:
        """Answer one request by a route; `None` is the default one.

        `on_delta` is called on the event loop with each piece of the answer as it comes, and with a `Reset` when what
        it was given is void. `deadline` is a reading of `time.monotonic()`.

        Raises:
            BadInput: There is no such route; the message lists those that exist.
            NoDeploymentLeft: Every deployment of the route and its fallbacks has failed.
            AttemptError: The request would fail anywhere (`BadRequest`, `ContextOverflow`), or `DeadlinePassed`.
        """
        start = time.monotonic()
        asked, name = route or self.default_route, self._route_name(route)
        steps = self._steps(name, request)
        attempts = Attempts(
            asked, self._asked(request, steps), self._standing, on_delta=on_delta, deadline=deadline,
            tenant=request.tenant, run=request.run,
        )  # fmt: skip
        deployment, reply = await attempts.run(steps)
        enter(reply.message, source=reply.model)
        self._lengths.learn(deployment.name, request.speaker, estimate=request.input_estimate, usage=reply.usage)
        duration_s = time.monotonic() - start
        return Generation(
            message=reply.message,
            usage=reply.usage,
            finish_reason=reply.finish_reason,
            deployment=deployment.name,
            model=reply.model or deployment.model,
            route=asked,
            first_token_s=_first_token_s(reply, duration_s, attempts),
            duration_s=duration_s,
            attempts=tuple(attempts.made),
            why=_why(asked, name, deployment, attempts, alone=len(steps) == len(steps[0].deployments) == 1),
        )

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
        routes = [self._routes[name] for name in self._with_fallbacks(self._route_name(route))]
        held = {name: self._deployments[name] for each in routes for name in each.deployments}
        caps = [each.max_output_tokens for each in routes]
        if max_output_tokens is None and None not in caps:
            max_output_tokens = max(cap for cap in caps if cap is not None)
        return await forecast(
            list(held.values()), self._lengths, speaker=speaker, input_tokens=input_tokens,
            max_output_tokens=max_output_tokens, priced=priced,
        )  # fmt: skip

    def add_model(self, name: str, model: Any) -> str:
        """Take in a deployment, its settings, or a LangChain chat model, under a name and a route of that name.

        Raises:
            BadInput: The name is taken, or it is none of these.
        """
        if name in self._routes or name in self._deployments:
            raise BadInput(f"there is a route or deployment {name!r} already; choose another name.")
        self._take_in(name, model)
        self._routes[name] = RouteSettings(deployments=(name,))
        self.default_route = self.default_route or name
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
        for deployment in self._deployments.values():
            await deployment.aclose()
        await self._sessions.aclose()

    def _take_in(self, name: str, model: Any) -> None:
        deployment = self._deployments[name] = self._made(name, model)
        self._by_name[deployment.name] = deployment
        self._standing.limits[deployment.name] = deployment.limits()

    def _made(self, name: str, model: Any) -> Deployment:
        if isinstance(model, DeploymentSettings):
            return build(name, model, sessions=self._sessions, environ=self._environ)
        if isinstance(model, Deployment):
            model.name = getattr(model, "name", None) or name
            return model
        from segue.router.foreign import foreign

        return foreign(name, model)

    def _first_route(self) -> str:
        return "default" if "default" in self._routes else next(iter(self._routes), "")

    def _route_name(self, route: str | None) -> str:
        """The configured route behind a name."""
        name = route or self.default_route
        if name in self._routes:
            return name
        if name in ALIASES and self.default_route:
            return self.default_route
        held = names(self.routes) if self._routes else "none; configure one, or use segue.router.choose"
        raise BadInput(f"there is no route {name!r}; the routes are: {held}.")

    def _resolve_text(self, text: str) -> str:
        settings = None if text in self._routes else named_model(text)
        if settings is None:
            self._route_name(text)
            return text
        if text in self._deployments:  # such as "offline", where that is what answers anyway
            self._routes[text] = RouteSettings(deployments=(text,))
            return text
        return self.add_model(text, settings)

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._routes or name in self._deployments:
            number += 1
            name = f"{wanted}-{number}"
        return name

    def _steps(self, name: str, request: GenerationRequest) -> list[Step]:
        """Who may be asked, in order, each with the request as its route wants it."""
        steps: list[Step] = []
        known: set[str] = set()
        for route_name in self._with_fallbacks(name):
            route = self._routes[route_name]
            held = [self._deployments[each] for each in route.deployments if each not in known]
            known.update(route.deployments)
            policy = self._policies.get(route_name)
            if policy is None:
                policy = self._policies[route_name] = made(route, self._deployments, self._price_usd, self._randomness)
            wanted = _with_defaults(request, route)
            fallback = route_name if route_name != name else ""
            steps += [Step(group, wanted, policy, fallback) for group in groups(route, held) if group]
        return steps

    def _asked(self, request: GenerationRequest, steps: Sequence[Step]) -> Asked:
        """The request as policies see it."""
        if sum(len(step.deployments) for step in steps) > 1:
            chain, chars = self._chains.of(request)
        else:
            chain, chars = (), 0
        tokens = request.input_estimate or chars // 4 or 1
        names = [each.name for each in steps[0].deployments] if steps else []
        return Asked(
            input_tokens=tokens,
            output_tokens=self._lengths.usual(names, request.speaker),
            chain=chain,
            piece_tokens=PIECE * tokens / chars if chars else 0.0,
            session=request.session,
        )

    def _price_usd(self, host: Host, asked: Asked, new: float) -> float | None:
        return self._by_name[host.name].about_usd(asked.input_tokens, asked.input_tokens - new, asked.output_tokens)

    def _with_fallbacks(self, name: str) -> list[str]:
        found = [name]
        for following in self._routes[name].fallbacks:
            found.extend(each for each in self._with_fallbacks(following) if each not in found)
        return found


def _with_defaults(request: GenerationRequest, route: RouteSettings) -> GenerationRequest:
    """The request with what it leaves open filled from its route."""
    changes: dict[str, Any] = {
        key: getattr(route, key)
        for key in ("temperature", "max_output_tokens", "parallel_tool_calls")
        if getattr(request, key) is None and getattr(route, key) is not None
    }
    if route.extra:
        changes["extra"] = {**route.extra, **request.extra}
    return replace(request, **changes) if changes else request


def _first_token_s(reply: Reply, duration_s: float, attempts: Attempts) -> float | None:
    """From the start of the whole call, so that a failed attempt shows in it."""
    if reply.first_token_s is None:
        return None
    return min(duration_s, duration_s - attempts.made[-1].duration_s + reply.first_token_s)


def _why(asked: str, name: str, deployment: Deployment, attempts: Attempts, *, alone: bool) -> str:
    route = f"route {asked!r}"
    if asked != name:
        route += " (the default route)" if name == "default" else f" (the default route, {name!r})"
    failed = [f"{attempt.deployment!r} ({attempt.outcome})" for attempt in attempts.made[:-1]]
    after = f", after {', '.join(failed)} had failed" if failed else ""
    if attempts.waited_s >= _WORTH_TELLING_S:
        after += f", and after {attempts.waited_s:.2g} s in line for a limit"
    return f"{route} took {deployment.name!r}, {'its only deployment' if alone else attempts.why}{after}."
