"""What all tables of the router's settings have in common.

In: a table out of a file, or keyword arguments. Out: frozen settings, or one `ConfigError` that names the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator

from segue.base.errors import ConfigError, names

Positive = Annotated[float, Field(gt=0)]


class Table(BaseModel):
    """Frozen; unknown keys are refused; no error shows a value, which may be a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Section(Table):
    """A table with a name of its own; what does not fit into it is a `ConfigError`."""

    @model_validator(mode="wrap")
    @classmethod
    def _one_kind_of_error(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            _refuse(cls, error)


def named(table: str, kind: type[Section], entries: Any) -> Any:
    """The entries of a table of tables, each of its kind.

    Raises:
        ConfigError: One does not fit; the message names its table.
    """
    if not isinstance(entries, Mapping):
        raise ConfigError(f"[{table}] is a table of tables, [{table}.NAME], not {type(entries).__name__}.")
    out: dict[str, Any] = {}
    for name, entry in entries.items():
        try:
            out[name] = kind.model_validate(entry)
        except ConfigError as error:
            raise ConfigError(f"[{table}.{name}] {error.message}") from None
    return out


def _refuse(kind: type[Section], error: ValidationError) -> NoReturn:
    """Raise the first complaint as a sentence; the values, which may be secrets, stay out of it."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        raise ConfigError(f"has an unknown key {where!r}; the keys are: {names(kind.model_fields)}.") from None
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    raise ConfigError(f"{where}: {said}." if where else f"{said}.") from None
