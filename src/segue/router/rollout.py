"""A share of a route's threads that tries another route, and how it is taken back by one command.

In: a route with a canary, and the thread of a request. Out: whether this thread is among them: the same answer each
time, on every machine, and those who were among them stay while the share grows. `segue models canary` and
`segue models rollback` write shares into a file of the workspace, which routers look at once a second; they win over
the settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path

import orjson

_LOOKS_S = 1.0


def among(route: str, thread: str, share: float) -> bool:
    """Whether a thread is in the share of a route that tries something else."""
    if share <= 0.0:
        return False
    digest = hashlib.blake2b(f"{route}\x1f{thread}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


class Shares:
    """The shares that were set by command."""

    def __init__(self, path: Path | None = None) -> None:
        """`path` is the file; `None` for none."""
        self.path = path
        self._looked_at = float("-inf")
        self._read_at: tuple[int, int] | None = None
        self._held: dict[str, float] = {}

    def of(self, route: str, otherwise: float) -> float:
        """The share of a route's canary."""
        if self.path is None:
            return otherwise
        now = time.monotonic()
        if now - self._looked_at > _LOOKS_S:
            self._looked_at = now
            self._look(self.path)
        return self._held.get(route, otherwise)

    def set(self, route: str, share: float) -> None:
        """Set it, for every process that uses this workspace."""
        assert self.path is not None
        self._look(self.path)
        self._held[route] = share
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(orjson.dumps(self._held, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        part.replace(self.path)

    def _look(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError):
            stat = path.stat()
            if (stat.st_mtime_ns, stat.st_size) != self._read_at:
                self._held = {str(name): float(share) for name, share in orjson.loads(path.read_bytes()).items()}
                self._read_at = (stat.st_mtime_ns, stat.st_size)
