"""What a thread's open work is to an agent or a team as it is now: tool calls, approvals, rounds, plans.

A thread at rest has none of it: its old tool calls are history, and its plan is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from segue.base.messages import ToolCall, open_calls
from segue.graphs.fitting import short
from segue.graphs.specs import TeamSpec, WorkerSpec
from segue.graphs.stored import INTERRUPT, Stored
from segue.graphs.upgrade_flow import about_of
from segue.graphs.upgrade_joins import TaskNow
from segue.graphs.verdicts import Finding
from segue.tools.tool import Tool

_OWN_RULE = "wants a person's approval"
"""Ends the reason of a question that the tool's own rule put, not a rail."""
_KEEP = "Keep a tool of this name until the thread is done, or write a migration that changes the call in messages."


def agent_findings(graph: Any, held: Stored, now: Sequence[TaskNow]) -> Iterator[Finding]:
    """Everything that only agents and teams have."""
    about, state = about_of(graph), held.state
    running = {each.name: each for each in now if each.id not in held.outputs}
    for name, task in running.items():
        spec = about.get(name)
        if isinstance(spec, WorkerSpec):
            yield from _calls(spec, held, task)
    specs = [each for each in about.values() if isinstance(each, WorkerSpec)]
    if now and specs:
        yield from _rounds(specs, state)
    if now:
        yield from _plan(graph, about, held, running)
    yield from _leader(graph, about, state)


def _calls(spec: WorkerSpec, held: Stored, task: TaskNow) -> Iterator[Finding]:
    tools = {each.name: each for each in spec.toolset.tools()}
    asked = _asked(held, task)
    for call in open_calls(held.state.get("messages") or []):
        name = call["function"]["name"]
        if name not in tools:
            yield Finding(
                kind="needs migration",
                where=f"tool {name}",
                expected=f"one of its tools: {', '.join(tools) or 'none'}",
                found=f"a call of {name} that {'waits for approval' if call['id'] in asked else 'was not run yet'}",
                way_out=_KEEP,
            )
        else:
            reason = asked.get(call["id"])
            by_rail = bool(spec.rails) and reason is not None and not reason.endswith(_OWN_RULE)
            yield from _call(tools[name], call, reason is not None, by_rail)


def _asked(held: Stored, task: TaskNow) -> dict[str, str]:
    """The calls that a person was asked about, by id, each with why."""
    values = [value for channel, value in held.writes.get(task.id, ()) if channel == INTERRUPT]
    interrupts = [each for value in values for each in (value if isinstance(value, list | tuple) else [value])]
    requests = [each for held_ in interrupts if isinstance(held_.value, list) for each in held_.value]
    return {str(each.get("call_id")): str(each.get("reason")) for each in requests if isinstance(each, Mapping)}


def _call(tool: Tool, call: ToolCall, asked: bool, by_rail: bool) -> Iterator[Finding]:
    try:
        raw = json.loads(call["function"]["arguments"] or "{}")
        arguments = tool.validate(raw)
    except ValidationError as error:
        yield from _arguments(tool, error)
        return
    except (ValueError, AttributeError, TypeError, RecursionError):
        return  # what the model wrote is told back to it, before as after
    needs = tool.needs_approval(arguments)
    if asked and not needs and not by_rail:
        yield Finding(
            kind="breaks",
            where=f"tool {tool.name}",
            expected="no approval",
            found="a call that waits for one: it would run whatever the answer is",
            way_out="Have it answered before the change, or keep the approval.",
        )
    elif needs and not asked:
        yield Finding(
            kind="resumes",
            where=f"tool {tool.name}",
            expected="an approval",
            found="a call that nobody was asked about: a person is asked first now",
        )


def _arguments(tool: Tool, error: ValidationError) -> Iterator[Finding]:
    for item in error.errors(include_url=False):
        where = ".".join(str(part) for part in (tool.name, *item["loc"]))
        missing = item["type"] == "missing"
        yield Finding(
            kind="needs migration",
            where=f"tool {where}",
            expected=item["msg"],
            found="nothing" if missing else short(item["input"]),
            way_out="Give the argument a default, or write a migration that changes the call in messages.",
        )


def _rounds(specs: Sequence[WorkerSpec], state: Mapping[str, Any]) -> Iterator[Finding]:
    used, most = state.get("rounds") or 0, min(each.max_rounds for each in specs)
    if isinstance(used, int) and used >= most:
        yield Finding(
            kind="needs migration",
            where="channel rounds",
            expected=f"fewer than max_rounds={most}",
            found=f"{used} rounds: the run would be stopped as a loop",
            way_out="Raise max_rounds, or write a migration that sets rounds to 0.",
        )


def _plan(graph: Any, about: Mapping[str, Any], held: Stored, running: Mapping[str, TaskNow]) -> Iterator[Finding]:
    if not isinstance(about.get("dispatch"), TeamSpec):
        return
    sent = {each.sent["task"]["id"] for each in running.values() if _is_task(each.sent)}
    results = held.state.get("results") or {}
    for task in held.state.get("plan") or []:
        if task["id"] in results or task["id"] in sent or task["worker"] in graph.nodes:
            continue
        if any(_is_task(each.arg) and each.arg["task"]["id"] == task["id"] for each in held.sends):
            continue  # it was sent: the node that is gone has been told
        yield Finding(
            kind="needs migration",
            where=f"worker {task['worker']}",
            expected=f"a worker {task['worker']} for the task {task['id']} of the plan",
            found=f"the workers {', '.join(each.name for each in about['dispatch'].workers)}",
            way_out="Keep the worker until the run is done, or write a migration that changes the plan.",
        )


def _is_task(sent: Any) -> bool:
    return isinstance(sent, dict) and isinstance(sent.get("task"), dict)


def _leader(graph: Any, about: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[Finding]:
    active = state.get("active")
    if isinstance(active, str) and active and about and active not in graph.nodes:
        yield Finding(
            kind="needs migration",
            where="channel active",
            expected=f"one of the agents that take part: {', '.join(name for name in about if '.' not in name)}",
            found=f"a thread that {active} leads",
            way_out="Bring the agent back, or write a migration that names another one.",
        )
