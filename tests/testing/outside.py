"""An outside world in a file: what was done to it, line by line, and by which key."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path


def do(world: Path, what: str, key: str = "") -> str:
    """Have something done, whatever was done before."""
    with open(world / "outside", "a", encoding="utf-8") as file:
        file.write(f"{what}\t{key}\n")
    return f"{what}: done"


def do_once(world: Path, what: str, key: str) -> str:
    """Have something done, unless it was done by this key before."""
    return f"{what}: done" if key in keys(world) else do(world, what, key)


def done(world: Path) -> list[Hashable]:
    """All that was done."""
    return [line.split("\t")[0] for line in _lines(world)]


def keys(world: Path) -> list[str]:
    """The keys by which it was done."""
    return [line.split("\t")[1] for line in _lines(world)]


def _lines(world: Path) -> list[str]:
    file = world / "outside"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
