"""The reading half of every transport: the bytes of a streamed answer in, one whole answer out, or an error.

A `Reader` splits the stream into events, hands them to a collector (such as `segue.router.assemble.Assembler`), shows
the deltas and keeps the deadlines. Who sends the request and what a chunk means is left to others; that no answer
leaves here by half is seen to here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol

import orjson

from segue.base.messages import Message
from segue.base.usage import Usage
from segue.router.assemble import FAILED_REASONS
from segue.router.deadlines import Watch
from segue.router.errors import AttemptError, BrokenStream, EndpointFailed
from segue.router.faults import Fault, fault_of, reason, to_error
from segue.router.secrets import cause, redact
from segue.router.settings import DeploymentSettings
from segue.router.sse import Event, SSEParser
from segue.router.types import Delta, OnDelta

_DRAIN_S = 0.02
_DONE_AT_MOST = 64
"""Bytes of an event that may be the last word."""


class Answer(NamedTuple):
    """A whole answer, as the server gave it."""

    message: Message
    """Not yet entered."""
    usage: Usage | None
    """Without a cost; `None` where the server does not say."""
    finish_reason: str
    model: str
    """As the server names it; empty where it does not."""
    first_token_s: float | None
    cache_write_tokens: int = 0
    """Of the input tokens, those that were put into a cache at a price of their own."""
    headers: Mapping[str, str] = MappingProxyType({})
    """As the server sent them."""
    counts_cached: bool = False
    """Whether the server says how many tokens it had cached, be it none."""


class Complaint(Exception):
    """What a collector raises for a chunk in which the server says that it failed; `data` is its error."""

    def __init__(self, data: Any) -> None:
        super().__init__(str(data))
        self.data = data


class Collector(Protocol):
    """Puts one answer together. A chunk that is none raises `AttributeError`, `KeyError`, `TypeError`, `ValueError`."""

    model: str
    """The model as the server names it; empty where it does not."""

    @property
    def counts_cached(self) -> bool:
        """Whether the server says how many tokens it had cached, be it none."""

    @property
    def finish_reason(self) -> str:
        """Why the answer ended; empty as long as it has not."""

    @property
    def cache_write_tokens(self) -> int:
        """Of the input tokens, those that were put into a cache."""

    @property
    def begun(self) -> bool:
        """Whether any piece of an answer has come."""

    @property
    def whole(self) -> bool:
        """Whether the server has said that the answer is complete."""

    @property
    def ended(self) -> bool:
        """Whether the server has said its last word: nothing more is read."""

    def add(self, chunk: Mapping[str, Any]) -> list[Delta]:
        """Take one chunk; what it adds to the answer. Where the server says that it failed, `Complaint` is raised."""

    def done(self) -> None:
        """Take `[DONE]`."""

    def message(self, taken_ids: Collection[str] = ()) -> Message:
        """The message, not yet entered."""

    def usage(self) -> Usage | None:
        """The tokens as the server counts them."""


@dataclass(slots=True)
class Exchange:
    """What belongs to one request."""

    secrets: list[str]
    collector: Collector
    watch: Watch
    on_delta: OnDelta | None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the server's answer."""

    def show(self, deltas: list[Delta]) -> None:
        """Hand on what has come."""
        if self.watch.first_token_s is None:
            self.watch.token()
        if (told := self.on_delta) is not None:
            for delta in deltas:
                told(delta)


