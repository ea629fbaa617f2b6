"""`segue audit`: what it says of a whole log, of a broken one, and of none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from segue import Agent, Approve, Principal, Workspace, tool
from segue.cli.main import main
from segue.testing import ScriptedModel, call

pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it


@tool(approval=True)
def pay(to: str) -> str:
    """Pay."""
    return f"paid {to}"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A workspace in which Ann's payment was approved."""
    async with Workspace.open(tmp_path) as ws:
        agent = Agent("payer", model=ScriptedModel([call("pay", to="x"), "done"]), tools=[pay])
        run = await ws.run(agent, "go", principal=Principal("acme", "ann"))
        await ws.resume(run.id, {run.interrupts[0].id: Approve()}, principal=Principal("acme", "ann"))
    return tmp_path


def segue(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def test_a_whole_log_is_said_to_be_whole_with_an_anchor_to_keep(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segue("audit", "verify", "--workspace", str(folder)) == 0

    said = capsys.readouterr().out
    assert "rows, none altered, deleted, moved or cut off" in said
    anchor = said.split("anchor ")[1].strip()
    assert segue("audit", "verify", "--workspace", str(folder), "--anchor", anchor) == 0
    assert segue("audit", "verify", "--workspace", str(folder), "--anchor", "9:x") == 2


def test_a_broken_log_names_its_first_broken_row_and_exits_with_1(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(folder / ".segue" / "audit.db")) as db, db:
        db.executescript("DROP TRIGGER no_delete; DELETE FROM decisions WHERE seq = 2")

    assert segue("audit", "verify", "--workspace", str(folder)) == 1

    assert "the audit log is broken: row 2 is missing: row 3 follows\n1 rows before it hold" in capsys.readouterr().out


def test_decisions_are_listed_and_found_by_user_and_verdict(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segue("audit", "list", "--workspace", str(folder)) == 0
    table = capsys.readouterr().out
    assert segue("audit", "list", "--workspace", str(folder), "--verdict", "approve", "--json") == 0
    approved = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    segue("audit", "list", "--workspace", str(folder), "--tenant", "acme", "--user", "ann", "--json")
    anns = capsys.readouterr().out.splitlines()
    segue("audit", "list", "--workspace", str(folder), "--tenant", "acme", "--user", "bob")

    assert "ask" in table
    assert "person" in table
    assert [(row["kind"], row["tool"], row["rule"]) for row in approved] == [("answer", "pay", "approval")]
    assert len(anns) == len(table.splitlines()) - 1
    assert capsys.readouterr().out == "no decisions\n"


def test_what_is_not_there_is_said_with_the_way_out(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path_factory.mktemp("empty")
    (folder / ".segue.audit.key").unlink()

    codes = [
        segue("audit", "verify", "--workspace", str(empty)),
        segue("audit", "verify", "--workspace", str(folder)),
        segue("audit", "verify", "--workspace", str(folder / "nowhere")),
        segue("audit", "list", "--workspace", str(folder), "--verdict", "maybe"),
    ]

    said = capsys.readouterr().err
    assert codes == [2, 3, 2, 2]
    for words in ("there is no audit log in", "Bring the key back", "there is no folder"):
        assert words in said
