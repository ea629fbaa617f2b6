"""Jobs under kills, schedules between two workers, and the cost of the queue over bare DBOS.

Three worker processes work off jobs of five writes each. Every two seconds one of those that take jobs is killed, as
long as another one does, and a new one is started. Each write goes through the effect ledger and into a table outside,
under its idempotency key. Then one process is frozen for eight seconds; then two schedulers share a schedule for every
second. `pickup_p50_s` is from the death of a worker to when another one goes on with what it had. Rates are of jobs
that do nothing, ours over DBOS alone, on a database of each one's own and with the same settings, taken in turn. Each
figure is of SQLite; with `--postgres URL` all of it again on PostgreSQL, under names that end in `_postgres`. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WRITES = 5
AGENTS = """
import asyncio, json, os, sqlite3, time
from segue import Agent, RunContext, tool
from segue.testing import ScriptedModel, call

OUTSIDE, STEP_S, WRITES = {outside!r}, {step_s}, {writes}


def outside(sql, *values):
    db = sqlite3.connect(OUTSIDE, timeout=30)
    try:
        with db:
            return db.execute(sql, values).fetchall()
    finally:
        db.close()


@tool(effect="write", retry_safe=True)
async def act(ctx: RunContext, step: int) -> str:
    "Write one line outside."
    outside("INSERT INTO owners VALUES (?, ?, ?, 'begin')", time.time(), ctx.run_id, os.getpid())
    try:
        await asyncio.sleep(STEP_S)
        outside("INSERT INTO tries VALUES (?, ?)", ctx.run_id, step)
        outside("INSERT OR IGNORE INTO effects VALUES (?, ?, ?)", ctx.idempotency_key, ctx.run_id, step)
    finally:
        outside("INSERT INTO owners VALUES (?, ?, ?, 'end')", time.time(), ctx.run_id, os.getpid())
    return f"wrote {{step}}"


def reply(request):
    done = sum(1 for each in request.messages if each["role"] == "tool")
    return call("act", call_id=f"c{{done}}", step=done + 1) if done < WRITES else "done"


writer = Agent("writer", model=ScriptedModel(reply), tools=[act])
"""
NOTHING = """
from segue import Agent
from segue.testing import ScriptedModel

