"""OpenAI's agents SDK over chat completions, its tracing off."""

from __future__ import annotations

import importlib

import _harness
from _task import INSTRUCTIONS, REQUEST, add

PACKAGE = "agents"
"""OpenAI's, which shares its name with a folder of this repository."""


async def setup(base_url: str, model: str):
    from openai import AsyncOpenAI

    sdk = importlib.import_module(PACKAGE)
    sdk.set_tracing_disabled(True)
    chat = sdk.OpenAIChatCompletionsModel(model=model, openai_client=AsyncOpenAI(base_url=base_url, api_key="sk-mock"))
    tool = sdk.function_tool(add)

    def make_agent():
        return sdk.Agent(name="adder", instructions=INSTRUCTIONS, model=chat, tools=[tool])

    async def run_one(agent, number: int) -> str:
        return (await sdk.Runner.run(agent, REQUEST, max_turns=20)).final_output

    return make_agent, run_one


if __name__ == "__main__":
    _harness.main(setup)
