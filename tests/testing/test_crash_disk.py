"""Snapshots of folders: what is put back is what was there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from segue.testing.crash_disk import Disk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files in it, one of them below another folder."""
    held = tmp_path / "folder"
    (held / "below").mkdir(parents=True)
    (held / "one").write_text("1", encoding="utf-8")
    (held / "below" / "two").write_text("2", encoding="utf-8")
    (held / "below" / "two").chmod(0o600)
    return held


def test_a_folder_is_put_back_as_it_was(folder: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "kept")
    before = disk.take(folder)
    (folder / "one").write_text("changed", encoding="utf-8")
    (folder / "below" / "two").unlink()
    (folder / "new").write_text("new", encoding="utf-8")
    after = disk.take(folder)

    disk.put_back(before, folder)

    assert before != after
    assert disk.take(folder) == before
    assert (folder / "one").read_text(encoding="utf-8") == "1"
    assert (folder / "below" / "two").stat().st_mode & 0o777 == 0o600
    assert not (folder / "new").exists()


def test_a_change_that_shows_neither_in_size_nor_in_time_is_seen(folder: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "kept")
    seen = set()

    for text in "abcdefgh":
        (folder / "one").write_text(text, encoding="utf-8")
        seen.add(disk.take(folder))

    assert len(seen) == 8


def test_a_snapshot_can_be_put_into_another_folder(folder: Path, tmp_path: Path) -> None:
    disk = Disk(tmp_path / "kept")

    disk.put_back(disk.take(folder), tmp_path / "other")

    assert disk.take(tmp_path / "other") == disk.take(folder)


def test_the_plugin_loads_nothing_that_a_test_run_without_it_does_not_need() -> None:
    text = "import sys, pytest, segue.testing.plugin; print([name for name in sys.modules if 'segue' in name])"
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout

    assert "crash" not in said
    assert "segue.router" not in said
    assert "segue.testing.plugin" in said
