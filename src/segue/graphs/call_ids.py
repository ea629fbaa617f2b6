"""Call ids: each tool call of a thread has an id of its own, whatever a server gave it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from segue.base.ids import new_id
from segue.base.messages import Message

_COUNTED_ID = re.compile(r"\D*\d{0,4}")
"""Ids such as `call_0`, `functions.look:3`: a server that counts, and may count from the start again."""


def with_fresh_ids(message: Message, known: Sequence[Message], sent: Sequence[Message] | None = None) -> Message:
    """The message, with a new id for each tool call whose id is missing, double, or already used in the thread.

    Args:
        message: What the model said.
        known: The whole thread.
        sent: What of it the model read, where that is less. An id that is no mere count is only looked for there: a
            random one is not met again by chance.
    """
    calls = message.get("tool_calls")
    if not calls:
        return message
    counted = any(_COUNTED_ID.fullmatch(call.get("id") or "") for call in calls)
    looked = known if sent is None or counted else sent
    used = {call["id"] for each in looked for call in each.get("tool_calls", ())}
    fresh = []
    for call in calls:
        if not call.get("id") or call["id"] in used:
            call = {**call, "id": new_id("call")}
        used.add(call["id"])
        fresh.append(call)
    return {**message, "tool_calls": fresh}
