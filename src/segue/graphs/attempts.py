"""Attempts: the tries of one generation that came to nothing, as spans in it.

A generation that another deployment had to answer, or none could, shows each failed try with its time and its kind of
failure. What was said by the server is left out: it may hold anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segue.context.run import RunContext
from segue.router.types import Attempt
from segue.tracing.spans import Span, SpanRow, new_span_id


def record_retries(ctx: RunContext[Any], generation: Span, attempts: Sequence[Attempt]) -> None:
    """A `retry` span inside the generation's for each attempt that failed, one after the other from its start."""
    at_ns = generation.start_ns
    for number, attempt in enumerate(attempts, 1):
        end_ns = at_ns + int(attempt.duration_s * 1e9)
        if attempt.outcome != "ok":
            attributes = {
                "segue.deployment": attempt.deployment, "segue.outcome": attempt.outcome, "segue.attempt": number,
                "error.type": attempt.outcome, "segue.error_category": "endpoint",
            }  # fmt: skip
            ctx.services.tracer.record(
                SpanRow(
                    ctx.principal.tenant, ctx.trace_id, new_span_id(), generation.span_id, ctx.run_id, "retry",
                    f"{attempt.deployment} {attempt.outcome}", at_ns, end_ns, "error", attributes,
                )
            )  # fmt: skip
        at_ns = end_ns
