"""Requests in many fields against what is expected of the model; the cases are data, under `cases/`."""

from __future__ import annotations

from typing import Any

import pytest
from tests.router.offline.conversations import Played, all_cases, play
from tests.router.offline.derivable import undeclared

CASES = all_cases()


@pytest.mark.parametrize(("tools", "case"), [(t, c) for _, t, c in CASES], ids=[name for name, _, _ in CASES])
def test_a_conversation_goes_as_its_case_says(tools: list[dict[str, Any]], case: dict[str, Any]) -> None:
    for played in play(tools, case):
        _judge(played)


@pytest.mark.parametrize(("tools", "case"), [(t, c) for _, t, c in CASES], ids=[name for name, _, _ in CASES])
def test_no_call_of_a_case_holds_a_value_that_nobody_said(tools: list[dict[str, Any]], case: dict[str, Any]) -> None:
    for played in play(tools, case):
        assert undeclared(played.calls, played.before) == []


def test_the_cases_are_at_least_120_in_at_least_10_fields() -> None:
    fields = {name.rsplit("-", 1)[0] for name, _, _ in CASES}

    assert len(CASES) >= 120
    assert len(fields) >= 10


def _judge(played: Played) -> None:
    expected, text = played.expected, played.text
    assert played.message.get("name") == "offline-rules-1"
    assert "offline/rules-1" in text
    wanted = expected.get("either", [expected["calls"]] if "calls" in expected else None)
    if wanted is not None:
        assert played.calls in wanted, text
        return
    assert played.calls == []
    if "asks" in expected:
        assert text.endswith("?")
        assert [word for word in expected["asks"] if word not in text] == [], text
    elif expected.get("refuses"):
        assert "rule-based model" in text or "rules write neither" in text
        assert not text.endswith("?"), text
    else:
        assert [word for word in expected.get("shows", []) if word not in text] == [], text
        assert [word for word in expected.get("hides", []) if word in text] == [], text
