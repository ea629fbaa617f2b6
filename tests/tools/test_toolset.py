"""Toolsets and their wrappers, and whatever else an agent may be given as a tool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from langchain_core.tools import BaseTool
from langchain_core.tools import tool as langchain_tool
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel, Field

from segue import Agent, Tool, Toolset, UserError, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tools import FunctionToolset, as_toolset


@tool(effect="read", timeout_s=30)
def look() -> str:
    """Look."""
    return "seen"


@tool(effect="write")
def put() -> str:
    """Put."""
    return "put"


@tool(effect="irreversible")
def drop() -> str:
    """Drop."""
    return "dropped"


ALL = FunctionToolset((look, put, drop))


def held(toolset: Toolset) -> dict[str, Tool]:
    return {each.name: each for each in toolset.tools()}


def test_wrappers_nest_in_any_order() -> None:
    one = held(ALL.filtered(lambda each: each.name != "drop").prefixed("shop").approved().limited(timeout_s=5))
    two = held(ALL.limited(timeout_s=5).approved().prefixed("shop").filtered(lambda each: each.name != "shop_drop"))

    assert one == two
    assert list(one) == ["shop_look", "shop_put"]
    assert (one["shop_put"].approval, one["shop_look"].approval) == (True, False)
    assert {each.timeout_s for each in one.values()} == {5}


def test_a_limit_only_shortens() -> None:
    assert held(ALL.limited(timeout_s=45))["look"].timeout_s == 30
    assert held(ALL.limited(timeout_s=45))["put"].timeout_s == 45


def test_the_set_inside_stays_as_it_was() -> None:
    ALL.prefixed("x").approved().limited(timeout_s=1)

    assert ALL.tools() == (look, put, drop)


def test_an_agents_tools_are_sorted_so_that_prompts_stay_the_same_bytes() -> None:
    first, second = as_toolset([put, look, drop]), as_toolset([drop, put, look])

    assert [each.name for each in first.tools()] == [each.name for each in second.tools()] == ["drop", "look", "put"]


def test_two_tools_of_one_name_are_refused_when_the_agent_is_made() -> None:
    with pytest.raises(UserError, match="two tools are called 'look'"):
        Agent("helper", tools=[look, ALL])

    assert Agent("helper", tools=[look, ALL.prefixed("other")])


async def test_a_wrapped_toolset_is_opened_before_the_first_run_and_closed_with_the_workspace(tmp_path: Any) -> None:
    log: list[str] = []

    class Connected(Toolset):
        def tools(self) -> Sequence[Tool]:
            return [look]

        async def open(self) -> None:
            log.append("open")

        async def close(self) -> None:
            log.append("close")

    agent = Agent("helper", model=ScriptedModel(["a", "b"]), tools=[Connected().prefixed("x").limited(timeout_s=1)])
    async with Workspace.open(tmp_path) as ws:
        assert (await ws.run(agent, "go")).output == "a"
        assert (await ws.run(agent, "go")).output == "b"
        assert log == ["open"]

    assert log == ["open", "close"]


async def run_tool(ws: Workspace, item: Any, name: str, /, **arguments: Any) -> dict[str, Any]:
    agent = Agent("helper", model=ScriptedModel([call(name, **arguments), "done"]), tools=[item])
    run = await ws.run(agent, "go")
    assert run.output == "done"
    result: dict[str, Any] = run.trajectory[1]
    return result


@langchain_tool
def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@langchain_tool
async def greet(name: Annotated[str, "Who."]) -> str:
    """Greet somebody."""
    return f"hello {name}"


class SquareInput(BaseModel):
    number: float = Field(description="To square.")


class Square(BaseTool):
    name: str = "square"
    description: str = "Squares a number."
    args_schema: type[BaseModel] = SquareInput

    def _run(self, number: float) -> float:
        return number * number


async def test_langchain_tools_work_unchanged(ws: Workspace) -> None:
    assert (await run_tool(ws, multiply, "multiply", a=6, b=7))["result"] == "42"
    assert (await run_tool(ws, greet, "greet", name="Ann"))["result"] == "hello Ann"
    assert (await run_tool(ws, Square(), "square", number=1.5))["result"] == "2.25"


async def test_a_langchain_tool_given_wrong_arguments_fails_its_call_only(ws: Workspace) -> None:
    result = await run_tool(ws, multiply, "multiply", a="many", b=1)

    assert result["failed"]
    assert "a" in result["result"]


def test_a_langchain_tool_is_read_as_it_describes_itself() -> None:
    made = Tool.from_langchain(Square(), effect="read")

    assert made.description == "Squares a number."
    assert made.effect == "read"
    assert made.parameters["properties"]["number"] == {"type": "number", "description": "To square."}
    with pytest.raises(UserError, match="'square': effect='go'"):
        Tool.from_langchain(Square(), effect="go")


async def test_plain_functions_and_agents_are_tools_too(ws: Workspace) -> None:
    def shout(text: str) -> str:
        """Shout."""
        return text.upper()

    friend = Agent("friend", description="Knows things.", model=ScriptedModel(["42"]))

    assert (await run_tool(ws, shout, "shout", text="hi"))["result"] == "HI"
    agent = Agent("helper", model=ScriptedModel([call("friend", task="What is it?"), "done"]), tools=[friend])
    run = await ws.run(agent, "go")
    assert [each.get("result") for each in run.trajectory if each["agent"] == "helper"] == [None, "42", None]


def _graph() -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("n", lambda state: {})
    graph.add_edge(START, "n")
    graph.add_edge("n", END)
    return graph.compile()


@pytest.mark.parametrize("item", [3, "look", Square, _graph(), None], ids=["int", "str", "class", "graph", "none"])
def test_what_is_no_tool_is_refused_with_what_is(item: Any) -> None:
    with pytest.raises(UserError, match="is no tool"):
        Agent("helper", tools=[item])
