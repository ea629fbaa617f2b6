"""Stages: what a run puts one after the other is what others read, and nothing is committed before its time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.memory.savers.test_rows import at, checkpoint

from segue.memory import SqliteSaver
from segue.memory.database import Statement
from segue.memory.savers import staging
from segue.memory.savers.staging import Staging
from segue.memory.sqlite_database import SqliteDatabase


async def nothing() -> None: ...


def said(*names: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": name.ljust(700, "x")} for name in names]


def stamped(id_: str, values: dict[str, Any], versions: dict[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = checkpoint(id_, values)
    found["channel_versions"] = versions
    return found


async def values_of(saver: Any, id_: str | None = None) -> Any:
    config = at("t")
    if id_ is not None:
        config["configurable"]["checkpoint_id"] = id_
    found = await saver.aget_tuple(config)
    return found.checkpoint["channel_values"]


async def test_what_a_stage_puts_is_what_others_read_and_go_on_with(tmp_path: Path) -> None:
    a, b, c, d = said("a", "b", "c", "d")
    async with SqliteSaver.open(tmp_path / "s.db") as one, SqliteSaver.open(tmp_path / "s.db") as two:
        with one.stage(at("t"), before=nothing) as stage:
            for step, held in enumerate(([a], [a, b], [a, b, c]), 1):
                found = stamped(f"000{step}", {"messages": held, "n": step}, {"messages": step, "n": step})
                parent = f"000{step - 1}" if step > 1 else None
                await stage.put(parent, found, {"step": step}, {"messages": step, "n": step}, ("run", b""))
                await stage.durable()
        goes_on = stamped("0004", {"messages": [a, b, c, d], "n": 3}, {"messages": 4, "n": 3})
        config = at("t")
        config["configurable"]["checkpoint_id"] = "0003"
        await one.aput(config, goes_on, {"step": 4}, {"messages": 4})
        rows = await one.database.execute("SELECT count(*) FROM segue_segments")

        assert [await values_of(two, f"000{step}") for step in (1, 2, 3, 4)] == [
            {"messages": [a], "n": 1},
            {"messages": [a, b], "n": 2},
            {"messages": [a, b, c], "n": 3},
            {"messages": [a, b, c, d], "n": 3},
        ]
        assert await values_of(one) == await values_of(two)
    assert rows == [(4,)]  # each message once


async def test_a_list_that_a_stage_left_alone_at_first_grows_behind_what_is_stored(tmp_path: Path) -> None:
    a, b, c = said("a", "b", "c")
    async with SqliteSaver.open(tmp_path / "s.db") as one:
        await one.aput(at("t"), stamped("0001", {"messages": [a, b], "n": 1}, {"messages": 1, "n": 1}), {}, {
            "messages": 1, "n": 1,
        })  # fmt: skip
    async with SqliteSaver.open(tmp_path / "s.db") as two:  # which has nothing of it in memory
        with two.stage(at("t"), before=nothing) as stage:
            for step, held in enumerate(([a, b], [a, b], [a, b, c]), 2):
                new = {"n": step} | ({"messages": step} if len(held) > 2 else {})
                versions = {"messages": step if len(held) > 2 else 1, "n": step}
                found = stamped(f"000{step}", {"messages": held, "n": step}, versions)
                await stage.put(f"000{step - 1}", found, {}, new, ("run", b""))
            await stage.durable()
        rows = await two.database.execute("SELECT count(*) FROM segue_segments")
    async with SqliteSaver.open(tmp_path / "s.db") as three:
        assert await values_of(three) == {"messages": [a, b, c], "n": 4}
        assert await values_of(three, "0003") == {"messages": [a, b], "n": 3}
    assert rows == [(2,)]  # what the first checkpoint had, and what came behind


class Watched(SqliteDatabase):
    """Tells when it was written to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.wrote: list[tuple[float, str]] = []

    async def transaction(self, statements: Sequence[Statement], *, soon: bool = True, seen_s: float = 0.0) -> Any:
        found = await super().transaction(statements, soon=soon, seen_s=seen_s)
        self.wrote.append((asyncio.get_running_loop().time(), str(statements[0][1])))
        return found


async def test_what_is_in_no_hurry_waits_for_its_own_time_not_for_that_of_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "LATER_S", 0.2)
    loop = asyncio.get_running_loop()
    async with Watched(tmp_path / "d.db") as database:
        await database.execute("CREATE TABLE t (x TEXT)")
        database.wrote.clear()
        waiting = Staging(loop)
        put = "INSERT INTO t VALUES (?)"
        waiting.later((put, ("first",)), database)
        taken = waiting.overdue()  # a commit that happened anyway
        await asyncio.sleep(0.15)
        began = loop.time()
        waiting.later((put, ("second",)), database)
        async with asyncio.timeout(10):
            while not database.wrote:  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    assert [statement[1] for statement in taken] == [("first",)]
    (at_s, what), *more = database.wrote
    assert (what, more) == ("('second',)", [])
    assert at_s - began > 0.19
