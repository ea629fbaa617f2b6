"""The corpus: what is said of each pair of an old checkpoint and a changed graph, and what really becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.graphs.upgrades import channels, flow, inside, people
from tests.graphs.upgrades.pair import Pair, judged, observe

PAIRS = [*channels.PAIRS, *flow.PAIRS, *inside.PAIRS, *people.PAIRS]
MENDED = [pair for pair in PAIRS if pair.migrations]


def named(pair: Pair) -> str:
    return pair.name.replace(" ", "-")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_corpus_has_at_least_eighty_pairs_with_names_of_their_own() -> None:
    assert len({pair.name for pair in PAIRS}) == len(PAIRS) >= 80


@pytest.mark.parametrize("pair", PAIRS, ids=named)
async def test_what_is_expected_of_a_pair_is_what_resuming_it_comes_to(pair: Pair) -> None:
    outcome = await observe(pair)

    assert pair.well(outcome) == (pair.verdict == "resumes"), outcome


@pytest.mark.parametrize("pair", PAIRS, ids=named)
async def test_the_check_says_what_is_expected_and_where(pair: Pair) -> None:
    verdict = await judged(pair)

    assert verdict.kind == pair.verdict, str(verdict)
    if pair.where:
        assert pair.where in [each.where for each in verdict.findings], str(verdict)


@pytest.mark.parametrize("pair", MENDED, ids=named)
async def test_a_migration_mends_what_needs_one(pair: Pair) -> None:
    verdict = await judged(pair, migrated=True)
    outcome = await observe(pair, migrated=True)

    assert pair.verdict == "needs migration"
    assert verdict.kind == "resumes", str(verdict)
    assert (pair.mended or pair.well)(outcome), outcome
