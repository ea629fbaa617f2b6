"""LangChain's own standard suite, passed by a route and by the router, against a server that reacts."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from tests.router.reacting_server import Reacting, reacting

from segue.router import DeploymentSettings, Router, RouterChatModel, RouterCore

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=")
Details = Literal["audio_input", "audio_output", "reasoning_output", "cache_read_input", "cache_creation_input"]


def settings(url: str) -> dict[str, DeploymentSettings]:
    return {"a": DeploymentSettings(endpoint=url, model="small", engine="vllm")}


class TestRouteUnit(ChatModelUnitTests):
    # `init_from_env_params` stays empty: keys belong to deployments, and none is read when a model is made.
    # Not serializable: the router behind a route is shared, and holds connections.

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return RouterChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"core": RouterCore(deployments=settings("http://127.0.0.1:9/v1"))}


class TestRouterUnit(TestRouteUnit):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return Router

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"deployments": settings("http://127.0.0.1:9/v1")}


class TestRouteIntegration(ChatModelIntegrationTests):
    server: ClassVar[Reacting]

    # `supports_image_tool_message`, `supports_pdf_tool_message`: chat completions take text alone in a tool's result.
    # `supports_video_inputs`: chat completions know no video, and the suite has no test for it.
    # `enable_vcr_tests`: there is nothing to record, the server is at hand.

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _served(cls) -> Iterator[None]:
        with reacting() as server:
            cls.server = server
            yield

    @pytest.fixture(autouse=True)
    def _no_network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite fetches its samples from the web; any bytes will do."""
        monkeypatch.setattr(httpx, "get", lambda url, **_: httpx.Response(200, content=PNG))
        monkeypatch.setenv("LANGCHAIN_TESTS_USER_AGENT", "tests")

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return RouterChatModel

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"core": RouterCore(deployments=settings(self.server.url))}

    @property
    def has_tool_calling(self) -> bool:
        return True

    @property
    def has_tool_choice(self) -> bool:
        return True

    @property
    def has_structured_output(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return True

    @property
    def supports_image_urls(self) -> bool:
        return True

    @property
    def supports_pdf_inputs(self) -> bool:
        return True

    @property
    def supports_audio_inputs(self) -> bool:
        return True

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str | None:
        return "large"

    @property
    def supported_usage_metadata_details(self) -> dict[Literal["invoke", "stream"], list[Details]]:
        # Audio is not counted apart, and what was written into a cache is in the price of a call, not in its usage.
        held: list[Details] = ["reasoning_output", "cache_read_input"]
        return {"invoke": held, "stream": held}

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        found = self._asked("Hello", stream=stream, reasoning_effort="high")
        assert found.usage_metadata is not None
        assert found.usage_metadata["output_token_details"]["reasoning"] == 7
        return found

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        self._asked("Read this once, and then again", stream=stream)
        found = self._asked("Read this once, and then again", stream=stream)
        assert found.usage_metadata is not None
        assert found.usage_metadata["input_token_details"]["cache_read"] > 0
        return found

    def _asked(self, text: str, *, stream: bool, **more: Any) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        if not stream:
            return model.invoke(text, **more)
        chunks = list(model.stream(text, **more))
        total = chunks[0]
        for each in chunks[1:]:
            total += each
        return total


class TestRouterIntegration(TestRouteIntegration):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return Router

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"deployments": settings(self.server.url)}

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": "function_calling"}
