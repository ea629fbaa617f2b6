"""The savers by themselves: lists and values that come back, forks, windows, upkeep, other processes, cancels."""

from __future__ import annotations

import asyncio
import operator
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.channels.delta import DeltaChannel
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from tests.memory.savers.test_rows import at, chat, checkpoint, talk
from typing_extensions import TypedDict

from segue.base.errors import BadInput, ConfigError, StoreError
from segue.memory import PostgresSaver, SqliteSaver
from segue.memory.savers.draft import ChangedInPlace

PG = pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))


@pytest.fixture(params=["sqlite", PG])
async def saver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    if request.param == "sqlite":
        async with SqliteSaver.open(tmp_path / "state.db") as opened:
            yield opened
    else:
        async with PostgresSaver.open(request.getfixturevalue("postgres_url")) as found:
            yield found


def message(name: object) -> dict[str, Any]:
    return {"role": "user", "content": f"{name} ".ljust(700, "x")}


class Thread:
    """Puts checkpoints on a thread, one after the other, as LangGraph does."""

    def __init__(self, saver: Any, thread: str = "t") -> None:
        self.saver = saver
        self.config = at(thread)
        self.count = 0
        self.versions: dict[str, int] = {}

    async def put(self, values: dict[str, Any], *, new: list[str] | None = None, **metadata: Any) -> Any:
        self.count += 1
        versions = dict.fromkeys(values if new is None else new, self.count)
        self.versions |= versions
        held = checkpoint(f"{self.count:04d}", values)
        held["channel_versions"] = {channel: self.versions[channel] for channel in values}
        self.config = await self.saver.aput(self.config, held, {"step": self.count, **metadata}, versions)
        return self.config


async def values(saver: Any, config: Any) -> Any:
    found = await saver.aget_tuple(config)
    return None if found is None else found.checkpoint["channel_values"]


class Thing(BaseModel):
    name: str


VALUES = {
    "decimal": Decimal("1.10"),
    "moment": datetime(2026, 1, 1, tzinfo=UTC),
    "set": {1, 2},
    "tuple": (1, "two"),
    "bytes": b"\x00\xff",
    "none": None,
    "nested": {"a": [1, {"b": b"x" * 600}], 3: "three"},
    "large": "text " * 500,
    "message": AIMessage("hello", id="a", tool_calls=[{"name": "f", "args": {"x": 1}, "id": "1"}]),
    "messages": [HumanMessage("hi " * 300, id="h"), ToolMessage("result", tool_call_id="1"), ("a", 1), None, b"raw"],
    "model": Thing(name="x"),
    "deque": deque([1, 2]),
    "empty list": [],
    "empty": {},
    "list of lists": [[1] * 300, [], [[2]]],
    "surrogate": "\ud800",
}


@pytest.mark.parametrize("name", VALUES)
async def test_a_value_comes_back_as_langgraphs_own_saver_gives_it(saver: Any, name: str) -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    wanted = serde.loads_typed(serde.dumps_typed(VALUES[name]))
    thread = Thread(saver)

    await thread.put({name: VALUES[name]})
    await thread.put({name: VALUES[name], "other": 1}, new=["other"])
    await saver.aput_writes(thread.config, [(name, VALUES[name])], "task")
    saver._core.shared.cache.forget("local", "t")
    found = await saver.aget_tuple(thread.config)

    assert found.checkpoint["channel_values"] == {name: wanted, "other": 1}
    assert found.pending_writes == [("task", name, wanted)]
    assert type(found.checkpoint["channel_values"][name]) is type(wanted)


async def test_types_of_ones_own_come_back_where_they_are_named(tmp_path: Path) -> None:
    types = [f"{Thing.__module__}:Thing"]
    async with SqliteSaver.open(tmp_path / "state.db", types=types) as named:
        await Thread(named).put({"model": Thing(name="x")})
        assert await values(named, at("t")) == {"model": Thing(name="x")}
    async with SqliteSaver.open(tmp_path / "state.db") as strict:
        assert await values(strict, at("t")) == {"model": {"name": "x"}}
        wider = strict.with_allowlist([(Thing.__module__, "Thing")])
        assert await values(wider, at("t")) == {"model": Thing(name="x")}
        assert wider is strict.with_allowlist([(Thing.__module__, "Thing")])


