"""What a model reads of a tool: its schema, from the signature and the docstring."""

from __future__ import annotations

import datetime as dt
import enum
import functools
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from segue import RunContext, Tool, UserError, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    city: str = "Bern"


class Customer(BaseModel):
    name: str
    address: Address
    title: str = "Ms"


def properties(made: Tool) -> dict[str, Any]:
    found: dict[str, Any] = made.parameters["properties"]
    return found


def test_the_docstring_describes_the_tool_and_each_argument() -> None:
    @tool
    def find(email: str, limit: int = 5) -> str:
        """Find a customer.

        The long part is told too.

        Args:
            email: The address
                as written.
            limit: At most.
        """
        return email * limit

    function = find.schema()["function"]

    assert function["name"] == "find"
    assert function["description"] == "Find a customer.\n\nThe long part is told too."
    assert properties(find)["email"] == {"type": "string", "description": "The address as written."}
    assert properties(find)["limit"] == {"type": "integer", "default": 5, "description": "At most."}
    assert find.parameters["required"] == ["email"]
    assert find.parameters["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (dt.date, {"type": "string", "format": "date"}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (str | None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (
            Annotated[int, Field(ge=1, description="From one.")],
            {"type": "integer", "minimum": 1, "description": "From one."},
        ),
        (Any, {}),
    ],
)
def test_a_type_becomes_its_json_schema(kind: Any, schema: dict[str, Any]) -> None:
    def take(value: Any) -> None:
        """Take it."""

    take.__annotations__["value"] = kind

    assert properties(tool(take))["value"] == schema


def test_a_nested_model_an_enum_and_a_decimal_arrive_as_their_python_types() -> None:
    seen: list[Any] = []

    @tool
    def save(customer: Customer, colour: Colour, amount: Decimal, day: dt.date) -> None:
        """Save."""
        seen.extend([customer, colour, amount, day])

    raw = {
        "customer": {"name": "Ann", "address": {"street": "Main"}},
        "colour": "blue",
        "amount": 10.1,
        "day": "2025-02-28",
    }
    save(**save.validate(raw))

    customer = Customer(name="Ann", address=Address(street="Main"))
    assert seen == [customer, Colour.BLUE, Decimal("10.1"), dt.date(2025, 2, 28)]


def test_a_field_called_title_stays_and_titles_that_repeat_names_go() -> None:
    @tool
    def save(customer: Customer, title: str, defaults: dict[str, str] = {"title": "kept"}) -> None:  # noqa: B006
        """Save."""

    text = str(save.parameters)

    assert set(save.parameters["$defs"]["Customer"]["properties"]) == {"name", "address", "title"}
    assert "'title': 'Customer'" not in text
    assert properties(save)["title"] == {"type": "string"}
    assert properties(save)["defaults"]["default"] == {"title": "kept"}


