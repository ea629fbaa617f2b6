"""The command line on what has been: threads, checkpoints, forks, drained runs and those of an earlier process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SEGUE = str(Path(sys.executable).with_name("segue"))
AGENT = '''
import asyncio
from pathlib import Path

from segue import Agent, tool


@tool(effect="read")
async def price(item: str) -> str:
    """What an item on the menu costs.

    Args:
        item: The item, such as tea.
    """
    while item == "gold" and not Path("go").exists():
        await asyncio.sleep(0.01)
    return f"{item}: EUR 2.80"


@tool(effect="read")
async def size(ctx, item: str) -> str:
    """How large an item is.

    Args:
        item: The item.
    """
    return f"{item} of {ctx.ask('How many grams?', schema=int)} grams"


cafe = Agent("cafe", tools=[price])
shop = Agent("shop", tools=[size])
'''.replace("size(ctx, ", "size(ctx: RunContext, ").replace("Agent, tool", "Agent, RunContext, tool")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "here.py").write_text(AGENT, encoding="utf-8")
    return tmp_path


def segue(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SEGUE, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def rows(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    done = segue(folder, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_thread_is_listed_looked_into_and_forked(folder: Path) -> None:
    assert "no threads yet" in segue(folder, "threads").stdout
    assert segue(folder, "run", "here.py:cafe", 'Price of the item "tea"?', "--thread", "t").returncode == 0
    [thread] = rows(folder, "threads")
    found = rows(folder, "checkpoints", "t")
    table = segue(folder, "checkpoints", "t").stdout.splitlines()

    assert (thread["thread"], thread["agent"], thread["runs"], thread["status"]) == ("t", "cafe", 1, "completed")
    assert {each["run"] for each in found} == {thread["last_run"]}
    assert [line.split()[0] for line in table] == ["id", *(each["id"] for each in found)]

    forked = segue(folder, "fork", "t", found[0]["id"], 'Price of the item "milk"?')
    assert (forked.returncode, "milk: EUR 2.80" in forked.stdout) == (0, True)
    compared = rows(
        folder, "checkpoints", "t", "--compare", found[0]["id"], "--compare", rows(folder, "threads")[0]["last_run"]
    )
    assert {"what": "common", "left": found[0]["id"], "right": ""} in compared
    assert any("milk: EUR 2.80" in each["right"] for each in compared)


def test_what_cannot_be_forked_is_told(folder: Path) -> None:
    segue(folder, "run", "here.py:cafe", 'Price of the item "tea"?', "--thread", "t")
    newest = rows(folder, "checkpoints", "t")[0]["id"]

    for arguments, told in (
        (("fork", "t", "nope"), "has no checkpoint 'nope'"),
        (("fork", "t", newest), "nothing is left to run"),
        (("fork", "t", newest, "--set", "rounds=three"), "give the value as JSON"),
        (("checkpoints", "u"), "there is no thread 'u' here"),
        (("checkpoints", "t", "--compare", newest), "--compare is given twice"),
    ):
        done = segue(folder, *arguments)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr


def test_an_answer_is_read_as_what_was_asked_for(folder: Path) -> None:
    waits = segue(folder, "run", "here.py:shop", 'Size of the item "tea"?', "--json")
    run = json.loads(waits.stdout)
    [asked] = run["interrupts"]

    wrong = segue(folder, "resume", run["run_id"], "--answer", f"{asked['id']}=many")
    right = segue(folder, "resume", run["run_id"], "--answer", f"{asked['id']}=250")

    assert (wrong.returncode, "'many' is not of type 'integer'" in wrong.stderr) == (2, True)
    assert (right.returncode, "tea of 250 grams" in right.stdout) == (0, True), right.stderr


@pytest.fixture
def golden(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run in a process of its own, inside its tool."""
    started = subprocess.Popen(
        [SEGUE, "run", "here.py:cafe", 'Price of the item "gold"?'],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert started.stdout is not None
    for line in started.stdout:
        if "price(" in line:
            break
    yield started
    started.kill()
    started.communicate()


def test_sigterm_drains_the_run_and_it_is_gone_on_with(folder: Path, golden: subprocess.Popen[str]) -> None:
    assert golden.stderr is not None
    golden.send_signal(signal.SIGTERM)
    assert "stopping at the next checkpoint" in golden.stderr.readline()
    (folder / "go").touch()
    out, _ = golden.communicate(timeout=30)
    run_id = re.findall(r"segue resume (run_\w+)", out)[0]
    done = segue(folder, "resume", run_id)

    assert golden.returncode == 1
    assert "stopped (drained)" in out
    assert (done.returncode, "gold: EUR 2.80" in done.stdout) == (0, True), done.stderr


def test_a_killed_run_is_shown_as_crashed_and_gone_on_with(folder: Path, golden: subprocess.Popen[str]) -> None:
    golden.kill()
    golden.wait()
    (folder / "go").touch()
    [thread] = rows(folder, "threads")
    done = segue(folder, "resume", thread["last_run"])

    assert thread["status"] == "stopped (crashed)"
    assert (done.returncode, "gold: EUR 2.80" in done.stdout) == (0, True), done.stderr
