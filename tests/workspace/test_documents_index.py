"""Documents without an index of their own are kept where the workspace's settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import Agent, Documents, Workspace
from segue.base.errors import ConfigError
from segue.memory.documents import SqliteIndex


async def test_an_agents_search_uses_the_index_of_the_workspace_that_it_runs_in(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "mill.md").write_text("# Mills\n\nA windmill grinds corn.\n")
    (tmp_path / "segue.toml").write_text('[documents]\nurl = "sqlite:///shared.db"\n')
    pages = Documents(tmp_path / "pages")
    miller = Agent("miller", tools=[pages.search], model="offline")

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(miller, "Search the pages for windmills.")
        assert isinstance(ws.documents, SqliteIndex)
        held = await ws.documents.sources(pages.scope)

    assert "[pages/mill.md:1-3]" in str(run.output)
    assert set(held) == {"pages/mill.md"}
    assert not (tmp_path / ".segue" / "documents.db").exists()


async def test_a_secret_that_is_not_there_is_named_when_the_workspace_opens(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text('[documents]\nurl = "postgresql://localhost/x"\nkey = "env:NOT_THERE"\n')

    with pytest.raises(ConfigError, match=r"\[documents\] key needs the environment variable NOT_THERE"):
        async with Workspace.open(tmp_path):
            pass
