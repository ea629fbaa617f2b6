from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI
from tests.router.asking_sdk import ask, settings_for
from tests.router.wire_server import (
    Scripted,
    WireServer,
    error_reply,
    sse,
    text,
)

from segue.base.errors import ConfigError
from segue.base.messages import user
from segue.router import (
    DeploymentSettings,
    EndpointFailed,
    EndpointRefused,
    GenerationRequest,
    Router,
    SdkDeployment,
)


async def test_a_key_is_read_for_each_request_and_never_shown() -> None:
    environ = {"K": "sk-very-secret-1234"}
    async with WireServer() as server:
        server.script(error_reply(401, "wrong key sk-very-secret-1234"), text("hi"))
        model = SdkDeployment("sdk", None, settings_for(server, api_key="env:K"), environ=environ)
        with pytest.raises(EndpointRefused) as caught:
            await model.generate(GenerationRequest(messages=[user("hi")]))
        environ["K"] = "sk-another-5678"
        await model.generate(GenerationRequest(messages=[user("hi")]))
        await model.aclose()

    sent = [seen.headers["authorization"] for seen in server.requests]
    assert sent == ["Bearer sk-very-secret-1234", "Bearer sk-another-5678"]
    assert "very-secret" not in f"{caught.value!r} {caught.value} {model.describe()}"
    assert "***" in str(caught.value)


async def test_the_environment_of_the_process_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION", "HTTP_PROXY", "http_proxy",
    ):  # fmt: skip
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with WireServer() as server:
        await ask(server, text("hi"))
        await ask(server, text("hi"), endpoint=server.base, api_version="2024-10-21")

    for seen in server.requests:
        assert "127.0.0.1:9" not in str({**seen.headers, "host": ""})
        assert not {"authorization", "api-key", "openai-organization", "openai-project"} & set(seen.headers)


async def test_an_azure_resource_is_reached_by_its_rules() -> None:
    async with WireServer() as server:
        server.script(text("hi"))
        azure = {"endpoint": server.base, "api_version": "2024-10-21", "api_key": "env:K", "model": "gpt-5-mini"}
        for more in ({}, {"azure_deployment": "ours"}):
            model = SdkDeployment("azure", None, settings_for(server, **azure, **more), environ={"K": "azure-key-1"})
            await model.generate(GenerationRequest(messages=[user("hi")]))
            await model.aclose()

    assert [seen.path for seen in server.requests] == [
        "/openai/deployments/gpt-5-mini/chat/completions?api-version=2024-10-21",
        "/openai/deployments/ours/chat/completions?api-version=2024-10-21",
    ]
    assert all(seen.headers["api-key"] == "azure-key-1" for seen in server.requests)
    assert all("authorization" not in seen.headers for seen in server.requests)


async def test_a_client_that_was_brought_along_signs_in_by_itself_and_stays_open() -> None:
    tokens = iter(["token-one-1234", "token-two-5678", "token-three-9"])

    async def token() -> str:
        return next(tokens)

    async with WireServer() as server:
        late = Scripted(body=sse(b'data: {"error": {"message": "bad token-two-5678", "code": 500}}'))
        server.script(text("hi"), late, error_reply(401, "bad token-three-9"))
        client = AsyncAzureOpenAI(azure_endpoint=server.base, api_version="v1", azure_ad_token_provider=token)
        model = SdkDeployment("azure", client, DeploymentSettings(model="gpt-5"))
        router = Router(deployments={"azure": model})
        found = await router.generate(GenerationRequest(messages=[user("hi")]))
        with pytest.raises(EndpointFailed) as in_stream:
            await model.generate(GenerationRequest(messages=[user("hi")]))
        with pytest.raises(EndpointRefused) as caught:
            await model.generate(GenerationRequest(messages=[user("hi")]))
        await router.aclose()
        still_open = not client.is_closed()
        await client.close()

    assert found.message["content"] == "hi"
    assert still_open
    assert len(server.requests) == 3, "the client tried again by itself"
    assert server.requests[0].headers["authorization"] == "Bearer token-one-1234"
    assert "bad ***" in str(in_stream.value)
    assert "bad ***" in str(caught.value)
    assert model.describe()["endpoint"] == f"{server.base}/openai"


async def test_a_token_provider_that_fails_lets_another_deployment_answer() -> None:
    async def token() -> str:
        raise RuntimeError("no identity here")

    async with WireServer() as server:
        server.script(text("spare"))
        client = AsyncAzureOpenAI(azure_endpoint=server.base, api_version="v1", azure_ad_token_provider=token)
        router = Router(
            deployments={
                "azure": SdkDeployment("azure", client, DeploymentSettings(model="gpt-5")),
                "spare": settings_for(server),
            }
        )
        found = await router.generate(GenerationRequest(messages=[user("hi")]))
        await router.aclose()
        await client.close()

    assert found.message["content"] == "spare"
    assert "no identity here" in found.attempts[0].error


async def test_the_key_of_a_client_that_was_brought_along_is_in_no_error() -> None:
    async with WireServer() as server:
        server.script(Scripted(body=sse(b'data: {"error": {"message": "key sk-brought-1234 is bad", "code": 401}}')))
        client = AsyncOpenAI(base_url=server.url, api_key="sk-brought-1234")
        model = SdkDeployment("brought", client, DeploymentSettings(model="m"))
        with pytest.raises(EndpointRefused) as caught:
            await model.generate(GenerationRequest(messages=[user("hi")]))
        await client.close()

    assert server.requests[0].headers["authorization"] == "Bearer sk-brought-1234"
    assert "sk-brought" not in str(caught.value)


def test_settings_make_a_deployment_of_either_transport() -> None:
    made = Router(
        deployments={
            "sdk": DeploymentSettings(model="m", transport="sdk", api="responses"),
            "wire": DeploymentSettings(model="m"),
        }
    ).deployments

    assert isinstance(made["sdk"], SdkDeployment)
    assert not isinstance(made["wire"], SdkDeployment)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"api": "responses"}, 'need transport = "sdk"'),
        ({"api_version": "v1", "endpoint": "https://x.openai.azure.com"}, 'need transport = "sdk"'),
        ({"azure_deployment": "ours"}, 'need transport = "sdk"'),
        ({"transport": "sdk", "engine": "anthropic"}, "not to engine 'anthropic'"),
        ({"transport": "sdk", "api_version": "v1"}, "`api_version` needs `endpoint`"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        DeploymentSettings(**{"model": "m", **wrong})
