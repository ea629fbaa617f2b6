"""One generation: a conversation in, the model's complete message out, reserved, traced and streamed.

The generation span is the leaf that carries tokens and cost. The text of the answer is streamed as events while it
comes; tool calls are handed on only once they are complete. How much it may take is decided in
`segue.graphs.allowance`; how much of a long thread the model reads, by the speaker's `recall`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import orjson

from segue.base.errors import EndpointError, RunStopped
from segue.base.messages import Message, redacted, text_of
from segue.base.quick import quick
from segue.base.usage import Usage
from segue.context.events import GenerationFinished
from segue.context.run import RunContext
from segue.graphs.allowance import TASK_SHARE, Allowance, allow
from segue.graphs.attempts import record_retries, record_shadow
from segue.graphs.showing import Seen
from segue.router.errors import ContextOverflow, DeadlinePassed, NoDeploymentLeft
from segue.router.types import Generation, GenerationRequest

_NOTHING_MADE = frozenset({"unreachable", "refused", "rate_limited", "bad_request", "context_overflow"})
"""Failures of an attempt after which a server has generated nothing."""


class Recall(Protocol):
    """What of a long thread its model reads; see `segue.graphs.history`."""

    async def view(self, ctx: RunContext[Any], speaker: Speaker, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages to send."""
        ...

    async def less(self, ctx: RunContext[Any], speaker: Speaker, sent: Sequence[Message]) -> bool:
        """Make the next view shorter, since the model could not take this one; false where that cannot be."""
        ...

    def about(self) -> Mapping[str, Any]:
        """What a trace says of it."""
        ...


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Who generates: an agent or a planner, with what it sends along each time."""

    name: str
    instructions: str
    model: Any = None
    """A route name, `provider:model`, a deployment, a LangChain chat model, a router; `None` is the default route."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Schemas in OpenAI's shape, in an order that never changes, so that prompts share their beginning."""
    temperature: float | None = None
    max_output_tokens: int | None = None
    prompt: Mapping[str, str] = field(default_factory=dict)
    """Of the template that the instructions come from: name, version, hash."""
    recall: Recall | None = None
    """What it reads of the thread; `None` is all of it."""
    reads: frozenset[str] = frozenset()
    """Those of its tools that only read."""
    tools_tokens: int = -1
    """About how many tokens the tools are; below 0 where nobody has counted."""


async def generate(
    ctx: RunContext[Any],
    speaker: Speaker,
    messages: Sequence[Message],
    *,
    tool_choice: str | None = None,
    output_schema: Mapping[str, Any] | None = None,
) -> Generation:
    """Ask the speaker's model.

    Where the model says that the conversation is too long for it, older messages are left out and it is asked once
    more.

    Raises:
        RunStopped: A budget does not allow the call or its whole answer, or the deadline has passed; `owner` says
            whose.
        EndpointError: No deployment answered.
        BadInput: The speaker's model names no route.
    """
    sent = messages if speaker.recall is None else await speaker.recall.view(ctx, speaker, messages)
    request = _request(ctx, speaker, sent, tool_choice, output_schema)
    try:
        return await _generate(ctx, speaker, request)
    except EndpointError as error:
        if speaker.recall is None or not _overflown(error) or not await speaker.recall.less(ctx, speaker, sent):
            raise
    sent = await speaker.recall.view(ctx, speaker, messages)
    return await _generate(ctx, speaker, _request(ctx, speaker, sent, tool_choice, output_schema))


async def _generate(ctx: RunContext[Any], speaker: Speaker, request: GenerationRequest) -> Generation:
    """One generation, made again where it was cut off by a share of what was left while there was more."""
    route = ctx.services.router.resolve(speaker.model)
    for share in (TASK_SHARE if ctx.task_id else 1, 1):
        _in_time(ctx)
        with await allow(ctx, request, route=route, share=share) as allowed:
            generation = await _asked(ctx, speaker, allowed, route)
        if not allowed.cut_off(generation.finish_reason) or generation.message.get("tool_calls"):
            return generation
        if allowed.whole:
            break
    raise allowed.stop(text_of(generation.message))


