"""Telling: a segment that has ended in; its decisions written down, and whoever must know told, out.

Nothing here changes what came of the run: what fails is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from segue.agents.run import RunRecord
from segue.base.errors import SegueError, error_id_of
from segue.base.ports import Notifier
from segue.base.principal import Principal
from segue.context.decisions import Edit, Response
from segue.context.run import Services
from segue.tracing.audit import Decided

_log = logging.getLogger("segue.workspace")


async def settle_and_tell(services: Services, record: RunRecord, error: BaseException | None) -> None:
    """Write the decisions of a segment down for good, then tell of a run that failed or waits."""
    await _settle(services, record)
    if services.notifier is None:
        return
    if record.status == "failed" and error is not None:
        _tell_failed(services.notifier, record, error)
    elif record.status == "waiting":
        _tell_waiting(services.notifier, record)


async def _settle(services: Services, record: RunRecord) -> None:
    if services.audit is None:
        return
    try:
        await services.audit.settle_ended()
    except Exception as error:
        id_ = error_id_of(error)
        _log.critical(
            "decisions of %s are not written yet: %s (%s)", record.run_id, error, id_, extra=_ids(record, id_)
        )
        if services.notifier is not None:
            detail = {"kind": "audit", "error": f"{error}", **_ids(record, id_)}
            services.notifier.notify("critical", f"the audit log cannot be written: {error} ({id_})", detail)


def _tell_failed(notifier: Notifier, record: RunRecord, error: BaseException) -> None:
    detail = {
        "kind": "failed", "agent": record.agent, "category": getattr(error, "category", "internal"),
        "retryable": getattr(error, "retryable", False), "error_type": type(error).__name__, "error": record.error,
        "way_out": error.way_out if isinstance(error, SegueError) else "", **_ids(record, record.error_id),
    }  # fmt: skip
    title = f"run {record.run_id} of {record.agent} failed: {record.error} ({record.error_id})"
    notifier.notify(getattr(error, "severity", "error"), title, detail)


def _tell_waiting(notifier: Notifier, record: RunRecord) -> None:
    asked = [f"{each['kind']} of {each['tool'] or 'a question'} by {each['agent']}" for each in record.interrupts]
    detail = {
        "kind": "waiting", "agent": record.agent, "interrupts": [each["id"] for each in record.interrupts],
        "asked": asked, **_ids(record, ""),
    }  # fmt: skip
    notifier.notify("info", f"run {record.run_id} of {record.agent} waits for a person", detail)


def _ids(record: RunRecord, error_id: str) -> dict[str, str]:
    return {
        "run_id": record.run_id, "thread_id": record.thread_id, "trace_id": record.trace_id, "error_id": error_id,
    }  # fmt: skip


async def note_answers(
    services: Services, record: RunRecord, answers: Mapping[str, Response], principal: Principal
) -> None:
    """Write down who answered what, before the run goes on by it.

    Raises:
        StoreError: The audit log cannot be written; the run waits on.
    """
    if services.audit is None or not answers:
        return
    asked = {request["id"]: request for request in record.interrupts}
    for key, answer in answers.items():
        request = asked[key]
        services.audit.record(
            Decided(
                kind="answer", verdict=type(answer).__name__.lower(), at=services.clock.now(), tenant=record.tenant,
                user=record.user, run_id=record.run_id, thread_id=record.thread_id, agent=request["agent"],
                call_id=request["call_id"], tool=request["tool"], rule=request["kind"], by=principal.user,
                interrupt_id=key, subject=answer.arguments if isinstance(answer, Edit) else request["arguments"],
            )
        )  # fmt: skip
    await services.audit.settle()
