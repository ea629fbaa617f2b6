"""OTLP over HTTP: finished spans in, gzipped protobuf posts out.

An exporter is a sink that never waits: it takes rows into the queue of its `Delivery`, whose thread redacts, encodes
and sends them. What a span says is decided by a `describe` function: GenAI's names (`segue.tracing.genai`) or
Langfuse's (`segue.tracing.langfuse`).
"""

from __future__ import annotations

import gzip
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from segue._version import __version__
from segue.tracing import genai, langfuse
from segue.tracing.delivery import Delivery, Limits, Post
from segue.tracing.otlp_values import pairs, plain_text
from segue.tracing.post import Answer
from segue.tracing.redaction import Redaction, Redactor
from segue.tracing.spans import Payload, SpanRow
from segue.tracing.tracer import About, Runs
from segue.tracing.weight import weight

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan

Described = tuple[str, dict[str, Any]]
Describe = Callable[[SpanRow, About | None], Described]
"""The name and the attributes of a redacted span."""
_OWN_KEYS = frozenset({"labels", "atoms", "tokens"})
"""Of messages: the run's own bookkeeping, which is no part of what was said."""
_REMEMBERED = 512
"""Messages whose redacted form is kept: each generation is given all that came before it again."""
_MOST_REMEMBERED_TOKENS = 4_000
"""Of such a message."""
_MOST_BYTES = 3_000_000
"""Of one post, before it is compressed; Langfuse takes 4.5 MB."""
_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", "User-Agent": f"segue/{__version__}"}


def describe_genai(row: SpanRow, about: About | None, *, content: bool = True) -> Described:
    """By OpenTelemetry's GenAI conventions."""
    return genai.span_name(row), genai.attributes(row, about) | (genai.content(row) if content else {})


def describe_langfuse(
    row: SpanRow, about: About | None, *, environment: str = "", release: str = "", content: bool = True
) -> Described:
    """As Langfuse reads it."""
    shown = row if content else row._replace(payload=None)
    return row.name, langfuse.attributes(shown, about, environment=environment, release=release)


