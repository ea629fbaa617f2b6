"""RunContext: what a node, a tool or a rail is given of the run that it is part of.

It carries who the run acts for, the developer's own `deps`, and the services of the workspace. It is frozen:
a node, a task or a tool call gets a copy that says which one it is (`ctx.at(...)`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol

from typing_extensions import TypeVar

from segue.base.budget import Meter
from segue.base.ports import Clock, Notifier, SystemClock
from segue.base.principal import LOCAL, Principal
from segue.context.decisions import Decision
from segue.context.effects import Ledger, MemoryLedger
from segue.context.questions import put
from segue.tracing.logs import RunLog, run_log

if TYPE_CHECKING:
    from segue.base.messages import Message
    from segue.context.events import Event
    from segue.memory.documents.index import Index
    from segue.router.forecast import Forecast
    from segue.router.shadows import OnShadow
    from segue.router.types import Generation, GenerationRequest, OnDelta
    from segue.tracing.artefacts import ArtefactStore
    from segue.tracing.audit import AuditLog
    from segue.tracing.tracer import Tracer

DepsT = TypeVar("DepsT", default=Any)


class Generator(Protocol):
    """The router, as a run sees it."""

    def resolve(self, model: Any) -> Any:
        """What `generate` takes as its route for what an agent names its model by."""
        ...

    async def generate(
        self,
        request: GenerationRequest,
        *,
        route: Any = None,
        on_delta: OnDelta | None = None,
        deadline: float | None = None,
        on_shadow: OnShadow | None = None,
    ) -> Generation:
        """Answer one request."""
        ...

    async def forecast(
        self,
        route: Any = None,
        *,
        speaker: str = "",
        input_tokens: int,
        max_output_tokens: int | None = None,
        priced: bool = False,
    ) -> Forecast:
        """What a generation by a route may come to."""
        ...

    async def context_tokens(self, route: Any = None) -> int | None:
        """The longest conversation that a route takes; `None` where that is not known."""
        ...


Authorize = Callable[[Any, dict[str, Any], "RunContext[Any]"], Awaitable[Decision]]
"""The gate as a port: `(tool, validated arguments, ctx) -> Decision`. `tools.execution` calls it before a tool runs."""


class Inspected(NamedTuple):
    """What rails made of a tool call or result."""

    verdict: Decision
    text: str
    """What to go on with, also where somebody is asked first."""
    value: Any


Inspect = Callable[["RunContext[Any]", str, str, Any, str, str], Awaitable[Inspected]]
"""Rails on tool calls and results as a port: `(ctx, place, text, value, tool, effect) -> Inspected`; place is
`tool_call` (the value is the arguments) or `tool_result` (only the text)."""


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the workspace lends to a run. Each is a port; a test hands in another."""

    router: Generator
    tracer: Tracer
    artefacts: ArtefactStore
    clock: Clock = field(default_factory=SystemClock)
    redact: Callable[[str], str] = str
    """Takes out of a text what neither a model nor any store may hold: keys and passwords."""
    authorize: Authorize | None = None
    """`None`: only the tools' own approval rules hold."""
    audit: AuditLog | None = None
    """Where decisions are written down; `None` for nowhere."""
    notifier: Notifier | None = None
    """Who tells an operator; `None` for nobody."""
    ledger: Ledger | None = None
    """Where the effects of tool calls are written down; `None` for in memory, for each run its own."""
    documents: Index | None = None
    """Where documents are kept that name no index of their own; `None` for a file of theirs."""


