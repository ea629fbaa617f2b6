"""A planted key and a planted address: the key is nowhere, the address only where an agent must be able to see it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from segue import Agent, Documents, Edit, Planner, Team, Workspace, tool
from segue.guards import no_pii
from segue.testing import ScriptedModel, call

KEY = "sk-proj-Zx81kQpLm42VnTyRwE7sHd93bGcXfA65"
MAIL = "planted.person@example.org"
PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\n-----END PRIVATE KEY-----"
SEEN_BY_AGENTS = ("checkpoints.db", "state.db", "runs.db", "documents.db", "artefacts.db")
"""Files of the data folder that hold what a model reads."""


@tool(effect="read")
def look_up(query: str) -> str:
    """Look something up."""
    return f"the key is {KEY}, the owner {MAIL}"


@tool(effect="read")
def breaks(query: str) -> str:
    """Look something up, badly."""
    raise RuntimeError(f"cannot sign in with {KEY} as {MAIL}")


@tool(effect="write", approval=True)
def write_down(text: str) -> str:
    """Write something down."""
    return f"wrote {text}"


def files_with(folder: Path, needle: str) -> set[str]:
    """The files below the folder that hold these bytes."""
    return {path.name for path in folder.rglob("*") if path.is_file() and needle.encode() in path.read_bytes()}


async def test_a_planted_key_is_in_no_file_and_no_prompt_and_an_address_only_where_agents_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "note.md").write_text(f"# Access\n\nThe key is {KEY}.\n\n{PEM}\n\nAsk {MAIL}.\n", encoding="utf-8")
    data = tmp_path / "data"
    data.mkdir()
    notes = Documents(pages, index=data / "documents.db")
    model = ScriptedModel([
        call("look_up", query="a"), call("breaks", query="b"), call("search_pages", query="access key"),
        call("write_down", text="x"), f"The owner is {MAIL}.",
    ])  # fmt: skip
    clerk = Agent("clerk", description="Works.", model=model, tools=[look_up, breaks, notes.search, write_down])
    plan = call("submit_plan", tasks=[{"id": "t1", "worker": "clerk", "task": "look", "depends_on": []}])
    planner = ScriptedModel([plan, f"Done; the owner is {MAIL}."])
    desk = Team("desk", planner=Planner(model=planner), workers=[clerk], guards=[no_pii(places=("output",))])

    with caplog.at_level(logging.DEBUG, logger="segue"):
        async with Workspace.open(tmp_path, data_dir=data) as ws:
            waiting = await ws.run(desk, f"My key is {KEY} and my address {MAIL}. {PEM}", thread_id="t")
            asked = waiting.interrupts[0]
            run = await ws.resume(waiting.id, {asked.id: Edit({"text": f"{KEY} of {MAIL}"})})
            metrics = ws.metrics.render()

    told = str([request.messages for request in (*model.requests, *planner.requests)])
    assert run.status == "completed", run.error
    assert KEY not in told
    assert "MIIEvQIBADANBg" not in told
    assert MAIL in told
    assert files_with(data, KEY) == set()
    assert files_with(data, "MIIEvQIBADANBg") == set()
    assert MAIL not in run.output
    assert files_with(data, MAIL) <= {name + end for name in SEEN_BY_AGENTS for end in ("", "-wal")}
    assert MAIL.encode() not in metrics
    assert KEY not in caplog.text


async def test_a_page_with_a_key_keeps_its_line_numbers(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.md").write_text(f"one\n{PEM}\nafter the key\n", encoding="utf-8")
    notes = Documents(tmp_path / "pages", index=tmp_path / "index.db")

    found = await notes.lines("pages/a.md", 5)

    assert found.text.strip() == "after the key"
