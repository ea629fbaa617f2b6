"""Documents over HTTP: searched, opened at a line, written and taken away; nothing leads out of the folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.conftest import Serve, Served

from segue import Agent, Documents, Planner, Team
from segue.testing import ScriptedModel, call

API = "/api/v1/documents"
RETURNS = (
    "---\nteam: shop\nyear: 2024\n---\n"
    "# Returns\n\nGoods come back within 30 days.\n\n## Damage\n\nSend a photograph.\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "handbook"
    made.mkdir()
    (made / "returns.md").write_text(RETURNS)
    (made / "hours.md").write_text("---\nteam: desk\n---\n# Hours\n\nWe are open from nine to six.\n")
    (tmp_path / "secret.md").write_text("# Not yours\n\nThe safe opens at 1234.\n")
    return made


async def served_with(serve: Serve, folder: Path, **more: Any) -> Served:
    handbook = Documents(folder, description="How the shop works.", index=folder.parent / "index.db", **more)
    model = ScriptedModel(lambda request: "done" if request.messages[-1]["role"] == "tool" else asks(request))
    clerk = Agent("clerk", description="Answers.", model=model, tools=[handbook])
    other = Agent("other", description="Helps.", model=model, tools=[handbook.search])
    team = Team("desk", planner=Planner(model=ScriptedModel([])), workers=[clerk, other])
    return await serve([clerk, team, Agent("plain", model=model)], login=True)


def asks(request: Any) -> Any:
    return call("search_handbook", query=request.messages[-1]["content"])


async def client_of(served: Served, tenant: str = "local", **more: Any) -> httpx.AsyncClient:
    more.setdefault("scopes", ("documents",))
    return served.client(await served.key(tenant, **more))


async def test_the_documents_of_agents_and_of_workers_are_listed_once(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))

    [told] = (await client.get(API)).json()["collections"]
    pages = (await client.get(f"{API}/handbook")).json()["pages"]

    assert told == {
        "name": "handbook", "description": "How the shop works.", "agents": ["clerk", "desk"], "pages": 2, "note": "",
    }  # fmt: skip
    assert [(each["path"], each["title"]) for each in pages] == [
        ("handbook/hours.md", "Hours"), ("handbook/returns.md", "Returns"),
    ]  # fmt: skip
    assert pages[1]["metadata"] == {"team": "shop", "year": 2024}
    assert len(pages[1]["version"]) > 10


async def test_a_passage_is_found_and_its_citation_opens_the_page_at_the_line(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder), read_only=True, scopes=())

    found = (await client.get(f"{API}/handbook/search", params={"q": "goods come back within days", "k": 1})).json()
    [passage] = found["passages"]
    lines = {name: passage[name] for name in ("path", "start_line", "end_line")}
    opened = (await client.get(f"{API}/handbook/page", params=lines)).json()

    assert "30 days" in passage["text"]
    assert opened["text"] == passage["text"]
    assert opened["citation"] == passage["citation"]
    assert opened["line_count"] == 11


@pytest.mark.parametrize(
    ("narrowed", "paths"),
    [
        ({"path": "handbook/h*"}, {"handbook/hours.md"}),
        ({"where": '{"team": "shop"}'}, {"handbook/returns.md"}),
        ({"where": '{"year": {"low": 2023}}'}, {"handbook/returns.md"}),
        ({"where": '{"team": ["desk", "x"]}'}, {"handbook/hours.md"}),
        ({"where": '{"team": "nobody"}'}, set()),
    ],
)
async def test_a_search_is_narrowed(serve: Serve, folder: Path, narrowed: dict[str, str], paths: set[str]) -> None:
    client = await client_of(await served_with(serve, folder))

    found = await client.get(f"{API}/handbook/search", params={"q": "goods open days hours returns", **narrowed})

    assert {each["path"] for each in found.json()["passages"]} == paths


async def test_what_is_written_is_found_by_agents_and_what_is_taken_away_is_not(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder), scopes=("documents",))
    page = {"path": "shipping/abroad.md", "text": "# Abroad\n\nParcels to Iceland take a fortnight.\n"}

    written = await client.post(f"{API}/handbook/pages", json=page)
    run = (await client.post("/api/v1/runs/wait", json={"agent": "clerk", "input": "parcels to Iceland"})).json()
    told = (await client.get(f"/api/v1/runs/{run['id']}/log")).text
    gone = await client.delete(f"{API}/handbook/pages", params={"path": "handbook/shipping/abroad.md"})
    again = await client.delete(f"{API}/handbook/pages", params={"path": "shipping/abroad.md"})
    left = (await client.get(f"{API}/handbook/search", params={"q": "parcels to Iceland fortnight"})).json()

    assert (written.status_code, written.json()["path"]) == (201, "handbook/shipping/abroad.md")
    assert re.search(r"handbook/shipping/abroad.md:\d+-\d+", told)
    assert (gone.status_code, again.status_code) == (204, 404)
    assert all("Iceland" not in each["text"] for each in left["passages"])
    assert [each.name for each in (folder / "shipping").iterdir()] == []


@pytest.mark.parametrize(
    "path",
    [
        "../secret.md", "/etc/passwd.md", "a/../../secret.md", ".hidden.md", "a/.b/c.md", "x.py", "x", "a//b.md",
        "linked/new.md", "link.md", "a\\b.md", "c:/x.md", "nul\x00.md", "new\nline.md", "n" * 300 + ".md",
        "returns.md/x.md", "folder.md",
    ],
)  # fmt: skip
async def test_nothing_outside_is_written_read_or_taken_away(serve: Serve, folder: Path, path: str) -> None:
    (folder.parent / "elsewhere").mkdir()
    (folder / "linked").symlink_to(folder.parent / "elsewhere")
    (folder / "link.md").symlink_to(folder.parent / "secret.md")
    (folder / "folder.md").mkdir()
    before = sorted(str(each) for each in folder.parent.rglob("*.md"))
    client = await client_of(await served_with(serve, folder))

    written = await client.post(f"{API}/handbook/pages", json={"path": path, "text": "mine"})
    read = await client.get(f"{API}/handbook/page", params={"path": path})
    gone = await client.delete(f"{API}/handbook/pages", params={"path": path})

    assert (written.status_code, read.status_code, gone.status_code) == (422, 404, 404)
    assert sorted(str(each) for each in folder.parent.rglob("*.md")) == before
    assert "1234" in (folder.parent / "secret.md").read_text()


async def test_writing_wants_the_scope_and_the_documents_own_tenant(serve: Serve, folder: Path) -> None:
    served = await served_with(serve, folder)
    page = {"path": "new.md", "text": "# New"}
    answers = []
    for tenant, more in (("local", {"scopes": ()}), ("other", {}), ("local", {"read_only": True})):
        client = await client_of(served, tenant, **more)
        answers.append((await client.post(f"{API}/handbook/pages", json=page)).status_code)
        answers.append((await client.delete(f"{API}/handbook/pages", params={"path": "returns.md"})).status_code)

    assert answers == [403] * 6
    assert not (folder / "new.md").exists()
    assert (folder / "returns.md").exists()


async def test_what_is_not_there_is_told_by_name(serve: Serve, folder: Path) -> None:
    served = await served_with(serve, folder)
    client = await client_of(served)

    unknown = await client.get(f"{API}/nobody")
    line = await client.get(f"{API}/handbook/page", params={"path": "returns.md", "start_line": 99})
    amiss = [
        (await client.get(f"{API}/handbook/search", params={"q": "x", "where": where})).status_code
        for where in ("{", "[]", '{"a": {}}', '{"a": {"low": 1, "high": "x"}}', '{"a": null}', '{"a": [[1]]}')
    ]
    binary = await client.post(f"{API}/handbook/pages", json={"path": "x.md", "text": "a\x00b"})
    folder.rename(folder.parent / "away")
    missing = [
        (await client.get(f"{API}/handbook{rest}")).status_code for rest in ("", "/search?q=x", "/page?path=returns.md")
    ]
    missing.append((await client.post(f"{API}/handbook/pages", json={"path": "x.md", "text": "x"})).status_code)
    [told] = (await client.get(API)).json()["collections"]

    assert (unknown.status_code, unknown.json()["error"]["way_out"]) == (404, "There are: handbook.")
    assert (line.status_code, binary.status_code) == (422, 422)
    assert amiss == [422] * 6
    assert missing == [409] * 4
    assert (told["pages"], told["note"]) == (0, "its folder is not there")
    assert str(folder.parent) not in str(told)
