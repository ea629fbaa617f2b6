"""The engine on DBOS, on SQLite and on PostgreSQL: what the port promises, and a worker in this process."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.jobs.conftest import desk_of

from segue import Agent, Approve, Workspace, tool
from segue.agents.runnable import Runnable
from segue.base.errors import BadInput, StoreError
from segue.jobs.dbos_engine import DbosEngine
from segue.jobs.jobs import Jobs
from segue.jobs.opening import open_jobs
from segue.jobs.port import Job, JobError, JobRequest, Outcome, Segment
from segue.jobs.worker import Worker
from segue.memory.locks import FileLocks
from segue.testing import ScriptedModel, call
from segue.workspace.sections import JobsSection

POLL_S = 0.05


@pytest.fixture
def database(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database."""
    import psycopg

    name = f"jobs_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        yield postgres_server.replace("/postgres?", f"/{name}?")
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the queue lies."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/queue.db"
    found: str = request.getfixturevalue("database")
    return found


@pytest.fixture
async def either(url: str, tmp_path: Path) -> AsyncIterator[DbosEngine]:
    """An engine on each of the two databases."""
    async with DbosEngine(url, locks=FileLocks(tmp_path / "locks"), poll_s=POLL_S) as found:
        yield found


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[DbosEngine]:
    url = f"sqlite:///{tmp_path}/queue.db"
    async with DbosEngine(url, locks=FileLocks(tmp_path / "locks"), poll_s=POLL_S) as found:
        yield found


def segment(run_id: str, **fields: Any) -> Segment:
    return Segment(**{"id": run_id, "tenant": "local", "run_id": run_id, **fields})


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await true():  # noqa: ASYNC110 - what is waited for happens in the database
            await asyncio.sleep(0.05)


async def test_a_segment_is_queued_once_and_found_by_run_state_and_tenant(either: DbosEngine) -> None:
    put = [await either.put(each) for each in (segment("a"), segment("a"), segment("a%", tenant="b/c"))]
    await either.put(segment("b"), delay_s=60)

    assert put == [True, False, True]
    assert [each.state for each in await either.of_run("local", "a")] == ["queued"]
    assert await either.of_run("b/c", "a") == []
    assert [each.segment for each in await either.newest("b/c")] == [segment("a%", tenant="b/c")]
    assert [each.segment.run_id for each in await either.newest(None, states=["delayed"])] == ["b"]


async def test_outcomes_are_kept_and_what_comes_next_is_queued(either: DbosEngine) -> None:
    async def work(given: Segment) -> Outcome:
        match given.run_id, given.number:
            case "again", 1:
                return Outcome(state="failed", reason="not yet", then=given.next("try"))
            case "dead", _:
                return Outcome(state="dead", reason="for good")
            case "waits", _:
                return Outcome(state="waiting", reason="int_1")
            case _:
                return Outcome(state="completed")

    for name in ("again", "dead", "waits"):
        await either.put(segment(name))
    async with either.work(work, slots=2):
        await until(lambda: _all_over(either, 4))

    assert [(each.segment.number, each.state) for each in await either.of_run("local", "again")] == [
        (2, "completed"), (1, "failed"),
    ]  # fmt: skip
    dead = await either.newest("local", states=["dead"])
    assert [(each.segment.run_id, each.reason, each.deliveries) for each in dead] == [("dead", "for good", 1)]
    assert [each.reason for each in await either.newest("local", states=["waiting"])] == ["int_1"]


async def test_what_ended_is_forgotten_but_what_waits_for_a_person_is_not(engine: DbosEngine) -> None:
    async def work(given: Segment) -> Outcome:
        return Outcome(state="waiting" if given.run_id == "waits" else "completed")

    for name in ("waits", "ends"):
        await engine.put(segment(name))
    async with engine.work(work, slots=2):
        await until(lambda: _all_over(engine, 2))

    assert await engine.forget(4e9) == 1
    assert [each.segment.run_id for each in await engine.newest(None)] == ["waits"]


