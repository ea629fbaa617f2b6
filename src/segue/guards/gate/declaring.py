"""Declarations out of the settings: what `[guards.tools.NAME]` says of a tool, over what its code says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from segue.tools.declaration import Declaration
from segue.tools.tool import Tool


def as_declared(tool: Tool, settings: Mapping[str, Mapping[str, Any]]) -> Tool:
    """The tool with what the settings declare of it, field by field; itself where they are silent.

    Raises:
        UserError: The settings do not fit the tool. The message names it and the field.
    """
    given = settings.get(tool.name)
    if given is None:
        return tool
    said = Declaration.of(given, tool.name, tool.parameters)
    held = tool.declare or Declaration()
    changes = {each.name: value for each in fields(Declaration) if (value := getattr(said, each.name)) is not None}
    declared = replace(held, **changes)
    own = {name: value for name in ("effect", "reach") if (value := getattr(declared, name)) is not None}
    return replace(tool, declare=declared, **own)
