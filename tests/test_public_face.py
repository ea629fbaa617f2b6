"""What a newcomer imports: that it is there, that it costs little, and that it touches nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import segue

HEAVY = """langgraph langchain_core openai aiohttp fastapi dbos sqlalchemy sqlglot numpy langfuse opentelemetry
guardrails typer rich genai_prices pydantic_monty weaviate aiosqlite uvicorn prometheus_client pydantic_settings
docstring_parser"""
PROBE = """
import json, sys
touched = []
def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "os.fork")):
        touched.append(event)
sys.addaudithook(hook)
before = set(sys.modules)
{line}
loaded = sorted({{name.split(".")[0] for name in set(sys.modules) - before}})
print(json.dumps({{"loaded": loaded, "touched": touched}}))
"""


def imported(line: str) -> dict[str, Any]:
    """What a fresh interpreter loads for this line, and what it touched."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROBE.format(line=line)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.stderr == ""
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.mark.parametrize("line", ["from segue import Agent, tool", "from segue import Agent, Planner, Team, tool"])
def test_the_first_import_loads_nothing_heavy_and_touches_no_network(line: str) -> None:
    found = imported(line)

    assert set(HEAVY.split()) & set(found["loaded"]) == set()
    assert found["touched"] == []


def test_every_public_name_is_importable_and_touches_no_network() -> None:
    found = imported("from segue import *\nimport segue.testing, segue.graphs, segue.router, segue.workspace")

    # A dependency of LangGraph's binds a socket of its own machine to learn whether there is IPv6.
    assert set(found["touched"]) <= {"socket.__new__", "socket.bind"}
    assert {"openai", "fastapi", "dbos", "langfuse", "weaviate", "guardrails"} & set(found["loaded"]) == set()


def test_importing_the_package_alone_loads_none_of_its_rooms_but_the_ground_floor() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import segue, sys; print([m for m in sys.modules if m.startswith('segue.')])"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip

    assert ran.stdout.strip() == "['segue._version', 'segue.base', 'segue.base.ports']"


@pytest.mark.parametrize("name", segue.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(segue, name)

    assert name in dir(segue)
    assert name == "__version__" or name in {"Event"} or value.__doc__


def test_a_name_that_is_not_there_is_an_ordinary_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'segue' has no attribute 'Agnet'"):
        segue.Agnet  # type: ignore[attr-defined]  # noqa: B018


def test_the_faces_of_the_rooms_give_the_same_classes() -> None:
    import segue.agents
    import segue.context
    import segue.tools
    import segue.workspace

    assert segue.Agent is segue.agents.Agent
    assert segue.RunContext is segue.context.RunContext
    assert segue.tool is segue.tools.tool
    assert segue.Run is segue.workspace.Run
