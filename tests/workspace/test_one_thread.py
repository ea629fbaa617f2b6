"""One thread between tasks, workspaces and processes; what a crash leaves; what a failing disk leaves."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Budget, Principal, RunContext, Workspace, tool
from segue.context.events import GenerationFinished
from segue.testing import ScriptedModel, call
from segue.workspace.turns import ThreadBusy

HOLDER = """
import asyncio, sys
from segue import Agent, Workspace, tool
from segue.testing import ScriptedModel, call

@tool(effect="read")
async def hold() -> str:
    "Hold."
    print("there", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return "held"

async def main():
    agent = Agent("holder", model=ScriptedModel([call("hold"), "first answer"]), tools=[hold])
    async with Workspace.open() as ws:
        handle = ws.start(agent, "first", thread_id="t")
        print(handle.id, flush=True)
        print((await handle).status, flush=True)

asyncio.run(main())
"""


class Other:
    """A process that holds the thread `t` in the middle of a run."""

    def __init__(self, folder: Path) -> None:
        (folder / "holder.py").write_text(textwrap.dedent(HOLDER))
        self.process = subprocess.Popen(
            [sys.executable, "holder.py"],
            cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.run_id = self.stdout.readline().strip()
        assert self.stdout.readline().strip() == "there"

    def let_go(self) -> None:
        self.stdin.write("\n")
        self.stdin.flush()

    def status(self) -> str:
        return self.stdout.readline().strip()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Other]:
    held = Other(tmp_path)
    yield held
    held.end()


def speaker(*replies: Any) -> Agent:
    return Agent("holder", model=ScriptedModel(replies or ["second answer"]))


async def test_a_run_waits_for_the_thread_that_another_process_has(tmp_path: Path, other: Other) -> None:
    agent = speaker()
    async with Workspace.open(tmp_path) as ws:
        second = ws.start(agent, "second", thread_id="t")
        free = await ws.run(speaker("free"), "hi", thread_id="u")
        assert (free.output, second.done, ws.get(other.run_id).status) == ("free", False, "running")
        other.let_go()
        run = await second

    assert (run.output, other.status()) == ("second answer", "completed")
    assert [each["content"] for each in agent.model.requests[0].messages if each["content"]][-4:] == [
        "first", "held", "first answer", "second",
    ]  # fmt: skip


async def test_a_run_that_waited_too_long_is_refused_by_name_of_who_has_the_thread(
    tmp_path: Path, other: Other
) -> None:
    (tmp_path / "segue.toml").write_text("thread_wait_s = 0\n")
    async with Workspace.open(tmp_path) as ws:
        refused = await ws.run(speaker(), "second", thread_id="t")
        late = await ws.run(speaker(), "second", thread_id="t", budget=Budget(wall_s=0.05))
        other.let_go()
        assert other.status() == "completed"
        after = await ws.run(speaker(), "second", thread_id="t")

    assert isinstance(refused.exception, ThreadBusy)
    assert f"thread t is held by process {other.process.pid} on" in refused.error
    assert "raise thread_wait_s, or use another thread" in refused.error
    assert (refused.status, late.status, after.output) == ("failed", "failed", "second answer")


async def test_a_deadline_while_another_process_has_the_thread_names_it(tmp_path: Path, other: Other) -> None:
    async with Workspace.open(tmp_path) as ws:
        late = await ws.run(speaker(), "second", thread_id="t", budget=Budget(wall_s=0.05))

    assert (late.status, late.stop_reason) == ("stopped", "deadline")
    assert f"held by process {other.process.pid}" in late.error


async def test_two_workspaces_of_one_process_take_turns_at_a_thread(tmp_path: Path) -> None:
    there, go = asyncio.Event(), asyncio.Event()

    async def hold(request: Any) -> str:
        there.set()
        await go.wait()
        return "one"

    async with Workspace.open(tmp_path) as ws, Workspace.open(tmp_path) as twin:
        first = ws.start(speaker(hold), "a", thread_id="t")
        await there.wait()
        second = twin.start(speaker("two"), "b", thread_id="t")
        assert twin.get(first.id).status == "running"
        go.set()
        assert [(await first).output, (await second).output] == ["one", "two"]
        assert len(await twin.messages("t", agent=speaker())) == 4


async def test_a_crash_is_seen_listed_and_gone_on_from(tmp_path: Path, other: Other) -> None:
    async with Workspace.open(tmp_path) as ws:
        assert (ws.get(other.run_id).status, await ws.recoverable()) == ("running", [])
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()

        assert (ws.get(other.run_id).status, ws.get(other.run_id).stop_reason) == ("stopped", "crashed")
        assert [run.id for run in await ws.recoverable()] == [other.run_id]
        assert ws.get(other.run_id).usage.model_calls == 1

        @tool(effect="read")
        def hold() -> str:
            """Hold."""
            return "held after all"

        agent = Agent("holder", model=ScriptedModel(["first answer", "more"]), tools=[hold])
        run = await ws.resume(other.run_id, agent=agent)
        assert (run.output, run.usage.model_calls, await ws.recoverable()) == ("first answer", 2, [])
        assert (await ws.run(agent, "more?", thread_id="t")).output == "more"


async def test_a_thread_whose_run_crashed_takes_the_next_run_at_once(tmp_path: Path, other: Other) -> None:
    other.end()
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(speaker(), "second", thread_id="t")

        assert (run.output, ws.get(other.run_id).stop_reason) == ("second answer", "crashed")
        assert ws.records.running("local") == []


class Steps:
    """Writes ten notes, one a round; once, after the third, something happens."""

    def __init__(self, trouble: Any) -> None:
        self.wrote: list[int] = []

        @tool(effect="write", retry_safe=True, idempotency_key="number")
        async def note(number: int) -> str:
            """Note."""
            self.wrote.append(number)
            if self.wrote == [1, 2, 3]:
                await trouble()
            return str(number)

        def reply(request: Any) -> Any:
            noted = sum(each["role"] == "tool" for each in request.messages)
            return call("note", number=noted + 1) if noted < 10 else "all noted"

        self.agent = Agent("notes", model=ScriptedModel(reply), tools=[note])


async def notes(ws: Workspace, steps: Steps) -> list[str]:
    return [str(each["content"]) for each in await ws.messages("t", agent=steps.agent) if each["role"] == "tool"]


async def goes_on(ws: Workspace, steps: Steps, run_id: str, *, acknowledged: int) -> None:
    """Nothing that was acknowledged is lost, and the run comes to its end."""
    assert len(await notes(ws, steps)) >= acknowledged
    run = await ws.resume(run_id, agent=steps.agent)

    assert (run.status, run.output) == ("completed", "all noted")
    assert await notes(ws, steps) == [str(number) for number in range(1, 11)]
    assert sorted(set(steps.wrote)) == list(range(1, 11))


async def test_a_full_disk_ends_the_run_clearly_and_it_goes_on_once_there_is_room(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    async def trouble() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))

    steps = Steps(trouble)
    try:
        async with Workspace.open(tmp_path) as ws:
            run = await ws.run(steps.agent, "go", thread_id="t")
            assert (run.status, type(run.exception).__name__) == ("failed", "StoreError")
            assert "disk" in run.error
            assert run.exception is not None
            assert getattr(run.exception, "retryable", False)
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            await goes_on(ws, steps, run.id, acknowledged=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


async def test_a_database_that_another_holds_is_waited_for_and_given_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("segue.memory.sqlite_commits", "segue.memory.sqlite_database", "segue.workspace.records"):
        monkeypatch.setattr(f"{module}.BUSY_S", 0.2, raising=False)
    held: list[sqlite3.Connection] = []

    async def trouble() -> None:
        held.append(sqlite3.connect(tmp_path / ".segue" / "state.db", isolation_level=None))
        held[0].execute("BEGIN IMMEDIATE")

    steps = Steps(trouble)
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(steps.agent, "go", thread_id="t")
        assert (run.status, "locked" in run.error) == ("failed", True), run.error
        held[0].close()
        await goes_on(ws, steps, run.id, acknowledged=2)


async def test_a_folder_that_goes_away_ends_the_run_clearly_and_it_goes_on_when_it_is_back(tmp_path: Path) -> None:
    data, away = tmp_path / ".segue", tmp_path / "away"

    async def trouble() -> None:
        data.rename(away)

    steps = Steps(trouble)
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(steps.agent, "go", thread_id="t")
        assert run.status == "failed", run
        assert str(data) in run.error
    shutil.rmtree(data, ignore_errors=True)
    away.rename(data)
    async with Workspace.open(tmp_path) as ws:
        await goes_on(ws, steps, run.id, acknowledged=2)


async def many(ws: Workspace, count: int) -> None:
    """That many runs at once, each with its own everything; then one that takes long beside them."""

    @tool(effect="read")
    async def mine(ctx: RunContext[int]) -> str:
        """Say whose this is."""
        await asyncio.sleep(0)
        return f"{ctx.deps} {ctx.principal.user} {ctx.thread_id}"

    def reply(request: Any) -> Any:
        last = request.messages[-1]
        return f"done: {last['content']}" if last["role"] == "tool" else call("mine")

    agent = Agent("one", model=ScriptedModel(reply), tools=[mine], deps_type=int)
    slow = asyncio.Event()

    async def wait(request: Any) -> str:
        await slow.wait()
        return "slow"

    late = ws.start(Agent("slow", model=ScriptedModel([wait])), "wait")
    runs = await asyncio.gather(*(
        ws.run(agent, f"request {n}", thread_id=f"t{n}", deps=n, principal=Principal(f"tenant{n % 7}", f"user{n}"))
        for n in range(count)
    ))  # fmt: skip

    assert not late.done
    assert [run.output for run in runs] == [f"done: {n} user{n} t{n}" for n in range(count)]
    for n in range(0, count, max(1, count // 20)):
        told = await ws.messages(f"t{n}", agent=agent, principal=Principal(f"tenant{n % 7}", "x"))
        assert [each["role"] for each in told] == ["user", "assistant", "tool", "assistant"]
        assert told[0]["content"] == f"request {n}"
    slow.set()
    assert (await late).output == "slow"


async def test_a_hundred_runs_at_once_neither_starve_nor_mix(ws: Workspace) -> None:
    await many(ws, 100)


@pytest.mark.long
async def test_a_thousand_runs_at_once_neither_starve_nor_mix(ws: Workspace) -> None:
    await many(ws, 1_000)


async def test_the_clock_may_be_stepped_back(tmp_path: Path) -> None:
    class Back:
        """A clock that goes back an hour each time it is asked."""

        time = 1_800_000_000.0

        def now(self) -> float:
            self.time -= 3_600
            return self.time

        def monotonic(self) -> float:
            return asyncio.get_running_loop().time()

    async with Workspace.open(tmp_path, clock=Back()) as ws:
        first = await ws.run(speaker("one", "two"), "a", thread_id="t")
        second = await ws.run(speaker("two"), "b", thread_id="t")
        found = await ws.checkpoints("t")

    assert (first.output, second.output) == ("one", "two")
    assert [each.run_id for each in found[:3]] == [second.id] * 3
    assert first.duration_s >= 0


def test_a_forked_process_runs_agents_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    agent = Agent("a", model=ScriptedModel(lambda request: f"said {request.messages[-1]['content']}"))
    assert agent.run_sync("before", thread_id="t").output == "said before"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if agent.run_sync("inside", thread_id="t").output == "said inside" else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert agent.run_sync("after", thread_id="t").output == "said after"


async def test_what_a_killed_run_had_spent_still_counts(tmp_path: Path, other: Other) -> None:
    other.end()
    async with Workspace.open(tmp_path) as ws:
        spent = ws.get(other.run_id).usage
        heard: list[GenerationFinished] = []
        run = await ws.resume(other.run_id, agent=speaker("x"), budget=Budget(model_calls=1))

    assert (spent.model_calls, heard) == (1, [])
    assert (run.status, run.stop_reason) == ("stopped", "budget")
