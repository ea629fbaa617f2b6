"""Our observations beside those that Langfuse's own SDK sends for the same things."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.tracing.otlp_sink import Collector, Received, collecting

from segue.tracing.delivery import Limits
from segue.tracing.otlp import OtlpExporter, langfuse_exporter
from segue.tracing.spans import Payload, SpanKind, SpanRow
from segue.tracing.tracer import About, Runs

ASKED = [{"role": "user", "content": "hi"}]
SAID = {"role": "assistant", "content": "yo"}
SDK = """
import sys
from datetime import UTC, datetime
from langfuse import Langfuse, propagate_attributes
lf = Langfuse(public_key="pk-lf-1", secret_key="sk-lf-2", base_url=sys.argv[1], environment="prod", release="r1")
made = dict(user_id="ann", session_id="t-1", tags=["a", "b"], metadata={"run_id": "run_1", "tenant": "acme"})
with propagate_attributes(trace_name="desk", **made):
    with lf.start_as_current_observation(name="desk", as_type="agent", input=[{"role": "user", "content": "hi"}]) as a:
        with lf.start_as_current_observation(
            name="support", as_type="generation", model="m-1", input=[{"role": "user", "content": "hi"}],
            model_parameters={"temperature": 0.5},
        ) as g:
            g.update(
                output={"role": "assistant", "content": "yo"}, cost_details={"total": 0.25},
                usage_details={"input": 5, "output": 2, "total": 10, "input_cached_tokens": 3},
                completion_start_time=datetime.fromtimestamp(1_700_000_000.5, UTC),
            )
        with lf.start_as_current_observation(name="look", as_type="tool", input={"n": 1}) as t:
            t.update(output="res", level="ERROR", status_message="LookupError")
        with lf.start_as_current_observation(name="check", as_type="guardrail"):
            pass
        with lf.start_as_current_observation(name="act", as_type="chain"):
            pass
        a.create_event(name="x -> y", metadata={"edge_reason": "because", "step": 3})
        a.update(output="done")
    lf.create_score(trace_id=a.trace_id, name="helpful", value=0.5, comment="why", observation_id=a.id)
lf.flush()
lf.shutdown()
"""
START = 1_700_000_000_000_000_000


@dataclass
class Both:
    """The same things, as the SDK and as we tell them."""

    sdk: Collector
    ours: Collector

    def pair(self, kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return _of(self.sdk.spans, kind), _of(self.ours.spans, kind)


def _of(spans: list[Received], kind: str) -> dict[str, Any]:
    [found] = [each.attributes for each in spans if each.attributes["langfuse.observation.type"] == kind]
    return found


def row(
    kind: SpanKind, name: str, span: int, payload: Payload | None = None, status: Any = "ok", **held: Any
) -> SpanRow:
    attributes = {key.replace("__", "."): value for key, value in held.items()}
    parent = "" if kind == "run" else f"{1:016x}"
    return SpanRow(
        "acme",
        "ab" * 16,
        f"{span:016x}",
        parent,
        "run_1",
        kind,
        name,
        START,
        START + 10**9,
        status,
        attributes,
        payload,
    )


ROWS = [
    row(
        "generation", "support", 2, Payload(ASKED, SAID, {"temperature": 0.5, "tool_choice": None}),
        gen_ai__response__model="m-1", gen_ai__usage__input_tokens=8, gen_ai__usage__output_tokens=2,
        gen_ai__usage__cache_read__input_tokens=3, segue__cost_usd=0.25, segue__first_token_s=0.5,
    ),
    row("tool", "look", 3, Payload({"n": 1}, "res"), "error", error__type="LookupError"),
    row("verdict", "check", 4), row("node", "act", 5),
    row("edge", "x -> y", 6, segue__edge__reason="because", segue__step=3),
    row("run", "desk", 1, Payload(ASKED, "done")),
]  # fmt: skip


def send(exporter: OtlpExporter) -> None:
    exporter.write(ROWS)
    assert exporter.flush()
    exporter.close()


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    with collecting("") as sdk, collecting("") as ours:
        subprocess.run([sys.executable, "-W", "ignore", "-c", SDK, sdk.url], check=True, timeout=60)
        runs = Runs()
        runs.put("run_1", About(agent="desk", thread_id="t-1", user="ann", tags=("a", "b")))
        limits = Limits(interval_s=0.01)
        send(
            langfuse_exporter(
                ours.url, "pk-lf-1", "sk-lf-2", runs=runs, environment="prod", release="r1", limits=limits
            )
        )
        yield Both(sdk, ours)


KINDS = ["agent", "generation", "tool", "guardrail", "chain", "event"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_observation_has_every_attribute_that_the_sdk_gives_it_with_the_same_value(both: Both, kind: str) -> None:
    theirs, ours = both.pair(kind)

    assert set(theirs) - set(ours) == set()
    assert {key: _decoded(value) for key, value in ours.items() if key in theirs} == {
        key: _decoded(value) for key, value in theirs.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_an_observation_has_no_langfuse_attribute_that_the_sdk_does_not_know(both: Both, kind: str) -> None:
    from langfuse._client.attributes import LangfuseOtelSpanAttributes

    _, ours = both.pair(kind)
    known = {value for name, value in vars(LangfuseOtelSpanAttributes).items() if name.isupper()}
    named = {key for key in ours if key.startswith("langfuse.") and ".metadata." not in key}

    assert named <= known | {"langfuse.trace.tags"}


def _decoded(value: Any) -> Any:
    """Metadata is JSON to the SDK, and plain text to everybody else."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def test_spans_go_where_the_sdk_sends_them_with_the_same_credentials(both: Both) -> None:
    wanted = (
        "authorization",
        "content-type",
        "content-encoding",
        "x-langfuse-public-key",
        "x-langfuse-ingestion-version",
    )

    assert both.ours.paths[0] == both.sdk.paths[0]
    assert {key: both.ours.headers[0][key] for key in wanted} == {key: both.sdk.headers[0][key] for key in wanted}


