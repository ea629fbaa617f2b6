"""Secrets and personal data: what is found, what is left, and how often the rail is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segue.base.errors import UserError
from segue.context import Allow, Ask, Block, Rewrite, RunContext
from segue.guards import Place, Rail, Subject, judge, no_pii, no_secrets
from segue.tracing.detectors import PII_KINDS, find_pii, find_secrets

LABEL = re.compile(r"\{\{(\w+)\|(.*?)\}\}")
KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0"


async def rewritten(check: Rail, ctx: RunContext[Any], text: str = "", value: Any = None) -> Any:
    place: Place = "output" if value is None else "tool_call"
    judgement = await judge([check], Subject(place=place, text=text or json.dumps(value), value=value), ctx)
    return judgement.text if value is None else judgement.value


async def test_recall_and_false_positives_on_the_labelled_lines(ctx: RunContext[Any]) -> None:
    spans = found = told = wrong = 0
    for line in Path(__file__).with_name("personal_data.txt").read_text(encoding="utf-8").splitlines():
        labels = LABEL.findall(line)
        out = await rewritten(no_pii(), ctx, LABEL.sub(lambda match: match[2], line))
        marks = re.findall(r"\[(email|phone|iban|card|ip|ssn)\]", out)
        spans += len(labels)
        found += sum(text not in out and kind in marks for kind, text in labels)
        told += len(marks)
        wrong += sum(max(0, marks.count(kind) - [each for each, _ in labels].count(kind)) for kind in set(marks))

    assert spans >= 120
    assert found / spans >= 0.85
    assert wrong / told <= 0.05


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"use {KEY} here", "use [secret] here"),
        ("postgres://ann:s3cr3t-pw@db/shop", "postgres://ann:[secret]@db/shop"),
        ("password: hunter2, please", "password: [secret], please"),
    ],
)
async def test_a_secret_is_taken_out(ctx: RunContext[Any], text: str, left: str) -> None:
    assert await rewritten(no_secrets(), ctx, text) == left


async def test_a_secret_in_arguments_is_found_by_the_name_of_its_field(ctx: RunContext[Any]) -> None:
    arguments = {"login": {"user": "ann", "password": "hunter2!"}, "note": 'é " [1, 2]', "ids": [1, None, True]}

    left = await rewritten(no_secrets(), ctx, value=arguments)

    assert left == {**arguments, "login": {"user": "ann", "password": "[secret]"}}


async def test_a_card_that_is_a_number_is_found_in_arguments(ctx: RunContext[Any]) -> None:
    left = await rewritten(no_pii(places=["tool_call"]), ctx, value={"pan": 4111111111111111, "qty": 3})

    assert left == {"pan": "[card]", "qty": 3}


async def test_an_address_as_the_name_of_a_field_blocks(ctx: RunContext[Any]) -> None:
    subject = Subject(place="tool_call", text="{}", value={"ann@example.org": 1})

    judgement = await judge([no_pii(places=["tool_call"])], subject, ctx)

    assert isinstance(judgement.verdict, Block)
    assert "in the name of a field" in judgement.verdict.reason
    assert "ann@" not in repr(judgement)


async def test_data_nested_too_deeply_to_look_at_is_blocked(ctx: RunContext[Any]) -> None:
    value: Any = KEY
    for _ in range(80):
        value = [value]

    judgement = await judge([no_secrets()], Subject(place="tool_call", text="", value={"a": value}), ctx)

    assert isinstance(judgement.verdict, Block)


@pytest.mark.parametrize(("action", "kind"), [("rewrite", Rewrite), ("block", Block), ("ask", Ask)])
async def test_the_action_decides_and_the_reason_counts_without_quoting(
    ctx: RunContext[Any], action: Any, kind: type[Any]
) -> None:
    subject = Subject(place="output", text="ann@example.org, bob@example.org, 203.0.113.9")

    judgement = await judge([no_pii(action=action)], subject, ctx)

    assert isinstance(judgement.verdict, kind)
    assert "2 email, ip" in judgement.said[0].reason
    assert "@" not in judgement.said[0].reason


async def test_only_the_kinds_that_were_asked_for_are_taken_out(ctx: RunContext[Any]) -> None:
    out = await rewritten(no_pii(kinds=["iban"]), ctx, "ann@example.org DE89370400440532013000")

    assert out == "ann@example.org [iban]"


async def test_text_that_was_rewritten_once_is_left_alone(ctx: RunContext[Any]) -> None:
    subject = Subject(place="output", text="password: [secret], write to [email]")

    judgement = await judge([no_secrets(), no_pii()], subject, ctx)

    assert judgement.verdict == Allow()


@pytest.mark.parametrize(
    "options", [{"kinds": ["shoe_size"]}, {"kinds": []}, {"action": "delete"}, {"places": ["here"]}]
)
def test_what_cannot_be_had_is_refused(options: Any) -> None:
    with pytest.raises(UserError):
        no_pii(**options)


WORDS = (
    "ann@example.org|+49 30 901820|DE89370400440532013000|4111 1111 1111 1111|203.0.113.9|078-05-1120|password=|tel: "
    "|token: |Bearer |@|.| |-|[email]|[secret]|://u:|2001:db8::8a2e:370:7334|authorization: |cookie: a="
)
PIECES = st.lists(st.one_of(st.sampled_from([KEY, *WORDS.split("|")]), st.text(max_size=4)), max_size=8).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=PIECES)
async def test_what_is_rewritten_no_longer_holds_what_was_looked_for(ctx: RunContext[Any], text: str) -> None:
    for check, find in ((no_secrets(), find_secrets), (no_pii(), find_pii)):
        judgement = await judge([check], Subject(place="output", text=text), ctx)

        if isinstance(judgement.verdict, Rewrite):
            masks = {"[secret]", *(f"[{kind}]" for kind in PII_KINDS)}
            assert {judgement.text[each.start : each.end] for each in find(judgement.text)} <= masks
        elif isinstance(judgement.verdict, Allow):
            assert judgement.text == text
