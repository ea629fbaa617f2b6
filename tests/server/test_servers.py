"""Servers that share a database, each on a machine of its own: any tells, answers, stops and takes over."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from tests.server.conftest import Event, Served, desk, events, listening
from tests.server.test_outliving import AGENTS, free_port, server_process, until_ready

from segue import Agent, Workspace, tool
from segue.memory.locks import FileLocks, process_name
from segue.server import app
from segue.server.presence import Presence
from segue.testing import ScriptedModel, call
from segue.testing.script import Script
from segue.workspace.sections import ServerSection

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def database(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        name = f"servers_{os.urandom(4).hex()}"
        admin.execute(f"CREATE DATABASE {name}")
        url = postgres_server.replace("/postgres?", f"/{name}?")
        monkeypatch.setenv("DESK_DATABASE", url)
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def machine(folder: Path) -> Path:
    folder.mkdir()
    (folder / "segue.toml").write_text('database_url = "env:DESK_DATABASE"\n')
    return folder


@pytest.fixture
async def two(tmp_path: Path, database: str) -> AsyncIterator[tuple[Served, Served]]:
    """Two servers of the same agents."""
    async with AsyncExitStack() as stack:
        found = []
        for name in ("one", "two"):
            ws = await stack.enter_async_context(Workspace.open(machine(tmp_path / name)))
            application = app(ws, agents=[desk(), slow()], login=False, settings=ServerSection())
            url = await stack.enter_async_context(listening(application))
            served = Served(application.state.server, url)
            stack.push_async_callback(served.close)
            found.append(served)
        yield found[0], found[1]


HOLD: dict[str, asyncio.Event] = {}


def slow() -> Agent:
    """Looks for as long as a test says, then answers."""

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        HOLD["there"].set()
        await HOLD["go"].wait()
        return "seen"

    return Agent("slow", model=ScriptedModel(Script({"look": [call("look"), "There it is."]})), tools=[look])


@pytest.fixture(autouse=True)
def _held() -> None:
    HOLD.update(there=asyncio.Event(), go=asyncio.Event())


async def test_a_run_of_one_server_is_read_and_joined_at_another(two: tuple[Served, Served]) -> None:
    first, second = two[0].client(), two[1].client()
    run = (await first.post("/api/v1/runs", json={"agent": "slow", "input": "look", "thread_id": "t"})).json()
    await HOLD["there"].wait()

    async def read(client: httpx.AsyncClient) -> list[Event]:
        async with client.stream("GET", f"/api/v1/runs/{run['id']}/events") as response:
            return [each async for each in events(response)]

    reading = [asyncio.create_task(read(client)) for client in (first, second)]
    joining = asyncio.create_task(second.get(f"/api/v1/runs/{run['id']}/join"))
    seen = (await second.get(f"/api/v1/runs/{run['id']}")).json()
    HOLD["go"].set()
    here, there = [await each for each in reading]

    assert seen["status"] == "running"
    assert (await joining).json()["output"] == "There it is."
    durable = [[(each.id, each.type) for each in told if each.id] for told in (here, there)]
    assert durable[0] == durable[1]
    assert [each for each, _ in durable[0]] == [str(number + 1) for number in range(len(durable[0]))]
    assert durable[0][-1][1] == "run_finished"
    trace = (await second.get(f"/api/v1/runs/{run['id']}/trace")).json()
    assert trace["spans"][0]["name"] == "slow"


async def test_another_server_stops_a_run(two: tuple[Served, Served]) -> None:
    first, second = two[0].client(), two[1].client()
    run = (await first.post("/api/v1/runs", json={"agent": "slow", "input": "look"})).json()
    await HOLD["there"].wait()

    stopped = (await second.post(f"/api/v1/runs/{run['id']}/cancel")).json()

    assert (stopped["status"], stopped["stop_reason"]) == ("stopped", "cancelled")
    assert (await first.get(f"/api/v1/runs/{run['id']}")).json()["status"] == "stopped"
    assert await two[0].server.store.accepted() == []


async def test_what_one_server_asks_is_answered_at_another_and_once(two: tuple[Served, Served]) -> None:
    first, second = two[0].client(), two[1].client()
    run = (await first.post("/api/v1/runs/wait", json={"agent": "desk", "input": "refund"})).json()
    (asked,) = (await second.get("/api/v1/interrupts")).json()["interrupts"]
    place = f"/api/v1/interrupts/{asked['id']}/answer"

    answers = await asyncio.gather(*(each.post(place, json={"type": "approve"}) for each in (first, second) * 4))
    ended = (await second.get(f"/api/v1/runs/{run['id']}/join")).json()

    statuses = sorted(each.status_code for each in answers)
    assert statuses[0] == 202
    assert set(statuses[1:]) <= {404, 409, 422}
    assert (ended["status"], ended["usage"]["tool_calls"]) == ("completed", 1)


async def test_a_key_of_one_opens_the_other(two: tuple[Served, Served]) -> None:
    secret = await two[0].key("acme")

    assert await two[1].server.keys.find(secret) is not None


async def test_a_run_goes_on_though_every_session_of_the_database_is_ended(
    two: tuple[Served, Served], database: str
) -> None:
    client = two[0].client()
    run = (await client.post("/api/v1/runs", json={"agent": "slow", "input": "look"})).json()
    await HOLD["there"].wait()
    HOLD["go"].set()
    with psycopg.connect(database, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()"
        )

    ended: dict[str, Any] = {}
    while ended.get("status") != "completed":
        with suppress(httpx.HTTPError):
            ended = (await client.get(f"/api/v1/runs/{run['id']}/join", params={"timeout_s": 1})).json()

    assert ended["output"] == "There it is."


async def test_a_server_is_dead_once_its_lock_is_free(tmp_path: Path) -> None:
    locks = FileLocks(tmp_path)
    one, other, ready = Presence(locks), Presence(locks), asyncio.Event()
    holding = asyncio.create_task(one.hold(ready))
    await ready.wait()

    alive = await other.is_dead(one.name)
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)

    assert (alive, await other.is_dead(one.name), await other.is_dead("")) == (False, True, True)
    assert not await other.is_dead(other.name)
    assert process_name() != process_name()


@pytest.mark.long
async def test_what_a_killed_server_had_accepted_ends_at_another_that_lives(tmp_path: Path, database: str) -> None:
    with sqlite3.connect(tmp_path / "outside.db") as db:
        db.execute("CREATE TABLE booked (key TEXT PRIMARY KEY)")
    db.close()
    agents = textwrap.dedent(AGENTS).replace('"outside.db"', repr(str(tmp_path / "outside.db")))
    folders, ports = [machine(tmp_path / name) for name in ("one", "two")], [free_port(), free_port()]
    for folder in folders:
        (folder / "agents.py").write_text(agents, encoding="utf-8")
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)
            )
            for port in ports
        ]
        seen: list[str] = []
        with server_process(folders[1], ports[1]):
            await until_ready(clients[1])
            for kill in range(3):
                with server_process(folders[0], ports[0]) as process:
                    await until_ready(clients[0])
                    posts = [
                        clients[0].post("/api/v1/runs", json={"agent": "clerk", "input": f"n{kill}-{number}"})
                        for number in range(20)
                    ]
                    seen += [each.json()["id"] for each in await asyncio.gather(*posts)]
                    await asyncio.sleep(0.2)
                    os.kill(process.pid, signal.SIGKILL)
            joins = await asyncio.gather(*(clients[1].get(f"/api/v1/runs/{each}/join") for each in seen))
            logs = [(await clients[1].get(f"/api/v1/runs/{each}/log")).json()["events"] for each in seen]

    assert len(seen) == 60
    assert {each.json()["status"] for each in joins} == {"completed"}
    assert all([each["id"] for each in log] == list(range(1, len(log) + 1)) for log in logs)
    with sqlite3.connect(tmp_path / "outside.db") as db:
        assert db.execute("SELECT count(*) FROM booked").fetchone()[0] == 4 * len(seen)
    db.close()
