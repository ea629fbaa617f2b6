"""Saving: a page's path and text in, its file below the folder out; nothing outside the folder is ever touched.

A file is written whole or not at all. What may be written is what would be read: pages by their suffix, nothing hidden,
nothing behind a link.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from segue.base.errors import BadInput, StoreError
from segue.memory.documents.load import MAX_BYTES, SUFFIXES, FolderMissing

_PART = re.compile(r"[^.\x00-\x1f\x7f/\\:][^\x00-\x1f\x7f/\\:]*")
MAX_PATH_CHARS = 500
MAX_PART_BYTES = 240


def save_page(folder: Path, path: str, text: str) -> None:
    """Write a page, in the place of the one that may be there; folders on the way are made.

    Args:
        folder: Where the pages lie.
        path: Relative to the folder, with forward slashes: `returns/eu.md`.
        text: The whole page.

    Raises:
        BadInput: The path or the text cannot be a page's.
        FolderMissing: The folder is not there.
        StoreError: It cannot be written.
    """
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > MAX_BYTES or "\x00" in text or _broken(text):
        raise BadInput(f"a page is text of at most {MAX_BYTES:,} bytes, without NUL or halves of characters")
    file = _file(folder, path)
    fresh = file.with_name(f".{secrets.token_hex(8)}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _must_be_inside(folder, file, path)
        fresh.write_bytes(data)
        os.replace(fresh, file)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise StoreError(f"the page {path!r} cannot be written: {error.strerror}.") from error


def remove_page(folder: Path, path: str) -> None:
    """Take a page away; one that is not there is no error.

    Raises:
        BadInput: The path cannot be a page's.
        FolderMissing: The folder is not there.
        StoreError: It cannot be taken away.
    """
    file = _file(folder, path)
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"the page {path!r} cannot be taken away: {error.strerror}.") from error


def _file(folder: Path, path: str) -> Path:
    """The file of a page that may be written."""
    parts = path.split("/")
    fits = len(path) <= MAX_PATH_CHARS and not _broken(path) and all(_PART.fullmatch(part) for part in parts)
    if not fits or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        raise BadInput(
            f"{path[:80]!r} is no path of a page.",
            way_out="Write it relative to the folder, with forward slashes: returns/eu.md. Nothing is hidden or above.",
        )
    if Path(path).suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path[:80]!r} is no page: pages end in {', '.join(sorted(SUFFIXES))}.")
    if not folder.is_dir():
        raise FolderMissing(folder)
    file = folder.joinpath(*parts)
    _must_be_inside(folder, file, path)
    return file


def _must_be_inside(folder: Path, file: Path, path: str) -> None:
    """No link on the way: what lies behind one is not ours to write."""
    inside, expected = folder.resolve(), file.relative_to(folder)
    if file.is_symlink() or file.is_dir() or file.resolve() != inside / expected:
        raise BadInput(f"{path[:80]!r} leads through a link, or is a folder; only pages of the folder are written.")
    for above in file.parents:
        if above == folder:
            return
        if above.exists() and not above.is_dir():
            raise BadInput(f"{path[:80]!r} lies below a page, which is no folder.")


def _broken(text: str) -> bool:
    return any("\ud800" <= each <= "\udfff" for each in text)
