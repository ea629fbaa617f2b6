"""What was accepted ends, whatever becomes of the process; who reads comes back and misses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.server.conftest import Event, desk, events, listening

from segue import Agent, Workspace, tool
from segue.base.errors import ConfigError
from segue.server import app
from segue.server.dispatch import Wanted
from segue.server.following import followed
from segue.server.hub import Reader
from segue.server.keys import NOBODY
from segue.server.listening import bound
from segue.server.serving import Setup, serving
from segue.server.store import Accepted
from segue.testing import ScriptedModel, call
from segue.testing.script import Script
from segue.workspace.sections import ServerSection


async def test_a_server_that_ends_hands_its_runs_to_the_next_one(tmp_path: Path) -> None:
    started, looks = asyncio.Event(), []

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        looks.append(1)
        started.set()
        if len(looks) == 1:
            await asyncio.Event().wait()
        return "seen"

    agent = Agent("slow", model=ScriptedModel(Script({"look": [call("look"), "There it is."]})), tools=[look])
    setup = Setup(workspace=tmp_path, agents=(agent,), settings=ServerSection(), login=False, drain_s=0.01)

    async with serving(setup) as server:
        record = await server.dispatch.begin(Wanted(agent="slow", request="look"), NOBODY)
        await started.wait()
    async with serving(setup) as server:
        await server.dispatch.join(server.run(record.run_id, NOBODY), 10)
        ended = server.run(record.run_id, NOBODY)
        told = await server.store.events("local", record.run_id)

    assert (ended.status, ended.output) == ("completed", "There it is.")
    assert [each.seq for each in told] == list(range(1, len(told) + 1))
    assert [each.type for each in told].count("run_finished") == 2
    assert told[-1].type == "run_finished"


async def test_a_run_whose_agent_is_gone_fails_and_says_so(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws, serving(_desk(ws, "other")) as server:
        record = ws.accept("hello", run_id="run_1", source="gone.py:gone", agent="gone")
        await server.store.accept(Accepted(tenant="local", run_id="run_1", agent="gone", body={}), now=1.0)

        await server.dispatch.recover()

        ended = server.run(record.run_id, NOBODY)
        assert ended.status == "failed"
        assert "gone.py" in ended.error
        assert await server.store.accepted() == []


async def test_a_second_server_on_a_folder_is_refused(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws, serving(_desk(ws)):
        with pytest.raises(ConfigError, match="another server has"):
            async with serving(_desk(ws)):
                pass


async def test_an_event_stream_of_a_run_that_began_elsewhere_ends_with_it(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(desk(), "hello")
        async with (
            listening(app(ws, agents=[desk()], login=False)) as url,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            told: list[list[Event]] = []
            for _ in range(2):
                async with client.stream("GET", f"{url}/api/v1/runs/{run.id}/events") as response:
                    told.append([each async for each in events(response)])

    assert [[each.type for each in once] for once in told] == [["run_finished"], ["run_finished"]]
    assert [once[0].id for once in told] == ["1", "1"]


async def test_what_a_worker_process_does_is_told_as_if_the_server_had_done_it(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as worker, followed(worker):
        run = await worker.run(desk(), "hello")
    async with (
        Workspace.open(tmp_path) as ws,
        listening(app(ws, agents=[desk()], login=False)) as url,
        httpx.AsyncClient(trust_env=False) as client,
        client.stream("GET", f"{url}/api/v1/runs/{run.id}/events") as response,
    ):
        told = [each.type async for each in events(response)]

    assert told[0] == "run_started"
    assert "generation_finished" in told
    assert told[-1] == "run_finished"
    assert told.count("run_finished") == 1


def test_a_reader_that_is_slow_is_not_waited_for() -> None:
    reader = Reader(most_bytes=10)

    for number in range(1, 4):
        reader.put(number, b"12345")

    assert (reader.behind, reader.take(), reader.seen) == (True, b"", 0)


async def test_a_slow_reader_reads_on_from_the_log_and_misses_nothing(tmp_path: Path) -> None:
    model = ScriptedModel([call("look") for _ in range(40)] + ["Done."])

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        await asyncio.sleep(0)
        return "x" * 2_000

    agent = Agent("many", model=model, tools=[look], max_rounds=60)
    async with Workspace.open(tmp_path) as ws:
        application = app(ws, agents=[agent], login=False, settings=ServerSection(stream_buffer_bytes=4096))
        async with listening(application) as _:
            server = application.state.server
            record = await server.dispatch.begin(Wanted(agent="many", request="look"), NOBODY)
            stream = server.hub.stream("local", record.run_id)
            first = await anext(stream)
            await server.dispatch.join(record, 20)
            rest = b"".join([first] + [chunk async for chunk in stream]).decode()
            logged = await server.store.last("local", record.run_id)

    ids = [int(line[4:]) for line in rest.splitlines() if line.startswith("id: ")]
    assert ids == list(range(1, logged.seq + 1))


def _desk(ws: Workspace, name: str = "desk") -> Setup:
    return Setup(workspace=ws, agents=(desk(name),), settings=ServerSection(), login=False)


AGENTS = """
import asyncio, sqlite3
from segue import Agent, RunContext, tool
from segue.testing import ScriptedModel, call
from segue.testing.script import Script

