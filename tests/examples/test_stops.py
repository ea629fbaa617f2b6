"""The desk is killed and cancelled at many points, taken up again, and must end with the answer of a run left alone.

A child process is forked for each stop, killed by SIGKILL after so many events, and the run is taken up in another one.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
REQUEST = (
    "What does the handbook say about damaged items refunded without return? "
    "Sum the amount_cents of refund_facts by category since 2026-01-01. Then plot that table as a bar chart. "
    "Check the damage refund of order 1042, then refund order 1042."
)
KILLS = 200
CANCELS = 200


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its data built."""
    folder = tmp_path_factory.mktemp("stops") / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    sys.path.insert(0, str(folder))
    importlib.import_module("build").build(folder / "data" / "shop.db", fresh=True)
    shutil.copytree(folder / "data", folder / "clean")
    return folder


def in_child(work: Callable[[], str | None], *, kill: bool = False) -> str:
    """Do the work in a forked process and return what it says; with `kill` it is expected to kill itself."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        try:
            sender.send(work() or "")
        except BaseException:
            sender.send("error: " + traceback.format_exc())
        os._exit(0)
    sender.close()
    try:
        said: str = receiver.recv()
    except EOFError:
        said = ""
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) is kill or said.startswith("done"), said
    assert not said.startswith("error"), said
    return said


async def to_the_end(ws: Any, desk: Any, run: Any) -> Any:
    """Approve whatever is asked."""
    from segue import Approve

    while run.status == "waiting":
        run = await ws.resume(run.id, {each.id: Approve() for each in run.interrupts}, agent=desk)
    return run


def started(folder: Path, data: Path, stop_after: int, *, cancel: bool) -> str | None:
    """Run the desk and stop it after so many events."""

    async def go() -> str | None:
        from segue import Workspace

        desk = importlib.import_module("desk").desk

        async with Workspace.open(folder, data_dir=data) as ws:
            handle = ws.start(desk, REQUEST, thread_id="t")
            seen = 0
            while True:
                async for _ in handle.events():
                    seen += 1
                    if seen >= stop_after:
                        if not cancel:
                            os.kill(os.getpid(), signal.SIGKILL)
                        run = await handle.cancel()
                        again = await to_the_end(ws, desk, await ws.run(desk, REQUEST, thread_id="t"))
                        return f"done {run.status} {run.stop_reason}\n{again.status}\n{answer(again)}"
                run = await handle
                if run.status != "waiting":
                    return f"done {run.status} {run.stop_reason}\n{run.status}\n{answer(run)}"
                from segue import Approve

                handle = await ws.start_resume(run.id, {each.id: Approve() for each in run.interrupts}, agent=desk)

    return asyncio.run(go())


def resumed(folder: Path, data: Path) -> str:
    """Take up the run that was killed, and have a second turn after it."""

    async def go() -> str:
        from segue import Workspace

        desk = importlib.import_module("desk").desk

        async with Workspace.open(folder, data_dir=data) as ws:
            runs = ws.runs()
            if not runs:
                run = await to_the_end(ws, desk, await ws.run(desk, REQUEST, thread_id="t"))
            elif runs[0].status == "waiting":
                run = await to_the_end(ws, desk, runs[0])
            elif runs[0].status == "running":
                run = await to_the_end(ws, desk, await ws.resume(runs[0].id, agent=desk))
            else:
                run = runs[0]
            second = await ws.run(desk, "Count refund_facts by reason.", thread_id="t")
            return f"done {run.status}\n{second.status}\n{answer(run)}"

    return asyncio.run(go())


def answer(run: Any) -> str:
    """The answer without the ids that differ from run to run."""
    return re.sub(r"(tbl|art|run|call)_\w+", r"\1", run.record.output or "")


def refunds(folder: Path) -> int:
    """How often order 1042 was refunded."""
    import sqlite3

    db = sqlite3.connect(folder / "data" / "shop.db")
    count: int = db.execute("SELECT count(*) FROM refunds WHERE order_id = 1042").fetchone()[0]
    db.close()
    return count


def fresh(folder: Path) -> None:
    """The shop as it was before any run."""
    shutil.rmtree(folder / "data")
    shutil.copytree(folder / "clean", folder / "data")


def events_of_a_run(folder: Path, tmp_path: Path) -> tuple[int, str]:
    """How many events an undisturbed run has, and its answer."""

    def count() -> str:
        async def go() -> str:
            from segue import Workspace

            desk = importlib.import_module("desk").desk

            async with Workspace.open(folder, data_dir=tmp_path / "whole") as ws:
                handle = ws.start(desk, REQUEST, thread_id="t")
                events = [event async for event in handle.events()]
                run = await to_the_end(ws, desk, await handle)
                return f"done {len(events)}\n{answer(run)}"

        return asyncio.run(go())

    fresh(folder)
    head, _, said = in_child(count).partition("\n")
    return int(head.split()[1]), said


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_killed_run_ends_with_the_same_answer_and_its_thread_takes_a_second_turn(shop: Path, tmp_path: Path) -> None:
    total, said = events_of_a_run(shop, tmp_path)
    wrong: list[tuple[int, str]] = []

    for point in range(KILLS):
        fresh(shop)
        data = tmp_path / f"k{point}"
        in_child(lambda: started(shop, data, 1 + point * (total + 20) // KILLS, cancel=False), kill=True)  # noqa: B023
        head, second, again = in_child(lambda: resumed(shop, data)).split("\n", 2)  # noqa: B023
        if head != "done completed" or second != "completed" or again != said or refunds(shop) != 1:
            wrong.append((point, f"{head} {second} {refunds(shop)}\n{again[-500:]}"))
        shutil.rmtree(data, ignore_errors=True)

    assert not wrong, f"{len(wrong)} of {KILLS}: {wrong[:2]}"


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_cancelled_run_leaves_a_thread_that_takes_the_next_turn(shop: Path, tmp_path: Path) -> None:
    total, _ = events_of_a_run(shop, tmp_path)
    wrong: list[tuple[int, str]] = []

    for point in range(CANCELS):
        fresh(shop)
        data = tmp_path / f"c{point}"
        said = in_child(lambda: started(shop, data, 1 + point * total // CANCELS, cancel=True))  # noqa: B023
        head, second, _ = said.split("\n", 2)
        if not head.startswith("done stopped cancelled") and not head.startswith("done completed"):
            wrong.append((point, said[:300]))
        elif second != "completed" or refunds(shop) != 1:
            wrong.append((point, f"{second} {refunds(shop)}"))
        shutil.rmtree(data, ignore_errors=True)

    assert not wrong, f"{len(wrong)} of {CANCELS}: {wrong[:2]}"
