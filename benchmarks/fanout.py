"""Fan-out: a thousand workers in one run, against the same graph written by hand in LangGraph with the same saver.

Both split a list, do a trivial piece of work for each item, and gather the results; both keep a checkpoint of each
super-step in the same kind of SQLite file. Ours goes through a workspace, with its trace, its events and its record.
Rounds are interleaved; figures are medians of CPU time. `x_handwritten` is the median of the ratios of paired rounds.
`rss_mb` is what the largest run of ours added to the process. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import operator
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.constants import END, START
from langgraph.graph import StateGraph
from langgraph.types import Command, Send

from segue import Workspace
from segue.agents import MapReduce
from segue.memory.checkpoints import open_saver


class State(TypedDict, total=False):
    items: list[int]
    results: Annotated[list[int], operator.add]
    output: list[int]


class One(TypedDict):
    item: int


def handwritten(saver: Any) -> Any:
    async def split(state: State) -> Any:
        return Command(goto=[Send("work", {"item": item}) for item in state["items"]])

    async def work(state: One) -> dict[str, Any]:
        return {"results": [state["item"] + 1]}

    async def reduce(state: State) -> dict[str, Any]:
        return {"output": sorted(state["results"])}

    graph = StateGraph(State)
    graph.add_node("split", split, destinations=("work",))
    graph.add_node("work", work)
    graph.add_node("reduce", reduce)
    graph.add_edge(START, "split")
    graph.add_edge("work", "reduce")
    graph.add_edge("reduce", END)
    return graph.compile(checkpointer=saver)


async def increment(item: int) -> int:
    return item + 1


def ours(count: int) -> MapReduce:
    return MapReduce("fan", split=lambda text: list(range(count)), worker=increment)


async def measure(count: int, rounds: int, folder: Path) -> dict[str, float]:
    """CPU seconds of each, in turn; the first round of both is thrown away."""
    theirs_s, ours_s, wanted = [], [], list(range(1, count + 1))
    agent = ours(count)
    async with Workspace.open(folder / "ours") as ws, open_saver(folder / "theirs.db") as saver:
        graph = handwritten(saver)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for turn in range(rounds + 1):
            began = time.process_time()
            run = await ws.run(agent, "go")
            took = time.process_time() - began
            assert run.output == wanted, run.error
            rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began = time.process_time()
            found = await graph.ainvoke(
                {"items": list(range(count)), "results": []},
                {"configurable": {"thread_id": f"t{turn}"}, "recursion_limit": 100},
                durability="sync",
            )
            theirs = time.process_time() - began
            assert found["output"] == wanted
            if turn:
                ours_s.append(took)
                theirs_s.append(theirs)
            else:
                added = (rss - before) / 1024
    return {
        "workers": count,
        "us_per_worker": round(statistics.median(ours_s) / count * 1e6, 1),
        "handwritten_us_per_worker": round(statistics.median(theirs_s) / count * 1e6, 1),
        "x_handwritten": round(statistics.median(a / b for a, b in zip(ours_s, theirs_s, strict=True)), 3),
        "rss_mb": round(added, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        (Path(held) / "ours").mkdir()
        figures = asyncio.run(measure(given.workers, given.rounds, Path(held)))
    for name, value in figures.items():
        print(f"{name:28} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
