"""A canary's share is set and taken back by one command, and running processes heed it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.cli.test_models import segue

from segue import Agent, Workspace

SETTINGS = """
[deployments.old]
engine = "offline"

[deployments.new]
engine = "offline"

[routes.candidate]
deployments = ["new"]

[routes.default]
deployments = ["old"]
canary = { route = "candidate", share = 1 }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "segue.toml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


async def answered_by(ws: Workspace) -> str:
    run = await ws.run(Agent("greeter"), "Hello!")
    (root,) = await ws.trace(run.id)
    return next(str(each.span.attributes["segue.deployment"]) for each in root.walk() if each.span.kind == "generation")


async def test_a_rollback_reaches_a_workspace_that_is_open(folder: Path) -> None:
    async with Workspace.open(folder) as ws:
        assert await answered_by(ws) == "new"

        code, out, err = await segue(folder, "models", "rollback", "default")
        assert code == 0, err
        assert "0 of the threads of route 'default' go by 'candidate'" in out
        await asyncio.sleep(1.1)

        assert await answered_by(ws) == "old"


async def test_a_route_without_a_canary_is_named_with_the_way_out(folder: Path) -> None:
    code, _, err = await segue(folder, "models", "canary", "candidate", "0.5")

    assert code == 2
    assert "route 'candidate' has no canary; those that have one: default" in " ".join(err.split())
