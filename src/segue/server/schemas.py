"""What goes over the wire under `/api/v1`: requests checked as they come in, answers as they are documented."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.agents.run import RunRecord
from segue.base.budget import Budget
from segue.base.usage import Usage
from segue.context.decisions import Answer, Approve, Edit, InterruptRequest, Reject, Response
from segue.server.store import Logged

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,127}$"
Name = Annotated[str, Field(pattern=NAME)]
"""An id that a client may choose."""
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, Field(ge=1, le=2**31)]


class Asked(BaseModel):
    """A body that comes in: unknown fields are refused, so that a misspelt one is not passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """A body that goes out."""

    model_config = ConfigDict(frozen=True)


class ErrorTold(Told):
    """Why a request was refused."""

    type: str
    """A word for it."""
    message: str
    way_out: str
    """What to do now; empty where the message says it."""
    error_id: str
    """As the log has it."""


class ErrorBody(Told):
    """The body of every answer that is an error."""

    error: ErrorTold


class BudgetAsked(Asked):
    """The most that a run may spend; what is left out is no limit."""

    cost_usd: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None
    tokens: Count | None = None
    model_calls: Count | None = None
    tool_calls: Count | None = None
    wall_s: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] | None = None

    def limits(self) -> dict[str, Any]:
        """Those that are set."""
        return self.model_dump(exclude_none=True)

    def budget(self) -> Budget:
        """As a workspace takes it."""
        return Budget(**self.limits())


class MessageAsked(BaseModel):
    """A message in OpenAI's chat shape."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["user", "assistant"] = "user"
    content: Text


class RunAsked(Asked):
    """A run to begin."""

    agent: Text
    """Its name."""
    input: Text | Annotated[list[MessageAsked], Field(min_length=1, max_length=1000)]
    """Text, or messages."""
    thread_id: Name | None = None
    """The conversation to go on with; a new one, named like the run, if not given."""
    budget: BudgetAsked | None = None
    tags: Annotated[list[Text], Field(max_length=20)] = []

    def request(self) -> Any:
        """As a workspace takes it."""
        return self.input if isinstance(self.input, str) else [each.model_dump() for each in self.input]


class ApproveAsked(Asked):
    """Run the call as it stands."""

    type: Literal["approve"]


class EditAsked(Asked):
    """Run it with these arguments instead."""

    type: Literal["edit"]
    arguments: dict[str, Any]


class RejectAsked(Asked):
    """Do not run it; the model reads the reason."""

    type: Literal["reject"]
    reason: str = ""


class AnswerAsked(Asked):
    """The value that was asked for."""

    type: Literal["answer"]
    value: Any = None


AnyAnswer = Annotated[ApproveAsked | EditAsked | RejectAsked | AnswerAsked, Field(discriminator="type")]


def response_of(asked: ApproveAsked | EditAsked | RejectAsked | AnswerAsked, by: str) -> Response:
    """What a person answers, as a workspace takes it."""
    match asked:
        case ApproveAsked():
            return Approve(by)
        case EditAsked(arguments=arguments):
            return Edit(arguments, by)
        case RejectAsked(reason=reason):
            return Reject(reason, by)
        case AnswerAsked(value=value):
            return Answer(value, by)


class ResumeAsked(Asked):
    """How a run goes on."""

    answers: dict[str, AnyAnswer] = {}
    """By interrupt id."""
    budget: BudgetAsked | None = None
    """In place of the one that it had."""


class ForkAsked(Asked):
    """What a fork runs."""

    checkpoint_id: Text
    input: Text | None = None
    """A request to go on with."""
    values: dict[str, Any] = {}
    """State keys to change first."""
    goto: list[Text] = []
    """Nodes to run next."""
    as_node: Text | None = None
    """The node that the change comes from."""
    new_thread: bool = False
    """Whether to fork into a copy of the thread."""
    budget: BudgetAsked | None = None


class ThreadAsked(Asked):
    """A thread to make."""

    thread_id: Name | None = None
    """One is made if not given."""


class FeedbackAsked(Asked):
    """What somebody thinks of a run."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = "helpful"
    value: bool | Annotated[float, Field(allow_inf_nan=False)] | Annotated[str, Field(min_length=1, max_length=200)]
    comment: Annotated[str, Field(max_length=10_000)] = ""


