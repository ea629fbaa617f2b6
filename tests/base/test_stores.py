"""Stores: what goes wrong with a file is told by name, with what to do and whether to try again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from segue.base.errors import RunStopped, StoreError, error_id_of
from segue.base.stores import store_errors
from segue.tracing.artefacts import ArtefactStore


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """A database that another connection writes to."""
    path = tmp_path / "held.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        yield path


def test_a_locked_file_may_be_tried_again(held: Path) -> None:
    with (
        closing(sqlite3.connect(held, timeout=0.01)) as db,
        pytest.raises(StoreError, match=r"held\.db cannot be read or written: database is locked") as caught,
        store_errors(held),
    ):
        db.execute("INSERT INTO t VALUES (1)")

    assert (caught.value.category, caught.value.severity, caught.value.retryable) == ("store", "critical", True)
    assert "Another process has held it" in caught.value.way_out


def test_a_damaged_file_is_not_worth_another_try(tmp_path: Path) -> None:
    path = tmp_path / "artefacts.db"
    store = ArtefactStore(path)
    for number in range(200):
        store.put("t", f"{number}".encode() * 500)
    store.close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * (path.stat().st_size - 4096))
    broken = ArtefactStore(path)

    with pytest.raises(StoreError, match="The file is damaged") as caught:
        broken.get("t", "art_1")

    assert not caught.value.retryable
    broken.close()


def test_an_error_has_one_id_whoever_asks_and_a_budget_that_is_spent_is_its_own_category() -> None:
    foreign = ValueError("x")

    assert error_id_of(foreign) == error_id_of(foreign)
    assert error_id_of(foreign).startswith("err_")
    assert error_id_of(stop := RunStopped("budget", "spent")) == stop.error_id
    assert (stop.category, stop.severity, RunStopped("loop", "x").category) == ("budget", "warning", "run")
