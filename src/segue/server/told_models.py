"""What the routes of models and settings tell."""

from __future__ import annotations

from typing import Any

from segue.server.schemas import Told


class DeploymentNowTold(Told):
    """How a deployment stands at this moment, as this server's router knows it."""

    breaker: str
    """`closed`: it is asked. `open`: it failed and is left alone. `half-open`: one request may try."""
    opens_in_s: float
    in_flight: int
    """Requests that it has from this server."""
    limit_wait_s: float
    """How long its limits would have a request wait."""
    read_tokens_s: float | None
    write_tokens_s: float | None
    first_token_s: float | None
    running: float | None
    """Requests that it has from all clients; `None` where it does not say."""
    waiting: float | None
    kv_usage: float | None
    hit_rate: float | None
    """How much of all prompts it found in its prefix cache, from 0 to 1."""


class DeploymentTold(Told):
    """One model on one endpoint, with what the newest generations of the tenant say of it."""

    name: str
    engine: str
    model: str
    endpoint: str
    api_key: str
    """Where its key comes from and whether it is set; never the key."""
    offline: bool
    """Whether it is a set of rules, not a language model."""
    generations: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    """`None` where the price of one generation is not known."""
    median_s: float | None
    median_first_token_s: float | None
    last_at: float | None
    now: DeploymentNowTold


class RouteTold(Told):
    """A named choice of deployments."""

    name: str
    deployments: list[str]
    policy: str
    fallbacks: list[str]


class ModelsTold(Told):
    """What answers."""

    default_route: str
    chosen: str
    """Why this model, where none was configured; empty where routes are."""
    routes: list[RouteTold]
    deployments: list[DeploymentTold]
    looked_at: int
    """How many generations the figures are of."""
    failed: int
    """Those of them that no deployment answered."""
    last_error: str
    """Of the newest of these."""


class SettingTold(Told):
    """A setting and where it comes from."""

    name: str
    value: Any
    source: str


class CheckTold(Told):
    """Something that runs need."""

    name: str
    ok: bool
    detail: str


class SettingsTold(Told):
    """What `segue doctor` says."""

    segue: str
    python: str
    platform: str
    packages: dict[str, str]
    checks: list[CheckTold]
    settings: list[SettingTold]
    langfuse: str
    """Where traces are sent to be looked at; empty for nowhere."""
