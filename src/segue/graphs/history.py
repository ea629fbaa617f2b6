"""History: what of a long thread its model reads. The state keeps all of it.

In: the whole thread, and the mark that was left in its state. Out: the messages to send, and a new mark where they
begin elsewhere now. A thread is only cut before a message of the person's, so that no tool call is parted from its
result; the current turn is always sent whole. The beginning stays where it is until the window is full and then moves
by a block, so that consecutive prompts share their prefix. What falls out may be summarised by
`segue.graphs.summaries`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, assert_never

from segue.base.errors import EndpointError, UserError
from segue.base.messages import Message
from segue.base.quick import quick
from segue.context.run import RunContext
from segue.graphs.generation import Speaker

CONTEXT_SHARE = 0.75
"""Of a model's context, what a conversation may fill; the rest is for instructions, tools and the answer."""


class Mark(TypedDict, total=False):
    """Where the messages begin that a model reads; kept in the thread's state."""

    start: int
    """How many messages are left out."""
    id: str
    """Of the first message that is not: a thread that was changed before it is marked anew."""
    summary: list[Message]
    """What stands in the place of those left out."""
    most_tokens: int
    """What a model could not take any more, learned from its refusal."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The newest messages of a thread, by number or by tokens."""

    messages: int | None = None
    """The most that are sent."""
    tokens: int | None = None
    """The most that they may take, estimated."""
    first: bool = False
    """Whether the first message of the thread is always sent too."""
    block: float = 0.5
    """How much of the window is dropped at once when it is full. A smaller block keeps more, and moves the prompt's
    beginning, which empties a server's prefix cache, more often."""

    def __post_init__(self) -> None:
        limits = [each for each in (self.messages, self.tokens) if each is not None]
        if not limits or min(limits) < 1 or not 0 < self.block <= 1:
            raise UserError(
                f"Window(messages={self.messages}, tokens={self.tokens}, block={self.block}): give messages or tokens, "
                "at least 1, and a block above 0 and at most 1"
            )


@dataclass(frozen=True, kw_only=True)
class Summarise:
    """Older messages as a summary that a model writes, the newer ones as they stand."""

    after: int = 80
    """From so many messages on, older ones are summarised."""
    keep: int = 20
    """How many of the newest stay as they are."""
    model: Any = None
    """Who summarises, as `Agent`'s; `None` is the agent's own model."""
    max_output_tokens: int = 800
    instructions: str = ""
    """What to keep in mind besides."""

    def __post_init__(self) -> None:
        if not 0 < self.keep < self.after:
            raise UserError(f"Summarise(after={self.after}, keep={self.keep}): keep is above 0 and below after")


History = Window | Summarise | None
"""`None`: as much as fits the model's context, where that is known."""


