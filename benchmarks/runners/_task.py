"""The task that all runners have in common: what is asked, of whom, and with which tool."""

from __future__ import annotations

INSTRUCTIONS = "You add numbers with the tool."
REQUEST = "add up"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two integers.",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
                "required": ["a", "b"],
                "additionalProperties": False,
            },
        },
    }
]


def add(a: int, b: int) -> int:
    """Add two integers."""
    return a + b


def beginning() -> list[dict]:
    """The messages of a new run."""
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": REQUEST}]


def results(calls: list[dict], loads) -> list[dict]:
    """The results of tool calls as messages; `loads` reads their arguments."""
    return [
        {"role": "tool", "tool_call_id": call["id"], "content": str(add(**loads(call["function"]["arguments"])))}
        for call in calls
    ]
