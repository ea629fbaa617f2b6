"""Evals: cases in, scored trials out; two results compared; a run that somebody liked or disliked made a case.

Names are imported when they are first used, so that the pytest plugin, which every test run loads, costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.evals.case import Case, Expect, load_cases, write_cases
    from segue.evals.comparison import Comparison, compare
    from segue.evals.experiment import Experiment
    from segue.evals.from_run import case_of
    from segue.evals.result import Result
    from segue.evals.scoring import Scorer
    from segue.evals.trial import Score, Trial

_HOMES = {
    "Case": "case",
    "Comparison": "comparison",
    "Expect": "case",
    "Experiment": "experiment",
    "Result": "result",
    "Score": "trial",
    "Scorer": "scoring",
    "Trial": "trial",
    "case_of": "from_run",
    "compare": "comparison",
    "load_cases": "case",
    "write_cases": "case",
}

__all__ = [
    "Case",
    "Comparison",
    "Expect",
    "Experiment",
    "Result",
    "Score",
    "Scorer",
    "Trial",
    "case_of",
    "compare",
    "load_cases",
    "write_cases",
]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'segue.evals' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"segue.evals.{home}"), name)
        globals()[name] = value
        return value
