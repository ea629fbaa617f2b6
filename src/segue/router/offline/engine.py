"""The model itself: tools and messages in, one assistant message out.

Each call looks at the conversation afresh: it cuts the request into parts, sees which were called and answered,
calls what can be called now, and when nothing is left to call shows the results and says what was asked, refused,
failed or left undone. Nothing is kept between calls, and the same input gives the same message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from segue.base.ids import derived_id
from segue.base.messages import Message, ToolCall
from segue.router.offline import ask
from segue.router.offline.choose import Ask, Code, Decision, Do, Nothing, Tie, choose
from segue.router.offline.clauses import Part, split_request
from segue.router.offline.effects import effect_of
from segue.router.offline.history import MODEL, Call, Conversation, read_conversation
from segue.router.offline.plan import make_plan, plan_arguments, plan_shape
from segue.router.offline.recall import Known, refers
from segue.router.offline.render import render_calls
from segue.router.offline.schema import Tool, read_tools
from segue.router.offline.select import FLOOR, Index
from segue.router.offline.structured import in_schema
from segue.router.offline.text import MAX_CHARS
from segue.router.offline.view import view_of

NAME = MODEL.replace("/", "-")


@dataclass
class Turn:
    """What has become of each part of a request."""

    done: list[Call] = field(default_factory=list)
    to_call: list[tuple[int, Tool, dict[str, Any]]] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    """Lines that name what is missing."""
    asks: list[str] = field(default_factory=list)
    """Lines that ask by themselves."""
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Clauses that no tool fits."""
    waiting: list[Call] = field(default_factory=list)
    later: list[Part] = field(default_factory=list)
    failed: bool = False

    @property
    def open(self) -> bool:
        """Whether something before a "then" is not settled."""
        return bool(self.to_call or self.needs or self.asks or self.waiting)


def reply(tools: Any, messages: Any, output_schema: Any = None, tool_choice: Any = None) -> Message:
    """The next message of the conversation; see `segue.router.offline.answer`."""
    held = read_tools(tools)
    index = _index(tuple(held))
    talk = read_conversation(messages, lambda text: _is_request(text, index))
    mode, forced = _choice(tool_choice, held)
    plan = _planned(held, talk) if mode == "auto" and talk.has_request else None
    if plan is not None:
        return plan
    schema = output_schema if isinstance(output_schema, dict) and output_schema else None
    if not talk.has_request:
        return _said(_no_request(talk, held), talk, schema)
    turn = _shown_only(talk) if _is_over(held, talk, mode) else _work(index, talk, mode, forced)
    if turn.to_call:
        return _calling(turn, talk)
    return _said(_shown(turn, talk, held), talk, schema)


@lru_cache(maxsize=64)
def _index(tools: tuple[Tool, ...]) -> Index:
    return Index(tools)


def _is_request(text: str, index: Index) -> bool:
    """Whether an answer is a request of its own: it opens with a verb or question that a tool fits by name."""
    view = view_of(text)
    found = index.picks(view) if view.verb is not None and len(view.words) > 2 else None
    return found is not None and len(found.matched) > 1 and found.score >= 1.2


def _choice(tool_choice: Any, tools: list[Tool]) -> tuple[str, Tool | None]:
    """`auto`, `none`, `required`, or `forced` with its tool; what cannot be read is `auto`."""
    if isinstance(tool_choice, dict):
        function = tool_choice.get("function")
        name = (
            function.get("name") if isinstance(function, dict) else tool_choice.get("name") or tool_choice.get("type")
        )
    else:
        name = tool_choice
    if name in ("none", "required", "any"):
        return ("none" if name == "none" else "required"), None
    forced = next((tool for tool in tools if tool.name == name), None)
    return ("forced", forced) if forced else ("auto", None)


