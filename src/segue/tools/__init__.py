"""What an agent may do: tools, toolsets, and the execution of tool calls.

In comes what a model asked for, out goes what it reads next. Where calls are checkpointed and when a run waits is
decided in `segue.graphs`.
"""

from segue.tools.asking_people import ask_person
from segue.tools.calls import ToolResult
from segue.tools.execution import execute_tool_calls
from segue.tools.tool import Tool, tool
from segue.tools.toolset import FunctionToolset, Toolset, as_toolset

__all__ = ["FunctionToolset", "Tool", "ToolResult", "Toolset", "as_toolset", "ask_person", "execute_tool_calls", "tool"]
