"""What a node's code tells of whether it still asks a person: proof, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langgraph.types import interrupt

from segue.graphs.functions import asks


class Desk:
    """An object of somebody's own, as nodes hold them."""

    def confirm(self) -> Any:
        return self._put("Go on?")

    def _put(self, question: str) -> Any:
        return interrupt(question)

    def count(self) -> int:
        return 1


desk = Desk()
ways = {"ask": interrupt}


def by_an_object(state: Any) -> Any:
    return {"said": desk.confirm()}


def by_a_class(state: Any) -> Any:
    return {"said": Desk().confirm()}


def by_a_table(state: Any) -> Any:
    return {"said": ways["ask"]("Go on?")}


def by_a_default(state: Any, *, ask: Any = interrupt) -> Any:
    return {"said": ask("Go on?")}


def by_a_value(state: Any) -> Any:
    return {"said": state["ask"]("Go on?")}


def by_the_config(state: Any, config: Any) -> Any:
    return {"said": config["configurable"]["desk"].confirm()}


def by_another_name(state: Any) -> Any:
    found = getattr(desk, "con" + "firm")
    return {"said": found()}


def another_method(state: Any) -> Any:
    return {"said": desk.count()}


def plain_values(state: Any) -> Any:
    return {"said": str(state.get("said", "")).strip(), "log": sorted(state["log"])}


def own_helper(state: Any) -> Any:
    def text() -> str:
        return "yes"

    return {"said": text()}


def own_import(state: Any) -> Any:
    from json import dumps

    return {"said": dumps(state)}


@pytest.mark.parametrize("node", [by_an_object, by_a_class, by_a_table, by_a_default])
def test_a_question_is_found_behind_objects_classes_tables_and_defaults(node: Callable[..., Any]) -> None:
    assert asks(node) is True


@pytest.mark.parametrize("node", [by_a_value, by_the_config, by_another_name])
def test_a_call_of_what_only_a_run_knows_is_not_told(node: Callable[..., Any]) -> None:
    assert asks(node) is None


@pytest.mark.parametrize("node", [another_method, plain_values, own_helper, own_import])
def test_a_node_whose_calls_are_all_known_asks_nobody(node: Callable[..., Any]) -> None:
    assert asks(node) is False
