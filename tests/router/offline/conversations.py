"""Playing a case: a conversation with the model, its tool results and the person's answers taken from the case."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.base.messages import Message
from segue.router.offline import answer

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Played:
    """One message of the model, with what the case expects of it and what came before."""

    message: Message
    expected: dict[str, Any]
    before: list[dict[str, Any]]

    @property
    def calls(self) -> list[list[Any]]:
        """The tool calls as `[name, arguments]`."""
        return calls_of(self.message)

    @property
    def text(self) -> str:
        """The content of the message."""
        content = self.message["content"]
        assert isinstance(content, str)
        return content


def calls_of(message: Message) -> list[list[Any]]:
    """The tool calls of a message as `[name, arguments]`."""
    raw = message.get("tool_calls", [])
    return [[call["function"]["name"], json.loads(call["function"]["arguments"])] for call in raw]


def all_cases() -> list[tuple[str, list[dict[str, Any]], dict[str, Any]]]:
    """Every case as `(field and number, tools, case)`."""
    out = []
    for path in sorted(CASES.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        for number, case in enumerate(data["cases"], 1):
            out.append((f"{path.stem}-{number}", case.get("tools", data["tools"]), case))
    return out


def play(tools: list[dict[str, Any]], case: dict[str, Any]) -> Iterator[Played]:
    """Hold the conversation of a case, one message of the model at a time."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": case["system"]}] if case.get("system") else []
    say = list(case["say"])
    messages.append({"role": "user", "content": say.pop(0)})
    for expected in case["turns"]:
        message = answer(tools, list(messages), output_schema=case.get("output_schema"))
        yield Played(message, expected, list(messages))
        messages.append(dict(message))
        calls = message.get("tool_calls", [])
        for call, result in zip(calls, expected.get("results", ["ok"] * len(calls)), strict=False):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        if not calls and say:
            messages.append({"role": "user", "content": say.pop(0)})
