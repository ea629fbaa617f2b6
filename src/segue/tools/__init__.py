"""What an agent may do: tools, toolsets, and the execution of tool calls.

In comes what a model asked for, out goes what it reads next. Where calls are checkpointed and when a run waits is
decided in `segue.graphs`.
"""

from typing import TYPE_CHECKING, Any

from segue.tools.calls import ToolResult
from segue.tools.declaration import Declaration
from segue.tools.execution import execute_tool_calls
from segue.tools.tool import Tool, tool
from segue.tools.toolset import FunctionToolset, Toolset, as_toolset

if TYPE_CHECKING:
    from segue.tools.asking_people import ask_person
    from segue.tools.foreign import tool_from_schema

__all__ = [
    "Declaration",
    "FunctionToolset",
    "Tool",
    "ToolResult",
    "Toolset",
    "as_toolset",
    "ask_person",
    "execute_tool_calls",
    "tool",
    "tool_from_schema",
]


def __getattr__(name: str) -> Any:
    """Ready-made and foreign tools, when they are first asked for: to make one loads what reads docstrings."""
    if name == "ask_person":
        from segue.tools import asking_people

        return asking_people.ask_person
    if name == "tool_from_schema":
        from segue.tools import foreign

        return foreign.tool_from_schema
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
