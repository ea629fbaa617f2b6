"""What is checked before a run is started or taken up: requests, answers, rights, and the place for its data."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from segue.agents.run import RunRecord
from segue.base.errors import BadInput, names
from segue.base.messages import Message, coerce
from segue.base.principal import Principal
from segue.context.decisions import Answer, Approve, Edit, Reject, Response


def request_of(request: Any) -> list[Message]:
    """The messages of a request.

    Raises:
        BadInput: It is empty, or no message.
    """
    items: Sequence[Any] = request if isinstance(request, list) else [request]
    messages = [coerce(item) for item in items]
    if not messages or not any(message.get("content") for message in messages):
        raise BadInput("a run needs a request: text, a message, or a list of messages")
    return messages


def check_answers(record: RunRecord, answers: Mapping[str, Response], principal: Principal) -> None:
    """Whether these answers can be given to this run, by this person.

    Raises:
        BadInput: The run does not wait, an id names no interrupt of it, or a response does not fit one.
    """
    if record.status == "running" and not answers:
        return
    if record.status != "waiting":
        raise BadInput(f"run {record.run_id} does not wait for an answer: its status is {record.status!r}")
    open_ids = [request["id"] for request in record.interrupts]
    if unknown := [key for key in answers if key not in open_ids]:
        raise BadInput(f"run {record.run_id} has no interrupt {unknown[0]!r}; it waits for: {names(open_ids)}")
    kinds = {request["id"]: request["kind"] for request in record.interrupts}
    for key, answer in answers.items():
        fitting: tuple[type, ...] = (Answer,) if kinds[key] == "question" else (Approve, Edit, Reject)
        if not isinstance(answer, fitting):
            wanted = "an Answer" if kinds[key] == "question" else "Approve, Edit or Reject"
            raise BadInput(f"interrupt {key} is answered by {wanted}, not by {answer!r}")
        check_rights(record, key, answer, principal)
    if not answers:
        raise BadInput(f"run {record.run_id} waits for answers to: {names(open_ids)}.", way_out="Give answers={id: …}.")


def check_rights(record: RunRecord, key: str, answer: Response, principal: Principal) -> None:
    """Who lets a call pass must hold the scopes that its tool wants, now; anybody may reject.

    Raises:
        BadInput: A scope is missing; the run waits on.
    """
    request = next(each for each in record.interrupts if each["id"] == key)
    missing = set(request.get("scopes", ())) - principal.scopes
    if missing and "*" not in principal.scopes and isinstance(answer, Approve | Edit):
        raise BadInput(
            f"{principal.user} may not approve {request['tool']}: the scope {names(missing)} is missing.",
            way_out="The run waits on; somebody who holds it can answer.",
        )


def thread_key(tenant: str, thread_id: str) -> str:
    """What a thread's checkpoints lie under; the `/` in a tenant's name must not make it another tenant's thread."""
    return f"{quote(tenant, safe='')}/{thread_id}"


def writable(wanted: Path) -> Path:
    """The folder, made; where it cannot be written, a temporary one, since a run must not fail for its trace."""
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=wanted):
            return wanted
    except OSError as error:
        held = Path(tempfile.mkdtemp(prefix="segue-"))
        logging.getLogger("segue").warning("%s cannot be written (%s); data goes to %s", wanted, error.strerror, held)
        return held
