"""Where our files lie when nobody said where."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.memory.documents.place import state_file


def test_files_lie_beside_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert state_file("documents.db") == tmp_path / ".segue" / "documents.db"


def test_where_nothing_may_be_written_they_lie_in_a_private_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".segue").write_text("a file is in the way", encoding="utf-8")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    first, second = state_file("a.db"), state_file("a.db")

    assert first == second
    assert first.parent.parent == temporary
    assert first.parent.stat().st_mode & 0o077 == 0
