"""From the chunks of one streamed answer to one message.

In: the chunks of `/chat/completions`, parsed, in their order; an answer that was not streamed counts as one chunk. Out:
deltas while they come, and at the end the message with whole tool calls, the reason why it ended and the usage.
Which servers do what: OpenAI and vLLM give every piece of a tool call its `index`, and the id with the first piece
only; others give no index, repeat the id, give index 0 to all calls, or send each call whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from segue.base.ids import new_id
from segue.base.messages import Message, ToolCall
from segue.base.usage import Usage
from segue.router.types import Delta, ReasoningDelta, TextDelta, ToolCallDelta

FAILED_REASONS = frozenset({"abort", "error"})
"""Reasons to end with which a server says that it did not finish."""
_TEXT = frozenset({"role", "content"})
"""The keys of most pieces: those of text."""
_MORE = frozenset({"index", "function"})
"""The keys of most pieces of a call: those that only go on with its arguments."""
_ARGUMENTS = frozenset({"arguments"})


@dataclass(slots=True, eq=False)
class _Call:
    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""

    def is_whole(self) -> bool:
        return bool(self.arguments) and is_json(self.arguments)


class Assembler:
    """Collects one answer. A chunk that is none raises `AttributeError`, `KeyError`, `TypeError` or `ValueError`."""

    def __init__(self) -> None:
        self._deltas: list[Delta] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_field = ""
        self._details: list[dict[str, Any]] = []
        self._calls: list[_Call] = []
        self._usage: Usage | None = None
        self._begun = False
        self.finish_reason = ""
        """Why the answer ended; empty as long as it has not."""
        self.model = ""
        """The model as the server names it."""
        self.ended = False
        """Whether `[DONE]` has come."""
        self.counts_cached = False
        """Whether it says how many tokens it had cached."""
        self.cache_write_tokens = 0
        """Writing into a cache costs nothing extra here."""

    @property
    def whole(self) -> bool:
        """Whether the server has said why the answer ended, and that is no failure."""
        return bool(self.finish_reason) and self.finish_reason not in FAILED_REASONS

    @property
    def begun(self) -> bool:
        """Whether any piece of an answer has come."""
        return self._begun

    def add(self, chunk: Mapping[str, Any]) -> list[Delta]:
        """Take one chunk; what it adds to the answer."""
        deltas = self._deltas = []
        if not self.model and isinstance(model := chunk.get("model"), str):
            self.model = model
        if usage := chunk.get("usage"):
            self._usage = read_usage(usage)
            self.counts_cached = "cached_tokens" in (usage.get("prompt_tokens_details") or ())
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue  # only one answer was asked for
            if piece := choice.get("delta") or choice.get("message"):
                text = piece.get("content")
                if (text is None or isinstance(text, str)) and piece.keys() <= _TEXT:
                    if text:
                        self._text.append(text)
                        deltas.append(TextDelta(text))
                elif len(piece) == 1 and (calls := piece.get("tool_calls")):
                    for call_piece in calls:
                        self._add_call_piece(call_piece)
                else:
                    self._add_piece(piece)
            if reason := choice.get("finish_reason"):
                self.finish_reason = str(reason)
        if deltas:
            self._begun = True
        return deltas

    def done(self) -> None:
        """The server says that this was all; it need not have said why, unless a call was left by half."""
        self.ended = True
        if self._begun and not self.finish_reason and all(is_json(call.arguments or "{}") for call in self._calls):
            self.finish_reason = "tool_calls" if self._calls else "stop"

    def message(self, taken_ids: Collection[str] = ()) -> Message:
        """The message, not yet entered; see `whole_calls` for what becomes of its calls."""
        message: Message = {"role": "assistant", "content": "".join(self._text) or None}
        if self._details:
            message["reasoning"] = self._details
        elif self._reasoning:
            text = "".join(self._reasoning)
            message["reasoning"] = [{"type": "reasoning", "text": text, "field": self._reasoning_field}]
        if self._calls and (calls := whole_calls(map(_whole, self._calls), self.finish_reason, taken_ids)):
            message["tool_calls"] = calls
        elif message["content"] is None:
            message["content"] = ""
        return message

    def usage(self) -> Usage | None:
        """The tokens as the server counts them, without a cost; `None` where it says nothing."""
        return self._usage

    def _add_piece(self, piece: Mapping[str, Any]) -> None:
        if "reasoning_content" in piece or "reasoning" in piece:
            self._add_thought(piece)
        if details := piece.get("reasoning_details"):
            for detail in details:
                _merge_detail(self._details, detail)
        text = piece.get("content") or piece.get("refusal")
        if isinstance(text, list):
            text = "".join(part.get("text") or "" for part in text if isinstance(part, dict))
        if text and not isinstance(text, str):
            raise TypeError(f"content is text, not {type(text).__name__}")
        if text:
            self._text.append(text)
            self._deltas.append(TextDelta(text))
        for call_piece in piece.get("tool_calls") or ():
            self._add_call_piece(call_piece)

    def _add_thought(self, piece: Mapping[str, Any]) -> None:
        for field in ("reasoning_content", "reasoning"):
            thought = piece.get(field)
            if thought and isinstance(thought, str):
                self._reasoning.append(thought)
                self._reasoning_field = field
                self._deltas.append(ReasoningDelta(thought))
                return

    def _add_call_piece(self, piece: Mapping[str, Any]) -> None:
        function = piece.get("function") or {}
        arguments = function.get("arguments") or ""
        if piece.keys() == _MORE and function.keys() == _ARGUMENTS and isinstance(arguments, str):
            call = self._calls[-1] if self._calls else None
            if call is not None and call.index == piece["index"]:
                call.arguments += arguments
                self._deltas.append(ToolCallDelta(len(self._calls) - 1, call.id, "", arguments))
                return
        if not isinstance(arguments, str):
            arguments = orjson.dumps(arguments).decode()
        name, call_id = str(function.get("name") or ""), str(piece.get("id") or "")
        call = self._call_for(piece.get("index"), call_id, name, arguments)
        if call_id and not call.id:
            call.id = call_id
        if name and name != call.name:
            call.name += name
        call.arguments += arguments
        self._deltas.append(ToolCallDelta(self._calls.index(call), call.id, name, arguments))

    def _call_for(self, index: int | None, call_id: str, name: str, arguments: str) -> _Call:
        """The call that a piece belongs to, by its index, else its id, else the one before."""
        if index is not None:
            known = self._calls[-1] if self._calls else None
            if known is not None and known.index != index:
                known = next((call for call in reversed(self._calls) if call.index == index), None)
        elif call_id:
            known = next((call for call in self._calls if call.id == call_id), None)
        else:
            known = self._calls[-1] if self._calls and not (name and arguments) else None
        if known is None or ((call_id or name) and _is_another(known, call_id, name, arguments)):
            known = _Call(len(self._calls) if index is None else index)
            self._calls.append(known)
        return known


_SHORT = 1_000
"""Arguments of more characters than this are parsed each time, rather than remembered."""


def is_json(text: str) -> bool:
    """Whether the text is JSON."""
    return _is_json(text) if len(text) <= _SHORT else _is_json.__wrapped__(text)


@lru_cache(maxsize=512)
def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """One call's tokens out of a server's `usage`; its cost is left open."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    return Usage(
        input_tokens=int(usage.get("prompt_tokens") or 0),
        output_tokens=int(usage.get("completion_tokens") or 0),
        cached_tokens=int(cached or 0),
        reasoning_tokens=int(reasoning or 0),
        model_calls=1,
        cost_usd=None,
    )


