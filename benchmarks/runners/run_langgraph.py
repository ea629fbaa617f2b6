"""LangGraph alone: a model node over aiohttp, a tool node, messages as plain dicts, no saver."""

from __future__ import annotations

import operator

import _harness
from _task import INSTRUCTIONS, REQUEST, TOOLS, results


async def setup(base_url: str, model: str):
    from typing import Annotated, TypedDict

    import aiohttp
    import orjson
    from langgraph.graph import END, START, StateGraph

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60),
        headers={"Authorization": "Bearer sk-mock", "Content-Type": "application/json"},
    )
    State = TypedDict("State", {"messages": Annotated[list, operator.add]})  # noqa: UP013 - its type is made here

    async def ask(state):
        messages = [{"role": "system", "content": INSTRUCTIONS}, *state["messages"]]
        body = orjson.dumps({"model": model, "messages": messages, "tools": TOOLS})
        async with session.post(f"{base_url}/chat/completions", data=body) as response:
            return {"messages": [orjson.loads(await response.read())["choices"][0]["message"]]}

    async def act(state):
        return {"messages": results(state["messages"][-1]["tool_calls"], orjson.loads)}

    def then(state):
        return "act" if state["messages"][-1].get("tool_calls") else END

    def make_agent():
        graph = StateGraph(State)
        graph.add_node("ask", ask)
        graph.add_node("act", act)
        graph.add_edge(START, "ask")
        graph.add_conditional_edges("ask", then, ["act", END])
        graph.add_edge("act", "ask")
        return graph.compile()

    async def run_one(agent, number: int) -> str:
        asked = {"messages": [{"role": "user", "content": REQUEST}]}
        return (await agent.ainvoke(asked, {"recursion_limit": 100}))["messages"][-1]["content"]

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
