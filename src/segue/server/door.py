"""The door: a request in; who it is from, or its refusal, out. Every path but the named ones comes through here.

With keys, a request has `Authorization: Bearer`, and tenant and user are the key's. Without, it must come over
loopback, straight, and under a loopback name: a page that a browser shows cannot reach the server by a name of its own
(DNS rebinding) or from its own origin. Then limits: of requests, and of the size of a body.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic
from urllib.parse import urlsplit

from asyncio_throttle import Throttler  # type: ignore[attr-defined, unused-ignore]
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.server.errors import NoKey, NotAllowed, TooLarge, TooMany, answer
from segue.server.keys import NOBODY, Key, Keys
from segue.server.pages import is_page
from segue.workspace.sections import ServerSection

_log = logging.getLogger("segue.server")
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/api/openapi.json"})
"""What anybody may read: it tells of no tenant."""
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_LOOKS = ("GET", "HEAD", "OPTIONS")
_MINUTE_S = 60.0
_MOST_SEEN = 10_000
"""Keys whose requests are counted at a time; the oldest is forgotten."""


class Door:
    """Lets requests in, as an ASGI application around another one."""

    def __init__(
        self,
        inner: ASGIApp,
        *,
        keys: Callable[[], Keys],
        settings: ServerSection,
        login: bool,
        now: Callable[[], float],
    ) -> None:
        """`login`: whether keys are needed. `now` gives seconds since 1970."""
        self._inner, self._keys, self._settings, self._login, self._now = inner, keys, settings, login, now
        self._rates: dict[str, Rate] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and end."""
        if scope["type"] != "http":
            return await self._inner(scope, receive, send)
        path, began, ended = scope["path"], False, False

        async def out(message: Message) -> None:
            nonlocal began, ended
            began, ended = True, message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            if path not in OPEN_PATHS and not is_page(path):
                await self._let_in(scope)
            await self._inner(scope, _bounded(scope, receive, self._settings.max_body_bytes), out)
        except Exception as error:
            if not began:
                await answer(error, path)(scope, receive, send)
            elif not ended:  # the server sees that the answer is not complete, and cuts the connection
                _log.error("an answer to %s broke off: %s: %s", path, type(error).__name__, error, exc_info=error)

    async def _let_in(self, scope: Scope) -> None:
        headers, settings = Headers(scope=scope), self._settings
        key = await self._key(headers) if self._login else self._nobody(scope, headers)
        _check_host(headers, settings, login=self._login)
        if key.read_only and scope["method"] not in _LOOKS:
            raise NotAllowed("this key may only look", way_out="Use one that was made without --read-only.")
        await self._rate(key, settings).take()
        scope.setdefault("state", {})["key"] = key

    async def _key(self, headers: Headers) -> Key:
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise NoKey("a key is needed", way_out="Send it as Authorization: Bearer …; segue keys add makes one.")
        key = await self._keys().find(secret.strip())
        if key is None or not key.counts(self._now()):
            raise NoKey(
                "this key opens nothing: it is unknown, revoked or expired", way_out="segue keys add makes one."
            )
        return key

    def _nobody(self, scope: Scope, headers: Headers) -> Key:
        client = (scope.get("client") or ("", 0))[0]
        if not is_loopback(client) or any(name in headers for name in _PROXIED):
            raise NotAllowed(
                "without keys, requests come from this machine, and through no proxy",
                way_out="Serve with keys: segue serve --keys.",
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            raise NotAllowed(
                f"a page of {origin} may not call this server", way_out="Serve with keys, and name it in cors_origins."
            )
        return NOBODY

    def _rate(self, key: Key, settings: ServerSection) -> Rate:
        rate = self._rates.get(key.id)
        most = key.requests_per_minute or settings.requests_per_minute
        if rate is None or rate.most != most:
            if len(self._rates) >= _MOST_SEEN:
                del self._rates[next(iter(self._rates))]
            rate = self._rates[key.id] = Rate(most)
        return rate


class Rate:
    """So many requests in any minute."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._throttler = Throttler(most, period=_MINUTE_S, retry_interval=_MINUTE_S)
        self._times: deque[float] = deque(maxlen=most)

    async def take(self) -> None:
        """Count one more.

        Raises:
            TooMany: There were as many already.
        """
        try:
            async with asyncio.timeout(0):
                await self._throttler.acquire()  # type: ignore[no-untyped-call, unused-ignore]
        except TimeoutError:
            left_s = self._times[0] + _MINUTE_S - monotonic()
            raise TooMany(f"requests: {self.most} a minute", max(1, math.ceil(left_s))) from None
        self._times.append(monotonic())


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine by itself."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_host(headers: Headers, settings: ServerSection, *, login: bool) -> None:
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    allowed = host in settings.allowed_hosts if settings.allowed_hosts else login or is_loopback(host)
    if not allowed:
        raise NotAllowed(f"this server does not go by the name {host!r}", way_out="Name it in [server] allowed_hosts.")


def _bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """What gives the body, and refuses one that is too large, also where its length was not said."""
    said = Headers(scope=scope).get("content-length", "")
    if said.isdigit() and int(said) > most:
        raise TooLarge(most)
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:  # FastAPI makes a 400 of any other error while it reads
            raise HTTPException(413, TooLarge(most).message)
        return message

    return bounded