async def _asked(ctx: RunContext[Any], speaker: Speaker, allowed: Allowance, route: Any) -> Generation:
    request = allowed.request
    seen = Seen(ctx, speaker.name, whole=request.output_schema is not None)
    with ctx.services.tracer.start(
        "generation", speaker.name, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id,
        parent_id=ctx.span_id,
    ) as span:  # fmt: skip
        span.payload(input=request.messages, parameters=_parameters(request))
        span.attributes["segue.session"] = request.session
        if speaker.prompt:
            span.set(**{f"segue__prompt__{name}": told or None for name, told in speaker.prompt.items()})
        if speaker.recall is not None:
            span.set(**speaker.recall.about())
        _say_unpriced(ctx, allowed, span)
        try:
            generation = await _in_own_time(ctx, ctx.services.router.generate(
                request, route=route, on_delta=None if ctx.quiet else seen, deadline=ctx.deadline,
                on_shadow=lambda seen: record_shadow(ctx, span, seen),
            ))  # fmt: skip
        except BaseException as error:
            seen.stop()
            if isinstance(error, NoDeploymentLeft):
                record_retries(ctx, span, error.attempts)
            spent = allowed.unknown(seen.tokens) if _may_have_cost(error) else Usage()
            if spent.model_calls:
                allowed.held.settle(spent)
            _count(span, spent, estimated=bool(spent.model_calls))
            raise
        record_retries(ctx, span, generation.attempts)
        usage = generation.usage if not seen.lost else generation.usage + allowed.unknown(seen.lost)
        allowed.held.settle(usage if usage.model_calls else replace(usage, model_calls=1))
        _count(span, usage, estimated=bool(seen.lost))
        _say_overrun(ctx, span)
        clean = redacted(generation.message, ctx.services.redact)
        if clean is not generation.message:
            generation = replace(generation, message=clean)
        span.payload(output=generation.message)
        readable = await seen.end(text_of(generation.message))
        _describe(span, generation)
        if allowed.output_tokens is not None:
            span.attributes["segue.budget_cap"] = allowed.output_tokens
    ctx.emit(
        GenerationFinished(
            run_id=ctx.run_id, at=ctx.now(), agent=speaker.name, model=generation.model, task_id=ctx.task_id,
            deployment=generation.deployment, usage=generation.usage, duration_s=generation.duration_s,
            text=readable, tool_calls=_plain_calls(generation.message, ctx.services.redact),
        )
    )  # fmt: skip
    return generation


def _request(
    ctx: RunContext[Any],
    speaker: Speaker,
    messages: Sequence[Message],
    tool_choice: str | None,
    output_schema: Mapping[str, Any] | None,
) -> GenerationRequest:
    sent = [_system(speaker.instructions), *messages] if speaker.instructions else list(messages)
    estimate = sum([message.get("tokens", 0) for message in sent])
    if speaker.tools:
        estimate += speaker.tools_tokens if speaker.tools_tokens >= 0 else json_tokens(speaker.tools)
    if output_schema:
        estimate += json_tokens(output_schema)
    who, thread = ctx.principal, f"{ctx.principal.tenant}/{ctx.thread_id}"
    return GenerationRequest(
        messages=sent,
        tools=speaker.tools,
        tool_choice=tool_choice if speaker.tools else None,
        output_schema=output_schema,
        max_output_tokens=speaker.max_output_tokens,
        temperature=speaker.temperature,
        speaker=speaker.name,
        reads=speaker.reads,
        input_estimate=estimate,
        session=f"{thread}/{ctx.task_id}/{speaker.name}",
        thread=thread,
        run=ctx.run_id,
        tenant=who.tenant,
        user=who.user,
    )


def json_tokens(data: Any) -> int:
    """About how many tokens data is as JSON: four bytes a token."""
    return len(orjson.dumps(data)) // 4