nothing = Agent("nothing", model=ScriptedModel(lambda request: "done"))
"""


@dataclass
class Yard:
    """A workspace in a folder of its own, with its workers."""

    folder: Path
    url: str
    slots: int = 5
    workers: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    deaths: dict[int, float] = field(default_factory=dict)
    """When a process was killed."""
    logs: dict[int, Path] = field(default_factory=dict)

    @property
    def outside(self) -> Path:
        return self.folder / "outside.db"

    def prepare(self, *, step_s: float) -> None:
        text = AGENTS.format(outside=str(self.outside), step_s=step_s, writes=WRITES)
        (self.folder / "agents.py").write_text(textwrap.dedent(text) + NOTHING)
        (self.folder / "segue.toml").write_text(
            f'[jobs]\nurl = "{self.url}"\nbackoff_s = 0.5\nmax_deliveries = 1000\nmax_attempts = 100\n'
        )
        with closing(sqlite3.connect(self.outside)) as db, db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE effects (key TEXT PRIMARY KEY, run_id TEXT, step INTEGER)")
            db.execute("CREATE TABLE tries (run_id TEXT, step INTEGER)")
            db.execute("CREATE TABLE owners (at REAL, run_id TEXT, pid INTEGER, what TEXT)")

    def start(self) -> subprocess.Popen[str]:
        number = len(self.deaths) + len(self.workers)
        log = (self.folder / f"worker-{number}.log").open("a")
        command = [str(Path(sys.executable).with_name("segue")), "worker", "--concurrency", str(self.slots)]
        process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, text=True)
        log.close()
        self.workers[process.pid] = process
        self.logs[process.pid] = Path(log.name)
        return process

    def at_work(self) -> list[subprocess.Popen[str]]:
        """The workers that take jobs by now."""
        return [each for pid, each in self.workers.items() if "takes jobs" in self.logs[pid].read_text()]

    def kill(self, process: subprocess.Popen[str]) -> None:
        process.kill()
        process.wait()
        self.deaths[process.pid] = time.time()
        del self.workers[process.pid]

    def stop(self) -> None:
        for process in self.workers.values():
            process.terminate()
        for process in self.workers.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()
        self.workers.clear()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.outside, timeout=30)) as db:
            return db.execute(sql).fetchall()


@contextmanager
def yard(url: str, *, step_s: float = 0.2, slots: int = 5) -> Iterator[Yard]:
    with tempfile.TemporaryDirectory(prefix="segue-jobs-") as folder:
        found = Yard(Path(folder), url, slots)
        found.prepare(step_s=step_s)
        try:
            yield found
        finally:
            found.stop()


@contextmanager
def _jobs(place: Yard) -> Iterator[Any]:
    from segue import Workspace
    from segue.jobs import open_jobs

    def ask(question: Any) -> Any:
        async def inside() -> Any:
            async with Workspace.open(place.folder) as ws, open_jobs(ws) as jobs:
                return await question(jobs)

        return asyncio.run(inside())

    yield ask


def queue(place: Yard, count: int) -> None:
    """Queue the jobs."""
    from segue.jobs.port import JobRequest

    async def put(jobs: Any) -> None:
        for number in range(count):
            run = JobRequest(source="agents.py:writer", agent="writer", request=f"job {number}")
            await jobs.enqueue(run, run_id=f"run-{number:04}")

    with _jobs(place) as ask:
        ask(put)


def states(place: Yard, count: int) -> dict[str, int]:
    """How many jobs are in which state."""

    async def look(jobs: Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for job in await jobs.newest(limit=count):
            found[job.state] = found.get(job.state, 0) + 1
        return found

    with _jobs(place) as ask:
        return dict(ask(look))


def until_written(place: Yard, wanted: int, limit_s: float, each_s: Any = None) -> float:
    """Wait for so many effects; seconds that it took."""
    began = time.time()
    while time.time() - began < limit_s:
        if place.rows("SELECT count(*) FROM effects")[0][0] >= wanted:
            return time.time() - began
        if each_s is not None:
            each_s()
        time.sleep(0.1)
    return time.time() - began


def chaos(
    url: str,
    *,
    count: int,
    workers: int = 3,
    every_s: float = 2.0,
    limit_s: float = 600.0,
    step_s: float = 0.2,
    strike: Any = None,
) -> dict[str, Any]:
    """Kill a worker every so often, or do as `strike` says, until all jobs are done."""
    with yard(url, step_s=step_s) as place:
        queue(place, count)
        for _ in range(workers):
            place.start()
        chance, last = random.Random(7), [time.time() + every_s]

        def hit() -> None:
            if time.time() - last[0] < every_s or len(living := place.at_work()) < 2:
                return
            if strike is not None:
                strike()
            else:
                place.kill(chance.choice(living))
                place.start()
            last[0] = time.time()

        took = until_written(place, count * WRITES, limit_s, hit)
        time.sleep(3)
        place.stop()
        place.start()
        end = time.time() + 60
        while (found := states(place, count)).get("completed", 0) < count and time.time() < end:
            time.sleep(0.5)
        effects = place.rows("SELECT run_id, step FROM effects")
        return {
            "jobs": count,
            "done": found.get("completed", 0),
            "duplicates": len(effects) - len(set(effects)),
            "lost": count * WRITES - len(set(effects)),
            "tries": place.rows("SELECT count(*) FROM tries")[0][0],
            "kills": len(place.deaths),
            "seconds": round(took, 1),
            "two_owners": two_owners(place),
            "pickup_p50_s": pickup(place),
            "began_anew": sum("begins anew" in log.read_text() for log in set(place.logs.values())),
        }


def pickup(place: Yard) -> float | None:
    """The median of seconds from a worker's death to when another one went on with a job that it had."""
    rows = place.rows("SELECT at, run_id, pid FROM owners ORDER BY at")
    last: dict[str, tuple[float, int]] = {}
    found = []
    for at, run_id, pid in rows:
        before = last.get(run_id)
        if before is not None and before[1] != pid and before[1] in place.deaths:
            found.append(at - max(place.deaths[before[1]], before[0]))
        last[run_id] = (at, pid)
    return round(statistics.median(found), 2) if found else None


