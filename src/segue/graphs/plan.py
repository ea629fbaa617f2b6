"""A plan as data: what a planner's model wrote in, tasks that can be run in waves out.

The model hands its plan in as a call of one tool, `submit_plan`. A plan that does not hold together - a worker that
does not exist, a circle, a double id - is told back to the model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

SUBMIT_PLAN = "submit_plan"


class Task(TypedDict):
    """One item of a plan."""

    id: str
    worker: str
    task: str
    """What to do, in words."""
    depends_on: list[str]
    """Ids of tasks whose results it needs; they are handed to the worker."""
    effect: NotRequired[str]
    """`read` where the planner says that it only reads: the gate holds it to that."""


class TaskResult(TypedDict):
    """What a worker made of a task."""

    id: str
    worker: str
    task: str
    failed: bool
    text: str
    """The worker's answer, or why there is none."""


class PlanInvalid(ValueError):
    """The plan does not hold together; the message is for the model."""


def plan_schema(workers: Mapping[str, str], *, max_tasks: int) -> dict[str, Any]:
    """The schema of `submit_plan`: `workers` maps each worker's name to what it does."""
    described = "\n".join(f"- {name}: {text}" for name, text in workers.items())
    task = {
        "type": "object",
        "properties": {
            "id": {
                "type": "string",
                "description": "A short id, such as t1; unique over all plans of the request.",
            },
            "worker": {"type": "string", "enum": list(workers), "description": f"Who does it:\n{described}"},
            "task": {
                "type": "string",
                "description": "What to do, complete in itself: its worker sees this text and the results it needs.",
            },
            "depends_on": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Ids of tasks whose results this one needs; tasks without any run together.",
            },
            "effect": {
                "type": "string",
                "enum": ["read", "write"],
                "description": "read where the task only looks things up: it is then held to that. Left out: not said.",
            },
        },
        "required": ["id", "worker", "task", "depends_on"],
        "additionalProperties": False,
    }
    parameters = {
        "type": "object",
        "properties": {"tasks": {"type": "array", "items": task, "minItems": 1, "maxItems": max_tasks}},
        "required": ["tasks"],
        "additionalProperties": False,
    }
    description = "Hand in the plan: the tasks that together answer the request, each for one worker."
    return {
        "type": "function",
        "function": {"name": SUBMIT_PLAN, "description": description, "parameters": parameters},
    }


def read_plan(arguments: str, workers: Sequence[str], done: Mapping[str, bool], *, max_tasks: int) -> list[Task]:
    """The tasks of a call of `submit_plan`; `done` are the tasks before them in this run, and whether each failed.

    Raises:
        PlanInvalid: It does not hold together; the message says all that is wrong.
    """
    try:
        items = json.loads(arguments)["tasks"]
        tasks = [_task(item) for item in items]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PlanInvalid(
            f"submit_plan takes {{tasks: [{{id, worker, task, depends_on}}]}}; this does not read so: {error}"
        ) from None
    wrong = list(_faults(tasks, workers, done, max_tasks))
    if wrong:
        raise PlanInvalid("; ".join(wrong))
    return tasks


def _task(item: Any) -> Task:
    depends = item.get("depends_on") or []
    if isinstance(depends, str):
        depends = [depends]
    if not isinstance(item["task"], str) or not item["task"].strip():
        raise ValueError("a task without a text")
    task: Task = {
        "id": str(item["id"]),
        "worker": str(item["worker"]),
        "task": item["task"],
        "depends_on": [str(each) for each in depends],
    }
    if item.get("effect") in ("read", "write"):
        task["effect"] = item["effect"]
    return task


def _faults(tasks: Sequence[Task], workers: Sequence[str], done: Mapping[str, bool], max_tasks: int) -> list[str]:
    wrong: list[str] = []
    ids = [task["id"] for task in tasks]
    if not tasks:
        wrong.append("the plan has no task")
    if len(tasks) > max_tasks:
        wrong.append(f"the plan has {len(tasks)} tasks, at most {max_tasks} are allowed")
    wrong += [f"the id {each!r} is used twice" for each in sorted({each for each in ids if ids.count(each) > 1})]
    wrong += [f"the id {each!r} was used by an earlier plan" for each in ids if each in done]
    for task in tasks:
        if task["worker"] not in workers:
            wrong.append(f"task {task['id']!r}: no worker named {task['worker']!r}; there are {', '.join(workers)}")
        for needed in task["depends_on"]:
            if needed not in ids and needed not in done:
                wrong.append(f"task {task['id']!r} depends on {needed!r}, which is no task")
            elif done.get(needed):
                wrong.append(f"task {task['id']!r} depends on {needed!r}, which failed")
    if not wrong and (circle := _circle(tasks)):
        wrong.append(f"the tasks {', '.join(circle)} wait for each other")
    return wrong


def _circle(tasks: Sequence[Task]) -> list[str]:
    """The ids that can never start."""
    left = {task["id"]: set(task["depends_on"]) for task in tasks}
    while free := [each for each, needs in left.items() if not needs & left.keys()]:
        for each in free:
            del left[each]
    return sorted(left)


def next_wave(plan: Sequence[Task], results: Mapping[str, TaskResult]) -> list[Task]:
    """The tasks that can run now: not done, and everything that they depend on went well."""
    return [
        task
        for task in plan
        if task["id"] not in results
        and all(needed in results and not results[needed]["failed"] for needed in task["depends_on"])
    ]


def blocked(plan: Sequence[Task], results: Mapping[str, TaskResult]) -> list[TaskResult]:
    """Results for the tasks that can never run, since something that they depend on failed."""
    out: dict[str, TaskResult] = {}
    while True:
        known = {**results, **out}
        new = [
            task
            for task in plan
            if task["id"] not in known
            and any(known[needed]["failed"] for needed in task["depends_on"] if needed in known)
        ]
        if not new:
            return list(out.values())
        for task in new:
            failed = next(needed for needed in task["depends_on"] if needed in known and known[needed]["failed"])
            out[task["id"]] = {
                "id": task["id"],
                "worker": task["worker"],
                "task": task["task"],
                "failed": True,
                "text": f"error: not done, since task {failed} failed",
            }


def as_text(results: Sequence[TaskResult]) -> str:
    """Results as the planner's model reads them; each worker's text stands unaltered."""
    return "\n\n".join(f"## {_head(result)}\n\n{result['text']}" for result in results)


def _head(result: TaskResult) -> str:
    failed = ", failed" if result["failed"] else ""
    return f"{result['id']} ({result['worker']}{failed}): {result['task']}"
