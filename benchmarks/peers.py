"""Segue with everything on, and lean, beside other agent frameworks, raw LangGraph and bare loops: CPU, memory, start.

All do the same: an agent with one typed tool, five tool rounds and an answer, six model calls a run, which are counted
at the server. Each runs in a process and an environment of its own (`environments.py`), against a mock model server in
another (`mock_model.py`). A round goes through all of them, and beside each runs Segue, all on and lean; a ratio is the
median over the rounds of what was measured side by side. `…_cpu_ms` is CPU of one run: the 10th percentile of a round,
which leaves out what background threads do in bursts; `…_mean_cpu_ms` is the mean with all of that and a last flush.
The fastest peer is the agent framework of the least CPU; loops and raw LangGraph are not among them, the floor is the
bare aiohttp loop. `cold_x_langgraph` is CPU from the start of the process to the end of its first run over raw
LangGraph's. `…_50` and `…_500` are for so many runs side by side. `chunk_to_event_us` is CPU from a streamed chunk on
the wire to the event that the caller reads, everything on, with 50 streams side by side at 50 chunks a second each;
`stream50_x_openai_sdk` is CPU for these over that of a loop on OpenAI's SDK. The last line is one JSON object.

A peer that cannot be installed is named and left out. Three rounds take ten minutes on a machine that is not busy.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from environments import NotInstalled, python_of
from mock_model import MockModel, serving
from processes import Column, Failed, Runner, postgres
from rounds import Beside, Rounds, middle, table

_OPENAI = "openai==3.57.0"
_FAST = ("aiohttp==3.14.5", "orjson==3.13.0")
_GRAPH = ("langgraph==1.2.24", "langgraph-checkpoint-sqlite==3.1.2")
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "aiohttp": _FAST,
    "openai": (_OPENAI,),
    "langgraph": (*_GRAPH, *_FAST),
    "langchain": ("langchain==1.5.2", "langchain-openai==1.7.4", _OPENAI, *_GRAPH),
    "agent_framework": ("agent-framework-core==1.23.0", "agent-framework-openai==1.17.0", _OPENAI),
    "agno": ("agno==3.1.10", _OPENAI),
    "pydantic_ai": ("pydantic-ai-slim[openai]==2.68.0", _OPENAI),
    "openai_agents": ("openai-agents==0.24.0", _OPENAI),
}
FLOOR = Column("aiohttp loop", "aiohttp", "aiohttp")
SDK = Column("openai SDK loop", "openai", "openai")
GRAPH = Column("langgraph", "langgraph", "langgraph")
PEERS = (
    FLOOR,
    SDK,
    GRAPH,
    Column("agent-framework", "agent_framework", "agent_framework", framework=True),
    Column("agno", "agno", "agno", framework=True),
    Column("langchain create_agent", "langchain", "langchain", framework=True),
    Column("create_agent + sqlite", "langchain", "langchain", "sqlite", framework=True),
    Column("pydantic-ai", "pydantic_ai", "pydantic_ai", framework=True),
    Column("openai-agents", "openai_agents", "openai_agents", framework=True),
)
ALL_ON = Column("segue, everything on", "segue")
LEAN = Column("segue, lean", "segue", variant="lean")
SHORT, LONG, STREAMS = 20, 220, 50
"""Chunks of the streams whose difference is measured, and how many go side by side."""


def measure(runner: Runner, peers: list[Column], given: argparse.Namespace) -> Rounds:
    """All rounds, each in the other order than the one before."""
    rounds = Rounds(ALL_ON, LEAN)
    for number in range(given.rounds):
        at = f"round {number + 1}"
        for peer in peers if number % 2 == 0 else peers[::-1]:
            with rounds.step(f"{at}: {peer.name}"):
                rounds.alone.append(alone(runner, peer, given.runs))
        if given.quick:
            continue
        least = rounds.frameworks()[:2]
        for peer in peers if number == 0 else least:
            with rounds.step(f"{at}: {peer.name}, many side by side"):
                rounds.many.append(many(runner, peer, beside=peer in least))
        if SDK in peers:
            with rounds.step(f"{at}: streams"):
                rounds.streams.append(streamed(runner))
    return rounds


def alone(runner: Runner, peer: Column, runs: int) -> Beside:
    """One run at a time, of all three."""
    return Beside(peer, *(runner.run(each, [runs], [1]) for each in (peer, ALL_ON, LEAN)))


def many(runner: Runner, peer: Column, *, beside: bool) -> Beside:
    """Runs side by side, ours too where that is asked for."""
    theirs = runner.run(peer, [200, 500], [50, 500])
    return Beside(peer, theirs, runner.run(ALL_ON, [200, 500], [50, 500]) if beside else None)


def streamed(runner: Runner) -> dict[str, float]:
    """CPU for the streams, ours and of a loop on OpenAI's SDK."""

    def cpu_ms(column: Column, chunks: int) -> float:
        found = runner.run(column, [STREAMS], [STREAMS], model=f"drip-{chunks}", warmup=1)
        return found.phase(STREAMS)["cpu_ms_per_run"]

    ours, sdk = (Column(each.name, each.runner, each.environment, "stream") for each in (ALL_ON, SDK))
    short, long, theirs = cpu_ms(ours, SHORT), cpu_ms(ours, LONG), cpu_ms(sdk, LONG)
    return {
        "chunk_to_event_us": (long - short) / (LONG - SHORT) * 1000,
        "stream50_x_openai_sdk": long / theirs,
    }


