"""Listening: an application and an address in; requests answered until the process is told to end, in order.

Told once, it takes no more connections, and runs come to their next checkpoint; told twice, it ends as it stands, and
nothing that was accepted is lost by that either.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from segue.base.errors import ConfigError
from segue.server.serving import Server, serving

_STREAMS_S = 5
"""How long streams that are open may go on once the server ends; their clients come back to the next one."""
_MOVES = 20


def bound(host: str, port: int, *, move: bool = False) -> socket.socket:
    """A socket at an address; with `move` at one of the next ports, where it is taken.

    Raises:
        ConfigError: The address is none, or taken.
    """
    last = port + (_MOVES if move and port else 0)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for each in range(port, last + 1):
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, each))
        except (OSError, OverflowError) as error:
            made.close()
            if each == last:
                raise ConfigError(
                    f"{host}:{port} cannot be listened at: {error}", way_out="Give another --port."
                ) from None
            continue
        return made
    raise AssertionError("the last port was tried")  # pragma: no cover


async def listen(application: FastAPI, at: socket.socket, *, ready: Callable[[Server], None]) -> None:
    """Serve until the process is told to end; `ready` is called once requests are taken.

    Raises:
        ConfigError: Another server has the folder, or a setting is unusable.
        StoreError: A file cannot be opened.
    """
    config = uvicorn.Config(
        application, lifespan="off", ws="none", log_level="warning", access_log=False, proxy_headers=False,
        server_header=False, timeout_graceful_shutdown=_STREAMS_S,
    )  # fmt: skip
    async with serving(application.state.setup) as server:
        application.state.server = server
        at.listen(config.backlog)  # who is told the address before uvicorn takes connections waits, and is not refused
        ready(server)
        await _Uvicorn(config, server).serve(sockets=[at])


class _Uvicorn(uvicorn.Server):
    """Heeds signals by the event loop, so that what stands around it ends in order; runs stop before connections do."""

    def __init__(self, config: uvicorn.Config, server: Server) -> None:
        super().__init__(config)
        self._server = server

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._server.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop, signals = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            for each in signals:
                loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                for each in signals:
                    loop.remove_signal_handler(each)
