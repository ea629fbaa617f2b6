"""What all tests stand on: a workspace in a folder of its own, and an environment without the machine's settings."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.postgres import postgres_server, postgres_url  # noqa: F401 - fixtures

from segue import Workspace


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("SEGUE_", "OPENAI_", "ANTHROPIC_", "LANGFUSE_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture
async def ws(tmp_path: Path) -> AsyncIterator[Workspace]:
    """A workspace on an empty folder."""
    async with Workspace.open(tmp_path) as workspace:
        yield workspace