async def test_never_more_at_a_time_than_there_are_slots_also_for_one_tenant(either: DbosEngine) -> None:
    either.tenant_slots = 1
    now: dict[str, int] = {}
    most: dict[str, int] = {}

    async def work(given: Segment) -> Outcome:
        for key in ("all", given.tenant):
            now[key] = now.get(key, 0) + 1
            most[key] = max(most.get(key, 0), now[key])
        await asyncio.sleep(0.1)
        for key in ("all", given.tenant):
            now[key] -= 1
        return Outcome(state="completed")

    for number in range(4):
        for tenant in ("a", "b", "c"):
            await either.put(segment(f"{number}", tenant=tenant))
    async with either.work(work, slots=2):
        await until(lambda: _all_over(either, 12))

    assert most == {"all": 2, "a": 1, "b": 1, "c": 1}


async def test_a_segment_that_is_cancelled_is_told_so(engine: DbosEngine) -> None:
    begun, told = asyncio.Event(), asyncio.Event()

    async def work(given: Segment) -> Outcome:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.set()
            raise
        return Outcome(state="completed")

    await engine.put(segment("a"))
    async with engine.work(work, slots=1):
        await asyncio.wait_for(begun.wait(), 20)
        await engine.cancel("local", ["a"])
        await asyncio.wait_for(told.wait(), 20)

    assert [each.state for each in await engine.newest("local")] == ["cancelled"]


async def test_what_a_worker_leaves_behind_is_queued_again_and_worked_off_by_the_next(engine: DbosEngine) -> None:
    began: list[int] = []

    async def work(given: Segment) -> Outcome:
        began.append(1)
        if len(began) == 1:
            return Outcome(state="queued")
        return Outcome(state="completed")

    await engine.put(segment("a"))
    async with engine.work(work, slots=1) as working:
        working.take(1)
        await until(lambda: _began(began))
        working.take(0)
    left = await engine.newest("local")
    async with engine.work(work, slots=1):
        await until(lambda: _all_over(engine, 1))

    assert [each.state for each in left] in (["queued"], ["completed"])
    assert [each.state for each in await engine.newest("local")] == ["completed"]


async def test_a_process_has_one_worker(engine: DbosEngine) -> None:
    async def work(given: Segment) -> Outcome:
        return Outcome(state="completed")

    async with engine.work(work, slots=1):
        with pytest.raises(JobError, match="in use in this process already"):
            async with engine.work(work, slots=1):
                pass


