"""Microsoft's agent-framework with its client for chat completions."""

from __future__ import annotations

import _harness
from _task import INSTRUCTIONS, REQUEST, add


async def setup(base_url: str, model: str):
    from agent_framework import Agent
    from agent_framework_openai import OpenAIChatCompletionClient

    client = OpenAIChatCompletionClient(model=model, base_url=base_url, api_key="sk-mock")

    def make_agent():
        return Agent(client=client, instructions=INSTRUCTIONS, tools=[add])

    async def run_one(agent, number: int) -> str:
        return (await agent.run(REQUEST)).text

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