@dataclass(frozen=True, kw_only=True)
class RunContext(Generic[DepsT]):
    """The run that this code is part of."""

    run_id: str
    thread_id: str
    trace_id: str
    services: Services
    deps: DepsT = None  # type: ignore[assignment]
    """Whatever the developer handed to `ws.run(..., deps=…)`."""
    principal: Principal = LOCAL
    meter: Meter = field(default_factory=Meter)
    emit: Callable[[Event], None] = field(default=lambda event: None)
    deadline: float | None = None
    """On the services' monotonic clock, in seconds; `None` for none."""
    agent: str = ""
    """The agent that acts now."""
    task_id: str = ""
    """The plan's task that is being done; empty outside a plan."""
    span_id: str = ""
    """The span that new spans nest in."""
    tool_call_id: str = ""
    """Inside a tool: the id of the call."""
    idempotency_key: str = ""
    """Inside a tool: the key to hand to the outside, the same for every delivery of this call."""
    interrupt: Callable[[Any], Any] | None = None
    """Inside a node that may wait for a person: asks, and returns the answers."""
    inspect: Inspect | None = None
    """The rails that tool calls and results of this place pass; `None` for none."""
    effects: frozenset[str] | None = None
    """The effects that the plan gave to this task; `None` where it says nothing."""
    quiet: bool = False
    """Text is not shown while it comes: it is a draft, of which another may become the answer."""
    shows: tuple[Any, ...] = ()
    """The rails between an answer and those who read along: what they take out is in no event."""
    told: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """By the task, what was shown of the answer that came last, until its rails have looked at the whole."""
    place: str = ""
    """Which task of the graph this is: the same at each delivery of it, and no other one's."""
    tool_name: str = ""
    """Inside a tool: its name."""
    tool_arguments: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """Inside a tool: the arguments of the call, as JSON data."""
    calls: tuple[str, ...] = ()
    """The ids of the calls around this code, from the outermost: more than one where an agent is called as a tool."""
    asked: dict[str, int] = field(default_factory=dict, repr=False, compare=False)
    """How often this delivery of the task or the call has asked each question; see `ask`."""
    branch: str = ""
    """The fork that the run is in; empty outside one. In a fork each write is asked about first."""
    borrowed: bool = False
    """The graph was started without a run: this one lasts for the call, and tells nothing apart beyond it."""
    labelled: Sequence[Message] = field(default=(), repr=False, compare=False)
    """Where tool calls are judged: the conversation up to them, labelled. The gate judges by it."""
    toolset: Sequence[Any] = field(default=(), repr=False, compare=False)
    """Where tool calls are judged: the tools of the agent that asks for them."""
    words: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """The user's own words, also where a planner's or another agent's task is what the agent was given."""
    durable: Callable[[], Awaitable[None]] | None = field(default=None, repr=False, compare=False)
    """Waits until the checkpoints that led here are durable; `None` where they are already."""
    own_ledger: MemoryLedger = field(default_factory=MemoryLedger, repr=False, compare=False)
    """The effects of this run, where the services keep none."""

    def at(self, **changes: Any) -> RunContext[DepsT]:
        """A copy that says where in the run it is.

        Made by hand: every node, edge and tool call takes one, and `dataclasses.replace` costs several times as much.

        Raises:
            TypeError: There is no such field.
        """
        if "tool_call_id" in changes:
            if "asked" not in changes:
                changes["asked"] = {}
            if "calls" not in changes and (call_id := changes["tool_call_id"]):
                changes["calls"] = (*self.calls, call_id)
        elif "place" in changes and "asked" not in changes:
            changes["asked"] = {}
        mine = self.__dict__
        held = mine | changes  # copied as a whole: an update would put in field after field
        if len(held) != len(mine):
            raise TypeError(f"RunContext has no field {min(changes.keys() - mine.keys())!r}")
        copy = object.__new__(type(self))
        object.__setattr__(copy, "__dict__", held)
        return copy

    def ask(
        self,
        question: str,
        *,
        options: Sequence[Any] | None = None,
        schema: Any = None,
        key: str | None = None,
        expires_s: float | None = None,
    ) -> Any:
        """Ask a person, and return what they answer. The run waits meanwhile, over restarts too.

        The tool or node starts over once the answer is in, and is then given it here: ask before you act. The same
        words asked again in one call are another question; `key` names a question whose words differ each time.

        Args:
            question: What the person reads.
            options: The values to choose from; `None` for any.
            schema: A type, or a JSON schema as a dict, that the answer must fit; `None` for any. A type is given back
                as itself.
            key: What the question is recognised by when the code starts over; `None` for its words.
            expires_s: Seconds after which nobody can answer it any more; `None` for never.

        Raises:
            NotAnswered: The person declined, or nobody answered in time. In a tool, the model reads so.
            CannotAsk: There is nobody to ask here.
        """
        return put(self, question, options=options, schema=schema, key=key, expires_s=expires_s)

    def now(self) -> float:
        """Seconds since 1970, by the services' clock."""
        return self.services.clock.now()

    @property
    def ledger(self) -> Ledger:
        """Where the effects of this run's tool calls are written down."""
        return self.services.ledger or self.own_ledger

    @property
    def log(self) -> RunLog:
        """A logger, `segue.run`, whose records carry the ids of this run, thread, trace and span."""
        return run_log(self)

    def seconds_left(self) -> float | None:
        """Until the deadline, never below 0; `None` without one."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - self.services.clock.monotonic())
