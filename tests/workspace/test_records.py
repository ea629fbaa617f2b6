"""Records of runs, spans and artefacts, in a file and in PostgreSQL: the same either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from segue.agents.run import RunRecord
from segue.base.errors import BadInput, StoreError
from segue.base.rows import Rows
from segue.memory.postgres_database import PostgresDatabase
from segue.tracing import ArtefactStore, TraceStore
from segue.tracing.spans import SpanRow
from segue.workspace.records import RunRecords

PLACES = ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | Rows]:
    """Where the rows lie."""
    if request.param == "sqlite":
        yield tmp_path / "rows.db"
        return
    with PostgresDatabase(request.getfixturevalue("postgres_url")) as database:
        yield database


@pytest.fixture
def records(place: Path | Rows) -> Iterator[RunRecords]:
    found = RunRecords(place)
    yield found
    found.close()


def record(run_id: str, **fields: Any) -> RunRecord:
    plain: dict[str, Any] = {
        "run_id": run_id, "tenant": "acme", "thread_id": "t", "agent": "a", "status": "running", "request": [],
        "started_at": 1.0, "updated_at": 1.0, "trace_id": "0" * 32, "user": "ann", "scopes": [], "source": "",
    }  # fmt: skip
    return RunRecord(**{**plain, **fields})


def ids(found: list[RunRecord]) -> list[str]:
    return [each.run_id for each in found]


async def test_a_record_is_the_one_that_was_kept_last(records: RunRecords) -> None:
    await records.keep(record("r1", started_at=1.0))
    records.save(record("r2", started_at=2.0, thread_id="other"))
    await records.keep(record("r1", started_at=1.0, status="completed", output="café \x00"))

    found = records.get("acme", "r1")
    assert found is not None
    assert (found.status, found.output) == ("completed", "café \x00")
    assert records.get("other", "r1") is None
    assert ids(records.newest("acme")) == ["r2", "r1"]
    assert ids(records.newest("acme", limit=-1, thread_id="t")) == ["r1"]
    assert ids(records.running("acme")) == ["r2"]
    assert ids(records.with_status("acme", "completed", limit=-1)) == ["r1"]
    assert sorted(each[:2] for each in records.threads("acme", limit=-1)) == [("other", 1), ("t", 1)]
    assert len(records.threads("acme", limit=1)) == 1


def test_a_run_that_is_there_is_not_added_again(records: RunRecords) -> None:
    assert records.add(record("r1", agent="first"))
    assert not records.add(record("r1", agent="second"))
    assert records.add(record("r1", tenant="other"))

    found = records.get("acme", "r1")
    assert found is not None
    assert found.agent == "first"


async def test_what_a_run_spent_and_did_is_there_until_it_stops(records: RunRecords) -> None:
    await records.keep(record("r1"))
    for number in range(5):
        records.note_step("acme", "r1", {"type": "generation", "number": number})
        records.note_spent("acme", "r1", {"model_calls": number + 1})
    await records.keep(record("r2", thread_id="u"))

    so_far = records.get("acme", "r1")
    assert so_far is not None
    assert [each["number"] for each in so_far.trajectory] == [0, 1, 2, 3, 4]
    assert so_far.usage == {"model_calls": 5}

    so_far.status = "completed"
    await records.keep(so_far)
    ended = records.get("acme", "r1")
    assert ended is not None
    assert [each["number"] for each in ended.trajectory] == [0, 1, 2, 3, 4]
    await records.keep(record("r1"))
    anew = records.get("acme", "r1")
    assert anew is not None
    assert anew.trajectory == []


async def test_a_thread_is_forgotten_with_all_of_its_runs(records: RunRecords) -> None:
    for name in ("r1", "r2"):
        await records.keep(record(name))
        records.note_step("acme", name, {"type": "generation"})
    await records.keep(record("r3", thread_id="u"))

    assert records.forget_thread("acme", "t") == 2
    assert records.forget_thread("acme", "t") == 0
    assert ids(records.newest("acme")) == ["r3"]
    await records.keep(record("r1"))
    anew = records.get("acme", "r1")
    assert anew is not None
    assert anew.trajectory == []


def test_spans_are_kept_once_and_come_back_in_order(place: Path | Rows) -> None:
    def span(number: int, tenant: str = "acme") -> SpanRow:
        return SpanRow(
            tenant, "trace", f"{tenant}-{number:04}", "", "run", "node", f"n\x00{number}", number, number + 1, "ok",
            {"at": number}, None,
        )  # fmt: skip

    store = TraceStore(place)
    store.write([span(number) for number in range(900)])
    store.write([span(3), span(900), span(1, "other")])

    found = store.spans("run", tenant="acme")
    assert [each.start_ns for each in found] == list(range(901))
    assert found[7].attributes == {"at": 7}
    assert store.spans("run", tenant="nobody") == []
    store.close()


def test_artefacts_lie_once_and_within_their_tenant(place: Path | Rows) -> None:
    store = ArtefactStore(place)
    first, again = store.put("acme", b"\x00data"), store.put("acme", b"\x00data")
    store.put("other", b"\x00data")
    store.erase("other", first)

    assert first == again
    assert store.get("acme", first) == ("application/json", b"\x00data")
    with pytest.raises(BadInput, match="no artefact"):
        store.get("other", first)
    store.close()


def test_stores_that_open_at_the_same_moment_wait_for_each_other(place: Path | Rows) -> None:
    failed: list[Exception] = []

    def begin() -> None:
        try:
            RunRecords(place).close()
        except StoreError as error:
            failed.append(error)

    threads = [Thread(target=begin) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert failed == []
