"""Ending: what a graph gave, or what it raised, in; the record of the run as it then stands out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langgraph.errors import GraphDrained

from segue.agents.run import RunRecord
from segue.base.errors import RunStopped, error_id_of
from segue.base.messages import text_of
from segue.context.decisions import InterruptRequest
from segue.context.events import InterruptAsked
from segue.graphs.plan import as_text
from segue.router.errors import DeadlinePassed
from segue.workspace.resuming import RUN_ID, is_ours, requests_of
from segue.workspace.turns import ThreadLost

_LOOK_S = 5.0
"""How long the last checkpoint may take to be read for what a stopped run had reached."""


def has_ended(record: RunRecord, value: Any) -> None:
    """The graph came to its end: by an answer, or since a rail ended it."""
    record.interrupts, record.partial = [], ""
    if blocked := value.get("blocked"):
        record.status, record.stop_reason, record.error = "stopped", "blocked", blocked
        return
    record.status, record.output = "completed", value.get("output")


def asked(
    record: RunRecord, interrupts: Sequence[Any], now: float, expires_s: float | None
) -> Iterator[InterruptAsked]:
    """The run waits for people: an event for each question. One that was open before keeps when it expires."""
    before = {each["id"]: each.get("expires_at") for each in record.interrupts}
    found: list[InterruptRequest] = []
    for interrupt in interrupts:
        for data in requests_of(interrupt, record.run_id):
            request = InterruptRequest(**data)
            expires_at = before.get(request.id, request.expires_at)
            if expires_at is None and expires_s is not None and is_ours(interrupt) and request.id not in before:
                expires_at = now + expires_s
            found.append(replace(request, expires_at=expires_at))
    record.status, record.interrupts = "waiting", [request.to_dict() for request in found]
    for request in found:
        yield InterruptAsked(
            run_id=record.run_id, at=now, interrupt_id=request.id, kind=request.kind, agent=request.agent,
            tool=request.tool, arguments=request.arguments, question=request.question, reason=request.reason,
        )  # fmt: skip


def failed(record: RunRecord, error: BaseException, *, timed_out: bool, drained: bool) -> None:
    """Something was raised: the run stopped in order, or failed."""
    reason = stop_reason(error, timed_out=timed_out, drained=drained)
    record.interrupts = []
    if reason is not None:
        record.status, record.stop_reason = "stopped", reason
        record.error = str(error) if isinstance(error, RunStopped | ThreadLost) else ""
        return
    record.status, record.error = "failed", f"{error}" or type(error).__name__
    record.error_id = error_id_of(error)
    if not hasattr(error, "category"):
        record.error = f"{type(error).__name__}: {error}"


def stop_reason(error: BaseException, *, timed_out: bool, drained: bool) -> str | None:
    """Why a run stopped in order; `None` where it failed."""
    if isinstance(error, RunStopped):
        return error.reason
    if isinstance(error, DeadlinePassed) or (timed_out and isinstance(error, TimeoutError)):
        return "deadline"
    if isinstance(error, ThreadLost):
        return "crashed"
    if isinstance(error, GraphDrained) or (drained and isinstance(error, asyncio.CancelledError)):
        return "drained"
    return "cancelled" if isinstance(error, asyncio.CancelledError) else None


async def reached(graph: Any, config: Any, record: RunRecord, said: str) -> str:
    """What a run that did not complete came to: finished tasks, items or drafts, else what was said so far."""
    try:
        async with asyncio.timeout(_LOOK_S):
            snapshot = await graph.aget_state(config)
    except Exception:
        return said
    if (snapshot.metadata or {}).get(RUN_ID) != record.run_id:
        return said
    if results := snapshot.values.get("results"):
        return as_text(list(results.values()))
    if made := _made(snapshot.values):
        return made
    answers = [text_of(each) for each in snapshot.values.get("messages", ()) if each["role"] == "assistant"]
    return said or (answers[-1] if answers else "")


def _made(values: Mapping[str, Any]) -> str:
    """What a map-reduce has of its items, by their numbers from 1, or the best draft of one that refines."""
    items = {each["index"]: each for each in values.get("done") or () if isinstance(each, dict) and "index" in each}
    if items:
        said = ((number, _as_said(items[number])) for number in sorted(items))
        return "\n\n".join(f"## {number + 1}\n\n{text}" for number, text in said)
    drafts = [each for each in values.get("drafts") or () if isinstance(each, dict) and "text" in each]
    return str(max(reversed(drafts), key=lambda each: each.get("score") or 0.0)["text"]) if drafts else ""


def _as_said(item: Mapping[str, Any]) -> str:
    value = item["value"]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
