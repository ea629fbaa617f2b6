"""A server that batches, as vLLM does: chunked reading, writing for all at once, memory, a queue.

In: requests. Out: their first tokens and their ends, in virtual time. In each step it reads a chunk of tokens for those
that came last and writes one token for all others; a step takes longer the more it reads, the more it writes for and
the more they hold. A request waits until the batch and the memory have room. Steps in which nobody begins or ends are
taken as one.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass

from segue.router.simulate.clock import VirtualClock
from segue.router.simulate.figures import HostFigures
from segue.router.simulate.job import Job
from segue.router.simulate.memory import PIECE_TOKENS, Memory

_LEAST_CHUNK = 256
"""Tokens that are read in a step however many are written for."""


@dataclass(slots=True)
class _Steps:
    """Steps that are under way, all alike."""

    began: float
    step_s: float
    count: int
    reading: list[tuple[Job, int]]


class Server:
    """One server."""

    def __init__(self, clock: VirtualClock, figures: HostFigures) -> None:
        self.figures = figures
        self.alive = True
        self.hung = False
        self.memory = Memory(max(1, figures.kv_tokens // PIECE_TOKENS))
        self._clock = clock
        self._speed = figures.speed
        self._version = 0
        self._forget()

    def _forget(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._queue: deque[Job] = deque()
        self._reading: deque[Job] = deque()
        self._due: list[tuple[int, int, Job]] = []
        """Those that are written for, by the step in which they end."""
        self._writing = 0
        self._held_tokens = 0
        self._done_steps = 0
        self._steps: _Steps | None = None
        self._version += 1
        self.memory.clear()

    @property
    def running(self) -> int:
        """Requests in its batch."""
        return self._writing + len(self._reading)

    @property
    def waiting(self) -> int:
        """Requests in its queue."""
        return len(self._jobs) - self.running

    def submit(self, job: Job) -> None:
        """A request has come."""
        self._jobs[job.number] = job
        self._queue.append(job)
        if self._steps is None:
            self._begin()
        else:
            self._interrupt()

    def cancel(self, job: Job) -> None:
        """Whoever sent it has hung up."""
        if self._jobs.pop(job.number, None) is None:
            return
        if job.state == "writing":
            self._writing -= 1
        elif job.state == "reading":
            self._reading.remove(job)
        if job.state != "waiting":
            self._release(job, answered=False)
        job.state = "ended"

    def crash(self) -> list[Job]:
        """It is gone with all that it held; the requests that it had."""
        self.alive, lost = False, list(self._jobs.values())
        for job in lost:
            job.state = "ended"
        self._forget()
        return lost

    def revive(self) -> None:
        """It is there again, and holds nothing."""
        self.alive = True

    def hang(self) -> None:
        """It does nothing from now on, and refuses nothing."""
        self.hung, self._steps = True, None
        self._version += 1

    def go_on(self) -> None:
        """It hangs no more; the step that it hung in is done anew."""
        self.hung = False
        self._begin()

    def slow(self, factor: float) -> None:
        """From now on it is so fast, of what it was at first."""
        self._speed = self.figures.speed * factor
        self._interrupt()

    def _interrupt(self) -> None:
        """Let what is under way end with the step that it is in, so that who came is looked at."""
        under_way = self._steps
        if under_way is None or under_way.count == 1:
            return
        passed = (self._clock.now - under_way.began) / under_way.step_s
        count = max(1, math.ceil(passed - 1e-9))
        if count < under_way.count:
            under_way.count = count
            self._schedule(under_way)

    def _begin(self) -> None:
        """Begin the next step, if there is anything to do."""
        if self.hung or not self.alive:
            return
        self._let_in()
        reading, tokens = self._chunk()
        count = 1
        if not reading:
            while self._due and self._due[0][2].state == "ended":
                heapq.heappop(self._due)
            if not self._due:
                return
            count = max(1, self._due[0][0] - self._done_steps)
        held, figures = self._held_tokens, self.figures
        step_s = figures.token_s + tokens / figures.read_tokens_s
        step_s += self._writing * figures.beside_s + held * figures.held_s
        self._steps = _Steps(self._clock.now, step_s / self._speed, count, reading)
        self._schedule(self._steps)

    def _schedule(self, steps: _Steps) -> None:
        self._version += 1
        self._clock.at(steps.began + steps.count * steps.step_s, self._end, self._version)

    def _let_in(self) -> None:
        """Those of the queue that batch and memory have room for, in their order."""
        queue = self._queue
        while queue and self.running < self.figures.max_seqs:
            job = queue[0]
            if job.state == "ended":
                queue.popleft()
                continue
            blocks = math.ceil((job.input_tokens + job.output_tokens) / PIECE_TOKENS) - len(job.chain)
            found = self.memory.hold(job.chain, blocks, alone=self.running == 0)
            if found is None:
                return
            queue.popleft()
            job.state, job.answer_blocks = "reading", blocks
            job.cached_tokens = min(found * PIECE_TOKENS, job.input_tokens - 1)
            job.left = job.input_tokens - job.cached_tokens
            self._held_tokens += _held(job)
            self._reading.append(job)

    def _chunk(self) -> tuple[list[tuple[Job, int]], int]:
        """What is read in the next step, and how many tokens that is."""
        budget = most = max(_LEAST_CHUNK, self.figures.chunk_tokens - self._writing)
        reading: list[tuple[Job, int]] = []
        for job in self._reading:
            tokens = min(job.left, budget)
            reading.append((job, tokens))
            budget -= tokens
            if budget <= 0:
                break
        return reading, most - budget

    def _end(self, version: int) -> None:
        """What was under way is done."""
        steps = self._steps
        if version != self._version or steps is None:
            return
        self._steps = None
        self._done_steps += steps.count
        due = self._due
        while due and due[0][0] <= self._done_steps:
            job = heapq.heappop(due)[2]
            if job.state == "writing":
                self._writing -= 1
                self._answered(job)
        for job, tokens in steps.reading:
            if job.state == "reading":
                job.left -= tokens
                if job.left <= 0:
                    self._has_read(job)
        if self._steps is None:
            self._begin()

    def _has_read(self, job: Job) -> None:
        self._reading.remove(job)
        job.state = "writing"
        self._writing += 1
        heapq.heappush(self._due, (self._done_steps + job.output_tokens - 1, job.number, job))
        job.first(job)
        if job.output_tokens <= 1 and job.state == "writing":
            self._writing -= 1
            self._answered(job)

    def _answered(self, job: Job) -> None:
        del self._jobs[job.number]
        self._release(job, answered=True)
        job.state = "ended"
        job.done(job)

    def _release(self, job: Job, *, answered: bool) -> None:
        self._held_tokens -= _held(job)
        self.memory.release(job.chain, job.answer_blocks, whole=job.whole if answered else None)


def _held(job: Job) -> int:
    """The tokens that a request holds: its input, and half of its answer on the whole."""
    return job.input_tokens + job.output_tokens // 2
