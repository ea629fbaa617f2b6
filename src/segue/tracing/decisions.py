"""Decisions, as they are handed to the audit log: what a rail, the gate or a person said in, one record of it out.

What of it is written, and how, is the log's own: `segue.tracing.audit`.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol, get_args

from segue.base.principal import Principal

Kind = Literal["rail", "gate", "answer", "gap"]
"""Who decided: a rail, the gate, a person; `gap` says how many decisions could not be written."""
Verdict = Literal["allow", "rewrite", "block", "ask", "approve", "edit", "reject", "answer", "lost"]
VERDICTS: frozenset[str] = frozenset(get_args(Verdict))


class Acting(Protocol):
    """What a decision takes from the run that it is made in; a run context has it all."""

    @property
    def run_id(self) -> str:
        """The run."""
        ...

    @property
    def thread_id(self) -> str:
        """The conversation."""
        ...

    @property
    def agent(self) -> str:
        """Who acts."""
        ...

    @property
    def task_id(self) -> str:
        """The plan's task; empty outside a plan."""
        ...

    @property
    def principal(self) -> Principal:
        """On whose behalf."""
        ...

    def now(self) -> float:
        """Seconds since 1970."""
        ...


class Decided(NamedTuple):
    """One decision, as it is handed in. What is no plain name or id is hashed before it is written."""

    kind: Kind
    verdict: str
    at: float
    """Seconds since 1970."""
    tenant: str
    user: str
    """On whose behalf the run acts; written as a keyed hash."""
    run_id: str
    thread_id: str
    agent: str = ""
    task_id: str = ""
    call_id: str = ""
    tool: str = ""
    effect: str = ""
    place: str = ""
    """Where a rail stands: input, plan, output, tool_call, tool_result."""
    rule: str = ""
    by: str = ""
    """The user who answered; written as a keyed hash."""
    interrupt_id: str = ""
    subject: Any = None
    """What was decided over, such as a call's arguments; only its keyed hash is written."""


def decided(ctx: Acting, kind: Kind, verdict: str, *, agent: str = "", **more: Any) -> Decided:
    """A decision made in a run; `more` are the other fields of `Decided`."""
    whose = ctx.principal
    return Decided(
        kind, verdict, ctx.now(), whose.tenant, whose.user, ctx.run_id, ctx.thread_id, agent or ctx.agent, ctx.task_id,
        **more,
    )  # fmt: skip
