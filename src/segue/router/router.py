"""`Router`: deployments and routes, as a router and as a LangChain chat model in one object.

In: settings, or deployments and routes. Out: generations for those who speak Segue (`generate`), messages for those who
speak LangChain (`ainvoke`, `astream`, `bind_tools`, …; they use the default route). All of it is done in
`segue.router.core` and `segue.router.chat_model`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, overload

from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from segue.base.ports import Randomness
from segue.router.chat_model import RouterChatModel
from segue.router.core import RouterCore
from segue.router.deployment import Deployment
from segue.router.forecast import Forecast
from segue.router.settings import DeploymentSettings, RouterSettings, RouteSettings
from segue.router.types import Generation, GenerationRequest, OnDelta


class Router(RouterChatModel):
    """Deployments under routes; picks one, goes on when it fails, and says why."""

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
        **more: Any,
    ) -> None:
        """Deployments and routes given here are added to those of the settings, and win over them.

        Without any route, all deployments are tried in their order. The routes `default`, `fast` and `smart` always
        exist. `environ` is where `env:` references look; `None` is the environment of the process. `difficulty` is for
        rules that ask for it; `None` is `segue.router.difficulty`. The rest is the chat model's, such as `temperature`:
        see `RouterChatModel`.

        Raises:
            BadInput: A name in `more` is none that the chat model takes.
            ConfigError: A route names a deployment or a route that does not exist.
        """
        core = RouterCore(
            settings,
            deployments=deployments,
            routes=routes,
            default_route=default_route,
            environ=environ,
            randomness=randomness,
            difficulty=difficulty,
        )
        super().__init__(core, **more)

    @overload  # type: ignore[override]
    def generate(
        self,
        request: GenerationRequest,
        *,
        route: str | None = None,
        on_delta: OnDelta | None = None,
        deadline: float | None = None,
    ) -> Coroutine[Any, Any, Generation]: ...

    @overload
    def generate(self, request: list[list[BaseMessage]], *args: Any, **kwargs: Any) -> LLMResult: ...

    def generate(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        """Await it with a `GenerationRequest`: see `RouterCore.generate`. LangChain calls it with its own arguments."""
        if isinstance(request, GenerationRequest):
            return self.core.generate(request, *args, **kwargs)
        return super().generate(request, *args, **kwargs)

    @property
    def routes(self) -> dict[str, RouteSettings]:
        """All routes by name, `default`, `fast` and `smart` included."""
        return self.core.routes

    @property
    def deployments(self) -> dict[str, Deployment]:
        """All deployments by name."""
        return self.core.deployments

    @property
    def default_route(self) -> str:
        """The route of those who name none."""
        return self.core.default_route

    def add_model(self, name: str, model: Any) -> str:
        """Take in a deployment, its settings or a LangChain chat model; see `RouterCore.add_model`."""
        return self.core.add_model(name, model)

    def resolve(self, model: Any = None) -> str:
        """The route that `model=` means; see `RouterCore.resolve`."""
        return self.core.resolve(model)

    async def forecast(self, route: str | None = None, **asked: Any) -> Forecast:
        """What a generation by a route may come to; see `RouterCore.forecast`."""
        return await self.core.forecast(route, **asked)

    async def context_tokens(self, route: str | None = None) -> int | None:
        """The longest conversation that a route takes; see `RouterCore.context_tokens`."""
        return await self.core.context_tokens(route)

    def as_chat_model(self, route: str | None = None) -> RouterChatModel:
        """One route as a LangChain chat model.

        Raises:
            BadInput: There is no such route.
        """
        return RouterChatModel(self.core, self.core.resolve(route))

    def describe(self) -> dict[str, Any]:
        """Routes and deployments as plain data; no secrets."""
        return self.core.describe()

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        await self.core.aclose()
