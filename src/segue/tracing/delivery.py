"""Delivery: items in, HTTP posts out, by a thread of its own behind a bounded queue.

Nothing here ever raises into, or waits for, the run. What does not fit the queue, is refused, or cannot be delivered
within the attempts is dropped, counted, and said in the log once a minute. What a post looks like is decided by who
made the delivery.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from segue.tracing.post import Answer, Poster

_log = logging.getLogger("segue.tracing")
ItemT = TypeVar("ItemT")
_SAY_EVERY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much may wait, and how long is tried."""

    items: int = 8_192
    """That may wait in the queue."""
    weight: int = 64_000_000
    """Bytes, about, that what waits may hold on to."""
    batch: int = 512
    """Items in one post at most."""
    interval_s: float = 1.0
    """How long an item waits for others."""
    deadline_s: float = 5.0
    """For one post, from connecting to the answer."""
    attempts: int = 4
    """For one post."""
    first_pause_s: float = 0.25
    """Between the first two attempts, about; then twice as long each time, up to `pause_s`."""
    pause_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Post:
    """One request."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    items: int


class Delivery(Generic[ItemT]):
    """Takes items and sends them.

    Args:
        name: What the log calls the destination.
        url: Where posts go.
        headers: With each post; credentials among them.
        pack: Makes posts of items, in the thread of the delivery.
        accepted: How many of a post's items its answer says were taken; `None` means all.
        limits: How much may wait, and how long is tried.
    """

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        pack: Callable[[Sequence[ItemT]], Iterable[Post]],
        *,
        accepted: Callable[[Post, Answer], int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.sent = 0
        self.dropped = 0
        """Items that did not fit, were refused, or could not be delivered."""
        self._poster = Poster(url, headers)
        self._pack = pack
        self._accepted = accepted or (lambda post, answer: post.items)
        self._queue: deque[tuple[ItemT, int]] = deque()
        self._weight = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()
        self._hurry = False
        self._busy = 0
        self._left_behind = False
        self._deadline = float("inf")
        self._said_at = float("-inf")

    @property
    def waiting(self) -> int:
        """Items in the queue and under way."""
        return len(self._queue) + self._busy

    def put(self, item: ItemT, weight: int = 0) -> None:
        """Take one item; drops and counts it where the queue is full or closed. Never blocks on the network."""
        with self._changed:
            full = len(self._queue) >= self.limits.items or self._weight + weight > self.limits.weight
            if full or self._closing.is_set():
                self.dropped += 1
            else:
                self._queue.append((item, weight))
                self._weight += weight
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=f"segue-{self.name}", daemon=True)
                    self._thread.start()
                elif len(self._queue) in (1, self.limits.batch):
                    self._changed.notify_all()
        if full:
            self._say("the queue is full")

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was put before is sent or dropped; false where that took longer."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout_s)

    def begin_close(self, deadline: float) -> None:
        """Take no more, and send what waits until `deadline` (monotonic seconds), without pauses between attempts."""
        with self._changed:
            self._deadline = min(self._deadline, deadline)
            self._closing.set()
            self._changed.notify_all()

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, as long as `begin_close` or `timeout_s` allows, and drop the rest."""
        self.begin_close(time.monotonic() + timeout_s)
        if self._thread is not None:
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
            if self._thread.is_alive():
                self._poster.interrupt()
                self._thread.join(0.2)
        with self._changed:
            self.dropped += self.waiting  # a thread that cannot be stopped is left behind with its batch
            self._queue.clear()
            self._left_behind = True
        if self.dropped:
            _log.warning("%s: %d of %d items were not delivered", self.name, self.dropped, self.dropped + self.sent)

    def _run(self) -> None:
        while batch := self._take():
            try:
                for post in self._pack(batch):
                    sent, why = self._send(post)
                    self._done(sent, post.items - sent, why)
            except Exception as error:  # an item that cannot be packed must not end the thread
                self._done(0, self._busy, f"{type(error).__name__} while encoding")
            self._done(0, self._busy, "it was left out")

    def _take(self) -> list[ItemT]:
        """The next batch, once it is full or its first item waited long enough; empty when there is nothing more."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing.is_set())
            self._changed.wait_for(
                lambda: len(self._queue) >= self.limits.batch or self._closing.is_set() or self._hurry,
                self.limits.interval_s,
            )
            if time.monotonic() > self._deadline:
                return []
            taken = [self._queue.popleft() for _ in range(min(len(self._queue), self.limits.batch))]
            self._weight -= sum(weight for _, weight in taken)
            self._busy = len(taken)
            self._hurry = self._hurry and bool(self._queue)
            return [item for item, _ in taken]

    def _send(self, post: Post) -> tuple[int, str]:
        """How many items were taken, and why not all."""
        answer = Answer(0, "closed")
        for attempt in range(self.limits.attempts):
            left = self._deadline - time.monotonic()
            if left <= 0:
                break
            answer = self._poster.post(post.body, post.headers, deadline_s=min(self.limits.deadline_s, left))
            if answer.ok:
                return min(post.items, self._accepted(post, answer)), "it rejected some of a batch"
            if not answer.may_retry or attempt == self.limits.attempts - 1 or self._closing.is_set():
                break
            pause = max(answer.retry_after_s, self.limits.first_pause_s * 2**attempt * random.uniform(0.8, 1.2))
            self._closing.wait(min(pause, self.limits.pause_s))
        return 0, f"{answer.status} {answer.reason}" if answer.status else answer.reason

    def _done(self, sent: int, lost: int, why: str) -> None:
        """Count items that are no longer under way."""
        with self._changed:
            if self._left_behind:
                return
            self.sent += sent
            self.dropped += lost
            self._busy -= min(self._busy, sent + lost)
            self._changed.notify_all()
        if lost:
            self._say(why)

    def _say(self, why: str) -> None:
        now = time.monotonic()
        if now - self._said_at >= _SAY_EVERY_S:
            self._said_at = now
            _log.warning("%s does not take what it is sent (%s); %d lost so far", self.name, why, self.dropped)
