"""How cost grows: with the turns of a thread, the tools of an agent, the workers of a run, the threads of a workspace.

CPU of this process, everything on: SQLite, rails, traces, budget. A model inside the process answers at once, so that
neither a request's encoding nor a server is among it. What is compared is measured in turn, in rounds; each figure is
the median over the rounds of the ratio of medians within one.

- `turn1000_x_turn10`: ten turns around the thousandth of a thread beside ten around the tenth of new threads; the model
  reads a window of 50 messages, the thread keeps all.
- `tool500_x_tool10`: a run of five tool calls and an answer by an agent with ten tools out of a toolset of 500, beside
  one whose toolset has these ten alone. `tool500_all_x_tool10`: by an agent with all 500.
- `worker1000_x_handwritten`: a fan-out to a thousand workers beside the same graph written by hand in LangGraph, with
  the same saver (`fanout.py`).
- `thread100k_x_thread10`: a run on a new thread in a workspace that holds a hundred thousand threads, beside one that
  holds ten. They are one real run's thread, record and spans, copied, which takes some minutes.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from fanout import measure as fan_out

from segue import Agent, Budget, Window, Workspace, tool
from segue.agents.run import RunRecord
from segue.base.principal import LOCAL
from segue.guards import no_hidden_text, no_pii, no_secrets
from segue.testing import ScriptedModel, call
from segue.tools.tool import Tool
from segue.tools.toolset import FunctionToolset

RAILS = (no_secrets(), no_pii(), no_hidden_text())
BUDGET = Budget(tokens=100_000_000, tool_calls=100)
ASKED = "Where is the order that I placed on Monday? It has not come yet. " * 8
ANSWERED = "It left the warehouse this morning and should be with you tomorrow before noon. " * 18
Turn = Callable[[], Awaitable[float]]
"""Does one thing and gives its CPU seconds."""


class Instant(ScriptedModel):
    """A scripted model that remembers no request."""

    async def generate(self, request: Any, **options: Any) -> Any:
        found = await super().generate(request, **options)
        self.requests.clear()
        return found


async def beside(ours: Turn, other: Turn, count: int) -> float:
    """The ratio of the medians of so many turns each, now one first and now the other."""
    took: dict[Turn, list[float]] = {ours: [], other: []}
    for number in range(count):
        for each in (ours, other) if number % 2 else (other, ours):
            took[each].append(await each())
    return statistics.median(took[ours]) / statistics.median(took[other])


async def rounds_of(ours: Turn, other: Turn, rounds: int, count: int = 20) -> float:
    """The median over the rounds, after a first one that is thrown away."""
    await beside(ours, other, 5)
    found = []
    for _ in range(rounds):
        gc.collect()
        found.append(await beside(ours, other, count))
    return statistics.median(found)


def clerk(tools: Any = (), model: Any = None, **options: Any) -> Agent:
    """An agent with all rails."""
    model = model or Instant(lambda request: ANSWERED)
    return Agent("clerk", instructions="Answer.", model=model, tools=tools, guards=RAILS, **options)


async def ran(ws: Workspace, agent: Agent, thread: str | None = None) -> float:
    """CPU seconds of one run."""
    began = time.process_time()
    run = await ws.run(agent, ASKED, thread_id=thread, budget=BUDGET)
    took = time.process_time() - began
    assert run.status == "completed", run.error
    return took


async def turns(folder: Path, rounds: int, last: int) -> float:
    """A thread's last turns beside the tenth of others."""
    agent = clerk(history=Window(messages=50))
    found = []
    async with Workspace.open(folder) as ws:
        for number in range(rounds):
            names = [f"long {number}", *(f"short {number}.{at}" for at in range(10))]
            for _ in range(last - 5):
                await ran(ws, agent, names[0])
            for name in names[1:]:
                for _ in range(9):
                    await ran(ws, agent, name)
            gc.collect()
            late, early = [], []
            for at in range(1, 11):
                late.append(await ran(ws, agent, names[0]))
                early.append(await ran(ws, agent, names[at]))
            found.append(statistics.median(late) / statistics.median(early))
    return statistics.median(found)


