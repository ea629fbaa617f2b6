"""Our own transport for OpenAI-compatible servers: a request out, a stream back, one reply.

In: the body of a chat completion (https://platform.openai.com/docs/api-reference/chat). Out: an `Answer`, or an error
of `segue.router.errors`; never half an answer. Made of aiohttp, orjson and a parser of our own because an SDK costs
ten times as much and grows with the history. Choosing, trying again and prices are left to others.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from segue._version import __version__
from segue.base.errors import ConfigError
from segue.base.messages import Message
from segue.base.usage import Usage
from segue.router.assemble import FAILED_REASONS, Assembler
from segue.router.deadlines import Watch
from segue.router.errors import AttemptError, BrokenStream, EndpointFailed, EndpointRefused, EndpointUnreachable
from segue.router.faults import Fault, fault_of, read_fault, reason, to_error
from segue.router.secrets import is_reference, redact, resolve
from segue.router.sessions import Sessions, is_loopback, proxy_for, read_at_most
from segue.router.settings import DeploymentSettings
from segue.router.sse import Event, SSEParser
from segue.router.types import Delta, OnDelta

if TYPE_CHECKING:
    import aiohttp

_MAX_ERROR_BYTES = 64 * 1024
_DRAIN_S = 0.02
_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"segue/{__version__}",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer, as the server gave it."""

    message: Message
    """Not yet entered."""
    usage: Usage | None
    """Without a cost; `None` where the server does not say."""
    finish_reason: str
    model: str
    """As the server names it; empty where it does not."""
    first_token_s: float | None
    headers: Mapping[str, str]
    """As the server sent them."""


@dataclass
class _Exchange:
    """What belongs to one request."""

    secrets: list[str]
    assembler: Assembler
    watch: Watch
    on_delta: OnDelta | None
    headers: Mapping[str, str] = field(default_factory=dict)

    def is_whole(self) -> bool:
        reason = self.assembler.finish_reason
        return bool(reason) and reason not in FAILED_REASONS

    def show(self, deltas: list[Delta]) -> None:
        if deltas:
            self.watch.token()
            if self.on_delta is not None:
                for delta in deltas:
                    self.on_delta(delta)


