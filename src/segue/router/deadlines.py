"""The deadlines of one attempt: first token, then idle, and always the caller's own.

Used as an async context around the attempt. When a deadline passes, what is awaited inside is cancelled and the
context raises the error that fits; a cancellation from outside goes through untouched. Connecting is timed by the
transport.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Literal

from segue.router.errors import BrokenStream, DeadlinePassed, EndpointTimeout

_SLACK = 0.1
"""How much of `idle_s` may be missing before the timer is set anew; setting it for every token would cost."""


class Watch:
    """Times one attempt on one deployment."""

    def __init__(self, deployment: str, *, first_token_s: float, idle_s: float, deadline: float | None) -> None:
        """`deadline` is a reading of `time.monotonic()`; `None` is no deadline."""
        self._deployment = deployment
        self._first_token_s = first_token_s
        self._idle_s = idle_s
        self._deadline = deadline
        self._waits_for: Literal["first", "idle"] = "first"
        self._start = time.monotonic()
        self.first_token_s: float | None = None
        """Seconds from the start to the first token; `None` before it."""

    async def __aenter__(self) -> Watch:
        loop = asyncio.get_running_loop()
        self._loop_time = loop.time
        self._end = None if self._deadline is None else loop.time() + self._deadline - time.monotonic()
        self._timeout = asyncio.timeout_at(self._next(self._first_token_s))
        await self._timeout.__aenter__()
        return self

    def token(self) -> None:
        """A first piece of the answer has come."""
        if self.first_token_s is None:
            self.first_token_s = time.monotonic() - self._start
            self._waits_for = "idle"
            self._timeout.reschedule(self._next(self._idle_s))

    def alive(self) -> None:
        """Something has come; only after the first token does that start the clock anew."""
        if self._waits_for == "idle":
            when = self._next(self._idle_s)
            if when - (self._timeout.when() or 0.0) > self._idle_s * _SLACK:
                self._timeout.reschedule(when)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise self._error() from None

    def _next(self, seconds: float) -> float:
        when = self._loop_time() + seconds
        return when if self._end is None else min(when, self._end)

    def _error(self) -> EndpointTimeout | BrokenStream | DeadlinePassed:
        if self._end is not None and self._loop_time() >= self._end:
            return DeadlinePassed(self._deployment, "had not finished when the caller's deadline passed")
        if self._waits_for == "first":
            return EndpointTimeout(
                self._deployment,
                f"gave no first token within {self._first_token_s:g} s",
                way_out="Raise its `first_token_s`, or see whether the engine hangs.",
            )
        return BrokenStream(
            self._deployment,
            f"stood still for {self._idle_s:g} s in mid answer",
            way_out="Raise its `idle_s`, or see whether the engine hangs.",
        )
