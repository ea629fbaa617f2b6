"""One URL for everything: machines that share a database, and nothing else, are one workspace."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from segue import Agent, Approve, Documents, Workspace, tool
from segue.base.errors import ConfigError, StoreError
from segue.jobs import JobRequest, Worker, open_jobs
from segue.testing import ScriptedModel, call

pytestmark = pytest.mark.xdist_group("postgres")
DESK = """
from segue import Agent, tool
from segue.testing import ScriptedModel, call


@tool(effect="write", approval=True)
def refund(order: str) -> str:
    "Refund an order."
    return f"refunded {order}, " + "x" * 50_000


def say(request):
    last = request.messages[-1]
    return "Done." if last["role"] == "tool" else call("refund", order="1042")


desk = Agent("desk", model=ScriptedModel(say), tools=[refund])
"""


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_server: str) -> Iterator[tuple[Path, Path]]:
    """The folders of two machines, whose settings name one database."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        name = f"one_{os.urandom(4).hex()}"
        admin.execute(f"CREATE DATABASE {name}")
        monkeypatch.setenv("DESK_DATABASE", postgres_server.replace("/postgres?", f"/{name}?"))
        found = tmp_path / "one", tmp_path / "two"
        for folder in found:
            folder.mkdir()
            (folder / "segue.toml").write_text('database_url = "env:DESK_DATABASE"\n')
            (folder / "desk.py").write_text(DESK)
        yield found
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def files(folder: Path) -> set[str]:
    return {each.name for each in (folder / ".segue").iterdir() if each.suffix == ".db"}


async def test_a_run_that_waits_on_one_machine_is_answered_on_another(machines: tuple[Path, Path]) -> None:
    from segue.workspace.loading import load

    async with Workspace.open(machines[0]) as one:
        asked = await one.run(load("desk.py:desk", machines[0]), "Refund it.", thread_id="t")
        assert asked.status == "waiting"
        async with Workspace.open(machines[1]) as two:
            agent = load("desk.py:desk", machines[1])
            seen = two.get(asked.id)
            run = await two.resume(asked.id, {seen.interrupts[0].id: Approve()}, agent=agent)
            messages = await two.messages("t", agent=agent)
        roots = await one.trace(asked.id)
        again = one.get(asked.id)

    assert (run.output, again.output, again.usage.tool_calls) == ("Done.", "Done.", 1)
    assert [each.span.name for each in roots] == ["desk", "desk"]
    assert len({each.span.trace_id for each in roots}) == 1
    assert len(messages) == 4
    assert files(machines[0]) == {"audit.db"}


async def test_a_job_of_one_machine_is_worked_off_on_another(machines: tuple[Path, Path]) -> None:
    async with Workspace.open(machines[0]) as one, open_jobs(one) as jobs:
        job_id = await jobs.enqueue(JobRequest(source="desk.py:desk", request="Please."))
        async with Workspace.open(machines[1]) as two, open_jobs(two) as others:
            await Worker(others).run(once=True)
        waiting = await jobs.get(job_id)
        await jobs.answer(job_id, {one.get(job_id).interrupts[0].id: Approve()})
        async with Workspace.open(machines[1]) as two, open_jobs(two) as others:
            await Worker(others).run(once=True)
        done = await jobs.get(job_id)
        output = one.get(job_id).output

    assert (waiting.state, done.state, output) == ("waiting", "completed", "Done.")


async def test_documents_lie_there_too(machines: tuple[Path, Path], tmp_path: Path) -> None:
    handbook = tmp_path / "handbook"
    handbook.mkdir()
    (handbook / "returns.md").write_text("# Returns\n\nGoods come back within 30 days.\n")
    asks = [call("search_handbook", query="returns within days"), "done"]
    async with Workspace.open(machines[0]) as one:
        run = await one.run(Agent("a", model=ScriptedModel(asks), tools=[Documents(handbook)]), "How long?")

    assert run.status == "completed"
    assert "30 days" in str(run.trajectory)
    assert files(machines[0]) == {"audit.db"}


async def test_a_process_that_was_killed_is_seen_from_another_machine(machines: tuple[Path, Path]) -> None:
    script = """
        import asyncio
        from segue import Agent, Workspace, tool
        from segue.testing import ScriptedModel, call

        @tool(effect="read")
        async def hold() -> str:
            "Hold."
            print("holds", flush=True)
            await asyncio.sleep(60)

        async def main():
            async with Workspace.open(".") as ws:
                await ws.run(Agent("a", model=ScriptedModel([call("hold")]), tools=[hold]), "go", thread_id="t")

        asyncio.run(main())
    """
    process = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", textwrap.dedent(script)], cwd=machines[0], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert await asyncio.to_thread(process.stdout.readline) == "holds\n"
        async with Workspace.open(machines[1]) as two:
            [alive] = two.runs()
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            while two.runs()[0].status == "running":  # noqa: ASYNC110 - until the server has seen that the session is gone
                await asyncio.sleep(0.01)
            [dead] = two.runs()

            @tool(effect="read")
            def hold() -> str:
                """Hold."""
                return "held"

            run = await two.resume(dead.id, agent=Agent("a", model=ScriptedModel(["done"]), tools=[hold]))

    assert (alive.status, dead.status, dead.stop_reason) == ("running", "stopped", "crashed")
    assert dead.usage.model_calls == 1
    assert run.output == "done"


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("mysql://x/y", ConfigError, "postgresql://"),
        ("sqlite:///all.db", ConfigError, "postgresql://"),
        ("postgresql://u:swordfish@127.0.0.1:1/x", ConfigError, "must not stand in the settings"),
        ("env:NOT_THERE", ConfigError, "NOT_THERE"),
        ("postgresql://127.0.0.1:1/x", StoreError, "127.0.0.1"),
    ],
)
async def test_a_url_that_leads_nowhere_is_told(tmp_path: Path, url: str, error: type[Exception], said: str) -> None:
    (tmp_path / "segue.toml").write_text(f'database_url = "{url}"\n')

    with pytest.raises(error, match=said) as caught:
        await Workspace.open(tmp_path).ensure_open()

    assert "swordfish" not in str(caught.value)
