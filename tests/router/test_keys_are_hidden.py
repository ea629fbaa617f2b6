"""A key is in no log, error, description or trace, whatever a server or a library says of it."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.router.wire_server import Scripted, WireServer, error_reply, json_reply, sse, text_chunks

from segue import Agent, Workspace
from segue.base.messages import user
from segue.router import DeploymentSettings, GenerationRequest, NoDeploymentLeft, Router, RouterSettings
from segue.router.catalogue import served_by
from segue.router.deployment import HttpDeployment

HI = GenerationRequest(messages=[user("hi")])
KEY = 'Zq7+plain/"key"=k4x11'
"""It has no shape that anybody would know it by, and is written otherwise in a URL and in JSON."""
PARTS = ("Zq7", "k4x11")


def raw(head: str, body: str = "") -> Scripted:
    return Scripted(body=f"{head}\r\n\r\n{body}".encode(), raw=True)


ECHOES: dict[str, Scripted] = {
    "a message": error_reply(401, f"Incorrect API key provided: {KEY}."),
    "a failure": error_reply(500, f"cannot forward Bearer {KEY}"),
    "a wrong request": error_reply(422, f"bad header {KEY}"),
    "a rate limit": error_reply(429, f"{KEY} is over its limit"),
    "too long a conversation": error_reply(400, f"maximum context length of {KEY}"),
    "a detail": json_reply({"detail": [{"input": {"authorization": f"Bearer {KEY}"}}]}, status=400),
    "an error without a message": json_reply({"error": {"headers": {"authorization": KEY}}}, status=500),
    "a page": Scripted(body=f"<html>{KEY}</html>".encode(), status=502, content_type="text/html"),
    "a redirect": raw(f"HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:9/?key={KEY}\r\nContent-Length: 0"),
    "a redirect with it quoted": raw(
        "HTTP/1.1 302 There\r\nLocation: /?key=Zq7%2Bplain%2F%22key%22%3Dk4x11\r\nContent-Length: 0"
    ),
    "an error in the stream": Scripted(body=sse(*text_chunks("hi")[:2], {"error": {"message": f"{KEY} has died"}})),
    "a chunk that is no JSON": Scripted(body=sse(f"data: {{nonsense {KEY}".encode())),
    "a chunk with it escaped": Scripted(body=sse(b'data: {"choices": "' + json.dumps(KEY)[1:-1].encode() + b'"}')),
    "no status line": raw(f"HELLO {KEY} HTTP"),
    "a broken head": raw(f"HTTP/1.1 200 OK\r\n{KEY} without a colon"),
    "a length that is none": raw(f"HTTP/1.1 200 OK\r\nContent-Length: {KEY}"),
    "an encoding that is none": raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip", f"{KEY}"),
    "frames that are none": raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", f"{KEY}\r\n"),
    "hanging up": Scripted(body=b"", hang_up=True),
    "half an answer": Scripted(body=sse(*text_chunks("hi")), cut_at=200),
}
ENGINES: list[dict[str, Any]] = [
    {"engine": "vllm"},
    {"engine": "anthropic"},
    {"engine": "openai", "transport": "sdk"},
]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all behind it."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop()
        if each is not None and each not in seen:
            seen.append(each)
            left += [each.__cause__, None if each.__suppress_context__ else each.__context__]
            left += each.errors if isinstance(each, NoDeploymentLeft) else ()
    return iter(seen)


def everything(error: BaseException) -> str:
    """What an error tells anybody who looks at it and at what is behind it."""
    told = ["".join(traceback.format_exception(error))]
    for each in chain(error):
        told += [str(each), repr(each), repr(each.args), repr(vars(each))]
    return "\n".join(told)


def assert_hidden(said: str) -> None:
    for part in PARTS:
        assert part not in said, said[max(0, said.index(part) - 300) : said.index(part) + 100]


def ours(log: pytest.LogCaptureFixture) -> str:
    """What was logged, without what other packages tell at DEBUG of the answers that they get."""
    theirs = ("openai", "httpcore", "httpx")
    return "\n".join(each.getMessage() for each in log.records if not each.name.startswith(theirs))


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    for name in ("", "aiohttp", "aiohttp.client", "asyncio", "openai", "httpx", "httpcore", "segue"):
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: "-".join(engine.values()))
@pytest.mark.parametrize("name", ECHOES)
async def test_a_key_that_a_server_repeats_is_hidden(
    name: str, engine: dict[str, Any], log: pytest.LogCaptureFixture
) -> None:
    async with WireServer() as server:
        server.script(ECHOES[name])
        settings = DeploymentSettings(endpoint=server.url, model="m", api_key="env:MY_KEY", **engine)
        router = Router(RouterSettings(wait_s=0), deployments={"mine": settings}, environ={"MY_KEY": KEY})
        with pytest.raises(Exception, match="deployment 'mine'") as caught:
            await router.generate(HI)
        described = json.dumps(router.describe())
        await router.aclose()

    sent = server.requests[0].headers
    assert KEY in sent.get("authorization", "") + sent.get("x-api-key", "")
    assert_hidden(everything(caught.value))
    assert_hidden(ours(log))
    assert_hidden(described + repr(router) + repr(settings) + repr(router.deployments))


async def test_a_key_is_hidden_where_nobody_listens(log: pytest.LogCaptureFixture) -> None:
    async with WireServer() as gone:
        pass
    settings = DeploymentSettings(endpoint=gone.url, model="m", api_key="env:MY_KEY")
    router = Router(deployments={"mine": settings}, environ={"MY_KEY": KEY})

    with pytest.raises(Exception, match="deployment 'mine'") as caught:
        await router.generate(HI)
    await router.aclose()

    assert_hidden(everything(caught.value) + log.text)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: "-".join(engine.values()))
async def test_a_key_that_is_sent_is_in_no_log_of_any_package(
    engine: dict[str, Any], log: pytest.LogCaptureFixture
) -> None:
    async with WireServer() as server:
        server.script(error_reply(401, "who are you?"))
        settings = DeploymentSettings(endpoint=server.url, model="m", api_key="env:MY_KEY", **engine)
        router = Router(deployments={"mine": settings}, environ={"MY_KEY": KEY})
        with pytest.raises(NoDeploymentLeft):
            await router.generate(HI)
        await router.aclose()

    assert_hidden(log.text)


async def test_a_key_in_a_header_of_the_settings_is_hidden(log: pytest.LogCaptureFixture) -> None:
    async with WireServer() as server:
        server.script(ECHOES["no status line"])
        settings = DeploymentSettings(endpoint=server.url, model="m", headers={"X-Token": "env:MY_KEY"})
        router = Router(deployments={"mine": settings}, environ={"MY_KEY": KEY})
        with pytest.raises(Exception, match="deployment 'mine'") as caught:
            await router.generate(HI)
        await router.aclose()

    assert server.requests[0].headers["x-token"] == KEY
    assert_hidden(everything(caught.value) + log.text + json.dumps(router.describe()) + repr(settings))


@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Other: 1", f"{KEY}\x00x", f"{KEY}é", f"{KEY}\u2028x"])
async def test_a_key_that_no_header_can_carry_is_not_told(key: str, log: pytest.LogCaptureFixture) -> None:
    settings = DeploymentSettings(endpoint="http://127.0.0.1:9/v1", model="m", api_key="env:MY_KEY")
    router = Router(deployments={"mine": settings}, environ={"MY_KEY": key})

    with pytest.raises(Exception, match="deployment 'mine': header Authorization holds what cannot be sent") as caught:
        await router.generate(HI)

    assert_hidden(everything(caught.value) + log.text)


@pytest.mark.parametrize("name", ["a message", "a failure", "no status line", "a broken head", "hanging up"])
async def test_a_key_is_hidden_where_models_are_asked_for(name: str, log: pytest.LogCaptureFixture) -> None:
    async with WireServer() as server:
        server.listing = ECHOES[name]
        settings = DeploymentSettings(endpoint=server.url, model="m", api_key="env:MY_KEY")
        with pytest.raises(Exception, match="mine") as caught:
            await served_by(settings, name="mine", environ={"MY_KEY": KEY})

    assert_hidden(everything(caught.value) + log.text)


async def test_a_key_set_in_code_is_refused_and_not_repeated() -> None:
    with pytest.raises(Exception, match="a secret must not stand in the settings") as caught:
        RouterSettings.from_tables({"deployments": {"mine": {"model": "m", "api_key": KEY}}})

    assert_hidden(everything(caught.value))


@pytest.mark.parametrize("name", ["a message", "an error in the stream", "no status line"])
async def test_a_key_is_in_no_trace_and_in_no_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    async with WireServer() as server:
        server.script(ECHOES[name])
        async with Workspace.open(tmp_path) as ws:
            settings = DeploymentSettings(endpoint=server.url, model="m", api_key="env:MY_KEY")
            model = HttpDeployment("mine", settings)
            run = await ws.run(Agent("a", model=model), "hi")
            await model.aclose()

    kept = b"\n".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert server.requests[0].headers["authorization"].endswith(KEY)
    assert run.status == "failed"
    assert b"deployment 'mine'" in kept
    assert_hidden(kept.decode("utf-8", "replace") + log.text + str(run.error))
