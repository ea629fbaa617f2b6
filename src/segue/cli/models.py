"""`segue models`: what the models do now, and how fast they answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from segue.router.health import Health
    from segue.router.settings import DeploymentSettings
    from segue.router.speeds import Speed

app = typer.Typer(help="Models: what they do now, and how fast they answer.", rich_markup_mode=None)
Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
_LOOKED_AT = 1_000


@app.callback(invoke_without_command=True)
def table_command(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 where one cannot be asked.")] = False,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For each question to an endpoint.")] = 2.0,
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Show each deployment: its health and load as it says now, its speed and cost as the traces say."""
    if context.invoked_subcommand is not None:
        return
    from segue.cli.show import terminal
    from segue.cli.tables import print_rows

    found, health, speed, looked_at = asyncio.run(_look(folder, timeout_s))
    told = [(name, settings, health[name], speed.get(name)) for name, settings in found.items()]
    console = terminal()
    print_rows(console, [(_data if as_json else _row)(*each) for each in told], as_json=as_json, empty="no deployment")
    if not as_json:
        for name, _, each, _ in told:
            if each.detail:
                line = each.detail if name in each.detail else f"{name}: {each.detail}"
                console.print(line, markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"\nfirst token, tokens/s and cost: of the newest {looked_at} generations of this workspace",
            highlight=False, soft_wrap=True, style="dim",
        )  # fmt: skip
    if check and not all(each.well for each in health.values()):
        raise typer.Exit(3)


@app.command("bench")
def bench_command(
    which: Annotated[list[str] | None, typer.Argument(help="Deployments; all of them if not given.")] = None,
    requests: Annotated[int, typer.Option(min=1, help="How many, to each.")] = 20,
    concurrency: Annotated[int, typer.Option(min=1, help="How many side by side.")] = 4,
    input_tokens: Annotated[int, typer.Option(min=1, help="Of each, about.")] = 1000,
    output_tokens: Annotated[int, typer.Option(min=1, help="Of each answer, at most.")] = 100,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For each request.")] = 120.0,
    yes: Annotated[bool, typer.Option("--yes", help="Spend money without asking.")] = False,
    folder: Folder = Path(),
    as_json: AsJson = False,
) -> None:
    """Send real generations to each deployment, and say how fast it answers. Asks before it costs money.

    Exits with 3 where a deployment answers none.
    """
    from segue.cli.models_bench import run_bench
    from segue.router.bench import Bench

    wanted = Bench(
        requests=requests, concurrency=concurrency, input_tokens=input_tokens, output_tokens=output_tokens,
        timeout_s=timeout_s,
    )  # fmt: skip
    raise typer.Exit(asyncio.run(run_bench(folder, which or [], wanted, yes=yes, as_json=as_json)))


async def deployments_of(folder: Path, environ: Mapping[str, str]) -> dict[str, DeploymentSettings]:
    """The deployments of segue.toml, else what would be chosen without any."""
    from segue.base.errors import EndpointError
    from segue.router.choice import choose
    from segue.router.settings import DeploymentSettings
    from segue.workspace.settings import read

    settings = read(folder).router_settings()
    try:
        chosen, _ = await choose(settings, environ=environ)
    except EndpointError:  # OPENAI_BASE_URL names one that does not answer, which its health will say
        url = environ["OPENAI_BASE_URL"].strip().rstrip("/")
        key = "env:OPENAI_API_KEY" if environ.get("OPENAI_API_KEY") else None
        return {"default": DeploymentSettings(engine="openai", endpoint=url, model="unknown", api_key=key)}
    return dict(chosen.deployments)


@app.command("canary")
def canary_command(
    route: Annotated[str, typer.Argument(help="A route with a canary in segue.toml.")],
    share: Annotated[float, typer.Argument(min=0.0, max=1.0, help="From 0 to 1: how many of its threads.")],
    folder: Folder = Path(),
) -> None:
    """Send a share of a route's threads by its canary, in every process of this workspace, within a second."""
    _set_share(folder, route, share)


@app.command("rollback")
def rollback_command(
    route: Annotated[str, typer.Argument(help="A route with a canary in segue.toml.")], folder: Folder = Path()
) -> None:
    """Send nothing by a route's canary any more: as `canary ROUTE 0`."""
    _set_share(folder, route, 0.0)


