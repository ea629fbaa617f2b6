"""A route as a LangChain chat model.

In: LangChain's messages and bindings. Out: LangChain's messages, with usage and the story of the generation in their
metadata. A stream gives out text as it comes and tool calls whole, at the end: what LangChain was given cannot be
taken back, so a stream that breaks after its first text raises instead of starting over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel, PrivateAttr

from segue.base.errors import BadInput, names
from segue.router.apart import items_of, result_of
from segue.router.chat_messages import to_ai_message, to_last_chunk, to_request
from segue.router.core import RouterCore
from segue.router.errors import BrokenStream
from segue.router.types import Delta, Generation, GenerationRequest, OnDelta, Reset, TextDelta

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

_Structured = Runnable[LanguageModelInput, dict[str, Any] | BaseModel]
_PASSED_OVER = ("api_key", "max_retries")
"""What LangChain's models usually take, and what is the business of deployments and of the router here."""


class RouterChatModel(BaseChatModel):
    """One route of a router, usable wherever LangChain takes a chat model."""

    route: str | None = None
    """The route's name; `None` is the router's default route."""
    temperature: float | None = None
    """For calls that do not say; `None` is the route's. So with the next two."""
    max_tokens: int | None = None
    stop: list[str] | None = None
    timeout: float | None = None
    """Seconds that a whole generation may take, failed attempts included; `None` leaves it to the deployments."""
    streaming: bool = False
    """Whether a call that is awaited is streamed too, for callbacks that show it as it comes."""
    _core: RouterCore = PrivateAttr()

    def __init__(self, core: RouterCore, route: str | None = None, **more: Any) -> None:
        """Take what is above and what every LangChain model takes, such as `callbacks` or `output_version`.

        Raises:
            BadInput: A name in `more` is none of these.
        """
        known = type(self).model_fields
        fields = {key: value for key, value in more.items() if key not in _PASSED_OVER}
        if unknown := [key for key in fields if key not in known]:
            raise BadInput(f"a chat model takes no {names(unknown)}; it takes: {names(known)}.")
        super().__init__(route=route, **fields)
        self._core = core

    @property
    def core(self) -> RouterCore:
        """The router behind it."""
        held = self.__pydantic_private__  # pydantic looks for a private attribute everywhere else first
        assert held is not None
        core: RouterCore = held["_core"]
        return core

    @property
    def _llm_type(self) -> str:
        return "segue-router"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What makes its answers differ from another's: LangChain's caches go by it."""
        return {
            "route": self.route or self._core.default_route,
            "models": sorted({each.model or each.name for each in self._core.deployments.values()}),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "usual_stop": self.stop,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop or self.stop, **kwargs)
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
        found = await self._answer(self._request(messages, stop, kwargs))
        return ChatResult(generations=[ChatGeneration(message=to_ai_message(found))])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return result_of(self._agenerate(messages, stop, **kwargs))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(self._fill(pieces, self._request(messages, stop, kwargs)))
        shown = 0
        try:
            while (piece := await pieces.get()) is not None:
                shown += len(piece)
                yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
            yield ChatGenerationChunk(message=to_last_chunk(await task, shown))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        return items_of(self._astream(messages, stop, **kwargs))

    async def _fill(self, pieces: asyncio.Queue[str | None], request: GenerationRequest) -> Generation:
        """Answer the request, putting text into the queue, and `None` after the last of it."""
        given = False

        def show(delta: Delta) -> None:
            nonlocal given
            if isinstance(delta, TextDelta):
                given = True
                pieces.put_nowait(delta.text)
            elif isinstance(delta, Reset) and given:
                raise BrokenStream(
                    self.route or self._core.default_route,
                    "broke off after text had been given out, which a LangChain stream cannot take back",
                    detail=delta.reason,
                    way_out="Stream again, or call ainvoke, which starts over by itself.",
                )

        try:
            return await self._answer(request, show)
        finally:
            pieces.put_nowait(None)

    async def _answer(self, request: GenerationRequest, on_delta: OnDelta | None = None) -> Generation:
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        return await self._core.generate(request, route=self.route, on_delta=on_delta, deadline=deadline)

    def _request(
        self, messages: Sequence[BaseMessage], stop: Sequence[str] | None, options: Mapping[str, Any]
    ) -> GenerationRequest:
        usual = {"temperature": self.temperature}
        if "max_completion_tokens" not in options:
            usual["max_tokens"] = self.max_tokens
        held = {key: value for key, value in usual.items() if value is not None}
        return to_request(messages, stop or self.stop, {**held, **options})

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
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answers that fit a schema: a pydantic object for a pydantic class, else a dict.

        `json_mode` asks for JSON alone, and leaves it to the messages to say which. With `include_raw` a dict of
        `raw`, `parsed` and `parsing_error`, and nothing raises.

        Raises:
            BadInput: There is no such method.
        """
        from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser

        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        if method not in ("json_schema", "json_mode"):
            raise BadInput(f"there is no method {method!r}; choose json_schema, function_calling or json_mode.")
        kwargs.pop("strict", None)
        if method == "json_schema":
            wanted: dict[str, Any] = {"output_schema": convert_to_json_schema(schema)}
        else:
            wanted = {"response_format": {"type": "json_object"}}
        told = {"kwargs": {"method": method}, "schema": schema}
        asked = self.bind(**wanted, ls_structured_output_format=told, **kwargs)
        is_pydantic = isinstance(schema, type) and is_basemodel_subclass(schema)
        parser: Any = PydanticOutputParser(pydantic_object=cast(Any, schema)) if is_pydantic else JsonOutputParser()
        if not include_raw:
            return cast("_Structured", asked | parser)
        parsed = RunnablePassthrough.assign(
            parsed=RunnableLambda(lambda found: found["raw"]) | parser, parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return cast("_Structured", {"raw": asked} | parsed.with_fallbacks([failed], exception_key="parsing_error"))
