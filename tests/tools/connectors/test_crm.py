"""The embedded CRM: reads find people as they are written, writes happen once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from segue.context.run import RunContext
from segue.tools.connectors.crm import EmbeddedCRM, NoSuchContact

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
async def crm(tmp_path: Path) -> EmbeddedCRM:
    import sqlite3
    from contextlib import closing

    held = EmbeddedCRM(tmp_path / "crm.db")
    await held.find_contacts("makes the tables")
    with closing(sqlite3.connect(held.path)) as db, db:
        db.executemany(
            "INSERT INTO contacts (contact_id, name, email, phone, company, tier, since) VALUES (?,?,?,?,?,?,?)",
            [
                (1, "Ann Lindqvist", "Ann.Lindqvist@example.org ", "+46 40 555-01 42", None, "plus", "2025-03-14"),
                (2, "Östen Ann", "osten@example.org", None, "Ängö AB", "business", "2025-04-01"),
            ],
        )
    return held


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ann.lindqvist@EXAMPLE.org", [1]),
        ("ann", [1, 2]),
        ("ÖSTEN", [2]),
        ("ängö", [2]),
        ("040 555 0142", []),
        ("40 5550142", [1]),
        ("%", []),
        ("  ", []),
    ],
)
async def test_people_are_found_however_they_are_written(crm: EmbeddedCRM, text: str, ids: list[int]) -> None:
    assert [contact.contact_id for contact in await crm.find_contacts(text)] == ids


async def test_a_note_is_an_activity_of_today_and_the_same_call_adds_it_once(
    crm: EmbeddedCRM, call: Call, ctx: RunContext[Any]
) -> None:
    await crm.add_activity(1, kind="call", summary="Asked about lamps.", on_date="2026-01-01", key="k1")
    first = await crm.add_activity(1, kind="note", summary="Wants a call.", on_date="2026-02-01", key="k2")

    again = await crm.add_activity("1", kind="note", summary="Wants a call.", on_date="2026-02-01", key="k2")
    noted = await call(crm.note_tool, contact_id=1, text="Refunded.")

    assert again == first
    assert noted["summary"] == "Refunded."
    assert [each.summary for each in await crm.list_activities(1)] == [
        "Refunded.",
        "Wants a call.",
        "Asked about lamps.",
    ]


async def test_tier_and_owner_can_be_changed(crm: EmbeddedCRM, call: Call) -> None:
    assert (await call(crm.tier_tool, contact_id=1, tier="business"))["tier"] == "business"
    assert (await call(crm.owner_tool, contact_id="1", owner="Mara"))["owner"] == "Mara"
    assert "Input should be 'standard', 'plus' or 'business'" in await call(crm.tier_tool, contact_id=1, tier="gold")


async def test_a_contact_that_is_not_there_is_said_not_to_be(crm: EmbeddedCRM, call: Call) -> None:
    with pytest.raises(NoSuchContact):
        await crm.get_contact(99)
    assert "the CRM has no contact 99" in await call(crm.activities_tool, contact_id=99)


def test_reads_are_reads_and_writes_are_writes(crm: EmbeddedCRM) -> None:
    assert {held.name: held.effect for held in crm.tools()} == {
        "find_contacts": "read",
        "get_contact": "read",
        "list_activities": "read",
        "add_note": "write",
        "update_tier": "write",
        "update_owner": "write",
    }
