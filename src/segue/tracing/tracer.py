"""The tracer: spans in, batches out, off the event loop.

Recording is an append to a bounded ring. One daemon thread empties it into the sinks; a sink that raises loses
its batch, which is counted, and never reaches the run. A sink that speaks to a network takes its batches into a queue
of its own (`segue.tracing.delivery`), so that none waits for another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from segue.tracing.bridge import Bridge
from segue.tracing.spans import Span, SpanKind, SpanRow

_log = logging.getLogger("segue.tracing")


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What holds for all spans of a run. Exporters put it on each of them."""

    agent: str
    thread_id: str
    user: str = ""
    tags: tuple[str, ...] = ()


class Sink(Protocol):
    """Where batches of finished spans go. Called from the tracer's thread only."""

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Take one batch."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Runs:
    """What is known about the newest runs, by their id. Safe from any thread."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._held: OrderedDict[str, About] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, run_id: str, about: About) -> None:
        """Remember it; the oldest is forgotten where there are too many."""
        with self._lock:
            self._held[run_id] = about
            self._held.move_to_end(run_id)
            if len(self._held) > self._capacity:
                self._held.popitem(last=False)

    def get(self, run_id: str) -> About | None:
        """What is known; `None` where nothing is."""
        return self._held.get(run_id)


class Tracer:
    """Records spans. Safe to use from any thread and any event loop."""

    def __init__(self, sinks: Sequence[Sink] = (), *, capacity: int = 65_536, interval_s: float = 0.2) -> None:
        self.sinks = list(sinks)
        self.runs = Runs()
        self.bridge: Bridge | None = None
        """To the program's OpenTelemetry; `None` for none."""
        self.capacity = capacity
        self.dropped = 0
        """Spans lost because the ring was full or a sink refused them."""
        self._interval_s = interval_s
        self._ring: deque[SpanRow] = deque()
        self._wake = threading.Event()
        self._idle = threading.Condition()
        self._writing = False
        self._closed = False
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def start(self, kind: SpanKind, name: str, *, tenant: str, trace_id: str, run_id: str, parent_id: str = "") -> Span:
        """Open a span; end it, or use it as a context manager."""
        if kind == "run" and self.bridge is not None:
            self.bridge.look()
        return Span(self, kind, name, tenant=tenant, trace_id=trace_id, run_id=run_id, parent_id=parent_id)

    @property
    def bridged(self) -> bool:
        """Whether spans of the program's own code may nest in ours."""
        return self.bridge is not None and self.bridge.active

    @property
    def waiting(self) -> int:
        """Spans in the ring."""
        return len(self._ring)

    def record(self, row: SpanRow) -> None:
        """Take a finished span. Never blocks; drops and counts when the ring is full."""
        if not self.sinks or self._closed:
            return
        if len(self._ring) >= self.capacity:
            self.dropped += 1
            return
        self._ring.append(row)
        if self._thread is None:
            self._start()

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was recorded before is in the sinks; false when that took longer than `timeout_s`."""
        if self._thread is None:
            return True
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(lambda: not self._ring and not self._writing, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Flush, stop the thread and close the sinks; those that send share one `timeout_s`, side by side."""
        if self._closed:
            return
        deadline = time.monotonic() + timeout_s
        self.flush(timeout_s)
        self._closed = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(max(0.1, deadline - time.monotonic()))
        for sink in self.sinks:
            if begin := getattr(sink, "begin_close", None):
                begin(deadline)
        for sink in self.sinks:
            sink.close()
        if self.dropped:
            _log.warning("%d spans were dropped", self.dropped)

    def _start(self) -> None:
        with self._starting:  # two that empty the ring would take from each other
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="segue-tracer", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while not self._closed:
            self._wake.wait(self._interval_s)
            self._wake.clear()
            self._drain()
            for sink in self.sinks:
                if tick := getattr(sink, "tick", None):
                    self._told(tick)

    def _told(self, tick: Callable[[], None]) -> None:
        try:
            tick()
        except Exception:
            _log.warning("a trace sink failed", exc_info=True)

    def _drain(self) -> None:
        while self._ring:
            self._writing = True
            batch = [self._ring.popleft() for _ in range(min(len(self._ring), 1024))]
            for sink in self.sinks:
                try:
                    sink.write(batch)
                except Exception:
                    self.dropped += len(batch)
                    _log.warning("a trace sink failed; %d spans lost", len(batch), exc_info=True)
        with self._idle:
            self._writing = False
            self._idle.notify_all()
