"""Ports of the ground floor: time, randomness, and telling somebody.

Each is a small protocol with one real adapter here or above; a test hands in another.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Protocol


class Clock(Protocol):
    """Time. `now` is seconds since 1970; `monotonic` never goes back and is only good for differences."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds from an unknown start; never goes back."""
        ...


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds from an unknown start; never goes back."""
        return time.monotonic()


class Randomness(Protocol):
    """A source of randomness: `random` is uniform in [0, 1)."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...


def system_randomness() -> Randomness:
    """Seeded by the machine."""
    return random.SystemRandom()


class Notifier(Protocol):
    """Tells an operator that something needs a person. Never raises; returns before anything is delivered."""

    def notify(self, severity: str, title: str, detail: dict[str, Any]) -> None:
        """Pass it on."""
        ...


_default_workspace: Callable[[], Any] | None = None


def provide_default_workspace(provider: Callable[[], Any]) -> None:
    """Say where `agent.run(...)` and a graph used alone find their workspace."""
    global _default_workspace
    _default_workspace = provider


def default_workspace() -> Any:
    """The workspace of this event loop, made when first asked for."""
    if _default_workspace is None:  # pragma: no cover - the package's face always fills it
        raise RuntimeError("no default workspace; import segue first")
    return _default_workspace()