@pytest.mark.parametrize("name", ["schema", "json", "copy", "model_config", "model_dump", "_hidden", "class_", "self_"])
def test_an_argument_may_have_any_name_that_python_allows(name: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def take({name}: int):\n    '''Take.'''\n    return {name}", space)

    made = tool(space["take"])

    assert list(properties(made)) == [name]
    assert made(**made.validate({name: 3})) == 3


def typed_ctx(ctx: RunContext[int], a: int) -> None:
    """Do."""


def bare_ctx(ctx: RunContext, a: int) -> None:
    """Do."""


def other_name(run: RunContext[Any], a: int) -> None:
    """Do."""


def untyped_ctx(ctx, a: int) -> None:  # type: ignore[no-untyped-def]
    """Do."""


def no_ctx(a: int) -> None:
    """Do."""


@pytest.mark.parametrize(
    ("fn", "takes"),
    [(typed_ctx, True), (bare_ctx, True), (other_name, True), (untyped_ctx, True), (no_ctx, False)],
)
def test_the_run_context_is_not_the_models_to_fill(fn: Callable[..., Any], takes: bool) -> None:
    made = tool(fn)

    assert made.takes_ctx is takes
    assert list(properties(made)) == ["a"]


def test_a_run_context_that_is_not_first_is_an_error_that_says_where_it_belongs() -> None:
    def late(a: int, ctx: RunContext[Any]) -> None:
        """Do."""

    with pytest.raises(UserError, match=r"late.*first"):
        tool(late)


class Shop:
    def __init__(self, name: str) -> None:
        self.name = name

    @tool
    def greet(self, who: str) -> str:
        """Greet."""
        return f"{self.name} greets {who}"

    @tool
    async def owner(self, ctx: RunContext[Any], who: str) -> str:
        """Who owns it."""
        return f"{self.name} {who} {ctx.agent}"

    def plain(self, who: str) -> str:
        """Greet plainly."""
        return f"{self.name} {who}"


def test_a_decorated_method_is_a_tool_of_its_object() -> None:
    made = Shop("Corner").greet

    assert list(properties(made)) == ["who"]
    assert made(who="Ann") == "Corner greets Ann"
    assert Shop("Other").owner.takes_ctx
    assert list(properties(Shop("Other").owner)) == ["who"]


def test_a_bound_method_a_callable_object_and_a_partial_become_tools() -> None:
    class Adder:
        """Adds."""

        def __call__(self, a: int) -> int:
            """Add one."""
            return a + 1

    bound = tool(Shop("Corner").plain)
    object_ = tool(Adder(), name="add")
    partial = tool(functools.partial(no_ctx), name="part", description="Do it.")

    assert bound(who="x") == "Corner x"
    assert object_(**object_.validate({"a": 1})) == 2
    assert list(properties(object_)) == list(properties(partial)) == ["a"]


def test_a_field_as_default_is_read_as_pydantic_reads_it() -> None:
    @tool
    def take(a: int = Field(3, ge=1, description="From one."), b: str = Field(description="Needed.")) -> None:
        """Take."""

    assert properties(take)["a"] == {"type": "integer", "minimum": 1, "default": 3, "description": "From one."}
    assert take.parameters["required"] == ["b"]
    assert take.validate({"b": "x"}) == {"a": 3, "b": "x"}


def nothing_said() -> None: ...


def takes_stars(*items: str) -> None:
    """Take."""


def takes_more(**more: str) -> None:
    """Take."""


def positional(a: int, /) -> None:
    """Take."""


class Odd:
    pass


def odd(a: Odd) -> None:
    """Take."""


def called(a: Callable[[], int]) -> None:
    """Take."""


def unknown(a: Missing) -> None:  # type: ignore[name-defined] # noqa: F821
    """Take."""


def fine(a: int = 1) -> None:
    """Take."""


@pytest.mark.parametrize(
    ("fn", "options", "says"),
    [
        (nothing_said, {}, "'nothing_said' has no docstring"),
        (takes_stars, {}, r"'takes_stars' takes \*items"),
        (takes_more, {}, r"'takes_more' takes \*\*more"),
        (positional, {}, "'positional'.*a"),
        (odd, {}, "'odd'.*Odd"),
        (called, {}, "'called'"),
        (unknown, {}, "'unknown'.*'Missing'"),
        (lambda: 1, {}, "<lambda>"),
        (3, {}, "int"),
        (fine, {"name": "no spaces"}, "'no spaces' is no name"),
        (fine, {"effect": "delete"}, "'fine'.*effect='delete'.*read, write, irreversible"),
        (fine, {"reach": "far"}, "'fine'.*reach='far'"),
        (fine, {"idempotency_key": "b"}, "'fine'.*'b'; its arguments are a"),
        (fine, {"efect": "read"}, "'fine'.*'efect'"),
        (fine, {"timeout_s": 0}, "'fine'.*timeout_s=0"),
        (fine, {"approval": "yes"}, "'fine'.*approval='yes'"),
        (fine, {"approval": lambda amount, other: True}, "'fine'.*amount"),
        (fine, {"fn": fine}, "'fine'.*'fn'"),
    ],
)
def test_what_makes_no_tool_is_a_user_error_that_names_it(fn: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        tool(**options)(fn) if options else tool(fn)
