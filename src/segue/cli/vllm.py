"""`segue vllm`: serve a model with vLLM, set up for agents, and see whether a server is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.router.settings import DeploymentSettings
    from segue.router.vllm_servers.finding import Finding

app = typer.Typer(help="vLLM servers: start one, check one.", no_args_is_help=True, rich_markup_mode=None)
_LOCAL = "http://127.0.0.1:8000/v1"


@app.command("up")
def up_command(
    model: Annotated[str, typer.Argument(help="The model: its name on a hub, or its folder.")],
    extra: Annotated[list[str] | None, typer.Argument(help="Further arguments for vLLM, after --.")] = None,
    show: Annotated[bool, typer.Option("--print", help="Print command and settings; start nothing.")] = False,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    name: Annotated[str, typer.Option(help="What requests call the model; its own name if not given.")] = "",
    lora: Annotated[list[str] | None, typer.Option(help="An adapter, NAME=PATH; may be given again.")] = None,
    max_lora_rank: Annotated[int | None, typer.Option(min=1, help="The largest rank of the adapters.")] = None,
    tool_parser: Annotated[str, typer.Option(help="By the model's family if not given; none for none.")] = "",
    reasoning_parser: Annotated[str, typer.Option(help="By the model's family if not given; none for none.")] = "",
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Input and output that fit, in tokens.")] = None,
    tensor_parallel: Annotated[int, typer.Option(min=1, help="GPUs to split the model over.")] = 1,
    kv_dtype: Annotated[str, typer.Option(help="Of the KV cache, such as fp8.")] = "",
    api_key: Annotated[str, typer.Option(help="The key that clients need: env:NAME or file:PATH.")] = "",
    python: Annotated[str, typer.Option(help="The Python that has vLLM; this one if not given.")] = "",
    wait_s: Annotated[float, typer.Option(min=1, help="Seconds that loading the model may take.")] = 1800.0,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml and .env.")] = Path(),
) -> None:
    """Serve a model with vLLM, with the flags that agents need, and say what to put into segue.toml."""
    import asyncio
    import sys

    from segue.cli.vllm_up import serve, shown
    from segue.router.vllm_servers.command import ServerOptions, notes, server_command, settings_lines
    from segue.router.vllm_servers.installed import Installed, find_installed
    from segue.workspace.settings import environment

    options = ServerOptions(
        host=host, port=port, served_name=name, loras=_loras(lora or []), max_lora_rank=max_lora_rank,
        tool_parser=tool_parser, reasoning_parser=reasoning_parser, max_model_len=max_model_len,
        tensor_parallel=tensor_parallel, kv_dtype=kv_dtype, api_key=api_key, extra=tuple(extra or ()),
    )  # fmt: skip
    installed = find_installed(python)
    if installed is None and not show:
        raise _not_installed(python)
    command = server_command(model, options, installed or Installed())
    for note in notes(model, options):
        print(f"note: {note}", file=sys.stderr)
    print(shown(command, options), flush=True)
    print(f"\n{settings_lines(model, options)}", flush=True)
    if not show:
        code = asyncio.run(serve(command, options, environ=environment(folder), wait_s=wait_s))
        raise typer.Exit(code)


@app.command("check")
def check_command(
    which: Annotated[list[str] | None, typer.Argument(help="URLs, or deployments of segue.toml.")] = None,
    model: Annotated[str, typer.Option(help="The model at a URL; the first one that it lists if not given.")] = "",
    api_key: Annotated[str, typer.Option(help="The key for a URL: env:NAME or file:PATH.")] = "",
    timeout_s: Annotated[float, typer.Option(min=0.1, help="For each question to a server.")] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a finding.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """See whether servers are set up for agents; without arguments, those of segue.toml, else port 8000 here.

    It asks each for a handful of tiny generations. Exits with 1 where something is missing, with 3 where a server does
    not answer.
    """
    import asyncio

    from segue.workspace.settings import environment

    found = asyncio.run(_check(which or [], model, api_key, timeout_s, folder, environment(folder)))
    for server, findings in found.items():
        (_print_json if as_json else _print)(server, findings)
    states = [(each.name, each.state) for findings in found.values() for each in findings]
    if ("reachable", "missing") in states:
        raise typer.Exit(3)
    if any(state == "missing" for _, state in states):
        raise typer.Exit(1)


async def _check(
    which: list[str], model: str, api_key: str, timeout_s: float, folder: Path, environ: Mapping[str, str]
) -> dict[str, list[Finding]]:
    from segue.router.sessions import Sessions
    from segue.router.vllm_servers.check import check

    sessions, found = Sessions(), dict[str, list["Finding"]]()
    try:
        for name, settings in (await _servers(which, model, api_key, folder, environ)).items():
            found[name] = await check(settings, name=name, sessions=sessions, environ=environ, timeout_s=timeout_s)
    finally:
        await sessions.aclose()
    return found


async def _servers(
    which: list[str], model: str, api_key: str, folder: Path, environ: Mapping[str, str]
) -> dict[str, DeploymentSettings]:
    """What is to be checked, by name."""
    from segue.base.errors import BadInput, names
    from segue.workspace.settings import read

    configured = read(folder).deployments
    out: dict[str, DeploymentSettings] = {}
    for each in which:
        if "://" in each:
            out[each] = await _at(each, model, api_key, environ)
        elif each in configured:
            out[each] = configured[each]
        else:
            raise BadInput(f"there is no deployment {each!r}; there are: {names(configured)}. A URL begins with http.")
    if not which:
        out = {name: settings for name, settings in configured.items() if settings.engine == "vllm"}
    return out or {_LOCAL: await _at(_LOCAL, model, api_key, environ)}


async def _at(url: str, model: str, api_key: str, environ: Mapping[str, str]) -> DeploymentSettings:
    """Settings for a URL; its model is the first that it lists, where none is named."""
    from segue.router.catalogue import served_by
    from segue.router.errors import AttemptError
    from segue.router.settings import DeploymentSettings

    endpoint = url.rstrip("/")
    endpoint = endpoint if endpoint.endswith("/v1") else f"{endpoint}/v1"
    settings = DeploymentSettings(engine="vllm", endpoint=endpoint, model=model or "-", api_key=api_key or None)
    if model:
        return settings
    try:
        served = await served_by(settings, name=url, environ=environ)
    except AttemptError:
        return settings  # which the check will say better
    return settings.model_copy(update={"model": served.first or "-"})


def _loras(given: list[str]) -> dict[str, str]:
    from segue.base.errors import BadInput

    pairs = [each.partition("=") for each in given]
    for name, equals, path in pairs:
        if not (name and equals and path):
            raise BadInput(f"--lora wants NAME=PATH, not {name + equals + path!r}.")
    return {name: path for name, _, path in pairs}


def _not_installed(python: str) -> Exception:
    from segue.base.errors import ConfigError

    where = python or "this Python"
    return ConfigError(
        f"vLLM is not installed for {where}.",
        way_out="pip install 'segue[vllm]', or name a Python that has it with --python; --print needs none.",
    )


def _print(server: str, findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    from segue.cli.show import terminal

    console, styles = terminal(), {"ok": "green", "missing": "red", "unknown": "yellow"}
    console.print(Text(server, style="bold"))
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for each in findings:
        detail = Text(each.detail)
        if each.state == "missing":
            detail.append(f"\n{each.purpose}", style="dim")
            detail.append(f"\n{each.mend}", style="bold")
        state = "not known" if each.state == "unknown" else each.state
        table.add_row(Text(state, style=styles[each.state]), each.name, detail)
    console.print(table, highlight=False)


def _print_json(server: str, findings: list[Finding]) -> None:
    from dataclasses import asdict

    import orjson

    for each in findings:
        print(orjson.dumps({"server": server, **asdict(each)}).decode())
