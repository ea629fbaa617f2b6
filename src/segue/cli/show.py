"""What a terminal shows of a run while it goes: events in, lines out.

The plan as a list, each tool call with why it was allowed, what came back, the answer as it streams. While nothing is
to be shown for longer than a second, a terminal shows a spinner; where there is no terminal the lines do.
"""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from segue.base.usage import Usage
from segue.context.events import (
    Event,
    GenerationFinished,
    InterruptAsked,
    PlanMade,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
    TextAdded,
    TextReset,
    ToolCalled,
    ToolFinished,
)

MAX_ROWS = 12
MAX_LINES = 18
MAX_LINE = 160


class Show:
    """Prints the events of one run."""

    def __init__(self, console: Console, *, speaker: str, quiet: bool = False) -> None:
        self.console = console
        self.speaker = speaker
        """Whose text is the answer and is streamed."""
        self.quiet = quiet
        self._status: Status | None = None
        self._streaming = False
        self._streamed = ""
        self._wave = 0
        self._known: set[str] = set()

    def __enter__(self) -> Show:
        return self

    def __exit__(self, *error: object) -> None:
        self._idle(None)
        self._end_text()

    def event(self, event: Event) -> None:
        """Show one event, if there is something to be seen of it."""
        if self.quiet:
            return
        match event:
            case RunStarted():
                self._idle("thinking")
            case TextAdded(agent=agent, text=text, task_id="") if agent == self.speaker:
                self._text(text)
            case TextReset(task_id=""):
                self._end_text()
                self.console.print(Text("… starting over: " + event.reason, style="yellow"))
            case PlanMade(tasks=tasks):
                self._print(self._plan(tasks))
                self._idle("working")
            case TaskStarted():
                self._started(event)
            case ToolCalled():
                self._called(event)
            case ToolFinished():
                self._finished(event)
            case TaskFinished(failed=failed):
                mark = Text(f"  ✗ {event.task_id} failed" if failed else f"  ✓ {event.task_id} done")
                mark.stylize("red" if failed else "green")
                self._print(mark)
            case GenerationFinished(task_id=""):
                self._end_text()
            case InterruptAsked() | RunFinished():
                self._idle(None)
                self._end_text()
            case _:
                pass

    def _plan(self, tasks: list[dict[str, Any]]) -> RenderableType:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for task in tasks:
            after = f"after {', '.join(task['depends_on'])}" if task["depends_on"] else ""
            table.add_row(
                Text(task["id"], style="bold"),
                Text(task["worker"], style="cyan"),
                Text(task["task"]),
                Text(after, style="dim"),
            )
        return Group(Text("\nPlan", style="bold"), Padding(table, (0, 0, 0, 2), expand=False))

    def _started(self, event: TaskStarted) -> None:
        if event.task_id in self._known:
            return
        self._known.add(event.task_id)
        if event.wave != self._wave:
            self._wave = event.wave
            self._print(Text(f"\nWave {event.wave}", style="bold"))
        self._print(
            Text.assemble(("  ▸ ", "dim"), (event.task_id, "bold"), " ", (event.worker, "cyan"), f" {event.task}")
        )

    def _called(self, event: ToolCalled) -> None:
        arguments = ", ".join(f"{key}={_short(value)}" for key, value in event.arguments.items())
        head = Text.assemble(
            ("    → ", "dim"), (event.agent, "cyan"), " ", (event.tool, "bold"), f"({arguments})  ",
            (f"{event.effect}: {event.reason}", "dim"),
        )  # fmt: skip
        self._print(head)

    def _finished(self, event: ToolFinished) -> None:
        style = "red" if event.failed else "dim"
        self._print(Text(f"    ← {event.agent} {event.tool}, {event.duration_s * 1000:.0f} ms", style=style))
        self._print(_indented(result(event.result)))

    def _text(self, text: str) -> None:
        self._idle(None)
        if not self._streaming:
            self.console.print()
            self._streaming = True
        self._streamed += text
        self.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)

    def _end_text(self) -> None:
        if self._streaming:
            self.console.print()
        self._streaming = False

    def said(self, answer: str) -> bool:
        """Whether this answer has been shown while it streamed."""
        return bool(answer) and answer.strip() in self._streamed

    def _print(self, what: RenderableType) -> None:
        self._end_text()
        self.console.print(what, soft_wrap=False, highlight=False)

    def _idle(self, what: str | None) -> None:
        """A spinner on a terminal, until something else is shown."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if what is not None and self.console.is_terminal:
            self._status = self.console.status(what)
            self._status.start()


def _indented(what: RenderableType) -> RenderableType:
    """Six columns to the right; text without the padding that a terminal does not need."""
    if isinstance(what, Group):
        return Group(*(_indented(each) for each in what.renderables))
    if isinstance(what, Text):
        return Text("\n").join(Text("      ") + line for line in what.split("\n", allow_blank=True))
    return Padding(what, (0, 0, 0, 6), expand=False)


def result(text: str) -> RenderableType:
    """A tool result as a person reads it: tables as tables, text as its first lines."""
    try:
        value = json.loads(text)
    except ValueError:
        return _lines(text)
    if isinstance(value, dict):
        rows = value.get("rows")
        if isinstance(rows, list) and rows:
            rest = {
                key: held for key, held in value.items() if key not in ("rows", "columns") and held not in (None, "")
            }
            return Group(_rows(rows, value.get("columns")), _lines(_pairs(rest)))
        passages = value.get("passages")
        if isinstance(passages, list):
            return Group(*(_passage(each) for each in passages))
        return _lines(_pairs(value))
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        if all("citation" in each for each in value):
            return Group(*(_passage(each) for each in value))
        return _rows(value, None)
    return _lines(text if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _passage(passage: dict[str, Any]) -> RenderableType:
    first = " ".join(str(passage.get("text", "")).split())
    return Text.assemble((str(passage.get("citation", "")), "cyan"), " ", (_cut(first), ""))


def _pairs(value: dict[str, Any]) -> str:
    return "\n".join(_pair(key, held) for key, held in value.items() if held not in (None, "", [], {}))


def _pair(key: str, value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"{key}:\n{value}"
    return f"{key}: {_short(value, MAX_LINE)}"


def _rows(rows: list[Any], columns: Any) -> RenderableType:
    heads = [str(each) for each in columns or (rows[0] if isinstance(rows[0], dict) else range(len(rows[0])))]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(head)
    for row in rows[:MAX_ROWS]:
        cells = [row.get(head) for head in heads] if isinstance(row, dict) else row
        table.add_row(*(Text(_short(cell)) for cell in cells))
    if len(rows) > MAX_ROWS:
        return Group(table, Text(f"… and {len(rows) - MAX_ROWS} more rows", style="dim"))
    return table


def _lines(text: str) -> RenderableType:
    lines = text.splitlines()
    shown = [_cut(line) for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown.append(f"… and {len(lines) - MAX_LINES} more lines")
    return Text("\n".join(shown))


def _cut(line: str) -> str:
    return line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + "…"


def _short(value: Any, limit: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = " ".join(text.split()) if "\n" in text else text
    return text if len(text) <= limit else text[: limit - 1] + "…"


def terminal(*, stderr: bool = False) -> Console:
    """The console; where it is no terminal, wide enough that lines stay whole."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=140)


def usage_line(usage: Usage, duration_s: float) -> str:
    """Calls, tokens, cost and time in one line."""
    calls = f"{_many(usage.model_calls, 'generation')}, {_many(usage.tool_calls, 'tool call')}"
    return f"{calls}, {usage.input_tokens} + {usage.output_tokens} tokens, {cost(usage.cost_usd)}, {duration_s:.2f} s"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def cost(usd: float | None) -> str:
    """Dollars; an unknown price is said to be unknown."""
    return "cost unknown" if usd is None else f"${usd:.4f}"
