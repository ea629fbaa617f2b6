"""Experiment: an agent and cases in, a result out; each case is run as often as asked, some side by side.

Where the agent is made by a function of a folder, each trial has a world of its own: a folder that is empty at first
and gone afterwards, with a workspace in it, so that no trial sees what another did. An agent that is given as it stands
works where it always works, in the workspace that is given: what its tools write is written.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from segue.agents.run import Run
from segue.agents.runnable import Runnable
from segue.base.budget import Budget
from segue.base.errors import BadInput, OperatorError, SegueError, UserError
from segue.base.ids import new_id
from segue.base.principal import LOCAL, Principal
from segue.base.usage import Usage
from segue.context.decisions import Answer, Approve, Edit, InterruptRequest, Reject, Response
from segue.evals.case import AnswerRule, Case
from segue.evals.judge import Judge
from segue.evals.result import Result
from segue.evals.scoring import OURS, Scorer, scores
from segue.evals.trial import Asked, Trial
from segue.workspace import Workspace

_BY = "the case"
_MOST_ROUNDS = 50
"""So often a trial is answered; who asks more often never ends."""
World = Callable[[Path], Runnable]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What is tried."""

    agent: Runnable | World
    """An agent or a team, or a function that makes one for a folder."""
    cases: Sequence[Case]
    suite: str = ""
    label: str = ""
    scorers: Sequence[Scorer] = ()
    """Beside ours."""
    trials: int = 1
    """How often each case is run."""
    parallel: int = 4
    """How many trials run at once."""
    timeout_s: float = 300.0
    """The longest that a turn of a case without a budget of its own may run."""
    deps: Any = None
    principal: Principal = LOCAL
    parts: Sequence[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse what cannot be tried."""
        if not self.cases:
            raise BadInput("an experiment without a case says nothing")
        if self.trials < 1 or self.parallel < 1:
            raise BadInput(f"trials={self.trials} and parallel={self.parallel}: each is at least 1")

    async def run(self, ws: Workspace, *, told: Callable[[Trial], None] | None = None) -> Result:
        """Run every trial and return the result; `told` hears of each trial when it ends.

        Raises:
            UserError: What makes the agent raised, or made none.
        """
        started_at, began = time.time(), time.monotonic()
        slots = asyncio.Semaphore(self.parallel)
        numbered = [(case, number) for case in self.cases for number in range(1, self.trials + 1)]

        async def one(case: Case, number: int) -> Trial:
            async with slots:
                trial = await self.trial(ws, case, number)
            if told is not None:
                told(trial)
            return trial

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(case, number)) for case, number in numbered]
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        trials = [task.result() for task in tasks]
        return Result(
            id=new_id("eval"), suite=self.suite, agent=trials[0].agent, label=self.label, started_at=started_at,
            duration_s=time.monotonic() - began, cases=list(self.cases), trials=trials, parts=list(self.parts),
        )  # fmt: skip

    async def trial(self, ws: Workspace, case: Case, number: int = 1) -> Trial:
        """Run one case once, and score it.

        Raises:
            UserError: What makes the agent raised, or made none.
        """
        async with self._world(ws) as (inner, agent):
            trial = await self._tried(inner, agent, case, number)
        return replace(trial, scores=await scores(case, trial, [*OURS, Judge(ws), *self.scorers]))

    @asynccontextmanager
    async def _world(self, ws: Workspace) -> AsyncIterator[tuple[Workspace, Runnable]]:
        if isinstance(self.agent, Runnable):
            yield ws, self.agent
            return
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="segue-eval-"))
        try:
            agent = await asyncio.to_thread(made, self.agent, folder)
            own = {"database_url": "", "checkpoints": "", "encryption_key": ""}
            settings = ws.settings.model_copy(update=own)
            core = await ws.router.core() if hasattr(ws.router, "core") else ws.router
            async with Workspace.open(ws.folder, data_dir=folder / ".segue", settings=settings, router=core) as inner:
                yield inner, agent
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _tried(self, ws: Workspace, agent: Runnable, case: Case, number: int) -> Trial:
        asked: list[Asked] = []
        runs: list[Run] = []
        thread = new_id("thread")
        for request in case.turns:
            budget = Budget(**{"wall_s": self.timeout_s, **case.budget.model_dump(exclude_none=True)})
            run = await ws.run(
                agent, request, thread_id=thread, deps=self.deps, principal=self.principal, budget=budget,
                tags=["eval", case.id],
            )  # fmt: skip
            run = await self._answered(ws, agent, case, run, asked)
            runs.append(run)
            if run.status != "completed":
                break
        return await _told(ws, case, number, runs, asked, self.principal)

    async def _answered(self, ws: Workspace, agent: Runnable, case: Case, run: Run, asked: list[Asked]) -> Run:
        """The run after everything that it asks and the case has an answer for."""
        for _ in range(_MOST_ROUNDS):
            if run.status != "waiting":
                return run
            answers: dict[str, Response] = {}
            entries: list[Asked] = []
            for request in run.interrupts:
                rule = _rule(case, request)
                if rule is not None:
                    answers[request.id] = _response(rule, request)
                entries.append(_asked(request, rule))
            if len(answers) < len(entries):  # it waits for all of them
                asked += [replace(each, answer="", edited=None) for each in entries]
                return run
            asked += entries
            run = await ws.resume(run.id, answers, agent=agent, deps=self.deps, principal=self.principal)
        return run


def made(world: World, folder: Path) -> Runnable:
    """The agent that a function makes for a folder.

    Raises:
        UserError: It raised, or returned something else.
    """
    try:
        agent = world(folder)
    except SegueError:
        raise
    except Exception as error:
        raise UserError(f"{_name(world)} raised {type(error).__name__} for a new folder: {error}") from error
    if not isinstance(agent, Runnable):
        raise UserError(f"{_name(world)} returned {type(agent).__name__}, not an Agent or a Team")
    return agent


def _name(agent: Any) -> str:
    return str(agent.name if isinstance(agent, Runnable) else getattr(agent, "__name__", type(agent).__name__))


def _rule(case: Case, request: InterruptRequest) -> AnswerRule | None:
    fitting = ("answer",) if request.kind == "question" else ("approve", "edit", "reject")
    for rule in case.answers:
        if rule.tool in ("", request.tool) and rule.type in fitting:
            return rule
    return None


def _response(rule: AnswerRule, request: InterruptRequest) -> Response:
    match rule.type:
        case "approve":
            return Approve(by=_BY)
        case "edit":
            return Edit({**request.arguments, **rule.arguments}, by=_BY)
        case "reject":
            return Reject(rule.reason, by=_BY)
        case "answer":
            return Answer(rule.value, by=_BY)


def _asked(request: InterruptRequest, rule: AnswerRule | None) -> Asked:
    edited = {**request.arguments, **rule.arguments} if rule is not None and rule.type == "edit" else None
    return Asked(
        kind=request.kind, tool=request.tool, arguments=request.arguments, question=request.question,
        call_id=request.call_id, answer="" if rule is None else rule.type, edited=edited,
    )  # fmt: skip


async def _told(
    ws: Workspace, case: Case, number: int, runs: Sequence[Run], asked: list[Asked], principal: Principal
) -> Trial:
    """The runs of a case as one trial, not scored yet."""
    last = runs[-1]
    trajectory = [step for run in runs for step in run.trajectory]
    spans = [
        {**node.span._asdict(), "payload": None}
        for root in await ws.trace(last.id, principal=principal)
        for node in root.walk()
    ]
    return Trial(
        case_id=case.id, number=number, agent=last.record.agent, run_id=last.id, status=last.status,
        stop_reason=last.stop_reason or "", outside=isinstance(last.exception, OperatorError),
        output=last.record.output if last.status == "completed" else last.partial, error=last.error, asked=asked,
        trajectory=trajectory, spans=spans,
        models=sorted({step["model"] for step in trajectory if step.get("type") == "generation" and step.get("model")}),
        usage=sum((run.usage for run in runs), Usage()).to_dict(), duration_s=sum(run.duration_s for run in runs),
    )  # fmt: skip


def _first(errors: BaseExceptionGroup) -> BaseException:
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
