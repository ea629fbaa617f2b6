"""Messages: what a model reads and writes, as plain data in OpenAI's chat shape.

A message is a dict that any OpenAI-compatible server takes, plus keys of ours that never go on the wire:
`id`, `labels`, `atoms`, `tokens`. It is completed once, when it enters a run (`enter`), and not touched after.
LangChain messages are turned into this shape at the borders (`from_langchain`) and back (`to_langchain`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypedDict, cast

from segue.base.errors import BadInput
from segue.base.ids import derived_id, new_id
from segue.base.known import KnownIds
from segue.base.labels import Integrity, Labels, plain_labels
from segue.base.pairs import paired

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage, BaseMessage

Role = Literal["system", "developer", "user", "assistant", "tool"]

OWN_KEYS = frozenset({"id", "labels", "atoms", "tokens", "failed", "note"})
"""Keys of ours on a message; they never go on the wire to a model."""


class FunctionCall(TypedDict):
    """The name of a tool and its arguments as the JSON text that the model wrote."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    """One request by the model to run one tool."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class Message(TypedDict, total=False):
    """One message; `content` is text, a list of parts (text, image_url, …), or `None` beside tool calls."""

    role: Required[Role]
    content: str | list[dict[str, Any]] | None
    tool_calls: NotRequired[list[ToolCall]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]
    reasoning: NotRequired[list[dict[str, Any]]]
    """Reasoning parts with their signatures, as the model gave them; kept across tools and failover."""
    id: NotRequired[str]
    labels: NotRequired[dict[str, Any]]
    atoms: NotRequired[list[list[str]]]
    """Of a tool result: its leaf values as `[pointer, text]`; see `segue.base.labels.atoms`."""
    tokens: NotRequired[int]
    """Estimated once, when the message entered."""
    failed: NotRequired[bool]
    """Of a tool result: the call failed, and the content says why."""
    note: NotRequired[bool]
    """For one request only: told to the model at the end of it, and kept nowhere."""


_KNOWN = KnownIds()

OTHER_PART_TOKENS = 1_000
"""What a part that is no text is taken for, such as an image."""

_INTEGRITY: dict[str, Integrity] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "tool",
    "tool": "untrusted",
}
_KINDS = {"tool": "tool_result", "assistant": "answer"}


def user(text: str, **more: Any) -> Message:
    """A message by the person."""
    return enter(cast(Message, {"role": "user", "content": text, **more}))


def system(text: str) -> Message:
    """A message by the developer."""
    return enter({"role": "system", "content": text})


def assistant(text: str | None, tool_calls: Sequence[ToolCall] = (), *, source: str = "") -> Message:
    """A message by a model."""
    message: Message = {"role": "assistant", "content": text}
    if tool_calls:
        message["tool_calls"] = list(tool_calls)
    return enter(message, source=source)


def tool_call(name: str, arguments: dict[str, Any] | str, *, call_id: str | None = None) -> ToolCall:
    """A tool call in OpenAI's shape; arguments may be a dict or JSON text."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id or new_id("call"), "type": "function", "function": {"name": name, "arguments": text}}


def tool_result(
    call_id: str,
    content: str,
    *,
    name: str,
    failed: bool = False,
    labels: Labels | None = None,
    atoms: list[list[str]] | None = None,
) -> Message:
    """What the model reads next after a tool call."""
    message: Message = {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}
    if failed:
        message["failed"] = True
    if atoms:
        message["atoms"] = atoms
    if labels is not None:
        message["labels"] = labels.to_dict()
    return enter(message, source=name)


def enter(message: Message, *, source: str = "") -> Message:
    """Complete a message as it enters a run: an id, labels and a token count, each only where missing.

    The message is completed in place and returned; from here on it is never changed.

    Raises:
        BadInput: It is not a message: no known role, content of an unknown type, or tool calls that are none.
    """
    role = message.get("role")
    if role not in _INTEGRITY:
        raise BadInput(f"a message needs a role out of {', '.join(sorted(_INTEGRITY))}; this one has {role!r}")
    content = message.setdefault("content", None)
    if isinstance(content, str):
        message["content"] = paired(content)
    elif content is not None:
        if not isinstance(content, list):
            raise BadInput(f"a message's content is text, a list of parts or None, not {type(content).__name__}")
        _check_parts(content)
    if calls := message.get("tool_calls"):
        _check_calls(calls)
    if "id" not in message:
        message["id"] = new_id("msg")
    if "labels" not in message:
        message["labels"] = plain_labels(_INTEGRITY[role], _KINDS.get(role, "text"), source)
    if "tokens" not in message:
        message["tokens"] = estimate_tokens(message)
    return message


def _check_parts(parts: list[Any]) -> None:
    for part in parts:
        if not isinstance(part, dict) or not isinstance(part.get("text") or "", str):
            raise BadInput(f"a part of a message's content is an object, its text a string; this one is {part!r:.80}")


def _check_calls(calls: Any) -> None:
    for each in calls if isinstance(calls, list) else [calls]:
        function = each.get("function") if isinstance(each, dict) else None
        held = function if isinstance(function, dict) else {}
        if not (isinstance(held.get("name"), str) and isinstance(held.get("arguments"), str)):
            raise BadInput(f"a tool call has a function with a name and arguments as text; this one is {each!r:.80}")


def wire(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """The messages as a server takes them: without our own keys."""
    return [
        {key: wire_content(held) if key == "content" else held for key, held in message.items() if key not in OWN_KEYS}
        for message in messages
    ]


def wire_content(content: Any) -> Any:
    """Parts as a server takes them: without our labels; where all are text, one text, which every server takes."""
    if not isinstance(content, list):
        return content
    if all(part.get("type") == "text" for part in content):
        return "\n\n".join(part.get("text") or "" for part in content)
    return [{key: value for key, value in part.items() if key != "labels"} for part in content]


def with_note_inside(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages with a note at their end put into the text before it: few servers take a system message there."""
    if len(messages) < 2 or not messages[-1].get("note"):
        return messages
    before, note = messages[-2], messages[-1]
    content = before.get("content")
    if before["role"] not in ("user", "tool") or not isinstance(content, str):
        return messages
    return [*messages[:-2], {**before, "content": f"{content}\n\n{text_of(note)}"}]


