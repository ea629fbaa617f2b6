"""CodeTools: the sandbox as an agent has it. `run_code` for a model that writes code, two named programs for any.

`summarise_table` and `plot` are code of ours over rows as data, run in the same sandbox. A table is given as rows, or
by the id that came with a query's result; an id means something within its tenant only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from segue.context.run import RunContext
from segue.tools.sandbox.monty import MontySandbox
from segue.tools.sandbox.port import CodeSandbox, ExecRequest, ExecResult, Limits
from segue.tools.sandbox.programs import PLOT, SUMMARISE
from segue.tools.sandbox.tables import TABLE_ID_PATTERN, Row, SqliteTableStore, TableStore
from segue.tools.tool import Tool, tool
from segue.tools.toolset import Toolset

TableId = Annotated[str, Field(pattern=TABLE_ID_PATTERN)]
TableArgument = TableId | list[dict[str, Any]]
ChartKind = Literal["bar", "line"]

_MARGIN_S = 5.0
"""What a tool call may take beyond the program's own time: waiting for a worker, fetching rows."""


class ProgramError(RuntimeError):
    """A program that did not come to its end; the message is for whoever wrote or called it."""

    def __init__(self, result: ExecResult) -> None:
        error = result.error
        line = f" (line {error.line})" if error and error.line else ""
        printed = f" It had printed: {result.stdout[-500:]!r}" if result.stdout else ""
        super().__init__(f"{error.kind if error else 'error'}: {error.message if error else ''}{line}.{printed}")
        self.result = result


@dataclass(frozen=True, kw_only=True)
class CodeResult:
    """What a program said and returned."""

    value: Any
    """The value of its last expression, as JSON."""
    stdout: str = ""
    truncated: bool = False
    """Printed text was dropped."""


@dataclass(frozen=True, kw_only=True)
class TableSummary:
    """Figures of a table, by group."""

    by: str | None
    value: str | None
    groups: list[Row]
    """One for each value of `by`: count, sum, mean, median, min, max and the share of the whole in percent."""
    total: Row
    """The same figures over all rows."""
    row_count: int
    table_id: str = ""
    """Under which the groups are kept, to plot them."""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart as text and as SVG."""

    title: str
    kind: ChartKind
    text: str
    """The same chart in characters."""
    points: int
    svg: str = ""
    """Left out of a tool's result, which names its artefact instead."""
    svg_artefact_id: str = ""
    notes: list[str] = field(default_factory=list)


