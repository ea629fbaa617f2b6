"""`segue check`: what a change of an agent does to the threads that are stored.

Exit codes: 0 every thread resumes; 1 some need a migration; 4 some break. 2 and 3 as for every command.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.graphs.verdicts import Verdict

_CODES = {"resumes": 0, "needs migration": 1, "breaks": 4}


def command(
    target: Annotated[str, typer.Argument(help="The agent or team as it is now: module:attr or file.py:attr.")],
    thread: Annotated[str, typer.Option(help="Only this thread.")] = "",
    every: Annotated[bool, typer.Option("--all", help="List threads that resume, too.")] = False,
    apply: Annotated[
        bool, typer.Option("--apply", help="Migrate the threads that the agent's migrations mend.")
    ] = False,
    tenant: Annotated[str, typer.Option(help="Whose threads; the single user's if not given.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a thread.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Say of every stored thread whether it goes on in the agent as it is now: resumes, needs migration, breaks."""
    import asyncio

    code = asyncio.run(_check(target, thread, every, apply, tenant, as_json, folder))
    if code:
        raise typer.Exit(code)


async def _check(target: str, thread: str, every: bool, apply: bool, tenant: str, as_json: bool, folder: Path) -> int:
    from segue.base.principal import LOCAL, Principal
    from segue.cli.session import open_workspace
    from segue.workspace.loading import load

    agent = load(target, folder)
    principal = Principal(tenant, LOCAL.user, LOCAL.scopes) if tenant else LOCAL
    async with open_workspace(folder) as ws:
        done = await ws.migrate(agent, thread_id=thread or None, principal=principal) if apply else []
        found = await ws.check(agent, thread_id=thread or None, principal=principal)
    migrated = [each for each in done if each.migrations and each.kind == "resumes"]
    if as_json:
        _print_json(found, {each.thread_id for each in migrated})
    else:
        _print(found, agent, every, len(migrated) if apply else None)
    return max((_CODES[each.kind] for each in found), default=0)


def _print_json(found: list[Verdict], migrated: set[str]) -> None:
    import orjson

    for each in found:
        print(orjson.dumps({**each.to_dict(), "migrated": each.thread_id in migrated}).decode())


def _print(found: list[Verdict], agent: Any, every: bool, migrated: int | None) -> None:
    from segue.cli.show import terminal

    console = terminal()
    shown = [each for each in found if every or each.kind != "resumes" or each.migrations]
    if shown:
        console.print(_table(shown), highlight=False)
        console.print()
    if migrated is not None:
        print(f"{_threads(migrated)} migrated")
    if not found:
        print(f"{agent.name} has no stored threads")
        return
    counts = {kind: sum(each.kind == kind for each in found) for kind in _CODES}
    print(f"{_threads(len(found))} of {agent.name}: " + ", ".join(f"{counts[kind]} {word}" for kind, word in _WORDS))
    for change in dict.fromkeys(change for each in found if each.kind != "resumes" for change in each.changes):
        print(f"changed since: {change}")


_WORDS = (("resumes", "resume"), ("needs migration", "need migration"), ("breaks", "break"))


def _threads(count: int) -> str:
    return f"{count} thread{'' if count == 1 else 's'}"


def _table(shown: list[Verdict]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("thread", "run", "status", "verdict", "where", "what", "way out"):
        table.add_column(head, overflow="fold")
    for each in shown:
        first = [each.thread_id, each.run_id, each.status, each.kind]
        if each.migrations:
            table.add_row(*map(Text, [*first, "", f"migrates first: {', '.join(each.migrations)}", ""]))
            first = [""] * 4
        for finding in each.findings:
            what = f"wanted {finding.expected}; there is {finding.found}"
            table.add_row(*map(Text, [*first, finding.where, what, finding.way_out]))
            first = [""] * 4
        if not each.findings and not each.migrations:
            table.add_row(*map(Text, [*first, "", "", ""]))
    return table
