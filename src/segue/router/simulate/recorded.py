"""Sessions out of what was recorded: one request a row in, a `Workload` out; and rows out of a run.

A row is one line of JSON: when the request came, whose session it was, its tokens. What it shares with the turn before
is taken to be all of that turn and its answer, unless the row says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segue.base.errors import BadInput
from segue.router.simulate.sessions import Outcome
from segue.router.simulate.workload import Session, Turn, Workload


class RecordedRequest(BaseModel):
    """One row."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    at_s: float = Field(ge=0)
    """When it came, in seconds from whatever start."""
    session: str
    input_tokens: int = Field(ge=1)
    output_tokens: int = Field(ge=1)
    shared_tokens: int | None = Field(default=None, ge=0)
    """Tokens at its start that were seen before: in the turn before (`None`: all of that), or of a session's first
    request, in others of its group (`None`: none)."""
    took_s: float | None = Field(default=None, ge=0)
    """Until its answer was whole. Where it is known, the next turn comes as long after the answer as it did; else it
    comes when it did."""
    group: str = ""
    """Sessions of a group begin alike: the agent's name."""
    begins_with: str = ""
    """A session with whose conversation this one begins, such as a worker's with its planner's."""


def read_rows(path: Path) -> list[RecordedRequest]:
    """The rows of a file, one JSON object a line.

    Raises:
        BadInput: It cannot be read, or a line does not fit. The message names file, line and key.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(RecordedRequest.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise BadInput(f"{path}, line {number}: {f'{where}: ' if where else ''}{first['msg']}.") from None
    return rows


def workload_of(rows: Iterable[RecordedRequest], *, told: str, traffic: float = 1.0) -> Workload:
    """The sessions of recorded requests; with a `traffic` of 2 they begin twice as close to one another."""
    held: dict[str, list[RecordedRequest]] = {}
    for row in sorted(rows, key=lambda each: each.at_s):
        held.setdefault(row.session, []).append(row)
    start = min((turns[0].at_s for turns in held.values()), default=0.0)
    sessions = [_session(name, turns, (turns[0].at_s - start) / traffic) for name, turns in held.items()]
    return Workload(sessions=sessions, told=told + (f", {traffic:g} times as dense" if traffic != 1 else ""))


def _session(name: str, rows: list[RecordedRequest], start_s: float) -> Session:
    first = rows[0]
    turns = [Turn(input_tokens=first.input_tokens, output_tokens=first.output_tokens)]
    for before, row in pairwise(rows):
        known = before.took_s is not None
        turns.append(
            Turn(
                input_tokens=row.input_tokens,
                output_tokens=row.output_tokens,
                shared_tokens=row.shared_tokens,
                pause_s=max(0.0, row.at_s - before.at_s - (before.took_s or 0.0)) if known else 0.0,
                not_before_s=0.0 if known else start_s + row.at_s - first.at_s,
            )
        )
    return Session(
        name=name, start_s=start_s, turns=turns, group=first.group, group_tokens=first.shared_tokens or 0,
        begins_with=first.begins_with,
    )  # fmt: skip


def rows_of(outcome: Outcome) -> Iterator[RecordedRequest]:
    """What a run saw, as if it had been recorded; by the requests' starts."""
    for session, number, ended in sorted(outcome.ended, key=lambda each: each[2].started_s):
        turn = session.turns[number]
        shared = turn.shared_tokens if number or not session.group_tokens else session.group_tokens
        parent = session.after[0] if session.after is not None else session.begins_with
        yield RecordedRequest(
            at_s=ended.started_s, session=session.name, input_tokens=turn.input_tokens,
            output_tokens=max(1, turn.output_tokens), shared_tokens=shared, took_s=ended.whole_s, group=session.group,
            begins_with="" if number else parent,
        )  # fmt: skip
