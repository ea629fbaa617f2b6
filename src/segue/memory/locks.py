"""Locks: a name in, a time out during which nobody else holds it: no other task, object or process.

A lock dies with the process that holds it, so nobody has to clean up after a crash, and `held` tells exactly whether a
living process holds a name. Within one process those who wait get their turn in the order they came.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import socket
import sys
import time
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

from segue.base.errors import Category, OperatorError, StoreError

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.05
_NOTE_BYTES = 256
_OLD_S = 24 * 3600.0
_SWEPT_AT_ONCE = 200


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a lock."""

    pid: int
    host: str
    since: str
    """When it was taken: ISO 8601, UTC."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}"


class LockBusy(OperatorError):
    """Somebody else held a lock until the deadline of the one who waited."""

    category: Category = "store"
    severity = "warning"

    def __init__(self, name: str, holder: Holder | None, waited_s: float) -> None:
        who = str(holder) if holder else "somebody else"
        super().__init__(
            f"{name!r} is held by {who}; it was waited for {waited_s:.3g} s.",
            way_out="Try again later, or wait for longer.",
        )
        self.name = name
        self.holder = holder


@dataclass(eq=False)
class Held:
    """A lock that is held. `lost` is set where it is gone before its holder let go of it."""

    name: str
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    async def look(self) -> None:
        """Set `lost` where it is and was not noticed yet."""


class Locks(Protocol):
    """Named locks that exclude across tasks and processes."""

    def hold(self, name: str, *, deadline: float | None = None) -> AbstractAsyncContextManager[Held]:
        """Hold a name inside `async with`; waits for it, at most `deadline` seconds from now.

        Raises:
            LockBusy: The deadline came first. Says who holds it. A deadline of 0 tries once.
            StoreError: The lock cannot be asked for at all.
        """
        ...

    async def held(self, name: str) -> bool:
        """Whether anybody alive holds the name now."""
        ...

    def held_now(self, name: str) -> bool:
        """`held` for code that is not async."""
        ...

    def holder_now(self, name: str) -> Holder | None:
        """Who holds the name, or took it last, as far as that is known; for code that is not async."""
        ...


class Turn(asyncio.Lock):
    """The lock of one name within one event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._coming = 0

    @property
    def free(self) -> bool:
        """Whether nobody has it, nor waits for it: to `acquire` it does not wait then."""
        return not self._coming and not self.locked()

    async def acquire(self) -> Literal[True]:
        """Have it, once all who came before had it."""
        self._coming += 1
        try:
            return await super().acquire()
        finally:
            self._coming -= 1


