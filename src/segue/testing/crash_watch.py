"""Boundaries of a run: every place where it could be stopped, as it gets there.

In: an event loop and the code that runs on it. Out: a call for each suspension of a task (an await that did not have
its value yet), each super-step that is saved, and each write to an SQLite file, before and after it. What happens
there - a stop, a cancel, a count - is for the one who watches.
"""

from __future__ import annotations

import asyncio
import collections.abc
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["await", "checkpoint", "write"]

_STANDARD = os.path.dirname(os.__file__) + os.sep
_HERE = __file__


@dataclass(frozen=True)
class Point:
    """A boundary of a run."""

    kind: Kind
    number: int
    """Of an await of the scenario itself: which one, from 1 on; else 0."""
    where: str
    """The file and the line."""

    def __str__(self) -> str:
        return f"{self.kind} {self.number or ''} at {self.where}".replace("  ", " ")


class Watcher:
    """Tells of each boundary while it is on."""

    def __init__(self, reached: Callable[[Point], None]) -> None:
        """Say who is told; it is called in the very thread that is there, which goes on when it returns."""
        self.on = False
        self.playing = False
        """Whether awaits are numbered: those of the scenario itself."""
        self.awaits = 0
        self.boundaries = 0
        self.looked_s = 0.0
        """What was spent by those who were told: none of the scenario's time."""
        self.tasks: list[Watched] = []
        """Those that began while it was on, in their order."""
        self.on_cancel: Callable[[Watched], None] = lambda task: None
        """Called before a cancelled task takes a step, from the one on in which the cancel gets there."""
        self.after_cancelled: Callable[[Watched], None] = lambda task: None
        """Called after each such step."""
        self._reached = reached

    def here(self, kind: Kind, where: Callable[[], str]) -> None:
        """A boundary; nothing where it is off."""
        if not self.on:
            return
        self.boundaries += 1
        numbered = kind == "await" and self.playing
        self.awaits += numbered
        began = time.monotonic()
        self._reached(Point(kind, self.awaits if numbered else 0, where()))
        self.looked_s += time.monotonic() - began

    def task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """The task factory."""
        if not self.on or not asyncio.iscoroutine(coro):
            return asyncio.Task(coro, loop=loop, **options)
        watched = Watched(coro, self)
        self.tasks.append(watched)
        return asyncio.Task(watched, loop=loop, **options)

    def saver(self, saver: Any) -> None:
        """Tell of each checkpoint that this saver keeps, before and after."""
        for name in ("aput", "aput_writes"):
            setattr(saver, name, self._around(getattr(saver, name), name))
        if (stage_of := getattr(saver, "stage", None)) is not None:
            saver.stage = lambda *args, **options: self._staged(stage_of(*args, **options))
        view_of, views = getattr(saver, "for_tenant", None), dict[str, Any]()
        if view_of is None:
            return

        def for_tenant(tenant: str) -> Any:
            if tenant not in views:
                views[tenant] = view_of(tenant)
                if views[tenant] is not saver:
                    for name in ("aput", "aput_writes", "stage"):  # a view is a copy, and would tell of each twice
                        vars(views[tenant]).pop(name, None)
                    self.saver(views[tenant])
            return views[tenant]

        saver.for_tenant = for_tenant

    def _staged(self, stage: Any) -> Any:
        """Tell of each checkpoint that a stage takes, and of each time that it writes what it has."""
        for name in ("put", "write"):
            setattr(stage, name, self._around(getattr(stage, name), name))
        return stage

    def _around(self, method: Any, name: str) -> Any:
        async def saved(*args: Any, **options: Any) -> Any:
            self.here("checkpoint", lambda: f"before {name}")
            result = await method(*args, **options)
            self.here("checkpoint", lambda: f"after {name}")
            return result

        return saved


class Watched(collections.abc.Coroutine[Any, Any, Any]):
    """A task's coroutine, seen at each of its suspensions."""

    def __init__(self, coro: Any, watcher: Watcher) -> None:
        self.coro = coro
        self.cancelled = False
        """Whether a cancel has got to it."""
        self.cancelled_at = ""
        """Where it hung then."""
        self._watcher = watcher

    def send(self, value: Any) -> Any:
        """Go on to the next suspension."""
        return self._step(self.coro.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        first = error[0]
        if isinstance(first, asyncio.CancelledError) or first is asyncio.CancelledError:
            self.cancelled, self.cancelled_at = True, self.cancelled_at or self.where()
        return self._step(self.coro.throw, *error)

    def close(self) -> None:
        """Give it up."""
        self.coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.coro.__await__()  # type: ignore[no-any-return]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.coro, name)  # cr_frame, cr_code and the like, for whoever shows tasks

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return getattr(self.coro, "cr_frame", None) is None

    def where(self) -> str:
        """The file and the line of the await in which it hangs, the innermost outside of the standard library."""
        found, coro = "", self.coro
        while coro is not None:
            frame = (
                getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None) or getattr(coro, "ag_frame", None)
            )
            if frame is not None and not (found and _is_standard(frame.f_code.co_filename)):
                found = _place(frame)
            coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
        return found

    def _step(self, go: Any, *given: Any) -> Any:
        if self.cancelled:
            self._watcher.on_cancel(self)
        try:
            waits_for = go(*given)
        finally:
            if self.cancelled:
                self._watcher.after_cancelled(self)
        self._watcher.here("await", self.where)
        return waits_for


@contextmanager
def watched_writes(watcher: Watcher) -> Iterator[None]:
    """Tell of each write to an SQLite file by this process, in any of its threads."""

    def where() -> str:
        frame: Any = sys._getframe(2)
        while frame is not None and (frame.f_code.co_filename == _HERE or _is_standard(frame.f_code.co_filename)):
            frame = frame.f_back
        return _place(frame) if frame is not None else "a thread"

    class Cursor(sqlite3.Cursor):
        def execute(self, sql: str, *given: Any) -> Any:
            return self._told(super().execute, sql, *given)

        def executemany(self, sql: str, *given: Any) -> Any:
            return self._told(super().executemany, sql, *given)

        def executescript(self, sql: str) -> Any:
            return self._told(super().executescript, sql)

        def _told(self, run: Any, sql: str, *given: Any) -> Any:
            if sql.lstrip()[:6].rstrip().upper() in ("SELECT", "PRAGMA", "BEGIN"):
                return run(sql, *given)
            watcher.here("write", lambda: f"{where()}, before")
            result = run(sql, *given)
            if not self.connection.in_transaction:
                watcher.here("write", lambda: f"{where()}, after")
            return result

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        def commit(self) -> None:
            open_before = self.in_transaction
            if open_before:
                watcher.here("write", lambda: f"{where()}, before commit")
            super().commit()
            if open_before:
                watcher.here("write", lambda: f"{where()}, after commit")

        def __exit__(self, *error: Any) -> Literal[False]:
            if error[0] is None:
                self.commit()
            super().__exit__(*error)
            return False

    connect = sqlite3.connect

    def connected(*args: Any, **options: Any) -> Any:
        if len(args) < 6:
            options.setdefault("factory", Connection)
        return connect(*args, **options)

    sqlite3.connect = sqlite3.dbapi2.connect = connected
    try:
        yield
    finally:
        sqlite3.connect = sqlite3.dbapi2.connect = connect


def _is_standard(file: str) -> bool:
    return file.startswith("<") or (file.startswith(_STANDARD) and "site-packages" not in file)


def _place(frame: Any) -> str:
    parts = frame.f_code.co_filename.split(os.sep)
    return f"{'/'.join(parts[-3:])}:{frame.f_lineno}"
