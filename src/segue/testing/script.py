"""A script: what a model says to whom, told by what it is asked alone.

A list of replies lives in one process: after a crash it would begin anew. A `Script` has no memory. It looks for the
newest message of the user in its lines, and gives the reply that comes after those which the model gave since.

    ScriptedModel(Script({"Refund order 1042.": [call("refund", order=1042), "Refunded."]}))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segue.base.errors import UserError
from segue.base.messages import text_of
from segue.router.types import GenerationRequest
from segue.testing.scripted import Scripted


class Script:
    """Replies by the request; a function for `ScriptedModel`."""

    def __init__(
        self, lines: Mapping[str, Sequence[Scripted]], *, otherwise: Scripted = "There is nothing to do."
    ) -> None:
        """Say the replies.

        Args:
            lines: What the newest message of the user holds, with the replies to it in their order; the first that
                fits is taken.
            otherwise: The reply where none fits.
        """
        self._lines = {key: list(replies) for key, replies in lines.items()}
        self._otherwise = otherwise

    def __call__(self, request: GenerationRequest) -> Any:
        """The reply.

        Raises:
            UserError: Its replies are all given, and the model is asked on.
        """
        said, asked = 0, ""
        for message in reversed(request.messages):
            if message["role"] == "user":
                asked = text_of(message)
                break
            said += message["role"] == "assistant"
        for key, replies in self._lines.items():
            if key in asked:
                return _reply(replies, said, key, request)
        return self._otherwise


def _reply(replies: Sequence[Scripted], said: int, key: str, request: GenerationRequest) -> Any:
    if said >= len(replies):
        last = text_of(request.messages[-1])[:200]
        raise UserError(f"the script for {key!r} has {len(replies)} replies, and is asked for one more; last: {last!r}")
    reply = replies[said]
    return reply(request) if callable(reply) else reply