class OtlpExporter:
    """A sink that sends spans to one OTLP endpoint.

    Args:
        name: What the log and the metrics call the destination.
        url: The whole URL, `…/v1/traces`.
        headers: With each post; credentials among them.
        runs: Where thread, user and tags of a run are found.
        redact: What takes out of every text what must not leave; `None` takes secrets and personal data.
        describe: What a span says.
        resource: What holds for all spans: `service.name` and others.
        limits: How much may wait, and how long is tried.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        runs: Runs | None = None,
        redact: Redactor | None = None,
        describe: Describe = describe_genai,
        resource: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = name
        self._runs = runs or Runs()
        self._redaction = Redaction(redact)
        self._describe = describe
        self._messages: OrderedDict[str, tuple[dict[str, Any], Any]] = OrderedDict()
        self._resource = {"service.name": "segue", "service.version": __version__, "telemetry.sdk.name": "segue",
                          "telemetry.sdk.language": "python", "telemetry.sdk.version": __version__,
                          **(resource or {})}  # fmt: skip
        self.delivery: Delivery[tuple[SpanRow, About | None]] = Delivery(
            name, url, {**_HEADERS, **(headers or {})}, self._pack, accepted=_accepted, limits=limits
        )

    @property
    def dropped(self) -> int:
        """Spans that were not delivered."""
        return self.delivery.dropped

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Queue a batch; never waits."""
        for row in rows:
            self.delivery.put((row, self._runs.get(row.run_id)), 1_000 + weight(row.payload))

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was written is sent or dropped; false where that took longer."""
        return self.delivery.flush(timeout_s)

    def begin_close(self, deadline: float) -> None:
        """Take no more; what waits is sent until `deadline`, monotonic seconds."""
        self.delivery.begin_close(deadline)

    def close(self) -> None:
        """Send what waits, for five seconds at most, and drop the rest."""
        self.delivery.close()

    def encode(self, row: SpanRow, about: About | None) -> ProtoSpan:
        """One span, redacted, as OTLP has it."""
        from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
        from opentelemetry.proto.trace.v1.trace_pb2 import Status

        seen = self._redacted(row)
        name, attributes = self._describe(seen, self._about(about))
        failed = row.status == "error"
        return ProtoSpan(
            trace_id=bytes.fromhex(row.trace_id),
            span_id=bytes.fromhex(row.span_id),
            parent_span_id=bytes.fromhex(row.parent_id),
            name=plain_text(name),
            kind=ProtoSpan.SPAN_KIND_CLIENT if row.kind == "generation" else ProtoSpan.SPAN_KIND_INTERNAL,
            start_time_unix_nano=row.start_ns,
            end_time_unix_nano=row.end_ns,
            attributes=list(pairs(attributes)),
            status=Status(
                code=Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET,
                message=plain_text(str(seen.attributes.get("error.type", ""))) if failed else "",
            ),
            flags=0x100,
        )

    def _redacted(self, row: SpanRow) -> SpanRow:
        seen = self._redaction
        payload = row.payload
        if payload is not None:
            payload = Payload(*(self._part(part) for part in payload))
        return row._replace(name=seen.text(row.name), attributes=seen.data(row.attributes), payload=payload)

    def _part(self, value: Any) -> Any:
        """A part of a payload, redacted; messages without the run's own bookkeeping."""
        if isinstance(value, list):
            return [self._part(each) for each in value]
        if not (isinstance(value, dict) and "role" in value and "content" in value):
            return self._redaction.data(value)
        known = self._messages.get(value.get("id", ""))
        if known is not None and known[0] is value:
            return known[1]
        said = self._redaction.data({key: held for key, held in value.items() if key not in _OWN_KEYS})
        if "id" in value and value.get("tokens", _MOST_REMEMBERED_TOKENS) < _MOST_REMEMBERED_TOKENS:
            self._messages[value["id"]] = (value, said)
            if len(self._messages) > _REMEMBERED:
                self._messages.popitem(last=False)
        return said

    def _about(self, about: About | None) -> About | None:
        if about is None:
            return None
        text = self._redaction.text
        return About(
            agent=text(about.agent), thread_id=text(about.thread_id), user=text(about.user),
            tags=tuple(map(text, about.tags)),
        )  # fmt: skip

    def _pack(self, items: Sequence[tuple[SpanRow, About | None]]) -> Iterator[Post]:
        held: list[ProtoSpan] = []
        size = broken = 0
        for index, (row, about) in enumerate(items):
            if index % 16 == 15:
                time.sleep(0.0005)  # a run in this process goes on meanwhile
            try:
                span = self.encode(row, about)
            except Exception:  # one odd span must not cost the others
                broken += 1
                continue
            size += span.ByteSize()
            held.append(span)
            if size > _MOST_BYTES:
                yield self._post(held)
                held, size = [], 0
        if held:
            yield self._post(held)
        if broken:
            raise ValueError(f"{broken} spans cannot be encoded")

    def _post(self, spans: list[ProtoSpan]) -> Post:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        body = ExportTraceServiceRequest(resource_spans=[self._wrapped(spans)]).SerializeToString()
        return Post(body=gzip.compress(body, compresslevel=3), items=len(spans))

    def _wrapped(self, spans: list[ProtoSpan]) -> ResourceSpans:
        from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
        from opentelemetry.proto.resource.v1.resource_pb2 import Resource
        from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

        scope = ScopeSpans(
            scope=InstrumentationScope(name="segue", version=__version__), spans=spans, schema_url=genai.SCHEMA_URL
        )
        return ResourceSpans(resource=Resource(attributes=list(pairs(self._resource))), scope_spans=[scope])


def langfuse_exporter(
    host: str,
    public_key: str,
    secret_key: str,
    *,
    runs: Runs | None = None,
    redact: Redactor | None = None,
    environment: str = "",
    release: str = "",
    content: bool = True,
    limits: Limits | None = None,
) -> OtlpExporter:
    """The exporter to a Langfuse project."""
    resource = {"langfuse.environment": environment, "langfuse.release": release}
    return OtlpExporter(
        "langfuse",
        host.rstrip("/") + langfuse.TRACES_PATH,
        headers=langfuse.credentials(public_key, secret_key),
        runs=runs,
        redact=redact,
        describe=partial(describe_langfuse, environment=environment, release=release, content=content),
        resource={key: value for key, value in resource.items() if value},
        limits=limits,
    )


def _accepted(post: Post, answer: Answer) -> int:
    """The spans of a batch that the collector took: it may say that it rejected some."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        said = ExportTraceServiceResponse.FromString(answer.body)
    except Exception:
        return post.items
    return post.items - min(post.items, max(0, int(said.partial_success.rejected_spans)))
