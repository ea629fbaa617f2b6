"""Events: what a run tells while it goes, as a closed union of small frozen types.

Each has `type` (its own name), `run_id` and `at` (seconds since 1970). A consumer matches on the class:
everything that a run can tell is here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from segue.base.quick import quick
from segue.base.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    type: ClassVar[str]
    run_id: str
    at: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data with `type` first."""
        return {"type": self.type, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(_Event):
    """A run, or its next segment after a resume, begins."""

    type: ClassVar[str] = "run_started"
    thread_id: str
    agent: str
    resumed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade(_Event):
    """The planner's tasks, in order; each a dict with id, worker, task and depends_on."""

    type: ClassVar[str] = "plan_made"
    tasks: list[dict[str, Any]]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStarted(_Event):
    """A worker begins a task."""

    type: ClassVar[str] = "task_started"
    task_id: str
    worker: str
    task: str
    wave: int


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(_Event):
    """A worker ended a task; `result` is its text, or says why it failed."""

    type: ClassVar[str] = "task_finished"
    task_id: str
    worker: str
    failed: bool
    result: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class TextAdded(_Event):
    """More text of a model, as it comes."""

    type: ClassVar[str] = "text_added"
    agent: str
    text: str
    task_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextReset(_Event):
    """The text shown so far for this agent's generation is void: it starts over."""

    type: ClassVar[str] = "text_reset"
    agent: str
    reason: str
    task_id: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFinished(_Event):
    """A model answered."""

    type: ClassVar[str] = "generation_finished"
    agent: str
    model: str
    deployment: str
    usage: Usage
    duration_s: float
    text: str = ""
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    """Each with id, name and arguments (JSON text, as the model wrote it)."""
    task_id: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCalled(_Event):
    """A tool call passed the gate and runs now."""

    type: ClassVar[str] = "tool_called"
    agent: str
    call_id: str
    tool: str
    effect: str
    arguments: dict[str, Any]
    reason: str = ""
    task_id: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished(_Event):
    """A tool call has its result: the text that the model reads next. Without `ToolCalled` before it, it never ran."""

    type: ClassVar[str] = "tool_finished"
    agent: str
    call_id: str
    tool: str
    failed: bool
    result: str
    duration_s: float
    task_id: str = ""
    reason: str = ""
    """Where the result was not made now: where it comes from, such as `redelivered: …`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptAsked(_Event):
    """A person is asked; the run will wait at the end of the wave."""

    type: ClassVar[str] = "interrupt_asked"
    interrupt_id: str
    kind: str
    agent: str
    tool: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    question: str = ""
    reason: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTaken(_Event):
    """The graph went from one node to another, and why."""

    type: ClassVar[str] = "edge_taken"
    source: str
    target: str
    reason: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(_Event):
    """The run, or this segment of it, ended. The last event."""

    type: ClassVar[str] = "run_finished"
    status: str
    stop_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    error: str = ""


Event = (
    RunStarted
    | PlanMade
    | TaskStarted
    | TaskFinished
    | TextAdded
    | TextReset
    | GenerationFinished
    | ToolCalled
    | ToolFinished
    | InterruptAsked
    | EdgeTaken
    | RunFinished
)
"""Everything that a run can tell."""
