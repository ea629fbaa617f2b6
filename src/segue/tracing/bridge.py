"""The bridge to OpenTelemetry: spans of a program's own code nest in ours, and ours in theirs.

Where the program has a tracer provider of OpenTelemetry's SDK, our open node or tool is the current span for what is
called in it, and a processor beside the provider's own takes what ends there into the run's trace. The provider stays
the program's: nothing is set, replaced or sent elsewhere. Nothing of OpenTelemetry is imported here before the
program did so; whether it did is looked at once for each run.
"""

from __future__ import annotations

import sys
import threading
from contextvars import Token
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from segue.base.patterns import lazy_pattern

if TYPE_CHECKING:
    from segue.tracing.spans import Span

_TRACEPARENT = lazy_pattern(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?")
_bridged: WeakSet[Any] = WeakSet()
"""Providers that have our processor: it stays with them, and serves every workspace."""
_bridging = threading.Lock()


class Parent(NamedTuple):
    """The span of somebody else that a run nests in."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""


def parent_in(traceparent: str) -> Parent | None:
    """What a `traceparent` header names, by W3C's Trace Context; `None` where it names nothing."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is None or (traceparent.startswith("00") and found.end(2) + 3 != len(traceparent.strip())):
        return None
    parent = Parent(*found.groups())
    return parent if parent.trace_id.strip("0") and parent.span_id.strip("0") else None


class Bridge:
    """What a tracer knows of the program's OpenTelemetry."""

    def __init__(self) -> None:
        self.active = False
        """Whether a provider of the program's takes spans."""
        self._given = False

    def look(self) -> None:
        """See whether the program has a provider by now."""
        if self._given:
            return
        api = sys.modules.get("opentelemetry.trace")
        provider = None if api is None else api.get_tracer_provider()
        self.active = hasattr(provider, "add_span_processor")
        if self.active and provider not in _bridged:
            _add_processor(provider)

    def join(self, provider: Any) -> None:
        """Bridge to a provider that is not the global one: an SDK `TracerProvider` of the program's."""
        _add_processor(provider)
        self.active = self._given = True

    def around(self) -> Parent | None:
        """The program's span that is current here; `None` where there is none."""
        api = sys.modules.get("opentelemetry.trace")
        if api is None:
            return None
        held = api.get_current_span().get_span_context()
        return Parent(f"{held.trace_id:032x}", f"{held.span_id:016x}") if held.is_valid else None

    def enter(self, span: Span) -> Token[Any] | None:
        """Make our span the current one here; give what is returned to `leave`."""
        if not self.active:
            return None
        from segue.tracing.bridge_spans import made_current

        return made_current(span)

    def leave(self, token: Token[Any]) -> None:
        """Make the span before it the current one again."""
        from opentelemetry.context import detach

        detach(token)


def _add_processor(provider: Any) -> None:
    from segue.tracing.bridge_spans import IntoTheRun

    with _bridging:
        if provider not in _bridged:
            provider.add_span_processor(IntoTheRun())
            _bridged.add(provider)
