"""The conversation as rules need it: what is asked now, what was called for it, what is known from before.

Goes in: messages in OpenAI's chat shape, however incomplete. Comes out: a `Conversation`. Tool results and system
messages are data here: values are looked up in them by name, and nothing that they say is followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from segue.router.offline.dates import stated_today
from segue.router.offline.text import MAX_CHARS

MODEL = "offline/rules-1"
"""What this model calls itself, in every message."""


@dataclass
class Call:
    """One tool call of the conversation and what came back."""

    id: str
    name: str
    arguments: dict[str, Any]
    result: str | None = None
    """The text of its result; `None` while there is none."""
    failed: bool = False

    @property
    def part(self) -> int | None:
        """Which part of the request it was made for, as its id says; `None` for a call by another model."""
        found = re.search(r"_p(\d{1,4})$", self.id)
        return int(found[1]) if found else None


@dataclass
class Conversation:
    """What is asked now and what is known."""

    request: str = ""
    """The text of the request that is being worked on; empty where there is none."""
    has_request: bool = False
    answers: list[tuple[str, str]] = field(default_factory=list)
    """Questions of ours since the request, each with the person's answer."""
    calls: list[Call] = field(default_factory=list)
    """Calls since the request, in order."""
    earlier_calls: list[Call] = field(default_factory=list)
    earlier_texts: list[str] = field(default_factory=list)
    """What the person said before the request."""
    system: list[str] = field(default_factory=list)
    today: date | None = None
    """The current date, where a system message states it."""
    ids: set[str] = field(default_factory=set)
    length: int = 0


def text_of(content: Any) -> str:
    """The readable text of a message's content: text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [
            part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)
        ]
        return "\n".join(text for text in texts if isinstance(text, str))
    return ""


def read_conversation(messages: Any, is_request: Callable[[str], bool]) -> Conversation:
    """Read the messages; `is_request` says whether an answer to a question of ours is a request of its own."""
    held = [m for m in messages if isinstance(m, dict)] if isinstance(messages, list | tuple) else []
    conversation = Conversation(length=len(held))
    conversation.system = [text_of(m.get("content")) for m in held if m.get("role") in ("system", "developer")]
    conversation.today = stated_today(conversation.system)
    start = _start(held, conversation, is_request)
    calls = _calls(held, conversation)
    for position, call in calls:
        (conversation.calls if start is not None and position > start else conversation.earlier_calls).append(call)
    before = held[:start] if start is not None else []
    conversation.earlier_texts = [text_of(m.get("content"))[:MAX_CHARS] for m in before if m.get("role") == "user"]
    return conversation


def _start(held: list[dict[str, Any]], conversation: Conversation, is_request: Callable[[str], bool]) -> int | None:
    """Where the request stands; fills the request and the answers of the conversation on the way."""
    place = _previous_user(held, len(held))
    while place is not None:
        text = text_of(held[place].get("content"))
        asked = _question_before(held, place)
        origin = _previous_user(held, place)
        if asked is None or origin is None or is_request(text):
            conversation.request, conversation.has_request = text, True
            return place
        conversation.answers.insert(0, (asked, text))
        place = origin
    return None


def _previous_user(held: list[dict[str, Any]], before: int) -> int | None:
    return next((i for i in range(before - 1, -1, -1) if held[i].get("role") == "user"), None)


def _question_before(held: list[dict[str, Any]], place: int) -> str | None:
    """The question of ours that the message at a place answers; `None` where it answers none."""
    for message in reversed(held[:place]):
        if message.get("role") == "assistant":
            text = text_of(message.get("content"))
            ours = MODEL in text or message.get("name") == MODEL.replace("/", "-")
            return text if ours and not message.get("tool_calls") and _asks(text) else None
        if message.get("role") in ("user", "tool"):
            return None
    return None


def _asks(text: str) -> bool:
    return bool(re.search(r"\?[\"}\s]*$", text)) or '?"' in text


def _calls(held: list[dict[str, Any]], conversation: Conversation) -> list[tuple[int, Call]]:
    out: list[tuple[int, Call]] = []
    for position, message in enumerate(held):
        raw = message.get("tool_calls")
        for item in raw if message.get("role") == "assistant" and isinstance(raw, list) else ():
            call = _call(item)
            if call is not None:
                conversation.ids.add(call.id)
                out.append((position, call))
        if message.get("role") == "tool":
            _answer(out, position, message)
    return out


def _call(item: Any) -> Call | None:
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict):
        return None
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        arguments = load_json(arguments)
    name = function.get("name")
    return Call(
        str(item.get("id") or ""),
        name if isinstance(name, str) else "",
        arguments if isinstance(arguments, dict) else {},
    )


def _answer(calls: list[tuple[int, Call]], position: int, message: dict[str, Any]) -> None:
    """Give a tool result to the newest open call with its id; a result that fits none stands as a call of its own."""
    name, content = message.get("name"), text_of(message.get("content"))
    call_id = str(message.get("tool_call_id") or "")
    found = next((c for _, c in reversed(calls) if c.id == call_id and c.result is None), None)
    if found is None:
        found = Call(call_id, name if isinstance(name, str) else "", {})
        calls.append((position, found))
    found.result = content
    found.failed = message.get("failed") is True or message.get("status") == "error" or is_failure(content)


def is_failure(content: str) -> bool:
    """Whether a tool result says by itself that the call failed."""
    if re.match(r"\s*(?:error|failed|failure|exception|traceback)\b", content, re.I):
        return True
    data = load_json(content) if content.lstrip().startswith("{") else None
    if not isinstance(data, dict):
        return False
    if data.get("error") not in (None, False, "", [], {}):
        return True
    told = str(data.get("status", "")).lower()
    return data.get("ok") is False or data.get("success") is False or (told in ("error", "failed") and len(data) <= 3)


def load_json(text: str) -> Any:
    """The JSON value of a text, numbers with a fraction kept as written; `None` where it is none."""
    try:
        return json.loads(text, parse_float=Literal, parse_constant=Literal)
    except (ValueError, RecursionError):
        return None


class Literal(str):
    """A number exactly as the JSON text wrote it."""

    __slots__ = ()
