"""A run for rails to look at: a context whose spans are kept in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from segue.context.run import RunContext, Services
from segue.tracing.spans import SpanRow
from segue.tracing.tracer import Tracer


class Spans:
    def __init__(self) -> None:
        self.rows: list[SpanRow] = []
        self.tracer = Tracer([self], interval_s=0.01)

    def write(self, rows: Sequence[SpanRow]) -> None:
        self.rows += rows

    def close(self) -> None:
        pass

    def read(self) -> list[SpanRow]:
        assert self.tracer.flush()
        return self.rows


@pytest.fixture
def spans() -> Any:
    kept = Spans()
    yield kept
    kept.tracer.close()


@pytest.fixture
def ctx(spans: Spans) -> RunContext[Any]:
    none: Any = None
    services = Services(router=none, tracer=spans.tracer, artefacts=none)
    return RunContext(run_id="run-1", thread_id="t-1", trace_id="ab" * 16, span_id="cd" * 8, services=services)
