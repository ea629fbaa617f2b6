"""Collectors that are dead, slow, or refuse: neither the run, nor the local store, nor another collector notices."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from tests.tracing.otlp_sink import collecting

from segue import Agent, ConfigError, Workspace
from segue.testing import ScriptedModel
from segue.tracing import Tracer, TraceStore
from segue.tracing.delivery import Limits
from segue.tracing.otlp import OtlpExporter
from segue.tracing.spans import Payload, SpanRow, new_span_id, new_trace_id

QUICK = Limits(interval_s=0.01, deadline_s=0.2, first_pause_s=0.001, pause_s=0.01)


def row(name: str = "n", payload: Payload | None = None) -> SpanRow:
    return SpanRow("acme", new_trace_id(), new_span_id(), "", "r", "node", name, 1, 2, "ok", {}, payload)


@contextmanager
def nobody() -> Iterator[str]:
    """The URL of a port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1/traces"


@contextmanager
def deaf() -> Iterator[str]:
    """The URL of a port that accepts, and never says a word."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(64)
        yield f"http://127.0.0.1:{held.getsockname()[1]}/v1/traces"


async def test_a_run_ends_as_ever_while_its_collector_hangs_and_the_local_store_has_its_trace(tmp_path: Path) -> None:
    with collecting() as slow, collecting() as good:
        slow.hang.clear()
        (tmp_path / "segue.toml").write_text(
            f'[tracing.otlp.slow]\nendpoint = "{slow.url}"\n[tracing.otlp.good]\nendpoint = "{good.url}"\n'
        )
        async with Workspace.open(tmp_path) as ws:
            run = await ws.run(Agent("a", model=ScriptedModel(["yes"])), "go")
            [root] = await ws.trace(run.id)
            assert good.arrived.wait(10)
            assert run.output == "yes"
            assert len(list(root.walk())) == 4
            assert slow.spans == []
            slow.hang.set()
        assert len(slow.spans) == len(good.spans) == 4


@pytest.mark.parametrize("status", [401, 403, 400, 302, 413])
def test_a_refusal_is_not_tried_again_is_counted_and_said_once(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector:
        collector.always = status
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        for _ in range(3):
            exporter.write([row(), row()])
            assert exporter.flush()
        said = [record for record in caplog.records if "does not take" in record.getMessage()]

        assert exporter.dropped == 6
        assert len(collector.bodies) == 3
        assert [record.levelno for record in said] == [logging.WARNING]
        assert f"there does not take what it is sent ({status}" in said[0].getMessage()
        exporter.close()


@pytest.mark.parametrize("failures", [[500], [429, 503], [502, 500, 408]])
def test_what_fails_for_a_while_is_sent_again_until_it_is_taken(failures: list[int]) -> None:
    with collecting() as collector:
        collector.answers, collector.retry_after = list(failures), "0.001"
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        exporter.write([row("one"), row("two")])
        assert exporter.flush()

        assert [each.name for each in collector.spans] == ["one", "two"]
        assert (exporter.delivery.sent, exporter.dropped) == (2, 0)
        assert len(collector.bodies) == len(failures) + 1
        exporter.close()


def test_what_keeps_failing_is_dropped_after_a_bounded_number_of_attempts() -> None:
    with collecting() as collector:
        collector.always = 500
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        exporter.write([row()])
        assert exporter.flush()

        assert len(collector.bodies) == QUICK.attempts
        assert exporter.dropped == 1
        exporter.close()


@pytest.mark.parametrize("somebody", [nobody, deaf])
def test_a_dead_or_deaf_collector_costs_its_spans_and_bounded_time(somebody: Any) -> None:
    with somebody() as url:
        exporter = OtlpExporter("gone", url, limits=QUICK)
        exporter.write([row() for _ in range(10)])
        assert exporter.flush()

        assert exporter.dropped == 10
        exporter.close()


def test_memory_is_bounded_while_nothing_is_taken() -> None:
    with deaf() as url:
        limits = Limits(items=100, weight=50_000_000, batch=10, deadline_s=5)
        exporter = OtlpExporter("deaf", url, limits=limits)
        exporter.write([row() for _ in range(5_000)])
        many = exporter.delivery.waiting
        exporter.begin_close(time.monotonic())
        exporter.close()

        assert 100 <= many <= 110
        assert exporter.dropped == 5_000


def test_large_payloads_count_by_their_size_not_by_their_number() -> None:
    with deaf() as url:
        exporter = OtlpExporter("deaf", url, limits=Limits(weight=10_000_000, batch=10_000, interval_s=60))
        exporter.write([row(payload=Payload({"text": "x" * 1_000_000})) for _ in range(50)])

        assert exporter.delivery.waiting == 9
        assert exporter.dropped == 41
        exporter.begin_close(time.monotonic())
        exporter.close()


def test_closing_takes_no_longer_than_it_may_however_many_collectors_hang(tmp_path: Path) -> None:
    with deaf() as one, deaf() as two:
        exporters = [OtlpExporter(name, url) for name, url in (("one", one), ("two", two))]
        store = TraceStore(tmp_path / "t.db")
        tracer = Tracer([*exporters, store])
        tracer.record(row())
        began = time.monotonic()
        tracer.close(0.3)
        took = time.monotonic() - began

        assert took < 2.0
        assert [each.dropped for each in exporters] == [1, 1]


def test_what_waits_is_sent_when_the_tracer_closes() -> None:
    with collecting() as collector:
        tracer = Tracer([OtlpExporter("there", collector.url, limits=Limits(interval_s=60))], interval_s=60)
        for _ in range(2_000):
            tracer.record(row())
        tracer.close()

        assert len(collector.spans) == 2_000
        assert tracer.dropped == 0


def test_spans_that_a_collector_says_it_rejected_are_counted() -> None:
    with collecting() as collector:
        said = ExportTraceServiceResponse(partial_success=ExportTracePartialSuccess(rejected_spans=2))
        collector.answer_body = said.SerializeToString()
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        exporter.write([row(), row(), row()])
        assert exporter.flush()

        assert (exporter.delivery.sent, exporter.dropped) == (1, 2)
        exporter.close()


def test_one_span_that_cannot_be_encoded_does_not_cost_the_others() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with collecting() as collector:
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        exporter.write([row("a"), row("b", Payload(Odd())), row("half \ud800"), row("c", Payload({1: 2**70}))])
        assert exporter.flush()

        assert [each.name for each in collector.spans] == ["a", "half ?", "c"]
        assert exporter.dropped == 1
        exporter.close()


def test_a_large_batch_is_sent_in_several_posts() -> None:
    with collecting() as collector:
        exporter = OtlpExporter("there", collector.url, limits=QUICK)
        exporter.write([row(str(index), Payload("word " * 30_000)) for index in range(60)])
        assert exporter.flush()

        assert [each.name for each in collector.spans] == [str(index) for index in range(60)]
        assert len(collector.bodies) >= 3
        assert max(map(len, collector.bodies)) < 4_500_000
        exporter.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tracing]\notlp_endpoint = "collector:4318"\n', "this is a URL such as http://localhost:4318/v1/traces"),
        ('[tracing]\notlp_headers = { Authorization = "Bearer abc" }\n', "the header Authorization holds a secret"),
        ('[langfuse]\nsecret_key = "sk-lf-1"\n', 'a key is a reference: "env:NAME"'),
        ('[redaction]\ntraces = ["pii"]\n', "secrets are redacted everywhere"),
        ('[redaction]\nlangfuse = ["names"]\n', "Input should be 'secrets' or 'pii'"),
        ("[langfuse]\nenabled = true\n", "LANGFUSE_PUBLIC_KEY, which is not set"),
        ('[tracing.otlp.x]\nendpoint = "http://h/v1"\nheaders = { x-key = "env:GONE" }\n', "GONE, which is not set"),
    ],
)
async def test_a_setting_that_does_not_fit_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "segue.toml").write_text(text)

    with pytest.raises(ConfigError) as caught:
        await Workspace.open(tmp_path).ensure_open()
    assert said in str(caught.value)
    assert "sk-lf-1" not in str(caught.value)


async def test_one_langfuse_key_without_the_other_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-1")

    with pytest.raises(ConfigError, match=r"LANGFUSE_SECRET_KEY, which is not set\. Set both keys"):
        await Workspace.open(tmp_path).ensure_open()