def _set_share(folder: Path, route: str, share: float) -> None:
    from segue.base.errors import BadInput, names
    from segue.router.rollout import Shares
    from segue.workspace.settings import read

    settings = read(folder)
    with_canary = [name for name, held in settings.routes.items() if held.canary is not None]
    if route not in with_canary:
        raise BadInput(
            f"route {route!r} has no canary; those that have one: {names(with_canary)}.",
            way_out=f"Add `canary = {{ route = …, share = … }}` to [routes.{route}] in segue.toml.",
        )
    held = settings.routes[route].canary
    assert held is not None
    Shares(folder / settings.data_dir / "rollouts.json").set(route, share)
    typer.echo(f"{share:.3g} of the threads of route {route!r} go by {held.route!r} from now on.")


async def _look(
    folder: Path, timeout_s: float
) -> tuple[dict[str, DeploymentSettings], dict[str, Health], dict[str, Speed], int]:
    """The deployments, what they say, what the traces say of them, and of how many generations."""
    from segue.base.principal import LOCAL
    from segue.cli.session import open_workspace
    from segue.router.health import healths
    from segue.router.speeds import speeds
    from segue.workspace.settings import environment

    environ = environment(folder)
    found = await deployments_of(folder, environ)
    async with open_workspace(folder) as ws:
        spans = await asyncio.to_thread(ws.traces.generations, tenant=LOCAL.tenant, limit=_LOOKED_AT)
    return found, await healths(found, environ=environ, timeout_s=timeout_s), speeds(spans), len(spans)


def _row(name: str, settings: DeploymentSettings, health: Health, speed: Speed | None) -> dict[str, Any]:
    held = health.metrics
    hit = held.hit_rate if held is not None and held.hit_rate is not None else speed.hit_rate if speed else None
    return {
        "deployment": name,
        "engine": settings.engine,
        "model": _model(settings),
        "endpoint": settings.url,
        "health": health.state + (f" {health.took_s * 1000:.0f} ms" if health.took_s else ""),
        "running": None if held is None else held.running,
        "waiting": None if held is None else held.waiting,
        "kv": None if held is None else f"{held.kv_usage:.0%}",
        "first_token": f"{speed.first_token_s:.2f} s" if speed and speed.first_token_s is not None else None,
        "tokens/s": f"{speed.tokens_s:.0f}" if speed and speed.tokens_s is not None else None,
        "cached": None if hit is None else f"{hit:.0%}",
        "cost": None if speed is None else "?" if speed.cost_usd is None else f"${speed.cost_usd:.4f}",
        "limits": ", ".join(_limits(settings)),
    }


def _data(name: str, settings: DeploymentSettings, health: Health, speed: Speed | None) -> dict[str, Any]:
    from dataclasses import asdict

    held = health.metrics
    return {
        "deployment": name, "engine": settings.engine, "model": _model(settings), "endpoint": settings.url,
        "health": health.state, "well": health.well, "detail": health.detail, "took_s": health.took_s,
        "load": None if held is None else {
            "running": held.running, "waiting": held.waiting, "kv_usage": held.kv_usage, "kv_tokens": held.kv_tokens,
        },
        "prefix_hit_rate": None if held is None else held.hit_rate,
        "speed": None if speed is None else asdict(speed),
        "price": None if settings.price is None else settings.price.model_dump(),
        "limits": {limit: value for limit in _LIMITS if (value := getattr(settings, limit)) is not None},
    }  # fmt: skip


_LIMITS = {
    "requests_per_second": "{:g} a second",
    "requests_per_minute": "{:g} a minute",
    "tokens_per_minute": "{:,} tokens a minute",
    "max_concurrency": "{} side by side",
}


def _limits(settings: DeploymentSettings) -> list[str]:
    held = ((text, getattr(settings, name)) for name, text in _LIMITS.items())
    return [text.format(value) for text, value in held if value is not None]


def _model(settings: DeploymentSettings) -> str:
    return settings.model or settings.target or ("offline/rules-1" if settings.engine == "offline" else "")
