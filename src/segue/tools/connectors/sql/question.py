"""Question: the structured query as data, from whatever a model or a person filled in.

Every field but `table` may be left out. Checking names against the schema and making SQL of it is left to `compile`.
"""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from segue.tools.connectors.sql.errors import QueryError

Aggregate = Literal["count", "sum", "avg", "min", "max"]
Operator = Literal[
    "=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "starts with", "is empty", "is not empty"
]
Order = Literal["largest first", "smallest first", "by group"]
Scalar = str | int | float | bool

AGGREGATES = get_args(Aggregate)
OPERATORS = get_args(Operator)
ORDERS = get_args(Order)
ROWS = "rows"
"""The measure that counts rows."""
MAX_LIMIT = 1000

_DAY = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_OPERATOR_WORDS = {
    "==": "=",
    "is": "=",
    "eq": "=",
    "<>": "!=",
    "ne": "!=",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
}


def _operator(value: Any) -> Any:
    text = " ".join(str(value).lower().replace("_", " ").split())
    return _OPERATOR_WORDS.get(text, text)


class Filter(BaseModel):
    """Keeps the rows whose column compares to the value as `op` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    op: Annotated[Operator, BeforeValidator(_operator)] = "="
    value: Scalar | list[Scalar] | None = None


class Question(BaseModel):
    """One number, or one a group."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    table: str
    aggregate: Aggregate | None = None
    measure: str = ROWS
    group_by: str | None = None
    split_by: str | None = None
    since: str | None = None
    until: str | None = None
    date_column: str | None = None
    filters: list[Filter] = Field(default_factory=list, validation_alias=AliasChoices("filters", "where"))
    order: Order | None = None
    limit: int = Field(default=100, ge=1, le=MAX_LIMIT)

    @property
    def chosen_aggregate(self) -> Aggregate:
        """The aggregate; where it is left out, `sum` of a named measure and else `count`."""
        return self.aggregate or ("count" if self.measure == ROWS else "sum")


def read_question(arguments: dict[str, Any]) -> Question:
    """The question, or what is wrong with it.

    Raises:
        QueryError: A field is unknown or does not fit; the message names it and what is possible.
    """
    given = {key: value for key, value in arguments.items() if value is not None and value != ""}
    try:
        return Question.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']} (got {str(item['input'])[:80]!r})"
            for item in error.errors(include_url=False, include_context=False)
        )
        raise QueryError(f"the query does not fit: {wrong}. Fields: {', '.join(Question.model_fields)}") from None


def first_day(text: str, field: str) -> date:
    """The first day of a day, month or year such as `2026-01-31`, `2026-01` or `2026`."""
    return _days(text, field)[0]


def day_after(text: str, field: str) -> date:
    """The day after the last day of a day, month or year."""
    return _days(text, field)[1] + timedelta(days=1)


def _days(text: str, field: str) -> tuple[date, date]:
    match = _DAY.fullmatch(text.strip()[:10])
    try:
        if match is None:
            raise ValueError
        year, month, day = int(match[1]), match[2] and int(match[2]), match[3] and int(match[3])
        if day:
            return date(year, month or 1, day), date(year, month or 1, day)
        if month:
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
        return date(year, 1, 1), date(year, 12, 31)
    except ValueError:
        raise QueryError(f"{field}={text!r} is no date; write 2026-01-31, 2026-01 or 2026") from None
