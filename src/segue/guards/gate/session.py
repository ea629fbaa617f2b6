"""A session of the gate: what one run's user said, what was read since, and the verdicts on its tool calls.

    session = Gate(tools).begin("Send the minutes to anna@example.com")
    session.plan_from_text()
    session.judge("send_email", {"to": ["anna@example.com"], "body": "…"})      # Allow | Ask | Block
    session.seen("read_file", {"path": "minutes.txt"}, "…")

A judgement is a pure function of the session, the tool and the arguments. What a session holds is plain data.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from segue.base.errors import UserError
from segue.base.principal import Principal
from segue.context.decisions import Ask, Decision
from segue.guards.gate.content import Secrets
from segue.guards.gate.judgement import judged, unsettled
from segue.guards.gate.looks import number, sums
from segue.guards.gate.pins import Pin, titles_said
from segue.guards.gate.planning import Known as Plannable
from segue.guards.gate.planning import Proposed, delegates, propose
from segue.guards.gate.said import Said
from segue.guards.gate.seeing import see
from segue.guards.gate.values import Values
from segue.tools.declaration import Declaration

if TYPE_CHECKING:
    from segue.guards.gate.gates import Gate, Judged


@dataclass
class Plan:
    """What a run may do beyond reading."""

    groups: frozenset[str]
    pins: dict[str, Pin] = field(default_factory=dict)
    """By `tool.argument`."""
    from_text: bool = True
    """Whether the user's own words pin arguments, too."""
    delegated: bool = False
    """Whether the user left it to a document to say what to do."""
    parts: dict[str, str] = field(default_factory=dict)
    """By group: the part of the request that asks for it."""
    why: dict[str, str] = field(default_factory=dict)
    """By group: the words that asked for it, where the plan was read out of the request."""

    read_out: dict[str, dict[str, Pin]] = field(default_factory=dict, repr=False, compare=False)
    """By tool: the pins of arguments that are no sinks, once they have been read out of the request."""

    def part(self, group: str, said: Said) -> str:
        """The part of the request that asks for a group; all of it where none does."""
        return self.parts.get(group) or "\n".join(said.texts)

    def worded(self, tool: Judged, said: Said) -> dict[str, Pin]:
        """The pins of a tool's arguments that are no sinks: those given, and titles that the user gave in quotes."""
        found = self.read_out.get(tool.name)
        if found is None:
            start, sinks = f"{tool.name}.", tool.declared.sinks or {}
            found = {name[len(start) :]: pin for name, pin in self.pins.items() if name.startswith(start)}
            found = {name: pin for name, pin in found.items() if name not in sinks}
            if self.from_text and not delegates(part := self.part(tool.group, said)):
                found = {**titles_said(tool.titles, part), **found}
            self.read_out[tool.name] = found
        return found


