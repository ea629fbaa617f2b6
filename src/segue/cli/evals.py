"""`segue evals`: what `segue eval` kept: results listed, shown, compared; cases made of runs, and written to a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from segue.evals import Comparison, Result
    from segue.evals.store import EvalStore

app = typer.Typer(help="Results of evals, and cases made of runs.", no_args_is_help=True, rich_markup_mode=None)

T = TypeVar("T")
Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Named = Annotated[str, typer.Argument(help="A result: its id, or its file.")]
_SHOWN = 160


@app.command("list")
def list_command(
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20, folder: Folder = Path(), as_json: AsJson = False
) -> None:
    """List the newest results, newest first."""
    from datetime import datetime

    from segue.base.principal import LOCAL
    from segue.cli.show import terminal
    from segue.cli.tables import print_rows

    found = _within(folder, lambda store: store.results(LOCAL.tenant, limit=limit))
    rows = found if as_json else [
        {
            "result": each["id"], "when": datetime.fromtimestamp(each["started_at"]).strftime("%Y-%m-%d %H:%M"),
            "suite": each["suite"], "agent": each["agent"], "label": each["label"],
            "passed": f"{each['passed']} of {each['cases']}", "models": each["models"],
        }
        for each in found
    ]  # fmt: skip
    print_rows(terminal(), rows, as_json=as_json, empty="no result is kept here yet: segue eval keeps one")


@app.command("show")
def show_command(
    result: Named,
    case: Annotated[str, typer.Argument(help="One case, whole: what was expected beside what came.")] = "",
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Show a result, or one case of it beside what was expected."""
    from dataclasses import asdict

    from segue.cli.show import terminal

    held = _within(folder, lambda store: _result(store, result))
    console = terminal()
    if case:
        _print_case(console, held, case, as_json)
    elif as_json:
        _json({**held.summary(), "trials": [asdict(trial) for trial in held.trials]})
    else:
        print_result(console, held)


