"""Snapshots of a folder: its files in, what they held out; put back as often as wanted.

Each content is kept once, whatever file it stood in and however often, so that hundreds of snapshots of a world that
hardly changes cost little more than one. Whoever takes a snapshot sees to it that nobody writes meanwhile.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

Snapshot = frozenset[tuple[str, str, int]]
"""Of each file below the folder: its path, what names its content, its mode. Two that are equal hold the same."""

_RACY_NS = 50_000_000
"""A file that changed this lately may change again without its time of change showing it."""
_PASSING = ("-shm",)
"""What SQLite shares between processes while they live: left to a crash, it is made anew by the next who opens."""


class Disk:
    """Takes snapshots of folders, and puts them back."""

    def __init__(self, store: Path) -> None:
        """Keep contents in `store`, a folder of its own."""
        store.mkdir(parents=True, exist_ok=True)
        self._store = store
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}

    def take(self, folder: Path) -> Snapshot:
        """What the folder holds now."""
        now = time.time_ns()
        return frozenset(
            (os.path.relpath(path, folder), self._digest(path, now), os.stat(path).st_mode & 0o777)
            for path in _files(folder)
            if not path.endswith(_PASSING)
        )

    def put_back(self, snapshot: Snapshot, folder: Path) -> None:
        """Make the folder hold exactly that, and touch only what differs."""
        wanted = {name: (digest, mode) for name, digest, mode in snapshot}
        now = time.time_ns()
        for path in _files(folder):
            name = os.path.relpath(path, folder)
            held = wanted.get(name)
            if held == (self._digest(path, now), os.stat(path).st_mode & 0o777):
                del wanted[name]
            else:
                os.unlink(path)
        for name, (digest, mode) in wanted.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._store / digest, target)
            target.chmod(mode)

    def _digest(self, path: str, now: int) -> str:
        stat = os.stat(path)
        mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        known = self._known.get(path)
        if known is not None and known[0] == mark:
            return known[1]
        with open(path, "rb") as file:
            data = file.read()
        digest = hashlib.blake2b(data, digest_size=20).hexdigest()
        kept = self._store / digest
        if not kept.exists():
            kept.write_bytes(data)
        if now - stat.st_mtime_ns > _RACY_NS:
            self._known[path] = (mark, digest)
        else:
            self._known.pop(path, None)
        return digest


def _files(folder: Path) -> list[str]:
    found = (os.path.join(at, name) for at, _, held in os.walk(folder) for name in held)
    return [path for path in found if os.path.isfile(path) and not os.path.islink(path)]
