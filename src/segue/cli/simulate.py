"""`segue simulate`: what a workload would see on a fleet, in virtual time; alternatives side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.cli.simulate_inputs import Traces
    from segue.router.simulate.compare import Alternative
    from segue.router.simulate.fleet import Plan
    from segue.router.simulate.synthetic import Load
    from segue.router.simulate.workload import Workload

TRACES = "traces"


def command(
    hosts: Annotated[
        str, typer.Option(help="8 equal hosts instead of those of segue.toml; +2 compares two more.")
    ] = "",
    policy: Annotated[str, typer.Option(help="Policies to compare, such as predicted,least_loaded.")] = "",
    scenario: Annotated[str, typer.Option(help="clean, slow, crash, hang, degrade; several compare.")] = "clean",
    rate: Annotated[str, typer.Option(help="Sessions that begin in a second; several compare.")] = "2",
    workload: Annotated[str, typer.Option(help="A file of recorded requests, or: traces.")] = "",
    traffic: Annotated[str, typer.Option(help="How much as dense as recorded; several compare.")] = "1",
    seeds: Annotated[int, typer.Option(min=1, help="How many draws of the sessions; figures are their mean.")] = 1,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    duration: Annotated[float, typer.Option(min=1, help="Seconds in which sessions begin.")] = 120.0,
    turns: Annotated[float, typer.Option(min=1, help="Turns of a session, the mean.")] = 7.0,
    agents: Annotated[int, typer.Option(min=1, help="Agents with instructions of their own.")] = 6,
    output_tokens: Annotated[int, typer.Option(min=1, help="Of an answer, the median.")] = 110,
    burst: Annotated[float, typer.Option(min=1, help="How many times as many begin in a burst; 1 for none.")] = 5.0,
    fan_out: Annotated[float, typer.Option(min=0, max=1, help="The part of sessions that set workers to work.")] = 0.1,
    route: Annotated[str, typer.Option(help="Of segue.toml; the default route if not given.")] = "",
    speed: Annotated[float | None, typer.Option(min=0.01, help="Of hosts; 1 is the host that is assumed.")] = None,
    max_seqs: Annotated[int | None, typer.Option(min=1, help="Requests side by side in a host's batch.")] = None,
    kv_tokens: Annotated[int | None, typer.Option(min=1024, help="Tokens that a host's memory holds.")] = None,
    usd_per_hour: Annotated[float | None, typer.Option(min=0, help="What a host costs.")] = None,
    figures: Annotated[Path | None, typer.Option(help="A file with [simulate.hosts.NAME].")] = None,
    learned: Annotated[Path | None, typer.Option(help="The same, of figures that were measured.")] = None,
    learn: Annotated[bool, typer.Option("--learn", help="Learn figures from the traces of the workspace.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Generations that are read from the traces.")] = 10_000,
    save_workload: Annotated[
        Path | None, typer.Option(help="Write what the first run saw, as --workload reads.")
    ] = None,
    save_figures: Annotated[
        Path | None, typer.Option(help="Write the figures of the hosts, as --figures reads.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with each seed by itself.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Say what a workload would see on a fleet: first tokens, whole answers, hit rate, cost, failures.

    Nothing is sent and nothing waits: hosts are models of servers, requests are placed by the router's own code.
    """
    from segue.cli.show import terminal
    from segue.cli.simulate_inputs import given_figures, hosts_of, numbers, plans_of, read_traces, words
    from segue.router.simulate.compare import compared
    from segue.router.simulate.faults import faults_of
    from segue.router.simulate.figures import as_toml
    from segue.router.simulate.recorded import rows_of
    from segue.router.simulate.sessions import simulate
    from segue.router.simulate.synthetic import Load

    scenarios = words(scenario)
    for each in scenarios:
        faults_of(each, ["host"], 1.0)
    traces = asyncio.run(read_traces(folder, limit)) if learn or workload == TRACES else None
    known = given_figures(figures, learned, traces if learn else None)
    options = {"speed": speed, "max_seqs": max_seqs, "kv_tokens": kv_tokens, "usd_per_hour": usd_per_hour}
    told = {name: value for name, value in options.items() if value is not None}
    plans = asyncio.run(plans_of(folder, route, hosts_of(hosts), words(policy), known, told))
    load = Load(
        duration_s=duration, turns=turns, agents=agents, output_tokens=output_tokens, burst=burst, fan_out=fan_out
    )
    make, rates = (
        _workload(workload, traces, load),
        numbers("--traffic" if workload else "--rate", traffic if workload else rate),
    )
    run_seeds = range(seed, seed + seeds)
    console = terminal()
    with console.status("simulating …") if console.is_terminal and not as_json else _nothing():
        found = list(compared(plans, make, rates=rates, seeds=run_seeds, scenarios=scenarios))
    if save_figures is not None:
        save_figures.write_text(
            as_toml({name: each.figures for name, each in plans[-1].used.items()}), encoding="utf-8"
        )
    first = make(rates[0], seed)
    if save_workload is not None:
        rows = rows_of(simulate(plans[0], first, seed=seed))
        save_workload.write_text(
            "".join(f"{row.model_dump_json(exclude_defaults=True)}\n" for row in rows), encoding="utf-8"
        )
    (_print_json if as_json else _print)(console, found, plans, first, recorded=bool(workload))


