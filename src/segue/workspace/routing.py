"""The router, made when it is first used: looking for a model server costs time that `segue --help` must not pay."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segue.router import RouterCore, RouterSettings
from segue.router.budgets import SpentStore
from segue.router.forecast import Forecast
from segue.router.rollout import Shares
from segue.router.shadows import OnShadow
from segue.router.types import Generation, GenerationRequest, OnDelta

if TYPE_CHECKING:
    from segue.router import Choice


class LazyRouter:
    """Stands for the router that the settings describe, or that the choice without configuration comes to."""

    def __init__(
        self,
        settings: RouterSettings,
        environ: Mapping[str, str],
        *,
        shares: Shares | None = None,
        spent: SpentStore | None = None,
    ) -> None:
        """`shares` are those of rollouts, as they were set by command; `spent` is what was spent on budgets."""
        self._settings = settings
        self._environ = environ
        self._shares = shares
        self._spent = spent
        self._lock = asyncio.Lock()
        self._core: RouterCore | None = None
        self._bare = RouterCore(environ=environ)
        """For models that agents bring themselves: nothing has to be looked for."""
        self.choice: Choice | None = None
        """What was chosen and why, where nothing was configured; `None` before the first use, or with routes."""

    async def core(self) -> RouterCore:
        """The router itself.

        Raises:
            EndpointError: OPENAI_BASE_URL names an endpoint that does not answer.
        """
        async with self._lock:
            if self._core is None:
                from segue.router.choice import choose

                settings, self.choice = await choose(self._settings, environ=self._environ)
                self._core = RouterCore(settings, environ=self._environ, shares=self._shares, spent=self._spent)
            return self._core

    def resolve(self, model: Any) -> Any:
        """Models are resolved by the router itself, when it is there."""
        return model

    async def generate(
        self,
        request: GenerationRequest,
        *,
        route: Any = None,
        on_delta: OnDelta | None = None,
        deadline: float | None = None,
        on_shadow: OnShadow | None = None,
    ) -> Generation:
        """As `RouterCore.generate`; `route` may be anything that a model can be named by."""
        core = await self._core_for(route)
        return await core.generate(
            request, route=core.resolve(route), on_delta=on_delta, deadline=deadline, on_shadow=on_shadow
        )

    async def forecast(self, route: Any = None, **asked: Any) -> Forecast:
        """As `RouterCore.forecast`; `route` may be anything that a model can be named by."""
        core = await self._core_for(route)
        return await core.forecast(core.resolve(route), **asked)

    async def context_tokens(self, route: Any = None) -> int | None:
        """As `RouterCore.context_tokens`; `route` may be anything that a model can be named by."""
        core = await self._core_for(route)
        return await core.context_tokens(core.resolve(route))

    async def _core_for(self, route: Any) -> RouterCore:
        return await self.core() if route is None or isinstance(route, str) else self._bare

    async def aclose(self) -> None:
        """Close the router, if it was made."""
        await self._bare.aclose()
        if self._core is not None:
            await self._core.aclose()
