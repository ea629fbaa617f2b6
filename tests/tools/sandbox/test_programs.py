"""The named programs: figures that Python's own statistics confirm, charts that say what they draw."""

from __future__ import annotations

import statistics
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.context.run import RunContext
from segue.tools.sandbox.tables import MemoryTableStore
from segue.tools.sandbox.toolset import CodeTools, ProgramError

Call = Callable[..., Awaitable[Any]]
ROWS: list[dict[str, Any]] = [
    {"reason": "damaged", "amount_cents": 1000},
    {"reason": "late", "amount_cents": 700},
    {"reason": "damaged", "amount_cents": 251},
    {"reason": None, "amount_cents": None},
]


@pytest.fixture
async def code() -> AsyncIterator[CodeTools]:
    held = CodeTools(store=MemoryTableStore())
    yield held
    await held.close()


async def test_a_summary_by_group_has_whole_numbers_where_the_rows_have(code: CodeTools) -> None:
    summary = await code.summarise(ROWS, by="reason", value="amount_cents")

    assert summary.groups == [
        {
            "reason": "damaged", "count": 2, "sum": 1251, "mean": 625.5, "median": 625.5, "min": 251, "max": 1000,
            "share_percent": 64.12,
        },
        {
            "reason": "late", "count": 1, "sum": 700, "mean": 700, "median": 700, "min": 700, "max": 700,
            "share_percent": 35.88,
        },
        {"reason": None, "count": 1, "missing": 1},
    ]  # fmt: skip
    assert (summary.total["sum"], summary.total["count"], summary.total["missing"]) == (1951, 4, 1)
    assert isinstance(summary.groups[0]["sum"], int)


async def test_decimals_add_up_as_they_are_written(code: CodeTools) -> None:
    summary = await code.summarise([{"v": 0.1}, {"v": 0.2}, {"v": "0.30"}], value="v")

    assert (summary.total["sum"], summary.total["mean"]) == (0.6, 0.2)


async def test_the_only_column_of_numbers_is_taken_and_said_to_be(code: CodeTools) -> None:
    summary = await code.summarise(ROWS, by="reason")

    assert summary.value == "amount_cents"
    assert summary.notes == ["value is amount_cents, the only column of numbers"]


async def test_rows_are_counted_where_no_number_is_named(code: CodeTools) -> None:
    summary = await code.summarise([{"a": 1, "b": 2, "g": "x"}, {"a": 1, "b": 2, "g": "y"}], by="g")

    assert summary.groups[0] == {"g": "x", "count": 1, "share_percent": 50}
    assert summary.notes == ["only rows are counted; name a value out of: a, b"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=40))
def test_the_figures_are_those_of_pythons_statistics(numbers: list[int]) -> None:
    import asyncio

    summary = asyncio.run(SHARED.summarise([{"v": number} for number in numbers], value="v")).total

    assert summary["sum"] == sum(numbers)
    assert summary["median"] == statistics.median(numbers)
    assert abs(Fraction(str(summary["mean"])) - Fraction(sum(numbers), len(numbers))) <= Fraction(1, 10**6)
    assert (summary["min"], summary["max"], summary["count"]) == (min(numbers), max(numbers), len(numbers))


SHARED = CodeTools(store=MemoryTableStore())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "reson"}, "by: no column 'reson'; the table has: reason, amount_cents"),
        ({"value": "reason"}, "row 1 of 'reason' holds 'damaged', which is no number"),
    ],
)
async def test_a_wrong_column_is_named_with_those_there_are(
    code: CodeTools, options: dict[str, str], said: str
) -> None:
    with pytest.raises(ProgramError) as caught:
        await code.summarise(ROWS, **options)

    assert said in str(caught.value)


async def test_an_empty_table_is_summarised_and_not_plotted(code: CodeTools) -> None:
    assert (await code.summarise([])).total == {"count": 0}
    with pytest.raises(ProgramError, match="no rows to plot"):
        await code.draw([])


async def test_a_bar_chart_is_sound_svg_with_a_bar_for_each_row(code: CodeTools) -> None:
    nasty = "<script>alert('&\"')</script>"
    chart = await code.draw([{"x": nasty, "y": 4}, {"x": "b", "y": -2}], x="x", y="y")

    svg = ET.fromstring(chart.svg)
    assert len(svg.findall("{http://www.w3.org/2000/svg}rect")) == 2
    assert "<script" not in chart.svg
    assert chart.text.split("\n")[1] == "b                        | ████████████████████ -2"


async def test_a_line_chart_leaves_out_rows_without_a_value_and_says_so(code: CodeTools) -> None:
    rows = [{"month": f"2026-{month:02}", "n": month if month != 3 else None} for month in range(1, 13)]

    chart = await code.draw(rows, x="month", y="n", kind="line")

    svg = ET.fromstring(chart.svg)
    assert len(svg.findall("{http://www.w3.org/2000/svg}circle")) == 11
    assert (chart.points, chart.notes) == (11, ["1 rows without n are left out"])


async def test_a_chart_of_too_many_points_says_what_it_leaves_out(code: CodeTools) -> None:
    chart = await code.draw([{"x": str(number), "y": number} for number in range(100)])

    assert (chart.points, chart.notes) == (60, ["y is y", "x is x", "the first 60 of 100 points are drawn"])


async def test_a_model_gives_a_tables_id_and_goes_on_with_the_result(
    code: CodeTools, call: Call, ctx: RunContext[Any]
) -> None:
    table_id = await code.store.put("acme", ROWS)

    summary = await call(code.summarise_table, table=table_id, by="reason", value="amount_cents")
    chart = await call(code.plot, table=summary["table_id"], x="reason", y="sum")
    ran = await call(code.run_code, code="print(len(rows))\nsum(r['amount_cents'] or 0 for r in rows)", table=table_id)

    assert summary["total"]["sum"] == 1951
    assert "damaged" in chart["text"]
    assert ctx.services.artefacts.get("acme", chart["svg_artefact_id"])[0] == "image/svg+xml"
    assert (ran["value"], ran["stdout"]) == (1951, "4\n")


async def test_another_tenants_table_is_not_there(code: CodeTools, call: Call) -> None:
    table_id = await code.store.put("other", ROWS)

    assert f"there is no table '{table_id}'" in await call(code.plot, table=table_id)


async def test_code_that_fails_is_a_failed_result_with_the_line(code: CodeTools, call: Call) -> None:
    said = await call(code.run_code, code="print('so far')\n1 / 0")

    assert said.startswith("error: run_code failed: ProgramError: error: ZeroDivisionError: division by zero (line 2)")
    assert "so far" in said


def test_the_tools_only_read(code: CodeTools) -> None:
    assert [held.name for held in code.tools()] == ["plot", "run_code", "summarise_table"]
    assert {(held.effect, held.reach) for held in code.tools()} == {("read", "own")}
