"""The router of a run: every request from its start to its end, in virtual time.

In: a plan, faults, and requests as they come. Out: what became of each, told to whoever sent it. They are placed by the
router's own code: `segue.router.placing.fleet.Fleet` with its breakers, and the policies. What is done here is what
`segue.router.attempts` does with them: each deployment once, those that may have recovered once more, in line where
limits are used up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from segue.base.usage import Usage
from segue.router.forecast import Lengths
from segue.router.placing.fleet import Fleet, Placement
from segue.router.placing.host import Asked
from segue.router.simulate.clock import VirtualClock
from segue.router.simulate.faults import Fault
from segue.router.simulate.fleet import Bounds, Plan, Step
from segue.router.simulate.hosted import HostedApi
from segue.router.simulate.job import Job, SimulatedHost
from segue.router.simulate.memory import PIECE_TOKENS
from segue.router.simulate.request import Ended, Request
from segue.router.simulate.server import Server

_WAY_S = 0.001
"""From the router to a host."""
_METRICS_S = 1.0
"""How often a server's figures are read."""
_BACKOFF_S = 0.05
_LOOKS_S = 1.0


class _Attempt:
    """A request at a host."""

    __slots__ = ("first_at", "host", "job", "number", "over", "placement", "request")

    def __init__(self, number: int, request: Request, placement: Placement, host: SimulatedHost) -> None:
        self.number = number
        self.request = request
        self.placement = placement
        self.host = host
        self.job: Job | None = None
        self.first_at: float | None = None
        self.over = False


