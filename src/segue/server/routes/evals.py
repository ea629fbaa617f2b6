"""Evals: results that `segue eval` kept, and cases that are made of runs.

Agents are not tried over HTTP: what a served agent writes is written, so a trial needs a world of its own, which only
the one who defines the agent can make.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Query, status
from starlette.responses import Response

from segue.base.errors import BadInput
from segue.base.usage import Usage
from segue.evals.calls import calls_of
from segue.evals.case import Case
from segue.evals.comparison import compare
from segue.evals.from_run import case_of
from segue.evals.report import report
from segue.evals.result import Result
from segue.evals.store import EvalStore
from segue.evals.trial import Trial
from segue.server.errors import NotThere
from segue.server.keys import Key
from segue.server.routes.traces import span_told
from segue.server.routing import Limit, routes
from segue.server.serving import Here, Server, Who
from segue.server.told_evals import (
    AskedTold,
    CallTold,
    CaseAsked,
    CaseOfResultTold,
    CaseRowTold,
    ComparisonTold,
    EvalCaseTold,
    KeptCasesTold,
    KeptCaseTold,
    ResultsTold,
    ResultTold,
    ScoreTold,
    TrialTold,
    WholeResultTold,
)  # fmt: skip
from segue.tracing.spans import SpanRow
from segue.tracing.tree import build_tree

router = routes("evals")
T = TypeVar("T")
_HTML: dict[int | str, dict[str, Any]] = {
    200: {"description": "One page, to be saved.", "content": {"text/html": {"schema": {"type": "string"}}}}
}


@router.get("/evals/results")
async def list_results(server: Here, who: Who, limit: Limit = 50) -> ResultsTold:
    """List the newest results."""
    found = await _kept(server, lambda store: store.results(who.tenant, limit=limit))
    return ResultsTold(results=[ResultTold.model_validate(each) for each in found])


@router.get("/evals/results/{result_id}")
async def get_result(result_id: str, server: Here, who: Who) -> WholeResultTold:
    """Read a result, a line a case."""
    result = await _result(server, who, result_id)
    rows = [_row(case, result.by_case[case.id], passed=result.passed(case.id)) for case in result.cases]
    return WholeResultTold(**result.summary(), rows=rows)


@router.get("/evals/results/{result_id}/case")
async def get_case(
    result_id: str, server: Here, who: Who, case_id: Annotated[str, Query(max_length=200)]
) -> CaseOfResultTold:
    """Read one case of a result: what was expected beside what came."""
    result = await _result(server, who, result_id)
    case = next((each for each in result.cases if each.id == case_id), None)
    if case is None:
        raise NotThere("case", case_id)
    return CaseOfResultTold(case=EvalCaseTold(**_case(case)), trials=[_trial(each) for each in result.by_case[case.id]])


@router.get("/evals/results/{result_id}/report", response_class=Response, responses=_HTML)
async def get_report(result_id: str, server: Here, who: Who) -> Response:
    """Take the report of a result along, as a page that needs nothing beside itself."""
    page = report(await _result(server, who, result_id))
    held = {"Content-Disposition": f'attachment; filename="{result_id}.html"'}
    return Response(page, media_type="text/html; charset=utf-8", headers=held)


@router.get("/evals/compare")
async def compare_results(
    server: Here, who: Who, before: Annotated[str, Query(max_length=200)], after: Annotated[str, Query(max_length=200)]
) -> ComparisonTold:
    """Compare two results over the cases that both have."""
    found = compare(await _result(server, who, before), await _result(server, who, after))
    return ComparisonTold.model_validate(found.to_dict())


@router.get("/evals/cases")
async def list_cases(server: Here, who: Who, agent: Annotated[str, Query(max_length=100)] = "") -> KeptCasesTold:
    """List the cases that were made of runs."""
    found = await _kept(server, lambda store: store.cases(who.tenant, agent))
    return KeptCasesTold(cases=[KeptCaseTold(**_case(case), agent=name, run_id=run_id) for name, run_id, case in found])


@router.post("/runs/{run_id}/case", status_code=status.HTTP_201_CREATED)
async def keep_case(run_id: str, asked: CaseAsked, server: Here, who: Who) -> KeptCaseTold:
    """Make a case of a run that has ended or waits; made again, it is written over."""
    record = server.run(run_id, who)
    case = case_of(record, good=asked.good, comment=server.ws.services.redact(asked.comment))
    expect = case.expect
    said = {"contains": [*expect.contains, *asked.contains], "lacks": [*expect.lacks, *asked.lacks]}
    case = case.model_copy(update={"expect": expect.model_copy(update=said)})
    at = server.now()
    await _kept(server, lambda store: store.keep_case(who.tenant, record.agent, case, run_id=run_id, at=at))
    return KeptCaseTold(**_case(case), agent=record.agent, run_id=run_id)


@router.delete("/evals/cases/{agent}/{case_id}", status_code=status.HTTP_204_NO_CONTENT)
async def drop_case(agent: str, case_id: str, server: Here, who: Who) -> None:
    """Forget a case that was made of a run."""
    if not await _kept(server, lambda store: store.drop_case(who.tenant, agent, case_id)):
        raise NotThere("case", case_id)


@router.delete("/evals/results/{result_id}", status_code=status.HTTP_204_NO_CONTENT)
async def drop_result(result_id: str, server: Here, who: Who) -> None:
    """Forget a result."""
    if not await _kept(server, lambda store: store.drop(who.tenant, result_id)):
        raise NotThere("result", result_id)


async def _kept(server: Server, look: Callable[[EvalStore], T]) -> T:
    return await asyncio.to_thread(look, server.evals)


async def _result(server: Server, who: Key, result_id: str) -> Result:
    try:
        return await _kept(server, lambda store: store.result(who.tenant, result_id))
    except BadInput:
        raise NotThere("result", result_id) from None


def _case(case: Case) -> dict[str, Any]:
    expect = case.expect.model_dump(mode="json", exclude_defaults=True)
    return {"id": case.id, "request": case.turns, "expect": expect, "tags": case.tags, "note": case.note}


def _row(case: Case, trials: list[Trial], *, passed: bool) -> CaseRowTold:
    spent = sum((trial.spent for trial in trials), Usage())
    return CaseRowTold(
        id=case.id, request=case.turns, tags=case.tags, passed=passed, trials=len(trials),
        value=sum(trial.value for trial in trials) / (len(trials) or 1),
        whys=list(dict.fromkeys(why for trial in trials for why in trial.whys)), tool_calls=spent.tool_calls,
        tokens=spent.total_tokens, cost_usd=spent.cost_usd, duration_s=sum(trial.duration_s for trial in trials),
    )  # fmt: skip


def _trial(trial: Trial) -> TrialTold:
    spans = build_tree([SpanRow(**{**each, "payload": None}) for each in trial.spans])
    return TrialTold(
        number=trial.number, run_id=trial.run_id, status=trial.status, output=trial.text, error=trial.error,
        passed=trial.passed, scores=[ScoreTold(**vars(each)) for each in trial.scores],
        calls=[CallTold(**vars(each)) for each in calls_of(trial)],
        asked=[AskedTold(tool=each.tool, question=each.question, answer=each.answer) for each in trial.asked],
        spans=[span_told(each) for each in spans], duration_s=trial.duration_s, cost_usd=trial.spent.cost_usd,
        tokens=trial.spent.total_tokens,
    )  # fmt: skip
