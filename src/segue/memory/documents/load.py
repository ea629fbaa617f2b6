"""Loading: a folder in, the text of its pages out, and a note for each file that could not be read.

Files are found in sorted order. Hidden files and folders are left out, and so is whatever a symbolic link reaches
outside the folder. Cutting a page is left to `chunk`.
"""

from __future__ import annotations

import codecs
import datetime
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from segue.base.errors import UserError
from segue.base.ids import content_hash
from segue.memory.documents.filters import Scalar, Value
from segue.tracing.detectors import find_secrets

SUFFIXES = frozenset({".md", ".markdown", ".mdown", ".txt", ".text", ".rst"})
"""What counts as a page."""
MAX_BYTES = 5_000_000
"""A larger file is noted, not read."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class FolderMissing(UserError):
    """The folder of documents is not there, or is no folder."""

    def __init__(self, folder: Path) -> None:
        absolute = folder.absolute()
        there = "is a file, not a folder" if absolute.exists() else "does not exist"
        super().__init__(
            f"the folder of documents {str(absolute)!r} {there}.",
            way_out="Give a path relative to the current folder, or an absolute one.",
        )
        self.folder = absolute


@dataclass(frozen=True)
class Found:
    """A file that may be a page, as the folder lists it."""

    path: str
    """Relative to the folder, with forward slashes."""
    file: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Page:
    """The text of one file."""

    path: str
    text: str
    """Newlines are `\\n`, without a byte order mark."""
    version: str
    """Hash of the file's bytes."""
    note: str = ""
    """What was not as it should be; with an empty text the file could not be read at all."""
    metadata: Mapping[str, Value] = field(default_factory=dict)
    """What its front matter says."""


def find_pages(folder: Path) -> tuple[list[Found], list[str]]:
    """The pages below the folder, sorted by path, and notes on what was left out.

    Raises:
        FolderMissing: There is no such folder.
    """
    if not folder.is_dir():
        raise FolderMissing(folder)
    inside, notes, found = folder.resolve(), list[str](), list[Found]()
    for file in _walk(folder, folder, inside, notes):
        relative = file.relative_to(folder).as_posix()
        try:
            status = file.stat()
        except OSError as error:
            notes.append(f"{relative}: not read: {error.strerror}")
            continue
        if stat.S_ISREG(status.st_mode):
            found.append(Found(relative, file, status.st_size, status.st_mtime_ns))
    return sorted(found, key=lambda each: each.path), notes


def _walk(folder: Path, top: Path, inside: Path, notes: list[str]) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        notes.append(f"{folder.relative_to(top).as_posix()}/: not read: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if (named := _in_unicode(entry.name)) != entry.name:
            notes.append(f"{(folder.relative_to(top) / named).as_posix()}: not read: its name is not UTF-8")
            continue
        if entry.is_symlink() and not _stays_inside(path, inside):
            notes.append(f"{path.relative_to(top).as_posix()}: not followed: a link that leads outside the folder")
        elif entry.is_dir(follow_symlinks=False):
            yield from _walk(path, top, inside, notes)
        elif path.suffix.lower() in SUFFIXES:
            yield path


def _in_unicode(text: str) -> str:
    """The text, with marks in the place of halves of characters and of bytes that are none."""
    return text.encode(errors="replace").decode()


def _stays_inside(link: Path, inside: Path) -> bool:
    try:
        return link.resolve(strict=True).is_relative_to(inside)
    except (OSError, RuntimeError):
        return False


def read_page(found: Found) -> Page:
    """The page's text; one that cannot be read comes back empty, with a note. Never raises for a file's content."""
    if found.size > MAX_BYTES:
        return Page(found.path, "", "", f"not read: {found.size} bytes, at most {MAX_BYTES} are read")
    try:
        data = found.file.read_bytes()
    except OSError as error:
        return Page(found.path, "", "", f"not read: {error.strerror}")
    text, note = _decode(data)
    page = page_of(found.path, text, content_hash(data))
    return replace(page, note=note or page.note)


def page_of(path: str, text: str, version: str) -> Page:
    """A page of a text: newlines made one, secrets taken out, its front matter read."""
    lines = without_secrets(text.replace("\r\n", "\n").replace("\r", "\n"))
    metadata, amiss = metadata_of(lines)
    return Page(path, lines, version, amiss, metadata)


_BREAK = "\n"


def without_secrets(text: str) -> str:
    """The text with a mask in the place of keys and passwords; every line keeps its number."""
    for finding in sorted(find_secrets(text), key=lambda each: -each.start):
        broken = text[finding.start : finding.end].count("\n")
        text = f"{text[: finding.start]}[secret]{_BREAK * broken}{text[finding.end :]}"
    return text


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding), ""
            except UnicodeDecodeError:
                return "", f"not read: it says that it is {encoding}, and is not"
    if b"\x00" in data:
        return "", "not read: it holds binary data"
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError as error:
        return data.decode("cp1252", "replace"), f"not UTF-8 at byte {error.start}; read as Windows-1252"


_FRONT = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_MAX_FRONT = 10_000
_MAX_BITS = 64
_MAX_DEPTH = 20


def metadata_of(text: str) -> tuple[dict[str, Value], str]:
    """What a page says of itself in its front matter, the lines of YAML between two `---` at its top; and a note.

    Texts, numbers of at most 64 bits, truths, dates (as texts, `2026-01-31`) and lists of those are kept; anything else
    is left out. Front matter that refers to parts of itself (`*name`) is not read, since a few lines of it can stand
    for more than memory holds; nor is what nests deeper than anybody writes.
    """
    match = _FRONT.match(text[:_MAX_FRONT]) if text.startswith("---") else None
    if match is None:
        return {}, ""
    import yaml  # type: ignore[import-untyped]

    try:
        depth = 0
        for event in yaml.parse(match[1], yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > _MAX_DEPTH:
                return {}, "its front matter is not read: it refers to parts of itself, or nests too deep"
        held = yaml.safe_load(match[1])
    except (yaml.YAMLError, *_ALSO_RAISED) as error:
        return {}, f"its front matter is no YAML: {_in_unicode(' '.join(str(error).split()))[:120]}"
    found = held.items() if isinstance(held, dict) else ()
    said = {_in_unicode(name): _value(each) for name, each in found if isinstance(name, str)}
    return {name: value for name, value in said.items() if value is not None}, ""


_ALSO_RAISED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""By PyYAML, where a tag does not fit its text: `!!int ''`, `!!bool maybe`, `!!timestamp soon`."""


def _value(held: object) -> Value | None:
    if isinstance(held, list):
        return tuple(one for each in held if (one := _scalar(each)) is not None)
    return _scalar(held)


def _scalar(held: object) -> Scalar | None:
    if isinstance(held, str):
        return _in_unicode(held)
    if isinstance(held, datetime.date):
        return held.isoformat()
    if isinstance(held, float):
        return held if math.isfinite(held) else None
    return held if isinstance(held, int) and held.bit_length() <= _MAX_BITS else None


def title_of(text: str, path: str) -> str:
    """The first heading of a page, else its file's name in words; one line, at most 60 characters."""
    for line in text.split("\n", 60)[:60]:
        if line.startswith("# ") and (words := " ".join(line[2:].split())):
            return words[:60]
    return Path(path).stem.replace("-", " ").replace("_", " ")[:60]