def _merge_detail(known: list[dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Put a piece of a reasoning part to the part with the same index; a signature comes with the last piece."""
    same = (part for part in known if "index" in piece and part.get("index") == piece["index"])
    part = next((part for part in same if part.get("type") == piece.get("type")), None)
    if part is None:
        known.append(dict(piece))
        return
    for key, value in piece.items():
        joined = key in ("text", "summary", "data") and isinstance(value, str)
        part[key] = (part.get(key) or "") + value if joined else value


def _is_another(known: _Call, call_id: str, name: str, arguments: str) -> bool:
    """Whether a piece opens a new call although its index or place is that of `known`."""
    if call_id and known.id and call_id != known.id:
        return True
    return bool(name and arguments and not (call_id and call_id == known.id) and known.is_whole())


def whole_calls(calls: Iterable[ToolCall], finish_reason: str, taken_ids: Collection[str]) -> list[ToolCall]:
    """The calls that have a name, each with an id of its own: one that is missing or taken is made anew.

    A call whose arguments were cut off by the token limit is left out; `finish_reason` is `length` then. Otherwise
    arguments that are no JSON stay as they are, for the tool's result to say so.
    """
    cut_off = finish_reason == "length"
    kept = [call for call in calls if not (cut_off and not is_json(call["function"]["arguments"]))]
    return with_own_ids((call for call in kept if call["function"]["name"]), taken_ids)


def with_own_ids(calls: Iterable[ToolCall], taken_ids: Collection[str]) -> list[ToolCall]:
    """The calls, each with an id of its own: one that is missing, taken or given twice is made anew."""
    taken, out = set(taken_ids), []
    for call in calls:
        if not call["id"] or call["id"] in taken:
            call = {**call, "id": new_id("call")}
        taken.add(call["id"])
        out.append(call)
    return out


def _whole(call: _Call) -> ToolCall:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
