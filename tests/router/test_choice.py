from __future__ import annotations

import pytest
from tests.router.wire_server import Scripted, WireServer, error_reply, json_reply, text

from segue.base.errors import ConfigError, EndpointError
from segue.base.messages import user
from segue.router import (
    DeploymentSettings,
    EndpointRefused,
    EndpointUnreachable,
    GenerationRequest,
    Router,
    RouterSettings,
    RouteSettings,
    choose,
)
from segue.router.choice import Probe

HI = GenerationRequest(messages=[user("hi")])


async def closed_port() -> str:
    async with WireServer() as server:
        return server.base


async def test_what_is_configured_is_taken_as_it_is() -> None:
    settings = RouterSettings(
        deployments={"a": DeploymentSettings(model="m", endpoint="http://h.example/v1")},
        routes={"main": RouteSettings(deployments=("a",))},
    )

    found, choice = await choose(settings, environ={"OPENAI_BASE_URL": "http://other.example/v1"}, probes=())

    assert found is settings
    assert (choice.source, choice.model, choice.endpoint) == ("settings", "m", "http://h.example/v1")
    assert choice.why == "the settings say so (route 'main' with deployment a)."


async def test_a_base_url_is_used_with_the_first_model_that_it_lists_and_its_key() -> None:
    async with WireServer(
        models=[{"id": "text-embedding-3", "owned_by": "me"}, {"id": "qwen", "owned_by": "vllm"}]
    ) as server:
        server.script(text("served"))
        environ = {"OPENAI_BASE_URL": f"{server.url}/", "OPENAI_API_KEY": "k-12345"}

        settings, choice = await choose(environ=environ, probes=())
        one = Router(settings, environ=environ)
        found = await one.generate(HI, route="smart")

    assert (choice.source, choice.model, choice.endpoint) == ("base_url", "qwen", server.url)
    assert "OPENAI_BASE_URL is set" in choice.why
    assert settings.deployments["vllm"].engine == "vllm"
    assert found.message["content"] == "served"
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer k-12345"] * 2


async def test_openai_model_names_the_model() -> None:
    async with WireServer() as server:
        environ = {"OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "mine"}

        _, choice = await choose(environ=environ, probes=())

    assert (choice.model, choice.why) == ("mine", "OPENAI_BASE_URL is set; OPENAI_MODEL names the model.")


async def test_a_base_url_that_is_down_is_an_error_that_names_it_and_never_the_offline_model() -> None:
    base = await closed_port()

    with pytest.raises(EndpointUnreachable) as caught:
        await choose(environ={"OPENAI_BASE_URL": f"{base}/v1"}, probes=())

    assert f"cannot be reached at {base}/v1" in str(caught.value)
    assert "mend or unset OPENAI_BASE_URL" in str(caught.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "ftp://h/v1", "nonsense"])
async def test_a_base_url_that_is_none_is_a_clear_error(url: str) -> None:
    with pytest.raises(ConfigError, match=r"OPENAI_BASE_URL: a URL such as http://127.0.0.1:8000/v1 is wanted"):
        await choose(environ={"OPENAI_BASE_URL": url}, probes=())


async def test_a_base_url_without_models_asks_for_openai_model() -> None:
    async with WireServer(models=[]) as server:
        with pytest.raises(ConfigError, match=r"lists no model\. Name one in OPENAI_MODEL"):
            await choose(environ={"OPENAI_BASE_URL": server.url}, probes=())


async def test_the_first_model_server_on_loopback_is_used_whatever_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with WireServer() as vllm, WireServer(models=[{"id": "llama3"}]) as ollama:
        probes = (
            Probe("vLLM", "vllm", await closed_port()),
            Probe("Ollama", "ollama", ollama.base),
            Probe("LM Studio", "openai", vllm.base),
        )

        settings, choice = await choose(environ={}, probes=probes)

    assert (choice.source, choice.model, choice.endpoint) == ("loopback", "llama3", f"{ollama.base}/v1")
    assert choice.why == "Ollama answers on this machine, and nothing else is configured."
    assert settings.deployments["ollama"].url == f"{ollama.base}/v1"


@pytest.mark.parametrize(
    "listing",
    [
        json_reply({"object": "list", "data": []}),
        json_reply({"hello": "world"}),
        json_reply([1]),
        error_reply(500, "x"),
        Scripted(body=b"<html>", content_type="text/html"),
        Scripted(body=b"", hang_up=True),
        Scripted(body=b"{}", stall_at=0),
    ],
)
async def test_what_is_no_model_server_is_passed_over(listing: Scripted) -> None:
    async with WireServer(listing=listing) as server:
        _, choice = await choose(environ={}, probes=(Probe("vLLM", "vllm", server.base),))

    assert choice.source == "offline"


async def test_without_anything_the_offline_model_is_taken_and_said_so() -> None:
    settings, choice = await choose(environ={}, probes=())

    assert (choice.source, choice.model) == ("offline", "offline/rules-1")
    assert "no model server answers on this machine" in choice.why
    assert set(Router(settings).routes) == {"default", "fast", "smart"}


async def test_a_bare_key_is_not_spent_unless_allowed() -> None:
    environ = {"OPENAI_API_KEY": "k"}

    _, unasked = await choose(environ=environ, probes=())
    allowed, asked = await choose(RouterSettings(use_key=True), environ=environ, probes=())

    assert unasked.source == "offline"
    assert "--use-key" in unasked.why
    assert (asked.source, asked.endpoint) == ("key", "https://api.openai.com/v1")
    assert allowed.deployments["openai"].api_key == "env:OPENAI_API_KEY"


async def test_detection_can_be_switched_off() -> None:
    async with WireServer() as server:
        settings = RouterSettings(detect=False)

        _, choice = await choose(settings, environ={}, probes=(Probe("vLLM", "vllm", server.base),))

    assert choice.source == "offline"
    assert server.requests == []


async def test_a_wrong_key_for_the_base_url_is_refused_with_the_way_out() -> None:
    async with WireServer(listing=error_reply(401, "bad key k-12345")) as server:
        with pytest.raises(EndpointRefused, match="bad key") as caught:
            await choose(environ={"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k-12345"}, probes=())

    assert isinstance(caught.value, EndpointError)
    assert "k-12345" not in str(caught.value)
