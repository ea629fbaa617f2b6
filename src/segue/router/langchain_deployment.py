"""Any LangChain chat model as a deployment.

In: a request, turned into LangChain's messages at this border. Out: the model's answer in our shape, its chunks as
deltas. Tools go through the model's `bind_tools`; an output schema through its `with_structured_output`, unless there
are tools beside it: then the schema is left to whoever asked. Retries inside the model are its own business.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import orjson

from segue.base.errors import ConfigError, SegueError, UserError
from segue.base.messages import (
    Message,
    ToolCall,
    enter,
    estimate_tokens,
    from_langchain,
    to_langchain,
    with_note_inside,
)
from segue.base.usage import Usage
from segue.router.assemble import with_own_ids
from segue.router.body import wire_tool_choice, wire_tools, with_json_arguments
from segue.router.deadlines import Watch
from segue.router.deployment import Deployment, estimated_usage, taken_ids
from segue.router.errors import AttemptError, EndpointFailed, EndpointUnreachable
from segue.router.faults import Fault, to_error
from segue.router.offline_deployment import show_whole
from segue.router.placing.host import Rates
from segue.router.prices import Prices
from segue.router.secrets import redact
from segue.router.settings import DeploymentSettings
from segue.router.types import Delta, GenerationRequest, OnDelta, Reply, TextDelta, ToolCallDelta

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage


_FAKES = "langchain_core.language_models.fake"
"""LangChain's own models for tests: they say what they were told to, whatever tools they are given."""


class LangChainDeployment(Deployment):
    """A LangChain chat model under a name."""

    engine = "langchain"

    def __init__(self, name: str, chat_model: BaseChatModel, settings: DeploymentSettings | None = None) -> None:
        settings = settings or DeploymentSettings(engine="langchain", target=f"given:{name}")
        self.name = name
        self.weight = settings.weight
        self.context_tokens = settings.context_tokens
        self.model = settings.model or _model_name(chat_model)
        self._chat_model = chat_model
        self._settings = settings
        self._prices = Prices(settings.url, settings.price)

    async def generate(
        self, request: GenerationRequest, *, on_delta: OnDelta | None = None, deadline: float | None = None
    ) -> Reply:
        """Answer one request by the chat model."""
        settings = self._settings
        watch = Watch(self.name, first_token_s=settings.first_token_s, idle_s=settings.idle_s, deadline=deadline)
        try:
            with watch:
                answer = await self._ask(request, watch, on_delta)
        except (SegueError, NotImplementedError):
            raise
        except Exception as error:
            raise self._error(error) from error
        message = _ours(answer)
        if calls := message.get("tool_calls"):
            message["tool_calls"] = with_own_ids(calls, taken_ids(request))
        enter(message, source=self.model)
        return Reply(
            message=message,
            usage=await self._usage(request, message, answer),
            finish_reason=_finish_reason(answer, message),
            model=str(answer.response_metadata.get("model_name") or self.model),
            first_token_s=watch.first_token_s,
        )

    async def _ask(self, request: GenerationRequest, watch: Watch, on_delta: OnDelta | None) -> AIMessage:
        messages = to_langchain([_mended(message) for message in with_note_inside(request.messages)])
        if request.output_schema is not None and not request.tools:
            structured = await self._ask_structured(request, messages)
            if structured is not None:
                return _shown(structured, watch, on_delta)
        model = self._bound(request)
        if on_delta is None or not _streams_whole(self._chat_model):
            return _shown(await model.ainvoke(messages, **_options(request)), watch, on_delta)
        total: Any = None
        async for chunk in model.astream(messages, **_options(request)):
            total = chunk if total is None else total + chunk
            watch.alive()
            for delta in _deltas(chunk):
                watch.token()
                on_delta(delta)
        if total is None:
            raise EndpointFailed(self.name, "gave no answer")
        return cast("AIMessage", total)

    async def _ask_structured(self, request: GenerationRequest, messages: Any) -> AIMessage | None:
        """The answer as JSON text; `None` where the model has no way to keep to a schema."""
        schema = {"title": request.output_name, **dict(request.output_schema or {})}
        try:
            structured = self._chat_model.with_structured_output(schema, include_raw=True)
        except NotImplementedError:
            return None
        found = cast("dict[str, Any]", await structured.ainvoke(messages))
        raw = cast("AIMessage", found["raw"])
        if found.get("parsed") is None:
            return raw
        text = orjson.dumps(found["parsed"], default=_plain).decode()
        return raw.model_copy(update={"content": text, "tool_calls": [], "invalid_tool_calls": []})

    def _bound(self, request: GenerationRequest) -> Any:
        if not request.tools:
            return self._chat_model
        options: dict[str, Any] = {}
        if request.tool_choice is not None:
            options["tool_choice"] = wire_tool_choice(request.tool_choice)
        if request.parallel_tool_calls is not None:
            options["parallel_tool_calls"] = request.parallel_tool_calls
        try:
            return self._chat_model.bind_tools(wire_tools(request.tools), **options)
        except NotImplementedError:
            if type(self._chat_model).__module__.startswith(_FAKES):
                return self._chat_model
            raise UserError(
                f"the LangChain chat model {type(self._chat_model).__name__} of deployment {self.name!r} cannot take "
                "tools: it has no bind_tools.",
                way_out="Give the agent no tools, or a model that calls tools.",
            ) from None

    async def quote(self, input_tokens: int, output_tokens: int) -> float | None:
        """By the price in the settings, or by the table."""
        return await self._prices.quote(input_tokens, output_tokens, self.model)

    def rates(self) -> Rates | None:
        """By the price in the settings, or by the table once it was read."""
        return self._prices.rates(self.model)

    async def _usage(self, request: GenerationRequest, message: Message, answer: AIMessage) -> Usage:
        told = answer.usage_metadata
        if told is None:
            return estimated_usage(request, output_tokens=estimate_tokens(message), cost_usd=None)
        usage = Usage(
            input_tokens=told["input_tokens"],
            output_tokens=told["output_tokens"],
            cached_tokens=told.get("input_token_details", {}).get("cache_read") or 0,
            reasoning_tokens=told.get("output_token_details", {}).get("reasoning") or 0,
            model_calls=1,
        )
        return replace(await self._prices.priced(usage, self.model), model_calls=1)

    def _error(self, error: Exception) -> AttemptError:
        """What a client library raised, by its HTTP status where it has one."""
        detail = redact(f"{type(error).__name__}: {error}", ())
        status = getattr(error, "status_code", None)
        if isinstance(status, int):
            fault = Fault(status=status, message=detail)
            headers = getattr(getattr(error, "response", None), "headers", None)
            return to_error(fault, deployment=self.name, model=self.model, secrets=(), headers=headers)
        if isinstance(error, ConnectionError) or type(error).__name__ in ("APIConnectionError", "ConnectError"):
            return EndpointUnreachable(self.name, "cannot be reached", detail=detail)
        return EndpointFailed(self.name, "failed", detail=detail)

    def describe(self) -> dict[str, Any]:
        """Engine, model and class."""
        return {"engine": self.engine, "model": self.model, "class": type(self._chat_model).__name__}