def _in_time(ctx: RunContext[Any]) -> None:
    if ctx.seconds_left() != 0.0:
        return
    owner = ctx.meter.late(ctx.services.clock.monotonic()) or ""
    whose = f"the deadline of {owner}" if owner else "the run's deadline"
    raise RunStopped("deadline", f"{whose} has passed before the next generation", owner=owner)


async def _in_own_time(ctx: RunContext[Any], asking: Awaitable[Generation]) -> Generation:
    """Where a worker's own time is up meanwhile, say whose it was; the run's own is said by whoever started it."""
    try:
        if ctx.meter.parent is None:
            return await asking
        async with asyncio.timeout(ctx.seconds_left()):
            return await asking
    except (TimeoutError, DeadlinePassed) as error:
        owner = ctx.meter.late(ctx.services.clock.monotonic())
        if owner is None:
            raise
        raise RunStopped("deadline", f"the deadline of {owner} passed during a generation", owner=owner) from error


def _overflown(error: EndpointError) -> bool:
    found = error.errors if isinstance(error, NoDeploymentLeft) else (error,)
    return any(isinstance(each, ContextOverflow) for each in found)


def _may_have_cost(error: BaseException) -> bool:
    """Whether a server may have generated something before this: what is not known is counted."""
    if isinstance(error, NoDeploymentLeft):
        return any(attempt.outcome not in _NOTHING_MADE for attempt in error.attempts)
    if isinstance(error, EndpointError):
        return getattr(error, "outcome", "") not in _NOTHING_MADE
    return isinstance(error, RunStopped | TimeoutError | asyncio.CancelledError)


def _say_unpriced(ctx: RunContext[Any], allowed: Allowance, span: Any) -> None:
    if allowed.unpriced and ctx.meter.once("unpriced"):
        span.set(segue__unpriced=list(allowed.unpriced))
        ctx.log.warning(
            "Budget(cost_usd=…) cannot hold %s: no price is known; give it one in the settings, or bound tokens",
            ", ".join(allowed.unpriced),
        )


def _say_overrun(ctx: RunContext[Any], span: Any) -> None:
    """A model that takes more than it was allowed, or than its input was thought to be, overruns a budget by itself."""
    if over := ctx.meter.over():
        span.set(segue__over_budget=over)
        if ctx.meter.once("overrun"):
            ctx.log.warning("a model took more than it was allowed: the budget of %s is overrun", ", ".join(over))


def _system(text: str) -> Message:
    return {"role": "system", "content": text, "tokens": len(text) // 4 + 4}


def _describe(span: Any, generation: Generation) -> None:
    span.set(
        gen_ai__operation__name="chat", gen_ai__response__model=generation.model,
        gen_ai__response__finish_reasons=[generation.finish_reason],
        segue__deployment=generation.deployment, segue__route=generation.route, segue__why=generation.why,
        segue__first_token_s=generation.first_token_s,
        segue__cached=generation.cached or None, segue__attempts=len(generation.attempts),
        segue__message_id=generation.message.get("id"),
    )  # fmt: skip


def _count(span: Any, usage: Usage, *, estimated: bool) -> None:
    """What the run was charged, so that the leaves of its trace sum up to it; some of it may be an estimate."""
    span.set(
        gen_ai__usage__input_tokens=usage.input_tokens, gen_ai__usage__output_tokens=usage.output_tokens,
        gen_ai__usage__cache_read__input_tokens=usage.cached_tokens or None, segue__cost_usd=usage.cost_usd,
        segue__estimated=estimated or None,
    )  # fmt: skip


def _parameters(request: GenerationRequest) -> dict[str, Any]:
    return {
        "temperature": request.temperature, "max_output_tokens": request.max_output_tokens,
        "tool_choice": request.tool_choice,
    }  # fmt: skip


def _plain_calls(message: Message, redact: Callable[[str], str]) -> list[dict[str, Any]]:
    calls = ((call["id"], call["function"]) for call in message.get("tool_calls", ()))
    return [{"id": call_id, "name": each["name"], "arguments": redact(each["arguments"])} for call_id, each in calls]
