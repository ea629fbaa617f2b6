"""Run: what came of a run, for the one who asked for it.

In: the record that the workspace keeps. Out: status, typed output, usage and what it waits for. How records are kept
and found is in `segue.workspace`.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any, Literal

from segue.base.errors import RunNotFinished
from segue.base.usage import Usage
from segue.context.decisions import InterruptRequest
from segue.graphs.typed import OutputType

RunStatus = Literal["queued", "running", "completed", "waiting", "stopped", "failed"]


@dataclass
class RunRecord:
    """What is kept of one run."""

    run_id: str
    thread_id: str
    tenant: str
    user: str
    scopes: list[str]
    agent: str
    source: str
    """Where the agent is defined, as `module:attr`, so that another process can find it; empty where not known."""
    trace_id: str
    request: list[dict[str, Any]]
    started_at: float
    updated_at: float
    status: RunStatus = "running"
    stop_reason: str | None = None
    error: str = ""
    error_id: str = ""
    """Of what ended a failed run; the same stands in the log, the span and the notice."""
    output: Any = None
    partial: str = ""
    budget: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    interrupts: list[dict[str, Any]] = field(default_factory=list)
    trajectory: list[dict[str, Any]] = field(default_factory=list)
    duration_s: float = 0.0
    """Seconds that its segments took; waiting for people is not counted."""
    tags: list[str] = field(default_factory=list)
    """What its traces are found by, where they are sent."""
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What people answered so far, by interrupt id: kept before the run goes on, so that nobody is asked twice."""
    starts_at: str = ""
    """The checkpoint that it starts from; empty for the newest of its thread."""
    branch: str = ""
    """The id of the branch that a fork made; empty for none."""
    forked_from: dict[str, str] | None = None
    """For a fork: the `thread_id`, `checkpoint_id` and `run_id` that it came from."""
    parent_span_id: str = ""
    """The span of somebody else that its trace hangs under; empty where the trace is its own."""


@dataclass(frozen=True, repr=False)
class Run:
    """What came of a run, or of its segments so far."""

    record: RunRecord
    _output: OutputType | None = None
    exception: BaseException | None = None
    """What ended a failed run, where this process saw it; `error` is its text."""
    _looked_at: float = 0.0
    """When it was looked at, in seconds since 1970: what expired by then is shown as expired."""

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
        """`completed`, `waiting`, `stopped`, `failed`; `queued` until it begins, `running` while a process has it."""
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
        """Why a stopped run stopped: `budget`, `deadline`, `cancelled`, `drained`, `crashed`, `blocked`, `loop`."""
        return self.record.stop_reason

    @property
    def error(self) -> str:
        """What ended a failed run, and the way out; empty otherwise."""
        return self.record.error

    @property
    def error_id(self) -> str:
        """The id of what ended a failed run, as logs, spans and notices have it; empty otherwise."""
        return self.record.error_id

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
        return [InterruptRequest(**request).seen_at(self._looked_at) for request in self.record.interrupts]

    @property
    def forked_from(self) -> dict[str, str] | None:
        """For a fork: the `thread_id`, `checkpoint_id` and `run_id` that it came from."""
        return self.record.forked_from

    @property
    def branch(self) -> str:
        """The id of the branch that a fork made; empty for none."""
        return self.record.branch

    def __repr__(self) -> str:
        return f"Run({self.id!r}, agent={self.record.agent!r}, status={self.status!r})"

    def _repr_html_(self) -> str:
        """In a notebook: a table of what came of it."""
        usage = self.usage
        cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
        rows = [
            ("run", self.id),
            ("status", self.status),
            ("generations", str(usage.model_calls)),
            ("tool calls", str(usage.tool_calls)),
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