async def test_two_branches_of_one_checkpoint_keep_their_own_messages(saver: Any) -> None:
    thread = Thread(saver)
    base = [message(n) for n in range(3)]
    fork = await thread.put({"messages": base})
    await thread.put({"messages": [*base, message("left")]})
    left = await thread.put({"messages": [*base, message("left"), message("further left")]})
    thread.config = fork
    right = await thread.put({"messages": [*base, message("right")]})

    for again in (False, True):
        if again:
            saver._core.shared.cache.forget("local", "t")
        assert (await values(saver, left))["messages"] == [*base, message("left"), message("further left")]
        assert (await values(saver, right))["messages"] == [*base, message("right")]
        assert (await values(saver, fork))["messages"] == base


LISTS = {
    "a sliding window": lambda held, new: [*held, new][-4:],
    "an edit in the middle": lambda held, new: [*held[:1], new, *held[2:], new],
    "the first removed": lambda held, new: [*held[1:], new],
    "the last replaced": lambda held, new: [*held[:-1], new, new],
    "put in front": lambda held, new: [new, *held],
    "turned round": lambda held, new: [new, *held][::-1],
    "all anew": lambda held, new: [dict(one) for one in [*held, new]],
    "emptied now and then": lambda held, new: [] if len(held) == 5 else [*held, new],
    "one and the same": lambda held, new: [*held, held[0] if held else new],
}


