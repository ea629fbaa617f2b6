"""`segue tools`: what it shows of an agent's tools, and what the gate knows of each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from segue.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it

AGENTS = '''
from segue import Agent, Planner, Team, tool
from segue.testing import ScriptedModel

@tool(effect="read", declare={"returns": {"address": "sys:name address"}})
def find_contact(name: str) -> list:
    """Find people."""

@tool(effect="irreversible", reach="out")
def send_mail(recipients: list[str], body: str) -> str:
    """Send a mail.

    Args:
        recipients: The e-mail addresses.
        body: What it says.
    """

clerk = Agent("clerk", description="Writes.", model=ScriptedModel([]), tools=[find_contact, send_mail])
desk = Team("desk", planner=Planner(model=ScriptedModel([])), workers=[clerk])
'''


@pytest.fixture(autouse=True)
def _agents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text(AGENTS)


def _said(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tools", *arguments])
    assert ended.value.code == 0


def test_the_tools_of_a_team_are_those_of_its_workers(capsys: pytest.CaptureFixture[str]) -> None:
    _said("desk.py:desk")

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        ["clerk", "find_contact", "read", "own", "find_contact", "yes"],
        ["clerk", "send_mail", "irreversible", "out", "send_mail", "no"],
    ]


def test_what_is_derived_is_shown_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    _said("desk.py:clerk", "--explain")

    told = capsys.readouterr().out
    assert "returns       address = sys:name address   (declared)" in told
    assert "recipients = address: user, trusted, resolved" in told
    assert "recipients: an argument of this name or description is of the kind address" in told
    assert "content       body   (arguments of these names carry text)" in told


def test_the_explanation_is_data_too(capsys: pytest.CaptureFixture[str]) -> None:
    _said("desk.py:clerk", "--explain", "--json")

    contact, mail = json.loads(capsys.readouterr().out)
    assert contact["declaration"]["returns"] == {"address": "sys:name address"}
    assert mail["why"]["sinks.recipients"]
