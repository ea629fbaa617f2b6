"""Spans: one timed thing that happened in a run. While it lasts it is a `Span`, then a `SpanRow`."""

from __future__ import annotations

import os
import random
import time
from contextvars import Token
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from segue.base.errors import error_id_of

if TYPE_CHECKING:
    from segue.tracing.tracer import Tracer

SpanKind = Literal["run", "graph", "node", "edge", "generation", "tool", "verdict", "retry", "hedge", "shadow", "span"]
"""`edge` is instant; `generation` and `tool` are leaves, and only leaves carry cost. `span`: of the program's own."""


class Payload(NamedTuple):
    """What went into a span and what came out: references, neither copied nor encoded while the run goes on.

    What is referred to is not changed afterwards. The local store leaves it out; exporters redact and encode it.
    """

    input: Any = None
    output: Any = None
    parameters: dict[str, Any] | None = None
    """Of a generation: what the model was asked with, beside the messages."""


_NOTHING = Payload()
_PARTS = frozenset(Payload._fields)


class SpanRow(NamedTuple):
    """A finished span, as it lies in the ring. Ids are OpenTelemetry's: 32 and 16 hex digits."""

    tenant: str
    trace_id: str
    span_id: str
    parent_id: str
    run_id: str
    kind: SpanKind
    name: str
    start_ns: int
    """Since 1970."""
    end_ns: int
    status: Literal["ok", "error", "waiting", "cancelled"]
    attributes: dict[str, Any]
    """Small plain values, by the GenAI names where one exists. No payload: that is referred to by id."""
    payload: Payload | None = None


new_row = tuple.__new__
"""`new_row(SpanRow, (…))` with all fields: a named tuple's own way takes twice as long, and a run has many."""
_RANDOM = random.Random()
"""Ids are unique, and no secrets; a process that is forked has a sequence of its own."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_RANDOM.seed)


class _Dotted(dict[str, str]):
    """Names of attributes as spans have them, by how `Span.set` is given them: there are few."""

    def __missing__(self, key: str) -> str:
        dotted = self[key] = key.replace("__", ".")
        return dotted


_DOTTED = _Dotted()


def new_trace_id() -> str:
    """32 hex digits, formed as those of `new_span_id` are; the last 16 are random, as sampling by the id needs."""
    return (_RANDOM.getrandbits(127) | 0xA0000000 << 64).to_bytes(16).hex()


def new_span_id() -> str:
    """16 hex digits, the first 0-7 and the ninth a letter: not the form of a card's number, an IBAN or a wallet."""
    return (_RANDOM.getrandbits(63) | 0xA0000000).to_bytes(8).hex()


class Span:
    """A span that is still open. Ended once, by `end` or by leaving its `with` block."""

    __slots__ = (
        "_payload",
        "_token",
        "_tracer",
        "attributes",
        "ended",
        "kind",
        "name",
        "parent_id",
        "run_id",
        "span_id",
        "start_ns",
        "status",
        "tenant",
        "trace_id",
    )

    def __init__(
        self, tracer: Tracer, kind: SpanKind, name: str, *, tenant: str, trace_id: str, run_id: str, parent_id: str
    ) -> None:
        self._tracer = tracer
        self.kind: SpanKind = kind
        self.name = name
        self.tenant = tenant
        self.trace_id = trace_id
        self.run_id = run_id
        self.parent_id = parent_id
        self.span_id = new_span_id()
        self.start_ns = time.time_ns()
        self.status: Literal["ok", "error", "waiting", "cancelled"] = "ok"
        self.attributes: dict[str, Any] = {}
        self._payload: Payload | None = None
        self._token: Token[Any] | None = None
        self.ended = False

    def set(self, **attributes: Any) -> None:
        """Add attributes; `None` values are left out. A double underscore stands for a dot."""
        held = self.attributes
        for key, value in attributes.items():
            if value is not None:
                held[_DOTTED[key]] = value

    def payload(self, **parts: Any) -> None:
        """Refer to what went in and what came out: `input`, `output`, `parameters`, together or one after the other."""
        held = self._payload or _NOTHING
        if not _PARTS.issuperset(parts):
            raise TypeError(f"a payload has {', '.join(Payload._fields)}; not {', '.join(parts)}")
        get = parts.get
        self._payload = new_row(Payload, (
            get("input", held.input), get("output", held.output), get("parameters", held.parameters),
        ))  # fmt: skip

    def fail(self, error: BaseException) -> None:
        """Mark it as failed by this error; its type, category and id are kept, not its text."""
        self.status = "error"
        self.set(
            error__type=type(error).__name__,
            segue__error_id=error_id_of(error),
            segue__error_category=getattr(error, "category", None),
        )

    def end(self) -> None:
        """Finish the span; a second call does nothing."""
        if self.ended:
            return
        self.ended = True
        now_ns = time.time_ns()
        end_ns = now_ns if now_ns > self.start_ns else self.start_ns
        self._tracer.record(new_row(SpanRow, (
            self.tenant, self.trace_id, self.span_id, self.parent_id, self.run_id, self.kind, self.name,
            self.start_ns, end_ns, self.status, self.attributes, self._payload,
        )))  # fmt: skip

    def adopt(
        self, *, span_id: str, parent_id: str, name: str, start_ns: int, end_ns: int, failed: bool,
        attributes: dict[str, Any],
    ) -> None:  # fmt: skip
        """Record a span of the program's own that began inside this one."""
        self._tracer.record(
            SpanRow(
                self.tenant, self.trace_id, span_id, parent_id, self.run_id, "span", name, start_ns, end_ns,
                "error" if failed else "ok", attributes,
            )
        )  # fmt: skip

    def __enter__(self) -> Span:
        bridge = self._tracer.bridge
        if bridge is not None and bridge.active and self.kind != "run":
            self._token = bridge.enter(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if self._token is not None and self._tracer.bridge is not None:
            self._tracer.bridge.leave(self._token)
        if error is not None and self.status == "ok":
            if kind is not None and kind.__name__ == "CancelledError":
                self.status = "cancelled"
            elif kind is not None and kind.__name__ in {"GraphInterrupt", "GraphBubbleUp", "ParentCommand"}:
                self.status = "waiting" if kind.__name__ == "GraphInterrupt" else "ok"
            else:
                self.fail(error)
        self.end()
