"""The gate against those who know it."""

from __future__ import annotations

import pytest
from tests.guards.attacks import ATTACKS, Attack
from tests.guards.office import TOOLS

from segue.context.decisions import Allow
from segue.guards.gate import Gate


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate(TOOLS)


def _through(gate: Gate, *, pinned: bool) -> list[str]:
    return [each.name for each in ATTACKS if each.gets_through(gate, pinned=pinned)]


def test_there_are_many_kinds_of_attack() -> None:
    assert len({each.name for each in ATTACKS}) == len(ATTACKS) >= 60


def test_at_most_one_attack_in_seven_gets_through_without_pins(gate: Gate) -> None:
    through = _through(gate, pinned=False)

    assert len(through) / len(ATTACKS) <= 0.15, through


def test_at_most_one_attack_in_seventeen_gets_through_with_pins(gate: Gate) -> None:
    through = _through(gate, pinned=True)

    assert len(through) / len(ATTACKS) <= 0.06, through


@pytest.mark.parametrize("attack", [each for each in ATTACKS if each.fine], ids=lambda each: each.name)
def test_what_was_asked_for_is_let_through_beside_the_attack(gate: Gate, attack: Attack) -> None:
    session = attack.begin(gate, pinned=True)

    for tool, arguments in attack.fine:
        assert isinstance(session.judge(tool, arguments), Allow), session.judge(tool, arguments)


def test_without_a_gate_every_attack_would_get_through() -> None:
    observing = Gate(TOOLS, policy="observe")

    assert len(_through(observing, pinned=True)) == len(ATTACKS)