@pytest.mark.parametrize("change", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
async def test_whatever_becomes_of_a_list_every_checkpoint_keeps_its_own(
    tmp_path: Path, change: Any, cold: bool
) -> None:
    held: list[Any] = []
    wanted = []
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        thread = Thread(saver)
        for number in range(40):
            held = change(held, message(number))
            wanted.append((await thread.put({"messages": held}), held))
            if cold:
                saver._core.shared.cache.forget("local", "t")
        saver._core.shared.cache.forget("local", "t")

        for config, messages in wanted:
            assert await values(saver, config) == {"messages": messages}
        assert [one.checkpoint["channel_values"]["messages"] async for one in saver.alist(at("t"))] == [
            messages for _, messages in reversed(wanted)
        ]


async def test_the_live_cache_stays_within_its_bounds(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", live_bytes=100_000) as saver:
        for number in range(100):
            await Thread(saver, f"t-{number}").put({"messages": [message(n) for n in range(10)]})

        assert saver._core.shared.cache.bytes <= 100_000
        assert await values(saver, at("t-0")) == {"messages": [message(n) for n in range(10)]}


async def test_a_list_that_its_reader_changes_is_the_readers_own(saver: Any) -> None:
    thread = Thread(saver)
    await thread.put({"messages": [message(1)]})

    (await values(saver, at("t")))["messages"].append("something")

    assert await values(saver, at("t")) == {"messages": [message(1)]}


@pytest.mark.parametrize("large", [False, True])
async def test_verify_names_what_was_changed_in_place(tmp_path: Path, large: bool) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", verify=True) as saver:
        thread = Thread(saver)
        messages = [message(n) for n in range(3)]
        data = {"a": "x" * (600 if large else 1)}
        await thread.put({"messages": messages, "data": data})

        messages[1]["content"] = "changed"
        with pytest.raises(ChangedInPlace, match=r"element 1 of channel 'messages'") as told:
            await thread.put({"messages": [*messages, message(3)], "data": data}, new=["messages"])
        messages[1] = message(1)
        data["a"] = "changed"
        with pytest.raises(ChangedInPlace, match="channel 'data'"):
            await thread.put({"messages": [*messages, message(3)], "data": data}, new=["messages"])

    assert (told.value.channel, told.value.index) == ("messages", 1)


async def test_what_was_pruned_is_gone_and_what_is_kept_is_whole(saver: Any) -> None:
    thread = Thread(saver)
    messages: list[Any] = []
    for number in range(10):
        messages = [*messages, message(number)]
        await thread.put({"messages": messages, "large": "x" * 600 + str(number)})
    await saver.aput_writes(thread.config, [("messages", [message("waiting")])], "task")

    await saver.aprune(["t"], strategy="keep_latest", keep=3)

    kept = [one async for one in saver.alist(at("t"))]
    assert [one.metadata["step"] for one in kept] == [10, 9, 8]
    assert kept[2].checkpoint["channel_values"]["messages"] == messages[:8]
    assert kept[0].pending_writes == [("task", "messages", [message("waiting")])]
    await thread.put({"messages": [*messages, message("next")], "large": ""})
    assert (await values(saver, at("t")))["messages"] == [*messages, message("next")]


async def test_pruning_drops_the_elements_that_only_old_checkpoints_had(saver: Any) -> None:
    thread = Thread(saver)
    for number in range(20):
        await thread.put({"messages": [message((number, n)) for n in range(5)]})
    segments = saver._core.shared.segments.positions
    number = (await saver.database.execute("SELECT no FROM segue_threads"))[0][0]
    before = len(await saver.database.execute(segments, [number]))

    await saver.aprune(["t"])

    number = (await saver.database.execute("SELECT no FROM segue_threads"))[0][0]
    assert before == 20
    assert len(await saver.database.execute(segments, [number])) == 1
    assert (await values(saver, at("t")))["messages"] == [message((19, n)) for n in range(5)]


async def test_pruning_by_age_keeps_what_is_younger(saver: Any) -> None:
    now = datetime.now(UTC)
    config = at("t")
    for days in (30, 20, 10, 1):
        held = checkpoint(f"{100 - days:03d}", {"a": days})
        held["ts"] = (now - timedelta(days=days)).isoformat()
        config = await saver.aput(config, held, {}, {"a": 1})

    await saver.aprune(["t"], before=now - timedelta(days=15))

    assert [one.checkpoint["channel_values"]["a"] async for one in saver.alist(at("t"))] == [1, 10]


async def test_pruning_wrongly_is_refused(saver: Any) -> None:
    with pytest.raises(BadInput, match="'keep_latest' or 'delete'"):
        await saver.aprune(["t"], strategy="keep_all")
    with pytest.raises(BadInput, match="keep nothing"):
        await saver.aprune(["t"], keep=0)


async def test_runs_are_found_and_deleted_by_either_run_id(saver: Any) -> None:
    thread, other = Thread(saver), Thread(saver, "u")
    await thread.put({"a": 1}, segue_run_id="run_1", run_id="theirs")
    await thread.put({"a": 2}, segue_run_id="run_2")
    await other.put({"a": 3}, run_id="theirs")
    await other.put({"a": 4}, segue_run_id="run_1")

    found = [one.checkpoint["channel_values"] async for one in saver.alist(at("t"), filter={"segue_run_id": "run_1"})]
    newest = [one async for one in saver.alist(None, filter={"segue_run_id": "run_1"}, limit=1)]
    await saver.adelete_for_runs(["theirs"])
    left = [one.checkpoint["channel_values"]["a"] async for one in saver.alist(None)]
    await saver.adelete_for_runs(["run_1", "run_2"])

    assert found == [{"a": 1}]
    assert len(newest) == 1
    assert sorted(left) == [2, 4]
    assert [one async for one in saver.alist(None)] == []


async def test_a_copied_thread_lives_its_own_life(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db", key="5e" * 32) as saver:
        await talk(saver, "t", turns=3)
        await saver.acopy_thread("t", "copy")
        await saver.adelete_thread("t")
        state = await talk(saver, "copy")

        assert len(state["messages"]) == 8
        assert len([one async for one in chat(saver).aget_state_history(at("copy"))]) == 12
        with pytest.raises(BadInput, match="'copy' has checkpoints"):
            await saver.acopy_thread("copy", "copy")


def test_code_that_is_not_async_uses_it_too(tmp_path: Path) -> None:
    with SqliteSaver.open(tmp_path / "state.db") as saver:
        config = saver.put(at("t"), checkpoint("1", {"messages": [message(1)]}), {"source": "input"}, {"messages": 1})
        saver.put_writes(config, [("messages", message(2))], "task")
        found = saver.get_tuple(at("t"))
        listed = list(saver.list(at("t"), filter={"source": "input"}, limit=1))
        saver.copy_thread("t", "copy")
        saver.prune(["copy"])
        saver.delete_for_runs(["none"])
        saver.delete_thread("t")

        assert found is not None
        assert found.pending_writes == [("task", "messages", message(2))]
        assert listed == [found]
        assert saver.get_tuple(at("t")) is None
        assert saver.get_tuple(at("copy")) is not None


def test_a_graph_that_is_not_async_runs_and_is_read_async(tmp_path: Path) -> None:
    graph: Any = StateGraph(Notes)
    graph.add_node("note", lambda state: {"notes": [message(len(state["notes"]))]})
    graph.add_edge(START, "note")
    with SqliteSaver.open(tmp_path / "state.db") as saver:
        for _ in range(5):
            found = graph.compile(checkpointer=saver).invoke({"notes": []}, at("t"))
        assert found["notes"] == [message(n) for n in range(5)]

        async def read() -> Any:
            return await values(saver, at("t"))

        assert asyncio.run(read()) == found


async def test_two_savers_on_one_thread_never_mix_their_lists(saver: Any, tmp_path: Path, request: Any) -> None:
    thread = Thread(saver)
    base = [message(n) for n in range(3)]
    config = await thread.put({"messages": base})
    opening = (
        SqliteSaver.open(tmp_path / "state.db")
        if isinstance(saver, SqliteSaver)
        else PostgresSaver.open(saver.database.url)
    )
    async with opening as second:
        await second.aget_tuple(config)
        ours = checkpoint("1001", {"messages": [*base, message("ours")]}, 2)
        theirs = checkpoint("1002", {"messages": [*base, message("theirs"), message("more")]}, 2)
        one, two = await asyncio.gather(
            saver.aput(config, ours, {}, {"messages": 2}), second.aput(config, theirs, {}, {"messages": 2})
        )
        for reader in (saver, second):
            reader._core.shared.cache.forget("local", "t")
            assert await values(reader, one) == ours["channel_values"]
            assert await values(reader, two) == theirs["channel_values"]

        await second.aprune(["t"])
        thread.config = two
        thread.count = 2000
        last = await thread.put({"messages": [*base, message("theirs"), message("more"), message("last")]})
        assert len((await values(second, last))["messages"]) == 6


async def test_a_thread_deleted_by_another_process_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    async with SqliteSaver.open(path) as first, SqliteSaver.open(path) as second:
        thread = Thread(first)
        config = await thread.put({"messages": [message(1)]})
        await second.adelete_thread("t")

        config = await first.aput(config, checkpoint("5", {"messages": [message(1), message(2)]}), {}, {"messages": 2})
        await first.aput_writes(config, [("a", 1)], "task")

        assert await values(second, at("t")) == {"messages": [message(1), message(2)]}


@pytest.mark.parametrize("stop", range(8))
async def test_a_cancelled_put_has_stored_all_or_nothing(saver: Any, stop: int) -> None:
    thread = Thread(saver)
    messages = [message(1)]
    await thread.put({"messages": messages, "large": "x" * 600})
    waiting = asyncio.create_task(saver.aput_writes(thread.config, [("messages", [message("w")])], "task"))
    await asyncio.sleep(0)

    putting = asyncio.create_task(thread.put({"messages": [*messages, message(2)], "large": "y" * 600}))
    for _ in range(stop):
        await asyncio.sleep(0)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    await waiting

    found = await values(saver, at("t"))
    expected = [{"messages": messages, "large": "x" * 600}, {"messages": [*messages, message(2)], "large": "y" * 600}]
    assert found in expected
    first = [one async for one in saver.alist(at("t"))][-1]
    assert first.pending_writes == [("task", "messages", [message("w")])]
    thread.count = 50
    await thread.put({"messages": [*found["messages"], message(3)], "large": ""})
    assert (await values(saver, at("t")))["messages"] == [*found["messages"], message(3)]


async def test_writes_are_durable_when_their_writer_is_told(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver, SqliteSaver.open(tmp_path / "state.db") as other:
        thread = Thread(saver)
        config = await thread.put({"messages": [message(1)]})

        await asyncio.gather(*(saver.aput_writes(config, [("a", n)], f"task {n}", f"{n:02d}") for n in range(5)))
        found = await other.aget_tuple(config)

        assert found is not None
        assert found.pending_writes == [(f"task {n}", "a", n) for n in range(5)]


async def test_a_store_that_fails_tells_every_writer_and_the_thread_goes_on(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        thread = Thread(saver)
        config = await thread.put({"messages": [message(1)]})
        pages = (await saver.database.execute("PRAGMA page_count"))[0][0]
        await saver.database.execute(f"PRAGMA max_page_count={pages}")

        writing = asyncio.create_task(saver.aput_writes(config, [("a", 1)], "task"))
        await asyncio.sleep(0)
        with pytest.raises(StoreError, match="full"):
            await thread.put({"messages": [message(1), {"content": "x" * 100_000}]})
        thread.config = config
        await saver.database.execute("PRAGMA max_page_count=100000")
        await writing
        await thread.put({"messages": [message(1), message(2)]})

        assert await values(saver, at("t")) == {"messages": [message(1), message(2)]}


async def test_a_config_without_a_thread_is_refused(saver: Any) -> None:
    with pytest.raises(BadInput, match="needs a thread"):
        await saver.aget_tuple({"configurable": {}})


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    async with SqliteSaver.open(tmp_path / "state.db") as saver:
        await saver.database.execute("UPDATE segue_numbers SET next = 99 WHERE name = 'schema'")

    with pytest.raises(StoreError, match="version 99"):
        async with SqliteSaver.open(tmp_path / "state.db"):
            pass


def test_a_place_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="opens a file"):
        SqliteSaver.open("postgresql://localhost/x")
    with pytest.raises(ConfigError, match="opens postgresql://"):
        PostgresSaver.open(str(tmp_path / "state.db"))


def fold(held: list[Any], writes: list[Any]) -> list[Any]:
    return [*held, *(one for write in writes for one in write)]


class Notes(TypedDict):
    notes: Annotated[list[Any], operator.add]


class DeltaNotes(TypedDict):
    notes: Annotated[list[Any], DeltaChannel(fold, list, snapshot_frequency=4)]


async def test_delta_channels_are_rebuilt_also_after_pruning(saver: Any) -> None:
    def build(checkpointer: Any) -> Any:
        async def note(state: DeltaNotes) -> Any:
            return {"notes": [f"{len(state['notes'])} ".ljust(600, "x")]}

        graph: Any = StateGraph(DeltaNotes)
        graph.add_node("note", note)
        graph.add_edge(START, "note")
        return graph.compile(checkpointer=checkpointer)

    oracle = InMemorySaver()
    for turn in range(7):
        for checkpointer in (oracle, saver):
            await build(checkpointer).ainvoke({"notes": [f"said {turn}"]}, at("t"))
        if turn == 4:
            await saver.aprune(["t"])

    wanted, found = await build(oracle).aget_state(at("t")), await build(saver).aget_state(at("t"))
    assert found.values == wanted.values
    assert len(found.values["notes"]) == 14


@pytest.mark.xdist_group("postgres")
async def test_a_server_that_cut_every_connection_is_spoken_to_again(postgres_url: str) -> None:
    import psycopg

    async with PostgresSaver.open(postgres_url) as saver:
        thread = Thread(saver)
        await thread.put({"messages": [message(1)]})
        await asyncio.to_thread(saver.get_tuple, at("t"))
        for _ in range(2):
            with psycopg.connect(postgres_url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'segue'")
            await asyncio.sleep(0.01)
            await thread.put({"messages": [message(1), message(2)]})
            found = await asyncio.to_thread(saver.get_tuple, at("t"))

    assert found is not None
    assert found.checkpoint["channel_values"]["messages"] == [message(1), message(2)]


async def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(StoreError, match="cannot be read or written") as told:
        async with PostgresSaver.open("postgresql://ann:secret@127.0.0.1:1/none"):
            pass

    assert told.value.retryable
    assert "secret" not in str(told.value)


KILLED = """
import asyncio, sys
from segue.memory import SqliteSaver
from tests.memory.savers.test_rows import at, checkpoint
async def main():
    async with SqliteSaver.open(sys.argv[1]) as saver:
        found = await saver.aget_tuple(at("t"))
        messages = found.checkpoint["channel_values"]["messages"] if found else []
        config = found.config if found else at("t")
        for n in range(len(messages), len(messages) + 60):
            messages = [*messages, {"n": n, "text": "x" * 600}]
            held = checkpoint(f"{n:06d}", {"messages": messages}, n + 1)
            config = await saver.aput(config, held, {"step": n}, {"messages": n + 1})
            await saver.aput_writes(config, [("a", n)], "task")
            print(n, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "state.db", set[int]()
    for _ in range(3):
        child = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
        )
        assert child.stdout is not None
        said = [child.stdout.readline() for _ in range(15)]
        child.kill()
        said += child.stdout.read().split("\n")[:-1]
        child.wait()
        child.stdout.close()
        acknowledged |= {int(line) for line in said}

        async with SqliteSaver.open(path) as saver:
            found = [one async for one in saver.alist(at("t"))]

        assert acknowledged <= {int(one.checkpoint["id"]) for one in found}
        for one in found:
            n = int(one.checkpoint["id"])
            assert [held["n"] for held in one.checkpoint["channel_values"]["messages"]] == list(range(n + 1))
            assert n not in acknowledged or one.pending_writes == [("task", "a", n)]


async def test_a_staged_thread_that_somebody_else_opened_meanwhile_is_gone_on_with(tmp_path: Path) -> None:
    async def nothing() -> None: ...

    async with SqliteSaver.open(tmp_path / "s.db") as one, SqliteSaver.open(tmp_path / "s.db") as two:
        first, second = checkpoint("0001", {"a": 1}), checkpoint("0002", {"a": 2})
        first["channel_versions"], second["channel_versions"] = {"a": 1}, {"a": 2}
        with one.stage(at("t"), before=nothing) as stage:
            await stage.put(None, first, {"step": 1}, {"a": 1}, ("run", b"noted"))
            await Thread(two, "other").put({"a": 0})
            await Thread(two).put({"a": 9})
            await stage.put("0001", second, {"step": 2}, {"a": 2}, ("run", b""))
            await stage.durable()
        found = [each.checkpoint["id"] async for each in two.alist(at("t"))]
        notes = await asyncio.to_thread(two.notes_now, "t", "run")

    assert (found, notes) == (["0002", "0001"], [b"noted"])
