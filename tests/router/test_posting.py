from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict
from tests.router.wire_server import Scripted, WireServer, json_reply

from segue.router.posting import Poster

HEADERS = CIMultiDict({"Content-Type": "application/json", "User-Agent": "segue", "Authorization": "Bearer k"})
BODY = b'{"ask": "\xc3\xa4"}'


async def post(
    url: str, session: aiohttp.ClientSession, *, headers: Any = HEADERS, data: bytes = BODY
) -> tuple[int, bytes]:
    posted = await Poster(url, connect_s=5).post(session, headers, data)
    try:
        return posted.status, await posted.content.read()
    finally:
        posted.release()


def no_post(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("aiohttp's own post was taken")


async def test_with_this_release_of_aiohttp_a_plain_request_goes_without_its_own_post(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aiohttp.ClientSession, "post", no_post)
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(json_reply({"ok": True}))

        assert await post(f"{server.url}/chat/completions", session) == (200, b'{"ok": true}')


async def test_a_release_of_aiohttp_that_was_not_looked_at_posts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp, "__version__", "99.0.0")
    monkeypatch.setattr(aiohttp.ClientSession, "post", no_post)
    async with WireServer() as server, aiohttp.ClientSession() as session:
        with pytest.raises(AssertionError, match="own post was taken"):
            await post(server.url, session)


@pytest.mark.parametrize("path", ["/chat/completions", "/chat/completions?api-version=1&name=a%20b", "/ä"])
async def test_what_is_sent_is_what_aiohttps_own_post_sends(path: str) -> None:
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(json_reply({}))

        await post(server.url + path, session)
        async with session.post(server.url + path, data=BODY, headers=HEADERS):
            pass

    ours, theirs = server.requests
    assert ours == theirs


async def test_a_user_within_the_url_signs_in() -> None:
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(json_reply({}))

        await post(f"http://me:secret@127.0.0.1:{server.port}/v1", session, headers=CIMultiDict({"X-Plain": "1"}))

    assert server.requests[0].headers["authorization"].startswith("Basic ")


async def test_whoever_traces_a_session_sees_the_request() -> None:
    seen = []
    config = aiohttp.TraceConfig()

    async def note(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.method)

    config.on_request_start.append(note)
    async with WireServer() as server, aiohttp.ClientSession(trace_configs=[config]) as session:
        server.script(json_reply({}))

        await post(server.url, session)

    assert seen == ["POST"]


async def test_what_stands_in_the_place_of_aiohttps_request_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    theirs = aiohttp.ClientSession._request

    async def recorded(self: aiohttp.ClientSession, *args: Any, **kwargs: Any) -> aiohttp.ClientResponse:
        asked.append(args)
        return await theirs(self, *args, **kwargs)

    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(json_reply({}))
        poster = Poster(server.url, connect_s=5)
        (await poster.post(session, HEADERS, BODY)).release()
        monkeypatch.setattr(aiohttp.ClientSession, "_request", recorded)

        (await poster.post(session, HEADERS, BODY)).release()

    assert len(asked) == 1


async def test_heads_that_only_inform_are_passed_over() -> None:
    heads = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(Scripted(body=heads, raw=True))

        assert await post(server.url, session) == (200, b"ok")


async def test_a_head_that_is_none_is_an_error_of_aiohttps() -> None:
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(Scripted(body=b"220 mail.example ESMTP\r\n\r\n", raw=True))

        with pytest.raises(aiohttp.ClientResponseError):
            await post(server.url, session)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999999/v1", "http:///v1", "/v1"])
async def test_what_is_no_url_is_an_error_of_aiohttps(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.InvalidURL):
            await post(url, session)


async def test_a_header_with_a_line_end_is_not_sent() -> None:
    async with WireServer() as server, aiohttp.ClientSession() as session:
        server.script(json_reply({}))

        with pytest.raises(ValueError, match=r"(?i)header"):
            await post(server.url, session, headers=CIMultiDict({"X-Who": "me\r\nX-Admin: yes"}))

    assert not server.requests


async def test_a_connection_whose_server_answers_before_it_has_read_all_is_not_used_again() -> None:
    async with hasty_server() as (url, connections), aiohttp.ClientSession() as session:
        async with asyncio.timeout(30):
            first = await post(url, session, data=b"x" * 32_000_000)
            second = await post(url, session)

    assert (first, second, len(connections)) == ((413, b""), (413, b""), 2)


@asynccontextmanager
async def hasty_server() -> AsyncIterator[tuple[str, list[str]]]:
    """Says that a request is too large as soon as it begins, and keeps the connection."""
    connections: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append("opened")
        while await reader.readline() not in (b"\r\n", b""):
            pass
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await left.wait()
        writer.close()

    left = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", connections
    finally:
        left.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("sizes", [[5], [1] * 40, [3, 70_000, 1, 1, 200_000, 7], [300_000] * 12, []])
async def test_a_body_in_chunks_comes_whole_and_in_few_pieces(sizes: list[int]) -> None:
    chunks = [bytes([65 + at % 26]) * size for at, size in enumerate(sizes)]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(2):  # the second request goes over the same connection
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(BODY))
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            writer.write(b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in chunks) + b"0\r\n\r\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        for _ in range(2):
            posted = await Poster(url, connect_s=5).post(session, HEADERS, BODY)
            pieces = []
            while piece := await posted.piece():
                pieces.append(piece)
                await asyncio.sleep(0)
            posted.release()

            assert b"".join(pieces) == b"".join(chunks)
            assert sum(sizes) > 1000 or len(pieces) <= 2
            assert posted.content.at_eof()


async def test_a_body_that_breaks_off_is_an_error_after_what_came() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, aiohttp.ClientSession() as session:
        posted = await Poster(url, connect_s=5).post(session, HEADERS, BODY)

        assert await posted.piece() == b"ab"
        with pytest.raises(aiohttp.ClientPayloadError):
            await posted.piece()
        posted.release()
