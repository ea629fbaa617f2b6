"""`segue effects`: what tool calls that write did; and an open one settled by somebody who has looked.

An effect is open where its call was cut short: it may have taken place, and nobody knows. `settle` says what came of
it, so that the run, when it goes on, neither does it twice nor leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.base.principal import Principal
    from segue.context.effects import Effect

app = typer.Typer(help="List what tool calls that write did, and settle open ones.", rich_markup_mode=None)
_Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
_Tenant = Annotated[str, typer.Option(help="Of this tenant; the machine's single user if not given.")]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
_Key = Annotated[str, typer.Argument(help="The effect's key.")]


@app.callback(invoke_without_command=True)
def list_command(
    context: typer.Context,
    run_id: Annotated[str, typer.Option("--run", help="Only effects of this run.")] = "",
    thread_id: Annotated[str, typer.Option("--thread", help="Only effects of this thread.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those of which nobody knows what came.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    folder: _Folder = Path(),
    tenant: _Tenant = "",
    as_json: _Json = False,
) -> None:
    """List the newest effects, oldest first: when, which tool, its state, its run and its key."""
    import asyncio

    if context.invoked_subcommand is None:
        wanted = {"run_id": run_id, "thread_id": thread_id, "open_only": open_only, "limit": limit}
        asyncio.run(_list(folder, tenant, wanted, as_json))


@app.command("show")
def show_command(key: _Key, folder: _Folder = Path(), tenant: _Tenant = "", as_json: _Json = False) -> None:
    """Show one effect: its call, the arguments that ran, and what came of it."""
    import asyncio

    asyncio.run(_show(key, folder, tenant, as_json))


@app.command("settle")
def settle_command(
    key: _Key,
    done: Annotated[bool, typer.Option("--done/--not-done", help="Whether it took place.")],
    result: Annotated[str, typer.Option(help="What the tool would have returned: JSON, or text.")] = "",
    folder: _Folder = Path(),
    tenant: _Tenant = "",
) -> None:
    """Say what came of an open effect, after having looked: its run, when it goes on, takes your word for it."""
    import asyncio

    asyncio.run(_settle(key, done, result, folder, tenant))


def _who(tenant: str) -> Principal:
    from segue.base.principal import LOCAL, Principal

    return Principal(tenant, LOCAL.user) if tenant else LOCAL


async def _list(folder: Path, tenant: str, wanted: dict[str, Any], as_json: bool) -> None:
    from segue.cli.session import open_workspace

    async with open_workspace(folder) as ws:
        found = (await ws.effects(principal=_who(tenant), **wanted))[::-1]
    if as_json:
        _print_json(found)
    else:
        _print_table(found)


async def _show(key: str, folder: Path, tenant: str, as_json: bool) -> None:
    from segue.cli.session import open_workspace

    async with open_workspace(folder) as ws:
        found = await ws.effect(key, principal=_who(tenant))
    if as_json:
        _print_json([found])
        return
    for name, value in _plain(found).items():
        print(f"{name:<12} {value if isinstance(value, str) else _dumps(value)}")
    if found.open:
        print(f"\nIt is open: look, then say segue effects settle {key} --done [--result JSON], or --not-done.")


async def _settle(key: str, done: bool, result: str, folder: Path, tenant: str) -> None:
    from segue.cli.session import open_workspace

    async with open_workspace(folder) as ws:
        found = await ws.settle_effect(key, done=done, result=_value(result), principal=_who(tenant))
    print(f"{found.tool} of {found.run_id} is settled: it {'was done' if done else 'was not done'}.")


def _value(text: str) -> Any:
    """What was given as a result: JSON where it is that, else text."""
    import json

    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def _state(effect: Effect) -> str:
    if effect.state == "claimed":
        return "under way" if effect.under_way else "open"
    told = effect.came.told if effect.came else ""
    words = {"done": "settled: done", "not_done": "settled: not done", "left": "left unknown"}
    return words.get(told, effect.state)


def _plain(effect: Effect) -> dict[str, Any]:
    """What is shown of an effect, in the order in which it is shown."""
    came = effect.came
    shown = {
        "key": effect.key, "tool": effect.tool, "effect": f"{effect.effect}, {effect.reach}",
        "state": _state(effect), "begun_at": _at(effect.claimed_at), "ended_at": _at(effect.recorded_at),
        "run": effect.run_id, "thread": effect.thread_id, "branch": effect.branch, "call": effect.call_id,
        "agent": effect.agent, "task": effect.task_id, "approved_by": effect.approved_by,
        "settled_by": came.by if came else "", "arguments": effect.arguments,
        "result": came.content if came else "", "artefact": came.artefact_id if came else "",
    }  # fmt: skip
    return {name: value for name, value in shown.items() if value or name == "arguments"}


def _at(seconds: float | None) -> str:
    from datetime import UTC, datetime

    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _dumps(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)


def _print_json(found: Sequence[Effect]) -> None:
    for each in found:
        print(_dumps(_plain(each)))


def _print_table(found: Sequence[Effect]) -> None:
    from rich.table import Table

    from segue.cli.show import terminal

    if not found:
        print("no effects")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("begun at", "tool", "state", "run", "key"):
        table.add_column(head, no_wrap=head in ("key", "run"))
    for each in found:
        table.add_row(_at(each.claimed_at), each.tool, _state(each), each.run_id, each.key)
    terminal().print(table, highlight=False)