class Reader:
    """Reads the answers of one deployment."""

    chunk: ClassVar[str] = "chat completion"
    """What a chunk is called in errors."""

    def __init__(self, name: str, settings: DeploymentSettings) -> None:
        self._name = name
        self._settings = settings

    def _exchange(
        self, collector: Collector, secrets: list[str], on_delta: OnDelta | None, deadline: float | None
    ) -> Exchange:
        settings = self._settings
        watch = Watch(self._name, first_token_s=settings.first_token_s, idle_s=settings.idle_s, deadline=deadline)
        return Exchange(secrets, collector, watch, on_delta)

    async def _finished(self, exchange: Exchange, asking: Awaitable[None], taken_ids: Collection[str]) -> Answer:
        """The answer when `asking` is through, whole or not at all."""
        collector = exchange.collector
        try:
            with exchange.watch:
                await asking
        except BrokenStream:
            if not collector.whole:  # else the server said that it was done, and then did not hang up
                raise
        if not collector.whole:
            raise BrokenStream(self._name, _unfinished(collector.finish_reason))
        return Answer(
            message=collector.message(taken_ids),
            usage=collector.usage(),
            finish_reason=collector.finish_reason,
            model=collector.model,
            first_token_s=exchange.watch.first_token_s,
            cache_write_tokens=collector.cache_write_tokens,
            headers=exchange.headers,
            counts_cached=collector.counts_cached,
        )

    async def _read_pieces(
        self, more: Callable[[], Awaitable[bytes]], exchange: Exchange, at_end: Callable[[], bool] | None = None
    ) -> None:
        """Read to the last word or the end; an answer that is whole may lose its connection then.

        `more` gives the next bytes, none at the end. `at_end` says whether nothing more will come, so that nobody has
        to wait to see.
        """
        parser = SSEParser()
        try:
            while piece := await more():
                if self._take_all(self._events(parser, piece), exchange):
                    if at_end is None or not at_end():
                        await _drain(more)
                    return
        except self._drops():
            if not exchange.collector.whole:
                raise
        self._take_all(parser.close(), exchange, last=True)

    def _drops(self) -> tuple[type[Exception], ...]:
        """What the transport raises when a connection drops in mid answer."""
        return (ConnectionError,)

    def _events(self, parser: SSEParser, piece: bytes) -> list[Event]:
        try:
            return parser.feed(piece)
        except ValueError as error:
            raise EndpointFailed(self._name, "sent what is no event stream", detail=str(error)) from None

    def _take_all(self, events: list[Event], exchange: Exchange, *, last: bool = False) -> bool:
        """Take events; true where the last word is among them."""
        exchange.watch.alive()
        for name, data in events:
            if len(data) < _DONE_AT_MOST and data.strip() == b"[DONE]":
                exchange.collector.done()
                return True
            self._take(data, exchange, name, last)
        return exchange.collector.ended

    def _take(self, data: bytes, exchange: Exchange, named: str = "", last: bool = False) -> None:
        """Take one chunk; `last` says that it may have been cut off."""
        try:
            chunk = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if last:
                return
            raise self._nonsense("sent what is no JSON", data, exchange) from cause(error, exchange.secrets)
        if not isinstance(chunk, dict) or named == "error" or chunk.get("error"):
            raise self._fault(fault_of(chunk), exchange.secrets)
        try:
            deltas = exchange.collector.add(chunk)
        except Complaint as said:
            raise self._fault(fault_of(said.data), exchange.secrets) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._nonsense(f"sent what is no {self.chunk}", data, exchange) from cause(error, exchange.secrets)
        if deltas:
            exchange.show(deltas)

    def _nonsense(self, what: str, data: bytes, exchange: Exchange) -> EndpointFailed:
        said = redact(data.decode("utf-8", "replace"), exchange.secrets, limit=200)
        return EndpointFailed(self._name, what, detail=said)

    def _fault(self, fault: Fault, secrets: Sequence[str], headers: Mapping[str, str] | None = None) -> AttemptError:
        return to_error(fault, deployment=self._name, model=self._settings.model, secrets=secrets, headers=headers)

    def _broken(self, error: Exception, exchange: Exchange) -> AttemptError:
        detail = reason(error, exchange.secrets)
        if exchange.collector.begun:
            return BrokenStream(self._name, "broke off in mid answer", detail=detail)
        return EndpointFailed(self._name, f"gave no answer at {self._settings.url}", detail=detail)


async def _drain(more: Callable[[], Awaitable[bytes]]) -> None:
    """Read to the end of the body, so that the connection can be used again; not for long."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_DRAIN_S):
            while await more():
                pass


def _unfinished(finish_reason: str) -> str:
    if finish_reason in FAILED_REASONS:
        return f"aborted its answer (finish_reason {finish_reason!r})"
    return "ended its answer without saying that it was whole"
