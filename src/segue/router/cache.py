"""Answers to the very same request, kept for a while: exact, per tenant, bounded in time and in size.

In: a request and the route that it takes. Out: the generation that answered it before, as a new message; what it cost
then is not paid again. Two requests are the same where everything that a model is sent is. A request in which the
result of a tool that may write stands is never answered from here unless the route asks for it: what was done then has
not been done now.
"""

from __future__ import annotations

import copy
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson

from segue.base.messages import OWN_KEYS, Message, enter
from segue.base.usage import Usage
from segue.router.assemble import with_own_ids
from segue.router.deployment import taken_ids
from segue.router.settings import RouteSettings
from segue.router.types import Attempt, Generation, GenerationRequest


@dataclass(slots=True)
class CacheFigures:
    """What the cache did and holds."""

    hits: int = 0
    misses: int = 0
    entries: int = 0
    size_bytes: int = 0
    saved_usd: float = 0.0
    """What the answers that were given again had cost, as far as that is known."""

    @property
    def hit_rate(self) -> float | None:
        """Hits out of all; `None` where nobody asked yet."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(slots=True)
class _Kept:
    found: Generation
    until: float
    size: int


class Cache:
    """Keeps answers."""

    def __init__(self, most_bytes: int = 64 * 1024 * 1024) -> None:
        """`most_bytes` is for all routes and tenants; those used the longest ago go first."""
        self.most_bytes = most_bytes
        self.figures = CacheFigures()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def key(self, route: str, held: RouteSettings, request: GenerationRequest) -> bytes | None:
        """What the request is known by; `None` where it must not be answered from here."""
        if held.cache_s is None or not (held.cache_after_writes or _only_read(request)):
            return None
        asked = [
            route, request.tenant, [_plain(message) for message in request.messages], list(request.tools),
            request.tool_choice, request.output_schema, request.output_name, request.max_output_tokens,
            request.temperature, list(request.stop), request.parallel_tool_calls, dict(request.extra),
        ]  # fmt: skip
        try:
            data = orjson.dumps(asked, default=str, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        except TypeError:
            return None
        return hashlib.blake2b(data, digest_size=20).digest()

    def get(self, key: bytes, request: GenerationRequest) -> Generation | None:
        """The answer, as a message of its own that costs nothing; `None` where there is none any more."""
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept.until < now:
            self._drop(key)
            kept = None
        if kept is None:
            self.figures.misses += 1
            return None
        self._kept.move_to_end(key)
        self.figures.hits += 1
        self.figures.saved_usd += kept.found.usage.cost_usd or 0.0
        return _again(kept.found, request)

    def put(self, key: bytes, found: Generation, ttl_s: float) -> None:
        """Keep an answer that was whole."""
        if found.finish_reason not in ("stop", "tool_calls"):
            return
        size = len(orjson.dumps(found.message, default=str)) + 512
        if size > self.most_bytes // 8:
            return
        self._drop(key)
        self._kept[key] = _Kept(found, time.monotonic() + ttl_s, size)
        self.figures.size_bytes += size
        while self.figures.size_bytes > self.most_bytes:
            self._drop(next(iter(self._kept)))
        self.figures.entries = len(self._kept)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
        self.figures.size_bytes = self.figures.entries = 0

    def _drop(self, key: bytes) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self.figures.size_bytes -= kept.size
            self.figures.entries = len(self._kept)


def _again(found: Generation, request: GenerationRequest) -> Generation:
    message: Message = copy.deepcopy(found.message)
    message.pop("id", None)
    if calls := message.get("tool_calls"):
        message["tool_calls"] = with_own_ids(calls, taken_ids(request))
    enter(message, source=found.model)
    return Generation(
        message=message,
        usage=Usage(model_calls=1, cost_usd=0.0),
        finish_reason=found.finish_reason,
        deployment=found.deployment,
        model=found.model,
        route=found.route,
        first_token_s=0.0,
        duration_s=0.0,
        attempts=(Attempt(deployment=found.deployment, outcome="cached", duration_s=0.0),),
        why=f"route {found.route!r} answered from its cache what {found.deployment!r} had said to the same request.",
        cached=True,
    )


def _only_read(request: GenerationRequest) -> bool:
    """Whether every tool result in it is of a tool that only reads."""
    called = {
        call["id"]: call["function"]["name"] for message in request.messages for call in message.get("tool_calls", ())
    }
    return all(
        (message.get("name") or called.get(message.get("tool_call_id", ""), "")) in request.reads
        for message in request.messages
        if message["role"] == "tool"
    )


def _plain(message: Message) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key not in OWN_KEYS}
