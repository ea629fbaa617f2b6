"""`segue trace`: what happened in a run, and why; what its answer came from; and how long that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

_RunId = Annotated[str, typer.Argument(help="The run's id; the newest run if not given.")]
_Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]


def command(
    run_id: _RunId = "last",
    folder: _Folder = Path(),
    listed: Annotated[bool, typer.Option("--list", help="List the newest runs instead.")] = False,
    limit: Annotated[int, typer.Option(help="How many runs to list.")] = 20,
    lineage: Annotated[bool, typer.Option("--lineage", help="Say what the answer came from.")] = False,
    used: Annotated[str, typer.Option(help="Say which answers used this document, by its path.")] = "",
    version: Annotated[str, typer.Option(help="With --used: the beginning of the document's version.")] = "",
    forget: Annotated[bool, typer.Option("--forget", help="Take the run's spans and artefacts out.")] = False,
    forget_user: Annotated[str, typer.Option(help="The same for all runs on behalf of a user.")] = "",
    sweep: Annotated[bool, typer.Option("--sweep", help="Take out now what is older than keep_days.")] = False,
    export: Annotated[
        Path | None, typer.Option(help="Write all that is known of the run to this file, sealed.")
    ] = None,
    verify: Annotated[Path | None, typer.Option(help="Say whether this file is as it was sealed.")] = None,
    tenant: Annotated[str, typer.Option(help="Whose runs; the single user of this machine if not given.")] = "",
) -> None:
    """Print the trace of a run as a tree: times, tokens, cost, and why each edge was taken."""
    import asyncio

    from segue.base.errors import BadInput

    if verify is not None:
        from segue.cli.trace_export import verify as intact

        if not intact(folder, verify):
            raise typer.Exit(1)
        return
    if forget and run_id == "last":
        raise BadInput("say which run to forget: segue trace RUN --forget")
    asyncio.run(
        _trace(
            folder, run_id, tenant=tenant, listed=listed, limit=limit, lineage=lineage, used=used, version=version,
            forget=forget, forget_user=forget_user, sweep=sweep, export=export,
        )
    )  # fmt: skip


async def _trace(folder: Path, run_id: str, *, tenant: str, listed: bool, limit: int, **asked: Any) -> None:
    from segue.base.principal import LOCAL, Principal
    from segue.cli import trace_export, trace_more
    from segue.cli.session import open_workspace

    whose = Principal(tenant, LOCAL.user) if tenant else LOCAL
    async with open_workspace(folder) as ws:
        if asked["sweep"]:
            print(f"{await ws.sweep_traces()} spans were older than they are kept")
        elif asked["forget"] or asked["forget_user"]:
            await trace_more.forget(ws, "" if asked["forget_user"] else run_id, asked["forget_user"], whose)
        elif asked["used"]:
            await trace_more.show_used(ws, asked["used"], asked["version"], whose)
        elif listed:
            trace_more.show_runs(ws, whose, limit)
        elif asked["lineage"]:
            await trace_more.show_lineage(ws, _chosen(ws, run_id, whose), whose)
        elif asked["export"] is not None:
            await trace_export.export(ws, _chosen(ws, run_id, whose), whose, asked["export"])
        else:
            await _show(ws, _chosen(ws, run_id, whose), whose)


def _chosen(ws: Any, run_id: str, whose: Any) -> Any:
    from segue.base.errors import BadInput

    if run_id != "last":
        return ws.get(run_id, principal=whose)
    runs = ws.runs(limit=1, principal=whose)
    if not runs:
        raise BadInput(f"there are no runs in {ws.data_dir} yet.", way_out='Make one: segue run file.py:attr "…"')
    return runs[0]


async def _show(ws: Any, run: Any, whose: Any) -> None:
    from segue.base.errors import BadInput
    from segue.cli.show import terminal, usage_line
    from segue.cli.tree import tree

    roots = await ws.trace(run.id, principal=whose)
    if not roots:
        raise BadInput(f"run {run.id} has no spans; tracing was off when it ran, or they are not kept any more")
    console = terminal()
    console.print(tree(roots), highlight=False)
    console.print(f"{run.status}  {usage_line(run.usage, run.duration_s)}", highlight=False)
