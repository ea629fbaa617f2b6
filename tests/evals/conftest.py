"""A small desk that is asked about orders, and refunds them when a person agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, RunContext, tool
from segue.evals import Case
from segue.testing import ScriptedModel, call, calls

Desk = Callable[[Path], Agent]
CITED = "[handbook/returns.md:3-5] Returns > The window\nGoods come back within 30 days."


def say(request: Any) -> Any:
    """Look up, refund or search by what was asked, then tell what the tool said."""
    last = request.messages[-1]
    if last["role"] == "tool":
        results = [str(each["content"]) for each in request.messages if each["role"] == "tool"]
        return "The tools say: " + " and ".join(results[-2:] if "both" in str(request.messages) else results[-1:])
    text = str(last["content"])
    if "both" in text:
        return calls(call("refund", order=7, amount=12.5), call("refund", order=8, amount=3.0))
    if "refund" in text:
        return call("refund", order=7, amount=12.5)
    if "window" in text:
        return call("search", query="window")
    if "invent" in text:
        return "It stands in [handbook/nowhere.md:1-2]."
    return call("look_up", order=int(text.split()[-1]))


def make_desk(folder: Path) -> Agent:
    """A desk whose refunds are written into a file of the folder."""

    @tool(effect="read")
    def look_up(order: int) -> dict[str, Any]:
        """Look up an order.

        Args:
            order: Its number.
        """
        if order > 100:
            raise LookupError(f"there is no order {order}")
        return {"order": order, "total_eur": 1250.5}

    @tool(effect="write", approval=True)
    def refund(ctx: RunContext, order: int, amount: float) -> str:
        """Refund an order.

        Args:
            order: Its number.
            amount: How much, in euro.
        """
        book = folder / "refunds.json"
        done = json.loads(book.read_text()) if book.exists() else []
        book.write_text(json.dumps([*done, [order, amount]]))
        return f"refunded {amount:.2f} of order {order}, refund {len(done) + 1} here"

    @tool(effect="read")
    def search(query: str) -> str:
        """Search the handbook.

        Args:
            query: What for.
        """
        return CITED

    return Agent("desk", model=ScriptedModel(say, cost_usd=0.001), tools=[look_up, refund, search])


@pytest.fixture
def desk(tmp_path: Path) -> Agent:
    """A desk whose world is the test's folder."""
    return make_desk(tmp_path)


def case(request: str | list[str] = "order 7", id: str = "a", **more: Any) -> Case:  # noqa: A002
    """A case of this desk."""
    return Case.model_validate({"id": id, "request": request, **more})
