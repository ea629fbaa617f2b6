"""LangChain's `create_agent` over ChatOpenAI. Variant `sqlite`: with LangGraph's AsyncSqliteSaver."""

from __future__ import annotations

import os
import tempfile

import _harness
from _task import INSTRUCTIONS, REQUEST, add


async def setup(base_url: str, model: str):
    from contextlib import AsyncExitStack

    from langchain.agents import create_agent
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=model, base_url=base_url, api_key="sk-mock", use_responses_api=False)
    stack, saver = AsyncExitStack(), None
    if os.environ["BENCH_VARIANT"] == "sqlite":
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        place = os.path.join(tempfile.mkdtemp(), "checkpoints.db")
        saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(place))

    def make_agent():
        return create_agent(chat, [add], system_prompt=INSTRUCTIONS, checkpointer=saver)

    async def run_one(agent, number: int, held=stack) -> str:  # whoever drops the stack closes the saver
        config = {"recursion_limit": 100, "configurable": {"thread_id": f"t-{number}"}}
        asked = {"messages": [{"role": "user", "content": REQUEST}]}
        return (await agent.ainvoke(asked, config))["messages"][-1].content

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
