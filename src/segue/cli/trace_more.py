"""More of `segue trace`: lists of runs, what an answer came from, who used a document, and what is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from segue.cli.show import cost, terminal

_VERSION = 12
"""Characters of a version that are shown; enough to ask for it again."""


def show_runs(ws: Any, whose: Any, limit: int) -> None:
    """The newest runs."""
    from segue.base.errors import BadInput

    runs = ws.runs(limit=limit, principal=whose)
    if not runs:
        raise BadInput(f"there are no runs in {ws.data_dir} yet.", way_out='Make one: segue run file.py:attr "…"')
    table = _table("run", "agent", "status", "tokens", "cost", "seconds")
    for each in runs:
        held = each.usage
        table.add_row(
            each.id, each.record.agent, each.status, str(held.total_tokens), cost(held.cost_usd),
            f"{each.duration_s:.2f}",
        )  # fmt: skip
    terminal().print(table, highlight=False)


async def show_lineage(ws: Any, run: Any, whose: Any) -> None:
    """What an answer came from: its citations, its generations, its tool calls and the documents behind them."""
    found = await ws.lineage(run.id, principal=whose)
    drawn = Tree(Text.assemble((found.agent, "bold"), (f"  {found.run_id}  {found.status}", "dim")))
    if found.citations:
        cited = drawn.add("cited")
        for citation in found.citations:
            below = cited.add(Text(citation.place, style="cyan"))
            for origin in citation.origins:
                where = "" if origin.run_id == found.run_id else f", in {origin.run_id}"
                below.add(_origin(origin, where))
            if not citation.origins:
                below.add(Text("shown by no tool", style="red"))
    for step in found.generations:
        drawn.add(Text.assemble(("generation ", "dim"), (step.agent, "bold"), (f"  {step.model}", "cyan")))
    for step in found.tools:
        line = Text.assemble(("tool ", "dim"), (step.name, "red" if step.failed else "bold"))
        below = drawn.add(line.append(f"  {step.artefact_id}" if step.artefact_id else "", style="dim"))
        for origin in step.origins:
            below.add(_origin(origin, ", cited" if origin.cited else ""))
    terminal().print(drawn, highlight=False)


def _origin(origin: Any, more: str) -> Text:
    version = origin.version[:_VERSION] or "version not known"
    return Text(f"{origin.path}:{origin.first}-{origin.last}  {version}{more}", style="dim")


async def show_used(ws: Any, document: str, version: str, whose: Any) -> None:
    """Which answers used a document."""
    found = await ws.answers_using(document=document, version=version, principal=whose)
    if not found:
        print(f"no answer used {document}")
        return
    table = _table("read at (UTC)", "run", "agent", "status", "document", "version", "cited")
    for each in found:
        at = f"{datetime.fromtimestamp(each.at, UTC):%Y-%m-%d %H:%M:%S}"
        cited = "yes" if each.cited else "no"
        table.add_row(at, each.run_id, each.agent, each.status, each.path, each.version[:_VERSION], cited)
    terminal().print(table, highlight=False)


async def forget(ws: Any, run_id: str, user: str, whose: Any) -> None:
    """Take traces out, and say what stays."""
    found = await ws.forget_traces(run_id, user=user, principal=whose)
    print(f"{found.spans} spans and {len(found.artefacts)} artefacts are gone")
    print("records, checkpoints, effects, the audit log and what was sent elsewhere stay")


def _table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head)
    return table
