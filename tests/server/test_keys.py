"""Who may come in: keys, their tenants and limits; and, without keys, only this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.server.conftest import Serve, Served, desk, result

from segue.server import app
from segue.server.door import OPEN_PATHS, Rate
from segue.server.errors import TooMany


def api_routes(application: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path, as the application has them."""
    for path, methods in application.openapi()["paths"].items():
        for method in methods:
            yield method.upper(), path


ROUTES = sorted(api_routes(app(agents=[desk()])))
BODIES: dict[str, Any] = {
    "/fork": {"checkpoint_id": "c"},
    "/answer": {"type": "approve"},
    "/case": {"good": True},
    "/feedback": {"value": True},
    "/resume": {},
    "/retry": None,
    "/threads": {"thread_id": "mine"},
    "/runs": {"agent": "desk", "input": "hello"},
    "/runs/stream": {"agent": "desk", "input": "hello"},
    "/runs/wait": {"agent": "desk", "input": "hello"},
    "/chat/completions": {"model": "desk", "messages": [{"role": "user", "content": "hello"}]},
    "/search": {"query": "tea"},
}


def body_of(path: str) -> Any:
    return BODIES[max((each for each in BODIES if path.endswith(each)), key=len)]


def test_the_routes_are_found() -> None:
    named = {name for _, path in ROUTES for name in re.findall(r"{(\w+)}", path)}

    assert len(ROUTES) > 35
    theirs = {"run_id", "thread_id", "interrupt_id", "result_id", "case_id", "artefact_id"}
    assert named == theirs | {"name", "agent", "model_id"}, "whose is it? see below"


async def owned(served: Served) -> dict[str, str]:
    """Things of the tenant `acme`: a finished run, one that waits, their threads, a result, and a case."""
    client = served.client(await served.key("acme", scopes=("*",)))
    done = (await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello", "thread_id": "t"})).json()
    await client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "refund", "thread_id": "w"})
    (asked,) = (await client.get("/api/v1/interrupts")).json()["interrupts"]
    points = (await client.get("/api/v1/threads/t/checkpoints")).json()["checkpoints"]
    case = (await client.post(f"/api/v1/runs/{done['id']}/case", json={"good": True})).json()
    held = result()
    served.server.evals.keep("acme", held)
    return {
        "run_id": done["id"], "thread_id": "t", "interrupt_id": asked["id"], "checkpoint_id": points[0]["id"],
        "result_id": held.id, "case_id": case["id"], "artefact_id": "art_1",
    }  # fmt: skip


async def test_every_route_with_another_tenants_ids_says_that_there_is_no_such_thing(serve: Serve) -> None:
    served = await serve(login=True)
    ids = await owned(served)
    stranger = served.client(await served.key("other", scopes=("*",)))
    named = [(method, path) for method, path in ROUTES if any(f"{{{each}}}" in path for each in ids)]

    answers = {}
    for method, path in named:
        body = body_of(path) if method in ("POST", "PUT", "PATCH") and not path.endswith("/cancel") else None
        if path.endswith("/fork"):
            body = {"checkpoint_id": ids["checkpoint_id"]}
        place = path.format(**ids, agent="desk") + ("?case_id=count" if path.endswith("/case") else "")
        answers[method, path] = (await stranger.request(method, place, json=body)).status_code

    assert len(named) >= 20
    assert {route: status for route, status in answers.items() if status != 404} == {}


async def test_lists_hold_nothing_of_another_tenant(serve: Serve) -> None:
    served = await serve(login=True)
    ids = await owned(served)
    stranger = served.client(await served.key("other", scopes=("*",)))
    plain = [path for method, path in ROUTES if method == "GET" and "{" not in path and path not in OPEN_PATHS]

    told = {path: (await stranger.get(path)).text for path in plain if path != "/metrics"}

    assert len(told) >= 6
    assert [path for path, text in told.items() if any(each in text for each in ids.values() if len(each) > 1)] == []
    assert '"threads":[]' in told["/api/v1/threads"]


async def test_every_route_but_the_open_ones_needs_a_key(serve: Serve) -> None:
    served = await serve(login=True)
    nobody, wrong = served.client(), served.client("sgk_wrong")

    answers = {}
    for method, path in ROUTES:
        for client in (nobody, wrong):
            answers[client, method, path] = (await client.request(method, path)).status_code

    assert {status for (_, _, path), status in answers.items() if path not in OPEN_PATHS} == {401}
    assert {status for (_, _, path), status in answers.items() if path in OPEN_PATHS} == {200}


