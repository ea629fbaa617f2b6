"""Loops: whether a model goes round in a circle, by the calls that it makes and what they give.

In: the messages of a turn, ending with open tool calls. Out: a notice to give back instead of running them once more,
or the end of the run where the notice was not heeded. The same calls with the same results count, alone or as a cycle
of two or three replies; a call whose result changes, such as a poll, does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from segue.base.errors import RunStopped
from segue.base.messages import Message, ToolCall, tool_result
from segue.base.quick import quick

LONGEST_CYCLE = 3
"""Replies that a cycle may consist of."""
_NOTICE = "error: this is a loop:"
_SHORT = 512
"""Up to so many characters arguments are remembered as they were read."""


@quick
@dataclass(frozen=True, slots=True)
class Reply:
    """The tool calls of one reply, and what came of them."""

    calls: tuple[tuple[str, str], ...]
    """Names with arguments."""
    results: tuple[str, ...]
    told: bool
    """Whether they were not run, and the model was told that it goes round."""


def notices(messages: Sequence[Message], calls: Sequence[ToolCall], *, agent: str, most: int | None) -> list[Message]:
    """Results for the open calls that say that they go round; empty where they do not, and may run.

    Args:
        messages: The thread; only its last turn is looked at.
        calls: The open ones, which stand in the last assistant message.
        agent: Who makes them.
        most: How often the same may be done with the same result; `None` for no bound.

    Raises:
        RunStopped: The model was told and goes on all the same.
    """
    if most is None or messages[-1]["role"] != "assistant":  # some of the reply ran in an earlier step: not again
        return []
    if len(messages) <= 2 * most:  # each reply and its results before this one are two at least
        return []
    asked = _plain(calls)
    done = _replies(messages, most * LONGEST_CYCLE)
    cycle = next((length for length in range(1, LONGEST_CYCLE + 1) if _goes_round(done, asked, length, most)), 0)
    if not cycle:
        return []
    names = " and ".join(dict.fromkeys(call["function"]["name"] for call in calls))
    if any(reply.told for reply in done[:cycle]):
        raise RunStopped(
            "loop",
            f"{agent} called {names} {most} times with the same arguments and the same result, was told so, and "
            "called it again",
            way_out=f"Say in the instructions when to stop, or raise Agent(max_repeats={most}).",
        )
    text = (
        f"{_NOTICE} you have called {names} {most} times with the same arguments, and the result was the same each "
        "time; it will not change. Answer with what you have, or do something else."
    )
    return [tool_result(call["id"], text, name=call["function"]["name"], failed=True) for call in calls]


def _goes_round(done: Sequence[Reply], asked: tuple[tuple[str, str], ...], length: int, most: int) -> bool:
    """Whether the newest replies are one cycle of this length, `most` times over, and this one goes on with it."""
    if len(done) < length * most or done[length - 1].calls != asked:
        return False
    return all(_same(done[at], done[at + length]) for at in range(length * (most - 1)))


def _same(one: Reply, other: Reply) -> bool:
    return one.calls == other.calls and (one.told or other.told or one.results == other.results)


def _replies(messages: Sequence[Message], most: int) -> list[Reply]:
    """The replies of this turn before the last message, newest first; not more than `most`."""
    found: list[Reply] = []
    results: list[str] = []
    for at in range(len(messages) - 2, -1, -1):
        message = messages[at]
        if message["role"] == "tool":
            results.append(str(message.get("content")))
        elif message["role"] == "user" or len(found) == most:
            break
        elif calls := message.get("tool_calls"):
            told = any(text.startswith(_NOTICE) for text in results)
            found.append(Reply(_plain(calls), tuple(reversed(results)), told))
            results = []
    return found


def _plain(calls: Sequence[ToolCall]) -> tuple[tuple[str, str], ...]:
    return tuple((call["function"]["name"], _canonical(call["function"]["arguments"])) for call in calls)


def _canonical(arguments: str) -> str:
    """The arguments, however they were spaced and ordered; what goes round comes again."""
    return _short_canonical(arguments) if len(arguments) <= _SHORT else _read(arguments)


@lru_cache(maxsize=256)
def _short_canonical(arguments: str) -> str:
    return _read(arguments)


def _read(arguments: str) -> str:
    try:
        return orjson.dumps(orjson.loads(arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except (ValueError, TypeError):
        return arguments
