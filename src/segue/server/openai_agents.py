"""An agent as a model: messages in; a run begun, or gone on with where it waits, and its answer out.

Which conversation it is, is said by the header `Segue-Thread` or by `metadata.thread_id`: then only what came after the
model's last answer is new. Without either, the messages are the conversation, and begin a thread of their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson

from segue.agents.run import RunRecord
from segue.base.errors import BadInput, OperatorError
from segue.base.messages import coerce, text_of
from segue.base.usage import Usage
from segue.context.events import TextAdded, TextReset
from segue.server.dispatch import Wanted
from segue.server.keys import Key
from segue.server.openai_waiting import answer_in, asking, asks, open_requests, run_named
from segue.server.openai_wire import DONE, ChatAsked, Chunks
from segue.server.serving import Server

_FINISH = {"budget": "length", "deadline": "length", "blocked": "content_filter"}


class RunFailed(OperatorError):
    """The run behind an answer failed."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """A run that answers a chat; or what is asked again, since the last message answered nothing."""

    record: RunRecord
    again: bool = False


async def begin(server: Server, asked: ChatAsked, who: Key, thread_id: str) -> Turn:
    """Begin a run for the newest messages, or go on with the one that waits for them.

    Raises:
        BadInput: There is nothing new in the messages, or the answer does not fit what was asked.
        NotThere, NotNow, TooMany: As `Dispatch.begin` and `Dispatch.resume`.
    """
    waiting = _waiting(server, asked, who, thread_id)
    if waiting is None:
        new = _newest(asked) if thread_id else [_asked_by_user(each.plain()) for each in asked.messages]
        if not any(each.get("content") for each in new):
            raise BadInput("the messages end with an answer: there is nothing to answer to")
        wanted = Wanted(agent=asked.model, request=new, thread_id=thread_id or None)
        return Turn(record=await server.dispatch.begin(wanted, who))
    request = open_requests(waiting)[0]
    answer = answer_in(text_of(coerce(asked.messages[-1].plain())), request)
    if answer is None or not (thread_id or asks(_said_last(asked), waiting)):
        return Turn(record=waiting, again=True)
    return Turn(record=await server.dispatch.resume(waiting, {request.id: answer}, who))


def _waiting(server: Server, asked: ChatAsked, who: Key, thread_id: str) -> RunRecord | None:
    """The run that the last message is for."""
    if thread_id:
        held = server.ws.records.newest(who.tenant, limit=1, thread_id=thread_id)
        found = held[0] if held else None
    else:
        run_id = run_named(_said_last(asked))
        found = server.ws.records.get(who.tenant, run_id) if run_id else None
    if found is None or found.status != "waiting" or asked.messages[-1].role != "user" or not open_requests(found):
        return None
    return found


def _said_last(asked: ChatAsked) -> str:
    """The last answer in the conversation; empty where there is none."""
    said = [each for each in asked.messages if each.role == "assistant"]
    return text_of(coerce(said[-1].plain())) if said else ""


def _newest(asked: ChatAsked) -> list[dict[str, Any]]:
    """What came after the model's last answer; the thread has the rest."""
    new: list[dict[str, Any]] = []
    for each in reversed(asked.messages):
        if each.role == "assistant":
            break
        new.insert(0, _asked_by_user(each.plain()))
    return new


def _asked_by_user(message: dict[str, Any]) -> dict[str, Any]:
    """An agent has instructions of its own: what a client calls a system message is its user's word."""
    role = message["role"] if message["role"] == "assistant" else "user"
    return {"role": role, "content": message.get("content") or ""}


async def complete(server: Server, turn: Turn, who: Key, chunks: Chunks) -> dict[str, Any]:
    """The whole answer.

    Raises:
        RunFailed: The run failed.
    """
    if not turn.again:
        await server.dispatch.join(turn.record, None)
    record = server.run(turn.record.run_id, who)
    text, finish = came(record)
    return chunks.whole({"role": "assistant", "content": text, "refusal": None}, finish, _usage(record))


async def stream(server: Server, turn: Turn, who: Key, chunks: Chunks, *, usage: bool) -> AsyncIterator[bytes]:
    """The answer as it comes. The run goes on where the client goes away."""
    yield chunks.begin()
    said = ""
    if not turn.again and (handle := server.dispatch.handle(turn.record)) is not None:
        async for event in handle.events():
            if isinstance(event, TextAdded) and event.agent == turn.record.agent and not event.task_id:
                said += event.text
                yield chunks.text(event.text)
            elif isinstance(event, TextReset) and said and not event.task_id:
                said = ""
                yield chunks.text("\n\n")
        await server.dispatch.join(turn.record, None)
    record = server.run(turn.record.run_id, who)
    try:
        text, finish = came(record)
    except RunFailed as error:
        yield chunks.error(str(error), error.error_id)
        return
    if rest := _rest(said, text):
        yield chunks.text(rest)
    yield chunks.delta({}, finish)
    if usage:
        yield chunks.usage(_usage(record))
    yield DONE


def came(record: RunRecord) -> tuple[str, str]:
    """What a run came to, as text, and OpenAI's word for how it ended.

    Raises:
        RunFailed: It failed.
    """
    match record.status:
        case "completed":
            output = record.output
            return output if isinstance(output, str) else orjson.dumps(output, default=str).decode(), "stop"
        case "waiting":
            return asking(record), "stop"
        case "stopped":
            told = record.partial or f"The run was stopped: {record.error or record.stop_reason}"
            return told, _FINISH.get(record.stop_reason or "", "stop")
        case _:
            error = RunFailed(f"run {record.run_id} of {record.agent} is {record.status}: {record.error}".rstrip(": "))
            error.error_id = record.error_id or error.error_id
            raise error


def _rest(said: str, text: str) -> str:
    """What of the answer was not said yet."""
    if said.endswith(text) or not text:
        return ""
    if text.startswith(said):
        return text[len(said) :]
    return f"\n\n{text}"


def _usage(record: RunRecord) -> Usage:
    return Usage.from_dict(record.usage)
