"""How the tests of the Messages API ask a deployment: the scripted server in, one reply out."""

from __future__ import annotations

from typing import Any

from tests.router.anthropic_server import (
    AnthropicServer,
)
from tests.router.wire_server import Scripted
from tests.router.wire_server import WireServer as OpenAIServer

from segue.base.messages import user
from segue.router import (
    DeploymentSettings,
    GenerationRequest,
    Reply,
)
from segue.router.anthropic.deployment import AnthropicDeployment


def settings_for(server: OpenAIServer, **more: Any) -> DeploymentSettings:
    return DeploymentSettings(**{"endpoint": server.url, "model": "claude-scripted", "engine": "anthropic", **more})


def deployment(server: AnthropicServer, name: str = "claude", **more: Any) -> AnthropicDeployment:
    return AnthropicDeployment(name, settings_for(server, **more))


async def ask(server: AnthropicServer, *replies: Scripted, request: dict[str, Any] | None = None, **more: Any) -> Reply:
    server.script(*replies)
    asked = GenerationRequest(**{"messages": [user("hi")], **(request or {})})
    return await deployment(server, **more).generate(asked)
