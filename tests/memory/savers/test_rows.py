"""What lies in the database: flat growth, whose rows they are, and that nobody can change or move them unnoticed."""

from __future__ import annotations

import operator
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.graph import START, MessagesState, StateGraph
from typing_extensions import TypedDict

from segue.base.errors import StoreError
from segue.memory import SqliteSaver, new_key

KEY = "5e" * 32


class Notes(TypedDict):
    notes: Annotated[list[Any], operator.add]


TABLES = ("segue_threads", "segue_checkpoints", "segue_writes", "segue_lineages", "segue_segments")


def chat(saver: Any) -> Any:
    """A graph that answers with 1,500 characters."""

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [("ai", f"{len(state['messages'])} ".ljust(1500, "a"))]}

    graph: Any = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    return graph.compile(checkpointer=saver)


def at(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


async def talk(saver: Any, thread: str, turns: int = 1) -> Any:
    graph = chat(saver)
    for turn in range(turns):
        state = await graph.ainvoke({"messages": [("user", f"{turn} ".ljust(500, "q"))]}, at(thread))
    return state


@asynccontextmanager
async def rows(path: Path) -> AsyncIterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


async def test_each_turn_writes_as_much_as_the_first_ones(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    sizes = []
    async with SqliteSaver.open(path) as saver, rows(path) as db:
        for turn in range(500):
            await talk(saver, "t")
            if turn in (9, 19, 489, 499):
                bodies = [
                    f"SELECT COALESCE(SUM(LENGTH(body)), 0) AS n FROM {table}" for table in TABLES[1:3] + TABLES[4:]
                ]
                sizes.append(db.execute(f"SELECT SUM(n) FROM ({' UNION ALL '.join(bodies)})").fetchone()[0])

    early, late = sizes[1] - sizes[0], sizes[3] - sizes[2]
    assert late < 1.2 * early


async def test_a_thread_of_many_turns_takes_a_few_times_its_payload_on_disk(tmp_path: Path) -> None:
    async def answer(state: Notes) -> dict[str, Any]:
        return {"notes": [{"role": "assistant", "content": f"{len(state['notes'])} ".ljust(1500, "a")}]}

    graph: Any = StateGraph(Notes)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        for turn in range(150):
            said = {"role": "user", "content": f"{turn} ".ljust(500, "q")}
            await graph.compile(checkpointer=saver).ainvoke({"notes": [said]}, at("t"))

    assert (tmp_path / "state.db").stat().st_size < 4 * 150 * 2000


async def test_a_cold_process_reads_what_a_warm_one_wrote(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        wanted = await talk(saver, "t", turns=5)
        warm = await chat(saver).aget_state(at("t"))
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        cold = await chat(saver).aget_state(at("t"))

    assert cold.values == warm.values == wanted
    assert cold.config == warm.config


async def test_no_thread_id_reaches_another_tenants_rows(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", tenant="acme") as acme:
        other = acme.for_tenant("other")
        await talk(acme, "t")
        await talk(other, "t", turns=2)

        assert len((await acme.aget_tuple(at("t"))).checkpoint["channel_values"]["messages"]) == 2  # type: ignore[union-attr]
        assert len((await other.aget_tuple(at("t"))).checkpoint["channel_values"]["messages"]) == 4  # type: ignore[union-attr]
        assert [held async for held in acme.for_tenant("third").alist(None)] == []
        assert {held.config["configurable"]["thread_id"] async for held in acme.alist(None)} == {"t"}
        await other.adelete_thread("t")
        assert await other.aget_tuple(at("t")) is None
        assert await acme.aget_tuple(at("t")) is not None
        for thread in ("acme/t", "t\x1f", "%", "t' OR '1'='1", "../t"):
            assert await other.aget_tuple(at(thread)) is None


async def test_with_a_key_nothing_that_was_said_lies_on_disk(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        await saver.aput(
            at("t"), checkpoint("1", {"a": "planted small", "b": "planted large " * 100}), {"m": "planted"}, {}
        )
        await saver.aput_writes(
            at("t") | {"configurable": {"thread_id": "t", "checkpoint_id": "1"}}, [("a", "planted")], "task"
        )

        for file in tmp_path.iterdir():
            assert b"planted" not in file.read_bytes()


_ROW = "UPDATE segue_checkpoints SET body ="
TAMPERING = {
    "a checkpoint's row": f"{_ROW} zeroblob(200)",
    "a flipped byte": f"{_ROW} CAST(substr(body, 1, 100) || x'00' || substr(body, 102) AS BLOB)",
    "a checkpoint of another thread": f"{_ROW} (SELECT c.body FROM segue_checkpoints c"
    " JOIN segue_threads t ON t.no = c.thread WHERE t.thread = 'u' ORDER BY c.id DESC LIMIT 1)",
    "a checkpoint of another id": f"{_ROW} (SELECT body FROM segue_checkpoints ORDER BY no LIMIT 1)",
    "a parent": "UPDATE segue_checkpoints SET parent = 'another'",
    "a thread that was renamed": "UPDATE segue_threads SET thread = CASE thread WHEN 't' THEN 'u2' ELSE 't' END",
    "a thread given to a tenant": "UPDATE segue_threads SET thread = 't',"
    " tenant = CASE thread WHEN 't' THEN 'x' ELSE 'local' END",
    "segments that were swapped": "UPDATE segue_segments SET body = (SELECT body FROM segue_segments s"
    " WHERE s.key <> segue_segments.key ORDER BY s.key LIMIT 1)",
    "a segment": "UPDATE segue_segments SET body = x'0190'",
    "segments taken out": "DELETE FROM segue_segments WHERE key & 16777215 = 2",
    "writes": "UPDATE segue_writes SET body = zeroblob(60)",
    "a row that is text": f"{_ROW} '{{}}'",
    "a segment that is a number": "UPDATE segue_segments SET body = 7",
    "writes that are text": "UPDATE segue_writes SET body = 'yes'",
    "writes of another task": "UPDATE segue_writes SET task = 'another'",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING.keys())
async def test_whatever_is_changed_or_moved_is_refused_by_name(tmp_path: Path, statement: str) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        await talk(saver, "t", turns=2)
        await talk(saver, "u", turns=2)
        for thread in ("t", "u"):
            newest = await saver.aget_tuple(at(thread))
            assert newest is not None
            await saver.aput_writes(newest.config, [("messages", "waiting")], "task")
    async with rows(tmp_path / "state.db") as db:
        db.execute(statement)

    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        with pytest.raises(StoreError, match=r"(checkpoint|segment|writes|thread)\b.*'t'") as told:
            await saver.aget_tuple(at("t"))

    assert not told.value.retryable


DAMAGE = {
    "a checkpoint": "UPDATE segue_checkpoints SET body = x'0001ff'",
    "an empty checkpoint": "UPDATE segue_checkpoints SET body = x'00'",
    "a segment": "UPDATE segue_segments SET body = x'00c1'",
    "writes": "UPDATE segue_writes SET body = x'000105'",
}


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
async def test_a_damaged_row_is_told_by_name_without_a_key_too(tmp_path: Path, statement: str) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        await talk(saver, "t", turns=2)
        newest = await saver.aget_tuple(at("t"))
        assert newest is not None
        await saver.aput_writes(newest.config, [("messages", "waiting")], "task")
    async with rows(tmp_path / "state.db") as db:
        db.execute(statement)

    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        with pytest.raises(StoreError, match="of thread 't' of tenant 'local' is damaged"):
            await saver.aget_tuple(at("t"))


async def test_plain_rows_and_sealed_ones_do_not_mix(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        await talk(saver, "plain")
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        with pytest.raises(StoreError, match="not encrypted, although a key is set"):
            await saver.aget_tuple(at("plain"))
        await talk(saver, "sealed")
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        with pytest.raises(StoreError, match="is encrypted"):
            await saver.aget_tuple(at("sealed"))


async def test_a_key_is_changed_while_threads_go_on(tmp_path: Path) -> None:
    new = new_key()
    async with SqliteSaver.open(tmp_path / "state.db", key=KEY) as saver:
        await talk(saver, "t", turns=2)
    async with SqliteSaver.open(tmp_path / "state.db", key=new, old_keys=[KEY]) as saver:
        state = await talk(saver, "t")
    async with SqliteSaver.open(tmp_path / "state.db", key=new) as saver:
        with pytest.raises(StoreError, match="another key"):
            await saver.aget_tuple(at("t"))

    assert len(state["messages"]) == 6


async def test_a_deleted_thread_leaves_no_row_and_no_byte(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        await talk(saver, "gone", turns=3)
        await saver.aput(at("gone"), checkpoint("9", {"a": "planted " * 200}), {}, {"a": 1})

        await saver.adelete_thread("gone")

        async with rows(tmp_path / "state.db") as db:
            assert [db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in TABLES] == [0] * 5
        for file in tmp_path.iterdir():
            held = file.read_bytes()
            assert b"planted" not in held
            assert b"qqqqqqqq" not in held


def checkpoint(checkpoint_id: str, values: dict[str, Any], version: int = 1) -> Any:
    """A checkpoint as LangGraph hands it over."""
    return {
        "v": 2,
        "id": checkpoint_id,
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, version),
        "versions_seen": {},
        "updated_channels": None,
    }
