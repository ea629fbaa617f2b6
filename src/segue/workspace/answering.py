"""Answering: a run and what people say to it in, the answers that it goes on with out, or why it does not.

Nothing here changes the run: what is refused leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from segue.agents.run import RunRecord
from segue.base.budget import Budget
from segue.base.errors import BadInput, names
from segue.base.principal import Principal
from segue.context.decisions import Answer, Approve, Edit, InterruptKind, Reject, Response
from segue.context.questions import fault_of

TOO_LATE = "nobody answered in time"
"""The reason that a tool call, or who asked, is given where a request expired."""
_FITTING: dict[InterruptKind, tuple[tuple[type, ...], str]] = {
    "approval": ((Approve, Edit, Reject), "Approve, Edit or Reject"),
    "question": ((Answer, Reject), "an Answer, or a Reject"),
    "effect": ((Approve, Reject, Answer), "Approve, Reject or an Answer"),
}


def answers_for(
    record: RunRecord, answers: Mapping[str, Response], principal: Principal, *, now: float, budget: Budget | None
) -> dict[str, Response]:
    """The answers that the run goes on with: those given, and a rejection for each request that has expired.

    Raises:
        BadInput: The run cannot go on, it waits and nothing was answered, or an answer cannot be given.
    """
    _check_can_go_on(record, budget)
    waiting = {each["id"]: each for each in record.interrupts if each["id"] not in record.answers}
    for key, answer in answers.items():
        _check_asked(record, key, waiting)
        _check_time(waiting[key], now)
        _check_fits(waiting[key], answer)
        check_rights(waiting[key], answer, principal)
    late = {key: Reject(TOO_LATE) for key, each in waiting.items() if _is_late(each, now)}
    if record.status == "waiting" and not answers and not late:
        raise BadInput(f"run {record.run_id} waits for answers to: {names(waiting)}.", way_out="Give answers={id: …}.")
    return {**late, **answers}


def _check_can_go_on(record: RunRecord, budget: Budget | None) -> None:
    status = repr(record.status)
    if record.status == "completed" or record.stop_reason == "blocked":
        raise BadInput(
            f"run {record.run_id} does not wait for an answer: its status is {status}"
            f"{' (a rail ended it)' if record.stop_reason == 'blocked' else ''}"
        )
    if record.status == "running":
        raise BadInput(
            f"run {record.run_id} goes on in a living process: its status is 'running'.",
            way_out="Wait for it, or cancel it there.",
        )
    if record.stop_reason == "budget" and budget is None:
        raise BadInput(
            f"run {record.run_id} has come to the end of its budget: {record.error}",
            way_out="Raise it: ws.resume(run_id, budget=Budget(…)); what was spent still counts.",
        )


def _check_asked(record: RunRecord, key: str, waiting: Mapping[str, Any]) -> None:
    if key in waiting:
        return
    if key in record.answers:
        raise BadInput(f"interrupt {key} of run {record.run_id} has been answered already.")
    if not waiting:
        raise BadInput(f"run {record.run_id} does not wait for an answer: its status is {record.status!r}")
    raise BadInput(f"run {record.run_id} has no interrupt {key!r}; it waits for: {names(waiting)}")


def _is_late(request: Mapping[str, Any], now: float) -> bool:
    expires_at = request.get("expires_at")
    return expires_at is not None and now >= expires_at


def _check_time(request: Mapping[str, Any], now: float) -> None:
    if _is_late(request, now):
        when = datetime.fromtimestamp(request["expires_at"], UTC).isoformat(sep=" ", timespec="seconds")
        raise BadInput(
            f"interrupt {request['id']} expired at {when}: it cannot be answered any more.",
            way_out="ws.resume(run_id) without an answer for it goes on with it rejected.",
        )


def _check_fits(request: Mapping[str, Any], answer: Response) -> None:
    types, wanted = _FITTING[request["kind"]]
    if not isinstance(answer, types):
        raise BadInput(f"interrupt {request['id']} is answered by {wanted}, not by {answer!r}")
    if request["kind"] == "question" and isinstance(answer, Answer) and (fault := fault_of(request, answer.value)):
        raise BadInput(
            f"interrupt {request['id']} ({request['question']!r}) cannot be answered so: {fault}.",
            way_out="The run waits on; answer it anew.",
        )


def check_rights(request: Mapping[str, Any], answer: Response, principal: Principal) -> None:
    """Who lets a call pass must hold the scopes that its tool wants, now; anybody may reject.

    Raises:
        BadInput: A scope is missing; the run waits on.
    """
    missing = set(request.get("scopes", ())) - principal.scopes
    if missing and "*" not in principal.scopes and not isinstance(answer, Reject):
        raise BadInput(
            f"{principal.user} may not approve {request['tool']}: the scope {names(missing)} is missing.",
            way_out="The run waits on; somebody who holds it can answer.",
        )
