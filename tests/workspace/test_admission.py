"""Admission: runs wait for one another where they keep the loop busy, and for nobody where they wait for models."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from segue import Agent, Workspace
from segue.testing import ScriptedModel
from segue.workspace.admission import AT_ONCE, Admission


def busy(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


async def test_runs_that_keep_the_loop_busy_go_in_one_for_one() -> None:
    door, most, order = Admission(asyncio.get_running_loop()), 0, []

    async def run(number: int) -> None:
        nonlocal most
        await door.enter()
        order.append(number)
        most = max(most, door.inside)
        for _ in range(3):
            busy(0.002)
            await asyncio.sleep(0)
        door.leave()

    await asyncio.gather(*(run(number) for number in range(4 * AT_ONCE)))

    assert most == AT_ONCE
    assert order == sorted(order)
    assert (door.inside, door.waiting) == (0, 0)


async def test_runs_that_wait_for_others_all_go_in() -> None:
    door, all_in = Admission(asyncio.get_running_loop()), asyncio.Event()

    async def run() -> None:
        await door.enter()
        if door.inside == 5 * AT_ONCE:
            all_in.set()
        await all_in.wait()
        door.leave()

    async with asyncio.timeout(30):
        await asyncio.gather(*(run() for _ in range(5 * AT_ONCE)))

    assert (door.inside, door.waiting) == (0, 0)


async def test_whoever_is_cancelled_while_it_waits_takes_no_place() -> None:
    door = Admission(asyncio.get_running_loop())
    for _ in range(AT_ONCE):
        await door.enter()
    waits = [asyncio.create_task(door.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    waits[0].cancel()
    door.leave()
    waits[1].cancel()  # let in, and cancelled before it knew
    await asyncio.wait(waits)

    assert all(wait.cancelled() for wait in waits)
    assert door.inside == AT_ONCE - 1


async def test_a_run_that_waits_to_be_let_in_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.workspace.admission.AT_ONCE", 0)
    monkeypatch.setattr("segue.workspace.admission.LOOKS", 1_000_000)
    async with Workspace.open(tmp_path) as ws:
        run = await ws.start(Agent("one", model=ScriptedModel(["one"])), "go").cancel()
        held = ws.get(run.id)

    assert (run.status, run.stop_reason) == ("stopped", "cancelled")
    assert held.status == "stopped"
