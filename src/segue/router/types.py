"""What goes into the router and what comes out of it, as frozen data.

In: a `GenerationRequest`. While it is answered: deltas, a closed union. Out: a `Generation`, the complete
message with its usage and the story of how it came about. Who answers is decided in `segue.router.core`; how a
server is spoken to, in `segue.router.wire`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segue.base.messages import Message
from segue.base.quick import quick
from segue.base.usage import Usage


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One question to a model. `None` means: as the route, the deployment or the server has it."""

    messages: Sequence[Message]
    """The whole conversation, oldest first; never changed here."""
    tools: Sequence[Mapping[str, Any]] = ()
    """Tools in OpenAI's shape: `{"type": "function", "function": {"name", "description", "parameters"}}`."""
    tool_choice: str | Mapping[str, Any] | None = None
    """`auto`, `none`, `required`, the name of one tool, or OpenAI's dict."""
    output_schema: Mapping[str, Any] | None = None
    """A JSON schema that the text of the answer must fit; the answer is not validated here."""
    output_name: str = "answer"
    """What the schema is called on the wire."""
    max_output_tokens: int | None = None
    temperature: float | None = None
    stop: Sequence[str] = ()
    parallel_tool_calls: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Put into the body of the request as it stands, last."""
    speaker: str = ""
    """Who asks: lengths of answers are learned by it. Never sent."""
    session: str = ""
    """Whose conversation it is, such as a thread and who speaks in it: it stays where it is held. Never sent."""
    thread: str = ""
    """Rollouts keep a thread where it is. Never sent."""
    run: str = ""
    """Requests that wait take turns by run, and by tenant. Never sent."""
    tenant: str = ""
    user: str = ""
    """Whose budgets it goes on, with the tenant. Never sent."""
    reads: frozenset[str] = frozenset()
    """Tools that only read, as far as that is known: an answer may be given again after their results. Never sent."""
    input_estimate: int = 0
    """About how many tokens the request is; 0 where nobody said. Never sent."""


@quick
@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@quick
@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of what the model thinks before it answers."""

    text: str


@quick
@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call, for display only: act on the calls of the finished `Generation`."""

    index: int
    """Which call of this generation, from 0."""
    id: str
    """As the server gave it; empty where it gave none. The finished call may carry another one."""
    name: str
    """The tool, with the first piece of a call; empty with the later ones."""
    arguments: str
    """A piece of JSON text."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Everything shown so far is void: the answer starts over on another deployment."""

    reason: str


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Reset
OnDelta = Callable[[Delta], None]


ONE_CALL = Usage(model_calls=1)
"""One generation whose tokens nobody counted, at no cost."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What one deployment gives back; the router makes a `Generation` out of it."""

    message: Message
    usage: Usage = ONE_CALL
    finish_reason: str = "stop"
    """`stop`, `tool_calls`, `length`, `content_filter`, or what else the server said."""
    model: str = ""
    """The model as the server names it; empty where it says nothing."""
    first_token_s: float | None = None
    """Seconds from the call to the first piece of the answer."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the server's answer, as far as they tell of its rate limits."""
    counts_cached: bool = False
    """Whether it says how many tokens it had in its prefix cache, be it none."""


GIVEN_UP = "given_up"
"""The outcome of a try that was not waited for any more: another deployment was sooner, or nobody wanted it."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try on one deployment."""

    deployment: str
    outcome: str
    """`ok`, `given_up`, or the kind of failure: `unreachable`, `refused`, `rate_limited`, `broken_stream`, …"""
    began_s: float = 0.0
    """Seconds from the start of the whole request."""
    error: str = ""
    """What it said; empty where it went well."""
    duration_s: float


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One model response, complete: its tool calls may be acted upon."""

    message: Message
    """Entered: it has an id, labels and a token count."""
    usage: Usage
    """`usage.cost_usd` is `None` where no price is known; 0.0 only where it is known to be free."""
    finish_reason: str
    deployment: str
    model: str
    route: str
    first_token_s: float | None
    """Seconds from the call to the first piece of the answer, failed attempts included."""
    duration_s: float
    attempts: tuple[Attempt, ...]
    """All tries in their order; the last one is the one that answered."""
    why: str
    """One sentence: why this deployment answered."""
    cached: bool = False
    """Whether it was answered from the router's own cache: nobody was asked and nothing paid."""