def _planned(tools: list[Tool], talk: Conversation) -> Message | None:
    """The call of the planning tool, where it is the only tool and was not called yet; `None` else."""
    if len(tools) != 1 or talk.calls:
        return None
    tool = tools[0]
    shape = plan_shape(tool.parameters, [tool.description, *talk.system])
    if shape is None or not talk.request.strip():
        return None
    plan = make_plan(shape, talk)
    notes = [f"Not planned, as asked: {ask.quote(text)}." for text in plan.forbidden]
    if not plan.items:
        lines = [ask.refusal(talk.request), *notes, ask.WHAT_I_AM, "It can plan for these workers:"]
        lines += [
            f"- {worker.name}{': ' if worker.description else ''}{worker.description}" for worker in shape.workers
        ]
        return _message("\n".join([*lines, ask.WAY_OUT]))
    notes += [f"No worker fits {ask.quote(text)}; it is not in the plan." for text in plan.left_out]
    arguments = plan_arguments(shape, tool.parameters, plan, talk.request)
    content = "\n".join(
        [f"{MODEL}: calling {tool.name} with {len(plan.items)} tasks, one for each part of the request.", *notes]
    )
    return _message(content, [_tool_call(tool.name, arguments, 0, 0, talk)])


def _is_over(tools: list[Tool], talk: Conversation, mode: str) -> bool:
    """Whether only results are left to show: a plan was carried out, or results are there and no tool may be called."""
    called = {call.name for call in talk.calls if call.result is not None}
    plans = {tool.name for tool in tools if plan_shape(tool.parameters) is not None}
    return bool(called & plans) or bool(called and (not tools or mode == "none"))


def _shown_only(talk: Conversation) -> Turn:
    turn = Turn()
    _take(talk.calls, turn)
    return turn


def _work(index: Index, talk: Conversation, mode: str, forced: Tool | None) -> Turn:
    turn = Turn()
    parts = split_request(talk.request, index, talk.today) if mode != "forced" else [_whole(talk.request)]
    foreign = [call for call in talk.calls if call.part is None or call.part >= len(parts)]
    for number, part in enumerate(parts):
        if part.then and turn.open:
            turn.later = [p for p in parts[number:] if not p.negated]
            break
        issued = [call for call in talk.calls if call.part == number]
        if issued:
            _take(issued, turn)
        elif part.negated:
            turn.notes.append(f"Not done, as asked: {ask.quote(part.text)}.")
        elif turn.failed and (part.then or refers(view_of(part.clause, talk.today))):
            turn.notes.append(f"Not called, since what it builds on failed: {ask.quote(part.text)}.")
        else:
            known = Known(talk, rest=f"{part.rest}")
            floor = 0.0 if mode == "required" and not talk.calls else FLOOR
            decision: Decision = Nothing() if mode == "none" else choose(part, index, known, forced=forced, floor=floor)
            _settle(decision, number, part, turn, talk, foreign)
    turn.done += [call for call in foreign if call not in turn.done and call.result is not None]
    return turn


def _whole(text: str) -> Part:
    return Part(text, text)


def _take(issued: list[Call], turn: Turn) -> None:
    for call in issued:
        (turn.done if call.result is not None else turn.waiting).append(call)
        turn.failed |= call.failed


def _settle(decision: Decision, number: int, part: Part, turn: Turn, talk: Conversation, foreign: list[Call]) -> None:
    """Put the decision for one part where it belongs."""
    if isinstance(decision, Do):
        before = [call for call in foreign if call.name == decision.tool.name and call not in turn.done]
        if before:
            _take(before[: len(decision.calls)], turn)
        elif decision.drawn and turn.to_call and refers(view_of(part.clause, talk.today)):
            turn.later.append(part)
        elif _may_call(decision.tool, part, turn, talk):
            fresh = _unmade(decision, part, turn)
            turn.to_call += [(number, decision.tool, arguments) for arguments in fresh]
            if decision.left and fresh:
                turn.notes.append(f"In no call: {', '.join(ask.quote(text) for text in decision.left)}.")
    elif isinstance(decision, Ask) and turn.to_call:
        turn.later.append(part)
    elif isinstance(decision, Ask):
        turn.needs.append(ask.question_for(decision.tool, decision.missing))
    elif isinstance(decision, Tie):
        turn.asks.append(ask.which(part.text, decision.tools))
    elif isinstance(decision, Code):
        turn.notes.append(ask.no_code(part.text, decision.tool, decision.leaf))
    elif not (talk.calls and len(talk.calls) >= 1 and _was_foreign(foreign)):
        turn.refused.append(part.text)


