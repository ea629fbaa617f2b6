"""The gate: the judge of tool calls. A tool, its validated arguments and the run in; a verdict with its reason out.

A pure function: it looks at what was declared and at what the plan allows, never at what a model says of itself. Its
rules, in order: the effects that the plan gave to the task, the scopes of the principal, the tool's own approval
rule. The first that objects decides.
"""

from __future__ import annotations

from typing import Any

from segue.base.errors import names
from segue.context.decisions import Block, Decision
from segue.context.run import RunContext
from segue.tools.judging import own_rules
from segue.tools.tool import Tool


async def authorize(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """The gate as the port that `tools.execution` calls."""
    return gate(tool, arguments, ctx)


def gate(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """Judge one tool call."""
    if ctx.effects is not None and tool.effect not in ctx.effects:
        allowed = names(ctx.effects)
        return Block(f"the plan lets task {ctx.task_id} only {allowed}, and {tool.name} is {tool.effect}", rule="plan")
    return own_rules(tool, arguments, ctx)
