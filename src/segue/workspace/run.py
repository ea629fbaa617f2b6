"""Run and RunHandle: what came of a run, and a run that still goes."""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from typing import Any

from segue.base.errors import RunNotFinished
from segue.base.usage import Usage
from segue.context.decisions import InterruptRequest
from segue.context.events import Event, RunFinished
from segue.graphs.typed import OutputType
from segue.workspace.records import RunRecord, RunStatus


@dataclass(frozen=True)
class Run:
    """What came of a run, or of its segments so far."""

    record: RunRecord
    _output: OutputType | None = None
    exception: BaseException | None = None
    """What ended a failed run, where this process saw it; `error` is its text."""

    @property
    def id(self) -> str:
        """The run's id."""
        return self.record.run_id

    @property
    def thread_id(self) -> str:
        """The conversation that it belongs to."""
        return self.record.thread_id

    @property
    def trace_id(self) -> str:
        """OpenTelemetry's trace id, 32 hex digits."""
        return self.record.trace_id

    @property
    def status(self) -> RunStatus:
        """`completed`, `waiting`, `stopped`, `failed`; `running` where another process has it."""
        return self.record.status

    @property
    def output(self) -> Any:
        """The answer, of the agent's output type.

        Raises:
            RunNotFinished: The run is not completed; the message names its status and the way on.
        """
        if self.record.status != "completed":
            detail = self.record.stop_reason or self.record.error
            raise RunNotFinished(self.id, self.record.status, detail) from self.exception
        return self.record.output if self._output is None else self._output.typed(self.record.output)

    @property
    def partial(self) -> str:
        """What a run that did not complete reached, as text; empty where nothing."""
        return self.record.partial

    @property
    def stop_reason(self) -> str | None:
        """Why a stopped run stopped: `budget`, `deadline`, `cancelled`, `blocked`, `loop`."""
        return self.record.stop_reason

    @property
    def error(self) -> str:
        """What ended a failed run, and the way out; empty otherwise."""
        return self.record.error

    @property
    def usage(self) -> Usage:
        """Tokens, calls and cost of the whole run."""
        return Usage.from_dict(self.record.usage)

    @property
    def cost_usd(self) -> float | None:
        """The sum over its generations; `None` where the price of one is not known."""
        return self.usage.cost_usd

    @property
    def duration_s(self) -> float:
        """Seconds that it ran; waiting for people is not counted."""
        return self.record.duration_s

    @property
    def trajectory(self) -> list[dict[str, Any]]:
        """The generations and tool results of the run in their order, as plain data."""
        return self.record.trajectory

    @property
    def interrupts(self) -> list[InterruptRequest]:
        """What a waiting run waits for; answer by id."""
        return [InterruptRequest(**request) for request in self.record.interrupts]

    def _repr_html_(self) -> str:
        """In a notebook: a table of what came of it."""
        usage = self.usage
        cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
        rows = [
            ("run", self.id),
            ("status", self.status),
            ("calls", f"{usage.model_calls} generations, {usage.tool_calls} tool calls"),
            ("tokens", f"{usage.input_tokens} in, {usage.output_tokens} out"),
            ("cost", cost),
            ("time", f"{self.duration_s:.2f} s"),
            ("output", str(self.record.output if self.status == "completed" else self.partial or self.error)),
        ]
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td><pre>{html.escape(value)}</pre></td></tr>"
            for name, value in rows
        )
        return f"<table>{cells}</table>"


class RunHandle:
    """A run that goes in the background. Await it for the `Run`."""

    def __init__(self, run_id: str, thread_id: str) -> None:
        self.id = run_id
        self.thread_id = thread_id
        self.cancel_asked = False
        self._events: list[Event] = []
        self._more = asyncio.Event()
        self._task: asyncio.Task[Run] | None = None
        self._listener: Callable[[Event], None] | None = None

    def begin(self, task: asyncio.Task[Run]) -> None:
        """Called once by the workspace."""
        self._task = task
        task.add_done_callback(lambda _: self._more.set())

    def emit(self, event: Event) -> None:
        """Called by the run."""
        self._events.append(event)
        self._more.set()
        if self._listener is not None:
            self._listener(event)

    @property
    def done(self) -> bool:
        """Whether the run, or this segment of it, has ended."""
        return self._task is not None and self._task.done()

    async def events(self) -> AsyncIterator[Event]:
        """Every event from the start, then as they come, to the last one; a late subscriber misses nothing."""
        seen = 0
        while True:
            while seen < len(self._events):
                event = self._events[seen]
                seen += 1
                yield event
                if isinstance(event, RunFinished):
                    return
            if self.done:
                return
            self._more.clear()
            await self._more.wait()

    async def cancel(self) -> Run:
        """Stop the run in order and wait for it; its thread can take a next turn. An ended run stays as it is."""
        self.cancel_asked = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
        return await self

    def __await__(self) -> Generator[Any, None, Run]:
        if self._task is None:  # pragma: no cover - the workspace begins every handle that it gives out
            raise RuntimeError("this run was never started")
        return asyncio.shield(self._task).__await__()
