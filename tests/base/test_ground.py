"""Budgets, usage, ids and errors."""

from __future__ import annotations

import re
from typing import Any

import pytest

from segue import BadInput, Budget, RunNotFinished, SegueError, UserError
from segue.base import errors
from segue.base.budget import Meter
from segue.base.errors import RunStopped
from segue.base.ids import derived_id, new_id
from segue.base.usage import Usage


def test_a_reservation_counts_here_and_above_until_it_is_settled() -> None:
    team = Meter(Budget(tokens=100))
    worker = Meter(Budget(tokens=80), parent=team)

    with worker.reserve(tokens=60) as held:
        assert (team.tokens_left(), worker.tokens_left()) == (40, 20)
        held.settle(Usage(input_tokens=10, model_calls=1))

    assert (team.tokens_left(), worker.tokens_left()) == (90, 70)
    assert team.spent == worker.spent == Usage(input_tokens=10, model_calls=1)


def test_two_workers_never_hold_together_what_each_alone_might() -> None:
    team = Meter(Budget(tool_calls=1))
    first, second = Meter(parent=team), Meter(parent=team)

    with first.reserve(tool_calls=1), pytest.raises(RunStopped, match="tool_calls"), second.reserve(tool_calls=1):
        pass

    with second.reserve(tool_calls=1):
        pass


def test_a_call_that_fails_gives_its_reservation_back() -> None:
    meter = Meter(Budget(tokens=10))

    with pytest.raises(LookupError), meter.reserve(tokens=10):
        raise LookupError

    assert meter.tokens_left() == 10


@pytest.mark.parametrize(
    "limit",
    [{"tokens": 0}, {"cost_usd": -1.0}, {"wall_s": float("nan")}, {"tokens": "many"}, {"tool_calls": []}],
    ids=repr,
)
def test_a_budget_below_anything_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=next(iter(limit))):
        Budget(**limit)


def test_a_cost_budget_that_is_spent_allows_no_further_generation() -> None:
    meter = Meter(Budget(cost_usd=0.01), spent=Usage(cost_usd=0.01))

    with pytest.raises(RunStopped, match="cost_usd") as stopped, meter.reserve(model_calls=1):
        pass

    assert stopped.value.reason == "budget"


def test_an_unknown_cost_stays_unknown_in_a_sum() -> None:
    known, unknown = Usage(cost_usd=0.5), Usage(cost_usd=None)

    assert (known + known).cost_usd == 1.0
    assert (known + unknown).cost_usd is None
    assert Usage.from_dict({**known.to_dict(), "from_tomorrow": 1}) == known


def test_ids_sort_by_when_they_were_made_and_derived_ones_are_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at = iter([1_700_000_000_000_000_000, 1_700_000_000_002_000_000, 1_800_000_000_000_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(at))
    made = [new_id("run") for _ in range(3)]

    assert made == sorted(made)
    assert all(re.fullmatch(r"run_[0-9a-z]{20}", each) for each in made)
    assert derived_id("int", "a", "b") == derived_id("int", "a", "b") != derived_id("int", "ab")


def test_every_error_has_a_category_an_id_and_says_its_way_out() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SegueError)]

    assert len(kinds) == 9
    assert UserError("no.", way_out="Do so.").error_id != UserError("no.").error_id
    assert str(UserError("It is so.", way_out="Do so.")) == "It is so. Do so."
    assert all(kind.category and kind.severity for kind in kinds)
    assert "ws.resume" in str(RunNotFinished("run_1", "waiting"))
