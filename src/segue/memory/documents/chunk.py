"""Chunking: a page in, chunks out, each whole lines of it under one heading.

A chunk's text is exactly the lines that it cites, so that a citation can be checked by opening the file. A chunk
ends where a heading begins, and between paragraphs once it is about 800 characters long; a fenced block or a table
stays whole up to twice that. A single line is never cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from segue.base.patterns import lazy_pattern

_HEADING = lazy_pattern(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_FENCE = lazy_pattern(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True)
class Chunk:
    """Whole lines of a page."""

    text: str
    start_line: int
    """1-based, inclusive."""
    end_line: int
    """1-based, inclusive."""
    heading: str
    """The headings above, outermost first, joined by ` > `."""


@dataclass(frozen=True)
class _Block:
    """Lines that belong together: a paragraph, a table, a fenced block; numbers are 0-based, the end exclusive."""

    start: int
    end: int
    heading: str


def cut(text: str, *, max_chars: int = 800) -> list[Chunk]:
    """The chunks of a page, in its order; none for a page without a visible character."""
    lines = text.split("\n")
    chunks: list[Chunk] = []
    held: list[_Block] = []
    for block in _split_long(_blocks(lines), lines, max_chars):
        if held and (block.heading != held[0].heading or _size(lines, held[0].start, block.end) > max_chars):
            chunks.append(_chunk(lines, held))
            held = []
        held.append(block)
    if held:
        chunks.append(_chunk(lines, held))
    return chunks


def _chunk(lines: list[str], held: list[_Block]) -> Chunk:
    start, end = held[0].start, held[-1].end
    return Chunk("\n".join(lines[start:end]), start + 1, end, held[0].heading)


def _size(lines: list[str], start: int, end: int) -> int:
    return sum(len(line) + 1 for line in lines[start:end])


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Paragraphs with their heading path; a heading line joins the paragraph below it."""
    path: list[tuple[int, str]] = []
    start: int | None = None
    only_headings, fence = True, ""
    for number, line in enumerate(lines):
        level, words = (0, "") if fence else _heading(line)
        if level:
            if start is not None and not only_headings:
                yield _Block(start, number, _joined(path))
                start = None
            path = [*((depth, name) for depth, name in path if depth < level), (level, words)]
            start, only_headings = number if start is None else start, True
        elif line.strip() or fence:
            if start is None or only_headings:
                start, only_headings = number if start is None else start, False
            fence = _fence_after(line, fence)
        elif start is not None and not only_headings:
            yield _Block(start, number, _joined(path))
            start = None
    if start is not None:
        yield _Block(start, _last_line(lines, start), _joined(path))


def _heading(line: str) -> tuple[int, str]:
    match = _HEADING.match(line)
    return (len(match[1]), " ".join((match[2] or "").split())) if match else (0, "")


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after this line; empty where none is."""
    match = _FENCE.match(line)
    if not fence:
        return match[1] if match else ""
    closes = match is not None and match[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence


def _last_line(lines: list[str], start: int) -> int:
    end = len(lines)
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    return end


def _joined(path: list[tuple[int, str]]) -> str:
    return " > ".join(name for _, name in path if name)


def _split_long(blocks: Iterator[_Block], lines: list[str], max_chars: int) -> Iterator[_Block]:
    for block in blocks:
        whole = lines[block.start].lstrip().startswith(("|", "```", "~~~", "- ", "* "))
        if _size(lines, block.start, block.end) <= max_chars * (2 if whole else 1):
            yield block
            continue
        start = block.start
        for number in range(block.start + 1, block.end):
            if _size(lines, start, number + 1) > max_chars:
                yield _Block(start, number, block.heading)
                start = number
        yield _Block(start, block.end, block.heading)
