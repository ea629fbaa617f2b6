"""`segue tools`: the tools of an agent or a team, and with `--explain` what the gate knows of each and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segue.tools.declaration import Declaration
    from segue.tools.deriving import Derived
    from segue.tools.tool import Tool


def command(
    target: Annotated[str, typer.Argument(help="The agent or team: module:attr or file.py:attr.")],
    explain: Annotated[bool, typer.Option("--explain", help="What the gate knows of each tool, and why.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Show the tools of an agent or a team: what each does to the world, and its group in plans."""
    from segue.cli.show import terminal
    from segue.cli.tables import print_rows
    from segue.guards.gate import explain as explained
    from segue.workspace.loading import load

    found = [(agent, tool, explained(tool)) for agent, tool in _tools(load(target, folder))]
    if explain and not as_json:
        for agent, tool, derived in found:
            _print(agent, tool, derived)
        return
    rows = [_row(agent, tool, derived, explain) for agent, tool, derived in found]
    print_rows(terminal(), rows, as_json=as_json, empty="no tools")


def _tools(runnable: Any) -> Iterator[tuple[str, Tool]]:
    """The tools of an agent, and of all agents below it, each with the agent's name."""
    if (toolset := getattr(runnable, "toolset", None)) is not None:
        yield from ((runnable.name, tool) for tool in toolset.tools())
    for member in getattr(runnable, "members", ()):
        yield from _tools(member)


def _row(agent: str, tool: Tool, derived: Derived, explain: bool) -> dict[str, Any]:
    declared = derived.declaration
    row = {
        "agent": agent,
        "tool": tool.name,
        "effect": declared.effect,
        "reach": declared.reach,
        "group": declared.group,
        "declared": "yes" if tool.declare is not None else "no",
    }
    return {**row, "declaration": dict(_fields(declared)), "why": dict(derived.why)} if explain else row


def _print(agent: str, tool: Tool, derived: Derived) -> None:
    print(f"{agent}.{tool.name}")
    for name, value in _fields(derived.declaration):
        why = derived.why.get(name, "")
        print(f"  {name:<13} {_shown(value)}" + (f"   ({why})" if why else ""))
        if name == "sinks" and why != "declared":
            for argument in value:
                print(f"  {'':<13}   {argument}: {derived.why.get(f'sinks.{argument}', '')}")
    print()


def _fields(declared: Declaration) -> Iterator[tuple[str, Any]]:
    yield "effect", declared.effect
    yield "reach", declared.reach
    yield "group", declared.group
    yield "src", declared.src
    yield "confidential", declared.confidential
    yield (
        "returns",
        {
            field or "(itself)": f"{'|'.join(each.trust)} {each.kind}"
            for field, each in (declared.returns or {}).items()
        },
    )
    yield "sinks", {name: f"{each.kind}: {', '.join(each.levels)}" for name, each in (declared.sinks or {}).items()}
    yield "content", list(declared.content or ())
    yield "amount_cap", declared.amount_cap
    yield "resolver", declared.resolver


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{name} = {each}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(value) or "-"
    return "-" if value in ("", None) else str(value).lower() if isinstance(value, bool) else str(value)
