"""`segue check`: what it says of stored threads, what it exits with, and that it migrates when it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue import Workspace
from segue.cli.main import main
from segue.workspace.loading import load

pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it


AGENTS = """
from segue import Agent, tool
from segue.testing import ScriptedModel, call

def made(name, approval=True, **options):
    async def refund(order: str) -> str:
        "Pay it back."
        return "paid"
    refund.__name__ = name
    def reply(request):
        return "done" if request.messages[-1]["role"] == "tool" else call("refund", "c1", order="7")
    tools = [tool(refund, effect="write", approval=approval)]
    return Agent("clerk", model=ScriptedModel(reply), tools=tools, **options)

def to_pay_back(state):
    *before, last = state["messages"]
    call = last["tool_calls"][0]
    call["function"]["name"] = "pay_back"
    return {**state, "messages": [*before, last]}

old = made("refund", version="1")
renamed = made("pay_back", version="2")
migrated = made("pay_back", version="2", migrations={"1": to_pay_back})
unasked = made("refund", approval=False, version="2")
"""


@pytest.fixture(autouse=True)
async def _stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread of the agent `old` that waits for an approval."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text(AGENTS)
    async with Workspace.open() as ws:
        await ws.run(load("desk.py:old", tmp_path), "please", thread_id="t")


def segue(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("target", "code", "said"),
    [
        ("old", 0, "1 resume,"),
        ("renamed", 1, "tool refund"),
        ("unasked", 4, "tool refund"),
        ("migrated", 0, "1 → 2"),
    ],
)
def test_the_command_tells_each_thread_and_exits_by_the_worst(
    target: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segue("check", f"desk.py:{target}") == code
    assert said in capsys.readouterr().out


def test_the_command_says_what_has_changed_since(capsys: pytest.CaptureFixture[str]) -> None:
    segue("check", "desk.py:renamed")

    said = capsys.readouterr().out
    assert "tool refund is gone" in said
    assert "tool pay_back is new" in said


def test_the_command_gives_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert segue("check", "desk.py:renamed", "--json") == 1

    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["kind"], verdict["thread_id"], verdict["status"]) == ("needs migration", "t", "waiting")
    assert verdict["findings"][0]["where"] == "tool refund"


def test_the_command_migrates_when_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert segue("check", "desk.py:migrated", "--apply") == 0
    assert "1 thread migrated" in capsys.readouterr().out

    assert segue("check", "desk.py:migrated", "--all", "--thread", "t") == 0
    assert "migrates first" not in capsys.readouterr().out


def test_a_thread_that_is_not_there_is_wrong_input() -> None:
    assert segue("check", "desk.py:old", "--thread", "nope") == 2
