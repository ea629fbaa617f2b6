"""Whatever the schema allows, and what it does not, is answered as the schema says.

Requests are made from `/api/openapi.json` by Schemathesis, and go over a loopback socket to a server with agents,
threads, a run that waits and a schedule. Half of the ids and names in them are of things that are there.

Streams are asked for like the rest: a scripted run ends or waits for a person at once, and its stream with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.server.conftest import listening, result

from segue.evals.store import EvalStore
from segue.server import app
from segue.server.keys import Key
from segue.workspace.sections import ServerSection

AnyCase = Case[Any]
FRAMING = {"content-length", "transfer-encoding", "connection", "upgrade", "expect", "host"}
"""Headers that say where a request ends. One that is amiss never comes to the application: uvicorn refuses it."""
Operation = APIOperation[Any, Any, Any, Any]
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HANGS_S = 70.0
"""Longer than `timeout_s` may ask for."""
AGENT = """
from pathlib import Path

from segue import Agent, Documents, RunContext, tool
from segue.testing import ScriptedModel, call
from segue.testing.script import Script


@tool(effect="write", approval=True)
def refund(ctx: RunContext, order_id: int) -> str:
    '''Refund an order.

    Args:
        order_id: The number of the order.
    '''
    return f"paid back {order_id}"


script = Script({"Refund it.": [call("refund", order_id=1042), "It is refunded."]})
here = Path(__file__).parent
handbook = Documents(here / "handbook", index=here / "index.db")
desk = Agent("desk", model=ScriptedModel(script), tools=[refund, handbook])
"""
SECTION = ServerSection(requests_per_minute=1_000_000, concurrent_runs=1_000)


# Requests are drawn in a thread beside the server's, and what the server uses meanwhile is laid to the strategy.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@pytest.mark.parametrize("examples", [6, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
async def test_every_operation_answers_as_its_schema_says(
    tmp_path: Path, examples: int, subtests: pytest.Subtests
) -> None:
    (tmp_path / "handbook").mkdir()
    (tmp_path / "shop_desk.py").write_text(AGENT, encoding="utf-8")
    application = app(tmp_path, jobs=True, settings=SECTION)
    schema = schemathesis.openapi.from_dict(application.openapi())

    async with listening(application) as url:
        secret, _ = await application.state.server.keys.add(
            Key(id="", tenant="acme", user="ann", scopes=("*",)), now=1.0
        )
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found.err()
            operation = found.ok()
            with subtests.test(operation.label), requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {secret}"
                known = await things(url, secret, application.state.server.evals)

                def send(case: AnyCase, session: requests.Session = session) -> None:
                    case.call_and_validate(url, session, checks=CHECKS, timeout=HANGS_S)

                await asyncio.to_thread(fuzz, operation, known, send, examples=examples)


async def things(url: str, secret: str, evals: EvalStore) -> dict[str, str]:
    """Make, if they are not there any more, what requests can name; their names by where they are named."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers, trust_env=False, timeout=30) as client:
        done = (await client.post("/runs/wait", json={"agent": "desk", "input": "Good morning."})).json()
        waiting = (await client.post("/runs/wait", json={"agent": "desk", "input": "Refund it."})).json()
        points = (await client.get(f"/threads/{done['thread_id']}/checkpoints")).json()["checkpoints"]
        watch = {"name": "watch", "agent": "desk", "input": "Look.", "cron": "0 3 * * *"}
        await client.post("/schedules", json=watch)
        page = {"path": "returns.md", "text": "# Returns\n\nWithin 30 days.\n"}
        (await client.post("/documents/handbook/pages", json=page)).raise_for_status()
    held = result()
    evals.keep("acme", held)
    evals.keep_case("acme", "desk", held.cases[0], at=1.0)
    return {
        "run_id": done["id"], "thread_id": done["thread_id"], "interrupt_id": waiting["interrupts"][0]["id"],
        "checkpoint_id": points[-1]["id"], "result_id": held.id, "case_id": "count", "before": held.id,
        "after": held.id, "agent": "desk", "model": "desk", "model_id": "desk",
        "/api/v1/agents/name": "desk", "/api/v1/schedules/name": "watch",
        "/api/v1/documents/name": "handbook", "/api/v1/documents/path": "returns.md",
    }  # fmt: skip


def fuzz(operation: Operation, known: dict[str, str], send: Callable[[AnyCase], None], *, examples: int) -> None:
    """Send requests of an operation, the same ones each time while they are few."""

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=examples < 20,
        phases=[Phase.generate, Phase.shrink], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(cases(operation, known))
    def answered(case: AnyCase) -> None:
        send(case)

    answered()


@st.composite
def cases(draw: st.DrawFn, operation: Operation, known: dict[str, str]) -> AnyCase:
    """Requests that fit the schema and ones that do not; half of what they name is there."""
    mode = draw(st.sampled_from(GenerationMode))
    case: AnyCase = draw(operation.as_strategy(mode))
    place = "/".join(operation.path.split("/")[:4])
    parts: list[Any] = [case.path_parameters, case.query, case.body]
    for held in parts:
        for name in held if isinstance(held, dict) else ():
            there = known.get(name) or known.get(f"{place}/{name}")
            if there is not None and draw(st.booleans()):
                held[name] = there
    for name in [each for each in case.headers or () if each.lower() in FRAMING]:
        del case.headers[name]
    return case
