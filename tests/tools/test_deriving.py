"""Deriving a declaration: what the names, types and descriptions of a tool say of it."""

from __future__ import annotations

from typing import Any

import pytest

from segue.base.errors import UserError
from segue.tools import Declaration, tool, tool_from_schema
from segue.tools.declaration import Returned, Sink
from segue.tools.deriving import Derived, derive


def _derived(name: str, /, **arguments: Any) -> Derived:
    properties = {key: each if isinstance(each, dict) else {"type": each} for key, each in arguments.items()}
    return derive(name, "", {"properties": properties, "required": list(properties)})


@pytest.mark.parametrize(
    ("name", "effect", "reach"),
    [
        ("get_user", "read", "own"),
        ("fetch_webpage", "read", "out"),
        ("create_file", "write", "own"),
        ("send_email", "irreversible", "out"),
        ("deleteFile", "irreversible", "own"),
        ("update_password", "write", "account"),
    ],
)
def test_the_verb_says_what_a_tool_does_and_its_words_where(name: str, effect: str, reach: str) -> None:
    found = _derived(name).declaration

    assert (found.effect, found.reach) == (effect, reach)


@pytest.mark.parametrize(
    ("argument", "schema", "kind"),
    [
        ("recipient", {"type": "string", "description": "IBAN of the recipient"}, "account"),
        ("recipients", {"type": "array", "description": "E-mail addresses"}, "address"),
        ("to", {"type": "string"}, "auto"),
        ("whoever", {"type": "string", "format": "email"}, "address"),
        ("file_id", {"type": "string"}, "id:file"),
        ("order_ids", {"type": "array"}, "id:order"),
        ("channel", {"type": "string"}, "channel"),
        ("password", {"type": "string"}, "secret"),
    ],
)
def test_the_name_of_an_argument_of_a_tool_that_writes_makes_it_a_sink(
    argument: str, schema: dict[str, Any], kind: str
) -> None:
    found = _derived("send_it", **{argument: schema})

    assert found.declaration.sinks is not None
    assert found.declaration.sinks[argument].kind == kind
    assert argument in next(key for key in found.why if key.startswith("sinks."))


def test_a_tool_that_reads_has_a_sink_only_where_it_goes_out() -> None:
    assert _derived("get_file", file_id="string").declaration.sinks == {}
    assert list(_derived("get_webpage", url="string").declaration.sinks or ()) == ["url"]


def test_a_lookups_known_fields_are_as_good_as_its_query_and_text_is_not() -> None:
    found = _derived("search_contacts", query="string").declaration.returns or {}

    assert found["email"] == Returned(("sys:query",), "address")
    assert found["id"] == Returned(("sys:query",), "id:contact")
    assert found["sender"] == Returned(("party:sender",), "auto")
    assert "notes" not in found


def test_what_a_tool_gives_back_of_what_it_was_given_is_not_trusted() -> None:
    assert set(_derived("create_contact", email="string").declaration.returns or {}) == {
        "id", "id_", "_id", "uid", "uuid", "contact_id",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["recall", "search_web", "read_page", "summarize", "get_reviews"])
def test_nothing_is_trusted_of_what_anybody_may_have_written(name: str) -> None:
    assert _derived(name, query="string").declaration.returns == {}


def test_one_by_id_and_a_list_of_all_are_resolvers() -> None:
    assert _derived("get_order", order_id="string").declaration.resolver == "id:order"
    assert _derived("list_orders").declaration.resolver == "id:order"
    assert _derived("search_orders", query="string").declaration.resolver == ""


def test_what_an_author_declares_stays_and_the_rest_is_derived() -> None:
    declared = Declaration(sinks={}, confidential=True)

    found = derive("send_email", "", {"properties": {"to": {}, "body": {}}}, declared=declared)

    assert (found.declaration.sinks, found.declaration.confidential) == ({}, True)
    assert found.declaration.content == ("body",)
    assert found.why["sinks"] == "declared"


def test_a_schema_is_taken_in_openais_shape_and_bare() -> None:
    parameters = {"type": "object", "properties": {"to": {"type": "string"}}}
    inner = {"name": "send", "description": "Sends.", "parameters": parameters}

    made = [tool_from_schema(each, lambda to: to) for each in (inner, {"type": "function", "function": inner})]
    made.append(tool_from_schema({"title": "send", "description": "Sends.", **parameters}, lambda to: to))

    assert {(each.name, each.effect, each.reach) for each in made} == {("send", "irreversible", "out")}
    assert [each.parameters["properties"] for each in made] == [parameters["properties"]] * 3


def test_a_schema_without_a_name_and_levels_without_a_kind_are_errors_that_say_so() -> None:
    with pytest.raises(UserError, match="has a name and a description"):
        tool_from_schema({"description": "x"}, lambda: None)
    with pytest.raises(UserError, match="say the kind too, as in 'address: user, trusted'"):
        tool(lambda to: to, name="send", description="Sends.", declare={"sinks": {"to": ["user", "trusted"]}})


def test_an_effect_that_contradicts_the_declaration_is_an_error() -> None:
    with pytest.raises(UserError, match="effect='read', but it is declared as 'write'"):
        tool(lambda: 1, name="t", description="T.", effect="read", declare={"effect": "write"})


def test_a_sink_is_said_as_text_as_a_pair_or_as_a_dict() -> None:
    wanted, levels = {"to": Sink("address", ("user", "trusted"))}, ["user", "trusted"]
    for given in ("address: user, trusted", ("address", levels), {"kind": "address", "levels": levels}):
        assert Declaration.of({"sinks": {"to": given}}, "send", {"properties": {"to": {}}}).sinks == wanted
