"""`segue keys`: who may reach the server, as whom, and how much; a key is shown once, when it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from segue.server.keys import Keys
    from segue.workspace import Workspace

app = typer.Typer(help="Keys of the server: add, list, revoke.", no_args_is_help=True, rich_markup_mode=None)
T = TypeVar("T")
_Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]
_DAY_S = 86_400.0


@app.command("add")
def add_command(
    tenant: Annotated[str, typer.Argument(help="Whose data it reaches.")],
    user: Annotated[str, typer.Argument(help="Who it is.")],
    scope: Annotated[list[str] | None, typer.Option(help="What tools may do for it; may be given again.")] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="It may only look.")] = False,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="As [server] says if not given.")] = None,
    concurrent_runs: Annotated[int | None, typer.Option(min=1, help="As [server] says if not given.")] = None,
    days: Annotated[float | None, typer.Option(min=0.001, help="How long it counts; without end if not given.")] = None,
    note: Annotated[str, typer.Option(help="What it is for.")] = "",
    folder: _Folder = Path(),
) -> None:
    """Make a key, and print it: it is kept nowhere."""
    from segue.server.keys import Key

    async def add(keys: Keys, ws: Workspace) -> tuple[str, Key]:
        now = ws.services.clock.now()
        wanted = Key(
            id="", tenant=tenant, user=user, scopes=tuple(scope or ()), read_only=read_only, note=note,
            requests_per_minute=requests_per_minute, concurrent_runs=concurrent_runs,
            expires_at=None if days is None else now + days * _DAY_S,
        )  # fmt: skip
        return await keys.add(wanted, now=now)

    secret, key = _within(folder, add)
    print(secret)
    typer.echo(f"{key.id}: {key.user} of {key.tenant}; the key is shown this once", err=True)


@app.command("list")
def list_command(
    folder: _Folder = Path(), as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """List the keys, oldest first, without what opens the door."""
    from segue.cli.jobs import plain, show

    async def every(keys: Keys, ws: Workspace) -> list[dict[str, object]]:
        return [plain(each) for each in await keys.all()]

    columns = ["id", "tenant", "user", "scopes", "read_only", "created_at", "expires_at", "revoked_at", "note"]
    show(_within(folder, every), columns, as_json, empty="no keys; segue keys add makes one")


@app.command("revoke")
def revoke_command(key_id: Annotated[str, typer.Argument(help="The key's id.")], folder: _Folder = Path()) -> None:
    """Have a key count no more, from the next request on."""

    async def revoke(keys: Keys, ws: Workspace) -> str:
        return (await keys.revoke(key_id, now=ws.services.clock.now())).id

    print(f"{_within(folder, revoke)} is revoked")


def _within(folder: Path, ask: Callable[[Keys, Workspace], Awaitable[T]]) -> T:
    from segue.memory.database import open_database
    from segue.server.keys import Keys
    from segue.server.store import ServerStore, place_of
    from segue.workspace import Workspace

    async def inside() -> T:
        async with Workspace.open(folder) as ws, open_database(place_of(ws)) as database:
            store = ServerStore(database)
            await store.open()
            return await ask(Keys(store), ws)

    return asyncio.run(inside())
