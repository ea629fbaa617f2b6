"""Text made to keep a rail busy: time grows with its length, and no faster."""

from __future__ import annotations

import time
from typing import Any

import pytest

from segue.context import RunContext
from segue.guards import (
    InjectionSignals,
    Rail,
    Subject,
    matches_schema,
    max_length,
    no_foreign_links,
    no_hidden_text,
    no_pii,
    no_secrets,
    on_topic,
)

UNITS = (
    *(
        "a@",
        "1 ",
        "1",
        "[",
        "](",
        "[a](",
        "<a ",
        '<a "',
        "https://",
        "www.",
        "{",
        "'",
        '"\\',
        "\u200b",
        '<src="',
        "url(",
    ),
    *("::", "-----BEGIN PRIVATE KEY-----", "password=", "+1", "eyJ", "[x]: \n", "```\n", "bearer ", "TFN", ",]", "&#x"),
    *("DE89 ", "\U0001f3f4\U000e0067", " ", "a.", "[a](a(a", "sk-"),
)
RAILS = [
    no_secrets(),
    no_pii(),
    no_hidden_text(),
    no_foreign_links(),
    InjectionSignals(),
    matches_schema({"type": "object"}),
    on_topic(["order"], examples=["where is my order?"]),
    max_length(10),
]


@pytest.mark.parametrize("check", RAILS, ids=lambda check: check.name)
async def test_hostile_text_is_judged_in_time(ctx: RunContext[Any], check: Rail) -> None:
    slow = []
    for unit in UNITS:
        subject = Subject(place="output", text=unit * (100_000 // len(unit)))
        started = time.process_time()

        await check.check(subject, ctx)

        if time.process_time() - started > 1.5:
            slow.append(unit)

    assert slow == []
