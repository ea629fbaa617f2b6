"""How the tests of the openai package as a transport ask a deployment."""

from __future__ import annotations

from typing import Any

from tests.router.wire_server import (
    Scripted,
    WireServer,
)

from segue.base.messages import user
from segue.router import (
    DeploymentSettings,
    GenerationRequest,
    Reply,
    SdkDeployment,
)


def settings_for(server: WireServer, **more: Any) -> DeploymentSettings:
    return DeploymentSettings(**{"endpoint": server.url, "model": "scripted", "transport": "sdk", **more})


async def ask(server: WireServer, *replies: Scripted, request: dict[str, Any] | None = None, **more: Any) -> Reply:
    server.script(*replies)
    model = SdkDeployment("sdk", None, settings_for(server, **more))
    try:
        return await model.generate(GenerationRequest(**{"messages": [user("hi")], **(request or {})}))
    finally:
        await model.aclose()
