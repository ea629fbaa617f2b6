"""Many at once: a hundred streams, and whatever a client may send."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.server.conftest import Serve, desk, events
from tests.server.test_keys import ROUTES

from segue import Agent
from segue.server import app
from segue.testing import ScriptedModel
from segue.workspace.sections import ServerSection

DOCUMENT: dict[str, Any] = app(agents=[desk()]).openapi()


async def test_a_hundred_streams_at_once_all_come_to_their_end(serve: Serve) -> None:
    words = Agent("words", model=ScriptedModel(lambda request: "one two three"))
    client = (await serve([words])).client()

    async def one() -> tuple[str, str, bool]:
        asked = {"agent": "words", "input": "go"}
        async with client.stream("POST", "/api/v1/runs/stream", json=asked) as response:
            told = [each async for each in events(response)]
        text = "".join(each.data["text"] for each in told if each.type == "text_added")
        ids = [int(each.id) for each in told if each.id]
        return text, told[-1].data["status"], ids == list(range(1, len(ids) + 1))

    assert set(await asyncio.gather(*(one() for _ in range(100)))) == {("one two three", "completed", True)}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ODD = JSON | st.sampled_from([10**400, "\x00", "x" * 5_000, "../../etc", "desk", "t", "-1", [[[[]]]], {"": None}])


def strategy(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema, roughly, so that they get past its check."""
    if "$ref" in schema:
        return strategy(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([strategy(each) for each in schema[several]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    match schema.get("type"):
        case "object" if "properties" in schema:
            held = {key: strategy(each) for key, each in schema["properties"].items()}
            needed = {key: held.pop(key) for key in schema.get("required", ())}
            return st.fixed_dictionaries(needed, optional=held)
        case "string":
            return st.sampled_from(["desk", "hello", "refund", "t", "0 3 * * *"]) | st.text(max_size=20)
        case "integer":
            return st.integers(-1, 100)
        case "number":
            return st.floats(-1, 100)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(strategy(schema.get("items", {})), max_size=3)
        case "object":
            return st.dictionaries(st.text(max_size=5), JSON, max_size=2)
        case _:
            return JSON


def body_strategy(method: str, path: str) -> st.SearchStrategy[Any]:
    held = DOCUMENT["paths"][path][method.lower()].get("requestBody")
    if held is None:
        return st.none()
    fits = strategy(held["content"]["application/json"]["schema"])
    return fits | ODD | fits.flatmap(lambda body: st.builds(_with, st.just(body), st.text(max_size=5), ODD))


def _with(body: Any, key: str, value: Any) -> Any:
    """With one more field, or another value of one that is there."""
    if not isinstance(body, dict):
        return body
    keys = sorted(body)
    return {**body, keys[len(key) % len(keys)] if keys and len(key) % 2 else key: value}


# Requests are drawn beside the server's thread, and what that uses meanwhile is laid to the strategy.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("examples", [25, pytest.param(200, marks=pytest.mark.long)])
def test_whatever_is_sent_the_status_is_a_documented_one(tmp_path: Path, examples: int) -> None:
    section = ServerSection(requests_per_minute=10_000_000, max_body_bytes=4_000)
    own = app(tmp_path, agents=[desk()], login=False, settings=section)
    with TestClient(own, base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as client:
        done = client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "hello", "thread_id": "t"}).json()
        client.post("/api/v1/runs/wait", json={"agent": "desk", "input": "refund", "thread_id": "w"})
        asked = client.get("/api/v1/interrupts").json()["interrupts"][0]["id"]
        ids = {"run_id": done["id"], "thread_id": "t", "interrupt_id": asked, "name": "desk", "model_id": "desk"}
        ids |= {"result_id": "eval_1", "case_id": "count", "agent": "desk", "artefact_id": "art_1"}
        for method, path in ROUTES:
            if method != "DELETE":
                _send_anything(client, method, path, ids, examples)


def _send_anything(client: TestClient, method: str, path: str, ids: dict[str, str], examples: int) -> None:
    documented = set(DOCUMENT["paths"][path][method.lower()]["responses"])

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(body=body_strategy(method, path), known=st.booleans(), id_=st.text(min_size=1, max_size=10))
    def send(body: Any, known: bool, id_: str) -> None:
        place = path.format(**(ids if known else dict.fromkeys(ids, quote(id_, safe=""))))
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        answer = client.request(method, place, content=content, headers=headers)
        told = f"{method} {place} {content}: {answer.status_code} {answer.text[:500]}"
        assert answer.status_code < 500, told
        assert str(answer.status_code) in documented or answer.status_code in (307, 404, 405), told
        assert "Traceback" not in answer.text, told

    send()