class Router:
    """The router of a run, with its hosts."""

    def __init__(self, plan: Plan, clock: VirtualClock, faults: Sequence[Fault], seed: int) -> None:
        self.clock = clock
        self.lengths = Lengths()
        self._plan = plan
        self._random = random.Random(f"{seed} router")
        self.fleet = Fleet(jitter=self._random.random)
        self._steps: list[Step] = plan.steps(self._random)
        self._first_names = self._steps[0].names
        self.hosts: dict[str, SimulatedHost] = {}
        for name, each in plan.used.items():
            kind = Server if each.figures.kind == "served" else HostedApi
            self.hosts[name] = kind(clock, each.figures)
        self._bounds = {name: Bounds(each.settings) for name, each in plan.used.items()}
        self._at: dict[str, dict[int, _Attempt]] = {name: {} for name in self.hosts}
        self._line: dict[int, Request] = {}
        self._looks_at = float("inf")
        self._number = 0
        for fault in faults:
            if fault.host in self.hosts:
                clock.at(fault.start_s, self._befall, fault)
                if fault.end_s != float("inf"):
                    clock.at(fault.end_s, self._mend, fault)
        clock.at(0.0, self._read_metrics)

    def asked(self, chain: Sequence[int], input_tokens: int, session: str, group: str) -> Asked:
        """A request as policies see it."""
        return Asked(
            input_tokens=input_tokens, output_tokens=self.lengths.usual(self._first_names, group), chain=chain,
            piece_tokens=float(PIECE_TOKENS), session=session,
        )  # fmt: skip

    def send(self, request: Request) -> bool:
        """Send it to whoever may take it; false where it has to wait in line."""
        now, tokens = self.clock.now, request.asked.input_tokens + request.asked.output_tokens
        waits: list[float] = []
        broken: tuple[Step, list[str]] | None = None
        crowded = bool(self._line) and next(iter(self._line.values())) is not request
        for step in self._steps:
            free, closed = list[str](), list[str]()
            for name in step.names:
                if name in request.tried:
                    continue
                if not self.fleet.breaker(name).allows(now):
                    closed.append(name)
                    continue
                bounds = self._bounds[name]
                wait = bounds.wait_s(tokens, now) or (_LOOKS_S if crowded and bounds.bind else 0.0)
                if wait <= 0:
                    free.append(name)
                else:
                    waits.append(wait)
            if free:
                self._place(request, step, free)
                return True
            if closed and broken is None:
                broken = (step, closed)
        if waits and now - request.since + min(waits) <= self._plan.wait_s:
            self._wait(request, min(waits))
            return False
        if broken is not None:
            self._place(request, *broken)
        elif request.again:
            request.tried -= request.again
            request.again = set()
            self.clock.at(now + self._random.random() * _BACKOFF_S, self._send_again, request)
        else:
            self._leave_line(request)
            self._end(request, None, None)
        return True

    def _send_again(self, request: Request) -> None:
        self.send(request)

    def _place(self, request: Request, step: Step, among: Sequence[str]) -> None:
        now = self.clock.now
        self._leave_line(request)
        hosts = [self.fleet.host(name) for name in among]
        placement = self.fleet.begin(request.asked, step.policy.choose(request.asked, hosts, now), now)
        name = placement.name
        request.tried.add(name)
        request.attempts += 1
        self._bounds[name].take(request.asked.input_tokens + request.asked.output_tokens, now)
        self._number += 1
        attempt = _Attempt(self._number, request, placement, self.hosts[name])
        self._at[name][attempt.number] = attempt
        host = self._plan.hosts[name]
        way_s = _WAY_S + (host.figures.first_token_s if host.figures.kind == "served" else 0.0)
        self.clock.at(now + way_s, self._arrive, attempt)
        self.clock.at(now + host.settings.first_token_s, self._late, attempt)

    def _arrive(self, attempt: _Attempt) -> None:
        if attempt.over:
            return
        if not attempt.host.alive:
            self._failed(attempt, "unreachable")
            return
        request = attempt.request
        attempt.job = Job(
            attempt.number, request.chain, request.whole, input_tokens=request.input_tokens,
            output_tokens=request.output_tokens, first=partial(self._first, attempt), done=partial(self._done, attempt),
        )  # fmt: skip
        attempt.host.submit(attempt.job)

    def _first(self, attempt: _Attempt, job: Job) -> None:
        attempt.first_at = self.clock.now
        self.fleet.first_token(attempt.placement, self.clock.now)

    def _done(self, attempt: _Attempt, job: Job) -> None:
        request, name = attempt.request, attempt.placement.name
        self.fleet.went_well(
            attempt.placement, self.clock.now, output_tokens=job.output_tokens, cached_tokens=job.cached_tokens or None
        )
        usage = Usage(input_tokens=job.input_tokens, output_tokens=job.output_tokens)
        self.lengths.learn(name, request.group, estimate=request.asked.input_tokens, usage=usage)
        self._over(attempt)
        self._end(request, attempt, job)

    def _late(self, attempt: _Attempt) -> None:
        if not attempt.over and attempt.first_at is None:
            self._failed(attempt, "timeout")

    def _failed(self, attempt: _Attempt, outcome: str) -> None:
        if attempt.job is not None:
            attempt.host.cancel(attempt.job)
        request, name = attempt.request, attempt.placement.name
        self.fleet.failed(attempt.placement, outcome, self.clock.now)
        if outcome == "reset" and name not in request.made:
            request.again.add(name)
        request.made.add(name)
        self._over(attempt)
        self.send(request)

    def _over(self, attempt: _Attempt) -> None:
        name = attempt.placement.name
        attempt.over = True
        del self._at[name][attempt.number]
        self._bounds[name].end()
        if self._line and self._bounds[name].bind:
            self.clock.at(self.clock.now, self._look)

    def _end(self, request: Request, attempt: _Attempt | None, job: Job | None) -> None:
        now = self.clock.now
        cached = 0 if job is None else job.cached_tokens
        first_at = now if attempt is None or attempt.first_at is None else attempt.first_at
        name = "" if attempt is None else attempt.placement.name
        cost = self._plan.hosts[name].about_usd(request.input_tokens, cached, request.output_tokens) if name else 0.0
        request.ended(
            request,
            Ended(
                answered=job is not None, started_s=request.since, first_token_s=first_at - request.since,
                whole_s=now - request.since, input_tokens=request.input_tokens, output_tokens=request.output_tokens,
                cached_tokens=cached, cost_usd=cost, host=name, attempts=request.attempts,
            ),
        )  # fmt: skip

    def _wait(self, request: Request, wait_s: float) -> None:
        self._line.setdefault(id(request), request)
        self._looks_in(wait_s)

    def _leave_line(self, request: Request) -> None:
        if self._line.pop(id(request), None) is not None and self._line:
            self._looks_in(0.0)

    def _looks_in(self, wait_s: float) -> None:
        moment = self.clock.now + min(wait_s, _LOOKS_S)
        if moment < self._looks_at:
            self._looks_at = moment
            self.clock.at(moment, self._look)

    def _look(self) -> None:
        """Whether the first in line may go, and the next ones."""
        self._looks_at = float("inf")
        while self._line and self.send(next(iter(self._line.values()))):
            pass

    def _befall(self, fault: Fault) -> None:
        host = self.hosts[fault.host]
        match fault.kind:
            case "crash":
                host.crash()
                for attempt in list(self._at[fault.host].values()):
                    self._failed(attempt, "reset")
            case "hang":
                host.hang()
                for attempt in self._at[fault.host].values():
                    if attempt.first_at is not None:
                        idle_s = self._plan.hosts[fault.host].settings.idle_s
                        self.clock.at(self.clock.now + idle_s, self._idle, attempt)
            case "slow":
                host.slow(fault.factor)

    def _idle(self, attempt: _Attempt) -> None:
        if not attempt.over and attempt.host.hung:
            self._failed(attempt, "reset")

    def _mend(self, fault: Fault) -> None:
        host = self.hosts[fault.host]
        match fault.kind:
            case "crash":
                host.revive()
            case "hang":
                host.go_on()
            case "slow":
                host.slow(1.0)

    def _read_metrics(self) -> None:
        """What vLLM's `/metrics` say; nobody reads those of an API."""
        for name, host in self.hosts.items():
            if host.alive and not host.hung and host.figures.kind == "served":
                self.fleet.host(name).told(
                    running=host.running, waiting=host.waiting, kv_tokens=host.figures.kv_tokens,
                    piece_tokens=PIECE_TOKENS, now=self.clock.now,
                )  # fmt: skip
        if not self.clock.is_idle:
            self.clock.at(self.clock.now + _METRICS_S, self._read_metrics)
