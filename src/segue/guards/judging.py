"""Judging: the rails of one place over one subject, in order. Out comes one judgement.

A rail that raises, outlives its time limit, answers with something that is no verdict, or rewrites to something
that does not fit fails closed: the judgement is a block that names the rail and what happened. What a block means for
the run is decided in `segue.graphs` and `segue.tools`.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from segue.base.quick import quick
from segue.context.decisions import Allow, Ask, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.rail import Rail, Subject, checked_timeout, text_of_value
from segue.guards.texts import ALLOW, TextRail
from segue.tracing.decisions import Decided
from segue.tracing.redaction import redactor
from segue.tracing.spans import Span, SpanRow, new_row, new_span_id

LONGEST_REASON = 500
"""Characters of a reason that are kept."""
SHORTEST_QUOTE = 8
"""A text of fewer characters may stand in a reason by chance."""
_TOLD: dict[type[Any], str] = {Allow: "allow", Rewrite: "rewrite", Block: "block", Ask: "ask"}
_redact = redactor()


class Said(NamedTuple):
    """What one rail said."""

    rail: str
    verdict: str
    """`allow`, `rewrite`, `block` or `ask`."""
    reason: str
    duration_s: float


@quick
@dataclass(frozen=True, slots=True)
class Judgement:
    """What all rails of a place said together."""

    verdict: Decision
    """The first block; else the first ask; else a rewrite where something changed; else allow."""
    text: str
    """What to go on with; empty after a block."""
    value: Any = None
    """The same as data, where the subject had data; `None` after a block."""
    said: tuple[Said, ...] = ()
    """One for each rail that was asked, in order."""


async def judge(rails: Iterable[Rail], subject: Subject, ctx: RunContext[Any]) -> Judgement:
    """Run the rails that stand at the subject's place, in order, and record one span for each.

    What one rail rewrites is what the next one looks at. The first block ends it. An ask is kept and the later
    rails still run. Never raises, and ends within the sum of the rails' time limits.
    """
    first, said = subject, list[Said]()
    asked: Ask | None = None
    rewritten: Rewrite | None = None
    monotonic, nests, place = ctx.services.clock.monotonic, ctx.services.tracer.bridged, subject.place
    started = monotonic()
    for rail in rails:
        if place not in rail.places:
            continue
        if not nests and _is_plain(type(rail)):
            begin_ns = time.time_ns()
            verdict, subject = _seen(rail, subject)
            told = "allow" if verdict is ALLOW else _told(verdict)
            _record(rail, subject, verdict, told, begin_ns, ctx)
        else:
            with _span(rail, subject, ctx) as span:
                verdict, subject = await looked(rail, subject, ctx)
                told = _told(verdict)
                _tell(span, verdict, told)
        _note(rail, subject, told, verdict.rule, ctx)
        began, started = started, monotonic()
        said.append(new_row(Said, (rail.name, told, verdict.reason, started - began)))
        if told == "allow":
            continue
        if isinstance(verdict, Block):
            return Judgement(verdict=verdict, text="", said=tuple(said))
        if isinstance(verdict, Ask):
            asked = asked or verdict
        elif isinstance(verdict, Rewrite):
            rewritten = verdict
    return _together(first, subject, asked, rewritten, tuple(said))


def _together(
    first: Subject, last: Subject, asked: Ask | None, rewritten: Rewrite | None, said: tuple[Said, ...]
) -> Judgement:
    """The judgement where nothing blocked; a rewrite to what stood there before is none."""
    typed = first.value is not None
    if last is not first and ((last.value == first.value) if typed else (last.text == first.text)):
        last, rewritten = first, None
    outcome: Decision = ALLOW
    if asked is not None:
        outcome = asked
    elif rewritten is not None:
        outcome = Rewrite(last.value if typed else last.text, rewritten.reason, rewritten.rule)
    return Judgement(verdict=outcome, text=last.text, value=last.value, said=said)


def _note(rail: Rail, subject: Subject, told: str, rule: str, ctx: RunContext[Any]) -> None:
    """Write the verdict down in the audit log."""
    if (audit := ctx.services.audit) is not None:
        whose = ctx.principal
        audit.record(
            new_row(Decided, (
                "rail", told, ctx.services.clock.now(), whose.tenant, whose.user, ctx.run_id, ctx.thread_id,
                subject.agent or ctx.agent, ctx.task_id, ctx.tool_call_id, subject.tool, subject.effect,
                subject.place, rule or rail.name, "", "", None,
            ))
        )  # fmt: skip


def _span(rail: Rail, subject: Subject, ctx: RunContext[Any]) -> Span:
    span = ctx.services.tracer.start(
        "verdict", rail.name, tenant=ctx.principal.tenant, trace_id=ctx.trace_id, run_id=ctx.run_id,
        parent_id=ctx.span_id,
    )  # fmt: skip
    span.set(segue__rail=rail.name, segue__place=subject.place, segue__tool=subject.tool or None)
    return span


def _tell(span: Span, verdict: Decision, told: str) -> None:
    span.set(segue__verdict=told, segue__reason=verdict.reason or None, segue__rule=verdict.rule or None)
    if isinstance(verdict, Block):
        span.status = "error"


def _record(rail: Rail, subject: Subject, verdict: Decision, told: str, begin_ns: int, ctx: RunContext[Any]) -> None:
    """The span of a look that waited for nothing, in one piece."""
    attributes = {"segue.rail": rail.name, "segue.place": subject.place}
    if subject.tool:
        attributes["segue.tool"] = subject.tool
    attributes["segue.verdict"] = told
    if verdict is not ALLOW:
        if verdict.reason:
            attributes["segue.reason"] = verdict.reason
        if verdict.rule:
            attributes["segue.rule"] = verdict.rule
    ctx.services.tracer.record(new_row(SpanRow, (
        ctx.principal.tenant, ctx.trace_id, new_span_id(), ctx.span_id, ctx.run_id, "verdict", rail.name,
        begin_ns, max(begin_ns, time.time_ns()), "error" if told == "block" else "ok", attributes, None,
    )))  # fmt: skip


def _told(verdict: Decision) -> str:
    return _TOLD.get(type(verdict)) or next(name for kind, name in _TOLD.items() if isinstance(verdict, kind))


@cache
def _is_plain(kind: type[Rail]) -> bool:
    """Whether a rail sees text alone, changes nothing that it is shown, and waits for nothing."""
    return issubclass(kind, TextRail) and kind.check is TextRail.check and kind.seen is TextRail.seen


async def looked(rail: Rail, subject: Subject, ctx: RunContext[Any] | None) -> tuple[Decision, Subject]:
    """What one rail says, and the subject that the next one looks at; nothing of it is written down."""
    if _is_plain(type(rail)):
        return _seen(rail, subject)
    try:
        shown = replace(subject, value=copy.deepcopy(subject.value))  # it may not change what the others see
        return _taken(await _within(rail, shown, cast(RunContext[Any], ctx)), subject)
    except Exception as error:
        return _failure(rail, error), subject


def _seen(rail: Any, subject: Subject) -> tuple[Decision, Subject]:
    try:
        said = rail.seen(subject)
        return (said, subject) if said is ALLOW else _taken(said, subject)
    except Exception as error:
        return _failure(rail, error), subject


def _taken(said: Any, subject: Subject) -> tuple[Decision, Subject]:
    """What a rail answered as a verdict, and what the next one looks at.

    Raises:
        _Unfit: It is none, or rewrites to something that does not fit.
    """
    if isinstance(said, Rewrite):
        return _discreet(said, subject), _rewritten(subject, said.value)
    if isinstance(said, Allow | Block | Ask):
        return _discreet(said, subject), subject
    raise _Unfit(f"answered with {type(said).__name__} instead of a verdict")


def _failure(rail: Rail, error: Exception) -> Block:
    return _failed(rail, str(error) if isinstance(error, _Unfit) else f"raised {type(error).__name__}{_where(error)}")


def _discreet(said: Decision, subject: Subject) -> Decision:
    """The verdict with a short reason that quotes neither the text nor what is private in it."""
    if not said.reason:
        return said
    reason = str(said.reason)
    if len(subject.text) >= SHORTEST_QUOTE:
        reason = reason.replace(subject.text, "…")
    return replace(said, reason=_redact(reason[:LONGEST_REASON]))


def _failed(rail: Rail, what: str) -> Block:
    return Block(f"rail {rail.name!r} {what}; a rail that fails blocks", rule=rail.name)


async def _within(rail: Rail, subject: Subject, ctx: RunContext[Any]) -> Decision:
    """The rail's answer, given up after its time limit even where it ignores being cancelled."""
    timeout_s = checked_timeout(rail.timeout_s, rail.name)
    task = asyncio.ensure_future(rail.check(subject, ctx))
    try:
        await asyncio.wait({task}, timeout=timeout_s)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not task.done():
        raise _Unfit(f"took longer than its {timeout_s:g} s")
    if task.cancelled():
        raise _Unfit("was cancelled from inside")
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()  # looked at, so that nobody warns of it


def _rewritten(subject: Subject, new: Any) -> Subject:
    """The subject with what a rail wants instead.

    Raises:
        _Unfit: It is not text, or not the kind of data that stood there.
    """
    if subject.value is None:
        if not isinstance(new, str):
            raise _Unfit(f"rewrote text to {_kind(new)}")
        return replace(subject, text=new)
    wanted = _kind(subject.value)
    if isinstance(new, str) and wanted != "text":
        try:
            new = json.loads(new)
        except ValueError:
            raise _Unfit(f"rewrote {wanted} to text that is not JSON") from None
    if _kind(new) != wanted:
        raise _Unfit(f"rewrote {wanted} to {_kind(new)}")
    if _is_json(subject.value) and not _is_json(new):
        raise _Unfit(f"rewrote {wanted} to one that JSON cannot hold")
    return replace(subject, value=new, text=text_of_value(new))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    for kind, name in ((str, "text"), (dict, "an object"), (list | tuple, "a list"), (int | float, "a number")):
        if isinstance(value, kind):
            return name
    return "nothing" if value is None else type(value).__name__


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _where(error: BaseException) -> str:
    """Where it was raised: the last line of code, without the error's text, which may quote what was looked at."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


class _Unfit(Exception):
    """The rail failed in this way."""
