"""What a person is shown at the terminal, and what becomes of what they type."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from segue import Answer, Approve, Reject
from segue.cli import asking
from segue.context.decisions import InterruptRequest

DOUBT = InterruptRequest(
    id="int_1", kind="effect", tool="pay", arguments={"to": "ann"}, agent="payer",
    reason="pay was begun and whether it took effect is not known",
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "response"),
    [
        ("again\n", Approve()),
        ("leave\nask the bank\n", Reject("ask the bank")),
        ("done\nreceipt 7\n", Answer("receipt 7")),
        ("maybe\nagain\n", Approve()),
    ],
    ids=["again", "leave", "done", "neither, then again"],
)
def test_a_doubtful_effect_is_done_again_left_or_was_done(
    typed: str, response: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    lines = iter(typed.splitlines())
    monkeypatch.setattr("builtins.input", lambda *_: next(lines))

    answered = asking.ask(Console(file=shown, width=200), DOUBT)

    assert answered == response
    assert "payer ran pay" in shown.getvalue()
    assert "whether it took effect is not known" in shown.getvalue()
