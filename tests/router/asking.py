"""How the tests of the wire ask a deployment: the scripted server in, one reply out."""

from __future__ import annotations

import json
from typing import Any

from tests.router.wire_server import (
    Scripted,
    WireServer,
)

from segue.base.messages import Message, user
from segue.router import (
    DeploymentSettings,
    GenerationRequest,
    Reply,
)
from segue.router.deployment import HttpDeployment


def deployment(server: WireServer, **more: Any) -> HttpDeployment:
    settings = {"endpoint": server.url, "model": "scripted", "engine": "vllm", **more}
    return HttpDeployment("local", DeploymentSettings(**settings))


async def ask(server: WireServer, *replies: Scripted, request: dict[str, Any] | None = None, **more: Any) -> Reply:
    server.script(*replies)
    asked = GenerationRequest(**{"messages": [user("hi")], **(request or {})})
    return await deployment(server, **more).generate(asked)


def calls_of(message: Message) -> list[tuple[str, Any]]:
    return [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message.get("tool_calls", ())
    ]