def _unmade(decision: Do, part: Part, turn: Turn) -> list[dict[str, Any]]:
    """The calls of a part, without those that only read and that another part asked for in other words."""
    if part.then or effect_of(decision.tool) == "write":
        return decision.calls
    made = [(tool.name, arguments) for _, tool, arguments in turn.to_call]
    made += [(call.name, call.arguments) for call in turn.done]
    return [arguments for arguments in decision.calls if (decision.tool.name, arguments) not in made]


def _was_foreign(foreign: list[Call]) -> bool:
    """Whether another model made calls for this request, whose results are the answer then."""
    return any(call.result is not None for call in foreign)


def _may_call(tool: Tool, part: Part, turn: Turn, talk: Conversation) -> bool:
    """Whether a part's condition lets the tool be called now; says so where rules cannot judge it."""
    if not part.condition:
        return True
    if effect_of(tool) == "read" or "approv" in tool.description.lower():
        turn.notes.append(
            f"The condition {ask.quote(part.condition)} is not judged by rules; {tool.name} is called all the same."
        )
        return True
    question = ask.confirm(tool, part.condition)
    for asked, answer in reversed(talk.answers):
        if question in asked:
            agreed = answer.strip().lower().startswith(("yes", "y", "ok", "sure", "go", "do ", "please"))
            if not agreed:
                turn.notes.append(f"Not done, as answered: {ask.quote(part.text)}.")
            return agreed
    turn.asks.append(question)
    return False


def _calling(turn: Turn, talk: Conversation) -> Message:
    names = ", ".join(dict.fromkeys(tool.name for _, tool, _ in turn.to_call))
    calls = [
        _tool_call(tool.name, arguments, number, row, talk)
        for row, (number, tool, arguments) in enumerate(turn.to_call)
    ]
    return _message("\n".join([f"{MODEL}: calling {names}.", *turn.notes]), calls)


def _tool_call(name: str, arguments: dict[str, Any], part: int, row: int, talk: Conversation) -> ToolCall:
    text = json.dumps(arguments, ensure_ascii=False)
    salt = 0
    while True:
        call_id = f"{derived_id('call', name, text, talk.request, str(talk.length), str(row), str(salt))}_p{part}"
        if call_id not in talk.ids:
            return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}
        salt += 1


def _shown(turn: Turn, talk: Conversation, tools: list[Tool]) -> str:
    """The answer as text: results first, then what was not done, then the questions."""
    blocks: list[str] = []
    if turn.done:
        many = len(turn.done) > 1 or turn.done[0].failed
        said = (
            "the results, as the tools gave them"
            if many
            else f"the result of {turn.done[0].name or 'the tool'}, as it gave it"
        )
        blocks.append(f"{MODEL}: {said}.\n\n{render_calls(turn.done)}")
    if turn.waiting:
        blocks.append("Still without a result: " + ", ".join(call.name for call in turn.waiting) + ".")
    blocks += turn.notes
    if turn.refused:
        blocks.append("\n".join(ask.refusal(text) for text in turn.refused))
        blocks.append(f"{ask.WHAT_I_AM}\n{ask.what_can(tools)}\n{ask.WAY_OUT}")
    if len(talk.request) > MAX_CHARS:
        blocks.append(f"Only the first {MAX_CHARS:,} of {len(talk.request):,} characters of the request were read.")
    if turn.later and turn.open:
        blocks.append("After that it goes on with: " + "; ".join(ask.quote(part.text) for part in turn.later) + ".")
    blocks += [f"{line}?" for line in turn.asks if turn.needs]
    if turn.needs:
        blocks.append("\n".join([*turn.needs, "What should be used?"]))
    elif turn.asks:
        blocks.append("\n".join(f"{line}?" for line in turn.asks))
    return "\n\n".join(blocks)


def _no_request(talk: Conversation, tools: list[Tool]) -> str:
    done = [call for call in (*talk.earlier_calls, *talk.calls) if call.result is not None]
    if done:
        return f"{MODEL}: the results, as the tools gave them.\n\n{render_calls(done)}"
    return ask.cannot("", tools)


def _said(text: str, talk: Conversation, schema: dict[str, Any] | None) -> Message:
    full = text if MODEL in text else f"{MODEL}: {text}"
    return _message(in_schema(schema, talk, full) if schema is not None else full)


def _message(content: str, calls: list[ToolCall] | None = None) -> Message:
    message: Message = {"role": "assistant", "content": content, "name": NAME}
    if calls:
        message["tool_calls"] = calls
    return message
