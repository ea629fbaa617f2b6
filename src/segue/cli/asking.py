"""Asking a person at the terminal what a run waits for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.prompt import Prompt
from rich.text import Text

from segue.base.errors import BadInput
from segue.context.decisions import Answer, Approve, Edit, InterruptRequest, Reject, Response
from segue.context.questions import fault_of


def can_ask() -> bool:
    """Whether a person sits at the terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show_request(console: Console, request: InterruptRequest) -> None:
    """The very arguments that would run, and why a person is asked."""
    console.print()
    if request.kind == "question":
        console.print(Text.assemble(("Question ", "bold yellow"), request.question))
        console.print(Text(f"  {_asker(request)}", style="dim"))
        if request.options:
            console.print(Text(f"  one of: {', '.join(str(option) for option in request.options)}", style="dim"))
        return
    if request.kind == "effect":
        head: list[Any] = [("Doubt ", "bold yellow"), (request.agent, "cyan"), " ran ", (request.tool, "bold")]
    else:
        head = [("Approval ", "bold yellow"), (request.agent, "cyan"), " wants to run ", (request.tool, "bold")]
    console.print(Text.assemble(*head))
    for name, value in request.arguments.items():
        console.print(Text(f"  {name}: {json.dumps(value, ensure_ascii=False)}"))
    console.print(Text(f"  {request.reason}", style="dim"))


def _asker(request: InterruptRequest) -> str:
    """Who asks, and of calls side by side, which."""
    if not request.tool or request.arguments.get("question") == request.question:
        return f"asked by {request.agent}"
    given = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in request.arguments.items())
    return f"asked by {request.agent} in {request.tool}({given})"


def ask(console: Console, request: InterruptRequest) -> Response:
    """Ask until there is a response."""
    show_request(console, request)
    if request.kind == "question":
        return _answered(console, request)
    if request.kind == "effect":
        return _cleared(console)
    match Prompt.ask("approve, edit or reject", choices=["a", "e", "r"], console=console):
        case "a":
            return Approve()
        case "r":
            return Reject(Prompt.ask("Reason", default="", show_default=False, console=console))
        case _:
            return _edited(console, request)


def _cleared(console: Console) -> Response:
    """What came of a call that was cut short, by somebody who has looked."""
    match Prompt.ask("do it again, leave it, or it was done", choices=["again", "leave", "done"], console=console):
        case "again":
            return Approve()
        case "leave":
            return Reject(Prompt.ask("Reason", default="", show_default=False, console=console))
        case _:
            return Answer(Prompt.ask("What did it give", default="done", console=console))


def _answered(console: Console, request: InterruptRequest) -> Answer:
    """Ask until the answer fits what was asked for."""
    while True:
        answer = fit(Answer(Prompt.ask("Answer", console=console)), request)
        if not (fault := fault_of(request.to_dict(), answer.value)):
            return answer
        console.print(Text(f"  {fault}", style="yellow"))


def fitted(answers: Mapping[str, Response], requests: Sequence[InterruptRequest]) -> dict[str, Response]:
    """The answers, with those to questions read as JSON where the text itself is no answer and the JSON is."""
    asked = {request.id: request for request in requests}
    return {
        key: fit(answer, asked[key]) if isinstance(answer, Answer) and key in asked else answer
        for key, answer in answers.items()
    }


def fit(answer: Answer, request: InterruptRequest) -> Answer:
    """One answer, read as JSON where its text does not fit and the JSON does."""
    if not isinstance(answer.value, str) or not fault_of(request.to_dict(), answer.value):
        return answer
    try:
        read = json.loads(answer.value)
    except ValueError:
        return answer
    return answer if fault_of(request.to_dict(), read) else Answer(read, answer.by)


def _edited(console: Console, request: InterruptRequest) -> Response:
    arguments = dict(request.arguments)
    for name, value in arguments.items():
        text = Prompt.ask(f"  {name}", default=json.dumps(value, ensure_ascii=False), console=console)
        try:
            arguments[name] = json.loads(text)
        except ValueError:
            arguments[name] = text
    return Edit(arguments)


def parse(approve: list[str], reject: list[str], edit: list[str], answer: list[str]) -> dict[str, Response]:
    """Responses from options: `ID`, `ID=reason`, `ID=JSON`, `ID=text`.

    Raises:
        BadInput: An option is not of its form. The message shows the form.
    """
    out: dict[str, Response] = {key: Approve() for key in approve}
    for item in reject:
        key, _, reason = item.partition("=")
        out[key] = Reject(reason)
    for item in edit:
        key, _, text = item.partition("=")
        try:
            arguments = json.loads(text)
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise BadInput(f'--edit {item}: give the arguments as a JSON object: --edit \'{key}={{"name": "value"}}\'')
        out[key] = Edit(arguments)
    for item in answer:
        key, _, text = item.partition("=")
        out[key] = Answer(text)
    return out
