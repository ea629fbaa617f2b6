"""Pages: a Markdown file in, its fenced blocks, links and headings out. Running a block is in `running`."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OUTPUTS = ("text", "mermaid")
"""Right behind a block that prints, these are what it prints."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>[\w-]*)\s*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)\s*$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block."""

    kind: str
    """`python`, `sh`, `toml`, `text`, …"""
    code: str
    line: int
    """Of its first line of code, counted from 1."""
    output: str | None = None
    """What it must print, from the block right behind it; `None` where there is none."""


@dataclass(frozen=True)
class _Fenced:
    block: Block
    end: int
    """The line of its closing fence."""


def pages() -> list[Path]:
    """README.md, CHANGELOG.md where there is one, and every page of the docs."""
    top = [ROOT / name for name in ("README.md", "CHANGELOG.md")]
    return [*(path for path in top if path.is_file()), *sorted(DOCS.rglob("*.md"))]


def name_of(page: Path) -> str:
    """The path from the repository's root on."""
    return page.relative_to(ROOT).as_posix()


@lru_cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page in their order, each with the output that it must have."""
    lines = page.read_text(encoding="utf-8").splitlines()
    found = _fenced(page, lines)
    out: list[Block] = []
    for index, each in enumerate(found):
        following = found[index + 1] if index + 1 < len(found) else None
        output = None
        if following and following.block.kind in OUTPUTS and each.block.kind not in OUTPUTS:
            between = lines[each.end : following.block.line - 2]
            output = following.block.code if not "".join(between).strip() else None
        out.append(Block(kind=each.block.kind, code=each.block.code, line=each.block.line, output=output))
    return tuple(out)


def _fenced(page: Path, lines: list[str]) -> list[_Fenced]:
    found: list[_Fenced] = []
    opened: tuple[str, str, int] | None = None
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            opened = fence["kind"], fence["indent"], number
            continue
        if fence["kind"] or fence["indent"] != opened[1]:
            continue
        code = textwrap.dedent("\n".join(lines[opened[2] : number - 1]))
        found.append(_Fenced(Block(kind=opened[0], code=code, line=opened[2] + 1), number))
        opened = None
    assert opened is None, f"{name_of(page)}:{opened and opened[2]}: this block is never closed"
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    lines = page.read_text(encoding="utf-8").splitlines()
    for each in reversed(_fenced(page, lines)):
        del lines[each.block.line - 2 : each.end]
    return "\n".join(lines)


def links(page: Path) -> list[str]:
    """The targets of the page's links that stay in the repository."""
    targets = [match["target"] for match in _LINK.finditer(prose(page))]
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """What a link to a heading of the page may name, as GitHub forms it."""
    headings = (_HEADING.match(line) for line in prose(page).splitlines())
    return {_slug(heading[1]) for heading in headings if heading}


def _slug(heading: str) -> str:
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")
