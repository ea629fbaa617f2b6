"""A route as a LangChain chat model.

In: LangChain's messages and bindings. Out: LangChain's messages, with usage and the story of the generation in their
metadata. A stream gives out text as it comes and tool calls whole, at the end: what LangChain was given cannot be
taken back, so a stream that breaks after its first text raises instead of starting over.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCallChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr

from segue.base.messages import Message, from_langchain, text_of
from segue.router.core import RouterCore
from segue.router.errors import BrokenStream
from segue.router.types import Delta, Generation, GenerationRequest, Reset, TextDelta

_Structured = Runnable[LanguageModelInput, dict[str, Any] | BaseModel]


class RouterChatModel(BaseChatModel):
    """One route of a router, usable wherever LangChain takes a chat model."""

    route: str | None = None
    """The route's name; `None` is the router's default route."""
    _core: RouterCore = PrivateAttr()

    def __init__(self, core: RouterCore, route: str | None = None, **more: Any) -> None:
        super().__init__(route=route, **more)
        self._core = core

    @property
    def core(self) -> RouterCore:
        """The router behind it."""
        return self._core

    @property
    def _llm_type(self) -> str:
        return "segue-router"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"route": self.route or self._core.default_route}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "segue"
        params["ls_model_name"] = str(kwargs.get("model") or self.route or self._core.default_route)
        return params

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        found = await self._core.generate(_request(messages, stop, kwargs), route=self.route)
        return ChatResult(generations=[ChatGeneration(message=to_ai_message(found))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(self._fill(pieces, _request(messages, stop, kwargs)))
        shown = 0
        try:
            while (piece := await pieces.get()) is not None:
                shown += len(piece)
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            yield ChatGenerationChunk(message=_last_chunk(await task, shown))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _fill(self, pieces: asyncio.Queue[str | None], request: GenerationRequest) -> Generation:
        """Answer the request, putting text into the queue, and `None` after the last of it."""

        def show(delta: Delta) -> None:
            if isinstance(delta, TextDelta):
                pieces.put_nowait(delta.text)
            elif isinstance(delta, Reset):
                raise BrokenStream(
                    self.route or self._core.default_route,
                    "broke off after text had been given out, which a LangChain stream cannot take back",
                    detail=delta.reason,
                    way_out="Stream again, or call ainvoke, which starts over by itself.",
                )

        try:
            return await self._core.generate(request, route=self.route, on_delta=show)
        finally:
            pieces.put_nowait(None)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        """The same for callers without an event loop, on a loop of its own, in a thread where one runs already."""

        async def once() -> ChatResult:
            return await self._agenerate(messages, stop, **kwargs)

        with ThreadPoolExecutor(1, thread_name_prefix="segue-router") as thread:
            return thread.submit(contextvars.copy_context().run, asyncio.run, once()).result()

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with tools; `tool_choice` is `auto`, `none`, `any`, a tool's name, or OpenAI's dict."""
        if isinstance(tool_choice, bool):
            tool_choice = "required" if tool_choice else None
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "function_calling"] = "json_schema",
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers that fit a schema: a pydantic object for a pydantic class, else a dict.

        With `include_raw` a dict of `raw`, `parsed` and `parsing_error`, and nothing raises.
        """
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        kwargs.pop("strict", None)
        asked = self.bind(output_schema=convert_to_json_schema(schema), **kwargs)
        is_pydantic = isinstance(schema, type) and issubclass(schema, BaseModel)
        parser: Any = PydanticOutputParser(pydantic_object=cast(Any, schema)) if is_pydantic else JsonOutputParser()
        if not include_raw:
            return cast("_Structured", asked | parser)
        parsed = RunnablePassthrough.assign(
            parsed=RunnableLambda(lambda found: found["raw"]) | parser, parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return cast("_Structured", {"raw": asked} | parsed.with_fallbacks([failed], exception_key="parsing_error"))


def to_ai_message(found: Generation) -> AIMessage:
    """A generation as LangChain's message."""
    message = found.message
    calls, broken = [], []
    for call in message.get("tool_calls", ()):
        name, text = call["function"]["name"], call["function"]["arguments"]
        arguments = _as_object(text)
        if arguments is None:
            why = "the arguments are no JSON object"
            broken.append({"name": name, "args": text, "id": call["id"], "error": why, "type": "invalid_tool_call"})
        else:
            calls.append({"name": name, "args": arguments, "id": call["id"], "type": "tool_call"})
    return AIMessage(
        content=text_of(message),
        id=message["id"],
        tool_calls=cast(Any, calls),
        invalid_tool_calls=cast(Any, broken),
        usage_metadata=_usage_metadata(found),
        additional_kwargs=_additional(message),
        response_metadata=_metadata(found),
    )


def _last_chunk(found: Generation, shown: int) -> AIMessageChunk:
    """What a stream ends with: text that was not streamed, tool calls, usage, and the story."""
    calls = [
        ToolCallChunk(
            name=call["function"]["name"],
            args=call["function"]["arguments"],
            id=call["id"],
            index=index,
            type="tool_call_chunk",
        )
        for index, call in enumerate(found.message.get("tool_calls", ()))
    ]
    return AIMessageChunk(
        content=text_of(found.message)[shown:],
        tool_call_chunks=calls,
        usage_metadata=_usage_metadata(found),
        additional_kwargs=_additional(found.message),
        response_metadata=_metadata(found),
        chunk_position="last",
    )


def _request(
    messages: Sequence[BaseMessage], stop: Sequence[str] | None, options: Mapping[str, Any]
) -> GenerationRequest:
    """What LangChain hands over, as a request; options that the router does not know go into the body."""
    known = dict(options)
    schema, name = known.pop("output_schema", None), "answer"
    response_format = known.get("response_format")
    if schema is None and isinstance(response_format, Mapping) and response_format.get("type") == "json_schema":
        known.pop("response_format")
        schema = response_format["json_schema"]["schema"]
        name = response_format["json_schema"].get("name", name)
    for key in ("ls_structured_output_format", "run_manager", "stream"):
        known.pop(key, None)
    max_tokens, max_completion_tokens = known.pop("max_tokens", None), known.pop("max_completion_tokens", None)
    return GenerationRequest(
        messages=[_ours(message) for message in messages],
        tools=known.pop("tools", None) or (),
        tool_choice=known.pop("tool_choice", None),
        output_schema=schema,
        output_name=name,
        max_output_tokens=max_completion_tokens or max_tokens,
        temperature=known.pop("temperature", None),
        stop=tuple(stop or ()),
        parallel_tool_calls=known.pop("parallel_tool_calls", None),
        extra=known,
    )


def _ours(message: BaseMessage) -> Message:
    ours = from_langchain(message)
    if reasoning := message.additional_kwargs.get("reasoning"):
        ours["reasoning"] = reasoning
    return ours


def _additional(message: Message) -> dict[str, Any]:
    return {"reasoning": message["reasoning"]} if message.get("reasoning") else {}


def _usage_metadata(found: Generation) -> UsageMetadata:
    usage = found.usage
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.total_tokens,
        input_token_details={"cache_read": usage.cached_tokens},
        output_token_details={"reasoning": usage.reasoning_tokens},
    )


def _metadata(found: Generation) -> dict[str, Any]:
    return {
        "model_name": found.model,
        "finish_reason": found.finish_reason,
        "deployment": found.deployment,
        "route": found.route,
        "cost_usd": found.usage.cost_usd,
        "why": found.why,
    }


def _as_object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
