"""Going on with an answer that broke off, where it is text alone and its route allows it.

In: the request and what was shown of the broken answer. Out: a request for the rest of it, and the whole answer at the
end. The server that goes on must take the beginning of an answer: vLLM does
(https://docs.vllm.ai/en/stable/serving/openai_compatible_server.html, `continue_final_message`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from segue.base.messages import Message, enter
from segue.router.types import GenerationRequest, Reply

_GOES_ON: Mapping[str, Any] = {"continue_final_message": True, "add_generation_prompt": False}


class Cut(NamedTuple):
    """An answer that broke off."""

    text: str
    """What was shown of it."""
    why: str
    """Why it broke off."""


def may_go_on(request: GenerationRequest) -> bool:
    """Whether an answer to this may be gone on with: without tools and without a schema it is text alone."""
    return not request.tools and request.output_schema is None


def going_on(request: GenerationRequest, cut: Cut) -> GenerationRequest:
    """The request for the rest."""
    begun: Message = {"role": "assistant", "content": cut.text}
    cap = request.max_output_tokens
    return replace(
        request,
        messages=[*request.messages, begun],
        extra={**request.extra, **_GOES_ON},
        max_output_tokens=None if cap is None else max(1, cap - len(cut.text) // 4),
    )


def joined(cut: Cut, reply: Reply) -> Reply:
    """The whole answer."""
    message: Message = {**reply.message, "content": cut.text + str(reply.message.get("content") or "")}
    message.pop("tokens", None)
    return replace(reply, message=enter(message))
