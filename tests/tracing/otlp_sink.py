"""A collector for tests: speaks OTLP over HTTP as it is on the wire, keeps what it was sent, and fails when told to."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue


@dataclass
class Received:
    """One span, decoded."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    status: int
    attributes: dict[str, Any]


@dataclass
class Collector:
    """What came in, and how to answer."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """Decompressed."""
    resources: list[dict[str, Any]] = field(default_factory=list)
    schema_urls: set[str] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)
    """Statuses for the next requests; then 200."""
    always: int = 200
    answer_body: bytes = b""
    retry_after: str = ""
    hang: threading.Event = field(default_factory=threading.Event)
    """Cleared: requests are not answered until it is set."""
    arrived: threading.Event = field(default_factory=threading.Event)
    spans: list[Received] = field(default_factory=list)

    def named(self, name: str) -> list[Received]:
        return [span for span in self.spans if span.name == name]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        plain = gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body
        self.paths.append(path)
        self.headers.append(headers)
        self.bodies.append(plain)
        self.arrived.set()
        self.hang.wait(30)
        status = self.answers.pop(0) if self.answers else self.always
        if status == 200 and path.endswith("/traces"):
            self._decode(plain)
        return status

    def _decode(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({each.key: value_of(each.value) for each in resource.resource.attributes})
            for scope in resource.scope_spans:
                self.schema_urls.add(scope.schema_url)
                self.spans += [
                    Received(
                        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name,
                        span.start_time_unix_nano, span.end_time_unix_nano, span.status.code,
                        {each.key: value_of(each.value) for each in span.attributes},
                    )
                    for span in scope.spans
                ]  # fmt: skip


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    return getattr(value, str(kind)) if kind else None


def _handler(collector: Collector) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = collector.take(self.path, {key.lower(): held for key, held in self.headers.items()}, body)
            try:
                self.send_response(status)
                if collector.retry_after:
                    self.send_header("Retry-After", collector.retry_after)
                self.send_header("Content-Length", str(len(collector.answer_body)))
                self.end_headers()
                self.wfile.write(collector.answer_body)
            except OSError:
                pass  # whoever asked is gone

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def collecting(path: str = "/v1/traces") -> Iterator[Collector]:
    """A collector that listens on loopback."""
    collector = Collector()
    collector.hang.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(collector))
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.hang.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
