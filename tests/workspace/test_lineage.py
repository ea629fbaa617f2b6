"""Lineage: what an answer came from, which answers used a document, and what is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue import Agent, BadInput, Documents, Principal, Workspace, tool
from segue.agents.run import Run
from segue.testing import ScriptedModel, call

CITED = "Within 30 days [handbook/returns.md:1-3]."


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nWithin 30 days.\n", encoding="utf-8")
    (folder / "tea.md").write_text("# Tea\n\nBlack, green, white.\n", encoding="utf-8")
    return folder


def clerk(handbook: Path, *answers: Any, name: str = "clerk") -> Agent:
    return Agent(name, model=ScriptedModel(list(answers)), tools=[Documents(handbook)])


SEARCH = call("search_handbook", query="returns within days", k=1)
READ = call("read_handbook", path="handbook/tea.md")


async def test_an_answer_leads_to_its_generations_calls_and_the_documents_behind_its_citations(
    ws: Workspace, handbook: Path
) -> None:
    run = await ws.run(clerk(handbook, SEARCH, READ, CITED), "How long?")

    found = await ws.lineage(run.id)

    (citation,) = found.citations
    (origin,) = citation.origins
    sources = await Documents(handbook).sources(shared=ws.documents)
    assert citation.place == "[handbook/returns.md:1-3]"
    assert (origin.path, origin.cited, origin.run_id) == ("handbook/returns.md", True, run.id)
    assert origin.version == sources["handbook/returns.md"].version
    assert [each.name for each in found.tools] == ["search_handbook", "read_handbook"]
    assert origin.span_id == found.tools[0].span_id
    assert len(found.generations) == 3
    assert {path: cited for (path, _), cited in found.documents.items()} == {
        "handbook/returns.md": True, "handbook/tea.md": False,
    }  # fmt: skip


async def test_a_search_and_a_page_have_the_same_version(ws: Workspace, handbook: Path) -> None:
    run = await ws.run(clerk(handbook, SEARCH, call("read_handbook", path="handbook/returns.md"), "done"), "?")

    ws.tracer.flush()
    versions = {each.version for each in ws.traces.uses(run.id, tenant="local") if each.name.endswith("returns.md")}

    assert len(versions) == 1
    assert versions != {""}


async def test_a_citation_that_no_tool_showed_says_so(ws: Workspace, handbook: Path) -> None:
    run = await ws.run(clerk(handbook, SEARCH, "So [handbook/returns.md:1-99] and [made/up.md:1]."), "?")

    found = await ws.lineage(run.id)

    assert [(each.place, each.origins) for each in found.citations] == [
        ("[handbook/returns.md:1-99]", ()), ("[made/up.md:1-1]", ()),
    ]  # fmt: skip


async def test_what_an_earlier_run_of_the_thread_showed_is_found_there(ws: Workspace, handbook: Path) -> None:
    agent = clerk(handbook, SEARCH, "Found it.", CITED)
    first = await ws.run(agent, "Look.", thread_id="t")
    second = await ws.run(agent, "Say it.", thread_id="t")

    (citation,) = (await ws.lineage(second.id)).citations

    assert [each.run_id for each in citation.origins] == [first.id]


async def test_a_document_leads_to_the_answers_that_used_it_by_version(ws: Workspace, handbook: Path) -> None:
    old = await ws.run(clerk(handbook, SEARCH, CITED), "?")
    (handbook / "returns.md").write_text("# Returns\n\nWithin 14 days only.\n", encoding="utf-8")
    new = await ws.run(clerk(handbook, SEARCH, "No idea."), "?")
    await ws.run(clerk(handbook, READ, "Tea."), "?")

    found = await ws.answers_using(document="returns.md")

    assert [(each.run_id, each.cited) for each in found] == [(new.id, False), (old.id, True)]
    assert found[0].version != found[1].version
    only = await ws.answers_using(document="handbook/returns.md", version=found[1].version[:12])
    assert [each.run_id for each in only] == [old.id]
    assert await ws.answers_using(document="eturns.md") == []
    assert await ws.answers_using(document="%.md") == []
    assert await ws.answers_using(document="returns.md", principal=Principal("other", "ann")) == []


async def test_what_a_model_reads_of_a_passage_holds_no_version(ws: Workspace, handbook: Path) -> None:
    agent = clerk(handbook, SEARCH, "done")
    run = await ws.run(agent, "?", thread_id="t")

    ws.tracer.flush()
    version = ws.traces.uses(run.id, tenant="local")[0].version
    assert version
    assert version not in str(await ws.messages("t", agent=agent))


@tool(effect="read")
def dump() -> str:
    """Everything."""
    return "row\n" * 20_000


async def dumped(ws: Workspace, name: str, user: str = "ann") -> Run:
    agent = Agent(name, model=ScriptedModel([call("dump"), "done"]), tools=[dump])
    return await ws.run(agent, "?", principal=Principal("acme", user))


async def test_forgetting_a_run_takes_its_spans_and_the_artefacts_that_only_it_has(ws: Workspace) -> None:
    acme = Principal("acme", "ann")
    first, second = await dumped(ws, "a"), await dumped(ws, "b")
    (step,) = (await ws.lineage(first.id, principal=acme)).tools
    assert step.artefact_id

    gone = await ws.forget_traces(first.id, principal=acme)
    assert (gone.spans > 0, gone.artefacts) == (True, ())
    assert await ws.trace(first.id, principal=acme) == []
    assert ws.artefacts.get("acme", step.artefact_id)

    gone = await ws.forget_traces(second.id, principal=acme)
    assert gone.artefacts == (step.artefact_id,)
    with pytest.raises(BadInput):
        ws.artefacts.get("acme", step.artefact_id)
    assert ws.get(second.id, principal=acme).status == "completed"


async def test_forgetting_a_user_takes_all_their_runs_and_nobody_elses_and_leaves_the_audit_log_whole(
    ws: Workspace,
) -> None:
    from segue.tracing.audit_check import verify
    from segue.workspace.watching import audit_key

    anns = [await dumped(ws, "a"), await dumped(ws, "b")]
    bobs = await dumped(ws, "c", user="bob")
    acme = Principal("acme", "ann")

    gone = await ws.forget_traces(user="ann", principal=acme)

    assert gone.spans > 0
    assert [await ws.trace(each.id, principal=acme) for each in anns] == [[], []]
    assert await ws.trace(bobs.id, principal=acme) != []
    assert ws.audit is not None
    ws.audit.flush(anchor=True)
    assert verify(ws.audit.path, audit_key(ws.settings.audit, ws.data_dir, {})).ok
    content = b"".join(path.read_bytes() for path in ws.data_dir.glob("traces.db*"))
    assert all(each.id.encode() not in content for each in anns)
    assert bobs.id.encode() in content


async def test_what_to_forget_is_said_by_one_thing(ws: Workspace) -> None:
    with pytest.raises(BadInput, match="one of"):
        await ws.forget_traces()
    with pytest.raises(BadInput, match="one of"):
        await ws.forget_traces("run_1", user="ann")
