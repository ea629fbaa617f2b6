"""The deadlines of one attempt: first token, then idle, and always the caller's own.

Used as a context around what the attempt awaits. When a deadline passes, what is awaited inside is cancelled and the
context raises the error that fits; a cancellation from outside goes through untouched. Connecting is timed by the
transport.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType

from segue.base.alarms import alarms
from segue.router.errors import BrokenStream, DeadlinePassed, EndpointTimeout


class Watch:
    """Times one attempt on one deployment, by a timer that looks now and then instead of being set for every token."""

    __slots__ = (
        "_alarm", "_cancelling", "_deadline", "_deployment", "_due", "_end", "_expired", "_first_token_s", "_idle_s",
        "_loop", "_start", "_task", "first_token_s",
    )  # fmt: skip

    def __init__(self, deployment: str, *, first_token_s: float, idle_s: float, deadline: float | None) -> None:
        """`deadline` is a reading of `time.monotonic()`; `None` is no deadline."""
        self._deployment = deployment
        self._first_token_s = first_token_s
        self._idle_s = idle_s
        self._deadline = deadline
        self._expired = False
        self._task: asyncio.Task[object] | None = None
        self._start = time.monotonic()
        self.first_token_s: float | None = None
        """Seconds from the start to the first token; `None` before it."""

    def __enter__(self) -> Watch:
        task = asyncio.current_task()
        assert task is not None, "an attempt is timed within a task"
        self._task, self._cancelling = task, task.cancelling()
        self._loop = loop = task.get_loop()
        now = loop.time()
        self._end = None if self._deadline is None else now + self._deadline - time.monotonic()
        self._due = self._next(now, self._first_token_s)
        self._alarm = alarms(loop).set(min(self._due, now + self._idle_s), self._look)
        return self

    def token(self) -> None:
        """A first piece of the answer has come."""
        if self.first_token_s is None:
            self.first_token_s = time.monotonic() - self._start
            self._due = self._next(self._loop.time(), self._idle_s)

    def alive(self) -> None:
        """Something has come; only after the first token does that start the clock anew."""
        if self.first_token_s is not None:
            due = self._loop.time() + self._idle_s
            self._due = due if self._end is None else min(due, self._end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.cancel()
        task, self._task = self._task, None  # an error's frames hold this: without its task, no circle is left behind
        mine = self._expired and task is not None and task.uncancel() <= self._cancelling
        if mine and kind is asyncio.CancelledError:
            raise self._error() from None

    def _look(self) -> None:
        """The timer: all awaited inside is cancelled when it is time, else it is looked again when it may be."""
        now = self._loop.time()
        if now < self._due:
            self._alarm = alarms(self._loop).set(min(self._due, now + self._idle_s), self._look)
        else:
            self._expired = True
            if self._task is not None:
                self._task.cancel()

    def _next(self, now: float, seconds: float) -> float:
        when = now + seconds
        return when if self._end is None else min(when, self._end)

    def _error(self) -> EndpointTimeout | BrokenStream | DeadlinePassed:
        if self._end is not None and self._loop.time() >= self._end:
            return DeadlinePassed(self._deployment, "had not finished when the caller's deadline passed")
        if self.first_token_s is None:
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
