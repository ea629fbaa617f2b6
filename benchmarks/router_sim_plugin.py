"""The router's own policy in a simulator of a fleet: nothing but an adapter.

Run it with the simulator's folder at hand: `python run.py --plugin router_sim_plugin:SeguePolicy`. The simulator calls
`choose(request, hosts, now)` and tells how requests end; every decision is made by `segue.router.placing.Fleet`, the
object that the router itself places by.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from segue.router.placing.fleet import Fleet, Placement
from segue.router.placing.host import Asked

BLOCK_TOKENS = 64
_OUTCOMES = {"refused": "unreachable", "reset": "reset", "stall": "timeout"}


class SeguePolicy:
    """`segue.router.placing.Fleet` as the simulator wants it."""

    name = "segue"

    def bind(self, names: Iterable[str], rng: Any) -> None:
        """The hosts, before the first request."""
        self._fleet = Fleet(names, jitter=rng.random)
        self._placed: dict[tuple[int, str], Placement] = {}
        self._usual_output = 128.0

    def choose(self, request: Any, hosts: Sequence[Any], now: float) -> Any:
        """The host's name."""
        healthy = [host.name for host in hosts if host.healthy] or [host.name for host in hosts]
        asked = self._asked(request)
        placement = self._fleet.place(asked, healthy, now)
        self._placed[request.id, placement.name] = placement
        return placement.name

    def on_first_token(self, request: Any, host: Any, ttft: float, cached: int, now: float) -> None:
        """The first token has come."""
        self._fleet.first_token(self._placed[request.id, host.name], now)

    def on_finish(self, request: Any, host: Any, output: int, cached: int, now: float) -> None:
        """It was answered."""
        placement = self._placed.pop((request.id, host.name))
        self._fleet.went_well(placement, now, output_tokens=output, cached_tokens=cached)
        self._usual_output += 0.02 * (output - self._usual_output)

    def on_error(self, request: Any, host: Any, why: str, now: float) -> None:
        """It failed."""
        self._fleet.failed(self._placed.pop((request.id, host.name)), _OUTCOMES[why], now)

    def on_cancel(self, request: Any, host: Any, now: float) -> None:
        """It was given up."""
        self._fleet.left(self._placed.pop((request.id, host.name)))

    def _asked(self, request: Any) -> Asked:
        return Asked(
            input_tokens=request.prompt_tokens,
            output_tokens=self._usual_output,
            chain=request.blocks,
            piece_tokens=BLOCK_TOKENS,
            session=str(request.session),
        )
