"""Runs over the borders of loops, threads and processes: run_sync, two loops, a kill in the middle, `python -O`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Approve, RunContext, Workspace, tool
from segue.testing import ScriptedModel


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def speaker() -> Agent:
    return Agent("speaker", model=ScriptedModel(lambda request: f"said {request.messages[-1]['content']}"))


def test_run_sync_works_twice_in_a_row() -> None:
    agent = speaker()

    assert agent.run_sync("one", thread_id="t").output == "said one"
    assert agent.run_sync("two", thread_id="t").output == "said two"
    assert [each["content"] for each in agent.model.requests[1].messages[1:]] == ["one", "said one", "two"]


async def test_run_sync_works_inside_a_running_loop_as_in_a_notebook() -> None:
    agent = speaker()

    assert agent.run_sync("one").output == "said one"
    assert (await agent.run("two")).output == "said two"
    assert agent.run_sync("three").output == "said three"


def test_run_sync_works_from_threads_at_once() -> None:
    agent = speaker()
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda n: agent.run_sync(str(n)), range(16)))

    assert [run.output for run in runs] == [f"said {n}" for n in range(16)]


def test_one_agent_runs_on_two_loops_one_after_the_other() -> None:
    agent = speaker()

    async def once(text: str) -> Any:
        return (await agent.run(text, thread_id="t")).output

    assert [asyncio.run(once("one")), asyncio.run(once("two"))] == ["said one", "said two"]


def test_a_loop_that_ends_closes_its_default_workspace_without_a_word(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def once() -> Any:
        return (await speaker().run("one")).output

    assert asyncio.run(once()) == "said one"
    assert caplog.text == ""
    assert capsys.readouterr().err == ""


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Any]:
    """Runs Python text in a process of its own, in the test's folder; what it prints, or the process."""
    started: list[subprocess.Popen[str]] = []

    def run(text: str, *options: str) -> subprocess.Popen[str]:
        file = tmp_path / f"script_{len(started)}.py"
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        env = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
        process = subprocess.Popen(
            [sys.executable, *options, str(file)],
            cwd=tmp_path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_everything_works_without_asserts(script: Any) -> None:
    process = script(
        """
        from segue import Agent, Approve, tool
        from segue.testing import ScriptedModel, call

        @tool(effect="read")
        def look() -> str:
            "Look."
            return "seen"

        run = Agent("a", model=ScriptedModel([call("look"), "done"]), tools=[look]).run_sync("go")
        print(run.output, run.usage.tool_calls)
        """,
        "-O",
    )
    out, err = process.communicate(timeout=30)

    assert (out, err) == ("done 1\n", "")


KILLED = """
import asyncio, sys
from segue import Agent, Workspace, tool
from segue.testing import ScriptedModel, call

@tool(effect="write")
async def first() -> str:
    "First."
    with open("effects", "a") as file:
        file.write("first\\n")
    return "first"

@tool(effect="read")
async def hold() -> str:
    "Hold."
    print(RUN[0].id, flush=True)
    await asyncio.Event().wait()
    return "never"

RUN = []

async def main():
    agent = Agent("worker", model=ScriptedModel([call("first"), call("hold")]), tools=[first, hold])
    async with Workspace.open() as ws:
        RUN.append(ws.start(agent, "go", thread_id="t"))
        await RUN[0]

asyncio.run(main())
"""


async def test_a_run_whose_process_was_killed_is_resumed_and_its_thread_goes_on(script: Any, tmp_path: Path) -> None:
    process = script(KILLED)
    run_id = (await asyncio.to_thread(process.stdout.readline)).strip()
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 10)

    @tool(effect="write")
    async def first() -> str:
        """First."""
        raise AssertionError("it ran before the kill")

    @tool(effect="read")
    async def hold(ctx: RunContext[Any]) -> str:
        """Hold."""
        return f"held for {ctx.run_id}"

    agent = Agent("worker", model=ScriptedModel(["all done", "second turn"]), tools=[first, hold])
    async with Workspace.open(tmp_path) as ws:
        assert (ws.get(run_id).status, ws.get(run_id).stop_reason) == ("stopped", "crashed")
        assert [each.id for each in await ws.recoverable()] == [run_id]
        run = await ws.resume(run_id, agent=agent)
        again = await ws.run(agent, "and now?", thread_id="t")
        [root] = await ws.trace(run_id)

    assert run.output == "all done"
    assert [each.get("result", each["type"]) for each in run.trajectory] == [
        "generation", "first", "generation", f"held for {run_id}", "generation",
    ]  # fmt: skip
    assert run.usage.model_calls == 3
    assert again.output == "second turn"
    assert (tmp_path / "effects").read_text() == "first\n"
    roles = [message["role"] for message in agent.model.requests[1].messages]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "tool", "assistant", "user"]
    assert root.span.name == "worker"


async def test_the_next_run_of_a_thread_leaves_what_a_killed_one_had_spent_and_done(
    script: Any, tmp_path: Path
) -> None:
    process = script(KILLED)
    run_id = (await asyncio.to_thread(process.stdout.readline)).strip()
    process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(process.wait, 10)

    async with Workspace.open(tmp_path) as ws:
        await ws.run(Agent("worker", model=ScriptedModel(["second turn"])), "and now?", thread_id="t")
        killed = ws.get(run_id)

    assert (killed.status, killed.stop_reason, killed.usage.model_calls) == ("stopped", "crashed", 2)
    assert [each["type"] for each in killed.trajectory] == ["generation", "tool_result", "generation"]


async def test_a_run_killed_before_its_first_checkpoint_starts_with_its_request(tmp_path: Path) -> None:
    agent = speaker()
    async with Workspace.open(tmp_path) as ws:
        record = (await ws.run(agent, "one")).record
        record.status, record.run_id, record.thread_id = "running", "run_lost", "t2"
        ws.records.save(record)

    async with Workspace.open(tmp_path) as ws:
        run = await ws.resume("run_lost", agent=agent)

    assert run.output == "said one"


async def test_an_approval_is_given_in_another_process(script: Any, tmp_path: Path) -> None:
    process = script(
        """
        from segue import Agent, tool
        from segue.testing import ScriptedModel, call

        @tool(approval=True)
        def act(what: tuple[int, int]) -> str:
            "Act."
            return "never here"

        print(Agent("actor", model=ScriptedModel([call("act", what=[1, 2])]), tools=[act]).run_sync("go").id)
        """
    )
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    assert err == ""
    got: list[Any] = []

    @tool(approval=True)
    def act(what: tuple[int, int]) -> str:
        """Act."""
        got.append(what)
        return "acted"

    agent = Agent("actor", model=ScriptedModel(["done"]), tools=[act])
    async with Workspace.open(tmp_path) as ws:
        [request] = ws.get(out.strip()).interrupts
        run = await ws.resume(out.strip(), {request.id: Approve()}, agent=agent)

    assert run.output == "done"
    assert got == [(1, 2)]
