"""Routes in the settings: which deployments a request may go to, and how; and what may be spent on them.

In: the tables `[routes.NAME]` and `[router.budgets.NAME]`. Out: checked, frozen settings.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from segue.base.errors import ConfigError
from segue.router.tables import Positive, Section, Table

Policy = Literal[
    "predicted", "fastest", "first", "round_robin", "weighted", "least_loaded", "lowest_latency", "cheapest"
]


class RuleSettings(Table):
    """Which requests of a route go by another one: those to which all of it applies."""

    route: str
    tools: bool | None = None
    """Only requests with tools, or only those without."""
    images: bool | None = None
    min_input_tokens: int | None = Field(default=None, ge=0)
    max_input_tokens: int | None = Field(default=None, ge=0)
    speakers: tuple[str, ...] = ()
    """Names of agents and planners; `*` stands for anything."""
    min_difficulty: float | None = Field(default=None, ge=0, le=1)
    """From 0 to 1, as `segue.router.difficulty` sees it."""
    max_difficulty: float | None = Field(default=None, ge=0, le=1)


class CanarySettings(Table):
    """A share of a route's threads that goes by another route: of a new model, adapter or deployment."""

    route: str
    share: float = Field(ge=0, le=1)
    """From 0 to 1. A thread that is among them stays among them while the share grows."""


class ShadowSettings(Table):
    """A share of a route's requests that another route is asked, too: its answers are compared, never shown."""

    route: str
    share: float = Field(ge=0, le=1)


class SpendingSettings(Section):
    """What may be spent in a while, by whom, on which deployments."""

    usd: Positive | None = None
    tokens: int | None = Field(default=None, gt=0)
    """Input and output together."""
    per: Literal["hour", "day", "month"] = "day"
    """In UTC, from its full start on."""
    tenant: str = ""
    """Whose it is: a name, or a pattern such as `*`: each tenant that it fits has a budget of its own. Empty: one for
    all of them together."""
    user: str = ""
    """Likewise: whom a key was given to."""
    deployments: tuple[str, ...] = ()
    """Names or patterns: those that count; empty for all. The budget of a provider's key is that of its deployments."""

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.usd is None and self.tokens is None:
            raise ConfigError("a budget needs `usd`, `tokens` or both.")
        return self

    def concerns(self, deployment: str) -> bool:
        """Whether what this deployment costs counts."""
        return not self.deployments or any(fnmatchcase(deployment, each) for each in self.deployments)

    def period(self, when: datetime) -> str:
        """The name of the hour, day or month."""
        return when.strftime({"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}[self.per])

    def ends(self, when: datetime) -> datetime:
        """When it begins anew."""
        if self.per == "hour":
            return when.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        start = when.replace(hour=0, minute=0, second=0, microsecond=0)
        return start + timedelta(days=1) if self.per == "day" else (start.replace(day=1) + timedelta(32)).replace(day=1)


class RouteSettings(Section):
    """A named choice of deployments."""

    deployments: tuple[str, ...] = ()
    """In their order of preference; at least one, unless there is a `fleet`."""
    fleet: str = ""
    """Where more deployments are listed: a TOML or JSON file, or `dns://HOST:PORT`. Looked at anew while there is
    traffic; those that come and go need no restart."""
    fleet_like: str = ""
    """For `dns://`: the deployment whose settings, but for the endpoint, those of the fleet have."""
    hedge: float = Field(default=0.0, ge=0, le=0.5)
    """The share of requests, such as 0.05, that a second deployment is asked, too, when the first token is late."""
    canary: CanarySettings | None = None
    """A share of the threads tries another route."""
    shadow: ShadowSettings | None = None
    """A share of the requests is asked of another route, too, beside the answer that counts."""
    continuation: bool = False
    """Whether an answer of text alone that broke off is gone on with at another vLLM, instead of beginning anew."""
    policy: Policy = "predicted"
    """`predicted` goes model by model in their order, and among the deployments of a model to where the answer is
    foreseen soonest; `fastest` does so whatever the model. The plain ones: `first` in order, `round_robin` in turn,
    `weighted` at random by weight, `least_loaded`, `lowest_latency`, `cheapest`."""
    second_usd: Positive = 0.01
    """What a second is worth in US dollars, where prices are compared with waiting."""
    fallbacks: tuple[str, ...] = ()
    """Routes to go on with when all deployments have failed."""
    rules: tuple[RuleSettings, ...] = ()
    """The first that applies sends a request by its route; this one is its fallback then."""
    cache_s: Positive | None = None
    """How long an answer is given again to the very same request of the same tenant; `None` for never."""
    cache_after_writes: bool = False
    """Also where the result of a tool that may write stands in the request."""
    temperature: float | None = Field(default=None, ge=0)
    max_output_tokens: int | None = Field(default=None, gt=0)
    parallel_tool_calls: bool | None = None
    extra: dict[str, Any] = Field(default_factory=dict)
    """Put into the body of each request, such as `reasoning_effort`."""

    @model_validator(mode="after")
    def _has_deployments(self) -> Self:
        if not self.deployments and not self.fleet:
            raise ConfigError("deployments: at least one is wanted, or a `fleet`.")
        if self.fleet.startswith("dns://") and not self.fleet_like:
            raise ConfigError("fleet: one out of DNS wants `fleet_like`, a deployment that says `model` and all else.")
        return self
