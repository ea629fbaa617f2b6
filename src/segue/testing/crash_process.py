"""Processes of the crash-point checker: work in, what it says out, whatever becomes of the process that does it.

Each piece of work has a forked process of its own, which begins with what this one has imported and ends without a
word: no `finally`, no `atexit`, nothing flushed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from segue.base.errors import OperatorError, UserError


class ChildDied(OperatorError):
    """A process of the checker ended without saying what came of its work."""


@dataclass(frozen=True)
class Child:
    """A process that does one piece of work."""

    pid: int
    says: Connection
    leads: bool = False
    """Whether it has a process group of its own, which ends with it."""

    def result(self, limit_s: float) -> Any:
        """What its work gave, once it is there; the process has ended then.

        Raises:
            UserError: Its work raised one.
            ChildDied: It raised anything else, was killed, or took longer than that.
        """
        try:
            if not self.says.poll(limit_s):
                raise ChildDied(f"a process was not done after {limit_s:g} s")
            how, value = self.says.recv()
        except EOFError:
            raise ChildDied("a process was killed in its work") from None
        finally:
            self.end()
        if how == "misused":
            raise UserError(value)
        if how == "raised":
            raise ChildDied(value)
        return value

    def end(self) -> None:
        """Kill it where it is, with those that it began if it leads them, and wait for that."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            (os.killpg if self.leads else os.kill)(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self.says.close()


def fork(work: Callable[[], Any], *, quiet: bool = False, leads: bool = False) -> Child:
    """Begin the work in a process of its own.

    Args:
        work: What it does; what that returns is pickled.
        quiet: What it prints and logs is not seen.
        leads: The processes that it begins end with it, however it ends.

    Raises:
        UserError: This system has no fork.
    """
    if not hasattr(os, "fork"):
        raise UserError(
            f"the crash-point checker forks processes, and {sys.platform} cannot.", way_out="Use Linux or macOS."
        )
    receiver, sender = multiprocessing.Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of this process are not needed in the new one
        pid = os.fork()
    if pid:
        sender.close()
        if leads:
            with contextlib.suppress(OSError):  # it has done so itself
                os.setpgid(pid, pid)
        return Child(pid, receiver, leads)
    try:
        if leads:
            os.setpgid(0, 0)
        _forget_the_loop()
        if quiet:
            _be_quiet()
        receiver.close()
        sender.send(("ended", work()))
    except UserError as error:
        sender.send(("misused", str(error)))
    except BaseException:
        with contextlib.suppress(BaseException):
            sender.send(("raised", traceback.format_exc()[-4000:]))
    finally:
        os._exit(0)


def in_child(work: Callable[[], Any], limit_s: float, *, quiet: bool = False) -> Any:
    """Do the work in a process of its own; errors as `Child.result`."""
    return fork(work, quiet=quiet).result(limit_s)


def freeze() -> None:
    """Stop this process, all its threads, until the parent lets it go on."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


def frozen(child: Child, look: Callable[[], None], limit_s: float) -> Any:
    """Let a process go on each time that it freezes, after a look; what its work gave in the end.

    Raises:
        ChildDied: As `Child.result`.
    """
    until = time.monotonic() + limit_s
    while True:
        if child.says.poll(0):  # what it says may be longer than a pipe holds: it is read before the process ends
            return child.result(limit_s)
        pid, status = os.waitpid(child.pid, os.WUNTRACED | os.WNOHANG)
        if pid and os.WIFSTOPPED(status):
            look()
            os.kill(child.pid, signal.SIGCONT)
        elif pid or time.monotonic() > until:
            return child.result(0)
        else:
            time.sleep(0.0002)


def _forget_the_loop() -> None:
    """The event loop of the process that was forked is not this one's."""
    asyncio.events._set_running_loop(None)
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _be_quiet() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.stdout = sys.stderr = open(nowhere, "w", encoding="utf-8")  # noqa: SIM115
    logging.lastResort = None
