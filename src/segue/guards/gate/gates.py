"""Gate: the tools of an agent, made ready for judging their calls. Tools in, sessions out.

It needs no agent, no model and no graph: whoever runs tool calls can ask it. In a run of Segue, `authorize` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

from segue.base.errors import UserError, names
from segue.base.principal import Principal
from segue.context.decisions import Allow, Decision
from segue.guards.gate.session import Session
from segue.tools.declaration import Declaration
from segue.tools.deriving import Derived, derive
from segue.tools.tool import Tool

Strictness = Literal["strict", "standard", "observe"]
"""`strict`: as declared. `standard`: the same once anything has been read that others could have written; before that,
no value can have been slipped in. `observe`: everything passes, and the reason says what would have been asked."""


@dataclass(frozen=True)
class Judged:
    """A tool as the gate knows it."""

    tool: Tool
    derived: Derived

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.name

    @cached_property
    def declared(self) -> Declaration:
        """All that is declared or derived; nothing in it is `None`."""
        return self.derived.declaration

    @cached_property
    def group(self) -> str:
        """The unit of plans that it is in."""
        return self.declared.group or self.name

    @cached_property
    def watched(self) -> tuple[str, ...]:
        """The arguments that are sinks, or hold one, or carry text out."""
        held = {path.partition(".")[0] for path in self.declared.sinks or ()} | set(self.declared.content or ())
        return tuple(sorted(held))

    @cached_property
    def leaves_home(self) -> bool:
        """Whether others may read what it is given."""
        return self.declared.reach == "out" or any(
            sink.kind.partition(":")[0] in ("address", "url", "account", "user", "channel", "auto")
            for sink in (self.declared.sinks or {}).values()
        )

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """Arguments whose text a user may give word by word."""
        held = self.tool.parameters.get("properties") or {}
        return tuple(str(name) for name in held if name not in (self.declared.sinks or {}))


class Gate:
    """The judge of the calls of some tools."""

    def __init__(self, tools: Iterable[Tool], *, policy: Strictness = "strict") -> None:
        """Make the tools ready.

        Raises:
            UserError: Two tools share a name, or there is no such policy.
        """
        if policy not in get_args(Strictness):
            raise UserError(f"no policy {policy!r} for the gate; there are {', '.join(get_args(Strictness))}")
        self.policy: Strictness = policy
        self.lenient = policy != "strict"
        self.tools: dict[str, Judged] = {}
        for tool in tools:
            if not isinstance(tool, Tool):
                raise UserError(
                    f"a gate judges tools, not {type(tool).__name__}.", way_out="Make one by @tool or tool_from_schema."
                )
            if tool.name in self.tools:
                raise UserError(f"two tools are named {tool.name!r}; a gate tells them apart by name")
            self.tools[tool.name] = Judged(tool, explain(tool))

    def begin(self, user_text: str | Iterable[str], *, principal: Principal | None = None) -> Session:
        """Begin a run: what the user said, and on whose behalf it acts."""
        texts = [user_text] if isinstance(user_text, str) else list(user_text)
        return Session(self, texts, principal)

    def resume(self, data: Mapping[str, Any]) -> Session:
        """A session out of what `Session.to_dict` gave."""
        return Session.from_dict(self, data)

    @property
    def groups(self) -> dict[str, list[str]]:
        """The groups that a plan can hold, with their tools; tools that only read need none."""
        out: dict[str, list[str]] = {}
        for each in self.tools.values():
            if each.declared.effect != "read":
                out.setdefault(each.group, []).append(each.name)
        return out

    def resolvers(self, kind: str) -> list[tuple[str, str]]:
        """The tools that confirm values of a kind, each with the argument that takes one.

        Where there are none, those that give a list of all, with an empty argument.
        """
        found = []
        for each in self.tools.values():
            wanted, needed = each.declared.resolver, list(each.tool.parameters.get("required") or ())
            if wanted and (kind == wanted or kind.partition(":")[0] == wanted) and len(needed) <= 1:
                found.append((each.name, str(needed[0]) if needed else ""))
        return [each for each in found if each[1]] or found

    def spoken(self, verdict: Decision) -> Decision:
        """A verdict as the policy lets it stand."""
        if self.policy == "observe" and not isinstance(verdict, Allow) and verdict.rule != "scopes":
            return Allow(f"only observed: {verdict.reason}", rule=verdict.rule)
        return verdict

    def __repr__(self) -> str:
        return f"Gate({names(self.tools)}, policy={self.policy!r})"


def explain(tool: Tool) -> Derived:
    """What the gate knows of a tool, and why."""
    found = derive(
        tool.name, tool.description, tool.parameters, declared=tool.declare, effect=tool.effect, trusted=tool.trusted
    )
    declared = found.declaration
    if declared.reach != tool.reach and tool.reach != "own":
        declared = replace(declared, reach=tool.reach)
    return Derived(declared, found.why)
