"""Attempts: the tries of one generation that came to nothing, as spans in it; and what a shadow route made of it.

A generation that another deployment had to answer, or none could, shows each try that failed or was given up, with its
time and its kind of failure. What was said by the server is left out: it may hold anything.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from segue.context.run import RunContext
from segue.router.shadows import Shadowed
from segue.router.types import GIVEN_UP, Attempt
from segue.tracing.spans import Span, SpanKind, SpanRow, new_span_id


def record_retries(ctx: RunContext[Any], generation: Span, attempts: Sequence[Attempt]) -> None:
    """A `retry` span inside the generation's for each attempt that failed, a `hedge` span for one that was given up."""
    for number, attempt in enumerate(attempts, 1):
        if attempt.outcome == "ok":
            continue
        began_ns = generation.start_ns + int(attempt.began_s * 1e9)
        attributes: dict[str, Any] = {
            "segue.deployment": attempt.deployment, "segue.outcome": attempt.outcome, "segue.attempt": number,
        }  # fmt: skip
        given_up = attempt.outcome == GIVEN_UP
        if not given_up:
            attributes |= {"error.type": attempt.outcome, "segue.error_category": "endpoint"}
        _record(
            ctx, generation, "hedge" if given_up else "retry", f"{attempt.deployment} {attempt.outcome}", began_ns,
            began_ns + int(attempt.duration_s * 1e9), attributes, failed=not given_up,
        )  # fmt: skip


def record_shadow(ctx: RunContext[Any], generation: Span, seen: Shadowed) -> None:
    """A `shadow` span for what another route made of the request: what it cost is not the run's, and stands apart."""
    found, end_ns = seen.generation, time.time_ns()
    began_ns = end_ns - int((0.0 if found is None else found.duration_s) * 1e9)
    attributes: dict[str, Any] = {"segue.route": seen.route}
    if found is None:
        attributes |= {"error.type": "endpoint", "segue.error_category": "endpoint"}
    else:
        attributes |= {
            "segue.deployment": found.deployment, "gen_ai.response.model": found.model,
            "segue.same_text": seen.same_text, "segue.same_calls": seen.same_calls,
            "segue.shadow_cost_usd": found.usage.cost_usd, "segue.shadow_input_tokens": found.usage.input_tokens,
            "segue.shadow_output_tokens": found.usage.output_tokens, "segue.why": found.why,
        }  # fmt: skip
    _record(ctx, generation, "shadow", seen.route, began_ns, end_ns, attributes, failed=found is None)


def _record(
    ctx: RunContext[Any], generation: Span, kind: SpanKind, name: str, began_ns: int, end_ns: int,
    attributes: dict[str, Any], *, failed: bool,
) -> None:  # fmt: skip
    ctx.services.tracer.record(
        SpanRow(
            ctx.principal.tenant, ctx.trace_id, new_span_id(), generation.span_id, ctx.run_id, kind, name, began_ns,
            end_ns, "error" if failed else "ok", attributes,
        )
    )  # fmt: skip
