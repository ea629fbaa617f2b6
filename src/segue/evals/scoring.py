"""Scoring: a case and its trial in, a score of each scorer that has something to look at out.

A scorer is a function of a case and a trial, plain or async, that returns a `Score`, or `None` where the case expects
nothing of its kind. One that raises passes nothing, and says what it raised.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence

from segue.evals.answer import score_limits, score_output, score_status
from segue.evals.calls import score_asks, score_calls
from segue.evals.case import Case
from segue.evals.citations import score_citations
from segue.evals.trial import Score, Trial

Scorer = Callable[[Case, Trial], Score | Awaitable[Score | None] | None]
OURS: Sequence[Scorer] = (score_status, score_output, score_citations, score_calls, score_asks, score_limits)


async def scores(case: Case, trial: Trial, scorers: Sequence[Scorer]) -> list[Score]:
    """What each scorer says, in their order."""
    found = []
    for scorer in scorers:
        try:
            said = scorer(case, trial)
            score = await said if inspect.isawaitable(said) else said
            if score is not None and not isinstance(score, Score):
                raise TypeError(f"it returned {type(score).__name__}, not a Score")
        except Exception as error:
            name = getattr(scorer, "__name__", type(scorer).__name__)
            score = Score(name=name, passed=False, value=0.0, why=f"it raised {type(error).__name__}: {error}")
        if score is not None:
            found.append(score)
    return found
