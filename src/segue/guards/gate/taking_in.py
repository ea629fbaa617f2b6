"""Taking in: the labelled messages of a run in; a session of the gate that knows what they said out.

What counts as the user's words is what the run was started with, and what the user said before on the thread. A task
that a planner wrote, what a worker answered, what was remembered: all that is text of others, as trusted as whoever
wrote it may be fooled. So a session can be made again from a checkpoint alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from segue.base.messages import Message, ToolCall, text_of
from segue.base.words import texts_by
from segue.guards.gate.seeing import plain
from segue.guards.gate.session import Session

PLAN = "plan"
"""The level of a task's words, which fill no sink: a planner wrote them, and it may have read anything."""


def take_in(session: Session, messages: Sequence[Message], calls: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    """Tell a session of messages; `calls` are all tool calls of the conversation by their ids."""
    for message in messages:
        if message["role"] == "tool":
            _result(session, message, calls)
        elif message["role"] == "user":
            for text, by in texts_by(message):
                if by == "untrusted":
                    session.heard(text, "earlier tasks")
                elif by != "system":
                    session.values.add_text(text, PLAN, ("the plan", ""))


def calls_in(messages: Iterable[Message]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The tool calls of a conversation by their ids: the tool's name and its arguments."""
    out: dict[str, tuple[str, dict[str, Any]]] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            out[call["id"]] = (call["function"]["name"], arguments_of(call))
    return out


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """The arguments that a model wrote; empty where they are no object."""
    held = plain(call["function"]["arguments"])
    return held if isinstance(held, dict) else {}


def _result(session: Session, message: Message, calls: Mapping[str, tuple[str, dict[str, Any]]]) -> None:
    text = text_of(message)
    name, arguments = calls.get(message.get("tool_call_id", ""), (message.get("name", "a tool"), {}))
    if message.get("failed") or name not in session.gate.tools:
        session.heard(text, name)
        return
    value = plain(text)
    if isinstance(value, str) and (held := _rebuilt(message.get("atoms") or [])) is not None:
        session.seen(name, arguments, held)
        session.heard(value, name)  # as the model reads it; what of it is the system's own, the atoms have said
        return
    session.seen(name, arguments, value)


def _rebuilt(atoms: Sequence[Sequence[str]]) -> dict[str, Any] | None:
    """The data behind a result that reads as text, out of its leaves; `None` where the text is all there is."""
    if not any(pointer for pointer, _ in atoms):
        return None
    root: dict[str, Any] = {}
    for pointer, text in atoms:
        at = root
        *above, last = pointer.split("/")[1:] or [""]
        for part in above:
            at = at.setdefault(part, {}) if isinstance(at.get(part, {}), dict) else {}
        at.setdefault(last, text)
    held: dict[str, Any] = _listed(root)
    return held


def _listed(value: Any) -> Any:
    """Objects whose keys are all numbers are lists."""
    if not isinstance(value, dict):
        return value
    items = {key: _listed(each) for key, each in value.items()}
    return {"items": list(items.values())} if items and all(key.isdigit() for key in items) else items