class ThreadRecall:
    """What of one thread is read, for as long as one node runs."""

    def __init__(self, history: History, mark: Mark | None) -> None:
        self._history = history
        self._before: Mark = mark or {}
        self._said: dict[str, Any] = {}
        self._stands: list[Message] = []
        self.mark: Mark = self._before

    def update(self) -> dict[str, Any]:
        """What the node writes into the state: nothing where the beginning stayed where it was."""
        return {"history": self.mark} if self.mark is not self._before else {}

    def about(self) -> Mapping[str, Any]:
        """What a trace says: how many messages were left out, and why a summary is missing."""
        start = self.mark.get("start")
        return {"segue__left_out": start, **self._said} if start else self._said

    async def view(self, ctx: RunContext[Any], speaker: Speaker, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages to send."""
        start = self._checked(messages)
        limit = await self._limit(ctx, speaker)
        moved = limit.moved(messages, start)
        if moved > start:
            await self._move(ctx, speaker, messages, start, moved)
        start = self.mark.get("start", 0)
        self._stands = list(self._in_place(messages)) if start else []
        return [*self._stands, *messages[start:]] if start else messages

    async def less(self, ctx: RunContext[Any], speaker: Speaker, sent: Sequence[Message]) -> bool:
        """Take it that the model takes no more than half of what was sent; false where only one turn was sent."""
        if turn_start(sent) <= len(self._stands):
            return False
        self.mark = {**self.mark, "most_tokens": sum(each.get("tokens", 0) for each in sent) // 2}
        self._said["segue__overflow"] = True
        return True

    def sent(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Those messages of the thread that are not left out."""
        start = self.mark.get("start", 0)
        return messages[start:] if start else messages

    def _checked(self, messages: Sequence[Message]) -> int:
        """Where the messages begin, by the mark; the mark is dropped where the thread is another one before it."""
        start = self.mark.get("start", 0)
        if start and (start >= len(messages) or messages[start].get("id") != self.mark.get("id")):
            self.mark, start = {}, 0
        return start

    async def _limit(self, ctx: RunContext[Any], speaker: Speaker) -> Limit:
        learned = self.mark.get("most_tokens")
        match self._history:
            case Window(messages=most, tokens=tokens, block=block):
                limit = Limit(messages=most, tokens=tokens, block=block)
            case Summarise(after=after, keep=keep):
                limit = Limit(messages=after, block=1 - keep / after)
            case None:
                tokens = None if learned else await _fitting(ctx, speaker)
                limit = _UNBOUNDED if tokens is None else Limit(tokens=tokens)
            case _ as never:
                assert_never(never)
        if learned is not None:
            limit = replace(limit, tokens=min(learned, limit.tokens or learned))
        return limit

    async def _move(
        self, ctx: RunContext[Any], speaker: Speaker, messages: Sequence[Message], start: int, moved: int
    ) -> None:
        mark: Mark = {**self.mark, "start": moved, "id": messages[moved].get("id", "")}
        if isinstance(self._history, Summarise):
            from segue.graphs.summaries import summarised

            found = await summarised(ctx, speaker, self._history, self.mark.get("summary", ()), messages[start:moved])
            if isinstance(found, str):
                self._said["segue__summary_failed"] = found
            else:
                mark["summary"] = found
        self.mark = mark

    def _in_place(self, messages: Sequence[Message]) -> Sequence[Message]:
        """What stands in the place of those left out."""
        if isinstance(self._history, Window) and self._history.first:
            return messages[:1]
        return self.mark.get("summary", ())


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much is sent at most; `None` for no bound."""

    messages: int | None = None
    tokens: int | None = None
    block: float = 0.5
    """The share that is dropped at once."""

    def moved(self, messages: Sequence[Message], start: int) -> int:
        """Where the messages begin: still at `start` while they fit, else a block further, before what a person said.

        The current turn is never cut, however long it is.
        """
        if self is _UNBOUNDED:
            return start
        count, tokens = len(messages) - start, 0
        if self.tokens is not None:
            tokens = sum(messages[at].get("tokens", 0) for at in range(start, len(messages)))
        if self._fit(count, tokens, 1.0):
            return start
        turn = turn_start(messages)
        for at in range(start, turn):
            if at > start and messages[at]["role"] == "user" and self._fit(count, tokens, 1.0 - self.block):
                return at
            count, tokens = count - 1, tokens - messages[at].get("tokens", 0)
        return max(start, turn)

    def _fit(self, count: int, tokens: int, share: float) -> bool:
        few = self.messages is None or count <= self.messages * share
        return few and (self.tokens is None or tokens <= self.tokens * share)


_UNBOUNDED = Limit()


def turn_start(messages: Sequence[Message]) -> int:
    """Where the current turn begins: at what the person said last."""
    return next((at for at in range(len(messages) - 1, -1, -1) if messages[at]["role"] == "user"), 0)


async def _fitting(ctx: RunContext[Any], speaker: Speaker) -> int | None:
    """The tokens that a conversation may take with this speaker's model; `None` where its context is not known."""
    router = ctx.services.router
    try:
        tokens = await router.context_tokens(router.resolve(speaker.model))
    except EndpointError:  # the generation itself will say so
        return None
    return None if tokens is None else int(tokens * CONTEXT_SHARE)
