"""Tier 1: Monty, a Python interpreter of its own that has no file, network or process to offer.

Code runs in worker processes that are killed when they outlive their time. We use Monty's blocking pool in threads of
our own: with pydantic-monty 1.4.0 the asyncio pool aborted 10 of 50 interpreters at exit, the blocking one none of 95.
A run that is cancelled has its worker killed at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.base.ids import new_id
from segue.tools.sandbox.port import (
    ErrorKind,
    ExecError,
    ExecRequest,
    ExecResult,
    ExecUsage,
    SandboxCaps,
    SandboxLacks,
    SandboxUnavailable,
)
from segue.tools.sandbox.values import NotJson, to_json

if TYPE_CHECKING:
    import pydantic_monty

MAX_WALL_S = 60.0
"""No run is longer, whatever its limits say."""
_GRACE_S = 0.5
"""How long a worker that is past its time may take to say so before it is killed."""
_MAX_INPUT_BYTES = 32_000_000


_begun_in: int | None = None
"""The process in which Monty's own threads were begun; a fork of it has none, and would wait for them for ever."""


def begun() -> bool:
    """Whether code has run in this process or one that it was forked from: a fork of it cannot run any."""
    return _begun_in is not None


class MontySandbox:
    """Runs code in Monty. Safe from any thread and event loop.

    Not in a fork of a process in which code has run already: that raises `SandboxUnavailable` (spawned processes, and
    forks before the first run, are fine).

    Args:
        workers: How many runs go side by side; more wait. At most four, and no more than there are cores, by default.
    """

    name = "monty"
    caps = SandboxCaps(
        isolation="interpreter",
        numpy=False,
        files=False,
        network=False,
        tool_calls=True,
        snapshots=False,
        platforms=("linux", "darwin", "win32"),
    )

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or min(4, os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._pool: pydantic_monty.Monty | None = None
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, request: ExecRequest) -> ExecResult:
        """Run the code; see `CodeSandbox.run`."""
        self._refuse_what_is_lacking(request)
        pool, threads = await asyncio.to_thread(self._open)
        work = _Work(pool, request, asyncio.get_running_loop())
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, work.run)
        except asyncio.CancelledError:
            work.kill()
            raise

    async def close(self) -> None:
        """End the worker processes."""
        await asyncio.to_thread(self._close)

    def _refuse_what_is_lacking(self, request: ExecRequest) -> None:
        if request.files_in:
            raise SandboxLacks(self.name, "files")
        if request.session_id is not None:
            raise SandboxLacks(self.name, "sessions that go on")

    def _open(self) -> tuple[pydantic_monty.Monty, ThreadPoolExecutor]:
        if _begun_in not in (None, os.getpid()):
            raise SandboxUnavailable(
                self.name,
                "code has run in the process that this one was forked from, and its threads are not here",
                way_out="Begin processes by spawn or forkserver, or fork before any code runs.",
            )
        with self._lock:
            if self._pool is None or self._threads is None:
                self._pool = self._start()
                self._threads = ThreadPoolExecutor(self.workers, thread_name_prefix="segue-monty")
            return self._pool, self._threads

    def _start(self) -> pydantic_monty.Monty:
        global _begun_in
        try:
            import pydantic_monty
        except ImportError as error:
            raise SandboxUnavailable(
                self.name, f"pydantic-monty is not installed ({error})", way_out="pip install 'pydantic-monty>=1.4,<2'"
            ) from error
        try:
            pool = pydantic_monty.Monty(
                max_processes=self.workers,
                request_timeout=MAX_WALL_S + 1.0,
                feed_duration_limit_grace=_GRACE_S,
                max_checkouts_per_worker=200,
            )
            _begun_in = os.getpid()
            pool.__enter__()
        except Exception as error:
            raise SandboxUnavailable(
                self.name, str(error), way_out="Reinstall pydantic-monty; `monty --version` should answer."
            ) from error
        return pool

    def _close(self) -> None:
        if _begun_in != os.getpid():
            return  # nothing of it is in this process
        with self._lock:
            pool, threads = self._pool, self._threads
            self._pool = self._threads = None
        if threads is not None:
            threads.shutdown(wait=True)
        if pool is not None:
            pool.__exit__(None, None, None)


@dataclass
class _Output:
    """Printed text up to a limit."""

    most: int
    parts: dict[str, list[str]] = field(default_factory=lambda: {"stdout": [], "stderr": []})
    held: int = 0
    truncated: bool = False

    def add(self, stream: str, text: str) -> None:
        left = self.most - self.held
        self.truncated = self.truncated or len(text) > left
        if left > 0:
            self.parts[stream].append(text[:left])
            self.held += len(text[:left])

    def text(self, stream: str) -> str:
        return "".join(self.parts[stream])


