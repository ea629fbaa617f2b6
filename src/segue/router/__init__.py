"""The model router: a request and a route's name in, one complete generation out.

Deployments, routes and their policies, our own wire to OpenAI-compatible servers, failover, and the choice that is
made when nothing is configured. `Router` is a LangChain chat model too. What a generation is asked for and what
becomes of its tool calls is the business of the rooms above.

Names are loaded when they are asked for: importing this package pulls in no client library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.base.imports import load

if TYPE_CHECKING:
    from segue.router.chat_model import RouterChatModel
    from segue.router.choice import Choice, choose
    from segue.router.core import RouterCore
    from segue.router.deployment import Deployment
    from segue.router.errors import (
        AttemptError,
        BadRequest,
        BrokenStream,
        BudgetSpent,
        CannotServe,
        ContextOverflow,
        DeadlinePassed,
        EndpointFailed,
        EndpointRefused,
        EndpointTimeout,
        EndpointUnreachable,
        NoDeploymentLeft,
        RateLimited,
    )
    from segue.router.router import Router
    from segue.router.sdk.deployment import SdkDeployment
    from segue.router.settings import DeploymentSettings, PriceSettings, RouterSettings, RouteSettings
    from segue.router.types import (
        Attempt,
        Delta,
        Generation,
        GenerationRequest,
        OnDelta,
        ReasoningDelta,
        Reply,
        Reset,
        TextDelta,
        ToolCallDelta,
    )

_HOMES = {
    "chat_model": ("RouterChatModel",),
    "choice": ("Choice", "choose"),
    "core": ("RouterCore",),
    "deployment": ("Deployment",),
    "errors": (
        "AttemptError",
        "BadRequest",
        "BrokenStream",
        "BudgetSpent",
        "CannotServe",
        "ContextOverflow",
        "DeadlinePassed",
        "EndpointFailed",
        "EndpointRefused",
        "EndpointTimeout",
        "EndpointUnreachable",
        "NoDeploymentLeft",
        "RateLimited",
    ),
    "router": ("Router",),
    "sdk.deployment": ("SdkDeployment",),
    "settings": ("DeploymentSettings", "PriceSettings", "RouteSettings", "RouterSettings"),
    "types": (
        "Attempt",
        "Delta",
        "Generation",
        "GenerationRequest",
        "OnDelta",
        "ReasoningDelta",
        "Reply",
        "Reset",
        "TextDelta",
        "ToolCallDelta",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Attempt",
    "AttemptError",
    "BadRequest",
    "BrokenStream",
    "BudgetSpent",
    "CannotServe",
    "Choice",
    "ContextOverflow",
    "DeadlinePassed",
    "Delta",
    "Deployment",
    "DeploymentSettings",
    "EndpointFailed",
    "EndpointRefused",
    "EndpointTimeout",
    "EndpointUnreachable",
    "Generation",
    "GenerationRequest",
    "NoDeploymentLeft",
    "OnDelta",
    "PriceSettings",
    "RateLimited",
    "ReasoningDelta",
    "Reply",
    "Reset",
    "RouteSettings",
    "Router",
    "RouterChatModel",
    "RouterCore",
    "RouterSettings",
    "SdkDeployment",
    "TextDelta",
    "ToolCallDelta",
    "choose",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(load(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
