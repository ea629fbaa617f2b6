"""Case: one request, and what a good run of it looks like; read from JSON lines, one case a line.

What an expectation means is decided in the scorers; here stands what may be said, and where a line says it wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from segue.base.errors import BadInput


class _Said(BaseModel):
    """What a line of a file says; a word that means nothing here is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _is_pattern(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_is_pattern)]


class CallExpected(_Said):
    """A tool call that is looked for."""

    tool: str = Field(min_length=1)
    arguments: dict[str, Any] = {}
    """Those that must be as they stand here; others are not looked at."""


class Citation(_Said):
    """A source that the answer must cite."""

    source: str = Field(min_length=1)
    """The path as citations have it, or its end: `damaged-on-arrival.md`."""
    holds: str = ""
    """What the cited passage must say, regardless of case and line breaks; empty for anything."""
    lines: tuple[int, int] | None = None
    """The first and the last line of the page that the citation must touch; `None` for any."""


class NumberExpected(_Said):
    """A figure that must stand in the answer."""

    value: float
    within: float = Field(default=0.0, ge=0)
    """How far off it may be."""


class Limits(_Said):
    """The most that a run may take; `None` is no limit."""

    cost_usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    generations: int | None = Field(default=None, ge=0)
    tool_calls: int | None = Field(default=None, ge=0)
    failed_calls: int | None = Field(default=None, ge=0)
    duration_s: float | None = Field(default=None, ge=0)


class JudgeExpected(_Said):
    """What a model is asked to judge the answer by."""

    criteria: str = Field(min_length=1)
    """What a good answer is, in words."""
    at_least: float = Field(default=0.7, ge=0, le=1)
    model: str = "smart"
    """The route that judges."""


def _calls(value: Any) -> Any:
    return [{"tool": each} if isinstance(each, str) else each for each in value] if isinstance(value, list) else value


class Expect(_Said):
    """What a good run looks like. What is not said is not looked at, but for the status."""

    status: Literal["completed", "waiting", "stopped", "failed"] = "completed"
    equals: Any = None
    """The whole answer: text, or the data of a typed one; `None` for any."""
    fields: dict[str, Any] | None = None
    """Fields of a typed answer that must be as they stand here."""
    contains: list[str] = []
    """What the answer must say, regardless of case and line breaks."""
    lacks: list[str] = []
    """What it must not say."""
    matches: Pattern | None = None
    """A regular expression that must be found in it."""
    numbers: list[NumberExpected] = []
    """Figures that must stand in it, however they are written: `1,250.50`, `1250.5`."""
    citations: list[Citation] = []
    """What must be cited; each citation of the answer must then be one that a tool of the run showed."""
    grounded: bool = False
    """Whether each citation of the answer must be one that a tool of the run showed."""
    calls: list[CallExpected] = []
    """Tool calls that must be made and not fail. A name alone is one with any arguments."""
    order: Literal["any", "in_order", "exact"] = "any"
    """`in_order`: the calls come in this order, others may stand between; `exact`: these and no others."""
    never: list[CallExpected] = []
    """Tool calls that must not be made, whatever became of them."""
    asks: list[CallExpected] | None = None
    """What people must be asked for, in any order, and nothing else; `[]` for nobody is asked; `None` for any."""
    limits: Limits = Limits()
    judge: JudgeExpected | None = None

    @field_validator("calls", "never", "asks", mode="before")
    @classmethod
    def _names_are_calls(cls, value: Any) -> Any:
        return _calls(value)

    @field_validator("citations", mode="before")
    @classmethod
    def _paths_are_citations(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"source": each} if isinstance(each, str) else each for each in value]

    @field_validator("numbers", mode="before")
    @classmethod
    def _figures_are_numbers(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"value": each} if isinstance(each, int | float) else each for each in value]


class AnswerRule(_Said):
    """What a person answers, when the run asks."""

    type: Literal["approve", "edit", "reject", "answer"]
    tool: str = ""
    """The tool that is asked about; empty for any."""
    arguments: dict[str, Any] = {}
    """Of an edit: those that change; the call runs with the others as they were."""
    reason: str = ""
    """Of a rejection."""
    value: Any = None
    """Of an answer to a question."""


class CaseBudget(_Said):
    """The most that a run of the case may spend; it is stopped there."""

    cost_usd: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    wall_s: float | None = Field(default=None, gt=0)


class Case(_Said):
    """One request, and what a good run of it looks like."""

    id: str = Field(min_length=1, max_length=200)
    """Its name in the suite."""
    request: str | Annotated[list[str], Field(min_length=1)]
    """What is asked; a list is several turns on one thread, and what is judged is the last answer and all the calls."""
    expect: Expect = Expect()
    answers: list[AnswerRule] = []
    """The first one that fits answers; where none does, the run waits."""
    budget: CaseBudget = CaseBudget()
    tags: list[str] = []
    note: str = ""
    """For people: why the case is there."""

    @property
    def turns(self) -> list[str]:
        """What is asked, one after the other."""
        return [self.request] if isinstance(self.request, str) else self.request

    def line(self) -> bytes:
        """It as a line of a file, without what is as ever."""
        return orjson.dumps(self.model_dump(exclude_defaults=True))


def load_cases(path: Path | str) -> list[Case]:
    """The cases of a file: one JSON object a line; empty lines and lines that begin with `#` are left out.

    Raises:
        BadInput: There is no such file, a line is no case, or two have one id. Every wrong line is named, up to ten.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"the cases in {place} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"the cases in {place} cannot be read: byte {error.start} is no UTF-8") from None
    return read_cases(text.splitlines(), str(place))


def read_cases(lines: Sequence[str], name: str) -> list[Case]:
    """The cases of lines; see `load_cases`."""
    found: dict[str, tuple[int, Case]] = {}
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            case = Case.model_validate(orjson.loads(line))
        except orjson.JSONDecodeError as error:
            wrong.append(f"{name}:{number}: no JSON object: {error.msg} at column {error.colno}")
            continue
        except ValidationError as error:
            wrong.extend(f"{name}:{number}: {each}" for each in _said(error))
            continue
        if case.id in found:
            wrong.append(f"{name}:{number}: the id {case.id!r} stands on line {found[case.id][0]} already")
            continue
        found[case.id] = (number, case)
    if wrong:
        more = f"\n… and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise BadInput("\n".join(wrong[:10]) + more)
    if not found:
        raise BadInput(f"there is no case in {name}.", way_out='Write one a line: {"id": "…", "request": "…"}')
    return [case for _, case in found.values()]


def write_cases(path: Path | str, cases: Iterable[Case]) -> None:
    """Write cases, one a line."""
    Path(path).write_bytes(b"".join(case.line() + b"\n" for case in cases))


def chosen(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """The cases that have one of these ids or tags; all where none is named.

    Raises:
        BadInput: A name is neither an id nor a tag.
    """
    known = {name for case in cases for name in (case.id, *case.tags)}
    if unknown := [name for name in only if name not in known]:
        tags = sorted({tag for case in cases for tag in case.tags})
        raise BadInput(f"no case has the id or tag {unknown[0]!r}; tags are: {', '.join(tags) or 'none'}")
    return [case for case in cases if not only or {case.id, *case.tags} & set(only)]


def _said(error: ValidationError) -> list[str]:
    said = []
    for each in error.errors():
        where = ".".join(str(part) for part in each["loc"]) or "the line"
        what = {"extra_forbidden": "there is no such key", "missing": "it is missing"}.get(each["type"], each["msg"])
        said.append(f"{where}: {what.removeprefix('Value error, ')}")
    return said
