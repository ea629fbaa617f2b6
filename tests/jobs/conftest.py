"""A workspace with jobs on an engine in memory, whose clock, agents and rights are a test's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.engine import MemoryEngine

from segue import Agent, RunContext, Workspace, tool
from segue.agents.runnable import Runnable
from segue.base.errors import BadInput, EndpointError
from segue.jobs.jobs import Jobs
from segue.jobs.planning import Planning
from segue.jobs.port import Job, JobRequest
from segue.jobs.running import Runner
from segue.jobs.store import JobStore
from segue.memory.database import open_database
from segue.memory.locks import FileLocks
from segue.testing import ScriptedModel, call
from segue.testing.clock import FakeClock
from segue.workspace.sections import JobsSection


@dataclass
class Told:
    """A notifier that remembers."""

    notices: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def notify(self, severity: str, title: str, detail: dict[str, Any]) -> None:
        self.notices.append((severity, title, detail))

    def of(self, kind: str) -> list[str]:
        return [title for _, title, detail in self.notices if detail["kind"] == kind]


@dataclass
class Yard:
    """Jobs, and what a test moves and looks at."""

    jobs: Jobs
    engine: MemoryEngine
    runner: Runner
    planning: Planning
    clock: FakeClock
    told: Told
    agents: dict[str, Runnable]
    rights: dict[tuple[str, str], Sequence[str]]
    refunds: list[str]
    """The orders that were refunded, and for whom."""

    def ask(self, request: str, **fields: Any) -> JobRequest:
        return JobRequest(**{"source": "desk.py:desk", "agent": "desk", "request": request, **fields})

    async def step(self) -> list[str]:
        return await self.engine.step(self.runner)

    async def done(self, request: str, **fields: Any) -> Job:
        """Queue a run, and work off what is queued until nothing is."""
        request_ = self.ask(request, **fields)
        job_id = await self.jobs.enqueue(request_)
        while await self.step():
            self.engine.delays_over()
        return await self.jobs.get(job_id, tenant=request_.tenant)

    async def tick(self, seconds: float) -> None:
        """Let time pass second by second, with the scheduler and a worker at work."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            await self.planning.step()
            await self.step()


@pytest.fixture
async def yard(tmp_path: Path) -> AsyncIterator[Yard]:
    """Jobs in a workspace of a test's own."""
    clock, told = FakeClock(), Told()
    refunds: list[str] = []
    desk = desk_of(refunds)
    agents: dict[str, Runnable] = {"desk.py:desk": desk}
    rights: dict[tuple[str, str], Sequence[str]] = {("local", "me"): ("*",), ("acme", "ann"): ("refunds",)}

    def load(source: str) -> Any:
        if source not in agents:
            raise BadInput(f"there is no {source}")
        return agents[source]

    async def look_up(tenant: str, user: str) -> Sequence[str] | None:
        return rights.get((tenant, user))

    locks = FileLocks(tmp_path / "locks")
    section = JobsSection(max_attempts=3, backoff_s=1)
    async with Workspace.open(tmp_path, clock=clock) as ws, open_database(tmp_path / "jobs.db") as database:
        object.__setattr__(ws, "services", replace(ws.services, notifier=told))
        store, engine = JobStore(database), MemoryEngine()
        await store.open()
        jobs = Jobs(ws, engine, store, settings=section, rights=look_up, locks=locks)
        runner = Runner(ws, store, section, load=load, rights=look_up, locks=locks, cancelled=jobs.cancelled)
        yield Yard(jobs, engine, runner, Planning(jobs), clock, told, agents, rights, refunds)


def desk_of(refunds: list[str], *, fails: Callable[[], bool] = lambda: True) -> Agent:
    """An agent that answers, refunds after asking, and fails, as it is told."""

    @tool(effect="write", approval=True, scopes=["refunds"])
    def refund(ctx: RunContext, order: str) -> str:
        """Refund an order."""
        refunds.append(f"{order} for {ctx.principal.user}")
        return f"refunded {order}"

    def say(request: Any) -> Any:
        last = request.messages[-1]
        text = str(last["content"])
        if last["role"] == "tool":
            return f"done: {text}"
        if "refund" in text:
            return call("refund", order=text.split()[-1])
        if "fail" in text and fails():
            raise EndpointError("the model is away")
        if "break" in text:
            raise ValueError("broken")
        return f"said {text}"

    return Agent("desk", model=ScriptedModel(say), tools=[refund])
