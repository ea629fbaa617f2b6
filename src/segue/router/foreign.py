"""Models that are brought along, as deployments: LangChain's chat models, and another router.

In: an object. Out: a deployment, or an error that says what is wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.base.errors import BadInput
from segue.router.deployment import Deployment
from segue.router.errors import AttemptError, NoDeploymentLeft
from segue.router.types import GenerationRequest, OnDelta, Reply

if TYPE_CHECKING:
    from segue.router.core import RouterCore


class RouterDeployment(Deployment):
    """A route of another router."""

    engine = "router"

    def __init__(self, name: str, core: RouterCore, route: str | None) -> None:
        self.name = name
        self.model = route or core.default_route
        self._core = core
        self._route = route

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Answer one request by the other router's route."""
        try:
            found = await self._core.generate(request, route=self._route, on_delta=on_delta, deadline=deadline)
        except NoDeploymentLeft as error:
            raise AttemptError(self.name, "has nothing left", detail=error.message, way_out=error.way_out) from error
        return Reply(
            message=found.message,
            usage=found.usage,
            finish_reason=found.finish_reason,
            model=found.model,
            first_token_s=found.first_token_s,
        )

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """By the dearest deployment of the route; `None` where the price of one is not known."""
        found = await self._core.forecast(self._route, input_tokens=input_tokens, priced=True)
        return None if found.unpriced else found.cost_usd(output_tokens)

    async def aclose(self) -> None:
        """Close the other router's connections of the running event loop."""
        await self._core.aclose()


def foreign(name: str, model: Any) -> Deployment:
    """The deployment for a LangChain chat model or another router.

    Raises:
        BadInput: It is neither.
    """
    from segue.router.core import RouterCore

    if isinstance(model, RouterCore):
        return RouterDeployment(name, model, None)
    if hasattr(model, "ainvoke") and hasattr(model, "bind_tools"):
        from segue.router.chat_model import RouterChatModel
        from segue.router.langchain_deployment import LangChainDeployment

        if isinstance(model, RouterChatModel):
            return RouterDeployment(name, model.core, model.route)
        return LangChainDeployment(name, model)
    raise BadInput(
        "a model is a route's name, 'engine:model', a deployment, a LangChain chat model or a Router, "
        f"not {type(model).__name__}."
    )
