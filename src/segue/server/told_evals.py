"""What the routes of evals take and tell."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from segue.server.schemas import Asked, SpanTold, Told


class ResultTold(Told):
    """What a list of results shows of one."""

    id: str
    suite: str
    agent: str
    label: str
    started_at: float
    duration_s: float
    parts: list[str]
    """The ids and tags that it was about; empty for the whole suite."""
    cases: int
    trials: int
    passed: int
    pass_rate: float
    low: float
    """The 95 % interval of the pass rate."""
    high: float
    models: list[str]
    offline: bool
    """Whether a set of rules answered, not a language model."""
    cost_usd: float | None
    tokens: int


class ResultsTold(Told):
    """Results, newest first."""

    results: list[ResultTold]


class CaseRowTold(Told):
    """One case of a result, in a line."""

    id: str
    request: list[str]
    tags: list[str]
    passed: bool
    trials: int
    value: float
    """The mean score, from 0 to 1."""
    whys: list[str]
    tool_calls: int
    tokens: int
    cost_usd: float | None
    duration_s: float


class WholeResultTold(ResultTold):
    """A result with its cases."""

    rows: list[CaseRowTold]


class ScoreTold(Told):
    """What one scorer says."""

    name: str
    passed: bool
    value: float
    why: str


class CallTold(Told):
    """A tool call that was made."""

    tool: str
    arguments: dict[str, Any]
    failed: bool


class AskedTold(Told):
    """What people were asked, and what was answered."""

    tool: str
    question: str
    answer: str


class TrialTold(Told):
    """One run of a case."""

    number: int
    run_id: str
    status: str
    output: str
    error: str
    passed: bool
    scores: list[ScoreTold]
    calls: list[CallTold]
    asked: list[AskedTold]
    spans: list[SpanTold]
    duration_s: float
    cost_usd: float | None
    tokens: int


class EvalCaseTold(Told):
    """A case as it stands in its file."""

    id: str
    request: list[str]
    expect: dict[str, Any]
    tags: list[str]
    note: str


class CaseOfResultTold(Told):
    """A case beside what came of it."""

    case: EvalCaseTold
    trials: list[TrialTold]


class DifferenceTold(Told):
    """One figure in two results."""

    name: str
    before: float
    after: float
    low: float
    high: float
    shown: bool
    """Whether the 95 % interval of the difference leaves out 0."""


class ComparisonTold(Told):
    """Two results, case by case."""

    verdict: str
    common: int
    fixed: list[str]
    broken: list[str]
    only_before: list[str]
    only_after: list[str]
    changed: list[str]
    p_value: float
    differences: list[DifferenceTold]


class KeptCaseTold(EvalCaseTold):
    """A case that was made of a run."""

    agent: str
    run_id: str


class KeptCasesTold(Told):
    """Cases that were made of runs, oldest first."""

    cases: list[KeptCaseTold]


class CaseAsked(Asked):
    """A run that is to become a case."""

    good: bool
    """Whether it is to stay as it was; if not, the case passes when the answer is another."""
    comment: Annotated[str, Field(max_length=10_000)] = ""
    contains: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(default=[], max_length=50)
    """What the answer must say, beside what is taken from the run."""
    lacks: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(default=[], max_length=50)
