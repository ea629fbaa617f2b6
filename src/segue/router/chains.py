"""Conversations as chains: a hash for each piece of about 512 characters that stands for all before it, too.

In: a request. Out: its chain and its length in characters. Two conversations that begin alike have chains that begin
alike, which is what a prefix cache goes by. A conversation that grew is hashed from where it was last time.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import orjson

from segue.base.messages import Message
from segue.router.types import GenerationRequest

PIECE = 512
"""Characters of a piece: 128 tokens or so."""
_SESSIONS = 2048
_TOOLSETS = 64


class _Read:
    """How far a conversation was read."""

    __slots__ = ("chain", "chars", "first", "head", "marks", "places", "rest", "tools")

    def __init__(self, tools: Hashable) -> None:
        self.tools = tools
        self.marks: list[Any] = []
        self.places: list[int] = []
        """Where the messages lay in memory: those of a run are the very same from one request to the next."""
        self.first: Any = None
        self.chain: list[int] = []
        self.head = hash(tools)
        self.rest = ""
        self.chars = 0

    def add(self, text: str) -> None:
        self.chars += len(text)
        text, head = self.rest + text, self.head
        end = len(text) - len(text) % PIECE
        for at in range(0, end, PIECE):
            head = hash((head, text[at : at + PIECE]))
            self.chain.append(head)
        self.head, self.rest = head, text[end:]


class Chains:
    """Makes chains, and remembers those of the latest sessions."""

    def __init__(self) -> None:
        self._read: OrderedDict[str, _Read] = OrderedDict()
        self._tools: OrderedDict[int, tuple[Any, int, int]] = OrderedDict()

    def of(self, request: GenerationRequest) -> tuple[Sequence[int], int]:
        """The chain, and how many characters the request is."""
        tools, tools_chars = self._toolset(request.tools)
        messages = request.messages
        read = self._read.pop(request.session, None) if request.session else None
        if read is None or read.tools != tools or not _goes_on(read, messages):
            read = _Read(tools)
        for message in messages[len(read.marks) :]:
            read.add(_text(message))
            read.marks.append(_mark(message))
        read.first = messages[0].get("content") if messages else None
        read.places = list(map(id, messages))
        if request.session:
            self._read[request.session] = read
            if len(self._read) > _SESSIONS:
                self._read.popitem(last=False)
        return tuple(read.chain), read.chars + tools_chars

    def _toolset(self, tools: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """A hash of the tools and their length; agents hand over the same list each time."""
        if not tools:
            return 0, 0
        known = self._tools.get(id(tools)) if isinstance(tools, tuple) else None
        if known is None or known[0] is not tools:
            names = sorted(_json(tool) for tool in tools)
            known = self._tools[id(tools)] = (tools, hash(tuple(names)), sum(map(len, names)))
            if len(self._tools) > _TOOLSETS:
                self._tools.popitem(last=False)
        return known[1], known[2]


def _goes_on(read: _Read, messages: Sequence[Message]) -> bool:
    """Whether the conversation is the one that was read, perhaps longer. A system message is made anew each time."""
    marks = read.marks
    count = len(marks)
    if len(messages) < count:
        return False
    if not count:
        return True
    if messages[0].get("content") != read.first:
        return False
    if list(map(id, messages[1:count])) == read.places[1:] and _mark(messages[count - 1]) == marks[-1]:
        return True
    return [_mark(message) for message in messages[1:count]] == marks[1:]


def _mark(message: Message) -> Any:
    """What a message is known by again: its id, and its content, which somebody may have shortened for the model."""
    content = message.get("content")
    said = hash(content) if isinstance(content, str) else len(content or ())
    return message.get("id") or id(message), said, len(message.get("tool_calls") or ())


def _text(message: Message) -> str:
    content = message.get("content")
    if not isinstance(content, str):
        content = "" if content is None else _json(content)
    calls = message.get("tool_calls")
    if not calls:
        return f"\n{message['role']}\n{content}"
    told = "".join(f"{call['function']['name']}{call['function']['arguments']}" for call in calls)
    return f"\n{message['role']}\n{content}{told}"


def _json(data: Any) -> str:
    try:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # lone surrogates, integers beyond 64 bits
        return json.dumps(data, default=str)
