"""Plans: a request as a list of tasks for workers, where a schema asks for one.

Goes in: a schema with an array of objects that hold a text in the person's words and a choice of who does it; the
parts of a request. Comes out: one item a part, with its worker, its id and what it waits for. The text of a task is
the clause as written, with its condition; who decides the condition is the worker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segue.router.offline.check import fits
from segue.router.offline.clauses import Part, split_request
from segue.router.offline.history import Conversation
from segue.router.offline.schema import Leaf, Schema, Tool, leaves_of
from segue.router.offline.select import Index
from segue.router.offline.view import view_of
from segue.router.offline.words import word_set

_TASK_WORDS = word_set(
    "task instruction instructions description goal text prompt objective request input what details brief todo "
    "work question query message"
)
_AFTER_WORDS = word_set("depends after needs dependencies requires dependency prerequisites waits blocked")
_POINTS_BACK = re.compile(
    r"\b(?:it|its|them|they|their|those|these|him|his|her|this|that (?!is\b|are\b|we\b|i\b|you\b|the\b|it\b)\w+"
    r"|the (?:results?|rows|table|figures|numbers|output|answer|findings|data)|same)\b(?!['\u2019]s)|\bthat[.!?]?$",
    re.I,
)
_FLOOR = 0.2


@dataclass(frozen=True)
class PlanShape:
    """Where a schema wants the tasks and what each field of a task is."""

    tasks: Leaf
    text: Leaf
    worker: Leaf
    id: Leaf | None
    after: Leaf | None
    workers: tuple[Tool, ...]
    """Each worker as a tool without parameters: its name and what the schema says of it."""


@dataclass(frozen=True)
class Plan:
    """The tasks of one request."""

    items: list[dict[str, Any]]
    left_out: list[str]
    """Clauses that no worker fits."""
    forbidden: list[str]
    """Clauses that the person says not to do."""


def plan_shape(parameters: Schema, told: Sequence[str] = ()) -> PlanShape | None:
    """How a schema wants a plan, or `None` where it wants none; `told` are more texts that may describe the workers."""
    for tasks in leaves_of(parameters):
        fields: tuple[Leaf, ...] = tasks.schema.get("item_leaves") or ()
        worker = next((f for f in fields if f.needed and _choices(f)), None)
        text = next(
            (
                f
                for f in fields
                if f.needed and f.kind == "string" and f.raw_words & _TASK_WORDS and f is not worker and not _choices(f)
            ),
            None,
        )
        if worker is None or text is None or not (tasks.required or len(leaves_of(parameters)) == 1):
            continue
        ident = next(
            (f for f in fields if f.raw_words & {"id", "key", "step"} and f.kind in ("string", "integer")), None
        )
        after = next((f for f in fields if f.kind == "array" and f.raw_words & _AFTER_WORDS), None)
        if any(f.needed and f not in (worker, text, ident, after) and f.kind != "string" for f in fields):
            continue
        notes = [
            worker.schema.get("description"),
            tasks.schema["items"].get("description"),
            tasks.schema.get("description"),
            parameters.get("description"),
            *told,
        ]
        workers = _workers(worker, [note for note in notes if isinstance(note, str)])
        return PlanShape(tasks, text, worker, ident, after, workers)
    return None


def _choices(leaf: Leaf) -> list[str]:
    choices = leaf.schema.get("enum", [leaf.schema["const"]] if "const" in leaf.schema else [])
    return [choice for choice in choices if isinstance(choice, str)] if isinstance(choices, list) else []


def _workers(worker: Leaf, notes: Sequence[str]) -> tuple[Tool, ...]:
    said: dict[str, str] = dict(worker.schema.get("notes", {}))
    for name in _choices(worker):
        line = re.compile(
            rf"^\s*(?:[-*•]\s*)?[`\"*]*{re.escape(name)}[`\"*]*\s*(?:\([^)]*\))?\s*[:—\u2013=-]+\s*(.+)$", re.M
        )
        inline = re.compile(rf"(?:^|[;,.(]\s*)[`\"*]*{re.escape(name)}[`\"*]*\s*[:=—\u2013]\s*([^;\n]+)")
        for note in notes:
            found = line.search(note) or inline.search(note)
            if found and not said.get(name):
                said[name] = found[1]
    return tuple(Tool(name, said.get(name, ""), {}, ()) for name in _choices(worker))


def make_plan(shape: PlanShape, talk: Conversation) -> Plan:
    """The tasks of the request that is being worked on; no items where no worker fits any part."""
    index = Index(shape.workers, effects=False)
    parts = split_request(talk.request, index, talk.today)
    plan = Plan([], [], [part.text for part in parts if part.negated])
    names: list[tuple[str, int]] = []
    group, waits_for = 0, -1
    previous = ""
    for part in parts:
        if part.negated:
            continue
        if part.then and names:
            waits_for, group = group, group + 1
        points = bool(names) and bool(_POINTS_BACK.search(part.clause))
        worker = _worker_for(part, index, shape, previous if points else "")
        if not worker:
            plan.left_out.append(part.text)
            continue
        name = f"t{len(names) + 1}"
        after = [n for n, g in names if part.then and g == waits_for] or (
            [n for n, g in names if g == waits_for] if group else []
        )
        if points and names[-1][0] not in after:
            after.append(names[-1][0])
        plan.items.append(_item(shape, _task_text(part), worker, name, after))
        names.append((name, group))
        previous = worker
    return plan


def _worker_for(part: Part, index: Index, shape: PlanShape, previous: str) -> str:
    if len(shape.workers) == 1:
        return shape.workers[0].name
    matches = index.matches(view_of(part.clause))
    if not matches and part.condition:
        matches = index.matches(view_of(part.text))
    return matches[0].tool.name if matches and matches[0].score >= _FLOOR else previous


def _task_text(part: Part) -> str:
    own = {m.text for m in view_of(part.clause).mentions}
    points = bool(_POINTS_BACK.search(part.clause))
    if part.context and (points or (part.context.endswith(",") and not own)):
        return f"{part.context} {part.text}"
    return part.text


def _item(shape: PlanShape, text: str, worker: str, name: str, after: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {shape.text.name: text, shape.worker.name: worker}
    numbered = shape.id is not None and shape.id.kind == "integer"
    if shape.id is not None:
        values[shape.id.name] = int(name[1:]) if numbered else name
    if shape.after is not None and (after or shape.after.needed):
        numeric = numbered or shape.after.schema["items"].get("type") == "integer"
        values[shape.after.name] = [int(n[1:]) for n in after] if numeric else after
    order = [leaf.name for leaf in shape.tasks.schema["item_leaves"]]
    for leaf in shape.tasks.schema["item_leaves"]:
        if leaf.needed and leaf.name not in values and fits(text, leaf.schema):
            values[leaf.name] = text
    return {key: values[key] for key in order if key in values}


def plan_arguments(shape: PlanShape, parameters: Schema, plan: Plan, request: str) -> dict[str, Any]:
    """A plan as the schema's object; another required text beside the tasks takes the request as written."""
    out: dict[str, Any] = {}
    for leaf in leaves_of(parameters):
        if leaf.path == shape.tasks.path:
            out[leaf.name] = plan.items
        elif "const" in leaf.schema and leaf.required:
            out[leaf.name] = leaf.schema["const"]
        elif leaf.required and leaf.kind == "string" and len(leaf.path) == 1 and fits(request, leaf.schema):
            out[leaf.name] = request
        elif leaf.null_if_absent and len(leaf.path) == 1:
            out[leaf.name] = None
    return out
