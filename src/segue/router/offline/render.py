"""Showing a tool's result as it is: values word for word, in lines and tables.

Goes in: the text of a tool result. Comes out: text for a person with every value unchanged; numbers keep the
literal that the JSON had. Nothing is rounded, converted, summed up or judged; what is not shown is counted.
"""

from __future__ import annotations

import json
from typing import Any

from segue.router.offline.history import Call

MAX_ROWS = 100
"""Rows of one table that are shown; the rest is counted."""

_MAX_DEPTH = 8


class _Number(str):
    """A number as the JSON text wrote it."""

    __slots__ = ()


def render_result(text: str) -> str:
    """A tool result for a person: JSON objects as lines, lists of flat objects as a table, any other text as it is."""
    if text.lstrip()[:1] not in ("{", "["):
        return text if text.strip() else "(empty result)"
    try:
        data = json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        return text
    return "\n".join(_lines(data, 0))


def render_calls(calls: list[Call]) -> str:
    """The results of several calls, each under a heading that names it; a failed one says so."""
    if len(calls) == 1 and not calls[0].failed:
        return render_result(calls[0].result or "")
    return "\n\n".join(_section(call) for call in calls)


def _section(call: Call) -> str:
    shown = ", ".join(f"{key}={_plain(value)}" for key, value in call.arguments.items())
    heading = f"{call.name or 'tool'}({shown if len(shown) <= 200 else shown[:199] + '…'})"
    if call.failed:
        return f"## {heading} failed\n{render_result(call.result or '')}"
    return f"## {heading}\n{render_result(call.result or '')}"


def _lines(value: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if depth > _MAX_DEPTH:
        return [pad + json.dumps(value, ensure_ascii=False)]
    if isinstance(value, dict):
        return _object(value, depth) if value else [f"{pad}(no fields)"]
    if isinstance(value, list):
        return _list(value, depth)
    return [pad + _plain(value)]


def _object(value: dict[str, Any], depth: int) -> list[str]:
    pad, out = "  " * depth, []
    for key, item in value.items():
        if isinstance(item, dict | list) and item:
            if isinstance(item, list) and key == _table_shape(value):
                out += [f"{pad}{key}:", *_grid(value["columns"], item, pad)]
            else:
                out += [f"{pad}{key}:", *_lines(item, depth if _is_table(item) else depth + 1)]
        elif isinstance(item, dict | list):
            out.append(f"{pad}{key}: (none)")
        else:
            shown = _plain(item)
            out.append(f"{pad}{key}:\n{shown}" if "\n" in shown else f"{pad}{key}: {shown}")
    return out


def _table_shape(value: dict[str, Any]) -> str:
    """The key of the rows in `{columns: [...], rows: [[...], ...]}`; empty for any other object."""
    columns = value.get("columns")
    for key in ("rows", "data", "values"):
        rows = value.get(key)
        if isinstance(columns, list) and isinstance(rows, list) and columns and _is_grid(columns, rows):
            return key
    return ""


def _is_grid(columns: list[Any], rows: list[Any]) -> bool:
    full = all(isinstance(row, list) and len(row) == len(columns) for row in rows)
    cells = [cell for row in (columns, *rows) for cell in row] if full else []
    return full and not any(isinstance(cell, str) and ("\n" in cell or "|" in cell) for cell in cells)


def _list(value: list[Any], depth: int) -> list[str]:
    pad = "  " * depth
    if not value:
        return [f"{pad}(no rows)"]
    if _is_table(value):
        columns = list({key: None for row in value for key in row})
        return _grid(columns, [[row.get(key, "") for key in columns] for row in value], pad)
    out: list[str] = []
    for item in value[:MAX_ROWS]:
        inner = _lines(item, depth + 1)
        out += [f"{pad}- {inner[0].lstrip()}", *inner[1:]]
    return out + _more(len(value), pad)


def _is_table(value: Any) -> bool:
    """Whether a value is a list of flat objects whose texts fit the cells of a table as they are."""
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) and row for row in value):
        return False
    cells = [cell for row in value for cell in (*row, *row.values())]
    if any(isinstance(cell, dict | list) for cell in cells):
        return False
    return not any(isinstance(cell, str) and ("\n" in cell or "|" in cell or len(cell) > 200) for cell in cells)


def _grid(columns: list[Any], rows: list[list[Any]], pad: str) -> list[str]:
    head = [f"{pad}| " + " | ".join(_cell(c) for c in columns) + " |", f"{pad}|" + "---|" * len(columns)]
    body = [f"{pad}| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows[:MAX_ROWS]]
    return [*head, *body, *_more(len(rows), pad)]


def _more(count: int, pad: str) -> list[str]:
    return [f"{pad}… and {count - MAX_ROWS} more rows"] if count > MAX_ROWS else []


def _cell(value: Any) -> str:
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)
