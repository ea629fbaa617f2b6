"""Passages as the model reads them: what a search found, and lines of a page; each says what it was taken from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass

from segue.memory.documents.passage import Passage
from segue.tracing.uses import DocumentSource

MAX_SHOWN_CHARS = 2_000
"""Of one passage; more is read with the other tool."""
MAX_READ_LINES = 200
MAX_READ_CHARS = 20_000


class PageProblem(ValueError):
    """A page that cannot be opened as asked; the message is for the model."""


class PageMissing(PageProblem):
    """There is no such page."""


@dataclass(frozen=True, kw_only=True)
class FoundPassage:
    """A passage as the model reads it."""

    citation: str
    """What an answer quotes it by: `[handbook/returns.md:12-18]`."""
    heading: str
    text: str


@dataclass(frozen=True, kw_only=True)
class FoundPassages:
    """The passages of one search, best first."""

    passages: list[FoundPassage]
    note: str = ""
    """Says so where nothing was found."""
    taken_from: InitVar[Sequence[DocumentSource]] = ()
    """Where each passage stands, with its version: for the trace, and no part of what is read."""

    def __post_init__(self, taken_from: Sequence[DocumentSource]) -> None:
        object.__setattr__(self, "_sources", tuple(taken_from))

    def tool_sources(self) -> Sequence[DocumentSource]:
        """Where each passage stands."""
        found: Sequence[DocumentSource] = self._sources  # type: ignore[attr-defined]
        return found

    def tool_text(self) -> str:
        """Each passage under its citation and heading."""
        shown = [f"{each.citation} {each.heading}\n{each.text}" for each in self.passages]
        return "\n\n".join([*shown, self.note] if self.note else shown)


@dataclass(frozen=True, kw_only=True)
class PageLines:
    """Some lines of a page."""

    citation: str
    line_count: int
    """Of the whole page."""
    text: str
    note: str = ""
    """Says so where fewer lines are given than were asked for."""
    taken_from: InitVar[Sequence[DocumentSource]] = ()
    """Where the lines stand, with the page's version: for the trace, and no part of what is read."""

    def __post_init__(self, taken_from: Sequence[DocumentSource]) -> None:
        object.__setattr__(self, "_sources", tuple(taken_from))

    def tool_sources(self) -> Sequence[DocumentSource]:
        """Where the lines stand."""
        found: Sequence[DocumentSource] = self._sources  # type: ignore[attr-defined]
        return found


def lines_of(text: str, path: str, start_line: int = 1, end_line: int | None = None, *, version: str = "") -> PageLines:
    """Lines of a page, at most 200 lines and 20,000 characters at once.

    Raises:
        PageProblem: There is no such line in it.
    """
    lines = text.removesuffix("\n").split("\n")
    if not 1 <= start_line <= len(lines):
        raise PageProblem(f"{path} has {len(lines)} lines, so it has no line {start_line}")
    wanted = min(len(lines), end_line if end_line is not None else len(lines))
    if wanted < start_line:
        raise PageProblem(f"end_line={end_line} is before start_line={start_line}")
    end = start_line
    size = len(lines[start_line - 1])
    while end < min(wanted, start_line + MAX_READ_LINES - 1) and size + len(lines[end]) < MAX_READ_CHARS:
        size += len(lines[end]) + 1
        end += 1
    return PageLines(
        citation=f"[{path}:{start_line}-{end}]",
        line_count=len(lines),
        text="\n".join(lines[start_line - 1 : end])[:MAX_READ_CHARS],
        note=f"go on at line {end + 1}" if end < wanted else "",
        taken_from=[DocumentSource(path, start_line, end, version)],
    )


def plain(path: str) -> str:
    """A path as a citation has it, without its brackets and lines."""
    return path.strip().strip("[]").replace("\\", "/").split(":", 1)[0]


def shown(passage: Passage) -> FoundPassage:
    """A passage as the model reads it."""
    text = passage.text
    if len(text) > MAX_SHOWN_CHARS:
        text = f"{text[:MAX_SHOWN_CHARS]}… (cut; the page has more at these lines)"
    return FoundPassage(citation=passage.citation, heading=passage.heading, text=text)


def source_of(passage: Passage) -> DocumentSource:
    """Where a passage stands, for the trace."""
    return DocumentSource(passage.path, passage.start_line, passage.end_line, passage.version, round(passage.score, 6))
