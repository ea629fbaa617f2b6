"""`segue new`: a folder with an agent, a tool, a document and a test, that runs as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AGENT = '''"""An agent with one tool and a folder of documents. Run it: segue run agent.py "What does tea cost?" """

from segue import Agent, Documents, tool

PRICES = {"tea": "2.80", "coffee": "3.20", "cake": "4.50"}


@tool(effect="read")
def price(item: str) -> str:
    """What an item on the menu costs.

    Args:
        item: The item, such as tea.
    """
    if item.lower() not in PRICES:
        raise ValueError(f"{item!r} is not on the menu; there are {', '.join(PRICES)}")
    return f"{item}: EUR {PRICES[item.lower()]}"


notes = Documents("notes/")
agent = Agent(
    "cafe",
    description="Answers questions about a small cafe.",
    instructions="Answer from the tools only. Cite the notes where they say it.",
    tools=[price, notes.search],
)
'''

NOTES = """# Opening hours

The cafe is open from 8:00 to 18:00 on weekdays and from 9:00 to 17:00 on Saturdays. It is closed on Sundays.

# Dogs

Dogs are welcome on the terrace, and inside outside the lunch hours.
"""

SETTINGS = """# Where models are. Without a route the first that answers is taken: OPENAI_BASE_URL, a model server on
# this machine, or the rules that need neither key nor network. `segue doctor` says which, and why.

# [deployments.local]
# engine = "vllm"
# endpoint = "http://127.0.0.1:8000/v1"
# model = "your-model"

# [deployments.hosted]
# engine = "openai"
# model = "gpt-5-mini"
# api_key = "env:OPENAI_API_KEY"

# [routes.fast]
# deployments = ["local", "hosted"]
"""

TEST = """from agent import agent, price
from segue import Agent, Workspace
from segue.testing import ScriptedModel, call


async def test_the_agent_tells_a_price(tmp_path):
    model = ScriptedModel([call("price", item="tea"), "Tea is EUR 2.80."])
    scripted = Agent("cafe", model=model, tools=[price])
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(scripted, "What does tea cost?")
    assert run.output == "Tea is EUR 2.80."
    assert run.trajectory[1]["result"] == "tea: EUR 2.80"
    assert agent.name == "cafe"
"""

FILES = {
    "agent.py": AGENT,
    "notes/cafe.md": NOTES,
    "segue.toml": SETTINGS,
    "test_agent.py": TEST,
    "pyproject.toml": '[tool.pytest.ini_options]\nasyncio_mode = "auto"\npythonpath = ["."]\n',
    ".gitignore": ".segue/\n*.audit.key\n.env\n__pycache__/\n",
}


def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
) -> None:
    """Make a folder with an agent that runs as it stands."""
    from segue.base.errors import BadInput

    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise BadInput(f"{folder} exists and is not empty.", way_out="Name a new folder; nothing was written.")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    print(f'\nNext:\n  cd {folder}\n  segue run agent.py "What does tea cost?"\n  segue chat agent.py\n  pytest')
