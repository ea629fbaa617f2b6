"""`segue worker`: works off jobs, and fires schedules, until it is asked to stop.

SIGTERM, and the first Ctrl-C, let each run come to its next checkpoint and hand the rest to other workers; a second one
ends the process at once, and nothing is lost by that either. A worker that loses its database begins anew by itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.jobs.worker import Worker

_AGAIN = "SEGUE_WORKER_AGAIN"
_PATIENCE_S = 600.0
_PAUSE_S = 1.0


def command(
    concurrency: Annotated[int | None, typer.Option(min=1, help="Runs at a time; as [jobs] says if not given.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is left to begin.")] = False,
    schedules: Annotated[bool, typer.Option(help="Fire schedules as well.")] = True,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Work off jobs and fire schedules until asked to stop."""
    import asyncio
    import os
    import time

    from segue.base.errors import StoreError

    again, ends = bool(os.environ.get(_AGAIN)), time.monotonic() + _PATIENCE_S
    while True:
        try:
            return asyncio.run(_work(folder, concurrency, once, schedules))
        except StoreError as error:
            if not again or time.monotonic() > ends:
                raise
            print(f"not yet: {error}", flush=True)
        time.sleep(_PAUSE_S)


async def _work(folder: Path, concurrency: int | None, once: bool, schedules: bool) -> None:
    import asyncio

    from segue.jobs.opening import open_jobs
    from segue.jobs.worker import Worker
    from segue.server.following import followed
    from segue.workspace import Workspace

    async with Workspace.open(folder) as ws, followed(ws), open_jobs(ws) as jobs:
        worker = Worker(jobs, slots=concurrency, schedules=schedules, on_lost=_anew)
        _heed_signals(worker)
        told = asyncio.create_task(_tell(worker))
        try:
            await worker.run(once=once)
        finally:
            told.cancel()
    print("stopped", flush=True)


async def _tell(worker: Worker) -> None:
    await worker.ready.wait()
    print(f"takes jobs, {worker.slots} at a time", flush=True)


def _heed_signals(worker: Worker) -> None:
    import asyncio
    import os
    import signal

    asked: list[int] = []

    def stop() -> None:
        if asked:
            os._exit(1)
        asked.append(1)
        print("stops: runs come to their next checkpoint", flush=True)
        worker.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _anew() -> None:
    """This process from the start: nothing that goes on in it outlives that."""
    import os
    import sys

    print("lost the database: begins anew", flush=True)
    os.environ[_AGAIN] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