def add_tool(number: int) -> Tool:
    """One of many tools."""

    async def add(a: int, b: int, order_id: str = "", days: int = 0) -> int:
        """Add two integers for an order, within a range of days.

        Args:
            a: The first.
            b: The second.
            order_id: Which order.
            days: How far back.
        """
        return a + b

    return replace(tool(effect="read")(add), name=f"add_{number}")


def adding() -> Instant:
    """Calls a tool five times, each time another one, then answers."""

    def reply(request: Any) -> Any:
        done = sum(message["role"] == "tool" for message in request.messages)
        return call(f"add_{done}", a=done, b=1) if done < 5 else "The sum is 5."

    return Instant(reply)


async def tools(folder: Path, rounds: int, many: int, few: int = 10) -> tuple[float, float]:
    """Few out of many tools beside few alone; and all of many."""
    registry = FunctionToolset(tuple(add_tool(number) for number in range(many)))
    kept = {each.name for each in registry.held[:few]}
    alone = FunctionToolset(registry.held[:few])
    sets = (registry.filtered(lambda each: each.name in kept), registry, alone)
    some, everything, little = (clerk([each], adding()) for each in sets)
    async with Workspace.open(folder) as ws:
        return (
            await rounds_of(lambda: ran(ws, some), base := lambda: ran(ws, little), rounds),
            await rounds_of(lambda: ran(ws, everything), base, rounds),
        )


async def threads(folder: Path, rounds: int, many: int, few: int = 10) -> float:
    """A run on a new thread among many threads beside one among few."""
    agent = clerk()
    for name in ("many", "few"):
        (folder / name).mkdir(parents=True)
    async with Workspace.open(folder / "many") as crowded, Workspace.open(folder / "few") as quiet:
        greeter = clerk(model=Instant(lambda request: "Hello."))
        await seeded(crowded, greeter, many)
        await seeded(quiet, greeter, few)
        return await rounds_of(lambda: ran(crowded, agent), lambda: ran(quiet, agent), rounds)


async def seeded(ws: Workspace, agent: Agent, count: int) -> None:
    """Fill a workspace with copies of a run: its thread's checkpoints, its record and its spans."""
    run = await ws.run(agent, "Hello.", budget=BUDGET)
    ws.tracer.flush(60)
    saver, spans, held = (
        ws.saver.for_tenant(LOCAL.tenant),
        ws.traces.spans(run.id, tenant=LOCAL.tenant),
        asdict(run.record),
    )
    rows: list[Any] = []
    for number in range(1, count):
        name = f"run_seeded_{number:06}"
        await saver.acopy_thread(run.thread_id, name)
        ws.records.save(RunRecord(**{**held, "run_id": name, "thread_id": name}))
        rows += [span._replace(run_id=name, span_id=f"{number:06x}{span.span_id[6:]}") for span in spans]
        if len(rows) > 5000 or number == count - 1:
            ws.traces.write(rows)
            rows = []


async def measure(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Those figures that were asked for."""
    found: dict[str, float] = {}
    only = {name.strip() for name in given.only.split(",") if name.strip()}
    for name in ("turns", "tools", "fan", "stored"):
        (folder / name).mkdir()
    if not only or "turns" in only:
        found["turn1000_x_turn10"] = await turns(folder / "turns", given.rounds, given.turns)
    if not only or "tools" in only:
        few, every = await tools(folder / "tools", given.rounds, given.tools)
        found |= {"tool500_x_tool10": few, "tool500_all_x_tool10": every}
    if not only or "workers" in only:
        (folder / "fan" / "ours").mkdir()
        fan = await fan_out(given.workers, given.rounds, folder / "fan")
        found |= {"worker1000_x_handwritten": fan["x_handwritten"], "us_per_worker": fan["us_per_worker"]}
    if not only or "threads" in only:
        found["thread100k_x_thread10"] = await threads(folder / "stored", given.rounds, given.threads)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="of: turns, tools, workers, threads; with commas between")
    parser.add_argument("--turns", type=int, default=1000, help="instead of 1000; the figure's name stays")
    parser.add_argument("--tools", type=int, default=500)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(given, Path(folder)))
    figures = {name: round(value, 3) for name, value in figures.items()}
    for name, value in figures.items():
        print(f"{name:28} {value:8.3f}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
