"""Agents of a small desk for these tests, and what a server tells of a run to whoever may ask."""

from __future__ import annotations

from typing import Any

from tests.server.conftest import Served
from tests.server.test_keys import ROUTES

from segue import RunContext, tool


def mailbox(text: str, **options: Any) -> Any:
    """A tool that reads what an outsider wrote."""

    @tool(effect="read", **options)
    def read_mail() -> str:
        """Read the newest mail."""
        return text

    return read_mail


async def everything_told(served: Served, client: Any, run_id: str, thread_id: str) -> dict[str, str]:
    """What every route that only reads says of a run."""
    ids = {"run_id": run_id, "thread_id": thread_id, "agent": "desk", "name": "desk"}
    told = {}
    for method, path in ROUTES:
        if method != "GET" or path == "/metrics":
            continue
        try:
            place = path.format(**ids)
        except KeyError:
            continue
        answer = await client.get(place)
        told[path] = answer.text
    return told


def results_of(run: Any) -> list[str]:
    return [step["result"] for step in run.trajectory if step["type"] == "tool_result"]


def refunder(done: list[str], **options: Any) -> Any:
    @tool(effect="write", scopes=["refunds"], **options)
    def refund(ctx: RunContext, order_id: int) -> str:
        """Refund an order."""
        done.append(f"{order_id} for {ctx.principal.user}")
        return "refunded"

    return refund