class CodeTools(Toolset):
    """Three tools over one sandbox.

    Args:
        sandbox: Where programs run; Monty by default.
        store: Where tables are kept by id; `.segue/tables.db` by default, as for `Database`.
        limits: What one run of a model's own code may use.
    """

    def __init__(
        self, sandbox: CodeSandbox | None = None, *, store: TableStore | None = None, limits: Limits | None = None
    ) -> None:
        self.sandbox: CodeSandbox = sandbox or MontySandbox()
        self.store: TableStore = store or SqliteTableStore()
        self.limits = limits or Limits(mem_mb=256)

    def tools(self) -> Sequence[Tool]:
        """`plot`, `run_code`, `summarise_table`."""
        return self._tools

    @cached_property
    def _tools(self) -> Sequence[Tool]:
        return (self.plot, self.run_code, self.summarise_table)

    async def close(self) -> None:
        """End the sandbox's processes."""
        await self.sandbox.close()

    @property
    def run_code(self) -> Tool:
        """`run_code`: Python of the model's own."""

        async def run_code(
            ctx: RunContext[Any], code: str, inputs: dict[str, Any] | None = None, table: TableId | None = None
        ) -> CodeResult:
            """Run Python source code in a sandbox without files, network or packages; its last expression is the value.

            The modules collections, datetime, decimal, functools, itertools, json, math, random and re can be imported.
            Classes without inheritance, comprehensions and match work; generators and `del` do not.

            Args:
                code: The Python source code.
                inputs: Values by the name under which the code finds them.
                table: The id of a stored table; the code finds its rows, a list of dicts, as `rows`.
            """
            given = dict(inputs or {})
            if table is not None:
                given["rows"] = await self.store.get(ctx.principal.tenant, table)
            result = await self.execute(code, given)
            return CodeResult(value=result.value, stdout=result.stdout, truncated=result.truncated)

        return self._tool(run_code)

    @property
    def summarise_table(self) -> Tool:
        """`summarise_table`: figures by group."""

        async def summarise_table(
            ctx: RunContext[Any], table: TableArgument, by: str | None = None, value: str | None = None
        ) -> TableSummary:
            """Summarise the rows of a table: count, sum, mean, median, min, max and share of the total, for each group.

            Args:
                table: The id of a stored table, such as tbl_0a1b, or the rows themselves.
                by: The column to group by; left out, all rows are one group.
                value: The column of numbers; left out, the only one there is, else rows are counted.
            """
            return await self.summarise(table, by=by, value=value, tenant=ctx.principal.tenant)

        return self._tool(summarise_table)

    @property
    def plot(self) -> Tool:
        """`plot`: a chart."""

        async def plot(
            ctx: RunContext[Any],
            table: TableArgument,
            x: str | None = None,
            y: str | None = None,
            kind: ChartKind = "bar",
        ) -> Chart:
            """Plot a table as a bar chart or a line chart.

            Args:
                table: The id of a stored table, such as tbl_0a1b, or the rows themselves.
                x: The column along the axis; left out, the first that is not y.
                y: The column of numbers; left out, the first one.
                kind: bar or line.
            """
            tenant = ctx.principal.tenant
            chart = await self.draw(table, x=x, y=y, kind=kind, tenant=tenant)
            put = ctx.services.artefacts.put
            kept = await asyncio.to_thread(put, tenant, chart.svg.encode(), "image/svg+xml")
            return Chart(
                title=chart.title,
                kind=kind,
                text=chart.text,
                points=chart.points,
                svg_artefact_id=kept,
                notes=chart.notes,
            )

        return self._tool(plot)

    async def execute(self, code: str, inputs: dict[str, Any]) -> ExecResult:
        """Run code within the limits.

        Raises:
            ProgramError: It failed, or ran past a limit.
        """
        result = await self.sandbox.run(ExecRequest(code=code, inputs=inputs, limits=self.limits))
        if not result.ok:
            raise ProgramError(result)
        return result

    async def summarise(
        self, table: str | list[Row], *, by: str | None = None, value: str | None = None, tenant: str = "local"
    ) -> TableSummary:
        """Figures by group; the groups are kept as a table of their own.

        Raises:
            NoSuchTable: The tenant has no table of this id.
            ProgramError: A column is not there, or holds what is no number.
        """
        rows = await self._rows(table, tenant)
        found = (await self._program(SUMMARISE, {"rows": rows, "by": by, "value": value})).value
        kept = await self.store.put(tenant, found["groups"]) if found["groups"] else ""
        return TableSummary(**found, table_id=kept)

    async def draw(
        self,
        table: str | list[Row],
        *,
        x: str | None = None,
        y: str | None = None,
        kind: ChartKind = "bar",
        tenant: str = "local",
    ) -> Chart:
        """A chart of at most 60 points, as SVG and as text.

        Raises:
            NoSuchTable: The tenant has no table of this id.
            ProgramError: A column is not there, or holds what is no number.
        """
        rows = await self._rows(table, tenant)
        found = (await self._program(PLOT, {"rows": rows, "x": x, "y": y, "kind": kind})).value
        return Chart(**found, kind=kind)

    async def _program(self, code: str, inputs: dict[str, Any]) -> ExecResult:
        limits = Limits(wall_s=5.0, cpu_s=5.0, mem_mb=512, out_kb=4096)
        result = await self.sandbox.run(ExecRequest(code=code, inputs=inputs, limits=limits))
        if not result.ok:
            raise ProgramError(result)
        return result

    async def _rows(self, table: str | list[Row], tenant: str) -> list[Row]:
        return await self.store.get(tenant, table) if isinstance(table, str) else table

    def _tool(self, fn: Any) -> Tool:
        return tool(fn, effect="read", reach="own", timeout_s=self.limits.wall_s + _MARGIN_S)
