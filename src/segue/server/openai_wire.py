"""OpenAI's chat wire: what `/v1` takes, checked, and what it gives, as plain data and as chunks."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from segue.base.errors import BadInput
from segue.base.usage import Usage
from segue.server.schemas import NAME

DONE = b"data: [DONE]\n\n"
_PASSED_ON = (
    "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "reasoning_effort", "response_format",
)  # fmt: skip


class StreamOptions(BaseModel):
    """How a stream is given."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    include_usage: bool = False
    """Whether the last chunk, without choices, has the usage."""


class ChatPart(BaseModel):
    """A part of a message; what else it has goes on with it."""

    model_config = ConfigDict(extra="allow", frozen=True)

    type: str
    text: str | None = None


class ChatFunction(BaseModel):
    """What a tool call is of."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str
    arguments: str
    """JSON, as the model gave it."""


class ChatCall(BaseModel):
    """A tool call that a model made."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str | None = None
    type: Literal["function"] = "function"
    function: ChatFunction


class ChatMessage(BaseModel):
    """A message; what OpenAI's shape does not have is dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    role: Literal["user", "assistant", "system", "developer", "tool"]
    content: str | list[ChatPart] | None = None
    tool_calls: list[ChatCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None

    def plain(self) -> dict[str, Any]:
        """Without what was not given."""
        return self.model_dump(exclude_none=True)


class ChatAsked(BaseModel):
    """A chat completion; fields that are not named here are passed over, as clients send many."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    """There is one answer."""
    tools: list[dict[str, Any]] | None = None
    """For routes; agents have their own."""
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1, le=2**31)] | None = None
    stop: str | list[str] | None = None
    metadata: dict[str, str] | None = None
    """`thread_id` names the conversation to go on with."""
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    reasoning_effort: str | None = None
    response_format: dict[str, Any] | None = None

    def passed_on(self) -> dict[str, Any]:
        """What a route's server is given as it stands."""
        found = {name: getattr(self, name) for name in _PASSED_ON}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def thread_id(self) -> str:
        """The conversation to go on with; empty for none.

        Raises:
            BadInput: It is no id.
        """
        found = (self.metadata or {}).get("thread_id", "")
        if found and not re.fullmatch(NAME, found):
            raise BadInput(f"metadata.thread_id={found!r} is no id of a thread")
        return found

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with the usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class Model(BaseModel):
    """An agent or a route."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "segue"


class Models(BaseModel):
    """What can be named as `model`."""

    object: Literal["list"] = "list"
    data: list[Model]


class Chunks:
    """The chunks of one streamed completion."""

    def __init__(self, id_: str, model: str, created: int) -> None:
        self.id, self.model, self.created = id_, model, created

    def delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """More of the answer, or its end."""
        return self._chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    def begin(self) -> bytes:
        """The first one."""
        return self.delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """More text."""
        return self.delta({"content": text})

    def usage(self, usage: Usage) -> bytes:
        """The last one, without choices."""
        return self._chunk(choices=[], usage=usage_of(usage))

    def error(self, message: str, error_id: str) -> bytes:
        """In place of what would have come."""
        told = {"message": message, "type": "server_error", "param": None, "code": None, "error_id": error_id}
        return b"data: %s\n\n" % orjson.dumps({"error": told})

    def _chunk(self, **more: Any) -> bytes:
        held = {"id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model, **more}
        return b"data: %s\n\n" % orjson.dumps(held)

    def whole(self, message: dict[str, Any], finish: str, usage: Usage) -> dict[str, Any]:
        """The same in one piece."""
        return {
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
            "usage": usage_of(usage),
        }  # fmt: skip


def usage_of(usage: Usage) -> dict[str, Any]:
    """Usage in OpenAI's shape, with the cost beside where it is known."""
    return {
        "prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens, "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}, "cost_usd": usage.cost_usd,
    }  # fmt: skip
