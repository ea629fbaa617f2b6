"""A double that speaks vLLM's protocol beside generations too: health, version, models, metrics, and answers by rule.

What it says is what vLLM 0.32 said on a real run. A test says which flags its server was started without.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.router.wire_server import Scripted, Seen, WireServer, error_reply, json_reply, sse, text_chunks

METRICS = Path(__file__).with_name("vllm_metrics.txt").read_text(encoding="utf-8")
ARGUMENTS = '{"unit": "fahrenheit"}'
NO_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


@dataclass
class VllmDouble(WireServer):
    """A vLLM server as a test wants it."""

    max_model_len: int | None = 8192
    adapter: str = ""
    """The name of an adapter of `scripted`."""
    key: str = ""
    """What must stand in `Authorization`; empty takes anybody."""
    health: int = 200
    version: str = "0.32.0"
    """Empty has no `/version`."""
    metrics: str = METRICS
    """Empty has no `/metrics`."""
    auto_tools: bool = True
    parser: bool = True
    """Without one, newer versions refuse a call that must come, too."""
    details: bool = True
    stream_usage: bool = True
    arguments: str = ARGUMENTS
    """Of each tool call, and the text of each structured answer; empty gives none."""
    finish: str = "tool_calls"
    engine_status: int = 200
    """What generations are answered with."""
    paths: list[str] = field(default_factory=list)

    async def __aenter__(self) -> VllmDouble:
        await super().__aenter__()
        return self

    async def _answer(self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        self.paths.append(seen.path)
        return await self._send(reader, writer, self._reply(seen))

    def _reply(self, seen: Seen) -> Scripted:
        if seen.path.startswith("/v1/") and self.key and seen.headers.get("authorization") != f"Bearer {self.key}":
            return json_reply({"error": "Unauthorized"}, status=401)
        match seen.path:
            case "/health":
                return Scripted(body=b"", status=self.health, content_type="text/plain")
            case "/version" if self.version:
                return json_reply({"version": self.version})
            case "/metrics" if self.metrics:
                return Scripted(body=self.metrics.encode(), content_type="text/plain; version=0.0.4; charset=utf-8")
            case "/v1/models":
                return json_reply({"object": "list", "data": self._models()})
            case "/v1/chat/completions":
                return self._generation(seen.body)
        return json_reply({"detail": "Not Found"}, status=404)

    def _models(self) -> list[dict[str, Any]]:
        own = {"id": "scripted", "owned_by": "vllm", "parent": None, "max_model_len": self.max_model_len}
        adapter = {"id": self.adapter, "owned_by": "vllm", "parent": "scripted", "max_model_len": None}
        return [own, adapter] if self.adapter else [own]

    def _generation(self, body: dict[str, Any]) -> Scripted:
        if self.engine_status != 200:
            return error_reply(self.engine_status, "EngineCore encountered an issue.")
        if body.get("tool_choice") == "auto" and not (self.auto_tools and self.parser):
            return error_reply(400, NO_PARSER, type="BadRequestError")
        if body.get("tool_choice") == "required" and not self.parser:
            return error_reply(400, 'tool_choice="required" requires --tool-call-parser to be set.')
        if body.get("stream"):
            chunks = text_chunks("Hi")
            return Scripted(body=sse(*(chunks if self.stream_usage else chunks[:-1])))
        message: dict[str, Any] = {"role": "assistant", "content": "Hi", "tool_calls": []}
        if "response_format" in body:
            message["content"] = self.arguments
        if body.get("tool_choice") == "required":
            message["content"] = None
            message["tool_calls"] = [self._call()] if self.arguments else []
        details = {"cached_tokens": 384} if self.details else None
        usage = {"prompt_tokens": 428, "completion_tokens": 1, "total_tokens": 429, "prompt_tokens_details": details}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return json_reply({"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage})

    def _call(self) -> dict[str, Any]:
        function = {"name": "set_unit", "arguments": self.arguments}
        return {"id": "call_1", "type": "function", "function": function}
