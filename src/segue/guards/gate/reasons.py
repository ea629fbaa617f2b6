"""Reasons: what the gate found in, one plain sentence out that a person can act on."""

from __future__ import annotations

from segue.guards.gate.sinks import CALLED, Filled
from segue.guards.gate.values import Origin

_LONGEST = 120


def shown(value: object) -> str:
    """A value as it stands in a reason: short, and with what nobody sees made visible."""
    text = ascii(str(value)) if not str(value).isprintable() else repr(str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def came_from(origin: Origin | None) -> str:
    """Where a value was read."""
    if origin is None:
        return "was not read anywhere and is not in your words"
    tool, field = origin
    return f"comes from {f'the field {field} of ' if field else ''}the result of {tool}, which is not in your words"


def unfit(tool: str, filled: Filled) -> str:
    """A value that no level lets into its sink."""
    called = CALLED.get(filled.kind.partition(":")[0], "a value")
    if filled.unclear:
        return (
            f"{tool} would use {shown(filled.value)} as {filled.argument}, {called} that is one of several which "
            f"{_tool(filled)} gave for that name; say which one is meant"
        )
    return f"{tool} would use {shown(filled.value)} as {filled.argument}, {called} that {came_from(filled.origin)}"


def not_meant(tool: str, filled: Filled, wanted: str) -> str:
    """A value that is known, and is not the one that was said."""
    return (
        f"{tool} would use {shown(filled.value)} as {filled.argument}, which is known but is not what you asked for"
        + (f" ({wanted})" if wanted else "")
    )


def out_of_plan(tool: str, group: str, delegated: bool) -> str:
    """A tool that the plan does not hold."""
    what = f"{tool} is not part of what you asked for"
    if delegated:
        return f"{what} in your own words; a document may not order it, so it needs your approval"
    return f"{what} (the plan, made before anything was read, has no {group})"


def _tool(filled: Filled) -> str:
    return filled.origin[0] if filled.origin else "the lookup"
