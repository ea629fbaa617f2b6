"""Pydantic AI with its model for OpenAI's chat completions."""

from __future__ import annotations

import _harness
from _task import INSTRUCTIONS, REQUEST, add


async def setup(base_url: str, model: str):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    chat = OpenAIChatModel(model, provider=OpenAIProvider(base_url=base_url, api_key="sk-mock"))

    def make_agent():
        return Agent(chat, tools=[add], system_prompt=INSTRUCTIONS)

    async def run_one(agent, number: int) -> str:
        return (await agent.run(REQUEST)).output

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
