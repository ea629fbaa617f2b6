"""`segue models bench`: asks before money is spent, asks the deployments, and tells how fast they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from segue.base.errors import BadInput, names
from segue.cli.asking import can_ask
from segue.cli.models import deployments_of
from segue.cli.show import terminal
from segue.cli.tables import print_rows
from segue.router.bench import Bench, Measured, bench
from segue.router.build import build
from segue.router.deployment import Deployment
from segue.router.sessions import Sessions, is_loopback
from segue.router.settings import DeploymentSettings
from segue.workspace.settings import environment


async def run_bench(folder: Path, which: list[str], wanted: Bench, *, yes: bool, as_json: bool) -> int:
    """Bench one deployment after the other; the exit code."""
    environ = environment(folder)
    chosen = _named(await deployments_of(folder, environ), which)
    sessions, console = Sessions(), terminal()
    try:
        held = {name: build(name, settings, sessions=sessions, environ=environ) for name, settings in chosen.items()}
        if not yes:
            await _ask(console, held, chosen, wanted)
        found = {}
        for name, deployment in held.items():
            found[name] = await _shown(console, name, deployment, wanted, quiet=as_json)
    finally:
        await sessions.aclose()
    rows = [(_data if as_json else _row)(name, each) for name, each in found.items()]
    print_rows(console, rows, as_json=as_json, empty="no deployment")
    for name, each in found.items():
        if each.error and not as_json:
            console.print(f"{name}: {each.error}", markup=False, highlight=False, soft_wrap=True)
    return 0 if all(each.answered for each in found.values()) else 3


def _named(held: Mapping[str, DeploymentSettings], which: list[str]) -> dict[str, DeploymentSettings]:
    if strange := [name for name in which if name not in held]:
        raise BadInput(f"there is no deployment {strange[0]!r}; there are: {names(held)}.")
    return {name: held[name] for name in which or held}


async def _ask(
    console: Console, held: Mapping[str, Deployment], settings: Mapping[str, DeploymentSettings], wanted: Bench
) -> None:
    """Whether the money may be spent, where any is."""
    told = []
    for name, deployment in held.items():
        each_usd = await deployment.quote(wanted.input_tokens, wanted.output_tokens)
        if each_usd:
            told.append(f"{name} about ${each_usd * wanted.requests:.4f}")
        elif each_usd is None and not _is_own(settings[name]):
            told.append(f"{name} what its provider asks (no price is known)")
    if not told:
        return
    question = f"{wanted.requests} generations each will cost: {', '.join(told)}. Go on?"
    if not can_ask():
        raise BadInput(question.removesuffix(" Go on?"), way_out="Nobody is here to ask: allow it with --yes.")
    from rich.prompt import Confirm

    if not Confirm.ask(question, console=console, default=False):
        raise BadInput("nothing was sent.")


def _is_own(settings: DeploymentSettings) -> bool:
    """Whether nobody asks money for it, as far as can be told."""
    return settings.engine in ("offline", "vllm", "ollama") or is_loopback(settings.url)


async def _shown(console: Console, name: str, deployment: Deployment, wanted: Bench, *, quiet: bool) -> Measured:
    if quiet or not console.is_terminal:
        return await bench(deployment, wanted)
    from rich.progress import Progress

    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(name, total=wanted.requests)
        return await bench(deployment, wanted, ended=lambda: progress.advance(task))


def _row(name: str, each: Measured) -> dict[str, Any]:
    failed = ", ".join(f"{count} {kind}" for kind, count in each.errors.items())
    return {
        "deployment": name, "answered": each.answered, "failed": failed or 0,
        "first_token_p50": _s(each.first_token_p50_s), "p95": _s(each.first_token_p95_s),
        "tokens/s_of_one": "" if each.stream_tokens_s is None else f"{each.stream_tokens_s:.0f}",
        "of_all": f"{each.tokens_s:.0f}", "tokens": f"{each.input_tokens} + {each.output_tokens}",
        "cost": "?" if each.cost_usd is None else f"${each.cost_usd:.4f}", "seconds": f"{each.duration_s:.2f}",
    }  # fmt: skip


def _data(name: str, each: Measured) -> dict[str, Any]:
    return {"deployment": name, **asdict(each)}


def _s(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f} s"
