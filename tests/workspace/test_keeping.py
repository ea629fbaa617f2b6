"""Where a workspace keeps its state: in a file, encrypted or not, or in PostgreSQL, as its settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import Agent, Workspace, tool
from segue.base.errors import ConfigError
from segue.memory import new_key
from segue.testing import ScriptedModel, call

SAID = "a planted sentence that somebody said"


def agent(*replies: object) -> Agent:
    return Agent("clerk", model=ScriptedModel(replies or ["fine"]))


async def test_with_a_key_nothing_that_was_said_or_done_lies_in_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_KEY", new_key())
    (tmp_path / "segue.toml").write_text('encryption_key = "env:DESK_KEY"\n', encoding="utf-8")

    @tool(effect="write")
    def note(text: str) -> str:
        """Note it down."""
        return f"noted {text}"

    async with Workspace.open(tmp_path) as ws:
        clerk = Agent("clerk", model=ScriptedModel([call("note", text=SAID), "done"]), tools=[note])
        run = await ws.run(clerk, SAID, thread_id="t")
        assert run.status == "completed", run.error

    for file in (tmp_path / ".segue").glob("state.db*"):
        assert SAID.encode() not in file.read_bytes()


async def test_a_key_is_changed_and_threads_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD_KEY", new_key())
    monkeypatch.setenv("NEW_KEY", new_key())
    toml = tmp_path / "segue.toml"
    toml.write_text('encryption_key = "env:OLD_KEY"\n', encoding="utf-8")
    async with Workspace.open(tmp_path) as ws:
        await ws.run(agent(), "first", thread_id="t")
    toml.write_text('encryption_key = "env:NEW_KEY"\nold_encryption_keys = ["env:OLD_KEY"]\n', encoding="utf-8")
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent("second"), "again", thread_id="t")
        assert run.output == "second"
    toml.write_text("", encoding="utf-8")

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(agent(), "without a key", thread_id="t")

    assert run.status == "failed"
    assert "is encrypted" in (run.error or "")


@pytest.mark.xdist_group("postgres")
async def test_two_workspaces_share_a_thread_in_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("DESK_DATABASE", postgres_url)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "segue.toml").write_text('checkpoints = "env:DESK_DATABASE"\n', encoding="utf-8")

    async with Workspace.open(tmp_path / "one") as one, Workspace.open(tmp_path / "two") as two:
        await one.run(agent("from one"), "first", thread_id="t")
        run = await two.run(agent("from two"), "second", thread_id="t")

        assert run.output == "from two"
        newest = [found async for found in two.saver.alist(None, limit=1)]
        assert len(newest[0].checkpoint["channel_values"]["messages"]) == 4


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('checkpoints = "postgresql://ann:secret@host/db"', "password"),
        ('checkpoints = "mysql://host/db"', "postgresql://"),
        ('checkpoints = "sqlite://"', "names no file"),
        ('checkpoints = "env:NOT_SET"', "NOT_SET"),
        ('encryption_key = "0123"', "must not stand in the settings"),
        ('encryption_key = "env:SHORT_KEY"', "16, 24 or 32 bytes"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, said: str
) -> None:
    monkeypatch.setenv("SHORT_KEY", "abc123")
    (tmp_path / "segue.toml").write_text(toml, encoding="utf-8")

    with pytest.raises(ConfigError, match=said) as told:
        async with Workspace.open(tmp_path):
            pass
    assert "secret@" not in str(told.value)
    assert "abc123" not in str(told.value)


async def test_a_relative_file_lies_in_the_workspaces_folder(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text('checkpoints = "sqlite:///kept/threads.db"\n', encoding="utf-8")

    async with Workspace.open(tmp_path) as ws:
        await ws.run(agent(), "hello", thread_id="t")

    assert (tmp_path / "kept" / "threads.db").is_file()
    assert not (tmp_path / ".segue" / "state.db").exists()