def text_of(message: Message) -> str:
    """The readable text of a message: its text parts joined; empty where it has none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not content:
        return ""
    return "".join(part.get("text") or "" for part in content if part.get("type") == "text")


def redacted(message: Message, redact: Callable[[str], str]) -> Message:
    """The message with every text passed through `redact`; the very same one where that changes nothing."""
    content = message.get("content")
    clean: Any = content
    if isinstance(content, str):
        clean = redact(content)
    elif content:
        clean = [
            {**part, "text": redact(part["text"])} if isinstance(part.get("text"), str) else part for part in content
        ]
    return message if clean == content else {**message, "content": clean}


def estimate_tokens(message: Message) -> int:
    """About how many tokens a message is: four characters a token, and four for its frame; an image is 1,000.

    An estimate to reserve and trim by; what a model was really sent stands in the usage of its generation.
    """
    content = message.get("content")
    size = _size(content if isinstance(content, str) else text_of(message))
    for call in message.get("tool_calls") or ():
        size += _size(call["function"]["name"]) + _size(call["function"]["arguments"])
    if isinstance(content, list):
        size += 4 * OTHER_PART_TOKENS * sum(part.get("type") != "text" for part in content)
    return size // 4 + 4


def _size(text: str) -> int:
    """Characters; outside ASCII bytes, since those scripts take more tokens a character."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def append(left: list[Message] | None, right: Any) -> list[Message]:
    """The reducer of `state["messages"]`: the new ones after the old ones, each completed as it enters.

    Takes our dicts, LangChain messages, a single one of either, or text (a user message). A message whose id
    is already there is left out, so that a graph may be handed a whole conversation twice. Where a person speaks
    while tool calls are still open - a run was cancelled - those calls are closed first.
    """
    old = left or []
    items = right if isinstance(right, (list, tuple)) else [right]
    new = [coerce(item) for item in items if item is not None]
    if not old:
        return new
    known = _KNOWN.take(old)
    new = [message for message in new if message.get("id") not in known]
    closing = closed(old) if new and new[0]["role"] == "user" else []
    grown = [*old, *closing, *new]
    known.update([message.get("id") for message in grown[len(old) :]])
    _KNOWN.grown(grown, known)
    return grown


def open_calls(messages: Sequence[Message]) -> list[ToolCall]:
    """The tool calls of the last assistant message that have no result yet."""
    answered: set[str] = set()
    for message in reversed(messages):
        if message["role"] == "tool":
            answered.add(message.get("tool_call_id", ""))
        else:
            return [call for call in message.get("tool_calls", ()) if call["id"] not in answered]
    return []


def closed(messages: Sequence[Message]) -> list[Message]:
    """A "cancelled" result for each open call, so that the conversation can go on; the same ones each time."""
    out = []
    for call in open_calls(messages):
        name = call["function"]["name"]
        result = tool_result(call["id"], "error: cancelled before it finished", name=name, failed=True)
        result["id"] = derived_id("msg", call["id"], "cancelled")
        out.append(result)
    return out


def coerce(item: Any) -> Message:
    """One of ours from a dict in OpenAI's shape, a LangChain message, a `(role, text)` pair, or text.

    Raises:
        BadInput: It is none of these.
    """
    if isinstance(item, str):
        return user(item)
    if isinstance(item, dict):
        return item if "id" in item and "labels" in item else enter(cast(Message, dict(item)))  # type: ignore[return-value]
    if isinstance(item, tuple) and len(item) == 2:
        role = {"human": "user", "ai": "assistant"}.get(item[0], item[0])
        return enter(cast(Message, {"role": role, "content": item[1]}))
    if hasattr(item, "type") and hasattr(item, "content"):
        return from_langchain(item)
    raise BadInput(f"a message is a dict in OpenAI's chat shape or a LangChain message, not {type(item).__name__}")


def from_langchain(message: BaseMessage) -> Message:
    """A LangChain message in our shape; its id is kept, and what was ours on it before it became LangChain's."""
    from langchain_core.messages import convert_to_openai_messages

    ours = cast(Message, convert_to_openai_messages(message))
    ours.update(cast(Message, {key: held for key, held in message.additional_kwargs.items() if key in OWN_KEYS}))
    if message.id:
        ours["id"] = message.id
    if ours["role"] == "tool" and getattr(message, "status", "success") == "error":
        ours["failed"] = True
    return enter(ours, source=message.name or "")


def to_langchain(messages: Sequence[Message]) -> list[AnyMessage]:
    """Our messages as LangChain's; ids are kept."""
    from langchain_core.messages import convert_to_messages

    converted = convert_to_messages(cast(Any, wire(messages)))
    for ours, theirs in zip(messages, converted, strict=True):
        theirs.id = ours.get("id")
        if ours.get("failed"):
            cast(Any, theirs).status = "error"
    return cast("list[AnyMessage]", converted)
