"""A run that waits, in a chat: what it waits for as text that says how to answer; and the next message as the answer.

The text names the run, so that a client that keeps no thread, and sends the whole conversation each time, still goes on
with it.
"""

from __future__ import annotations

import json
import re

import orjson

from segue.agents.run import RunRecord
from segue.context.decisions import Answer, Approve, InterruptRequest, Reject, Response

_MARK = re.compile(r"\[waits: (run_[0-9a-z]+)\]")
_YES = re.compile(r"(approve|approved|yes|ok|okay)[.!]?", re.IGNORECASE)
_NO = re.compile(r"(?:reject|no)\b[\s:,.-]*(.*)", re.IGNORECASE | re.DOTALL)
_DONE = re.compile(r"done\b[\s:]*(.*)", re.IGNORECASE | re.DOTALL)


def run_named(text: str) -> str:
    """The run that an answer of ours said to wait; empty where it did not."""
    found = _MARK.findall(text)
    return found[-1] if found else ""


def open_requests(record: RunRecord) -> list[InterruptRequest]:
    """What a run still waits for; a chat answers the first."""
    return [InterruptRequest(**each) for each in record.interrupts if each["id"] not in record.answers]


def asking(record: RunRecord) -> str:
    """What a run waits for, and how to answer."""
    held = open_requests(record)
    more = f" {len(held) - 1} more will be asked after that." if len(held) > 1 else ""
    return f"{_question(held[0])}{more}\n\n[waits: {record.run_id}]" if held else f"[waits: {record.run_id}]"


def asks(text: str, record: RunRecord) -> bool:
    """Whether a text ends with what the run waits for: a model may be made to say a run's mark behind other words."""
    return " ".join(text.split()).endswith(" ".join(asking(record).split()))


def _question(request: InterruptRequest) -> str:
    what = f"`{request.tool}` with `{orjson.dumps(request.arguments, default=str).decode()}`"
    why = f" {request.reason}" if request.reason else ""
    match request.kind:
        case "approval":
            return f"{request.agent} wants to run {what}.{why}\n\nAnswer `approve`, or `reject` and why."
        case "effect":
            return (
                f"Nobody knows whether {what} took effect.{why}\n\nAnswer `approve` to do it again, `reject` to leave "
                "it, or `done` and what came of it."
            )
        case "question":
            options = f" One of: {', '.join(json.dumps(each) for each in request.options)}." if request.options else ""
            return f"{request.question}{options}"


def answer_in(text: str, request: InterruptRequest) -> Response | None:
    """What a message answers; `None` where it says neither yes nor no."""
    said = text.strip()
    if request.kind == "question":
        return Answer(_value(said, request))
    if _YES.fullmatch(said):
        return Approve()
    if found := _NO.fullmatch(said):
        return Reject(found[1].strip())
    if request.kind == "effect" and (found := _DONE.fullmatch(said)):
        return Answer(found[1].strip())
    return None


def _value(said: str, request: InterruptRequest) -> object:
    """The words, or the data that they are, where that is what was asked for."""
    if request.options is not None:
        for option in request.options:
            if said.strip("`\"'").casefold() == str(option).casefold():
                return option
    if request.schema is not None and request.schema.get("type") != "string":
        try:
            return orjson.loads(said)
        except orjson.JSONDecodeError:
            return said
    return said