def figures(rounds: Rounds) -> dict[str, Any]:
    """What is told in the end; `None` where what it needs was left out."""
    fastest = next(iter(rounds.frameworks()), None)
    ours = {"all_on": ALL_ON, "lean": LEAN}
    held = {name: rounds.of(column, 1) for name, column in ours.items()}
    found: dict[str, Any] = {f"{name}_cpu_ms": middle(each.cpu_ms for each in held[name]) for name in ours}
    found["floor_cpu_ms"] = rounds.median(FLOOR, lambda each: each.theirs.cpu_ms)
    found["fastest_peer"] = fastest and fastest.name
    found["fastest_peer_cpu_ms"] = fastest and rounds.median(fastest, lambda each: each.theirs.cpu_ms)
    for name in ours:
        for beside, peer in (("fastest", fastest), ("floor", FLOOR)):
            ratio = lambda each, name=name: getattr(each, name).cpu_ms / each.theirs.cpu_ms  # noqa: E731
            found[f"{name}_x_{beside}"] = peer and rounds.median(peer, ratio)
    for side in (500, 50):
        rate = lambda each, side=side: each.all_on.rate(side) / each.theirs.rate(side)  # noqa: E731
        found[f"runs_per_s_{side}_x_fastest"] = fastest and rounds.median(fastest, rate, many=True)
    found["kb_per_run_500"] = middle(each.kb_per_run(500) for each in rounds.of(ALL_ON, 500))
    found["cold_x_langgraph"] = rounds.median(GRAPH, lambda each: each.all_on.cold_cpu_s / each.theirs.cold_cpu_s)
    others = {each.peer.name: each.theirs.kb_per_run(500) for each in rounds.many if each.peer.framework}
    found["smallest_peer"] = min(others, key=lambda name: others[name], default=None)
    found["smallest_peer_kb_per_run_500"] = min(others.values(), default=None)
    found |= {f"{name}_mean_cpu_ms": middle(each.mean_cpu_ms for each in held[name]) for name in ours}
    found["build_ms"] = middle(each.build_ms for each in held["all_on"])
    for name in ("chunk_to_event_us", "stream50_x_openai_sdk"):
        found[name] = middle(each[name] for each in rounds.streams)
    return {**found, "failed": rounds.failed}


def growing(runner: Runner, runs: int = 10_000) -> dict[str, float]:
    """What memory the process gains over so many runs, one after the other, after the first thousand."""
    found = runner.run(ALL_ON, [1000, runs], [1, 1], seconds=3600)
    first, last = found.phases
    return {f"growth_mb_{runs}_runs": last["rss_end_mb"] - first["rss_end_mb"]}


def on_postgres(runner: Runner, given: argparse.Namespace) -> dict[str, float]:
    """CPU of a run that keeps everything in PostgreSQL over one with files; the server's own is not in it."""
    column = Column("segue, PostgreSQL", "segue", variant="postgres")
    with postgres() as url:
        pairs = [
            (runner.run(column, [given.runs], [1], BENCH_DATABASE=url), runner.run(ALL_ON, [given.runs], [1]))
            for _ in range(given.rounds)
        ]
    return {
        "postgres_x_sqlite": statistics.median(theirs.cpu_ms / ours.cpu_ms for theirs, ours in pairs),
        "postgres_cpu_ms": statistics.median(theirs.cpu_ms for theirs, _ in pairs),
    }


def there(runner: Runner, only: list[str]) -> list[Column]:
    """The peers that can be measured here: each is installed and has run, once."""
    found = []
    for peer in PEERS:
        if only and peer.name not in only and peer is not FLOOR:
            continue
        try:
            runner.pythons[peer.environment] = python_of(peer.environment, ENVIRONMENTS[peer.environment])
            runner.run(peer, [3], [1])
        except (NotInstalled, Failed) as error:
            print(f"{peer.name} is left out: {error}", file=sys.stderr, flush=True)
        else:
            found.append(peer)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=40, help="one at a time, of each in each round")
    parser.add_argument("--only", default="", help=f"of: {', '.join(peer.name for peer in PEERS)}; with commas between")
    parser.add_argument("--quick", action="store_true", help="one run at a time only: nothing side by side, no streams")
    parser.add_argument("--growing", action="store_true", help="what memory 10,000 runs leave, too")
    parser.add_argument("--postgres", action="store_true", help="everything in PostgreSQL, too")
    given = parser.parse_args()
    given.only = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := set(given.only) - {peer.name for peer in PEERS}:
        parser.error(
            f"there is no peer {', '.join(sorted(unknown))}; there are: {', '.join(each.name for each in PEERS)}"
        )
    with serving() as mock:
        found, lines = _all(mock, given)
    print("\n".join(lines))
    for name, value in found.items():
        print(f"{name:30} {value}")
    print(json.dumps(found))


def _all(mock: MockModel, given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    runner = Runner(mock, Path(__file__).parent / "runners", {"": Path(sys.executable)})
    peers = there(runner, given.only)
    for ours in (ALL_ON, LEAN):
        runner.run(ours, [3], [1])  # byte code and file cache
    rounds = measure(runner, peers, given)
    found = figures(rounds)
    if given.postgres:
        with rounds.step("PostgreSQL"):
            found |= on_postgres(runner, given)
    if given.growing:
        with rounds.step("ten thousand runs"):
            found |= growing(runner)
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in found.items()}
    return rounded, list(table(rounds))


if __name__ == "__main__":
    main()
