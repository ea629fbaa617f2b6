"""Documents over HTTP: searched, opened at a line; what a tenant uploads is found by its runs, and by no others."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.conftest import Serve, Served

from segue import Agent, Documents, Planner, Team
from segue.memory.documents.uploads import Texts
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


async def client_of(served: Served, tenant: str = "acme", **more: Any) -> httpx.AsyncClient:
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
    client = await client_of(await served_with(serve, folder), read_only=True)

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


async def test_what_is_uploaded_is_found_by_the_tenants_runs_until_it_is_taken_away(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))
    page = {"path": "shipping/abroad.md", "text": "# Abroad\n\nParcels to Iceland take a fortnight.\n"}

    written = (await client.post(f"{API}/handbook/pages", json=page)).json()
    told = await told_of(client, "parcels to Iceland")
    pages = (await client.get(f"{API}/handbook")).json()["pages"]
    cited: dict[str, str | int] = {"path": f"[{written['path']}:1-3]", "start_line": 3}
    opened = (await client.get(f"{API}/handbook/page", params=cited)).json()
    gone = await client.delete(f"{API}/handbook/pages", params={"path": "uploads/shipping/abroad.md"})
    again = await client.delete(f"{API}/handbook/pages", params={"path": "shipping/abroad.md"})
    left = (await client.get(f"{API}/handbook/search", params={"q": "parcels to Iceland fortnight"})).json()
    closed = await client.get(f"{API}/handbook/page", params={"path": written["path"]})

    assert (written["path"], written["title"], written["uploaded"]) == ("uploads/shipping/abroad.md", "Abroad", True)
    assert re.search(r"uploads/shipping/abroad.md:\d+-\d+", told)
    assert [each["path"] for each in pages if each["uploaded"]] == ["uploads/shipping/abroad.md"]
    assert opened["text"] == "Parcels to Iceland take a fortnight."
    assert (gone.status_code, again.status_code, closed.status_code) == (204, 404, 404)
    assert all("Iceland" not in each["text"] for each in left["passages"])
    assert sorted(each.name for each in folder.iterdir()) == ["hours.md", "returns.md"]


async def test_what_a_tenant_uploads_is_there_for_no_other(serve: Serve, folder: Path) -> None:
    served = await served_with(serve, folder)
    ours, theirs = await client_of(served), await client_of(served, "other", scopes=("*",))
    page = {"path": "plan.md", "text": "# Plan\n\nWe open a shop in Reykjavik.\n"}
    await ours.post(f"{API}/handbook/pages", json=page)

    found = (await theirs.get(f"{API}/handbook/search", params={"q": "open a shop in Reykjavik"})).text
    read = await theirs.get(f"{API}/handbook/page", params={"path": "uploads/plan.md"})
    listed = (await theirs.get(f"{API}/handbook")).text
    gone = await theirs.delete(f"{API}/handbook/pages", params={"path": "uploads/plan.md"})
    told = await told_of(theirs, "open a shop in Reykjavik")
    own = {**page, "text": "# Plan\n\nNothing yet.\n"}
    mine = await theirs.post(f"{API}/handbook/pages", json=own)
    kept = (await ours.get(f"{API}/handbook/page", params={"path": "uploads/plan.md"})).json()

    assert "Reykjavik" not in found + listed
    assert "a shop in Reykjavik.\\n" not in told
    assert (read.status_code, gone.status_code, mine.status_code) == (404, 404, 201)
    assert "Reykjavik" in kept["text"]


async def test_a_page_that_is_uploaded_again_takes_the_place_of_the_old_one(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))
    for text in ("The code is swallow.", "The code is heron.", "The code is heron."):
        await client.post(f"{API}/handbook/pages", json={"path": "code.md", "text": text})

    found = (await client.get(f"{API}/handbook/search", params={"q": "the code", "path": "uploads/*"})).json()

    assert [each["text"] for each in found["passages"]] == ["The code is heron."]
    stored = b"".join(each.read_bytes() for each in (folder.parent / ".segue").glob("artefacts.db*"))
    assert b"swallow" not in stored


async def test_uploads_outlive_the_index_that_finds_them(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))
    for number, text in enumerate(("The code is swallow.", "The code is heron.", "The door is blue.")):
        page = {"path": "code.md" if number < 2 else "door.md", "text": text}
        await client.post(f"{API}/handbook/pages", json=page)
    with sqlite3.connect(folder.parent / "index.db") as db:
        db.executescript("DELETE FROM chunks; DELETE FROM sources; UPDATE generation SET number = number + 1;")
    db.close()

    pages = (await client.get(f"{API}/handbook")).json()["pages"]
    found = (await client.get(f"{API}/handbook/search", params={"q": "the code", "path": "uploads/code.md"})).json()

    assert [each["path"] for each in pages if each["uploaded"]] == ["uploads/code.md", "uploads/door.md"]
    assert [each["text"] for each in found["passages"]] == ["The code is heron."]


async def test_a_key_in_an_upload_is_not_kept(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))
    secret = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3

    await client.post(
        f"{API}/handbook/pages", json={"path": "env.md", "text": f"# Set-up\n\nOPENAI_API_KEY={secret}\n"}
    )

    text = (await client.get(f"{API}/handbook/page", params={"path": "uploads/env.md"})).json()["text"]
    assert text == "# Set-up\n\nOPENAI_API_KEY=[secret]"
    stored = b"".join(each.read_bytes() for each in folder.parent.rglob("*.db*"))
    assert secret.encode() not in stored


@pytest.mark.parametrize(
    "path",
    [
        "../secret.md", "/etc/passwd.md", "a/../../secret.md", ".hidden.md", "a/.b/c.md", "x.py", "x", "a//b.md",
        "a\\b.md", "c:/x.md", "nul\x00.md", "new\nline.md", "n" * 300 + ".md", "uploads/../x.md", "a[1].md",
    ],
)  # fmt: skip
async def test_a_path_that_leads_elsewhere_is_no_pages(serve: Serve, folder: Path, path: str) -> None:
    (folder / "link.md").symlink_to(folder.parent / "secret.md")
    client = await client_of(await served_with(serve, folder))

    written = await client.post(f"{API}/handbook/pages", json={"path": path, "text": "mine"})
    read = await client.get(f"{API}/handbook/page", params={"path": path})
    gone = await client.delete(f"{API}/handbook/pages", params={"path": path})
    link = await client.get(f"{API}/handbook/page", params={"path": "link.md"})

    assert (written.status_code, read.status_code, gone.status_code, link.status_code) == (422, 404, 404, 404)


async def test_who_may_only_look_uploads_nothing_and_pages_of_the_folder_stay(serve: Serve, folder: Path) -> None:
    served = await served_with(serve, folder)
    looker, client = await client_of(served, read_only=True), await client_of(served)
    page = {"path": "new.md", "text": "# New"}

    refused = await looker.post(f"{API}/handbook/pages", json=page)
    kept = await client.delete(f"{API}/handbook/pages", params={"path": "handbook/returns.md"})

    assert (refused.status_code, kept.status_code) == (403, 404)
    assert (folder / "returns.md").exists()


async def told_of(client: httpx.AsyncClient, question: str) -> str:
    """What a run told that asked this."""
    run = (await client.post("/api/v1/runs/wait", json={"agent": "clerk", "input": question})).json()
    assert run["status"] == "completed", run
    return (await client.get(f"/api/v1/runs/{run['id']}/log")).text


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
    [told] = (await client.get(API)).json()["collections"]

    assert (unknown.status_code, unknown.json()["error"]["way_out"]) == (404, "There are: handbook.")
    assert (line.status_code, binary.status_code) == (422, 422)
    assert amiss == [422] * 6
    assert missing == [409] * 3
    assert (told["pages"], told["note"]) == (0, "its folder is not there")
    assert str(folder.parent) not in str(told)


@pytest.mark.parametrize(
    "amiss",
    [
        "a: &a [*a]", "a: !!int ''", "a: !!bool maybe", "a: !!timestamp soon", "a: 0x" + "f" * 8000, 'a: "\\ud800"',
        '"\\ud800": 1', "a: " + "[" * 4000, "a: &a {k: v}\nb: {<<: [*a, *a]}",
    ],
)  # fmt: skip
async def test_front_matter_that_is_amiss_hides_neither_its_page_nor_others(
    serve: Serve, folder: Path, amiss: str
) -> None:
    text = f"---\n{amiss}\n---\n# Parrots\n\nParrots may come along.\n"
    (folder / "parrots.md").write_text(text)
    client = await client_of(await served_with(serve, folder))

    written = await client.post(f"{API}/handbook/pages", json={"path": "parrots.md", "text": text})
    pages = await client.get(f"{API}/handbook")
    found = (await client.get(f"{API}/handbook/search", params={"q": "parrots may come along"})).json()

    assert (written.status_code, pages.status_code, len(pages.json()["pages"])) == (201, 200, 4)
    assert {each["path"] for each in found["passages"]} >= {"handbook/parrots.md", "uploads/parrots.md"}


async def test_a_file_whose_name_is_not_utf8_is_left_out_and_the_others_are_served(serve: Serve, folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("# Coffee")
    client = await client_of(await served_with(serve, folder))

    answers = [await client.get(f"{API}/handbook{rest}") for rest in ("", "/search?q=goods", "/page?path=none.md")]

    assert [each.status_code for each in answers] == [200, 200, 404]
    assert len(answers[0].json()["pages"]) == 2


async def test_uploads_of_one_page_at_the_same_time_leave_one_of_them_whole(serve: Serve, folder: Path) -> None:
    client = await client_of(await served_with(serve, folder))
    for _ in range(5):
        pages = [{"path": "code.md", "text": f"The code is {number % 2}."} for number in range(8)]
        await asyncio.gather(*(client.post(f"{API}/handbook/pages", json=page) for page in pages))

        kept = await client.get(f"{API}/handbook/page", params={"path": "uploads/code.md"})

        assert kept.json()["text"] in ("The code is 0.", "The code is 1.")


async def test_a_page_whose_text_another_process_took_away_while_it_was_kept_is_kept_anew(
    serve: Serve, folder: Path
) -> None:
    ws = (await served_with(serve, folder)).server.ws
    handbook = Documents(folder, name="handbook", description="How the shop works.", index=folder.parent / "index.db")

    class Between(Texts):
        """The artefact store, but another process keeps the page whenever this one has put its text."""

        def put(self, tenant: str, data: bytes, media_type: str = "") -> str:
            found = ws.artefacts.put(tenant, data, media_type)
            if not others:
                others.append("kept")
                asyncio.run(handbook.uploads("acme", ws.artefacts).save("code.md", "theirs"))
            return found

        def get(self, tenant: str, artefact_id: str) -> tuple[str, bytes]:
            return ws.artefacts.get(tenant, artefact_id)

        def erase(self, tenant: str, artefact_id: str) -> None:
            ws.artefacts.erase(tenant, artefact_id)

        def of_type(self, tenant: str, media_type: str) -> list[str]:
            return ws.artefacts.of_type(tenant, media_type)

    others: list[str] = []
    mine = handbook.uploads("acme", Between())
    await mine.save("code.md", "mine")

    assert others == ["kept"]
    assert await mine.text("uploads/code.md") == "mine"
