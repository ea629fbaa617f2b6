"""What people get wrong: each time an error of its kind that names the deployment and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.router.wire_server import Scripted, WireServer, error_reply, text

from segue import Agent, Budget, Workspace
from segue.base.errors import BadInput, ConfigError, UserError
from segue.base.messages import Message, enter, user
from segue.router import (
    ContextOverflow,
    DeploymentSettings,
    EndpointRefused,
    EndpointUnreachable,
    GenerationRequest,
    NoDeploymentLeft,
    PriceSettings,
    RateLimited,
    Router,
    RouterSettings,
)
from segue.router.deployment import HttpDeployment

HI = GenerationRequest(messages=[user("hi")])


def image() -> GenerationRequest:
    url = {"url": "data:image/png;base64,AAAA"}
    parts: list[dict[str, Any]] = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": url}]
    message: Message = {"role": "user", "content": parts}
    return GenerationRequest(messages=[enter(message)])


def at(url: str, **more: Any) -> DeploymentSettings:
    return DeploymentSettings(endpoint=url, model="small", engine="vllm", **more)


async def failure(reply: Scripted, request: GenerationRequest = HI, **more: Any) -> NoDeploymentLeft:
    async with WireServer() as server:
        server.script(reply)
        router = Router(RouterSettings(wait_s=0), deployments={"mine": at(server.url, **more)})
        with pytest.raises(NoDeploymentLeft, match="deployment 'mine'") as caught:
            await router.generate(request)
        await router.aclose()
    return caught.value


@pytest.mark.parametrize("route", ["cheep", "Default", " default", "default\n", "mine "])
async def test_an_unknown_route_lists_those_there_are(route: str) -> None:
    router = Router(deployments={"mine": at("http://127.0.0.1:9/v1")})

    with pytest.raises(BadInput, match="the routes are: default, fast, smart"):
        await router.generate(HI, route=route)
    with pytest.raises(BadInput, match="the routes are: default, fast, smart"):
        router.as_chat_model(route)
    with pytest.raises(BadInput, match="the routes are: default, fast, smart"):
        await router.forecast(route, input_tokens=1)


async def test_a_dead_endpoint_says_where_it_is_looked_for() -> None:
    async with WireServer() as gone:
        pass
    router = Router(deployments={"mine": at(gone.url)})

    with pytest.raises(NoDeploymentLeft, match="deployment 'mine' cannot be reached at") as caught:
        await router.generate(HI)
    await router.aclose()

    assert isinstance(caught.value.errors[0], EndpointUnreachable)
    assert gone.url in str(caught.value)
    assert "Start the server there, or mend `endpoint`" in str(caught.value)


async def test_a_wrong_key_says_where_the_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "not-the-right-one")

    error = await failure(error_reply(401, "Incorrect API key provided"), api_key="env:MY_KEY")

    assert isinstance(error.errors[0], EndpointRefused)
    assert not error.retryable
    assert 'api_key = "env:NAME"' in str(error)


async def test_too_long_a_conversation_says_so() -> None:
    async with WireServer() as server:
        server.script(error_reply(400, "This model's maximum context length is 8192 tokens. You requested 9000."))
        router = Router(deployments={"mine": at(server.url)})

        with pytest.raises(ContextOverflow, match="deployment 'mine' cannot take so long a conversation") as caught:
            await router.generate(HI)
        await router.aclose()

    assert "8192" in str(caught.value)
    assert "Shorten the conversation" in str(caught.value)


NO_IMAGES = [
    (400, "small is not a multimodal model"),
    (400, "At most 0 image(s) may be provided in one prompt."),
    (400, "Invalid content type. image_url is only supported by certain models."),
    (400, "this model does not support image input"),
    (400, "Model does not support images. Please use a model that does."),
    (422, "messages[0]: unknown variant `image_url`, expected `text`"),
    (400, "messages.content.type is invalid, allowed values: ['text']"),
    (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
]


@pytest.mark.parametrize(("status", "said"), NO_IMAGES)
async def test_an_image_goes_to_a_model_that_reads_it(status: int, said: str) -> None:
    async with WireServer() as blind, WireServer() as seeing:
        blind.script(error_reply(status, said))
        seeing.script(text("a cat"))
        router = Router(deployments={"blind": at(blind.url), "seeing": at(seeing.url)})

        found = await router.generate(image())
        await router.aclose()

    assert [(each.deployment, each.outcome) for each in found.attempts] == [("blind", "refused"), ("seeing", "ok")]


@pytest.mark.parametrize(("status", "said"), NO_IMAGES)
async def test_an_image_that_no_model_reads_says_so(status: int, said: str) -> None:
    error = await failure(error_reply(status, said), image())

    assert "cannot read what the conversation holds beside text" in str(error)
    assert "Route to a model that reads it" in str(error)


@pytest.mark.parametrize(
    "reply",
    [
        error_reply(402, "Insufficient credits"),
        error_reply(429, "You exceeded your current quota", code="insufficient_quota"),
        error_reply(400, "Your credit balance is too low to access the API."),
    ],
)
async def test_an_account_without_credit_is_not_waited_for(reply: Scripted) -> None:
    error = await failure(reply)

    assert isinstance(error.errors[0], EndpointRefused)
    assert "See the account's credit." in str(error)


async def test_a_run_that_would_cost_more_than_it_may_stops_before_it_asks(tmp_path: Path) -> None:
    price = PriceSettings(input_usd_per_mtok=1e6, output_usd_per_mtok=1e6)
    async with WireServer() as server, Workspace.open(tmp_path) as ws:
        server.script(text("hi"))
        model = HttpDeployment("dear", at(server.url, price=price))

        run = await ws.run(Agent("a", model=model), "hi", budget=Budget(cost_usd=0.5))
        await model.aclose()

    assert (run.status, run.stop_reason) == ("stopped", "budget")
    assert server.bodies == []


async def test_over_a_limit_for_longer_than_one_waits_says_how_long() -> None:
    error = await failure(error_reply(429, "slow down", headers={"Retry-After": "3600"}))

    assert isinstance(error.errors[0], RateLimited)
    assert error.retry_after_s == 3600


@pytest.mark.parametrize("environ", [{}, {"MY_KEY": ""}, {"MY_KEY": " \n"}])
async def test_a_key_that_is_not_set_names_its_variable(environ: dict[str, str]) -> None:
    router = Router(deployments={"mine": at("http://127.0.0.1:9/v1", api_key="env:MY_KEY")}, environ=environ)

    with pytest.raises(ConfigError, match="deployment 'mine' needs the environment variable MY_KEY") as caught:
        await router.generate(HI)

    assert "Set it in the environment" in str(caught.value)
    assert router.describe()["deployments"]["mine"]["api_key"] == "env:MY_KEY (not set)"


@pytest.mark.parametrize("content", [None, b"", b"  \n", b"\xff\xfe"])
async def test_a_key_file_that_holds_none_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    router = Router(deployments={"mine": at("http://127.0.0.1:9/v1", api_key=f"file:{path}")})

    with pytest.raises(ConfigError, match=r"deployment 'mine' needs a secret from the file .*key"):
        await router.generate(HI)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8000", "localhost:8000/v1", "ftp://a/v1", "file:///x", "http://", "http:///v1", "http://:80/v1", "",
     " ", "http://[::1/v1", "http://[::zz]/v1", "http://me:hush-hush@127.0.0.1/v1", "me:hush-hush@127.0.0.1/v1"],
)  # fmt: skip
def test_what_is_no_url_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(ConfigError, match="endpoint: ") as caught:
        at(url)

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://-a..b/v1", f"http://{'a' * 300}/v1", "http://a:b/v1", "http://127.0.0.1:99999/v1", "http://x\x00y/v1"],
)
async def test_a_url_that_nothing_can_be_at_is_refused_when_it_is_set_or_asked(url: str) -> None:
    with pytest.raises((NoDeploymentLeft, UserError), match="endpoint"):
        await Router(deployments={"mine": at(url)}).generate(HI)