@app.command("compare")
def compare_command(
    before: Named,
    after: Named,
    html: Annotated[Path | None, typer.Option(help="Write the report of the second to this file.")] = None,
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Compare two results case by case. Exit code 1 where a case broke."""
    from segue.cli.show import terminal
    from segue.evals.comparison import compare

    old, new = _within(folder, lambda store: (_result(store, before), _result(store, after)))
    comparison = compare(old, new)
    if html is not None:
        from segue.evals.report import report

        html.write_text(report(new, comparison), encoding="utf-8")
    if as_json:
        _json(comparison.to_dict())
    else:
        print_comparison(terminal(), comparison)
    raise typer.Exit(int(bool(comparison.broken)))


@app.command("report")
def report_command(
    result: Named, file: Annotated[Path, typer.Argument(help="Where to.")], folder: Folder = Path()
) -> None:
    """Write the report of a result to a file."""
    from segue.evals.report import report

    file.write_text(report(_within(folder, lambda store: _result(store, result))), encoding="utf-8")


@app.command("cases")
def cases_command(
    agent: Annotated[str, typer.Argument(help="Whose; all agents' if not given.")] = "", folder: Folder = Path()
) -> None:
    """Print the cases that were made of runs, one a line: what a file of cases holds."""
    import sys

    from segue.base.principal import LOCAL

    for _, _, case in _within(folder, lambda store: store.cases(LOCAL.tenant, agent)):
        sys.stdout.write(case.line().decode() + "\n")


@app.command("push")
def push_command(
    file: Annotated[Path, typer.Argument(help="The cases, in JSON lines.")],
    dataset: Annotated[str, typer.Argument(help="The dataset of Langfuse; made where there is none.")],
) -> None:
    """Put the cases of a file into a dataset of Langfuse; those that are there already are changed."""
    from segue.evals.case import load_cases
    from segue.evals.datasets import push_cases

    print(f"{push_cases(load_cases(file), dataset)} cases are in {dataset}")


@app.command("pull")
def pull_command(
    dataset: Annotated[str, typer.Argument(help="The dataset of Langfuse.")],
    file: Annotated[Path, typer.Argument(help="Where the cases are written, in JSON lines.")],
) -> None:
    """Write the items of a dataset of Langfuse to a file of cases."""
    from segue.evals.case import write_cases
    from segue.evals.datasets import pull_cases

    cases = pull_cases(dataset)
    write_cases(file, cases)
    print(f"{len(cases)} cases are in {file}")


@app.command("keep")
def keep_command(
    run_id: Annotated[str, typer.Argument(help="The run.")],
    bad: Annotated[
        bool, typer.Option("--bad", help="Its answer was wrong: the case passes when it is another.")
    ] = False,
    comment: Annotated[str, typer.Option(help="What was good or bad about it.")] = "",
    folder: Folder = Path(),
) -> None:
    """Make a case of a run, and print it."""
    import time

    from segue.base.principal import LOCAL
    from segue.cli.session import open_workspace
    from segue.evals.from_run import case_of
    from segue.evals.store import open_evals

    async def keep() -> str:
        async with open_workspace(folder) as ws, open_evals(ws) as store:
            run = ws.get(run_id)
            case = case_of(run.record, good=not bad, comment=comment)
            agent = run.record.agent
            await asyncio.to_thread(
                lambda: store.keep_case(LOCAL.tenant, agent, case, run_id=run_id, at=time.time())
            )  # fmt: skip
            return case.line().decode()

    print(asyncio.run(keep()))


@app.command("drop")
def drop_command(
    name: Annotated[str, typer.Argument(help="A result's id, or AGENT/CASE for a case that was made of a run.")],
    folder: Folder = Path(),
) -> None:
    """Forget a result, or a case that was made of a run."""
    from segue.base.errors import BadInput
    from segue.base.principal import LOCAL

    agent, _, case_id = name.partition("/")
    gone = _within(
        folder,
        lambda store: store.drop_case(LOCAL.tenant, agent, case_id) if case_id else store.drop(LOCAL.tenant, name),
    )
    if not gone:
        raise BadInput(f"there is no {'case' if case_id else 'result'} {name!r} here")


def print_result(console: Any, result: Result) -> None:
    """A line a case, then the sum."""
    from segue.cli.tables import print_rows

    rows = [_row(result, case.id) for case in result.cases]
    print_rows(console, rows, as_json=False, empty="no case")
    summary = result.summary()
    cost = "cost unknown" if summary["cost_usd"] is None else f"${summary['cost_usd']:.4f}"
    console.print(
        f"\n{summary['passed']} of {summary['cases']} passed ({100 * summary['pass_rate']:.0f} %, 95 % interval "
        f"{100 * summary['low']:.0f} to {100 * summary['high']:.0f} %) · {summary['tokens']:,} tokens · {cost} · "
        f"{result.duration_s:.1f} s",
        highlight=False, soft_wrap=True, style="bold",
    )  # fmt: skip
    if result.offline:
        console.print(
            "offline/rules-1 answered: a set of rules, not a language model; this says nothing of a model",
            style="yellow", highlight=False, soft_wrap=True,
        )  # fmt: skip


def _row(result: Result, case_id: str) -> dict[str, Any]:
    trials = result.by_case[case_id]
    usages = [trial.spent for trial in trials]
    costs = [usage.cost_usd for usage in usages]
    passed = sum(trial.passed for trial in trials)
    return {
        "case": case_id,
        "passed": ("yes" if passed else "NO") if len(trials) == 1 else f"{passed} of {len(trials)}",
        "calls": sum(usage.tool_calls for usage in usages),
        "tokens": sum(usage.total_tokens for usage in usages),
        "cost": "?" if None in costs else f"${sum(cost or 0 for cost in costs):.4f}",
        "seconds": f"{sum(trial.duration_s for trial in trials):.2f}",
        "why not": _cut("; ".join(dict.fromkeys(why for trial in trials for why in trial.whys))),
    }


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def print_comparison(console: Any, comparison: Comparison) -> None:
    """What moved, then the figures with their intervals."""
    from segue.cli.tables import print_rows

    before = comparison.before.label or comparison.before.id
    console.print(f"\nagainst {before}: {comparison.verdict}", highlight=False, soft_wrap=True, style="bold")
    named = {"fixed": comparison.fixed, "broken": comparison.broken, "changed cases": comparison.changed}
    for name, held in {**named, "new cases": comparison.only_after, "gone cases": comparison.only_before}.items():
        if held:
            console.print(f"  {name}: {', '.join(held)}", highlight=False, soft_wrap=True)
    rows = [
        {
            "figure": each.name, "before": f"{each.before:.4g}", "after": f"{each.after:.4g}",
            "difference": f"{each.after - each.before:+.4g}", "95 % interval": f"{each.low:+.4g} to {each.high:+.4g}",
        }
        for each in comparison.differences
    ]  # fmt: skip
    print_rows(console, rows, as_json=False, empty="no figure in both")


def _print_case(console: Any, result: Result, case_id: str, as_json: bool) -> None:
    from dataclasses import asdict

    from segue.base.errors import BadInput
    from segue.evals.calls import calls_of

    case = next((each for each in result.cases if each.id == case_id), None)
    if case is None:
        failing = ", ".join(result.failing) or "none"
        raise BadInput(f"there is no case {case_id!r} in {result.id}; failing are: {failing}")
    expected = case.expect.model_dump(mode="json", exclude_defaults=True)
    if as_json:
        trials = [asdict(trial) for trial in result.by_case[case_id]]
        _json({"case": case.model_dump(mode="json", exclude_defaults=True), "trials": trials})
        return
    for request in case.turns:
        console.print(f"asked     {request}", markup=False, highlight=False, soft_wrap=True)
    for name, value in expected.items():
        console.print(f"expected  {name}: {value}", markup=False, highlight=False, soft_wrap=True)
    for trial in result.by_case[case_id]:
        console.print(
            f"\ntrial {trial.number}: {'passed' if trial.passed else 'failed'}", style="bold", highlight=False
        )
        for why in trial.whys:
            console.print(f"  {why}", style="red", markup=False, highlight=False, soft_wrap=True)
        for call in calls_of(trial):
            console.print(f"  called  {call}{' (failed)' if call.failed else ''}", markup=False, highlight=False)
        answer = trial.text or trial.error
        console.print(f"\n{answer}", markup=False, highlight=False, soft_wrap=True)


def _result(store: EvalStore, name: str) -> Result:
    from segue.base.principal import LOCAL
    from segue.evals.result import Result

    place = Path(name)
    return Result.load(place) if place.suffix == ".json" or place.is_file() else store.result(LOCAL.tenant, name)


def _within(folder: Path, look: Callable[[EvalStore], T]) -> T:
    from segue.cli.session import open_workspace
    from segue.evals.store import open_evals

    async def within() -> T:
        async with open_workspace(folder) as ws, open_evals(ws) as store:
            return await asyncio.to_thread(look, store)

    return asyncio.run(within())


def _json(value: Any) -> None:
    import sys

    import orjson

    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
