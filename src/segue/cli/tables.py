"""Tables at the terminal: rows of plain data in, a table or JSON out."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_rows(console: Console, rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """A row a line under the names of their keys; as JSON, one list. `empty` is said where there is none."""
    if as_json:
        sys.stdout.write(orjson.dumps(list(rows), default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    if not rows:
        console.print(Text(empty, style="dim"))
        return
    cells = [[_shown(value) for value in row.values()] for row in rows]
    heads = [name.replace("_", " ") for name in rows[0]]
    if console.is_terminal:
        console.print(_table(heads, cells))
        return
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    for line in (heads, *cells):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write(f"{text.rstrip()}\n")


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        table.add_column(head, overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {size}" for key, size in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return "" if value is None else " ".join(str(value).split())
