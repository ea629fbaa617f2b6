"""Evals: cases in, scored trials out; two results compared; a run that somebody liked or disliked made a case."""

from segue.evals.case import Case, Expect, load_cases, write_cases
from segue.evals.comparison import Comparison, compare
from segue.evals.experiment import Experiment
from segue.evals.result import Result
from segue.evals.scoring import Scorer
from segue.evals.trial import Score, Trial

__all__ = [
    "Case", "Comparison", "Expect", "Experiment", "Result", "Score", "Scorer", "Trial", "compare", "load_cases",
    "write_cases",
]  # fmt: skip
