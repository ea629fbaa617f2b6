"""LangGraph's own conformance suite for checkpointers: all of it, base and extended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.conformance import checkpointer_test, validate

from segue.memory import PostgresSaver, SqliteSaver

KEY = "5e" * 32


@pytest.mark.parametrize("options", [{}, {"key": KEY, "verify": True}], ids=["plain", "sealed and verified"])
async def test_sqlite_conforms(tmp_path: Path, options: dict[str, Any]) -> None:
    number = count()

    @checkpointer_test(name="SqliteSaver")
    async def savers() -> AsyncIterator[Any]:
        async with SqliteSaver.open(tmp_path / f"{next(number)}.db", **options) as saver:
            yield saver

    report = await validate(savers)

    assert failures(report) == []
    assert report.conformance_level() == "FULL"


@pytest.mark.xdist_group("postgres")
async def test_postgresql_conforms(postgres_url: str) -> None:
    number = count()

    @checkpointer_test(name="PostgresSaver")
    async def savers() -> AsyncIterator[Any]:
        async with PostgresSaver.open(postgres_url, tenant=f"tenant {next(number)}") as saver:
            yield saver

    report = await validate(savers)

    assert failures(report) == []
    assert report.conformance_level() == "FULL"


def failures(report: Any) -> list[str]:
    return [name for result in report.results.values() for name in result.failures or ()]