class Wire:
    """Speaks to one endpoint."""

    def __init__(
        self,
        name: str,
        settings: DeploymentSettings,
        *,
        sessions: Sessions,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`name` is the deployment's, for errors; `environ` is where `env:` references look (`None`: the process's)."""
        self._name = name
        self._settings = settings
        self._sessions = sessions
        self._environ = environ
        self._url = f"{settings.url}/chat/completions"
        self._proxy = proxy_for(self._url)

    async def send(
        self,
        body: Mapping[str, Any],
        *,
        on_delta: OnDelta | None,
        deadline: float | None,
        taken_ids: Collection[str] = (),
    ) -> Answer:
        """One generation. Tool calls get ids that are not among `taken_ids`.

        Raises:
            AttemptError: It failed, in one of the ways of `segue.router.errors`.
            ConfigError: A secret that the deployment refers to is not there.
        """
        headers, secrets = self._headers()
        settings, assembler = self._settings, Assembler()
        watch = Watch(self._name, first_token_s=settings.first_token_s, idle_s=settings.idle_s, deadline=deadline)
        exchange = _Exchange(secrets, assembler, watch, on_delta)
        try:
            async with watch:
                await self._run(_encode(body), headers, exchange)
        except BrokenStream:
            if not exchange.is_whole():  # else the server said that it was done, and then did not hang up
                raise
        if not exchange.is_whole():
            raise BrokenStream(self._name, *_unfinished(assembler.finish_reason))
        return Answer(
            message=assembler.message(taken_ids),
            usage=assembler.usage(),
            finish_reason=assembler.finish_reason,
            model=assembler.model,
            first_token_s=watch.first_token_s,
            headers=exchange.headers,
        )

    async def _run(self, data: bytes, headers: dict[str, str], exchange: _Exchange) -> None:
        import aiohttp

        session = await self._sessions.get()
        for fresh in (False, True):
            try:
                async with await self._post(session, data, headers) as response:
                    await self._read(response, exchange)
                return
            except aiohttp.ServerDisconnectedError as error:
                if fresh or exchange.assembler.begun:  # a kept-alive connection may die while nobody looks: once more
                    raise self._broken(error, exchange) from error
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
                raise self._unreachable(error, exchange.secrets) from error
            except (aiohttp.ClientError, ConnectionError) as error:
                raise self._broken(error, exchange) from error

    async def _post(
        self, session: aiohttp.ClientSession, data: bytes, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        import aiohttp

        return await session.post(
            self._url,
            data=data,
            headers=headers,
            proxy=self._proxy,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._settings.connect_s),
        )

    async def _read(self, response: aiohttp.ClientResponse, exchange: _Exchange) -> None:
        if response.status != 200:
            fault = read_fault(response.status, await read_at_most(response, _MAX_ERROR_BYTES))
            if location := response.headers.get("Location"):
                fault = Fault(status=response.status, message=f"it redirects to {location}")
            raise self._fault(fault, exchange.secrets, response.headers)
        exchange.headers = response.headers
        if response.content_type == "text/html":
            raise EndpointRefused(
                self._name,
                f"is a web page and no model server: {self._url}",
                way_out="See `endpoint`: it is the base URL up to and with /v1.",
            )
        if response.content_type == "application/json":
            self._take(await response.read(), exchange)
        else:
            await self._read_stream(response, exchange)

    async def _read_stream(self, response: aiohttp.ClientResponse, exchange: _Exchange) -> None:
        """Read to `[DONE]` or the end; an answer that has said why it ends is whole even when the line drops then."""
        import aiohttp

        parser = SSEParser()
        try:
            async for piece in response.content.iter_any():
                if self._take_all(self._events(parser, piece), exchange):
                    await _drain(response)
                    return
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError):
            if not exchange.is_whole():
                raise
        self._take_all(parser.close(), exchange, last=True)

    def _events(self, parser: SSEParser, piece: bytes) -> list[Event]:
        try:
            return parser.feed(piece)
        except ValueError as error:
            raise EndpointFailed(self._name, "sent what is no event stream", detail=str(error)) from error

    def _take_all(self, events: list[Event], exchange: _Exchange, *, last: bool = False) -> bool:
        """Take events; true where `[DONE]` is among them."""
        exchange.watch.alive()
        for event in events:
            if event.data.strip() == b"[DONE]":
                exchange.assembler.done()
                return True
            self._take(event.data, exchange, named=event.name, last=last)
        return False

    def _take(self, data: bytes, exchange: _Exchange, *, named: str = "", last: bool = False) -> None:
        """Take one chunk; `last` says that it may have been cut off."""
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if last:
                return
            raise self._nonsense("sent what is no JSON", data, exchange) from error
        if not isinstance(chunk, dict) or named == "error" or chunk.get("error"):
            raise self._fault(fault_of(chunk), exchange.secrets)
        try:
            deltas = exchange.assembler.add(chunk)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._nonsense("sent what is no chat completion", data, exchange) from error
        exchange.show(deltas)

    def _nonsense(self, what: str, data: bytes, exchange: _Exchange) -> EndpointFailed:
        said = redact(data.decode("utf-8", "replace"), exchange.secrets, limit=200)
        return EndpointFailed(self._name, what, detail=said)

    def _headers(self) -> tuple[dict[str, str], list[str]]:
        """The headers of a request, and the secrets in them."""
        settings, wanted_by = self._settings, f"deployment {self._name!r}"
        headers = {**_HEADERS}
        secrets = []
        if settings.api_key is not None:
            secrets.append(resolve(settings.api_key, self._environ, wanted_by=wanted_by))
            headers["Authorization"] = f"Bearer {secrets[0]}"
        for name, value in settings.headers.items():
            if is_reference(value):
                value = resolve(value, self._environ, wanted_by=wanted_by)
                secrets.append(value)
            headers[name] = value
        for name, value in headers.items():
            if not value.isprintable() or not value.isascii():
                raise ConfigError(f"{wanted_by}: header {name} holds what cannot be sent; is the secret the right one?")
        return headers, secrets

    def _fault(self, fault: Fault, secrets: list[str], headers: Mapping[str, str] | None = None) -> AttemptError:
        return to_error(fault, deployment=self._name, model=self._settings.model, secrets=secrets, headers=headers)

    def _unreachable(self, error: Exception, secrets: list[str]) -> EndpointUnreachable:
        via = " through the proxy of the environment" if self._proxy else ""
        way_out = "Start the server there, or mend `endpoint` in its settings."
        if not is_loopback(self._url):
            way_out = "See the address in `endpoint`, the network, and HTTP(S)_PROXY and NO_PROXY."
        return EndpointUnreachable(
            self._name,
            f"cannot be reached at {self._settings.url}{via}",
            detail=reason(error, secrets),
            way_out=way_out,
        )

    def _broken(self, error: Exception, exchange: _Exchange) -> AttemptError:
        detail = reason(error, exchange.secrets)
        if exchange.assembler.begun:
            return BrokenStream(self._name, "broke off in mid answer", detail=detail)
        return EndpointFailed(self._name, f"gave no answer at {self._settings.url}", detail=detail)


def _encode(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(body, default=str).encode()


def _unfinished(finish_reason: str) -> tuple[str]:
    if finish_reason:
        return (f"aborted its answer (finish_reason {finish_reason!r})",)
    return ("ended its answer without saying that it was whole",)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read to the end of the body, so that the connection can be used again; not for long."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in response.content.iter_any():
                pass
