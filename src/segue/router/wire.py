"""Our own transport for OpenAI-compatible servers: a request out, a stream back, one reply.

In: the body of a chat completion (https://platform.openai.com/docs/api-reference/chat). Out: an `Answer`, or an error
of `segue.router.errors`; never half an answer. Made of aiohttp, orjson and a parser of our own because an SDK costs
ten times as much and grows with the history. `HttpWire` is the sending half, for every API that streams over HTTP;
`segue.router.reading` is the other one. Choosing, trying again and prices are left to others.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

import orjson

from segue._version import __version__
from segue.router import sse
from segue.router.assemble import Assembler
from segue.router.auth import request_headers
from segue.router.errors import EndpointFailed, EndpointRefused, EndpointUnreachable
from segue.router.faults import Fault, read_fault, reason
from segue.router.posting import Posted, Poster
from segue.router.reading import Answer, Exchange, Reader
from segue.router.secrets import cause
from segue.router.sessions import Sessions, is_loopback, read_at_most
from segue.router.settings import DeploymentSettings
from segue.router.types import OnDelta

_MAX_ERROR_BYTES = 64 * 1024
_HEADERS = {
    "Content-Type": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": f"segue/{__version__}",
}


class HttpWire(Reader):
    """Posts to one endpoint and reads what streams back."""

    path: ClassVar[str]
    """What comes after the base URL."""

    def __init__(
        self,
        name: str,
        settings: DeploymentSettings,
        *,
        sessions: Sessions,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`name` is the deployment's, for errors; `environ` is where `env:` references look (`None`: the process's)."""
        super().__init__(name, settings)
        self._sessions = sessions
        self._environ = environ
        self._url = f"{settings.url}{self.path}"
        self._poster = Poster(self._url, connect_s=settings.connect_s)
        self._known: tuple[dict[str, str], Mapping[str, str]] | None = None
        """The headers of the last request, and the same as they are sent."""

    def _headers(self) -> tuple[Mapping[str, str], list[str]]:
        """The headers of a request, and the secrets in them."""
        headers, secrets = request_headers(self._settings, self._environ, wanted_by=f"deployment {self._name!r}")
        known = self._known
        if known is None or known[0] != headers:
            from multidict import CIMultiDict

            known = self._known = headers, CIMultiDict({**_HEADERS, **headers})
        return known[1], secrets

    async def _run(self, data: bytes, headers: Mapping[str, str], exchange: Exchange) -> None:
        session = self._sessions.here() or await self._sessions.get()
        import aiohttp

        for fresh in (False, True):
            try:
                response = await self._poster.post(session, headers, data)
                try:
                    await self._read(response, exchange)
                finally:
                    response.release()
                return
            except aiohttp.ServerDisconnectedError as error:
                if fresh or exchange.collector.begun:  # a kept-alive connection may die while nobody looks: once more
                    raise self._broken(error, exchange) from cause(error, exchange.secrets)
            except (
                aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL, UnicodeError,
            ) as error:  # fmt: skip
                raise self._unreachable(error, exchange.secrets) from cause(error, exchange.secrets)
            except (aiohttp.ClientError, ConnectionError) as error:
                raise self._broken(error, exchange) from cause(error, exchange.secrets)

    async def _read(self, response: Posted, exchange: Exchange) -> None:
        if response.status != 200:
            fault = read_fault(response.status, await read_at_most(response.content, _MAX_ERROR_BYTES))
            if location := response.headers.get("Location"):
                fault = Fault(status=response.status, message=f"it redirects to {location}")
            raise self._fault(fault, exchange.secrets, response.headers)
        exchange.headers = response.headers
        kind = response.kind
        if kind == "text/html":
            raise EndpointRefused(
                self._name,
                f"is a web page and no model server: {self._url}",
                way_out="See `endpoint`: it is the base URL up to and with /v1.",
            )
        if kind == "application/json":
            self._take(await self._whole(response), exchange)
        else:
            await self._read_pieces(response.piece, exchange, response.content.is_eof)

    async def _whole(self, response: Posted) -> bytes:
        """An answer that was not streamed; it may be as long as one event of a stream."""
        body = await read_at_most(response.content, sse.MAX_EVENT_BYTES + 1)
        if len(body) > sse.MAX_EVENT_BYTES:
            what = f"an answer of more than {sse.MAX_EVENT_BYTES} bytes"
            raise EndpointFailed(self._name, "sent what is too large", detail=what)
        return body

    def _drops(self) -> tuple[type[Exception], ...]:
        import aiohttp

        return aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, ConnectionError

    def _unreachable(self, error: Exception, secrets: list[str]) -> EndpointUnreachable:
        via = " through the proxy of the environment" if self._poster.proxy else ""
        way_out = "Start the server there, or mend `endpoint` in its settings."
        if isinstance(error, ValueError):
            way_out = "Mend `endpoint` in its settings: it is a URL such as http://127.0.0.1:8000/v1."
        elif not is_loopback(self._url):
            way_out = "See the address in `endpoint`, the network, and HTTP(S)_PROXY and NO_PROXY."
        return EndpointUnreachable(
            self._name,
            f"cannot be reached at {self._settings.url}{via}",
            detail=reason(error, secrets),
            way_out=way_out,
        )


class Wire(HttpWire):
    """Chat completions of one endpoint."""

    path = "/chat/completions"

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
        exchange = self._exchange(Assembler(), secrets, on_delta, deadline)
        return await self._finished(exchange, self._run(encode(body), headers, exchange), taken_ids)


def encode(body: Mapping[str, Any]) -> bytes:
    """The body as JSON."""
    try:
        return orjson.dumps(body)
    except TypeError:  # what is no plain data
        pass
    try:
        return orjson.dumps(body, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(body, default=str).encode()
