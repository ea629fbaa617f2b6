"""What `segue simulate` is given: options, files, settings and traces in; plans and recorded requests out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue.base.errors import BadInput

if TYPE_CHECKING:
    from segue.router.settings import RouterSettings, RouteSettings
    from segue.router.simulate.fleet import Plan
    from segue.router.simulate.recorded import RecordedRequest
    from segue.tracing.spans import SpanRow

EVERY = "*"
"""The name in a file of figures that stands for all equal hosts."""
_USUAL_HOSTS = 8
_MOST_HOSTS = 1000


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What the workspace recorded."""

    spans: list[SpanRow]
    threads: dict[str, str]

    @property
    def rows(self) -> list[RecordedRequest]:
        """Its generations as requests."""
        from segue.router.simulate.traced import traced_rows

        return traced_rows(self.spans, threads=self.threads)


async def read_traces(folder: Path, limit: int) -> Traces:
    """The newest generations of the workspace in a folder, and the threads of their runs."""
    from segue.base.principal import LOCAL
    from segue.cli.session import open_workspace

    async with open_workspace(folder) as ws:
        spans = await asyncio.to_thread(ws.traces.generations, tenant=LOCAL.tenant, limit=limit)
        runs = await asyncio.to_thread(ws.runs, limit=limit)
        return Traces(spans=spans, threads={run.id: run.thread_id for run in runs})


def words(text: str) -> list[str]:
    """What stands between commas."""
    return [each.strip() for each in text.split(",") if each.strip()]


def numbers(option: str, text: str) -> list[float]:
    """The numbers between commas, each above 0.

    Raises:
        BadInput: One is none, or there is none.
    """
    try:
        found = [float(each) for each in words(text)]
    except ValueError:
        found = []
    if not found or not all(0 < each < float("inf") for each in found):
        raise BadInput(f"{option} wants numbers above 0, such as 2.5 or 2.5,4.5, not {text!r}.")
    return found


def hosts_of(text: str) -> tuple[list[int], list[int]]:
    """How many equal hosts are wanted (none: those of the settings), and how many more are compared.

    Raises:
        BadInput: It says something else.
    """
    counts, more = list[int](), [0]
    for each in words(text):
        if not each.removeprefix("+").isdigit() or not 0 < int(each) <= _MOST_HOSTS:
            raise BadInput(f"--hosts wants how many, such as 8, or how many more, such as +2, not {each!r}.")
        (more if each.startswith("+") else counts).append(int(each))
    return counts, more


def given_figures(figures: Path | None, learned: Path | None, traces: Traces | None) -> dict[str, dict[str, Any]]:
    """What is known of hosts by name: what the traces say, what was measured, and over both what a person says.

    Raises:
        ConfigError: A file cannot be read, or a figure does not fit.
        BadInput: Figures are to be learned, and no deployment has enough generations.
    """
    from segue.router.simulate.figures import read_figures
    from segue.router.simulate.learned import ENOUGH
    from segue.router.simulate.learned import learned as learn

    out: dict[str, dict[str, Any]] = {}
    if traces is not None:
        out = learn(traces.spans)
        if not out:
            raise BadInput(
                f"nothing can be learned: no deployment has {ENOUGH} generations in the traces that tell of it."
            )
    files = [(learned, f"learned, {learned.name}" if learned else ""), (figures, "")]
    for path, source in files:
        for name, held in (read_figures(path, source=source) if path is not None else {}).items():
            out[name] = {**out.get(name, {}), **held}
    return out


async def plans_of(
    folder: Path,
    route: str,
    hosts: tuple[Sequence[int], Sequence[int]],
    policies: Sequence[str],
    known: Mapping[str, Mapping[str, Any]],
    everywhere: Mapping[str, Any],
) -> list[Plan]:
    """The fleets to compare: each number of hosts with each policy."""
    from segue.router.simulate.fleet import equal_hosts
    from segue.workspace.settings import read

    counts, more = hosts
    settings = read(folder).router_settings()
    if counts or not settings.deployments:
        alone = next(iter(known)) if len(known) == 1 and not next(iter(known)).startswith("host") else EVERY
        mine, everything = _apart(known, everywhere, every=alone)  # of one deployment, they hold for all equal hosts
        bases = [equal_hosts(count, everything, known=mine) for count in counts or [_USUAL_HOSTS]]
        if route:
            raise BadInput("--route is of segue.toml: it does not go with --hosts NUMBER.")
    else:
        bases = [await _of_settings(settings, route, known, everywhere)]
    plans = [base.with_more(count) for base in bases for count in dict.fromkeys(more)]
    return [plan.with_policy(policy) for plan in plans for policy in policies] if policies else plans


async def _of_settings(
    settings: RouterSettings, route: str, known: Mapping[str, Mapping[str, Any]], everywhere: Mapping[str, Any]
) -> Plan:
    from segue.router.settings import RouteSettings
    from segue.router.simulate.fleet import planned
    from segue.router.simulate.table_prices import table_prices

    routes: dict[str, RouteSettings] = dict(settings.routes)
    if not routes:
        routes["default"] = RouteSettings(deployments=tuple(settings.deployments), policy="first")
    name = route or settings.default_route or ("default" if "default" in routes else next(iter(routes)))
    mine, everything = _apart(known, everywhere)
    return planned(
        settings.deployments, routes, name, known=mine, everywhere=everything,
        prices=await table_prices(settings.deployments), wait_s=settings.wait_s,
    )  # fmt: skip


def _apart(
    known: Mapping[str, Mapping[str, Any]], everywhere: Mapping[str, Any], *, every: str = EVERY
) -> tuple[dict[str, Mapping[str, Any]], dict[str, Any]]:
    """Figures of hosts by name, and those of all of them; options win over both."""
    mine: dict[str, Mapping[str, Any]] = {
        name: {**held, **everywhere} for name, held in known.items() if name not in (every, EVERY)
    }
    return mine, {**known.get(every, {}), **everywhere}
