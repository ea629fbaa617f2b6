"""One judgement: a session, a tool and its arguments in; allow, ask or block with the reason out.

The rules, in order, of which the first that objects decides: the tool and its arguments exist, the caller's scopes, the
plan, characters that nobody sees, the sinks with their pins, titles, the amount, and what outgoing text holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from segue.base.errors import names
from segue.context.decisions import Allow, Ask, Block, Decision
from segue.guards.gate.content import foreign, texts
from segue.guards.gate.looks import hides, number
from segue.guards.gate.pins import Pin, meant
from segue.guards.gate.reasons import came_from, not_meant, out_of_plan, shown, unfit
from segue.guards.gate.sinks import CALLED, Filled, allowed, fill, imitates, leaves
from segue.tools.declaration import Sink

if TYPE_CHECKING:
    from segue.guards.gate.gates import Judged
    from segue.guards.gate.session import Session

Calls = Sequence[tuple[str, Mapping[str, Any]]]
HEADROOM = 1.2
"""An amount may be so many times the largest one known."""


def judged(session: Session, tool_name: str, arguments: Mapping[str, Any], beside: Calls = ()) -> Decision:
    """Judge one tool call."""
    tool = session.gate.tools.get(tool_name)
    if tool is None:
        return Block(f"there is no tool {shown(tool_name)}; there are {names(session.gate.tools)}", rule="tool")
    if not isinstance(arguments, Mapping):
        return Block(f"the arguments of {tool.name} are an object, not {type(arguments).__name__}", rule="arguments")
    objection = (
        _known(tool, arguments)
        or _scopes(session, tool)
        or _planned(session, tool)
        or _hidden(tool, arguments)
        or _sinks(session, tool, arguments)
        or _titles(session, tool, arguments)
        or _amount(session, tool, arguments, beside)
        or _content(session, tool, arguments)
    )
    if objection is not None:
        return objection
    if tool.declared.effect == "read":
        return Allow(f"{tool.name} only reads", rule="effect")
    return Allow(f"{tool.name} does what was asked for, with values that you named or that are known", rule="gate")


def unsettled(session: Session, tool_name: str, arguments: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The resolvers' calls that may settle a call."""
    tool = session.gate.tools.get(tool_name)
    if tool is None or not isinstance(arguments, Mapping):
        return []
    out: list[tuple[str, dict[str, Any]]] = []
    for filled, sink in _filled(session, tool, arguments):
        if "resolved" not in sink.levels or allowed(filled, sink) or filled.hidden:
            continue
        for name, argument in session.gate.resolvers(filled.kind):
            call = (name, {argument: filled.value} if argument else {})
            if call not in out:
                out.append(call)
    return out


def _known(tool: Judged, arguments: Mapping[str, Any]) -> Decision | None:
    schema = tool.tool.parameters
    held = schema.get("properties") or {}
    strange = [name for name in arguments if name not in held]
    if not strange or not held or schema.get("additionalProperties"):
        return None
    return Block(
        f"{tool.name} has no argument {shown(strange[0])}; its arguments are {', '.join(map(str, held))}",
        rule="arguments",
    )


def _scopes(session: Session, tool: Judged) -> Decision | None:
    if session.principal is None or "*" in session.principal.scopes:
        return None
    missing = tool.tool.scopes - session.principal.scopes
    return Block(f"{session.principal.user} lacks the scope {names(missing)}", rule="scopes") if missing else None


def _planned(session: Session, tool: Judged) -> Decision | None:
    plan = session.planned
    group = tool.group
    if plan is None or tool.declared.effect == "read" or group in plan.groups:
        return None
    return Ask(out_of_plan(tool.name, group, plan.delegated), rule="plan")


def _hidden(tool: Judged, arguments: Mapping[str, Any]) -> Decision | None:
    for name, text in texts(arguments, tool.watched):
        if hides(text):
            return Block(
                f"{tool.name} would use {shown(text)} as {name}, which holds characters that nobody sees", rule="hidden"
            )
    return None


def _filled(session: Session, tool: Judged, arguments: Mapping[str, Any]) -> list[tuple[Filled, Sink]]:
    return [
        (fill(path, value, sink, session.values, session.said), sink)
        for path, sink in (tool.declared.sinks or {}).items()
        for value in leaves(arguments, path)
    ]


