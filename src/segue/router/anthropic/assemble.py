"""From the events of one streamed message to one message of ours.

In: the events of `POST /messages`, parsed, in their order; a message that was not streamed counts as one event. Out:
deltas while they come, and at the end the message with whole tool calls, why it ended, and the usage. It is whole only
when `message_stop` has come. See https://platform.claude.com/docs/en/build-with-claude/streaming.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from segue.base.messages import Message, ToolCall
from segue.base.usage import Usage
from segue.router.anthropic.schema import AnswerTool
from segue.router.assemble import whole_calls
from segue.router.types import Delta, ReasoningDelta, TextDelta, ToolCallDelta

_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""Others, such as `pause_turn`, stay as they are."""
_SIGNED = ("thinking", "redacted_thinking")


@dataclass
class _Block:
    """One content block as far as it has come."""

    type: str
    start: Mapping[str, Any]
    call: int = -1
    """Which tool call it is, from 0."""
    text: list[str] = field(default_factory=list)
    """Text, thinking, or the JSON of a tool's input."""
    signature: str = ""


class MessageAssembler:
    """Collects one answer; see `segue.router.reading.Collector`. `answer_tool`'s input becomes text."""

    def __init__(self, answer_tool: AnswerTool | None = None) -> None:
        self._answer_tool = answer_tool
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._counts: dict[str, Any] = {}
        self._deltas: list[Delta] = []
        self._begun = False
        self._stopped = False
        self._stop_reason = ""
        self.model = ""

    @property
    def begun(self) -> bool:
        """Whether any piece of an answer has come."""
        return self._begun

    @property
    def whole(self) -> bool:
        """Whether `message_stop` has come, and why it ended was said."""
        return self._stopped and bool(self._stop_reason)

    @property
    def ended(self) -> bool:
        """Whether `message_stop` has come."""
        return self._stopped

    @property
    def finish_reason(self) -> str:
        """Why the answer ended, in the words of `Reply`; empty as long as it has not."""
        if self._answer_tool and self._stop_reason == "tool_use" and not self._shown_calls():
            return "stop"
        return _FINISH_REASONS.get(self._stop_reason, self._stop_reason)

    @property
    def counts_cached(self) -> bool:
        """Whether it says how many tokens it had cached."""
        return "cache_read_input_tokens" in self._counts

    @property
    def cache_write_tokens(self) -> int:
        """Of the input tokens, those that were put into the cache."""
        return int(self._counts.get("cache_creation_input_tokens") or 0)

    def done(self) -> None:
        """Nothing: this API ends with `message_stop`."""

    def add(self, event: Mapping[str, Any]) -> list[Delta]:
        """Take one event; kinds that are not known are passed over, as the API asks."""
        self._deltas = []
        kind = event["type"]
        if kind == "content_block_delta":
            self._add_delta(self._blocks[event["index"]], event["delta"])
        elif kind == "content_block_start":
            self._start_block(event["index"], event["content_block"])
        elif kind == "content_block_stop":
            self._stop_block(self._blocks[event["index"]])
        elif kind == "message_delta":
            self._take_end(event["delta"], event.get("usage"))
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "message_start":
            self._take_start(event["message"])
        elif kind == "message":
            self._take_start(event)
            for index, block in enumerate(event["content"]):
                self._start_block(index, block)
            self._take_end(event, None)
            self._stopped = True
        self._begun = self._begun or bool(self._deltas)
        return self._deltas

    def message(self, taken_ids: Collection[str] = ()) -> Message:
        """The message, not yet entered; see `segue.router.assemble.whole_calls` for what becomes of its calls."""
        texts: list[str] = []
        calls: list[ToolCall] = []
        reasoning: list[dict[str, Any]] = []
        for _, block in sorted(self._blocks.items(), key=lambda held: held[0]):
            if self._is_text(block):
                texts.append(self._text(block))
            elif block.type == "tool_use":
                calls.append(_whole(block))
            elif block.type in _SIGNED:
                reasoning.append({**_signed(block), "at": len(calls) + bool("".join(texts))})
        message: Message = {"role": "assistant", "content": "".join(texts) or None}
        if reasoning:
            message["reasoning"] = reasoning
        if whole := whole_calls(calls, self.finish_reason, taken_ids):
            message["tool_calls"] = whole
        elif message["content"] is None:
            message["content"] = ""
        return message

    def usage(self) -> Usage | None:
        """The tokens as the server counts them, without a cost: all input, of it what the cache had."""
        if not self._counts:
            return None
        counts = {key: value for key, value in self._counts.items() if isinstance(value, int)}
        cached = counts.get("cache_read_input_tokens", 0)
        details = self._counts.get("output_tokens_details") or {}
        return Usage(
            input_tokens=counts.get("input_tokens", 0) + counts.get("cache_creation_input_tokens", 0) + cached,
            output_tokens=counts.get("output_tokens", 0),
            cached_tokens=cached,
            reasoning_tokens=int(details.get("thinking_tokens") or 0),
            model_calls=1,
            cost_usd=None,
        )

    def _take_start(self, message: Mapping[str, Any]) -> None:
        self.model = str(message.get("model") or "")
        self._count(message.get("usage"))

    def _take_end(self, delta: Mapping[str, Any], usage: Mapping[str, Any] | None) -> None:
        self._stop_reason = str(delta.get("stop_reason") or self._stop_reason)
        self._count(usage)

    def _count(self, usage: Mapping[str, Any] | None) -> None:
        """The counts of `message_delta` are sums and take the place of those of `message_start`."""
        self._counts.update({key: value for key, value in (usage or {}).items() if value is not None})

    def _start_block(self, index: int, start: Mapping[str, Any]) -> None:
        if index in self._blocks:
            raise ValueError(f"content block {index} starts twice")
        block = self._blocks[index] = _Block(str(start["type"]), start)
        if block.type == "tool_use":
            if not self._is_text(block):
                block.call, self._calls = self._calls, self._calls + 1
                self._deltas.append(ToolCallDelta(block.call, str(start["id"]), str(start["name"]), ""))
            if start.get("input"):
                self._write(block, orjson.dumps(start["input"]).decode())
        elif block.type == "thinking":
            block.signature = start.get("signature") or ""
            self._write(block, start.get("thinking") or "")
        elif block.type == "text":
            self._write(block, start.get("text") or "")

    def _add_delta(self, block: _Block, delta: Mapping[str, Any]) -> None:
        kind = delta["type"]
        if kind == "text_delta":
            self._write(block, delta["text"])
        elif kind == "input_json_delta":
            self._write(block, delta["partial_json"])
        elif kind == "thinking_delta":
            self._write(block, delta["thinking"])
        elif kind == "signature_delta":
            block.signature += delta["signature"]

    def _stop_block(self, block: _Block) -> None:
        if self._answer_tool and self._answer_tool.is_wrapped and block.type == "tool_use" and self._is_text(block):
            self._deltas.append(TextDelta(self._text(block)))

    def _write(self, block: _Block, piece: str) -> None:
        if not isinstance(piece, str):
            raise TypeError(f"a piece of a block is text, not {type(piece).__name__}")
        if not piece:
            return
        block.text.append(piece)
        if self._is_text(block):
            hidden = block.type == "tool_use" and self._answer_tool is not None and self._answer_tool.is_wrapped
            self._deltas.append(TextDelta("" if hidden else piece))  # an empty one still says that it is alive
        elif block.type == "tool_use":
            self._deltas.append(ToolCallDelta(block.call, str(block.start["id"]), "", piece))
        elif block.type == "thinking":
            self._deltas.append(ReasoningDelta(piece))

    def _is_text(self, block: _Block) -> bool:
        if block.type == "tool_use":
            return self._answer_tool is not None and block.start["name"] == self._answer_tool.name
        return block.type == "text"

    def _text(self, block: _Block) -> str:
        written = _written(block)
        return self._answer_tool.answer(written) if self._answer_tool and block.type == "tool_use" else written

    def _shown_calls(self) -> bool:
        return any(block.type == "tool_use" and not self._is_text(block) for block in self._blocks.values())


def _written(block: _Block) -> str:
    return "".join(block.text)


def _whole(block: _Block) -> ToolCall:
    function = {"name": str(block.start["name"]), "arguments": _written(block) or "{}"}
    return {"id": str(block.start["id"]), "type": "function", "function": function}  # type: ignore[typeddict-item]


def _signed(block: _Block) -> dict[str, Any]:
    if block.type == "redacted_thinking":
        return {"type": block.type, "data": block.start.get("data")}
    return {"type": block.type, "thinking": _written(block), "signature": block.signature}
