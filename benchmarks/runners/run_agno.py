"""agno, without a database."""

from __future__ import annotations

import _harness
from _task import INSTRUCTIONS, REQUEST, add


async def setup(base_url: str, model: str):
    from agno.agent import Agent
    from agno.models.openai import OpenAIChat

    chat = OpenAIChat(id=model, base_url=base_url, api_key="sk-mock")

    def make_agent():
        return Agent(model=chat, tools=[add], instructions=INSTRUCTIONS, telemetry=False)

    async def run_one(agent, number: int) -> str:
        return (await agent.arun(REQUEST, session_id=f"s-{number}")).content

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
