"""Answers that are odd, garbled, too large or none: taken where they are whole, else the next deployment answers."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.router.recorded_answer import BODY, CALLS, CHUNKS, TEXT, THOUGHT, WHOLE_AT, Pair, check, paired, piece
from tests.router.wire_server import Scripted, error_reply, json_reply, sse

from segue.router import AttemptError, BadRequest, NoDeploymentLeft


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with paired() as both:
        yield both


def shaped(*chunks: Any, **more: Any) -> Scripted:
    return Scripted(body=sse(*chunks), **more)


def framed(head: str, body: bytes = BODY) -> Scripted:
    return Scripted(body=f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body, raw=True)


def whole() -> dict[str, Any]:
    """The same answer, not streamed."""
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for at, (name, arguments) in enumerate(CALLS)
    ]
    message = {"role": "assistant", "content": TEXT, "reasoning_content": THOUGHT, "tool_calls": calls}
    usage = {"prompt_tokens": 100, "completion_tokens": 20}
    return {
        "model": "s-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": usage,
    }


def lines(each: dict[str, Any]) -> bytes:
    """One event whose JSON goes over many data lines."""
    return b"\n".join(b"data: " + line.encode() for line in json.dumps(each, indent=1).splitlines())


TAKEN: dict[str, Scripted] = {
    "as it is": Scripted(body=BODY),
    "CRLF": Scripted(body=sse(*CHUNKS, newline=b"\r\n")),
    "CR": Scripted(body=sse(*CHUNKS, newline=b"\r")),
    "CRLF, one byte at a time": Scripted(body=sse(*CHUNKS, newline=b"\r\n"), piece=1),
    "one byte at a time": Scripted(body=BODY, piece=1),
    "seven bytes at a time": Scripted(body=BODY, piece=7),
    "a byte order mark": Scripted(body=b"\xef\xbb\xbf" + BODY),
    "comments between": Scripted(body=BODY.replace(b"data:", b": still here\n\n: and here\ndata:")),
    "other fields": Scripted(body=BODY.replace(b"data:", b"event: message\nid: 7\nretry: 10\nodd\ndata:")),
    "no space after the colon": Scripted(body=BODY.replace(b"data: ", b"data:")),
    "many data lines": shaped(*map(lines, CHUNKS)),
    "escaped": Scripted(body=b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in CHUNKS)),
    "without [DONE]": Scripted(body=sse(*CHUNKS, done=False)),
    "without the last empty line": Scripted(body=sse(*CHUNKS, done=False).rstrip(b"\n")),
    "[DONE] twice, and more behind it": Scripted(body=BODY + b"data: [DONE]\n\ndata: nonsense\n\n"),
    "an empty chunk first": shaped({"choices": [], "prompt_filter_results": []}, *CHUNKS),
    "null for what is not there": shaped({"choices": None}, {"choices": [{"delta": None}]}, *CHUNKS),
    "another choice": shaped({"choices": [{"index": 1, "delta": {"content": "no"}}]}, *CHUNKS),
    "the reason to end twice": shaped(*CHUNKS[:-1], *CHUNKS[-2:]),
    "usage in every chunk": shaped(*({**each, "usage": {"prompt_tokens": 1}} for each in CHUNKS[:-1]), CHUNKS[-1]),
    "an error that is null": shaped(*({**each, "error": None} for each in CHUNKS)),
    "called plain text": Scripted(body=BODY, content_type="text/plain"),
    "called bytes": Scripted(body=BODY, content_type="application/octet-stream"),
    "not called anything": framed("X: y"),
    "not streamed": json_reply(whole()),
    "compressed although nobody asked": Scripted(body=gzip.compress(BODY), headers=(("Content-Encoding", "gzip"),)),
    "after an interim answer": Scripted(
        body=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + BODY, raw=True
    ),
}


@pytest.mark.parametrize("name", TAKEN)
async def test_an_odd_but_whole_answer_is_taken(pair: Pair, name: str) -> None:
    found, deltas = await pair.ask(TAKEN[name], "a", "b")

    assert [(each.deployment, each.outcome) for each in found.attempts] == [("a", "ok")]
    check(found, deltas, name)


def instead(at: int, wrong: Any) -> Scripted:
    """The recorded answer with one chunk put in."""
    return shaped(
        *CHUNKS[:at], wrong if isinstance(wrong, bytes) else b"data: " + json.dumps(wrong).encode(), *CHUNKS[at:]
    )


def ends(finish: str | None) -> Scripted:
    return shaped(*CHUNKS[:-2], piece({}, finish), CHUNKS[-1])


def delta(**held: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": held}]}


GARBLED: dict[str, Scripted] = {
    "nothing": Scripted(body=b""),
    "[DONE] alone": Scripted(body=b"data: [DONE]\n\n"),
    "comments alone": Scripted(body=b": hello\n\n" * 50),
    "no word of an answer": shaped(piece({"role": "assistant"})),
    "aborted": ends("abort"),
    "ended by an error": ends("error"),
    "[DONE] within a call": shaped(*CHUNKS[:8]),
    "an event of an error": instead(5, b'event: error\ndata: {"message": "engine died"}'),
    "an error at once": instead(0, {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}),
    "an error within": instead(5, {"error": {"message": "engine died"}}),
    "an error in a word": instead(5, {"error": "engine died"}),
    "an error of no use": instead(5, {"error": {"code": "²", "message": {"a": [1]}}}),
    "an error with a long number": instead(5, {"error": {"code": "5" * 5000}}),
    "an error that is a list": instead(5, {"error": [{"message": "engine died"}]}),
    "over its limit in mid answer": instead(5, {"error": {"message": "slow down", "code": 429}}),
    "null": instead(5, None),
    "a number": instead(5, 5),
    "a list": instead(5, []),
    "a text": instead(5, "hello"),
    "no JSON": instead(5, b"data: {nonsense}"),
    "half a JSON": instead(5, b'data: {"choices": [{"index": 0, "delta": {"content": "a'),
    "deep JSON": instead(5, b'data: {"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    "choices that are none": instead(5, {"choices": 5}),
    "a choice that is none": instead(5, {"choices": [5]}),
    "a delta that is none": instead(5, {"choices": [{"delta": 5}]}),
    "content that is a number": instead(5, delta(content=5)),
    "content that is an object": instead(5, delta(content={"a": 1})),
    "calls that are none": instead(5, delta(tool_calls=5)),
    "a call that is none": instead(5, delta(tool_calls=[5])),
    "a function that is none": instead(5, delta(tool_calls=[{"index": 0, "function": 5}])),
    "details that are none": instead(5, delta(reasoning_details=[5])),
    "usage that is none": instead(5, {"choices": [], "usage": "many"}),
    "usage in words": instead(5, {"choices": [], "usage": {"prompt_tokens": "many"}}),
    "usage beyond numbers": instead(5, b'data: {"choices": [], "usage": {"prompt_tokens": 1e400}}'),
    "invalid UTF-8": instead(5, b'data: {"choices": [{"index": 0, "delta": {"content": "\xff\xfe"}}]}'),
    "half a surrogate": instead(5, b'data: {"choices": [{"index": 0, "delta": {"content": "\\ud83d"}}]}'),
    "a NUL": instead(5, b'data: {"choices": [{"index": 0, "delta": {"content": "\x00"}}]}'),
    "a page": Scripted(body=b"<html>Please sign in</html>", content_type="text/html"),
    "an answer called a page": Scripted(body=BODY, content_type="text/html"),
    "a stream called JSON": Scripted(body=BODY, content_type="application/json"),
    "JSON called a stream": Scripted(body=json.dumps(whole()).encode()),
    "half of a whole answer": Scripted(body=json.dumps(whole()).encode()[:-40], content_type="application/json"),
    "a whole answer of nothing": json_reply({}),
    "a whole answer that is a list": json_reply([]),
    "a whole answer that is an error": json_reply({"error": {"message": "engine died"}}),
    "compressed by another name": Scripted(body=BODY, headers=(("Content-Encoding", "gzip"),)),
    "compressed by half": Scripted(body=gzip.compress(BODY)[:200], headers=(("Content-Encoding", "gzip"),)),
    "no HTTP": Scripted(body=b"SSH-2.0-OpenSSH_9.6\r\n", raw=True),
    "hung up at once": Scripted(body=b"", hang_up=True),
    "half a head": Scripted(body=b"HTTP/1.1 200 OK\r\nContent-Ty", raw=True),
    "a head without an end": Scripted(body=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", raw=True),
    "frames that are none": framed("Transfer-Encoding: chunked", b"zz\r\n" + BODY),
    "a length that is none": framed("Content-Length: many"),
    "too short a length": framed(f"Content-Type: text/event-stream\r\nContent-Length: {WHOLE_AT}"),
    "no content": Scripted(body=b"HTTP/1.1 204 No Content\r\n\r\n", raw=True),
    "a redirect": Scripted(
        body=b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n", raw=True
    ),
    "a redirect to nowhere": Scripted(body=b"HTTP/1.1 307 There\r\nContent-Length: 0\r\n\r\n", raw=True),
    "500": error_reply(500, "boom"),
    "502, a page": Scripted(body=b"<html>Bad Gateway</html>", status=502, content_type="text/html"),
    "503 without a word": Scripted(body=b"", status=503),
    "529": error_reply(529, "overloaded"),
    "an error that is no JSON": Scripted(body=b"\xff\xfe\x00", status=500, content_type="application/json"),
    "an error that is cut": Scripted(body=b'{"error": {"message": "bo', status=500, cut_at=20),
    "429 without a word": Scripted(body=b"", status=429),
    "401": error_reply(401, "who are you?"),
    "404": error_reply(404, "no such model"),
}


@pytest.mark.parametrize("name", GARBLED)
async def test_a_garbled_answer_goes_to_the_next_deployment(pair: Pair, name: str) -> None:
    found, deltas = await pair.ask(GARBLED[name], "a", "b")

    assert [each.deployment for each in found.attempts] == ["a", "b"]
    assert "deployment 'a'" in found.attempts[0].error
    assert len(found.attempts[0].error) < 800
    check(found, deltas, name)


@pytest.mark.parametrize("name", GARBLED)
async def test_a_garbled_answer_without_another_deployment_is_a_typed_error(pair: Pair, name: str) -> None:
    with pytest.raises(NoDeploymentLeft, match="deployment 'a'") as caught:
        await pair.ask(GARBLED[name], "a")

    assert all(isinstance(each, AttemptError) for each in caught.value.errors)


async def test_an_error_in_mid_stream_that_is_the_requests_own_is_not_tried_elsewhere(pair: Pair) -> None:
    with pytest.raises(BadRequest, match="deployment 'a'"):
        await pair.ask(instead(0, {"error": {"message": "temperature must be below 2", "code": 400}}), "a", "b")

    assert not pair.b.requests


async def test_an_answer_may_be_empty(pair: Pair) -> None:
    found, deltas = await pair.ask(shaped(piece({"role": "assistant"}), piece({}, "stop")), "a", "b")

    assert (found.deployment, found.message["content"], deltas) == ("a", "", [])


OVERSIZED: dict[str, Scripted] = {
    "a line": Scripted(body=b"data: " + b"x" * 300_000),
    "an event of many lines": Scripted(body=b"data: x\n" * 60_000),
    "a line in small pieces": Scripted(body=b"x" * 150_000, piece=50_000),
    "a whole answer": Scripted(body=b" " * 300_000, content_type="application/json"),
}


@pytest.mark.parametrize("name", OVERSIZED)
async def test_what_is_too_large_is_not_kept(pair: Pair, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.router.sse.MAX_EVENT_BYTES", 100_000)

    found, deltas = await pair.ask(OVERSIZED[name], "a", "b")

    assert found.attempts[0].outcome == "failed"
    assert "more than 100000 bytes" in found.attempts[0].error
    check(found, deltas, name)