@tool(effect="write", idempotency_key="number", retry_safe=True)
async def book(ctx: RunContext, number: str) -> str:
    '''Book.

    Args:
        number: The number.
    '''
    await asyncio.sleep(0.05)
    db = sqlite3.connect("outside.db", timeout=20)
    with db:
        db.execute("INSERT OR IGNORE INTO booked VALUES (?)", (ctx.idempotency_key,))
    db.close()
    return "booked"

def replies(request):
    said = sum(each["role"] == "assistant" for each in request.messages)
    asked = next(each["content"] for each in request.messages if each["role"] == "user")
    return call("book", number=f"{asked}-{said}") if said < 4 else "All is booked."

clerk = Agent("clerk", model=ScriptedModel(replies), tools=[book])
"""


@contextmanager
def server_process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`segue serve` in a process of its own, killed at the end."""
    code = f"from segue.cli.main import main; main(['serve', '--port', '{port}', '--workspace', '.'])"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()


def free_port() -> int:
    with bound("127.0.0.1", 0) as made:
        port: int = made.getsockname()[1]
        return port


async def until_ready(client: httpx.AsyncClient) -> None:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with suppress(httpx.HTTPError):
            if (await client.get("/readyz")).status_code == 200:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the server did not begin")


@pytest.mark.long
async def test_what_a_killed_server_had_accepted_ends_and_its_readers_miss_nothing(tmp_path: Path) -> None:
    (tmp_path / "agents.py").write_text(textwrap.dedent(AGENTS), encoding="utf-8")
    with sqlite3.connect(tmp_path / "outside.db") as db:
        db.execute("CREATE TABLE booked (key TEXT PRIMARY KEY)")
    db.close()
    port = free_port()
    seen: dict[str, list[Event]] = {}
    limits = httpx.Limits(max_connections=200)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", timeout=20, limits=limits, trust_env=False
    ) as client:

        async def begin(number: int) -> None:
            with suppress(httpx.HTTPError):
                accepted = await client.post("/api/v1/runs", json={"agent": "clerk", "input": f"n{number}"})
                seen[accepted.json()["id"]] = []

        async def read(run_id: str) -> None:
            held = seen[run_id]
            last = next((each.id for each in reversed(held) if each.id), "")
            with suppress(httpx.HTTPError):
                headers = {"Last-Event-ID": last} if last else {}
                async with client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers) as response:
                    async for each in events(response):
                        held.append(each)

        for kill in range(3):
            with server_process(tmp_path, port) as process:
                await until_ready(client)
                readers = [asyncio.create_task(read(run_id)) for run_id in seen]
                await asyncio.gather(*(begin(kill * 20 + number) for number in range(20)))
                readers += [asyncio.create_task(read(run_id)) for run_id in list(seen)[-20:]]
                await asyncio.sleep(0.4)
                os.kill(process.pid, signal.SIGKILL)
                await asyncio.gather(*readers)
        with server_process(tmp_path, port):
            await until_ready(client)
            joins = await asyncio.gather(*(client.get(f"/api/v1/runs/{each}/join") for each in seen))
            await asyncio.gather(*(read(run_id) for run_id in seen))
            logs = {each: (await client.get(f"/api/v1/runs/{each}/log")).json()["events"] for each in seen}

    assert len(seen) >= 40
    assert {each.json()["status"] for each in joins} == {"completed"}
    for run_id, held in seen.items():
        durable = [(int(each.id), each.type) for each in held if each.id]
        assert durable == [(each["id"], each["type"]) for each in logs[run_id]]
    with sqlite3.connect(tmp_path / "outside.db") as db:
        assert db.execute("SELECT count(*) FROM booked").fetchone()[0] == 4 * len(seen)
    db.close()
