"""Trial: one run of a case, what came of it, and what each scorer says; plain data that can be read alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from segue.base.usage import Usage


@dataclass(frozen=True, kw_only=True)
class Score:
    """What one scorer says of one trial."""

    name: str
    passed: bool
    value: float
    """From 0 to 1: the share of what was expected that was found."""
    why: str = ""
    """What was missing or too much; empty where all was there."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a person was asked in a trial, and what was answered."""

    kind: str
    tool: str
    arguments: dict[str, Any]
    question: str = ""
    call_id: str = ""
    answer: str = ""
    """`approve`, `edit`, `reject`, `answer`; empty where nobody answered."""
    edited: dict[str, Any] | None = None
    """The arguments of an edit."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a case."""

    case_id: str
    number: int
    """From 1, among the trials of its case."""
    agent: str = ""
    run_id: str = ""
    """Of its last turn."""
    status: str = "failed"
    stop_reason: str = ""
    output: Any = None
    """The answer, or what a run that did not complete reached."""
    error: str = ""
    """Why there is no answer; empty where there is one."""
    outside: bool = False
    """Whether it failed by what lies outside, such as an endpoint that is down: that says nothing of the agent."""
    scores: list[Score] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    trajectory: list[dict[str, Any]] = field(default_factory=list)
    """Generations and tool results of all its turns, in their order."""
    spans: list[dict[str, Any]] = field(default_factory=list)
    """The trace of its last turn, flat."""
    models: list[str] = field(default_factory=list)
    """Those that answered."""
    usage: dict[str, Any] = field(default_factory=dict)
    duration_s: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every scorer is content, and there is one."""
        return bool(self.scores) and all(score.passed for score in self.scores)

    @property
    def value(self) -> float:
        """The mean over its scorers, from 0 to 1."""
        return sum(score.value for score in self.scores) / len(self.scores) if self.scores else 0.0

    @property
    def text(self) -> str:
        """The answer as text."""
        return as_text(self.output)

    @property
    def spent(self) -> Usage:
        """Tokens, calls and cost of all its turns."""
        return Usage.from_dict(self.usage)

    @property
    def whys(self) -> list[str]:
        """Why it did not pass, a reason a scorer."""
        return [f"{score.name}: {score.why}" for score in self.scores if not score.passed]

    def results(self) -> list[dict[str, Any]]:
        """The results of its tool calls, in their order."""
        return [step for step in self.trajectory if step.get("type") == "tool_result"]


def as_text(output: Any) -> str:
    """An answer as text: as it stands, or as JSON."""
    if output is None:
        return ""
    if isinstance(output, str):
        return output
    import orjson

    return orjson.dumps(output, default=str).decode()
