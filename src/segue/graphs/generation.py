"""One generation: a conversation in, the model's complete message out, reserved, traced and streamed.

The generation span is the leaf that carries tokens and cost. The text of the answer is streamed as events while it
comes; tool calls are handed on only once they are complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segue.base.errors import RunStopped
from segue.base.ids import new_id
from segue.base.messages import Message, redacted, text_of
from segue.context.events import GenerationFinished, TextAdded, TextReset
from segue.context.run import RunContext
from segue.graphs.attempts import record_retries
from segue.router.errors import NoDeploymentLeft
from segue.router.types import Delta, Generation, GenerationRequest, Reset, TextDelta

RESERVED_OUTPUT_TOKENS = 1024
"""Held for an answer whose length nobody capped."""
RESERVED_COST_USD = 0.0
"""Held for its price: 0 until the router says what a route's answers cost."""


@dataclass(frozen=True, kw_only=True)
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


async def generate(
    ctx: RunContext[Any],
    speaker: Speaker,
    messages: Sequence[Message],
    *,
    tool_choice: str | None = None,
    output_schema: Mapping[str, Any] | None = None,
) -> Generation:
    """Ask the speaker's model.

    Raises:
        RunStopped: The budget does not allow the call, or the run's deadline has passed.
        EndpointError: No deployment answered.
        BadInput: The speaker's model names no route.
    """
    if ctx.seconds_left() == 0.0:
        raise RunStopped("deadline", "the run's deadline has passed before the next generation")
    router = ctx.services.router
    request = GenerationRequest(
        messages=[_system(speaker.instructions), *messages] if speaker.instructions else list(messages),
        tools=speaker.tools,
        tool_choice=tool_choice if speaker.tools else None,
        output_schema=output_schema,
        max_output_tokens=speaker.max_output_tokens,
        temperature=speaker.temperature,
    )
    tokens = sum(message.get("tokens", 0) for message in request.messages)
    tokens += speaker.max_output_tokens or RESERVED_OUTPUT_TOKENS
    with (
        ctx.meter.reserve(model_calls=1, tokens=_affordable(ctx, tokens), cost_usd=RESERVED_COST_USD) as held,
        ctx.services.tracer.start(
            "generation", speaker.name, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id,
            parent_id=ctx.span_id,
        ) as span,
    ):  # fmt: skip
        span.payload(input=request.messages, parameters=_parameters(request))
        span.set(**{f"segue__prompt__{name}": told or None for name, told in speaker.prompt.items()})
        route = router.resolve(speaker.model)
        try:
            generation = await router.generate(
                request, route=route, on_delta=_shower(ctx, speaker.name), deadline=ctx.deadline
            )
        except NoDeploymentLeft as error:
            record_retries(ctx, span, error.attempts)
            raise
        record_retries(ctx, span, generation.attempts)
        held.settle(generation.usage)
        generation = replace(generation, message=redacted(generation.message, ctx.services.redact))
        span.payload(output=generation.message)
        _describe(span, generation)
    ctx.emit(
        GenerationFinished(
            run_id=ctx.run_id, at=ctx.now(), agent=speaker.name, model=generation.model, task_id=ctx.task_id,
            deployment=generation.deployment, usage=generation.usage, duration_s=generation.duration_s,
            text=text_of(generation.message), tool_calls=_plain_calls(generation.message),
        )
    )  # fmt: skip
    return generation


def _affordable(ctx: RunContext[Any], tokens: int) -> int:
    """The reservation, but no more than is left while anything is: an answer may be shorter than the worst case."""
    left = ctx.meter.tokens_left()
    return tokens if left is None or left <= 0 else min(tokens, left)


def _system(text: str) -> Message:
    return {"role": "system", "content": text, "tokens": len(text) // 4 + 4}


def _shower(ctx: RunContext[Any], agent: str) -> Any:
    if ctx.quiet:
        return None

    def show(delta: Delta) -> None:
        match delta:
            case TextDelta(text=text):
                ctx.emit(TextAdded(run_id=ctx.run_id, at=ctx.now(), agent=agent, text=text, task_id=ctx.task_id))
            case Reset(reason=reason):
                ctx.emit(TextReset(run_id=ctx.run_id, at=ctx.now(), agent=agent, reason=reason, task_id=ctx.task_id))
            case _:
                pass

    return show


def _describe(span: Any, generation: Generation) -> None:
    usage = generation.usage
    span.set(
        gen_ai__operation__name="chat", gen_ai__response__model=generation.model,
        gen_ai__usage__input_tokens=usage.input_tokens, gen_ai__usage__output_tokens=usage.output_tokens,
        gen_ai__usage__cache_read__input_tokens=usage.cached_tokens or None,
        gen_ai__response__finish_reasons=[generation.finish_reason],
        segue__deployment=generation.deployment, segue__route=generation.route, segue__why=generation.why,
        segue__cost_usd=usage.cost_usd, segue__first_token_s=generation.first_token_s,
        segue__attempts=len(generation.attempts), segue__message_id=generation.message.get("id"),
    )  # fmt: skip


def _parameters(request: GenerationRequest) -> dict[str, Any]:
    return {
        "temperature": request.temperature, "max_output_tokens": request.max_output_tokens,
        "tool_choice": request.tool_choice,
    }  # fmt: skip


def _plain_calls(message: Message) -> list[dict[str, Any]]:
    return [{"id": call["id"], **call["function"]} for call in message.get("tool_calls", ())]


def with_fresh_ids(message: Message, known: Sequence[Message]) -> Message:
    """The message, with a new id for each tool call whose id is missing, double, or already used in the thread."""
    calls = message.get("tool_calls")
    if not calls:
        return message
    used = {call["id"] for each in known for call in each.get("tool_calls", ())}
    fresh = []
    for call in calls:
        if not call.get("id") or call["id"] in used:
            call = {**call, "id": new_id("call")}
        used.add(call["id"])
        fresh.append(call)
    return {**message, "tool_calls": fresh}
