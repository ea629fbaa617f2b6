"""The openai package as the sending half of a transport; the reading half is ours.

In: a body for `chat.completions` or `responses`. Out: an `Answer`, or an error of `segue.router.errors`. The package
finds the address, signs in and posts; the bytes that stream back are read by `segue.router.reading`, so that an answer
is whole by the same rules as everywhere. Its exceptions are told apart by their names: it may run on either of two
HTTP libraries.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from segue.base.errors import SegueError
from segue.router.errors import AttemptError, EndpointFailed, EndpointRefused, EndpointUnreachable
from segue.router.faults import Fault, read_fault, reason
from segue.router.reading import Answer, Collector, Exchange, Reader
from segue.router.sdk.clients import Clients
from segue.router.secrets import cause, redact
from segue.router.settings import DeploymentSettings
from segue.router.types import OnDelta

if TYPE_CHECKING:
    from openai import APIConnectionError, APIStatusError, AsyncOpenAI

_MAX_ERROR_BYTES = 64 * 1024
_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol", "InvalidURL"})
_DROPPED = frozenset({"ReadError", "WriteError", "CloseError", "RemoteProtocolError"})


class _Dropped(ConnectionError):
    """The connection was lost in mid answer."""


class SdkWire(Reader):
    """Speaks to one endpoint through the openai package."""

    def __init__(self, name: str, settings: DeploymentSettings, clients: Clients) -> None:
        super().__init__(name, settings)
        self._clients = clients

    async def send(
        self,
        body: Mapping[str, Any],
        collector: Collector,
        *,
        on_delta: OnDelta | None,
        deadline: float | None,
        taken_ids: Collection[str] = (),
    ) -> Answer:
        """One generation, put together by `collector`. Tool calls get ids that are not among `taken_ids`.

        Raises:
            AttemptError: It failed, in one of the ways of `segue.router.errors`.
            ConfigError: A secret that the deployment refers to is not there.
        """
        headers, secrets = self._clients.headers()
        exchange = self._exchange(collector, secrets, on_delta, deadline)
        return await self._finished(exchange, self._run(body, headers, exchange), taken_ids)

    async def _run(self, body: Mapping[str, Any], headers: dict[str, Any], exchange: Exchange) -> None:
        client = await self._clients.get()
        async with AsyncExitStack() as stack:
            response = await self._opened(stack, client, body, headers, exchange)
            exchange.secrets.extend(_sent(response.http_request))
            try:
                await self._read(response, exchange)
            except _Dropped as error:
                raise self._broken(error, exchange) from cause(error, exchange.secrets)

    async def _opened(
        self, stack: AsyncExitStack, client: AsyncOpenAI, body: Mapping[str, Any], headers: Any, exchange: Exchange
    ) -> Any:
        """The response whose body is to be read."""
        import openai

        for fresh in (False, True):
            try:
                return await stack.enter_async_context(_posted(client, body, headers, self._settings.api))
            except SegueError:
                raise
            except openai.APIStatusError as error:
                raise self._refused(error, exchange.secrets) from None
            except openai.APIConnectionError as error:
                if not fresh and _names(error.__cause__) & _DROPPED:
                    continue  # a kept-alive connection may die while nobody looks: once more
                raise self._unconnected(error, exchange) from None
            except Exception as error:  # such as that of a token provider
                detail = redact(f"{type(error).__name__}: {error}", exchange.secrets)
                raise EndpointFailed(self._name, "could not be asked", detail=detail) from None
        raise AssertionError("unreachable")

    async def _read(self, response: Any, exchange: Exchange) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip()
        if kind == "text/html":
            raise EndpointRefused(
                self._name,
                f"is a web page and no model server: {self._settings.url}",
                way_out="See `endpoint`: it is the base URL up to and with /v1, or that of the Azure resource.",
            )
        if kind == "application/json":
            self._take(b"".join([piece async for piece in _pieces(response)]), exchange)
        else:
            async with aclosing(_pieces(response)) as pieces:
                await self._read_pieces(lambda: anext(pieces, b""), exchange)

    def _refused(self, error: APIStatusError, secrets: list[str]) -> AttemptError:
        response = error.response
        fault = read_fault(response.status_code, response.content[:_MAX_ERROR_BYTES])
        if location := response.headers.get("location"):
            fault = Fault(status=response.status_code, message=f"it redirects to {location}")
        return self._fault(fault, [*secrets, *_sent(response.request)], response.headers)

    def _unconnected(self, error: APIConnectionError, exchange: Exchange) -> AttemptError:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        if not _names(cause) & _NO_CONNECTION:
            return self._broken(cause, exchange)
        return EndpointUnreachable(
            self._name,
            f"cannot be reached at {self._settings.url}",
            detail=reason(cause, exchange.secrets),
            way_out="See the address in `endpoint`, the network, and HTTP(S)_PROXY and NO_PROXY.",
        )


class ResponsesWire(SdkWire):
    """The same for the Responses API, whose failures come as events with a code."""

    chunk = "event of a response"

    def _fault(self, fault: Fault, secrets: Sequence[str], headers: Mapping[str, str] | None = None) -> AttemptError:
        if fault.status is None:
            fault = replace(fault, status=_status(fault.kind))
        return super()._fault(fault, secrets, headers)


def _status(kind: str) -> int | None:
    """What a code in mid stream would have been as a status."""
    if "rate_limit" in kind or "insufficient_quota" in kind:
        return 429
    if "server_error" in kind or "timeout" in kind:
        return 500
    wrong = ("invalid", "image", "policy", "context_length", "unsupported")
    return 400 if any(word in kind for word in wrong) else None


def _posted(client: AsyncOpenAI, body: Mapping[str, Any], headers: Any, api: str) -> AbstractAsyncContextManager[Any]:
    """The call; what the package's signature does not know goes into the body all the same."""
    known = ("model", "messages") if api == "chat" else ("model", "input")
    named: dict[str, Any] = {key: body[key] for key in known}
    rest = {key: value for key, value in body.items() if key not in (*known, "stream")}
    resource: Any = client.chat.completions if api == "chat" else client.responses
    create = resource.with_streaming_response.create
    return create(**named, stream=True, extra_body=rest, extra_headers=headers)  # type: ignore[no-any-return]


async def _pieces(response: Any) -> AsyncGenerator[bytes]:
    try:
        async for piece in response.iter_bytes():
            if piece:
                yield piece
    except Exception as error:
        if _names(error) & {"TransportError", "StreamError", "DecodingError"}:
            raise _Dropped(str(error) or type(error).__name__) from error
        raise


def _sent(request: Any) -> list[str]:
    """What a client that signs in by itself has signed in with."""
    return [request.headers.get(name, "").removeprefix("Bearer ") for name in ("authorization", "api-key")]


def _names(error: BaseException | None) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
