"""HTTP connections: one aiohttp session for each event loop, and who may stand between.

A session belongs to the loop that made it and is closed with it: it lives inside an async generator, which every loop
finalises when it shuts down. `aclose` does the same earlier, and so does who drops a router without a word. Proxies of
the environment are honoured for every host except loopback, where a proxy never is what somebody meant.
"""

from __future__ import annotations

import asyncio
import ipaddress
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from segue.base.imports import load

if TYPE_CHECKING:
    import aiohttp

KEEP_ALIVE_S = 15.0


Held = TypeVar("Held")


class PerLoop(Generic[Held]):
    """Hands out the one of the running loop, of something that belongs to a loop."""

    def __init__(self, life: Callable[[], AsyncGenerator[Held]], *, is_closed: Callable[[Held], bool]) -> None:
        """`life` makes one, yields it, and closes it at its end; it holds nothing that holds this."""
        self._life = life
        self._is_closed = is_closed
        self._held: dict[asyncio.AbstractEventLoop, tuple[Held, weakref.finalize[Any, Any]]] = {}
        self._lock = threading.Lock()

    def here(self) -> Held | None:
        """The one of the running loop; `None` where none was made, or it was closed."""
        held = self._held.get(asyncio.get_running_loop())
        return None if held is None or self._is_closed(held[0]) else held[0]

    async def get(self) -> Held:
        """The one of the running loop, made when first asked for."""
        if (held := self.here()) is not None:
            return held
        loop = asyncio.get_running_loop()
        life = self._life()
        made = await anext(life)
        with self._lock:  # loops may run in several threads
            for other in [other for other in self._held if other.is_closed()]:
                self._held.pop(other)[1].detach()
            dropped = weakref.finalize(self, _let_go, loop, life)  # holds it, so that it is not swept away with this
            dropped.atexit = False
            if loop in self._held:
                self._held[loop][1].detach()
            self._held[loop] = (made, dropped)
        return made

    async def aclose(self) -> None:
        """Close the one of the running loop; those of other loops close with their loops."""
        with self._lock:
            held = self._held.pop(asyncio.get_running_loop(), None)
        if held is not None and (dropped := held[1].detach()) is not None:
            _, _, (_, life), _ = dropped
            await life.aclose()


def _let_go(loop: asyncio.AbstractEventLoop, life: AsyncGenerator[Any]) -> None:
    """Close what nobody can ask for any more, on its loop."""
    with suppress(RuntimeError):  # the loop is closed, and with it what belonged to it
        loop.call_soon_threadsafe(lambda: _CLOSING.add(loop.create_task(_closed(life))))


async def _closed(life: AsyncGenerator[Any]) -> None:
    try:
        await life.aclose()
    finally:
        _CLOSING.discard(asyncio.current_task())


_CLOSING: set[asyncio.Task[None] | None] = set()


class Sessions(PerLoop["aiohttp.ClientSession"]):
    """Hands out the session of the running loop."""

    def __init__(self) -> None:
        super().__init__(_session_life, is_closed=lambda session: session.closed)


async def _session_life() -> AsyncGenerator[aiohttp.ClientSession]:
    load("aiohttp")
    import aiohttp

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
    )
    try:
        yield session
    finally:
        await session.close()


async def read_at_most(content: aiohttp.StreamReader, limit: int) -> bytes:
    """The body of an answer, cut off after `limit` bytes."""
    pieces: list[bytes] = []
    left = limit
    while left > 0 and (piece := await content.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine: `localhost`, 127.0.0.0/8 or ::1."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """The proxy that the environment wants for a URL (`HTTPS_PROXY`, `NO_PROXY`, …); never one for loopback."""
    if is_loopback(url):
        return None
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