def _sinks(session: Session, tool: Judged, arguments: Mapping[str, Any]) -> Decision | None:
    plan = session.planned
    for filled, sink in _filled(session, tool, arguments):
        pin = plan.pins.get(f"{tool.name}.{filled.argument}") if plan else None
        if pin is not None and (pin.values or pin.like) and pin.holds(filled):
            continue  # the plan step wrote this very value
        if not allowed(filled, sink) or (plan and plan.delegated and _only_source(filled, tool)):
            if session.gate.lenient and not session.values.tainted and filled.origin is None:
                continue
            if copied := imitates(filled, session.values, session.said):
                called = CALLED.get(filled.kind.partition(":")[0], "a value")
                return Block(
                    f"{tool.name} would use {shown(filled.value)} as {filled.argument}, {called} that looks like "
                    f"{shown(copied)} and is another one",
                    rule="lookalike",
                )
            return Ask(unfit(tool.name, filled), rule="sink")
        if pin is not None and not pin.holds(filled):
            return Ask(not_meant(tool.name, filled, pin.wants()), rule="pin")
        if pin is None and plan and plan.from_text and tool.declared.effect != "read":
            part = plan.part(tool.group, session.said)
            if not meant(filled, sink, session.said, part, session.values.named):
                return Ask(not_meant(tool.name, filled, "you named another one"), rule="pin")
    return None


def _only_source(filled: Filled, tool: Judged) -> bool:
    """Whether nothing but a document says where a write of a delegated request goes."""
    far = filled.kind.partition(":")[0] in ("address", "account", "url", "secret", "auto")
    return far and tool.declared.effect != "read" and not filled.levels - {"source", "member"}


def _titles(session: Session, tool: Judged, arguments: Mapping[str, Any]) -> Decision | None:
    plan = session.planned
    if plan is None or tool.declared.effect == "read":
        return None
    for name, pin in plan.worded(tool, session.said).items():
        for value in leaves(arguments, name):
            text = str(value)
            filled = fill(name, value, Sink("text", ("user", "trusted")), session.values, session.said)
            if not (pin.reads(text) if _form_only(pin) else pin.holds(filled)):
                return Ask(
                    f"{tool.name} would use {shown(text)} as {name}, and you asked for {pin.wants()}", rule="pin"
                )
    return None


def _form_only(pin: Pin) -> bool:
    return bool(pin.like) and not (pin.user or pin.lookups or pin.values)


def _amount(session: Session, tool: Judged, arguments: Mapping[str, Any], beside: Calls) -> Decision | None:
    name = tool.declared.amount_cap
    if not name or arguments.get(name) is None:
        return None
    amount = number(arguments[name])
    if amount is None:
        return Ask(f"{tool.name} has {shown(arguments[name])} as {name}, which is no amount", rule="amount")
    said, usual = session.said.numbers, HEADROOM * session.values.largest
    if named := session.sums(tool.group):
        usual, said = max(named), named
    moved = session.moved(beside).get(tool.group, 0.0)
    most = max(usual, sum(said))
    known = f"the most that you named or that is usual is {usual:g}"
    if abs(amount) > usual and abs(amount) not in said:
        return Ask(f"{tool.name} has {shown(arguments[name])} as {name}, and {known}", rule="amount")
    if moved + abs(amount) > most * (1 + 1e-9):
        known = f"over the {most:g} that you named or that is usual"
        return Ask(
            f"{tool.name} would bring what this run moves to {moved + abs(amount):g}, {known}",
            rule="amount",
        )
    return None


def _content(session: Session, tool: Judged, arguments: Mapping[str, Any]) -> Decision | None:
    for name, text in texts(arguments, tool.declared.content or ()):
        if found := foreign(text, session.values, session.said):
            kind, key, origin = found
            called = CALLED.get(kind, "a value")
            return Ask(
                f"{tool.name} would send out {shown(key)} in {name}, {called} that {came_from(origin)}", rule="content"
            )
        if tool.leaves_home and (source := session.secrets.find(text, session.said)):
            return Ask(
                f"{tool.name} would send out in {name} what the field {source[1] or 'of no name'} of {source[0]} gave, "
                "which is confidential",
                rule="confidential",
            )
    return None
