"""Effects over the death of a process: killed between claim and record, and two processes that race for one key."""

from __future__ import annotations

import asyncio
import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, Answer, Approve, Run, RunContext, Workspace, tool
from segue.testing import ScriptedModel, call


def in_child(work: Callable[[], str]) -> tuple[int, Callable[[], str]]:
    """Start the work in a forked process; its id, and what waits for its end and gives what it said."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receiver)
        try:
            said = work()
        except BaseException:
            said = "error: " + traceback.format_exc()
        os.write(sender, said.encode())
        os._exit(0)
    os.close(sender)

    def ended() -> str:
        with os.fdopen(receiver) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        return said

    return pid, ended


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Outside:
    """A world that outlives the process: a file with a line for each effect. It can honour keys."""

    def __init__(self, folder: Path, *, honours_keys: bool = False) -> None:
        self.file = folder / "world"
        self.honours_keys = honours_keys

    def lines(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    def act(self, key: str, what: str) -> None:
        if self.honours_keys and any(line.startswith(key) for line in self.lines()):
            return
        with self.file.open("a") as file:
            file.write(f"{key}:{what}\n")

    def find(self, key: str) -> str | None:
        return next((line.partition(":")[2] for line in self.lines() if line.startswith(key)), None)


def agent_on(world: Outside, *, die_at: str = "", **options: Any) -> Agent:
    @tool(effect="write", **options)
    async def pay(ctx: RunContext[Any], order: str) -> str:
        """Pay."""
        if die_at == "before":
            die()
        world.act(ctx.idempotency_key, order)
        if die_at == "after":
            die()
        return f"paid {order}"

    replies = [[call("pay", call_id="c1", order="7"), call("pay", call_id="c2", order="7")], "done"]
    return Agent("payer", model=ScriptedModel(replies), tools=[pay])


def killed(folder: Path, world: Outside, die_at: str, **options: Any) -> str:
    """Run in a process that is killed at its first effect; the run's id."""

    def work() -> str:
        async def go() -> str:
            async with Workspace.open(folder) as ws:
                handle = ws.start(agent_on(world, die_at=die_at, **options), "go", thread_id="t")
                async for event in handle.events():
                    if die_at == event.type:
                        die()
                await handle
            return "it lived"

        return asyncio.run(go())

    _, ended = in_child(work)
    assert ended() == ""

    async def newest() -> str:
        async with Workspace.open(folder) as ws:
            return ws.runs()[0].id

    return asyncio.run(newest())


def resumed(folder: Path, run_id: str, agent: Agent, answer: Callable[[str], Any] | None = None) -> tuple[Run, int]:
    """Take it up again, here; and how many questions were answered on the way."""

    async def go() -> tuple[Run, int]:
        asked = 0
        async with Workspace.open(folder) as ws:
            run = await ws.resume(run_id, agent=agent)
            while run.status == "waiting" and answer is not None:
                asked += len(run.interrupts)
                run = await ws.resume(run_id, {each.id: answer(each.reason) for each in run.interrupts}, agent=agent)
            return run, asked

    return asyncio.run(go())


def rest(world: Outside, **options: Any) -> Agent:
    """The agent as the process that goes on has it: its model has given its first reply already."""
    agent = agent_on(world, **options)
    agent.model._replies.pop(0)
    return agent


@pytest.mark.parametrize("die_at", ["before", "after", "tool_finished"])
def test_a_killed_effect_that_can_be_reconciled_happens_once(tmp_path: Path, die_at: str) -> None:
    world = Outside(tmp_path)

    def look(ctx: RunContext[Any]) -> str | None:
        found = world.find(ctx.idempotency_key)
        return None if found is None else f"paid {found}"

    run_id = killed(tmp_path, world, die_at, reconcile=look)
    run, _ = resumed(tmp_path, run_id, rest(world, reconcile=look))

    assert run.output == "done"
    assert sorted(Counter(world.lines()).values()) == [1, 1]


@pytest.mark.parametrize("die_at", ["before", "after", "tool_finished"])
def test_a_killed_effect_is_sent_again_to_an_outside_that_honours_its_key(tmp_path: Path, die_at: str) -> None:
    world = Outside(tmp_path, honours_keys=True)

    run_id = killed(tmp_path, world, die_at, retry_safe=True)
    run, _ = resumed(tmp_path, run_id, rest(world, retry_safe=True))

    assert run.output == "done"
    assert sorted(Counter(world.lines()).values()) == [1, 1]


@pytest.mark.parametrize("die_at", ["before", "after"])
def test_a_killed_effect_that_nobody_can_look_up_is_asked_about(tmp_path: Path, die_at: str) -> None:
    world = Outside(tmp_path)

    def answer(reason: str) -> Any:
        key = next(word for word in reason.replace(",", " ").split() if word.startswith("key_"))
        return Approve() if world.find(key) is None else Answer("paid 7")

    run_id = killed(tmp_path, world, die_at)
    run, questions = resumed(tmp_path, run_id, rest(world), answer)

    assert (run.output, questions) == ("done", 1)
    assert sorted(Counter(world.lines()).values()) == [1, 1]


def test_the_claim_of_a_process_that_died_is_not_waited_for(tmp_path: Path) -> None:
    world = Outside(tmp_path)
    killed(tmp_path, world, "after", idempotency_key="order")

    async def another() -> Run:
        async with Workspace.open(tmp_path) as ws:
            async with asyncio.timeout(5):
                return await ws.run(agent_on(world, idempotency_key="order"), "go")

    run = asyncio.run(another())

    assert (run.status, [each.kind for each in run.interrupts]) == ("waiting", ["effect"])
    assert len(world.lines()) == 1


def test_two_processes_that_race_for_the_same_keys_have_each_effect_once(tmp_path: Path) -> None:
    world, count = Outside(tmp_path), 12

    def racer() -> str:
        @tool(idempotency_key="order")
        async def pay(ctx: RunContext[Any], order: str) -> str:
            """Pay."""
            world.act(ctx.idempotency_key, order)
            return f"paid {order} by {os.getpid()}"

        async def go() -> str:
            model = ScriptedModel([[call("pay", order=str(n)) for n in range(count)], "done"])
            async with Workspace.open(tmp_path) as ws:
                run = await ws.run(Agent("racer", model=model, tools=[pay]), "go")
                return "\n".join([run.status, *(each["result"] for each in run.trajectory[1:-1])])

        return asyncio.run(go())

    ends = [in_child(racer)[1] for _ in range(3)]
    said = [end().splitlines() for end in ends]

    assert len(world.lines()) == len(set(world.lines())) == count
    assert all(each[0] == "completed" for each in said), said
    assert said[0][1:] == said[1][1:] == said[2][1:]
