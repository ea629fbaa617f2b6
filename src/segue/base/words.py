"""Words: who wrote which text of a message, as its labels say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.base.messages import Message


def texts_by(message: Message) -> Iterator[tuple[str, str]]:
    """The texts of a message, part by part, each with the integrity of whoever wrote it."""
    whole = str((message.get("labels") or {}).get("integrity", "untrusted"))
    content = message.get("content")
    if isinstance(content, str):
        yield content, whole
    for part in content if isinstance(content, list) else ():
        if isinstance(text := part.get("text"), str):
            yield text, str((part.get("labels") or {}).get("integrity", whole))


def user_words(messages: Sequence[Message]) -> tuple[str, ...]:
    """What the user said in a conversation; nothing that a planner, a tool or another agent put in their place."""
    return tuple(
        text for message in messages if message["role"] == "user" for text, by in texts_by(message) if by == "user"
    )
