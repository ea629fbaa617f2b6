"""A POST, and the head of its answer: over the connections of an aiohttp session, without a request object for each.

In: a session, headers, and the bytes of a body. Out: status, headers and the stream of the answer. What aiohttp's own
`post` makes anew for every request - URL, headers, cookies, timers, a task that writes - is the same each time for one
URL, and costs more than all that its connections and its parser do; so it is made once. Its own `post` is taken where
a request is out of the ordinary (a proxy, a sign-in within the URL), where somebody looks on (traces, a recorder of
tests that has put itself in its place), and with releases of aiohttp that were not looked at yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from segue.router.sessions import proxy_for

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import Connection

_LOOKED_AT = "3.14."
"""The releases of aiohttp whose connections are known to work as it is done here."""
_UNUSUAL = ("Transfer-Encoding", "Expect", "Content-Length", "Content-Encoding")
"""Headers that change how a body is sent."""


class Posted:
    """An answer whose head has come."""

    __slots__ = ("_held", "_looked_at", "content", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
        held: Connection | aiohttp.ClientResponse,
        *,
        looked_at: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        """The body, as it comes."""
        self._held = held
        self._looked_at = looked_at

    @property
    def kind(self) -> str:
        """The content type, without what follows it."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower()

    async def piece(self) -> bytes:
        """All of the body that has come and was not read yet, at least a byte; nothing at its end.

        It is aiohttp's `readany`, which asks the connection to go on once for each chunk of HTTP that it joins.
        """
        content: Any = self.content
        if not self._looked_at:
            return await self.content.readany()
        if content._exception is not None:
            raise content._exception
        buffer = content._buffer
        while not buffer and not content._eof:
            await content._wait("readany")
        if len(buffer) < 2 or content._buffer_offset:
            return content._read_nowait(-1)  # type: ignore[no-any-return]
        data = b"".join(buffer)
        buffer.clear()
        content._size -= len(data)
        content._cursor += len(data)
        splits = content._http_chunk_splits
        while splits and splits[0] < content._cursor:
            splits.popleft()
        content._protocol.resume_reading()
        return data

    def release(self) -> None:
        """Give back the connection; where the body was not read to its end, it is closed."""
        self._held.release()


class _Line:
    """What is the same for every request with these headers in this session."""

    __slots__ = ("connector", "head", "headers", "own", "request", "session")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        headers: Mapping[str, str],
        connector: aiohttp.BaseConnector,
        request: aiohttp.ClientRequest,
        head: bytes,
    ) -> None:
        self.session = session
        self.own: object = type(session)._request
        """What posts there where nobody has put something in its place."""
        self.headers = headers
        self.connector = connector
        self.request = request
        """What the connector is asked with."""
        self.head = head
        """Up to the length of the body."""


class Poster:
    """Posts to one URL."""

    def __init__(self, url: str, *, connect_s: float) -> None:
        self.proxy = proxy_for(url)
        """The proxy of the environment; `None` for none."""
        self._url = url
        self._connect_s = connect_s
        self._timeout: aiohttp.ClientTimeout | None = None
        self._line: _Line | None = None

    async def post(self, session: aiohttp.ClientSession, headers: Mapping[str, str], data: bytes) -> Posted:
        """The answer when its head has come; it must be released. `headers` are looked at by their identity.

        Raises:
            aiohttp.ClientError: As aiohttp's own `post` does.
        """
        import aiohttp

        timeout = self._timeout
        if timeout is None:
            timeout = self._timeout = aiohttp.ClientTimeout(total=None, connect=self._connect_s)
        line = self._line
        if line is None or line.headers is not headers or line.session is not session:
            line = self._line = None if self.proxy else _line(session, self._url, headers)
        if line is None or session.trace_configs or type(session)._request is not line.own:
            response = await session.post(
                self._url, data=data, headers=headers, proxy=self.proxy, allow_redirects=False, timeout=timeout
            )
            return Posted(response.status, response.headers, response.content, response)
        connection = None
        try:
            connection = await line.connector.connect(line.request, [], timeout)
            return await _posted(line, connection, data)
        except BaseException as error:
            if connection is not None:
                connection.close()
            told = _told(error, line, connecting=connection is None)
            if told is error:
                raise
            raise told from error


async def _posted(line: _Line, connection: Connection, data: bytes) -> Posted:
    import aiohttp

    protocol = connection.protocol
    transport = None if protocol is None else protocol.transport
    if protocol is None or transport is None:
        raise ConnectionResetError("it was closed before the request went")
    protocol.set_response_params(read_until_eof=True)
    transport.write(b"%b%d\r\n\r\n%b" % (line.head, len(data), data))
    code = 100
    while 100 <= code < 200 and code != 101:
        message, content = await protocol.read()
        code = message.code
    if transport.get_write_buffer_size():
        protocol.force_close()  # it answers before it has read all; what it does with the rest nobody knows
    return Posted(code, message.headers, content, connection, looked_at=type(content) is aiohttp.StreamReader)


def _told(error: BaseException, line: _Line, *, connecting: bool) -> BaseException:
    """An error as aiohttp's own `post` raises it."""
    import aiohttp
    from aiohttp.http import HttpProcessingError

    if isinstance(error, HttpProcessingError):
        return aiohttp.ClientResponseError(
            line.request.request_info, (), status=error.code, message=error.message, headers=error.headers
        )
    if isinstance(error, aiohttp.ClientError) or not isinstance(error, OSError):
        return error
    if connecting and isinstance(error, TimeoutError):
        return aiohttp.ConnectionTimeoutError(f"Connection timeout to host {line.request.url}")
    return aiohttp.ClientOSError(*error.args)


def _line(session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> _Line | None:
    """How it is posted there without aiohttp's own `post`; `None` where that is not known."""
    import aiohttp
    from yarl import URL

    connector, own = session.connector, getattr(type(session)._request, "__code__", None)
    if not aiohttp.__version__.startswith(_LOOKED_AT) or connector is None:
        return None
    if own is None or own.co_filename != aiohttp.client.__file__:
        return None
    if session.headers or any(name in headers for name in _UNUSUAL):
        return None
    try:
        where, loop = URL(url), asyncio.get_running_loop()
        request = aiohttp.ClientRequest("POST", where, headers=headers, loop=loop, session=session)
    except ValueError:  # no URL: its own `post` says so
        return None
    if where.scheme not in ("http", "https") or where.raw_user or where.raw_password:
        return None
    sent = [f"{name}: {value}" for name, value in request.headers.items() if name != "Content-Length"]
    head = "\r\n".join([f"POST {request.url.raw_path_qs} HTTP/1.1", *sent])
    if len(head.splitlines()) != len(sent) + 1 or "\0" in head:
        return None
    return _Line(session, headers, connector, request, f"{head}\r\nContent-Length: ".encode())
