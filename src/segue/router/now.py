"""How a router's deployments stand at this moment, as plain data for a page or a command.

In: a router. Out: for each deployment what its breaker says, what it has, how fast it has been, and what its limits and
its server say. It is what this process knows; another process of the same workspace knows its own.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from segue.router.breaker import State
from segue.router.core import RouterCore


@dataclass(frozen=True, kw_only=True)
class DeploymentNow:
    """One deployment at this moment."""

    breaker: State
    opens_in_s: float
    """How long it is left alone yet; 0 where it is not."""
    in_flight: int
    """Requests of ours that it has."""
    limit_wait_s: float
    """How long its limits would have a small request wait."""
    read_tokens_s: float | None
    """Tokens of a prompt that it reads in a second; `None` until that is known."""
    write_tokens_s: float | None
    """Tokens of one answer in a second."""
    first_token_s: float | None
    running: float | None
    """Requests that its server has, of all clients; `None` where it does not say."""
    waiting: float | None
    kv_usage: float | None
    """How full its memory for conversations is, from 0 to 1."""
    hit_rate: float | None
    """How much of all prompts its server found in its prefix cache, from 0 to 1."""


def now_of(core: RouterCore) -> dict[str, DeploymentNow]:
    """How each deployment stands, by its name."""
    now = time.monotonic()
    return {name: _of(core, each.name, now) for name, each in core.deployments.items()}


def _of(core: RouterCore, name: str, now: float) -> DeploymentNow:
    host, breaker, metrics = core.fleet.host(name), core.fleet.breaker(name), core.watching.metrics(name)
    return DeploymentNow(
        breaker=breaker.state(now),
        opens_in_s=breaker.opens_in_s(now),
        in_flight=host.in_flight,
        limit_wait_s=core.limits[name].wait_s(1, now),
        read_tokens_s=host.read_rate,
        write_tokens_s=None if not host.token_s else 1 / host.token_s,
        first_token_s=host.first_token_s,
        running=None if metrics is None else metrics.running,
        waiting=None if metrics is None else metrics.waiting,
        kv_usage=None if metrics is None else metrics.kv_usage,
        hit_rate=None if metrics is None else metrics.hit_rate,
    )
