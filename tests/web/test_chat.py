"""The chat in a real browser: words as they come, approvals side by side, stops, branches, sources, uploads, graphs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect
from tests.web import desk as desks
from tests.web.conftest import Visit, send
from tests.web.desk import desk

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(autouse=True)
def _hold() -> None:
    desks.HOLD = asyncio.Event()


class Wire:
    """A wire between a page and its server that can be cut."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_cut = False

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        self._is_cut = True
        for each in self._tasks:
            each.cancel()

    def mend(self) -> None:
        self._is_cut = False

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65_536):
                    target.write(data)
                    await target.drain()
            except (ConnectionError, asyncio.CancelledError):
                pass
            finally:
                target.close()

        for ends in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.get_running_loop().create_task(pump(*ends))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


async def test_an_answer_is_shown_with_its_tool_call_and_what_it_cost(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await expect(page.get_by_text("Talk to desk")).to_be_visible()

    await send(page, "Which order is 1042?")

    await expect(page.locator("[data-answer]")).to_have_text("It is a lantern.")
    card = page.locator('[data-tool="find_order"]')
    await card.click()
    await expect(card.get_by_text('"item":"lantern"')).to_be_visible()
    await expect(page.locator("[data-cost]")).to_be_visible()
    await expect(page.get_by_role("link", name="Which order is 1042?")).to_be_visible()
    await page.reload()
    await expect(page.locator("[data-answer]")).to_have_text("It is a lantern.")
    assert (site.outside, site.said) == ([], [])


async def test_two_approvals_at_once_are_answered_one_edited_and_one_rejected(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "Refund both")
    cards = page.get_by_role("region", name="Approval of refund")
    await expect(cards).to_have_count(2)

    await cards.first.get_by_role("button", name="Edit").click()
    await cards.first.get_by_label("amount_eur").fill("fifty")
    await cards.first.get_by_role("button", name="Run it with these").click()
    await expect(cards.first.get_by_text("This is no number: fifty")).to_be_visible()
    await cards.first.get_by_label("amount_eur").fill("50")
    await cards.first.get_by_role("button", name="Run it with these").click()
    await expect(cards).to_have_count(1)
    await cards.first.get_by_role("button", name="Reject").click()
    await cards.first.get_by_label("Why not?").fill("too much")
    await cards.first.get_by_role("button", name="Reject").click()

    said = page.locator("[data-answer]").last
    await expect(said).to_contain_text("order 1042 got 50 EUR back")
    await expect(said).to_contain_text("too much")
    assert site.said == []


async def test_a_run_is_stopped(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "wait for me")
    await expect(page.locator('[data-tool="wait"]')).to_be_visible()

    await page.get_by_role("button", name="Stop").click()

    await expect(page.get_by_text("stopped: cancelled")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_be_visible()


async def test_a_request_is_edited_and_both_branches_are_there(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "hello there")
    await expect(page.locator("[data-answer]")).to_contain_text("You said: hello there.")
    await send(page, "good night")
    await expect(page.locator("[data-answer]").last).to_contain_text("You said: good night.")

    await page.get_by_role("button", name="Edit and run again").last.click()
    await page.get_by_label("The request, edited").fill("good morning")
    await page.get_by_role("button", name="Run again from here").click()

    await expect(page.locator("[data-answer]").last).to_contain_text("You said: good morning.")
    await expect(page.get_by_text("another branch")).to_be_visible()
    await expect(page.get_by_text("You said: good night.")).to_be_visible()
    assert len(site.server.ws.runs()) == 3
    assert len({run.branch for run in site.server.ws.runs()}) == 2


async def test_a_citation_opens_its_source_at_the_line_and_an_upload_can_be_asked_about(
    visit: Visit, tmp_path: Path
) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "What is the policy on goods that come back within days?")
    await page.get_by_role("button", name="handbook/returns.md:").first.click()
    await expect(page.locator("[data-cited]").first).to_be_visible()
    await expect(page.locator("[data-cited]").filter(has_text="30 days")).to_have_count(1)
    await page.get_by_role("button", name="Close the source").click()

    note = tmp_path / "iceland.md"
    note.write_text("# Iceland\n\nParcels to Iceland take a fortnight.\n")
    await page.get_by_label("A text to upload").set_input_files(note)
    await expect(page.get_by_text("iceland.md can be asked about now.")).to_be_visible()
    await send(page, "How long do parcels to Iceland take?")

    await expect(page.locator("[data-answer]").last).to_contain_text("take a fortnight")
    await page.get_by_role("button", name="uploads/iceland.md:").first.click()
    await expect(page.locator("[data-cited]").filter(has_text="fortnight")).to_be_visible()


async def test_the_graph_is_drawn_and_its_nodes_light_in_order(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "wait for me")
    await expect(page.locator('[data-tool="wait"]')).to_be_visible()
    run = page.locator("[data-run]").last
    await run.get_by_role("button", name="watch it in the graph").click()
    graph = page.locator("[data-graph]")
    await expect(graph.locator('[data-node="act"]')).to_have_attribute("data-state", "active")
    for name in ("start", "generate", "act", "end"):
        box = await graph.locator(f'[data-node="{name}"]').bounding_box()
        assert box is not None
        assert box["width"] > 40
        assert box["height"] > 15
    await page.evaluate(
        """() => {
            window.lit = [];
            new MutationObserver((found) => {
                for (const each of found)
                    if (each.target.dataset.state === "active") window.lit.push(each.target.dataset.node);
            }).observe(document.querySelector("[data-graph]"), {attributes: true, subtree: true});
        }"""
    )
    desks.HOLD.set()
    await expect(page.locator("[data-answer]")).to_have_text("It waited.")

    await expect(graph.locator('[data-node="generate"]')).to_contain_text("\u00d72")
    await expect(graph.locator('[data-node="generate"]')).to_have_attribute("data-state", "done")
    assert "generate" in await page.evaluate("window.lit")
    await expect(graph.locator(".react-flow__edge").first).to_be_visible()
    await page.get_by_role("tab", name="Why").click()
    await expect(page.get_by_text("the model asked for wait")).to_be_visible()
    await page.get_by_role("tab", name="Trace").click()
    cost = await page.locator("[data-trace-cost]").inner_text()
    assert cost == await run.locator("[data-cost]").inner_text()


async def test_a_connection_that_drops_comes_back_and_misses_nothing(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    async with Wire(site.url) as wire:
        site.url = wire.url
        page = await site.open()
        await send(page, "wait for me")
        await expect(page.locator('[data-tool="wait"]')).to_be_visible()
        wire.cut()
        await expect(page.get_by_text("The connection is gone")).to_be_visible()
        desks.HOLD.set()

        wire.mend()

        await expect(page.locator("[data-answer]")).to_have_text("It waited.")
        await expect(page.get_by_text("The connection is gone")).to_have_count(0)


async def test_what_is_meant_to_do_harm_does_nothing_and_calls_nobody(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, f"harm {desks.EVIL}")
    await expect(page.locator("[data-answer]")).to_contain_text("[picture: leak]")
    await page.locator('[data-tool="harm"]').click()
    await page.get_by_role("button", name="how it came to this").click()
    await page.get_by_role("tab", name="Trace").click()

    assert await page.evaluate("window.pwned") is None
    assert site.outside == []
    links = await page.locator("[data-answer] a").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    assert set(links) == {"https://evil.example/?q=secret", "http://evil.example/x.css"}
    assert await page.locator("[data-answer] img, iframe, [data-answer] style").count() == 0


async def test_a_key_is_asked_for_and_two_tenants_do_not_see_each_other(visit: Visit, tmp_path: Path) -> None:
    from segue.server.keys import Key

    site = await visit([desk(tmp_path)], login=True)
    keys = {}
    for tenant in ("acme", "other"):
        keys[tenant], _ = await site.server.keys.add(Key(id="", tenant=tenant, user="ann", scopes=("*",)), now=1.0)
    pages = {}
    for tenant, secret in keys.items():
        page = pages[tenant] = await site.open()
        await page.get_by_label("Key").fill(secret)
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_text("Talk to desk")).to_be_visible()
    await send(pages["acme"], "our secret plan")
    await expect(pages["acme"].locator("[data-answer]")).to_contain_text("our secret plan")
    thread = pages["acme"].url.rpartition("/")[2]

    other = pages["other"]
    await other.get_by_role("link", name="Runs").click()
    await expect(other.get_by_text("Nothing has run yet")).to_be_visible()
    await other.evaluate(f"location.hash = '#/chat/{thread}'")
    await expect(other.get_by_text("There is no such conversation.")).to_be_visible()
    await other.get_by_role("button", name="New chat").click()
    await expect(other.get_by_text("Talk to desk")).to_be_visible()
    assert "secret plan" not in await other.content()