class Session:
    """The gate, for one run."""

    def __init__(self, gate: Gate, texts: Iterable[str], principal: Principal | None = None) -> None:
        self.gate = gate
        self.said = Said(texts)
        self.values = Values()
        self.secrets = Secrets()
        self.principal = principal
        self.planned: Plan | None = None
        self.spent: dict[str, float] = {}
        """What calls have moved, by group."""
        self._sums: dict[str, list[float]] = {}

    def says(self, text: str) -> None:
        """The user says more, in a later turn."""
        self.said.add(text)
        self._sums.clear()
        if self.planned is not None:
            self.planned.read_out.clear()

    def plan(self, groups: Iterable[str], pins: Mapping[str, Any] | None = None, *, from_text: bool = True) -> Plan:
        """Fix what the run may do. To be called before anything that others wrote is read.

        Args:
            groups: Of tools that write; the name of a tool stands for its group.
            pins: `{"tool.argument": pin}`, where a pin is `"user"` (only what stands in the user's words), the name of
                a tool (only what that lookup gave), `{"value": …}`, `{"like": "Invoice {number}"}`, or a list of them.
            from_text: Whether what the user named pins arguments as well: the addresses, names and titles in their
                words.

        Raises:
            UserError: A group or an argument does not exist.
        """
        known = self.gate.tools
        groups = [groups] if isinstance(groups, str) else list(groups)
        held = {each.group for each in known.values()}
        for each in groups:
            if each not in held and each not in known:
                raise UserError(f"no group {each!r}; the groups are {', '.join(sorted(held))}")
        made = {name: Pin.of(given, self._argument(name)) for name, given in (pins or {}).items()}
        found = self._read()
        fixed = frozenset(known[each].group if each in known else each for each in groups)
        parts = {group: part for group, part in found.parts.items() if group in fixed}
        self.planned = Plan(fixed, made, from_text, found.delegated, parts)
        self._sums.clear()
        return self.planned

    def plan_from_text(self, pins: Mapping[str, Any] | None = None) -> Plan:
        """Make the plan out of the user's own words and the tools, without a model, and fix it."""
        found = self._read()
        made = self.plan(found.why, pins)
        made.why = dict(found.why)
        return made

    def _read(self) -> Proposed:
        return propose(self.said.texts, [Plannable(each.name, each.declared) for each in self.gate.tools.values()])

    def judge(
        self, tool_name: str, arguments: Mapping[str, Any], *, beside: Sequence[tuple[str, Mapping[str, Any]]] = ()
    ) -> Decision:
        """Allow, ask or block one tool call, with the reason.

        Args:
            tool_name: As the model wrote it.
            arguments: As JSON data.
            beside: Calls that were let pass and have no result yet; what they move counts as moved.
        """
        return self.gate.spoken(judged(self, tool_name, arguments, beside))

    def seen(self, tool_name: str, arguments: Mapping[str, Any], result: Any) -> None:
        """Take in what a call returned, before the next call is judged."""
        tool = self.gate.tools.get(tool_name)
        if tool is None:
            self.heard(result, tool_name)
            return
        arguments = arguments if isinstance(arguments, Mapping) else {}
        see(self.values, tool.name, tool.declared, arguments, result, self.said)
        if tool.declared.confidential:
            self.secrets.see(tool.name, result)
        self._spend(self.spent, tool_name, arguments)

    def heard(self, result: Any, source: str) -> None:
        """Take in text of no tool of this run - a worker's message, a memory, a document - as written by anybody."""
        see(self.values, source, Declaration(returns={}), {}, result, self.said)

    def lookups(self, tool_name: str, arguments: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The resolvers' calls that may settle this call: for ids and names that were not looked up."""
        return unsettled(self, tool_name, arguments)

    async def decide(self, tool_name: str, arguments: Mapping[str, Any]) -> Decision:
        """Judge a call; where it would be asked about, first run the resolvers that may settle it."""
        verdict = self.judge(tool_name, arguments)
        if not isinstance(verdict, Ask):
            return verdict
        for name, given in self.lookups(tool_name, arguments):
            try:
                result = self.gate.tools[name].tool.fn(**given)
                self.seen(name, given, await result if inspect.isawaitable(result) else result)
            except Exception:
                continue  # it knows nothing of it
        return self.judge(tool_name, arguments)

    def sums(self, group: str) -> list[float]:
        """The sums of money that the user named in the part of the request that asks for a group."""
        found = self._sums.get(group)
        if found is None:
            part = self.planned.part(group, self.said) if self.planned else "\n".join(self.said.texts)
            found = self._sums[group] = sums(part)
        return found

    def moved(self, beside: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, float]:
        """What calls have moved by group, together with those that have no result yet."""
        if not beside:
            return self.spent
        out = dict(self.spent)
        for name, given in beside:
            self._spend(out, name, given)
        return out

    def _spend(self, spent: dict[str, float], tool_name: str, arguments: Mapping[str, Any]) -> None:
        tool = self.gate.tools.get(tool_name)
        if tool is not None and tool.declared.amount_cap and isinstance(arguments, Mapping):
            group = tool.group
            spent[group] = spent.get(group, 0.0) + abs(number(arguments.get(tool.declared.amount_cap)) or 0.0)

    def _argument(self, name: str) -> str:
        tool, _, argument = name.partition(".")
        if tool not in self.gate.tools:
            raise UserError(f"the pin {name!r} names no tool; the tools are {', '.join(sorted(self.gate.tools))}")
        held = self.gate.tools[tool].tool.parameters.get("properties", {})
        if argument.partition(".")[0] not in held:
            raise UserError(f"the pin {name!r} names no argument; those of {tool} are {', '.join(held) or 'none'}")
        return name

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a checkpoint; `Gate.resume` makes a session of it again."""
        plan = self.planned
        return {
            "texts": self.said.texts,
            "values": self.values.to_dict(),
            "secrets": self.secrets.to_dict(),
            "spent": self.spent,
            "principal": None if self.principal is None else [
                self.principal.tenant, self.principal.user, sorted(self.principal.scopes)],
            "plan": None if plan is None else {
                "groups": sorted(plan.groups), "pins": {key: pin.to_dict() for key, pin in plan.pins.items()},
                "from_text": plan.from_text, "delegated": plan.delegated, "why": plan.why,
                "parts": plan.parts},
        }  # fmt: skip

    @classmethod
    def from_dict(cls, gate: Gate, data: Mapping[str, Any]) -> Session:
        """The inverse of `to_dict`, over the same tools."""
        who, plan = data["principal"], data["plan"]
        out = cls(gate, data["texts"], Principal(*who) if who else None)
        out.values, out.secrets = Values.from_dict(data["values"]), Secrets.from_dict(data["secrets"])
        out.spent = dict(data["spent"])
        if plan is not None:
            pins = {key: Pin.from_dict(held) for key, held in plan["pins"].items()}
            more = (plan["from_text"], plan["delegated"], dict(plan["parts"]), dict(plan["why"]))
            out.planned = Plan(frozenset(plan["groups"]), pins, *more)
        return out