def test_root_levels_and_resource_are_as_the_sdk_has_them(both: Both) -> None:
    theirs = {span.name: (span.status, bool(span.parent_id)) for span in both.sdk.spans}
    ours = {span.name: (span.status, bool(span.parent_id)) for span in both.ours.spans}

    assert ours == theirs
    for key in ("langfuse.environment", "langfuse.release"):
        assert both.ours.resources[0][key] == both.sdk.resources[0][key]


@pytest.mark.parametrize(("source", "linked"), [("langfuse", True), ("", False)])
def test_a_generation_is_linked_to_its_prompt_where_langfuse_has_it(source: str, linked: bool) -> None:
    from segue.tracing import langfuse

    asked = row(
        "generation", "g", 2,
        segue__prompt__name="greeting", segue__prompt__version="3", segue__prompt__source=source,
    )  # fmt: skip
    told = langfuse.attributes(asked, None)

    assert (told.get("langfuse.observation.prompt.name") == "greeting") is linked
    assert (told.get("langfuse.observation.prompt.version") == 3) is linked
    assert told["langfuse.observation.metadata.prompt_name"] == "greeting"


def test_genai_names_are_those_of_the_pinned_version() -> None:
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
    from opentelemetry.semconv.schemas import Schemas

    from segue.tracing import genai

    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_") and name.isupper()}
    about = About(agent="desk", thread_id="t", user="u")
    used = {key for each in ROWS for key in {**genai.attributes(each, about), **genai.content(each)}}

    assert {key for key in used if key.startswith("gen_ai.")} <= known
    assert {"gen_ai.input.messages", "gen_ai.tool.call.arguments", "gen_ai.agent.name"} <= used
    assert Schemas.V1_44_0.value == genai.SCHEMA_URL


def test_a_score_goes_where_the_sdk_sends_it_in_the_same_shape(both: Both) -> None:
    from segue.tracing.scores import Scores

    [theirs] = [
        json.loads(body)[0] for path, body in zip(both.sdk.paths, both.sdk.bodies, strict=True) if "scores" in path
    ]
    with collecting("") as collector:
        scores = Scores(collector.url, "pk-lf-1", "sk-lf-2", environment="prod", limits=Limits(interval_s=0.01))
        scores.post_score("ab" * 16, "helpful", 0.5, comment="why", observation_id="cd" * 8)
        assert scores.flush()
        scores.close()
        [ours] = json.loads(collector.bodies[0])

    assert collector.paths == ["/api/public/scores"]
    assert set(theirs) - set(ours) == set()
    assert {key: ours[key] for key in ("name", "value", "comment", "environment")} == {
        key: theirs[key] for key in ("name", "value", "comment", "environment")
    }
