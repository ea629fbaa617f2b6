"""The notebooks run from top to bottom, offline, and show what they promise."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.notebooks.execute import read

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NOT_OURS = ("SEGUE_", "OPENAI_", "ANTHROPIC_", "LANGFUSE_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")
DEAD = "http://127.0.0.1:9"
"""A proxy that nobody is behind."""

pytestmark = pytest.mark.xdist_group("notebooks")


def outputs(notebook: Any) -> Iterator[dict[str, str]]:
    """What each cell shows, by media type; printed text is `text/plain`."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield {"text/plain": output.text} if output.output_type == "stream" else dict(output.get("data", {}))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The first notebook after a run in a folder of its own, without network, key or model server."""
    folder = tmp_path_factory.mktemp("first")
    env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    env |= {"SEGUE_ROUTER__DETECT": "false", "HTTP_PROXY": DEAD, "HTTPS_PROXY": DEAD, "http_proxy": DEAD}
    env |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    target = folder / "done.ipynb"
    command = [sys.executable, str(Path(__file__).with_name("execute.py")), str(NOTEBOOKS / "01_first_agent.ipynb")]
    done = subprocess.run(
        [*command, str(target)], cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return read(target)


def test_the_first_notebook_draws_its_graphs(first: Any) -> None:
    shown = list(outputs(first))

    assert any("generate -.-> act" in each.get("text/vnd.mermaid", "") for each in shown)
    assert len([each for each in shown if each.get("image/png")]) == 2


def test_the_first_notebook_shows_its_runs_as_tables(first: Any) -> None:
    tables = [each["text/html"] for each in outputs(first) if "<table>" in each.get("text/html", "")]

    assert len(tables) == 3
    assert all(">status</th><td><pre>completed<" in table for table in tables)


def test_the_first_notebook_waits_for_an_approval_and_then_refunds(first: Any) -> None:
    printed = [each.get("text/plain", "") for each in outputs(first)]

    asked = next(text for text in printed if text.startswith("waiting | refund_order {'order_id': 1042}"))
    assert asked.splitlines()[1] == "delivered"
    assert printed[printed.index(asked) + 1].strip() == "refunded"


def test_the_first_notebook_prints_why_each_edge_was_taken(first: Any) -> None:
    (trace,) = [text for each in outputs(first) if (text := each.get("text/plain", "")).startswith("run        clerk")]

    assert "generate → act (the model asked for find_order)" in trace
    assert "act → generate (1 tool result)" in trace


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_kept_with_its_outputs_and_without_a_warning(path: Path) -> None:
    notebook = read(path)

    assert any("image/png" in each for each in outputs(notebook))
    kept = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output for output in kept if output.output_type == "error" or output.get("name") == "stderr"] == []
