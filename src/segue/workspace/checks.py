"""What is checked before a run is started: its request, and the place for its data."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segue.base.errors import BadInput
from segue.base.messages import Message, coerce


def request_of(request: Any) -> list[Message]:
    """The messages of a request.

    Raises:
        BadInput: It is empty, or no message.
    """
    items: Sequence[Any] = request if isinstance(request, list) else [request]
    messages = [coerce(item) for item in items]
    if not messages or not any(message.get("content") for message in messages):
        raise BadInput("a run needs a request: text, a message, or a list of messages")
    return messages


def writable(wanted: Path) -> Path:
    """The folder, made; where it cannot be written, a temporary one, since a run must not fail for its trace."""
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        held = Path(tempfile.mkdtemp(prefix="segue-"))
        logging.getLogger("segue").warning("%s cannot be written (%s); data goes to %s", wanted, error.strerror, held)
        return held
