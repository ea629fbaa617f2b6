"""One thread of PostgreSQL between workspaces that share nothing else: turns, refusals, and a lock that is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from segue import Agent, Workspace
from segue.base.errors import StoreError
from segue.memory.postgres_database import PostgresDatabase
from segue.testing import ScriptedModel
from segue.workspace.turns import ThreadBusy, ThreadLost

pytestmark = pytest.mark.xdist_group("postgres")


class Hold:
    """A model that stays until it is let go, and says when it is there."""

    def __init__(self) -> None:
        self.there, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, request: Any) -> str:
        self.there.set()
        await self.go.wait()
        return "first"


def agent(*replies: Any) -> Agent:
    return Agent("a", model=ScriptedModel(replies))


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> tuple[Path, Path]:
    """Two workspaces, as on two machines, with one database."""
    monkeypatch.setenv("DESK_DATABASE", postgres_url)
    found = tmp_path / "one", tmp_path / "two"
    for folder, wait_s in zip(found, (30, 1), strict=True):
        folder.mkdir()
        (folder / "segue.toml").write_text(f'checkpoints = "env:DESK_DATABASE"\nthread_wait_s = {wait_s}\n')
    return found


async def test_runs_take_turns_at_a_thread_of_postgresql(folders: tuple[Path, Path]) -> None:
    hold, second = Hold(), agent("second")
    async with Workspace.open(folders[0]) as one, Workspace.open(folders[1]) as two:
        first = one.start(agent(hold), "a", thread_id="t")
        await hold.there.wait()
        refused = await two.run(agent("never"), "b", thread_id="t")
        hold.go.set()
        assert (await first).output == "first"
        run = await two.run(second, "c", thread_id="t")

    assert isinstance(refused.exception, ThreadBusy)
    assert "thread t is held by" in refused.error
    assert run.output == "second"
    assert [each["content"] for each in second.model.requests[0].messages if each["role"] != "system"] == [
        "a", "first", "c",
    ]  # fmt: skip


async def test_a_run_whose_lock_is_lost_stops_as_if_it_had_crashed_and_is_gone_on_with(
    folders: tuple[Path, Path], postgres_url: str
) -> None:
    hold = Hold()
    speaker = agent(hold, "after all")
    async with Workspace.open(folders[0]) as ws:
        handle = ws.start(speaker, "a", thread_id="t")
        await hold.there.wait()
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        run = await handle
        assert (run.status, run.stop_reason, type(run.exception)) == ("stopped", "crashed", ThreadLost)
        assert ws.get(run.id).stop_reason == "crashed"
        run = await ws.resume(run.id)

    assert run.output == "after all"


async def test_a_run_whose_store_fails_when_its_lock_is_lost_has_crashed_and_not_failed(
    folders: tuple[Path, Path], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(request: Any) -> str:
        """Before anybody looks whether the lock is held, what comes next cannot be written."""
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

        async def broken(*_: Any, **__: Any) -> Any:
            raise StoreError("the connection broke off")

        monkeypatch.setattr(PostgresDatabase, "transaction", broken)
        return "lost"

    speaker = agent(cut, "after all")
    async with Workspace.open(folders[0]) as ws:
        run = await ws.run(speaker, "a", thread_id="t")
        monkeypatch.undo()
        assert (run.status, run.stop_reason, type(run.exception)) == ("stopped", "crashed", ThreadLost)
        run = await ws.resume(run.id)

    assert run.status == "completed"
