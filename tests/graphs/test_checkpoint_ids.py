"""Ids of checkpoints are those that LangGraph would have made."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from langgraph.checkpoint.base.id import uuid6

from segue.graphs.checkpoint_ids import new_checkpoint_id


@pytest.mark.parametrize("step", [-1, 0, 7, 0x3FFF, 0x4001])
def test_it_has_the_fields_of_langgraphs(step: int) -> None:
    ours, theirs = UUID(new_checkpoint_id(step)), UUID(str(uuid6(clock_seq=step)))

    assert (ours.version, ours.variant) == (theirs.version, theirs.variant) == (6, UUID(int=0x8000 << 48).variant)
    assert (ours.clock_seq_hi_variant, ours.clock_seq_low) == (theirs.clock_seq_hi_variant, theirs.clock_seq_low)
    assert 0 < theirs.time - ours.time < 10_000_000_000 or ours.int < theirs.int
    assert str(ours) == str(UUID(str(ours)))


def test_ours_and_theirs_rise_together() -> None:
    ids = [new_checkpoint_id(at % 5) if at % 2 else str(uuid6(clock_seq=at % 5)) for at in range(20_000)]

    assert ids == sorted(set(ids))


def test_they_rise_where_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_checkpoint_id(1)
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)

    assert before < new_checkpoint_id(2) < str(uuid6(clock_seq=3)) < new_checkpoint_id(4)
