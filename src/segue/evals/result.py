"""Result: the trials of one experiment with their cases; counted, written to a file and read again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from segue._version import __version__
from segue.base.errors import BadInput
from segue.base.usage import Usage
from segue.evals.case import Case
from segue.evals.trial import Asked, Score, Trial

_FORMAT = 1
_Z = 1.959964
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one experiment."""

    id: str
    suite: str
    """What the cases are called, as a file's name without its ending."""
    agent: str
    started_at: float
    """Seconds since 1970."""
    duration_s: float
    cases: list[Case]
    trials: list[Trial]
    """In the order of the cases, then of their numbers."""
    label: str = ""
    """What people call it: a branch, a model, a prompt."""
    version: str = __version__
    """Of Segue."""
    parts: list[str] = field(default_factory=list)
    """The ids and tags that were asked for; empty for the whole suite."""

    @cached_property
    def by_case(self) -> dict[str, list[Trial]]:
        """The trials of each case, by its id."""
        found: dict[str, list[Trial]] = {case.id: [] for case in self.cases}
        for trial in self.trials:
            found[trial.case_id].append(trial)
        return found

    def passed(self, case_id: str) -> bool:
        """Whether every trial of the case passed."""
        trials = self.by_case.get(case_id, [])
        return bool(trials) and all(trial.passed for trial in trials)

    @property
    def failing(self) -> list[str]:
        """The ids of cases that did not pass, in the suite's order."""
        return [case.id for case in self.cases if not self.passed(case.id)]

    @property
    def pass_rate(self) -> float:
        """The share of cases whose every trial passed."""
        return 1 - len(self.failing) / len(self.cases) if self.cases else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the pass rate lies with 95 % confidence, by Wilson (JASA 22, 1927)."""
        return wilson(len(self.cases) - len(self.failing), len(self.cases))

    @property
    def usage(self) -> Usage:
        """Tokens, calls and cost of all trials."""
        return sum((trial.spent for trial in self.trials), Usage())

    @property
    def models(self) -> list[str]:
        """Those that answered in any trial."""
        return sorted({model for trial in self.trials for model in trial.models})

    @property
    def offline(self) -> bool:
        """Whether a set of rules answered, not a language model: such a result says nothing of a model."""
        return any(model.startswith("offline/") for model in self.models)

    def summary(self) -> dict[str, Any]:
        """What a list of results shows, as plain data."""
        usage, (low, high) = self.usage, self.interval
        return {
            "id": self.id, "suite": self.suite, "agent": self.agent, "label": self.label,
            "started_at": self.started_at, "duration_s": self.duration_s, "version": self.version,
            "parts": self.parts, "cases": len(self.cases), "trials": len(self.trials),
            "passed": len(self.cases) - len(self.failing), "failing": self.failing, "pass_rate": self.pass_rate,
            "low": low, "high": high, "models": self.models, "offline": self.offline, "cost_usd": usage.cost_usd,
            "tokens": usage.total_tokens,
        }  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """All of it, as plain data."""
        held = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in ("cases", "trials")}
        cases = [case.model_dump(mode="json", exclude_defaults=True) for case in self.cases]
        return {"format": _FORMAT, **held, "cases": cases, "trials": [asdict(trial) for trial in self.trials]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Result:
        """The inverse of `to_dict`; keys that it does not know are left out."""
        known = {name: data[name] for name in cls.__dataclass_fields__ if name in data}
        known["cases"] = [Case.model_validate(each) for each in data["cases"]]
        known["trials"] = [_trial(each) for each in data["trials"]]
        return cls(**known)

    def save(self, path: Path | str) -> None:
        """Write it to a file, as JSON."""
        Path(path).write_bytes(orjson.dumps(self.to_dict(), default=str, option=orjson.OPT_INDENT_2))

    @classmethod
    def load(cls, path: Path | str) -> Result:
        """Read what `save` wrote.

        Raises:
            BadInput: There is no such file, or it holds no result.
        """
        place = Path(path)
        try:
            data = orjson.loads(place.read_bytes())
            if data["format"] != _FORMAT:
                raise BadInput(f"{place} is a result of format {data['format']}; this version reads {_FORMAT}")
            return cls.from_dict(data)
        except OSError as error:
            raise BadInput(f"the result in {place} cannot be read: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{place} holds no result of an experiment: {type(error).__name__}: {error}") from None


def wilson(passed: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson's score."""
    if not total:
        return 0.0, 1.0
    share, square = passed / total, _Z**2
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = _Z / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def _trial(data: dict[str, Any]) -> Trial:
    held = {name: data[name] for name in Trial.__dataclass_fields__ if name in data}
    held["scores"] = [_of(Score, each) for each in _list(held, "scores")]
    held["asked"] = [_of(Asked, each) for each in _list(held, "asked")]
    return Trial(**held)


def _list(held: dict[str, Any], name: str) -> Sequence[dict[str, Any]]:
    found: Sequence[dict[str, Any]] = held.get(name) or ()
    return found


def _of(kind: Any, data: dict[str, Any]) -> Any:
    return kind(**{name: data[name] for name in kind.__dataclass_fields__ if name in data})
