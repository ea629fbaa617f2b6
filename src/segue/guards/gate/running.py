"""The gate in a run: a tool, its validated arguments and the run in; a verdict with its reason out.

It looks at what was declared, at what the plan allows and at the labelled messages of the run, never at what a model
says of itself. The rules, in order, of which the first that objects decides: the effects that the plan gave to the
task, the scopes of the principal, where the arguments come from (`judgement`), and the tool's own approval rule.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from segue.base.errors import names
from segue.base.messages import open_calls
from segue.context.decisions import Allow, Ask, Block, Decision
from segue.context.run import Authorize, RunContext
from segue.guards.gate.declaring import as_declared
from segue.tools.calls import Ready
from segue.tools.judging import own_rules
from segue.tools.running import repeatable
from segue.tools.tool import Tool

if TYPE_CHECKING:
    from segue.guards.gate.gates import Strictness
    from segue.guards.gate.session import Session

KEPT = 64
"""Sessions that are kept between calls; one that is not is made again from the messages."""


def authorizer(policy: Strictness = "standard", declared: Mapping[str, Mapping[str, Any]] | None = None) -> Authorize:
    """The gate as the port that `tools.execution` calls, with a policy; `declared` is what settings say of tools."""
    declared = declared or {}
    kept = _Sessions(policy, declared)

    async def authorize(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
        if tool.name in declared:
            tool = as_declared(tool, declared)
        first = gate(tool, arguments, ctx)
        if isinstance(first, Block) or not ctx.labelled or (policy == "standard" and tool.declare is None):
            return first
        found = await _by_origin(kept.of(ctx), tool, arguments, ctx)
        if isinstance(found, Block):
            return found
        if isinstance(found, Ask):
            return replace(found, reason=f"{found.reason}; {first.reason}") if isinstance(first, Ask) else found
        if isinstance(first, Allow) and policy == "observe":
            return replace(first, reason=found.reason, rule=found.rule)
        return first

    return authorize


def gate(tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """Judge one tool call by what the plan's task and the tool itself say, without where its arguments come from."""
    if ctx.effects is not None and tool.effect not in ctx.effects:
        allowed = names(ctx.effects)
        return Block(f"the plan lets task {ctx.task_id} only {allowed}, and {tool.name} is {tool.effect}", rule="plan")
    return own_rules(tool, arguments, ctx)


async def _by_origin(session: Session, tool: Tool, arguments: dict[str, Any], ctx: RunContext[Any]) -> Decision:
    """By where the arguments come from; what a resolver can settle, it is asked first."""
    from segue.guards.gate.seeing import plain

    given = {name: plain(value) for name, value in arguments.items() if value is not None}
    beside = _beside(ctx)
    verdict = session.judge(tool.name, given, beside=beside)
    if not isinstance(verdict, Ask):
        return verdict
    for name, wanted in session.lookups(tool.name, given):
        resolver = session.gate.tools[name].tool
        call: Any = {"id": f"resolve_{name}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        try:
            ready = Ready(call=call, tool=resolver, arguments=resolver.validate(wanted), raw=wanted, delivery="")
        except ValueError:
            continue
        result = await repeatable(ready, ctx.at(tool_name=name, tool_arguments=wanted))
        if not result.failed:
            session.seen(name, wanted, plain(result.content))
    return session.judge(tool.name, given, beside=beside)


def _beside(ctx: RunContext[Any]) -> list[tuple[str, dict[str, Any]]]:
    """The calls of the same reply before this one: they have no result yet."""
    from segue.guards.gate.taking_in import arguments_of

    out = []
    for call in open_calls(ctx.labelled):
        if call["id"] == ctx.tool_call_id:
            break
        out.append((call["function"]["name"], arguments_of(call)))
    return out


@dataclass
class _Kept:
    """A session with how far it has read."""

    session: Session
    tools: tuple[Tool, ...]
    words: tuple[str, ...]
    count: int
    last: str

    def goes_on(self, ctx: RunContext[Any]) -> bool:
        """Whether the run's messages begin with what it has read."""
        same = len(self.tools) == len(ctx.toolset) and all(a is b for a, b in zip(self.tools, ctx.toolset, strict=True))
        grown = self.count <= len(ctx.labelled) and (
            not self.count or ctx.labelled[self.count - 1].get("id") == self.last
        )
        return same and grown and self.words == ctx.words


class _Sessions:
    """The sessions of the runs that are under way."""

    def __init__(self, policy: Strictness, declared: Mapping[str, Mapping[str, Any]]) -> None:
        self._policy: Strictness = policy
        self._declared = declared
        self._held: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()

    def of(self, ctx: RunContext[Any]) -> Session:
        """The session of a place in a run, told of all its messages."""
        from segue.guards.gate.gates import Gate
        from segue.guards.gate.taking_in import calls_in, take_in

        key = (ctx.run_id, ctx.place.rpartition("|")[0], ctx.agent)
        kept = self._held.get(key)
        if kept is None or not kept.goes_on(ctx):
            tools = [as_declared(tool, self._declared) for tool in ctx.toolset]
            made = Gate(tools, policy=self._policy).begin(ctx.words, principal=None)
            if self._policy != "standard":
                made.plan_from_text()
            kept = self._held[key] = _Kept(made, tuple(ctx.toolset), ctx.words, 0, "")
        self._held.move_to_end(key)
        while len(self._held) > KEPT:
            self._held.popitem(last=False)
        messages = ctx.labelled
        if len(messages) > kept.count:
            take_in(kept.session, messages[kept.count :], calls_in(messages))
            kept.count, kept.last = len(messages), messages[-1].get("id", "")
        return kept.session


authorize = authorizer()
"""The gate with the policy that holds where nothing else is set."""
