"""What vLLM servers say of themselves, asked for while there is traffic: at most once a second for each.

In: a deployment that is about to be chosen from. Out: its host knows of other clients' requests and of the size of its
prefix cache, and its breaker opens where the engine hangs although its `/health` says that it is well. Nothing waits
for this, and nothing fails because of it: a server that does not tell is left alone for a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from segue.base.errors import SegueError
from segue.router.placing.fleet import Fleet
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.vllm_servers.hang import HangWatch

if TYPE_CHECKING:
    from segue.router.vllm_servers.metrics import VllmMetrics

EVERY_S = 1.0
_LEFT_ALONE_S = 60.0
_DEADLINE_S = 2.0
_FAILS = 3
_PIECE_TOKENS = 128.0


@dataclass
class _Seen:
    settings: DeploymentSettings
    hang: HangWatch = field(default_factory=HangWatch)
    next_at: float = 0.0
    failed: int = 0
    metrics: VllmMetrics | None = None
    task: asyncio.Task[None] | None = None


class Watching:
    """Watches the vLLM servers of a router."""

    def __init__(self, fleet: Fleet, sessions: Sessions, environ: Mapping[str, str] | None) -> None:
        self._fleet = fleet
        self._sessions = sessions
        self._environ = environ
        self._seen: dict[str, _Seen] = {}
        self._next_at = 0.0
        """Before this none of them is looked at."""

    def add(self, name: str, settings: DeploymentSettings) -> None:
        """Watch this one from now on."""
        self._seen[name] = _Seen(settings)
        self._next_at = 0.0

    def metrics(self, name: str) -> VllmMetrics | None:
        """What it said last; `None` where it has said nothing."""
        seen = self._seen.get(name)
        return None if seen is None else seen.metrics

    def look(self, names: list[str], now: float) -> None:
        """Ask those whose last answer is old, without waiting for it."""
        if now < self._next_at:
            return
        for name in names:
            seen = self._seen.get(name)
            if seen is None or now < seen.next_at:
                continue
            seen.next_at = now + EVERY_S
            seen.task = asyncio.get_running_loop().create_task(self._ask(name, seen))
        self._next_at = min((each.next_at for each in self._seen.values()), default=float("inf"))

    async def aclose(self) -> None:
        """End what is being asked on the running event loop."""
        here = asyncio.get_running_loop()
        tasks = [each.task for each in self._seen.values() if each.task is not None and each.task.get_loop() is here]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, name: str, seen: _Seen) -> None:
        from segue.router.vllm_servers.metrics import scrape

        try:
            async with asyncio.timeout(_DEADLINE_S * 2):
                found = await scrape(
                    seen.settings, name=name, sessions=self._sessions, environ=self._environ, timeout_s=_DEADLINE_S
                )
        except (SegueError, TimeoutError, OSError):
            seen.failed += 1
            if seen.failed >= _FAILS:
                seen.next_at = time.monotonic() + _LEFT_ALONE_S
            return
        seen.failed, seen.metrics = 0, found
        now, host = time.monotonic(), self._fleet.host(name)
        host.told(
            running=found.running, waiting=found.waiting, kv_tokens=found.kv_tokens, piece_tokens=_PIECE_TOKENS, now=now
        )
        if seen.hang.see(found, now=now, in_flight=host.in_flight):
            with contextlib.suppress(KeyError):
                self._fleet.breakers[name].failed(now, at_once=True)
