"""`segue audit`: whether the log of decisions is whole, and what it holds.

`verify` exits with 1 where a row does not hold and says which. Neither opens a workspace, so both work on a log whose
runs go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Check and read the log of decisions.", no_args_is_help=True, rich_markup_mode=None)
_Folder = Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")]


@app.command("verify")
def verify_command(
    folder: _Folder = Path(),
    anchor: Annotated[str, typer.Option(help="COUNT:HASH of an earlier check, kept elsewhere.")] = "",
) -> None:
    """Check every row of the log; say which is the first that was altered, deleted, moved or cut off."""
    from segue.tracing.audit_check import verify

    path, key = _log_and_key(folder)
    found = verify(path, key, anchor=anchor)
    if found.lost:
        print(f"{found.lost} decisions could not be written when they were made; the log says where")
    if not found.ok:
        print(f"the audit log is broken: {found.problem}")
        print(f"{found.rows} rows before it hold")
        raise typer.Exit(1)
    print(f"{found.rows} rows, none altered, deleted, moved or cut off")
    print(f"anchor {found.anchor}")


@app.command("list")
def list_command(
    run_id: Annotated[str, typer.Argument(help="Only decisions of this run.")] = "",
    folder: _Folder = Path(),
    user: Annotated[str, typer.Option(help="Only decisions on behalf of this user.")] = "",
    tenant: Annotated[str, typer.Option(help="Only decisions of this tenant.")] = "",
    verdict: Annotated[str, typer.Option(help="Only this verdict.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the newest decisions, oldest first: when, which run, what was decided over, the verdict and the rule."""
    import orjson

    from segue.base.principal import LOCAL
    from segue.tracing.audit import VERDICTS
    from segue.tracing.audit_check import entries
    from segue.tracing.audit_rows import keyed

    _check(verdict, VERDICTS)
    path, key = _log_and_key(folder)
    person = keyed(key, "user", f"{tenant or LOCAL.tenant}\x1f{user}".encode()) if user else ""
    wanted = {"run_id": run_id, "user": person, "tenant": tenant, "verdict": verdict}
    found = entries(path, limit=limit, **{name: value for name, value in wanted.items() if value})[::-1]
    if as_json:
        for entry in found:
            print(orjson.dumps(entry).decode())
        return
    _print(found)


def _print(found: list[dict[str, Any]]) -> None:
    from datetime import UTC, datetime

    from rich.table import Table

    from segue.cli.show import terminal

    if not found:
        print("no decisions")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("row", "at (UTC)", "run", "who decided", "over", "verdict", "rule"):
        table.add_column(head)
    for entry in found:
        at = f"{datetime.fromtimestamp(entry['at'], UTC):%Y-%m-%d %H:%M:%S}" if "at" in entry else ""
        who = f"person {entry['by'][:8]}" if "by" in entry else entry["kind"]
        over = " ".join(str(entry[name]) for name in ("place", "tool", "call_id") if name in entry)
        verdict = f"{entry['lost']} lost" if entry["kind"] == "gap" else entry["verdict"]
        table.add_row(str(entry["seq"]), at, entry.get("run_id", ""), who, over, verdict, entry.get("rule", ""))
    terminal().print(table, highlight=False)


def _check(verdict: str, known: frozenset[str]) -> None:
    from segue.base.errors import BadInput, names

    if verdict and verdict not in known:
        raise BadInput(f"{verdict!r} is no verdict; there are {names(known)}")


def _log_and_key(folder: Path) -> tuple[Path, bytes]:
    """The log of a workspace and its key. A log that is not there is an error: a check of nothing proves nothing."""
    from segue.base.errors import BadInput
    from segue.tracing.audit import anchors_of
    from segue.workspace.settings import environment, read
    from segue.workspace.watching import AUDIT_FILE, audit_key

    if not folder.is_dir():
        raise BadInput(f"there is no folder {folder}.", way_out="Name the folder that holds segue.toml.")
    settings = read(folder)
    data_dir = folder.absolute() / settings.data_dir
    path = data_dir / AUDIT_FILE
    environ: Mapping[str, str] = environment(folder)
    if not path.exists() and not anchors_of(path).exists():
        raise BadInput(f"there is no audit log in {data_dir}.", way_out="It begins with the first run of a workspace.")
    return path, audit_key(settings.audit, data_dir, environ)
