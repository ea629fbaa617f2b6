"""Runs over HTTP: begun, watched, joined, answered, cancelled, forked, and what is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from tests.server.conftest import Serve, events

from segue import Agent, Workspace, tool
from segue.base.messages import assistant
from segue.router.deployment import Deployment
from segue.router.types import GenerationRequest, OnDelta, Reply, TextDelta
from segue.testing import ScriptedModel, call


async def test_a_run_is_accepted_and_ends_with_an_answer(serve: Serve) -> None:
    client = (await serve()).client()

    accepted = await client.post("/api/v1/runs", json={"agent": "desk", "input": "hello"})
    joined = await client.get(f"{accepted.headers['location']}/join")

    assert accepted.status_code == 202
    assert (joined.json()["status"], joined.json()["output"]) == ("completed", "Good morning to you.")


async def test_a_stream_gives_every_event_numbered_and_the_text_as_it_comes(serve: Serve) -> None:
    client = (await serve()).client()

    async with client.stream("POST", "/api/v1/runs/stream", json={"agent": "desk", "input": "hello"}) as response:
        told = [each async for each in events(response)]

    durable = [each for each in told if each.id]
    assert [int(each.id) for each in durable] == list(range(1, len(durable) + 1))
    assert "".join(each.data["text"] for each in told if each.type == "text_added") == "Good morning to you."
    assert (told[0].type, told[-1].type) == ("run_started", "run_finished")


async def test_who_comes_late_reads_every_durable_event_and_who_comes_back_only_the_rest(serve: Serve) -> None:
    client = (await serve()).client()
    run = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello"})).json()
    place = f"/api/v1/runs/{run['id']}/events"

    async with client.stream("GET", place) as response:
        everything = [each async for each in events(response)]
    async with client.stream("GET", place, headers={"Last-Event-ID": "2"}) as response:
        rest = [each async for each in events(response)]
    listed = (await client.get(f"/api/v1/runs/{run['id']}/log", params={"after": 2})).json()["events"]

    assert everything[-1].type == "run_finished"
    assert [each.type for each in rest] == ["text_reset", *(each.type for each in everything[2:])]
    assert [each["id"] for each in listed] == [int(each.id) for each in everything[2:]]


async def test_what_a_model_is_saying_is_given_to_who_comes_late_and_then_goes_on(serve: Serve) -> None:
    going, go_on = asyncio.Event(), asyncio.Event()

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        going.set()
        await go_on.wait()
        return "seen"

    slow = Agent("slow", model=ScriptedModel([call("look"), "It is there."]), tools=[look])
    client = (await serve([slow])).client()
    run = (await client.post("/api/v1/runs", json={"agent": "slow", "input": "look"})).json()
    await going.wait()

    async with client.stream("GET", f"/api/v1/runs/{run['id']}/events") as response:
        told = []
        async for each in events(response):
            told.append(each)
            if each.type == "tool_called":
                go_on.set()

    assert [int(each.id) for each in told if each.id] == list(range(1, len([each for each in told if each.id]) + 1))
    assert "".join(each.data["text"] for each in told if each.type == "text_added") == "It is there."


class Halting(Deployment):
    """Says half of its answer, and the rest when it may."""

    engine = "scripted"
    name = model = "halting"

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        assert on_delta is not None
        on_delta(TextDelta("It is "))
        await self.go_on.wait()
        on_delta(TextDelta("there."))
        return Reply(message=assistant("It is there."), model=self.model)


async def test_who_comes_back_in_the_middle_of_an_answer_gets_its_text_anew_behind_a_reset(serve: Serve) -> None:
    model = Halting()
    client = (await serve([Agent("slow", model=model)])).client()
    async with client.stream("POST", "/api/v1/runs/stream", json={"agent": "slow", "input": "where?"}) as response:
        place, last = response.headers["location"], ""
        async for each in events(response):
            last = each.id or last
            if each.type == "text_added":
                break

    async with client.stream("GET", f"{place}/events", headers={"Last-Event-ID": last}) as response:
        told = []
        async for each in events(response):
            told.append(each)
            if each.type == "text_added":
                model.go_on.set()

    assert [each.type for each in told[:2]] == ["text_reset", "text_added"]
    assert [each.data["text"] for each in told if each.type == "text_added"] == ["It is ", "there."]
    assert int(next(each.id for each in told if each.id)) == int(last) + 1


async def test_an_approval_is_listed_answered_once_and_the_run_goes_on(serve: Serve) -> None:
    client = (await serve()).client()
    run = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "refund it"})).json()
    (asked,) = (await client.get("/api/v1/interrupts")).json()["interrupts"]
    place = f"/api/v1/interrupts/{asked['id']}/answer"

    clicks = await asyncio.gather(*(client.post(place, json={"type": "approve"}) for _ in range(2)))
    ended = (await client.get(f"/api/v1/runs/{run['id']}/join")).json()
    late = await client.post(place, json={"type": "approve"})

    assert (run["status"], asked["tool"], asked["arguments"]) == ("waiting", "refund", {"order_id": 1042})
    assert sum(each.status_code == 202 for each in clicks) == 1
    assert all(each.status_code in (202, 404, 409) for each in clicks)
    assert (ended["status"], ended["output"], late.status_code) == ("completed", "It is refunded.", 404)


async def test_a_cancelled_run_stops_and_its_thread_takes_the_next_one(serve: Serve) -> None:
    started = asyncio.Event()

    @tool(effect="read")
    async def wait() -> str:
        """Wait without end."""
        started.set()
        await asyncio.Event().wait()
        return ""

    agent = Agent("courier", model=ScriptedModel([call("wait"), "Then not."]), tools=[wait])
    client = (await serve([agent])).client()
    run = (await client.post("/api/v1/runs", json={"agent": "courier", "input": "go", "thread_id": "t"})).json()
    await started.wait()

    stopped = (await client.post(f"/api/v1/runs/{run['id']}/cancel")).json()
    again = await client.post("/api/v1/runs/wait", json={"agent": "courier", "input": "leave it", "thread_id": "t"})

    assert (stopped["status"], stopped["stop_reason"]) == ("stopped", "cancelled")
    assert again.json()["output"] == "Then not."


async def test_a_thread_is_read_forked_and_deleted(serve: Serve) -> None:
    client = (await serve()).client()
    await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello", "thread_id": "t"})
    newest = (await client.get("/api/v1/threads/t/checkpoints")).json()["checkpoints"][0]

    fork = await client.post("/api/v1/threads/t/fork", json={"checkpoint_id": newest["id"], "input": "hello"})
    ended = (await client.get(f"/api/v1/runs/{fork.json()['id']}/join")).json()
    messages = (await client.get("/api/v1/threads/t/messages")).json()["messages"]
    state = (await client.get("/api/v1/threads/t/state")).json()
    deleted = await client.delete("/api/v1/threads/t")
    gone = await client.get("/api/v1/threads/t")

    assert ended["forked_from"]["checkpoint_id"] == newest["id"]
    assert [each["role"] for each in messages] == ["user", "assistant"] * 2
    assert len(state["values"]["messages"]) == 4
    assert (deleted.status_code, gone.status_code) == (204, 404)
    assert (await client.get(f"/api/v1/runs/{fork.json()['id']}")).status_code == 404


async def test_the_trace_and_feedback_of_a_run_are_there(serve: Serve) -> None:
    client = (await serve()).client()
    run = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello"})).json()

    trace = (await client.get(f"/api/v1/runs/{run['id']}/trace")).json()
    given = await client.post(f"/api/v1/runs/{run['id']}/feedback", json={"value": True, "comment": "kind"})
    listed = (await client.get(f"/api/v1/runs/{run['id']}/feedback")).json()["feedback"]
    found = (await client.get("/api/v1/traces", params={"q": "HELLO", "agent": "desk"})).json()["runs"]

    assert (trace["trace_id"], trace["spans"][0]["kind"]) == (run["trace_id"], "run")
    assert (given.status_code, listed[0]["comment"], listed[0]["value"]) == (201, "kind", True)
    assert [each["id"] for each in found] == [run["id"]]


async def test_agents_are_described_and_drawn(serve: Serve) -> None:
    client = (await serve()).client()

    (agent,) = (await client.get("/api/v1/agents")).json()["agents"]
    graph = (await client.get("/api/v1/agents/desk/graph")).json()

    assert (agent["name"], agent["kind"]) == ("desk", "agent")
    assert {"generate", "act"} <= {each["id"] for each in graph["nodes"]}
    assert "generate" in graph["mermaid"]


async def refused(response: httpx.Response, status: int, type_: str) -> None:
    body = response.json()["error"]
    assert (response.status_code, body["type"]) == (status, type_)
    assert set(body) == {"type", "message", "way_out", "error_id"}
    assert "Traceback" not in response.text


async def test_what_is_wrong_is_refused_in_one_shape(serve: Serve) -> None:
    served = await serve(max_body_bytes=2_000)
    client = served.client()
    done = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello"})).json()

    await refused(await client.post("/api/v1/runs", json={"agent": "nobody", "input": "x"}), 404, "not_there")
    await refused(await client.get("/api/v1/runs/run_none"), 404, "not_there")
    await refused(await client.get("/api/v1/nothing"), 404, "not_there")
    await refused(await client.post("/api/v1/runs", content=b"{"), 422, "invalid")
    await refused(await client.post("/api/v1/runs", json={"agent": "desk"}), 422, "invalid")
    await refused(await client.post("/api/v1/runs", json={"agent": "desk", "input": "x" * 3_000}), 413, "too_large")
    streamed = (b"x" * 1_000 for _ in range(5))
    headers = {"Content-Type": "application/json"}
    await refused(await client.post("/api/v1/runs", content=_async(streamed), headers=headers), 413, "too_large")
    await refused(await client.post(f"/api/v1/runs/{done['id']}/resume", json={}), 409, "not_now")
    surrogate = b'{"agent": "desk", "input": "\\ud800"}'
    await refused(await client.post("/api/v1/runs", content=surrogate, headers=headers), 422, "invalid")


async def _async(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for each in chunks:
        yield each


@pytest.mark.parametrize("instrumented", [False, True])
@pytest.mark.parametrize("taken", [True, False])
async def test_a_client_s_traceparent_is_the_parent_of_its_run_where_the_settings_take_it(
    serve: Serve, taken: bool, instrumented: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if instrumented:  # the web framework's own span follows the client's header then
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider())
    served = await serve(traceparent=taken)
    header = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}

    asked = {"agent": "desk", "input": "hello"}
    run = (await served.client().post("/api/v1/runs/wait", json=asked, headers=header)).json()

    record = served.server.ws.get(run["id"]).record
    assert (record.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736") is taken
    assert record.parent_span_id == ("00f067aa0ba902b7" if taken else "")


async def test_a_server_looks_at_the_alert_rules_by_itself(serve: Serve, tmp_path: Path) -> None:
    rule = '[alerts.failures]\nmetric = "error_rate"\nabove = 0.5\nleast = 1\n'
    (tmp_path / "segue.toml").write_text(rule)
    async with Workspace.open(tmp_path) as ws:
        await ws.run(Agent("broken", model="nowhere"), "?")
    told = asyncio.Queue[str]()

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.put_nowait(record.getMessage())

    heard = Heard()
    logging.getLogger("segue.notify").addHandler(heard)
    try:
        await serve()
        async with asyncio.timeout(20):
            while "alert failures fires" not in await told.get():
                pass
    finally:
        logging.getLogger("segue.notify").removeHandler(heard)
