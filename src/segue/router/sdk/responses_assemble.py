"""From the events of one streamed response to one message.

In: the events of `POST /responses`, parsed, in their order; a response that was not streamed counts as one event. Out:
deltas while they come, and at the end the message with whole tool calls, why it ended and the usage. It is whole only
when `response.completed` or `response.incomplete` has come.
See https://platform.openai.com/docs/api-reference/responses-streaming.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from segue.base.messages import Message, ToolCall
from segue.base.usage import Usage
from segue.router.assemble import whole_calls
from segue.router.reading import Complaint
from segue.router.types import Delta, ReasoningDelta, TextDelta, ToolCallDelta

_TEXT = ("response.output_text.delta", "response.refusal.delta")
_THOUGHT = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ENDS = ("response.completed", "response.incomplete")
_CUT = {"max_output_tokens": "length", "content_filter": "content_filter"}


class ResponseAssembler:
    """Collects one answer; see `segue.router.reading.Collector`."""

    counts_cached = False
    """OpenAI tells of no more than what it had cached."""
    cache_write_tokens = 0
    """Writing into a cache costs nothing extra here."""

    def __init__(self) -> None:
        self._deltas: list[Delta] = []
        self._items: dict[int, dict[str, Any]] = {}
        self._calls: dict[int, int] = {}
        self._response: Mapping[str, Any] | None = None
        self._begun = False
        self.model = ""

    @property
    def begun(self) -> bool:
        """Whether any piece of an answer has come."""
        return self._begun

    @property
    def whole(self) -> bool:
        """Whether the response has been completed, or cut off for a reason that was given."""
        return self._response is not None

    @property
    def ended(self) -> bool:
        """The same: nothing comes after that."""
        return self._response is not None

    @property
    def finish_reason(self) -> str:
        """Why the answer ended, in the words of `Reply`; empty as long as it has not."""
        if self._response is None:
            return ""
        if self._response.get("status") == "incomplete":
            why = str((self._response.get("incomplete_details") or {}).get("reason") or "incomplete")
            return _CUT.get(why, why)
        return "tool_calls" if any(item["type"] == "function_call" for item in self._output()) else "stop"

    def done(self) -> None:
        """Nothing: this API ends with an event of its own."""

    def add(self, event: Mapping[str, Any]) -> list[Delta]:
        """Take one event; kinds that are not needed are passed over."""
        self._deltas = []
        if event.get("object") == "response":
            self._end(event)
            return self._deltas
        kind = event["type"]
        if kind in _TEXT:
            self._deltas.append(TextDelta(_text(event["delta"])))
        elif kind in _THOUGHT:
            self._deltas.append(ReasoningDelta(_text(event["delta"])))
        elif kind == "response.function_call_arguments.delta":
            self._deltas.append(self._call_delta(event["output_index"], event["delta"], ""))
        elif kind == "response.output_item.added":
            self._open(event["output_index"], event["item"])
        elif kind == "response.output_item.done":
            self._items[event["output_index"]] = dict(event["item"])
        elif kind == "response.created":
            self.model = str(event["response"].get("model") or "")
        elif kind in _ENDS or kind == "response.failed":
            self._end(event["response"])
        self._begun = self._begun or bool(self._deltas)
        return self._deltas

    def message(self, taken_ids: Collection[str] = ()) -> Message:
        """The message, not yet entered; see `segue.router.assemble.whole_calls` for what becomes of its calls."""
        texts: list[str] = []
        calls: list[ToolCall] = []
        reasoning: list[dict[str, Any]] = []
        for item in self._output():
            if item["type"] == "message":
                texts.extend(part.get("text") or part.get("refusal") or "" for part in item.get("content") or ())
            elif item["type"] == "function_call":
                calls.append(_call(item))
            elif item["type"] == "reasoning":
                kept = {key: value for key, value in item.items() if key != "status" and value is not None}
                reasoning.append({**kept, "at": len(calls) + bool("".join(texts))})
        message: Message = {"role": "assistant", "content": "".join(texts) or None}
        if reasoning:
            message["reasoning"] = reasoning
        if whole := whole_calls(calls, self.finish_reason, taken_ids):
            message["tool_calls"] = whole
        elif message["content"] is None:
            message["content"] = ""
        return message

    def usage(self) -> Usage | None:
        """The tokens as the server counts them, without a cost; `None` where it says nothing."""
        usage = (self._response or {}).get("usage")
        if not usage:
            return None
        return Usage(
            input_tokens=int(usage.get("input_tokens") or 0),
            output_tokens=int(usage.get("output_tokens") or 0),
            cached_tokens=int((usage.get("input_tokens_details") or {}).get("cached_tokens") or 0),
            reasoning_tokens=int((usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0),
            model_calls=1,
            cost_usd=None,
        )

    def _output(self) -> list[Mapping[str, Any]]:
        """The items of the finished response; those that were streamed where it repeats none."""
        given = (self._response or {}).get("output")
        return list(given) if given else [self._items[at] for at in sorted(self._items)]

    def _open(self, index: int, item: Mapping[str, Any]) -> None:
        if item["type"] == "function_call":
            self._calls[index] = len(self._calls)
            self._items[index] = dict(item)
            self._deltas.append(self._call_delta(index, "", str(item["name"])))

    def _call_delta(self, index: int, piece: str, name: str) -> ToolCallDelta:
        return ToolCallDelta(self._calls[index], str(self._items[index].get("call_id") or ""), name, _text(piece))

    def _end(self, response: Mapping[str, Any]) -> None:
        if response.get("status") in ("failed", "cancelled"):
            raise Complaint(response.get("error") or {"message": f"the response is {response['status']}"})
        self.model = str(response.get("model") or self.model)
        self._response = response
        self.message()  # an item of another shape shows here, as what it is


def _text(piece: Any) -> str:
    if not isinstance(piece, str):
        raise TypeError(f"a delta is text, not {type(piece).__name__}")
    return piece


def _call(item: Mapping[str, Any]) -> ToolCall:
    function = {"name": str(item["name"]), "arguments": _text(item.get("arguments") or "{}")}
    return {"id": str(item.get("call_id") or ""), "type": "function", "function": function}  # type: ignore[typeddict-item]
