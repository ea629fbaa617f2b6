"""An API that somebody else runs: as fast however much it has to do, with a prefix cache of its own.

In: requests. Out: their first tokens and their ends, in virtual time. Its rate limits are held by the router (see
`segue.router.simulate.fleet`), not here.
"""

from __future__ import annotations

from segue.router.simulate.clock import VirtualClock
from segue.router.simulate.figures import HostFigures
from segue.router.simulate.job import Job
from segue.router.simulate.memory import PIECE_TOKENS, Memory


class HostedApi:
    """One API."""

    def __init__(self, clock: VirtualClock, figures: HostFigures) -> None:
        self.figures = figures
        self.alive = True
        self.hung = False
        self.memory = Memory(max(1, figures.kv_tokens // PIECE_TOKENS))
        self._clock = clock
        self._speed = figures.speed
        self._jobs: dict[int, Job] = {}

    @property
    def running(self) -> int:
        """Requests that it has."""
        return len(self._jobs)

    @property
    def waiting(self) -> int:
        """None ever waits."""
        return 0

    def submit(self, job: Job) -> None:
        """A request has come."""
        self._jobs[job.number] = job
        if not self.hung:
            self._read(job)

    def cancel(self, job: Job) -> None:
        """Whoever sent it has hung up."""
        self._jobs.pop(job.number, None)
        job.state = "ended"

    def crash(self) -> list[Job]:
        """It is gone with all that it held; the requests that it had."""
        self.alive, lost = False, list(self._jobs.values())
        for job in lost:
            job.state = "ended"
        self._jobs.clear()
        self.memory.clear()
        return lost

    def revive(self) -> None:
        """It is there again, and holds nothing."""
        self.alive = True

    def hang(self) -> None:
        """It does nothing from now on, and refuses nothing."""
        self.hung = True

    def go_on(self) -> None:
        """It hangs no more; what it had, it begins anew."""
        self.hung = False
        for job in list(self._jobs.values()):
            if job.state == "waiting":
                self._read(job)
            else:
                self._write(job)

    def slow(self, factor: float) -> None:
        """From now on it is so fast, of what it was at first."""
        self._speed = self.figures.speed * factor

    def _read(self, job: Job) -> None:
        found = self.memory.match(job.chain)
        job.cached_tokens = min(found * PIECE_TOKENS, job.input_tokens - 1)
        took_s = self.figures.first_token_s + (job.input_tokens - job.cached_tokens) / self.figures.read_tokens_s
        self._clock.at(self._clock.now + took_s / self._speed, self._has_read, job)

    def _has_read(self, job: Job) -> None:
        if self.hung or job.state != "waiting" or job.number not in self._jobs:
            return
        job.state = "writing"
        self.memory.hold(job.chain, 0, alone=True)
        self.memory.release(job.chain, 0)
        job.first(job)
        if job.state == "writing":
            self._write(job)

    def _write(self, job: Job) -> None:
        took_s = (job.output_tokens - 1) * self.figures.token_s / self._speed
        self._clock.at(self._clock.now + took_s, self._answered, job)

    def _answered(self, job: Job) -> None:
        if self.hung or job.state != "writing" or job.number not in self._jobs:
            return
        del self._jobs[job.number]
        job.state = "ended"
        self.memory.hold(job.whole, 0, alone=True)
        self.memory.release(job.whole, 0)
        job.done(job)
