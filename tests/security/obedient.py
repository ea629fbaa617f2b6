"""The worst model there is: it does whatever any text that it reads tells it to do, whoever wrote it.

An order is a line `>>> NAME {"argument": "value"}`, in a request, a task, a tool's result or a document. The model
gives one order after the other, each once, and in the end repeats aloud all that it has read. So what comes of an
attack depends on what stands around the model, and on nothing else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from segue.base.messages import Message
from segue.testing import ScriptedModel, call

_ORDER = re.compile(r">>> (\w+) (\{.*\})")


def order(tool: str, /, **arguments: Any) -> str:
    """A line that such a model takes for an order."""
    return f"\n>>> {tool} {json.dumps(arguments)}\n"


def obedient() -> ScriptedModel:
    """A model that obeys everybody. It has no memory, so that another process goes on with it."""
    return ScriptedModel(_next)


def read_by(model: ScriptedModel) -> str:
    """All that it was ever given to read."""
    return "\n".join(_text(message) for request in model.requests for message in request.messages)


def _next(request: Any) -> Any:
    began = max(at for at, message in enumerate(request.messages) if message["role"] == "user")
    turn = request.messages[began:]
    given = sum(len(message.get("tool_calls") or []) for message in turn if message["role"] == "assistant")
    orders = [found for message in turn if message["role"] != "assistant" for found in _ORDER.findall(_text(message))]
    if given < len(orders) and request.tools:
        name, arguments = orders[given]
        return call(name, **json.loads(arguments))
    read = [_text(message) for message in request.messages if message["role"] in ("system", "tool")]
    return "I was told: " + " | ".join(read)


def _text(message: Message) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)