class _Work:
    """One run, in a thread of its own."""

    def __init__(self, pool: pydantic_monty.Monty, request: ExecRequest, loop: asyncio.AbstractEventLoop) -> None:
        self.pool, self.request, self.loop = pool, request, loop
        self.id = new_id("exec")
        self.output = _Output(request.limits.out_kb * 1024)
        self.calls = 0
        self._lock = threading.Lock()
        self._worker: int | None = None
        self._asked: Future[Any] | None = None
        self._killed = False

    def run(self) -> ExecResult:
        """The result; never raises for what the code does."""
        started = time.monotonic()
        try:
            value = to_json(self._feed(), most_bytes=self.request.limits.out_kb * 1024)
            return self._result(started, value=value)
        except NotJson as error:
            return self._result(started, error=ExecError(kind="value", message=str(error)))
        except Exception as error:
            return self._result(started, error=_what(error, self.request.limits.wall_s))

    def kill(self) -> None:
        """End the run from another thread; one that has not begun does not begin."""
        with self._lock:
            self._killed = True
            if self._worker is not None:
                _kill(self._worker)
            if self._asked is not None:
                self._asked.cancel()

    def _feed(self) -> Any:

        limits = self.request.limits
        inside: pydantic_monty.ResourceLimits = {
            "max_feed_duration_secs": min(limits.wall_s, limits.cpu_s, MAX_WALL_S),
            "max_memory": limits.mem_mb * 1024 * 1024,
            "max_recursion_depth": 400,
            "max_suspensions": limits.tool_calls + 50,
        }
        inputs = to_json(dict(self.request.inputs), most_bytes=_MAX_INPUT_BYTES)
        policy: pydantic_monty.OSPolicy = {"sleep": "zero", "process_time": "zero"}
        with self.pool.checkout(limits=inside, os_policy=policy) as session:
            self._begin(session.worker_pid)
            try:
                return session.feed_run(
                    self.request.code, inputs=inputs, external_lookup=self._handles(), print_callback=self.output.add
                )
            finally:
                with self._lock:
                    self._worker = None

    def _begin(self, worker: int | None) -> None:
        with self._lock:
            if self._killed:
                raise InterruptedError("cancelled before it began")
            self._worker = worker

    def _handles(self) -> dict[str, Callable[..., Any]]:
        return {name: self._handle(name, handle) for name, handle in self.request.tools.items()}

    def _handle(self, name: str, handle: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            if self.calls > self.request.limits.tool_calls:
                raise RuntimeError(f"{name}: more than {self.request.limits.tool_calls} tool calls in one run")
            asked = self._ask(handle, args, kwargs)
            return to_json(asked.result(timeout=MAX_WALL_S), most_bytes=_MAX_INPUT_BYTES)

        return call

    def _ask(self, handle: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Future[Any]:
        with self._lock:
            if self._killed:
                raise InterruptedError("cancelled")
            self._asked = asyncio.run_coroutine_threadsafe(handle(*args, **kwargs), self.loop)
            return self._asked

    def _result(self, started: float, *, value: Any = None, error: ExecError | None = None) -> ExecResult:
        return ExecResult(
            ok=error is None,
            stdout=self.output.text("stdout"),
            stderr=self.output.text("stderr"),
            value=value,
            error=error,
            usage=ExecUsage(wall_s=time.monotonic() - started, tool_calls=self.calls),
            sandbox_id=self.id,
            truncated=self.output.truncated,
        )


def _kill(worker: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker, getattr(signal, "SIGKILL", signal.SIGTERM))


_KINDS: Mapping[str, ErrorKind] = {"TimeoutError": "time", "MemoryError": "memory", "RecursionError": "memory"}


def _what(error: Exception, wall_s: float) -> ExecError:
    """What went wrong inside, told by the pool and not by the code."""
    import pydantic_monty

    if isinstance(error, pydantic_monty.MontyCrashedError):
        if error.timed_out:
            return ExecError(kind="time", message=f"the program was stopped: it ran longer than {wall_s:g} s")
        return ExecError(kind="crashed", message="the sandbox's process ended before the program did")
    if isinstance(error, pydantic_monty.MontySyntaxError):
        return ExecError(kind="syntax", message=str(error), line=_line(error))
    if isinstance(error, pydantic_monty.MontyRuntimeError):
        kind = _KINDS.get(str(error).split(":", 1)[0], "error")
        return ExecError(kind=kind, message=str(error)[:2000], line=_line(error))
    return ExecError(kind="crashed", message=f"{type(error).__name__}: {error}"[:2000])


def _line(error: pydantic_monty.MontySyntaxError | pydantic_monty.MontyRuntimeError) -> int | None:
    frames = error.traceback()
    return frames[-1].line if frames else None