class UsageTold(Told):
    """Tokens, calls and cost."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    model_calls: int
    tool_calls: int
    cost_usd: float | None
    """`null` where a price is not known."""


class InterruptTold(Told):
    """What a run waits for."""

    id: str
    run_id: str
    thread_id: str
    run_agent: str
    kind: Literal["approval", "question", "effect"]
    agent: str
    tool: str
    arguments: dict[str, Any]
    question: str
    reason: str
    scopes: list[str]
    options: list[Any] | None
    answer_schema: dict[str, Any] | None
    """What the answer to a question must fit."""
    expires_at: float | None
    expired: bool


class RunTold(Told):
    """A run as it stands. Times are seconds since 1970."""

    id: str
    thread_id: str
    agent: str
    status: Literal["queued", "running", "completed", "waiting", "stopped", "failed"]
    stop_reason: str | None
    error: str
    error_id: str
    input: list[dict[str, Any]]
    output: Any
    """The answer of a completed run; `null` otherwise."""
    partial: str
    """What a run that did not complete reached."""
    usage: UsageTold
    interrupts: list[InterruptTold]
    trajectory: list[dict[str, Any]]
    """Its generations and tool results, in order; empty in lists."""
    budget: dict[str, Any]
    tags: list[str]
    trace_id: str
    user: str
    started_at: float
    updated_at: float
    duration_s: float
    branch: str
    forked_from: dict[str, str] | None


class RunsTold(Told):
    """Runs, newest first."""

    runs: list[RunTold]


class InterruptsTold(Told):
    """What waits for people, newest run first."""

    interrupts: list[InterruptTold]


class EventTold(Told):
    """One durable event of a run."""

    id: int
    type: str
    data: dict[str, Any]


class EventsTold(Told):
    """Durable events in order; ask again after the last id for more."""

    events: list[EventTold]


class ToolTold(Told):
    """A tool, and what it does to the world."""

    agent: str
    """Who has it: the agent, or a worker of the team."""
    name: str
    description: str
    effect: Literal["read", "write", "irreversible"]
    reach: Literal["own", "out", "account"]
    approval: bool
    """Whether a person is asked, always or by its arguments."""
    parameters: dict[str, Any]
    """The JSON schema of its arguments."""


class AgentTold(Told):
    """An agent or a team."""

    name: str
    kind: Literal["agent", "team"]
    description: str
    source: str
    version: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    tools: list[ToolTold]
    """Its own and those of its workers."""


class AgentsTold(Told):
    """What is served, and what could not be imported."""

    agents: list[AgentTold]
    problems: list[str]


class NodeTold(Told):
    """A node of a graph."""

    id: str
    name: str


class EdgeTold(Told):
    """An edge of a graph."""

    source: str
    target: str
    conditional: bool
    label: str


class GraphTold(Told):
    """A graph as nodes and edges, and as Mermaid."""

    nodes: list[NodeTold]
    edges: list[EdgeTold]
    mermaid: str


class ThreadTold(Told):
    """A conversation."""

    id: str
    title: str
    """What it began with, cut; empty where it has not begun."""
    runs: int
    updated_at: float


class ThreadsTold(Told):
    """Threads, newest first."""

    threads: list[ThreadTold]


class MessagesTold(Told):
    """A conversation, oldest message first."""

    messages: list[dict[str, Any]]


class CheckpointTold(Told):
    """One checkpoint of a thread, without its state."""

    id: str
    parent_id: str
    run_id: str
    branch: str
    step: int
    source: str
    next: list[str]
    at: float
    changed: dict[str, int]


class CheckpointsTold(Told):
    """Checkpoints, newest first."""

    checkpoints: list[CheckpointTold]


class StateTold(Told):
    """The state of a thread at a checkpoint."""

    checkpoint: CheckpointTold
    values: dict[str, Any]


class SpanTold(Told):
    """A span of a trace with what lies inside it."""

    span_id: str
    kind: str
    name: str
    status: str
    start_ns: int
    duration_s: float
    attributes: dict[str, Any]
    usage: UsageTold
    children: list[SpanTold]


class TraceTold(Told):
    """The trace of a run."""

    run_id: str
    trace_id: str
    spans: list[SpanTold]
    langfuse_url: str = ""
    """Where the same trace can be looked at in Langfuse; empty where it is not sent there."""


class FeedbackTold(Told):
    """What somebody thinks of a run."""

    id: str
    run_id: str
    name: str
    value: bool | float | str
    comment: str
    user: str
    at: float


class FeedbacksTold(Told):
    """What people think of a run, oldest first."""

    feedback: list[FeedbackTold]


class ScheduleChanged(Asked):
    """What is to change of a schedule; what is left out stays."""

    input: Text | None = None
    cron: Text | None = None
    timezone: Text | None = None
    overlap: Literal["skip", "queue", "cancel", "allow"] | None = None
    catch_up: Literal["none", "last", "all"] | None = None
    catch_up_cap: Annotated[int, Field(ge=1, le=1000)] | None = None
    jitter_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] | None = None
    budget: BudgetAsked | None = None


class ScheduleAsked(Asked):
    """A run that starts by itself: by `cron`, or once `at` a time."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    agent: Text
    input: Text
    cron: str = ""
    at: Annotated[float, Field(gt=0, lt=4e9, allow_inf_nan=False)] | None = None
    """Seconds since 1970."""
    timezone: Text = "UTC"
    overlap: Literal["skip", "queue", "cancel", "allow"] = "skip"
    catch_up: Literal["none", "last", "all"] = "last"
    catch_up_cap: Annotated[int, Field(ge=1, le=1000)] = 10
    jitter_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = 0.0
    thread_id: Name | None = None
    budget: BudgetAsked | None = None
    """Of each firing."""