class Turns:
    """First come, first served, among the tasks of one event loop."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[Any, WeakValueDictionary[str, Turn]] = WeakKeyDictionary()

    def of(self, name: str) -> Turn:
        """The lock of a name within the running loop; it is kept for as long as somebody keeps it."""
        loop = asyncio.get_running_loop()
        names = self._loops.get(loop)
        if names is None:
            names = self._loops.setdefault(loop, WeakValueDictionary())
        turn = names.get(name)
        if turn is None:
            names[name] = turn = Turn()
        return turn


class FileLocks:
    """Locks over the operating system's locks on files of one folder, which it makes where missing.

    A file stays when its lock is let go of; those that nobody took for a day are swept away by whoever comes next.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._prefix = os.path.join(folder, "")
        self._turns = Turns()
        self._swept = False

    def hold(self, name: str, *, deadline: float | None = None) -> _Hold:
        """Hold a name; see `Locks.hold`."""
        return _Hold(self, name, deadline)

    async def _enter(self, name: str, deadline: float | None) -> tuple[int, Turn]:
        """The open and locked file of a name, to be closed, and the turn, to be released: see `hold`."""
        turn, path = self._turns.of(name), self._path(name)
        file = await self._at_once(turn, path)
        try:
            if file is None:
                async with asyncio.timeout(deadline):
                    await turn.acquire()
                    try:
                        file = await self._wait(path)
                    except BaseException:
                        turn.release()
                        raise
        except TimeoutError:
            raise LockBusy(name, self.holder_now(name), deadline or 0.0) from None
        return file, turn

    async def held(self, name: str) -> bool:
        """Whether anybody alive holds the name; see `Locks.held`."""
        return self.held_now(name)

    def held_now(self, name: str) -> bool:
        """`held` for code that is not async."""
        try:
            file = os.open(self._path(name), os.O_RDWR)
        except OSError:
            return False
        try:
            return not try_lock(file, shared=True)
        finally:
            os.close(file)

    def holder_now(self, name: str) -> Holder | None:
        """Who took the name last, as far as it says so."""
        with suppress(OSError, ValueError, TypeError):
            return Holder(**json.loads(Path(self._path(name)).read_bytes()))
        return None

    def _path(self, name: str) -> str:
        return f"{self._prefix}{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock"

    async def _at_once(self, turn: Turn, path: str) -> int | None:
        """The file and the turn, where nobody has either, as is nearly always so; `None` where it is to be waited."""
        if not turn.free:
            return None
        await turn.acquire()
        try:
            file = self._take(path)
        except BaseException:
            turn.release()
            raise
        if file is None:
            turn.release()
        return file

    async def _wait(self, path: str) -> int:
        pause = _FIRST_PAUSE_S
        while (file := self._take(path)) is None:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
        return file

    def _take(self, path: str) -> int | None:
        """The open and locked file, or `None` where somebody else holds it."""
        try:
            if not self._swept:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._sweep()
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"the lock {path} cannot be opened: {error.strerror}.") from error
        if try_lock(file) and _is_at(file, path):
            with suppress(OSError):  # a full disk: the lock holds without the note
                os.write(file, _note(os.getpid(), int(time.time())))
            return file
        os.close(file)
        return None

    def _sweep(self) -> None:
        """Take away some of the files that nobody took for long; under their lock, so that nobody loses one."""
        self._swept = True
        old = time.time() - _OLD_S
        for path in islice(self.folder.glob("*.lock"), _SWEPT_AT_ONCE):
            with suppress(OSError):
                if path.stat().st_mtime < old and (file := self._take(str(path))) is not None:
                    os.unlink(path)
                    os.close(file)


class _Hold(AbstractAsyncContextManager[Held]):
    """A name of `FileLocks`, held inside `async with`."""

    def __init__(self, locks: FileLocks, name: str, deadline: float | None) -> None:
        self._locks = locks
        self._name = name
        self._deadline = deadline
        self._taken: tuple[int, Turn] | None = None

    async def __aenter__(self) -> Held:
        self._taken = await self._locks._enter(self._name, self._deadline)
        return Held(self._name)

    async def __aexit__(self, *error: object) -> None:
        taken, self._taken = self._taken, None
        if taken is not None:
            os.close(taken[0])
            taken[1].release()


def process_name() -> str:
    """A name for this process, unique in time and space, by which `is_gone` knows it."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def is_gone(name: str) -> bool:
    """Whether a process of this machine has ended; `False` where that cannot be told from here."""
    host, pid, _ = name.rsplit("-", 2) if name.count("-") > 1 else ("", "", "")
    if host != socket.gethostname() or not hasattr(os, "killpg"):
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False


def this_process() -> Holder:
    """This process, from now on."""
    return _holder(os.getpid(), int(time.time()))


def _holder(pid: int, at_s: int) -> Holder:
    return Holder(pid=pid, host=socket.gethostname(), since=datetime.fromtimestamp(at_s, UTC).isoformat())


@lru_cache(maxsize=1)
def _note(pid: int, at_s: int) -> bytes:
    """What stands in the file of a lock: who took it; the same for all that are taken in one second."""
    return json.dumps(asdict(_holder(pid, at_s))).encode().ljust(_NOTE_BYTES)


def _is_at(file: int, path: str) -> bool:
    """Whether the open file still stands at its path, and was not swept away in between."""
    try:
        found = os.fstat(file)
        return found.st_nlink > 0 or os.path.samestat(found, os.stat(path))  # some file systems do not count links
    except OSError:
        return False


if sys.platform == "win32":
    import msvcrt

    def try_lock(file: int, *, shared: bool = False) -> bool:
        """Lock the file, if nobody else has; one byte far behind what is written, so that the note can be read."""
        os.lseek(file, 1 << 20, os.SEEK_SET)
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return True

else:
    import fcntl

    def try_lock(file: int, *, shared: bool = False) -> bool:
        """Lock the file, if nobody else has; several may share it where all do."""
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
