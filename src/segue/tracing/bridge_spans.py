"""Spans across the bridge: our open span in, OpenTelemetry's current one out; theirs that ends in, one of ours out.

Imports OpenTelemetry's SDK: only `segue.tracing.bridge` imports this, once the program has done so.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextvars import Token
from typing import Any

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan

from segue.tracing.spans import Span

_OURS = contexts.create_key("segue-span")
_MOST_OPEN = 10_000
"""Spans of the program that are open at a time; of more, the oldest is left out of our trace."""
_LONGEST = 2_000
"""Characters of an attribute: spans hold small values."""
_MOST_ATTRIBUTES = 64


def made_current(span: Span) -> Token[Context]:
    """Our span as OpenTelemetry's current one, sampled as the span around it is."""
    around = trace.get_current_span().get_span_context()
    trace_id = int(span.trace_id, 16)
    flags = around.trace_flags if around.is_valid and around.trace_id == trace_id else trace.TraceFlags(0x01)
    seen = trace.SpanContext(trace_id, int(span.span_id, 16), is_remote=False, trace_flags=flags)
    held = trace.set_span_in_context(trace.NonRecordingSpan(seen))
    return contexts.attach(contexts.set_value(_OURS, span, held))


class IntoTheRun(SpanProcessor):
    """Takes the program's spans that began inside one of ours into the same trace. Never raises, never waits."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, Span] = OrderedDict()
        self._lock = threading.Lock()

    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """Remember what it began inside of."""
        ours, seen = contexts.get_value(_OURS, parent_context), span.get_span_context()
        if not isinstance(ours, Span) or seen is None or f"{seen.trace_id:032x}" != ours.trace_id:
            return
        with self._lock:
            self._open[seen.span_id] = ours
            if len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)

    def on_end(self, span: ReadableSpan) -> None:
        """Record it, where it began inside one of ours."""
        seen = span.get_span_context()
        with self._lock:
            ours = self._open.pop(seen.span_id, None) if seen is not None else None
        if ours is None or seen is None or span.start_time is None:
            return
        failed = span.status.status_code is trace.StatusCode.ERROR
        ours.adopt(
            span_id=f"{seen.span_id:016x}",
            parent_id=ours.span_id if span.parent is None else f"{span.parent.span_id:016x}",
            name=span.name,
            start_ns=span.start_time,
            end_ns=max(span.start_time, span.end_time or 0),
            failed=failed,
            attributes=_attributes(span) | (_failure(span) if failed else {}),
        )


def _attributes(span: ReadableSpan) -> dict[str, Any]:
    held: Mapping[str, Any] = span.attributes or {}
    found = {key: _small(value) for key, value in list(held.items())[:_MOST_ATTRIBUTES]}
    scope = span.instrumentation_scope
    return {**found, "segue.scope": scope.name} if scope is not None else found


def _failure(span: ReadableSpan) -> dict[str, Any]:
    """The type of what was raised; its text may hold anything."""
    raised = [each.attributes or {} for each in span.events if each.name == "exception"]
    found = raised[-1].get("exception.type") if raised else None
    return {"error.type": found} if found is not None else {}


def _small(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    return [_small(each) for each in value[:_MOST_ATTRIBUTES]] if isinstance(value, tuple | list) else value