class ScheduleTold(Told):
    """A schedule as it is kept."""

    name: str
    agent: str
    input: Any
    user: str
    """Whose rights each firing uses."""
    cron: str
    at: float | None
    timezone: str
    overlap: str
    catch_up: str
    catch_up_cap: int
    jitter_s: float
    thread_id: str
    budget: dict[str, Any]
    paused: bool
    next_at: float | None


class SchedulesTold(Told):
    """Schedules, by name."""

    schedules: list[ScheduleTold]


class NextTold(Told):
    """When a schedule falls due next, in seconds since 1970."""

    next: list[int]


class FiringTold(Told):
    """What was decided about a tick."""

    run_id: str
    tick: float
    outcome: str
    note: str
    at: float
    status: str
    """Of its run; empty where there is none yet."""
    error: str


class DeadLetterTold(Told):
    """A job that failed for good."""

    run_id: str
    agent: str
    request: str
    reason: str
    error_id: str
    attempts: int
    schedule: str
    """The one that started it; empty for none."""
    at: float | None


class DeadLettersTold(Told):
    """Jobs that failed for good and were not tried again since, newest first."""

    dead_letters: list[DeadLetterTold]


class FiringsTold(Told):
    """What was decided, newest first."""

    firings: list[FiringTold]


class FiredTold(Told):
    """The run of a firing."""

    run_id: str


class HealthTold(Told):
    """Whether the server is there."""

    status: Literal["ok", "starting", "stopping"]
    version: str


def usage_told(usage: Usage) -> UsageTold:
    """Usage for the wire."""
    return UsageTold(**usage.to_dict())


def interrupts_told(record: RunRecord, now: float) -> list[InterruptTold]:
    """What a run still waits for."""
    out = []
    for data in record.interrupts:
        if data["id"] in record.answers:
            continue
        held = InterruptRequest(**data).seen_at(now)
        out.append(InterruptTold(
            id=held.id, run_id=record.run_id, thread_id=record.thread_id, run_agent=record.agent, kind=held.kind,
            agent=held.agent, tool=held.tool, arguments=held.arguments, question=held.question, reason=held.reason,
            scopes=held.scopes, options=held.options, answer_schema=held.schema, expires_at=held.expires_at,
            expired=held.expired,
        ))  # fmt: skip
    return out


def run_told(record: RunRecord, now: float, *, whole: bool = True) -> RunTold:
    """A run for the wire; `whole` with its trajectory."""
    return RunTold(
        id=record.run_id, thread_id=record.thread_id, agent=record.agent, status=record.status,
        stop_reason=record.stop_reason, error=record.error, error_id=record.error_id, input=record.request,
        output=record.output if record.status == "completed" else None, partial=record.partial,
        usage=usage_told(Usage.from_dict(record.usage)),
        interrupts=interrupts_told(record, now) if record.status == "waiting" else [],
        trajectory=record.trajectory if whole else [], budget=record.budget, tags=record.tags,
        trace_id=record.trace_id, user=record.user, started_at=record.started_at, updated_at=record.updated_at,
        duration_s=record.duration_s, branch=record.branch, forked_from=record.forked_from,
    )  # fmt: skip


def event_told(logged: Logged) -> EventTold:
    """A durable event for the wire."""
    import orjson

    return EventTold(id=logged.seq, type=logged.type, data=orjson.loads(logged.body))
