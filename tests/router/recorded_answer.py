"""A recorded answer, two servers to give it, and what must come out of a router in front of them.

In: what the first server does with the answer. Out: the generation, and what whoever watched has seen. The second
server always answers whole.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.router.wire_server import Scripted, WireServer, sse

from segue.base.messages import Message, text_of, user
from segue.router import (
    Delta,
    DeploymentSettings,
    Generation,
    GenerationRequest,
    ReasoningDelta,
    Reset,
    Router,
    RouterSettings,
    TextDelta,
    ToolCallDelta,
)
from segue.router.deployment import HttpDeployment
from segue.router.sessions import Sessions

HI = GenerationRequest(messages=[user("hi")])
TEXT = "Zwei Blicke: 早 🙂 𝄞 \u2028."
CALLS = [
    ("find_customer", {"email": "ann@müller.example", "quote": 'a "b" \\ \n é 🏳️‍🌈'}),
    ("find_order", {"order_id": 1042, "note": "\x00𝄢"}),
]
THOUGHT = "Erst der Kunde, dann… 🤔"


def piece(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"model": "s-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(index: int, arguments: str, **head: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **({"name": head["name"]} if head else {})}
    more = {"id": head["id"], "type": "function"} if head else {}
    return piece({"tool_calls": [{"index": index, "function": function, **more}]})


def recorded() -> list[dict[str, Any]]:
    """Reasoning, text, two calls whose pieces come interleaved, the reason to end, usage."""
    first, second = json.dumps(CALLS[0][1], ensure_ascii=False), json.dumps(CALLS[1][1])
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 64}}
    return [
        piece({"role": "assistant", "content": ""}),
        piece({"reasoning_content": THOUGHT[:9]}),
        piece({"reasoning_content": THOUGHT[9:]}),
        piece({"content": TEXT[:14]}),
        piece({"content": TEXT[14:]}),
        call(0, "", id="call_a", name="find_customer"),
        call(0, first[:20]),
        call(1, second[:9], id="call_b", name="find_order"),
        call(0, first[20:]),
        call(1, second[9:]),
        piece({}, "tool_calls"),
        {"model": "s-1", "choices": [], "usage": usage},
    ]


CHUNKS = recorded()
BODY = sse(*CHUNKS)
WHOLE_AT = BODY.index(b'"finish_reason": "tool_calls"')
"""Before this the server has not said that the answer was complete."""


class Middle:
    """No backoff: what is tried again is tried at once."""

    def random(self) -> float:
        return 0.0


@dataclass
class Pair:
    """Two servers, one session; the first one gives what it is told to, the second one answers whole."""

    a: WireServer
    b: WireServer
    sessions: Sessions

    def router(self, *names: str, **more: float) -> Router:
        """A router that has seen nothing yet, so that no breaker keeps the first deployment from being asked."""
        servers = {"a": self.a, "b": self.b}
        held = {
            name: HttpDeployment(
                name,
                DeploymentSettings(
                    endpoint=servers[name].url, model="m", engine="vllm", **(more if name == "a" else {})
                ),
                sessions=self.sessions,
            )
            for name in names
        }
        return Router(RouterSettings(wait_s=0), deployments=held, randomness=Middle())

    async def ask(self, reply: Scripted, *names: str, **more: float) -> tuple[Generation, list[Delta]]:
        self.a.replies = deque([reply])
        deltas: list[Delta] = []
        return await self.router(*names, **more).generate(HI, on_delta=deltas.append), deltas


@asynccontextmanager
async def paired() -> AsyncIterator[Pair]:
    """Both servers, for as long as the context lasts."""
    sessions = Sessions()
    async with WireServer() as a, WireServer() as b:
        b.script(Scripted(body=BODY))
        yield Pair(a, b, sessions)
        await sessions.aclose()


def essence(message: Message) -> Any:
    """What a message says, ids aside."""
    calls = [(each["function"]["name"], json.loads(each["function"]["arguments"])) for each in message["tool_calls"]]
    thoughts = "".join(part["text"] for part in message["reasoning"])
    return message["role"], text_of(message), calls, thoughts


WHOLE = ("assistant", TEXT, CALLS, THOUGHT)


def check(found: Generation, deltas: list[Delta], where: object) -> None:
    """The answer is the whole one, and whoever watched has seen just that since the last reset."""
    message = found.message
    assert essence(message) == WHOLE, where
    assert len({each["id"] for each in message["tool_calls"]}) == 2, where
    resets = [at for at, delta in enumerate(deltas) if isinstance(delta, Reset)]
    assert len(resets) < len(found.attempts), where
    shown = deltas[resets[-1] + 1 :] if resets else deltas
    assert "".join(each.text for each in shown if isinstance(each, TextDelta)) == TEXT, where
    assert "".join(each.text for each in shown if isinstance(each, ReasoningDelta)) == THOUGHT, where
    for index, (name, arguments) in enumerate(CALLS):
        pieces = [each for each in shown if isinstance(each, ToolCallDelta) and each.index == index]
        assert [each.name for each in pieces if each.name] == [name], where
        assert json.loads("".join(each.arguments for each in pieces)) == arguments, where
    assert found.usage.input_tokens > 0, where
    assert found.usage.output_tokens > 0, where
    if found.deployment == "b":
        assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.cached_tokens) == (100, 20, 64), where