async def test_the_same_thread_id_is_another_thread_in_another_tenant(serve: Serve) -> None:
    served = await serve(login=True)
    first, second = [served.client(await served.key(each, scopes=("*",))) for each in ("acme", "other")]
    asked = {"agent": "desk", "input": "hello", "thread_id": "t"}

    for client in (first, first, second):
        await client.post("/api/v1/runs/wait", json=asked)

    counts = [len((await each.get("/api/v1/threads/t/messages")).json()["messages"]) for each in (first, second)]
    assert counts == [4, 2]


async def test_a_key_that_may_only_look_begins_nothing(serve: Serve) -> None:
    served = await serve(login=True)
    client = served.client(await served.key("acme", read_only=True))

    begun = await client.post("/api/v1/runs", json={"agent": "desk", "input": "hello"})

    assert (begun.status_code, begun.json()["error"]["type"]) == (403, "not_allowed")
    assert (await client.get("/api/v1/runs")).json() == {"runs": []}


async def test_a_revoked_or_expired_key_opens_nothing(serve: Serve) -> None:
    served = await serve(login=True)
    revoked, late = await served.key("acme"), await served.key("acme", expires_at=served.server.now() - 1)
    (first, _) = await served.server.keys.all()
    before = await served.client(revoked).get("/api/v1/runs")

    await served.server.keys.revoke(first.id, now=served.server.now())

    after = [(await served.client(each).get("/api/v1/runs")).status_code for each in (revoked, late)]
    assert (before.status_code, after) == (200, [401, 401])


async def test_what_opens_the_door_is_not_kept(serve: Serve) -> None:
    served = await serve(login=True)

    secret = await served.key("acme")

    rows = await served.server.store.keys()
    assert secret not in str(rows)
    assert "acme" in str(rows)


async def test_figures_of_all_tenants_want_a_scope(serve: Serve) -> None:
    served = await serve(login=True)
    plain, allowed = await served.key("acme"), await served.key("acme", scopes=("metrics",))

    answers = [await served.client(each).get("/metrics") for each in (plain, allowed)]

    assert [each.status_code for each in answers] == [403, 200]
    assert "segue_runs" in answers[1].text


async def test_more_requests_than_a_key_may_make_are_told_when_to_come_again(serve: Serve) -> None:
    served = await serve(login=True)
    client = served.client(await served.key("acme", requests_per_minute=2))

    answers = [await client.get("/api/v1/runs") for _ in range(3)]

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert (await served.client(await served.key("acme")).get("/api/v1/runs")).status_code == 200


async def test_a_rate_counts_each_request_once() -> None:
    rate = Rate(3)

    for _ in range(3):
        await rate.take()

    with pytest.raises(TooMany):
        await rate.take()


async def test_more_runs_at_a_time_than_a_key_may_have_are_refused(serve: Serve) -> None:
    from segue import Agent, tool
    from segue.testing import ScriptedModel, call

    go_on = asyncio.Event()

    @tool(effect="read")
    async def wait() -> str:
        """Wait."""
        await go_on.wait()
        return ""

    slow = Agent("slow", model=ScriptedModel([call("wait"), "done", "done"]), tools=[wait])
    served = await serve([slow], login=True)
    client = served.client(await served.key("acme", concurrent_runs=1))
    asked = {"agent": "slow", "input": "go"}

    first, second = [await client.post("/api/v1/runs", json=asked) for _ in range(2)]
    go_on.set()
    await client.get(f"{first.headers['location']}/join")
    third = await client.post("/api/v1/runs", json=asked)

    assert [each.status_code for each in (first, second, third)] == [202, 429, 202]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"X-Forwarded-For": "10.0.0.1"},
        {"Forwarded": "for=10.0.0.1"},
    ],
    ids=lambda headers: "".join(headers),
)
async def test_without_keys_only_this_machine_itself_is_let_in(serve: Serve, headers: dict[str, str]) -> None:
    served = await serve()
    client = served.client()

    refused = await client.get("/api/v1/runs", headers=headers)

    assert refused.status_code == 403
    assert (await client.get("/api/v1/runs")).status_code == 200


async def test_a_client_from_elsewhere_is_refused_without_keys(serve: Serve) -> None:
    served = await serve()
    transport = httpx.ASGITransport(app=_app_of(served), client=("192.0.2.7", 5))

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        refused = await client.get("/api/v1/runs")

    assert refused.status_code == 403


def _app_of(served: Served) -> FastAPI:
    made = app(served.server.ws, agents=[desk()], login=False)
    made.state.server = served.server
    return made
