"""What a folder holds becomes pages; what cannot be read becomes a note that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.base.errors import UserError
from segue.memory.documents.load import MAX_BYTES, find_pages, read_page


def pages_of(folder: Path) -> dict[str, tuple[str, str]]:
    return {found.path: ((page := read_page(found)).text, page.note) for found in find_pages(folder)[0]}


def test_pages_are_found_in_subfolders_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/a.md", ".hidden.md", ".git/x.md", "picture.png", "C.MD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text", encoding="utf-8")

    found, notes = find_pages(tmp_path)

    assert [each.path for each in found] == ["C.MD", "a/a.md", "a/z.txt", "b.md"]
    assert notes == []


def test_encodings_and_byte_order_marks_are_understood(tmp_path: Path) -> None:
    (tmp_path / "bom.md").write_bytes(b"\xef\xbb\xbf# T\xc3\xbcr\r\nzwei")
    (tmp_path / "utf16.md").write_text("Grüße", encoding="utf-16")
    (tmp_path / "latin.md").write_bytes("Prüfung: €5".encode("cp1252"))

    pages = pages_of(tmp_path)

    assert pages["bom.md"] == ("# Tür\nzwei", "")
    assert pages["utf16.md"] == ("Grüße", "")
    assert pages["latin.md"] == ("Prüfung: €5", "not UTF-8 at byte 2; read as Windows-1252")


def test_binary_and_oversized_files_get_a_note_and_no_text(tmp_path: Path) -> None:
    (tmp_path / "bin.txt").write_bytes(b"a\x00b")
    with (tmp_path / "big.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    pages = pages_of(tmp_path)

    assert pages["bin.txt"] == ("", "not read: it holds binary data")
    assert pages["big.txt"][0] == ""
    assert f"{MAX_BYTES + 1} bytes" in pages["big.txt"][1]


def test_a_file_that_vanishes_between_listing_and_reading_gets_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x", encoding="utf-8")
    found = find_pages(tmp_path)[0][0]
    found.file.unlink()

    page = read_page(found)

    assert page.note == "not read: No such file or directory"


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "docs"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.md").write_text("secret", encoding="utf-8")
    (folder / "real.md").write_text("real", encoding="utf-8")
    (folder / "inside.md").symlink_to(folder / "real.md")
    (folder / "leak.md").symlink_to(outside / "secret.md")
    (folder / "leaks").symlink_to(outside, target_is_directory=True)
    (folder / "broken.md").symlink_to(folder / "nowhere.md")

    found, notes = find_pages(folder)

    assert [each.path for each in found] == ["inside.md", "real.md"]
    assert len(notes) == 3
    assert all("not followed" in note for note in notes)


def test_a_missing_folder_is_named_in_full(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist") as caught:
        find_pages(tmp_path / "nope")

    assert str(tmp_path / "nope") in str(caught.value)


def test_a_file_in_the_place_of_the_folder_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file.md").write_text("x", encoding="utf-8")

    with pytest.raises(UserError, match="is a file, not a folder"):
        find_pages(tmp_path / "file.md")