async def test_what_is_stored_is_json(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    async with DbosEngine(f"sqlite:///{path}", locks=FileLocks(tmp_path / "locks")) as engine:
        await engine.put(segment("a", attempt=2))
    db = sqlite3.connect(path)
    stored = db.execute("SELECT i.inputs, s.serialization FROM workflow_input i, workflow_status s")
    rows = stored.fetchall()
    db.close()

    assert rows == [('{"args":[{"id":"a","tenant":"local","run_id":"a","attempt":2}],"kwargs":{}}', "segue_json")]


@pytest.mark.parametrize("place", ["sqlite:////proc/nowhere/queue.db", "postgresql://u:secret@127.0.0.1:1/none"])
async def test_a_queue_that_cannot_be_reached_is_named_without_its_password(place: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"job queue in .*cannot be") as caught:
        async with DbosEngine(place, locks=FileLocks(tmp_path)):
            pass
    assert "secret" not in str(caught.value)


async def _all_over(engine: DbosEngine, count: int) -> bool:
    found = await engine.newest(None, limit=100)
    return len(found) == count and not any(each.state in ("queued", "running", "delayed") for each in found)


async def _began(began: list[int]) -> bool:
    return bool(began)


class Shop:
    """Jobs of the desk, with a worker in this process."""

    def __init__(self, jobs: Jobs, worker: Worker, refunds: list[str]) -> None:
        self.jobs, self.worker, self.refunds = jobs, worker, refunds

    async def ask(self, request: str, **fields: Any) -> str:
        return await self.jobs.enqueue(JobRequest(source="desk", agent="desk", request=request, **fields))

    async def come_to(self, job_id: str, state: str) -> Job:
        async def there() -> bool:
            return (await self.jobs.get(job_id)).state == state

        await until(there)
        return await self.jobs.get(job_id)


@asynccontextmanager
async def shop(folder: Path, url: str, agents: dict[str, Runnable] | None = None) -> AsyncIterator[Shop]:
    section = JobsSection(url=url if url.startswith("postgres") else "", concurrency=2, poll_s=POLL_S, backoff_s=0.1)
    refunds: list[str] = []
    held: dict[str, Runnable] = {"desk": desk_of(refunds), **(agents or {})}

    def load(source: str) -> Any:
        if source not in held:
            raise BadInput(f"there is no {source}")
        return held[source]

    async with Workspace.open(folder) as ws, open_jobs(ws, settings=section) as jobs:
        worker = Worker(jobs, load=load)
        working = asyncio.create_task(worker.run())
        try:
            await asyncio.wait({working, asyncio.create_task(worker.ready.wait())}, return_when="FIRST_COMPLETED")
            yield Shop(jobs, worker, refunds)
        finally:
            worker.stop()
            await working


async def test_fifty_runs_that_wait_for_people_hold_no_slot_of_two(url: str, tmp_path: Path) -> None:
    async with shop(tmp_path, url) as place:
        parked = [await place.ask(f"refund {number}") for number in range(50)]
        waiting = [await place.come_to(each, "waiting") for each in parked]
        passes = await place.come_to(await place.ask("hello"), "completed")

        twice = [place.jobs.answer(waiting[0].id, {waiting[0].reason: Approve()}) for _ in range(2)]
        await asyncio.gather(*twice)
        await place.come_to(waiting[0].id, "completed")

        assert passes.state == "completed"
        assert place.refunds == ["0 for me"]
        assert len(await place.jobs.newest(states=["waiting"], limit=100)) == 49


@pytest.mark.filterwarnings(
    "ignore:.*execute_dequeued_workflow:pytest.PytestUnraisableExceptionWarning"
)  # DBOS, as it ends
async def test_a_worker_that_stops_hands_its_run_over_at_the_next_checkpoint(tmp_path: Path) -> None:
    steps: list[int] = []
    begun, may_end = asyncio.Event(), asyncio.Event()

    @tool(effect="write")
    async def act(step: int) -> str:
        """Act."""
        steps.append(step)
        begun.set()
        await may_end.wait()
        return f"did {step}"

    def say(request: Any) -> Any:
        done = sum(1 for each in request.messages if each["role"] == "tool")
        return call("act", step=done + 1) if done < 2 else "done"

    agents: dict[str, Runnable] = {"two": Agent("two", model=ScriptedModel(say), tools=[act])}
    async with shop(tmp_path, "", agents) as place:
        job_id = await place.jobs.enqueue(JobRequest(source="two", request="go"))
        await asyncio.wait_for(begun.wait(), 20)
        place.worker.stop()
        await asyncio.sleep(0)
        may_end.set()
    async with shop(tmp_path, "", agents) as place:
        await place.come_to(job_id, "completed")
        deliveries = (await place.jobs.get(job_id)).deliveries

    assert steps == [1, 2]
    assert deliveries >= 2  # on a busy machine a claim that came with the stop is handed back, too


async def test_a_run_that_fails_is_backed_off_out_of_its_slot_and_dies_after_its_attempts(tmp_path: Path) -> None:
    async with shop(tmp_path, "") as place:
        job_id = await place.ask("fail", max_attempts=2)
        job = await place.come_to(job_id, "dead")

        assert (job.attempt, job.segments) == (2, 2)
        assert [each.id for each in await place.jobs.dead()] == [job_id]