def two_owners(place: Yard) -> int:
    """Jobs of which two living processes worked on a step at the same time."""
    open_: dict[str, dict[int, float]] = {}
    found = set()
    for at, run_id, pid, what in place.rows("SELECT at, run_id, pid, what FROM owners ORDER BY at"):
        working = open_.setdefault(run_id, {})
        if what == "end":
            working.pop(pid, None)
            continue
        living = [other for other in working if other != pid and place.deaths.get(other, 1e18) > at]
        if living:
            found.add(run_id)
        working[pid] = at
    return len(found)


def freeze(url: str, *, count: int, frozen_s: float = 8.0, limit_s: float = 180.0) -> dict[str, Any]:
    """Stop a worker for some seconds in the middle, and let it go on."""
    with yard(url) as place:
        queue(place, count)
        for _ in range(3):
            place.start()
        until_written(place, count, limit_s)
        victim = next(iter(place.workers.values()))
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(frozen_s)
        os.kill(victim.pid, signal.SIGCONT)
        until_written(place, count * WRITES, limit_s)
        end = time.time() + 60
        while (found := states(place, count)).get("completed", 0) < count and time.time() < end:
            time.sleep(0.5)
        tries = place.rows("SELECT count(*) FROM tries")[0][0]
        done = found.get("completed", 0)
        return {"done": done, "two_owners": two_owners(place), "run_again": tries - count * WRITES}