def _nothing() -> Any:
    import contextlib

    return contextlib.nullcontext()


def _workload(name: str, traces: Traces | None, load: Load) -> Callable[[float, int], Workload]:
    """What gives the workload of a rate and a seed."""
    from dataclasses import replace

    from segue.base.errors import BadInput
    from segue.router.simulate.recorded import read_rows, workload_of
    from segue.router.simulate.synthetic import drawn

    if not name:
        return lambda rate, seed: drawn(replace(load, rate=rate), seed)
    if name == TRACES:
        rows = traces.rows if traces is not None else []
        told = f"{len(rows)} generations of the traces"
        if not rows:
            raise BadInput("the traces of this workspace hold no generation that was answered.")
    else:
        rows = read_rows(Path(name))
        told = f"{len(rows)} requests of {Path(name).name}"
    return lambda rate, seed: workload_of(rows, told=told, traffic=rate)


def _print(console: Any, found: list[Alternative], plans: list[Plan], workload: Workload, *, recorded: bool) -> None:
    from segue.cli.tables import print_rows

    rows = [_row(each, recorded) for each in found]
    print_rows(console, rows, as_json=False, empty="nothing was compared")
    seeds = len(found[0].runs)
    mean = f"; the mean of {seeds} seeds" if seeds > 1 else ""
    console.print(f"\nworkload: {workload.told}{mean}", highlight=False, soft_wrap=True)
    for source, names in _sources(plans).items():
        console.print(f"figures of {_few(names)}: {source}", highlight=False, soft_wrap=True)
    if _assumed(plans):
        console.print(
            "Assumed figures are no measurement: compare the rows, do not read their seconds as a forecast. "
            "--learn takes them from your traces, --figures FILE from you.",
            highlight=False, soft_wrap=True, style="yellow",
        )  # fmt: skip


def _row(each: Alternative, recorded: bool) -> dict[str, Any]:
    held = each.figures
    return {
        "scenario": each.scenario, "traffic" if recorded else "rate": f"{each.rate:g}", "hosts": each.hosts,
        "policy": each.policy, "requests": f"{held.requests:.0f}",
        "first_token_p50": _s(held.first_token_p50_s), "p95": _s(held.first_token_p95_s),
        "p99": _s(held.first_token_p99_s), "whole_p50": _s(held.whole_p50_s), "p95_": _s(held.whole_p95_s),
        "p99_": _s(held.whole_p99_s), "hit": f"{held.hit_rate:.0%}",
        "cost": "?" if held.cost_usd is None else f"${held.cost_usd:.2f}", "failed": f"{held.failed:.3g}",
    }  # fmt: skip


def _s(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s"


def _print_json(
    console: Any, found: list[Alternative], plans: list[Plan], workload: Workload, *, recorded: bool
) -> None:
    import sys

    import orjson

    data = {
        "workload": workload.told,
        "assumed": _assumed(plans),
        "hosts": {name: each.figures.model_dump() for name, each in plans[-1].used.items()},
        "alternatives": [
            {
                "scenario": each.scenario, "traffic" if recorded else "rate": each.rate, "hosts": each.hosts,
                "policy": each.policy, **each.figures.to_dict(), "runs": [run.to_dict() for run in each.runs],
            }
            for each in found
        ],
    }  # fmt: skip
    sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() + "\n")


def _sources(plans: list[Plan]) -> dict[str, list[str]]:
    """The hosts by where their figures are known from."""
    out: dict[str, list[str]] = {}
    for name, each in {name: each for plan in plans for name, each in plan.used.items()}.items():
        out.setdefault(each.figures.source, []).append(name)
    return out


def _assumed(plans: list[Plan]) -> bool:
    from segue.router.simulate.figures import ASSUMED

    return any(ASSUMED in source for source in _sources(plans))


def _few(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} … {names[-1]} ({len(names)})"