def load_chat_model(target: str) -> BaseChatModel:
    """The chat model at `module:attribute`; a function there is called without arguments.

    Raises:
        ConfigError: There is no such module or attribute, or it is no LangChain chat model.
    """
    from langchain_core.language_models import BaseChatModel

    module_name, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except ImportError as error:
        raise ConfigError(f"target {target!r}: cannot import {module_name!r}: {error}.") from error
    except AttributeError:
        raise ConfigError(f"target {target!r}: the module {module_name!r} has no {attribute!r}.") from None
    if not isinstance(found, BaseChatModel) and callable(found):
        found = found()
    if not isinstance(found, BaseChatModel):
        raise ConfigError(f"target {target!r} is no LangChain chat model but {type(found).__name__}.")
    return found


def _ours(answer: AIMessage) -> Message:
    """The answer in our shape; calls whose arguments the model broke are kept, for the tool's result to say so."""
    message = from_langchain(cast("BaseMessage", answer))
    message.pop("id", None)  # the library makes it up, and may use it twice
    message.pop("tokens", None)
    broken = [
        cast(
            ToolCall,
            {
                "id": call.get("id") or "",
                "type": "function",
                "function": {"name": call["name"], "arguments": call.get("args") or ""},
            },
        )
        for call in answer.invalid_tool_calls
        if call.get("name")
    ]
    if broken:
        message["tool_calls"] = [*message.get("tool_calls", ()), *broken]
    return message


def _shown(answer: AIMessage, watch: Watch, on_delta: OnDelta | None) -> AIMessage:
    watch.token()
    if on_delta is not None:
        show_whole(_ours(answer), on_delta)
    return answer


def _deltas(chunk: Any) -> list[Delta]:
    text = chunk.text if isinstance(chunk.text, str) else chunk.text()
    deltas: list[Delta] = [TextDelta(text)] if text else []
    for piece in getattr(chunk, "tool_call_chunks", ()):
        index = piece.get("index")
        place = index if isinstance(index, int) else 0
        deltas.append(ToolCallDelta(place, piece.get("id") or "", piece.get("name") or "", piece.get("args") or ""))
    return deltas


def _streams_whole(model: BaseChatModel) -> bool:
    """LangChain's scripted model leaves tool calls out of its stream."""
    from langchain_core.language_models.fake_chat_models import GenericFakeChatModel

    return not isinstance(model, GenericFakeChatModel)


def _options(request: GenerationRequest) -> dict[str, Any]:
    options: dict[str, Any] = dict(request.extra)
    if request.stop:
        options["stop"] = list(request.stop)
    if request.temperature is not None:
        options["temperature"] = request.temperature
    if request.max_output_tokens is not None:
        options["max_tokens"] = request.max_output_tokens
    return options


def _finish_reason(answer: AIMessage, message: Message) -> str:
    told = answer.response_metadata.get("finish_reason") or answer.response_metadata.get("stop_reason")
    if told in ("max_tokens", "length"):
        return "length"
    return "tool_calls" if message.get("tool_calls") else "stop"


def _mended(message: Message) -> Message:
    """LangChain parses the arguments of calls in the history, and stops at what is no JSON."""
    calls = message.get("tool_calls", ())
    mended = with_json_arguments(calls)
    return message if mended is calls else cast(Message, {**message, "tool_calls": mended})


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def _model_name(chat_model: BaseChatModel) -> str:
    for attribute in ("model_name", "model"):
        if isinstance(name := getattr(chat_model, attribute, None), str) and name:
            return name
    return type(chat_model).__name__
