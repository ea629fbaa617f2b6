"""`segue eval`: an agent tried on cases; a table, a report, a comparison, and an exit code for pipelines.

Exit codes: 0 enough cases passed, and none broke against the result that it is compared with; 1 not so; 2 the input was
wrong; 3 every trial failed by something outside, such as an endpoint that is down.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.evals import Comparison, Result
    from segue.evals.store import EvalStore

KEPT = "kept"


def command(
    target: Annotated[
        str,
        typer.Argument(help="What to try: file.py:attr, an agent or a function of a folder that makes a fresh one."),
    ],
    cases: Annotated[
        str, typer.Argument(help="A file of cases, one JSON object a line; or 'kept', those made of runs.")
    ] = KEPT,
    only: Annotated[list[str] | None, typer.Option(help="Only cases of this id or tag; may be given again.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="How often each case is run.")] = 1,
    parallel: Annotated[int, typer.Option(min=1, help="How many trials run at once.")] = 4,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="The longest that a turn may run, in seconds.")] = 300.0,
    scorer: Annotated[list[str] | None, typer.Option(help="A scorer of yours: file.py:function.")] = None,
    label: Annotated[str, typer.Option(help="What to call the result: a branch, a model, a prompt.")] = "",
    against: Annotated[
        str, typer.Option(help="Compare with a result: its id, its file, or 'last' for the newest of the suite.")
    ] = "",
    at_least: Annotated[float, typer.Option(min=0, max=1, help="The share of cases that must pass.")] = 1.0,
    html: Annotated[Path | None, typer.Option(help="Write the report to this file.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result to this file, as JSON.")] = None,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
    use_key: Annotated[bool, typer.Option("--use-key", help="Allow a bare OPENAI_API_KEY to be spent.")] = False,
) -> None:
    """Try an agent on cases."""
    import asyncio

    from segue.evals.experiment import Experiment

    def experiment(agent: Any, held: Any, suite: str, scorers: Sequence[Any]) -> Experiment:
        return Experiment(
            agent=agent, cases=held, suite=suite, label=label, scorers=scorers, trials=trials, parallel=parallel,
            timeout_s=timeout_s, parts=only or [],
        )  # fmt: skip

    plan = _Plan(target, cases, only or [], scorer or [], against, at_least, html, out, folder, as_json, use_key)
    raise typer.Exit(asyncio.run(_eval(plan, experiment)))


class _Plan:
    """What the command line says beside what the experiment takes."""

    def __init__(
        self, target: str, cases: str, only: list[str], scorers: list[str], against: str, at_least: float,
        html: Path | None, out: Path | None, folder: Path, as_json: bool, use_key: bool,
    ) -> None:  # fmt: skip
        self.target, self.cases, self.only, self.scorers = target, cases, only, scorers
        self.against, self.at_least, self.html, self.out = against, at_least, html, out
        self.folder, self.as_json, self.use_key = folder, as_json, use_key


async def _eval(plan: _Plan, experiment: Any) -> int:
    import asyncio

    from segue.base.errors import BadInput
    from segue.base.principal import LOCAL
    from segue.cli.session import open_workspace
    from segue.cli.show import terminal
    from segue.evals.comparison import compare
    from segue.evals.store import open_evals
    from segue.workspace.loading import load_object, load_or_maker

    console = terminal(stderr=plan.as_json)
    agent = load_or_maker(plan.target, plan.folder.absolute())
    scorers = [load_object(each, plan.folder.absolute()) for each in plan.scorers]
    for name, place in (("--html", plan.html), ("--out", plan.out)):
        if place is not None and not place.absolute().parent.is_dir():
            raise BadInput(f"{name} {place}: there is no folder {place.absolute().parent}")
    async with open_workspace(plan.folder, use_key=plan.use_key) as ws, open_evals(ws) as store:
        held, suite = await asyncio.to_thread(_cases, plan, store, agent)
        before = await asyncio.to_thread(_before, plan, store, suite) if plan.against else None
        result = await experiment(agent, held, suite, scorers).run(ws, told=_teller(console, plan, len(held)))
        await asyncio.to_thread(store.keep, LOCAL.tenant, result)
    comparison = None if before is None else compare(before, result)
    if plan.out is not None:
        result.save(plan.out)
    if plan.html is not None:
        from segue.evals.report import report

        plan.html.write_text(report(result, comparison), encoding="utf-8")
    _print(console, plan, result, comparison)
    return _code(plan, result, comparison)


def _cases(plan: _Plan, store: EvalStore, agent: Any) -> tuple[Any, str]:
    """The cases and what they are called."""
    from segue.base.errors import BadInput
    from segue.base.principal import LOCAL
    from segue.evals.case import chosen, load_cases

    if plan.cases != KEPT:
        place = plan.folder / plan.cases if not Path(plan.cases).exists() else Path(plan.cases)
        return chosen(load_cases(place), plan.only), place.stem
    name = _name(agent)
    found = [case for _, _, case in store.cases(LOCAL.tenant, name)]
    if not found:
        raise BadInput(
            f"no run of {name} was made a case yet.",
            way_out="Name a file of cases, or make one of a run: in the playground, or with segue evals keep RUN.",
        )
    return chosen(found, plan.only), f"{name} ({KEPT})"


def _name(agent: Any) -> str:
    """The name of an agent; one that is made is made once, for an empty folder, to learn it."""
    import tempfile

    from segue.agents.runnable import Runnable
    from segue.evals.experiment import made

    if isinstance(agent, Runnable):
        return agent.name
    with tempfile.TemporaryDirectory(prefix="segue-eval-") as folder:
        return made(agent, Path(folder)).name


def _before(plan: _Plan, store: EvalStore, suite: str) -> Result:
    """The result that is compared with."""
    from segue.base.errors import BadInput
    from segue.base.principal import LOCAL
    from segue.evals.result import Result

    if plan.against == "last":
        found = [each for each in store.results(LOCAL.tenant) if each["suite"] == suite and not each["parts"]]
        if not found:
            raise BadInput(f"--against last: no whole result of {suite} is kept here yet")
        return store.result(LOCAL.tenant, found[0]["id"])
    place = Path(plan.against)
    if place.suffix == ".json" or place.is_file():
        return Result.load(place)
    return store.result(LOCAL.tenant, plan.against)


def _teller(console: Any, plan: _Plan, total: int) -> Any:
    """Says each trial that ends, where a person looks on."""
    from rich.text import Text

    ended = [0]

    def told(trial: Any) -> None:
        ended[0] += 1
        if plan.as_json or not console.is_terminal:
            return
        mark = Text("✓ ", style="green") if trial.passed else Text("✗ ", style="red")
        console.print(Text.assemble((f"{ended[0]:>4} ", "dim"), mark, trial.case_id))

    return told


def _print(console: Any, plan: _Plan, result: Result, comparison: Comparison | None) -> None:
    if plan.as_json:
        import sys

        import orjson

        held = {**result.summary(), "comparison": None if comparison is None else comparison.to_dict()}
        sys.stdout.write(orjson.dumps(held, default=str).decode() + "\n")
        return
    from segue.cli.evals import print_comparison, print_result

    print_result(console, result)
    if comparison is not None:
        print_comparison(console, comparison)
    for said, place in (("the report is in", plan.html), ("the result is in", plan.out)):
        if place is not None:
            console.print(f"{said} {place}", highlight=False, soft_wrap=True)
    console.print(f"kept as {result.id}; look into it: segue evals show {result.id} CASE", highlight=False, style="dim")


def _code(plan: _Plan, result: Result, comparison: Comparison | None) -> int:
    if result.trials and all(trial.outside for trial in result.trials):
        return 3
    broken = comparison is not None and bool(comparison.broken)
    return int(broken or result.pass_rate < plan.at_least)