def ticks(url: str, *, seconds: int = 30) -> dict[str, Any]:
    """Two workers share a schedule for every second."""
    from segue.jobs.planning import Planning
    from segue.jobs.port import JobRequest
    from segue.jobs.schedules import Schedule

    with yard(url) as place, _jobs(place) as ask:
        for _ in range(2):
            place.start()
        time.sleep(6)
        run = JobRequest(source="agents.py:nothing", request="tick")
        began = ask(
            lambda jobs: Planning(jobs).create(Schedule(name="tick", cron="* * * * * *", run=run, overlap="allow"))
        ).upto
        time.sleep(seconds)
        kept = ask(lambda jobs: Planning(jobs).pause("tick"))
        time.sleep(3)
        found = ask(lambda jobs: jobs.newest(limit=500))
        wanted = {f"sched-tick-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(at))}" for at in
                  range(int(began) + 1, int(kept.upto))}  # fmt: skip
        ids = [job.id for job in found]
        done = {job.id for job in found if job.state == "completed"}
        return {"ticks": len(wanted), "ticks_missed": len(wanted - done), "ticks_doubled": len(ids) - len(set(ids))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=100, help="how many jobs under kills")
    parser.add_argument("--only", choices=["chaos", "freeze", "ticks", "rates"], help="one part")
    parser.add_argument("--postgres", default="", help="the URL of an empty PostgreSQL database, to measure on as well")
    parser.add_argument("--rate-of", choices=["ours", "dbos"], help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=300, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rate_of:
        measure = rate_of_ours if given.rate_of == "ours" else rate_of_dbos
        print(json.dumps(asyncio.run(measure(given.postgres, given.count))))
        return
    figures: dict[str, Any] = {}
    for url, name in [("", ""), *([(given.postgres, "_postgres")] if given.postgres else [])]:
        for key, value in measured(url, given.jobs, given.only).items():
            figures[f"{key}{name}"] = value
    for key, value in figures.items():
        print(f"{key:28} {value}")
    print(json.dumps(figures))


def measured(url: str, count: int, only: str | None) -> dict[str, Any]:
    """The figures on one database."""
    found: dict[str, Any] = {}
    if only in (None, "chaos"):
        found |= chaos(url, count=count)
    if only in (None, "freeze"):
        frozen = freeze(url, count=max(10, count // 3))
        found["two_owners"] = found.get("two_owners", 0) + frozen["two_owners"]
        found["run_again_frozen"] = frozen["run_again"]
    if only in (None, "ticks"):
        found |= ticks(url)
    if only in (None, "rates"):
        found |= rates(url)
    return found


def rates(url: str, *, count: int = 300, turns: int = 3) -> dict[str, Any]:
    """Jobs queued and worked off in a second, ours over DBOS alone: medians of turns, each in a process of its own."""
    found: dict[str, list[float]] = {}
    for turn in range(turns):
        for who in ("ours", "dbos") if turn % 2 else ("dbos", "ours"):
            with tempfile.TemporaryDirectory(prefix="segue-rates-") as folder:
                command = [sys.executable, __file__, "--rate-of", who, "--count", str(count), "--postgres", url]
                out = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
            for name, value in json.loads(out.splitlines()[-1]).items():
                found.setdefault(f"{name}_{who}", []).append(value)
    middle = {name: statistics.median(values) for name, values in found.items()}
    return {
        **{name: round(value, 1) for name, value in middle.items()},
        "enqueue_rate_x_dbos": round(middle["enqueue_per_s_ours"] / middle["enqueue_per_s_dbos"], 2),
        "drain_rate_x_dbos": round(middle["drain_per_s_ours"] / middle["drain_per_s_dbos"], 2),
    }


SLOTS, POLL_S, WARM = 16, 0.05, 30
"""`WARM`: what is queued before the clock starts."""


async def rate_of_ours(url: str, count: int) -> dict[str, float]:
    """Jobs of a workspace, each with its record; worked off by a worker whose work is nothing."""
    from segue import Workspace
    from segue.jobs.opening import open_jobs
    from segue.jobs.port import JobRequest, Outcome, Segment
    from segue.workspace.sections import JobsSection

    left = count + WARM

    async def work(segment: Segment) -> Outcome:
        nonlocal left
        left -= 1
        return Outcome(state="completed")

    async with Workspace.open() as ws, open_jobs(ws, settings=JobsSection(url=url, poll_s=POLL_S)) as jobs:
        for number in range(-WARM, count):
            if number == 0:
                began = time.perf_counter()
            await jobs.enqueue(JobRequest(source="a:b", agent="b", request="go"), run_id=f"rate-{os.getpid()}-{number}")
        queued = time.perf_counter() - began
        async with jobs.engine.work(work, slots=SLOTS):
            while left == count + WARM:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            began = time.perf_counter()
            while await jobs.engine.newest(None, states=["queued", "running"], limit=1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            drained = time.perf_counter() - began
    return {"enqueue_per_s": count / queued, "drain_per_s": (count + WARM) / drained}


async def rate_of_dbos(url: str, count: int) -> dict[str, float]:
    """DBOS by itself: one workflow with one preemptible step that does nothing."""
    from dbos import DBOS, DBOSClient, DBOSConfig

    place = url or f"sqlite:///{Path.cwd()}/dbos.db"
    if not url:
        with closing(sqlite3.connect("dbos.db")) as db:
            db.execute("PRAGMA journal_mode=WAL")
    left = count + WARM

    @DBOS.step(name="nothing", preemptible=True)
    async def nothing(data: dict[str, Any]) -> dict[str, Any]:
        nonlocal left
        left -= 1
        return {"state": "completed"}

    @DBOS.workflow(name="bare")
    async def bare(data: dict[str, Any]) -> dict[str, Any]:
        return await nothing(data)

    name = f"bare{os.getpid()}"
    await asyncio.to_thread(DBOS.migrate, place)
    client = DBOSClient(system_database_url=place, application_name=name)
    await client.register_queue_async(name, worker_concurrency=SLOTS, polling_interval_sec=POLL_S)
    for number in range(-WARM, count):
        if number == 0:
            began = time.perf_counter()
        await client.enqueue_async(
            {"workflow_name": "bare", "queue_name": name, "workflow_id": f"{name}-{number}", "app_version": name},
            {"id": f"rate-{number}", "tenant": "local", "run_id": f"rate-{number}"},
        )
    queued = time.perf_counter() - began
    config: DBOSConfig = {
        "name": name, "system_database_url": place, "executor_id": name, "application_version": name,
        "sys_db_pool_size": 5, "log_level": "ERROR",
    }  # fmt: skip
    DBOS(config=config)
    DBOS.listen_queues([name])
    await asyncio.to_thread(DBOS.launch)
    while left == count + WARM:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    began = time.perf_counter()
    while await client.list_workflows_async(  # noqa: ASYNC110
        status=["ENQUEUED", "PENDING"], name="bare", limit=1, load_input=False, application_name=name
    ):
        await asyncio.sleep(0.05)
    drained = time.perf_counter() - began
    await asyncio.to_thread(DBOS.destroy)
    client.destroy()
    return {"enqueue_per_s": count / queued, "drain_per_s": (count + WARM) / drained}


if __name__ == "__main__":
    main()
