"""Every page in both themes and at every width: nothing that axe finds, nothing wider than the screen."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Page, expect
from tests.server.conftest import listening, result
from tests.web.conftest import Site, Visit, send
from tests.web.desk import desk

from segue.server import app
from segue.workspace.sections import ServerSection

ROOT = Path(__file__).parents[2]
WEB = ROOT / "src" / "segue" / "web"
PLAYGROUND = ROOT / "playground"
SOURCES = ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "src", "public")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
browser = pytest.mark.xdist_group("browser")


def test_the_page_is_built_of_the_sources_that_are_here() -> None:
    found = [path for name in SOURCES for path in _files(PLAYGROUND / name)]
    digest = hashlib.sha256()
    for name in sorted(path.relative_to(PLAYGROUND).as_posix() for path in found):
        digest.update(f"{name}\0".encode() + (PLAYGROUND / name).read_bytes() + b"\0")

    assert (WEB / "sources.sha256").read_text().strip() == digest.hexdigest(), "run: make web"


def _files(path: Path) -> list[Path]:
    return [each for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path]


def test_what_is_loaded_first_is_small_and_no_page_names_another_host() -> None:
    import gzip
    import re

    index = (WEB / "index.html").read_text()
    first = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', index))
    size = sum(len(gzip.compress((WEB / each).read_bytes())) for each in first)

    assert 20_000 < size < 150_000
    assert not list(WEB.rglob("*.map"))
    assert "http" not in re.sub(r"http-equiv", "", index)
    assert "resolved" not in (PLAYGROUND / "package-lock.json").read_text()


async def test_the_page_may_load_and_run_nothing_of_others(tmp_path: Path) -> None:
    async with (
        listening(app(tmp_path, settings=ServerSection())) as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as client,
    ):
        page = await client.get("/")
        asset = await client.get(f"/assets/{next(WEB.glob('assets/index-*.js')).name}")
        gone = [(await client.get(path)).status_code for path in ("/assets/none.js", "/assets/..%2f..%2f_version.py")]
        api = await client.get("/api/v1/agents")

    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "immutable" in asset.headers["cache-control"]
    assert (page.status_code, asset.status_code, gone, api.status_code) == (200, 200, [404, 404], 401)


async def _filled(site: Site) -> Page:
    page = await site.open()
    await send(page, "Which order is 1042? Say it with **bold** words.")
    await expect(page.locator("[data-answer]")).to_be_visible()
    await send(page, "Refund both")
    await expect(page.get_by_role("region", name="Approval of refund")).to_have_count(2)
    return page


PAGES = {
    "chat": "Talk to desk",
    "graphs": "generate",
    "runs": "Which order is 1042?",
    "jobs": "May refund run?",
    "documents": "handbook/returns.md",
    "evals": "Cases made of runs",
    "models": "What answers",
    "settings": "SQLite full-text search",
    "nowhere": "There is no such page",
}


OPENED = {
    "the form of an edit": "How much.",
    "the graph": "start",
    "the states": "What this step changed",
    "the trace": "spans",
    "the edges": "step",
    "a thumb": "Keep as a case",
    "a source": "the policy for returns",
}
"""What is opened in the conversation, one behind the other, and shows this."""


async def _opened(page: Page, what: str) -> None:
    match what:
        case "the form of an edit":
            await page.get_by_role("button", name="Edit", exact=True).first.click()
        case "the graph":
            await page.get_by_role("button", name="how it came to this").first.click()
        case "the states" | "the trace" | "the edges":
            await page.get_by_role("tab", name={"s": "State", "t": "Trace", "e": "Why"}[what.split()[1][0]]).click()
        case "a thumb":
            await page.get_by_role("button", name="Close", exact=True).click()
            await page.evaluate("location.hash = '#/chat'")
            await send(page, "What is the policy for returns and damage?")
            await expect(page.locator("[data-answer]")).to_be_visible()
            await page.get_by_role("button", name="Helpful", exact=True).click()
        case "a source":
            await page.locator("[data-cite]").first.click()
            await expect(page.get_by_role("complementary")).to_contain_text("# Returns")


@browser
@pytest.mark.timeout(300)
async def test_no_page_breaks_a_rule_of_accessibility_or_is_wider_than_its_screen(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    first, second = result(), result()
    for each in (first, second):
        site.server.evals.keep("local", each)
    results = {f"evals/{first.id}": "95 % interval", f"evals/{first.id}/count": "Expected"}
    filled = await _filled(site)
    talk, run = filled.url.partition("#/")[2], f"runs/{site.server.ws.runs()[0].id}"
    axe = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
    amiss: list[tuple[str, str, Any]] = []
    for theme in ("light", "dark"):
        page = await site.open(theme=theme)
        await page.evaluate(axe)
        for place, shows in {**PAGES, **results, run: "generation", talk: "May refund run?", **OPENED}.items():
            if place in OPENED:
                await _opened(page, place)
            else:
                await page.evaluate(f"location.hash = '#/{place}'")
            await expect(page.get_by_role("main").get_by_text(shows).first).to_be_visible()
            found = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
            assert len(found["passes"]) > 10
            amiss += [
                (theme, place, (each["id"], [node["html"] for node in each["nodes"]])) for each in found["violations"]
            ]
            for width in (390, 768, 1280, 1920):
                await page.set_viewport_size({"width": width, "height": 844})
                wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                amiss += [(theme, place, f"{wide} px wider than {width}")] if wide > 0 else []
            await page.set_viewport_size({"width": 1280, "height": 800})

    assert amiss == []
    assert site.outside == []


@browser
async def test_everything_is_reached_by_the_keyboard(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await expect(page.get_by_text("Talk to desk")).to_be_visible()

    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.type("documents")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Documents")).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.type("graph of desk")
    await page.keyboard.press("Enter")
    await expect(page.locator('[data-node="generate"]')).to_be_visible()
    await page.keyboard.press("Control+k")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    reached = set()
    for _ in range(30):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate("document.activeElement.textContent || document.activeElement.ariaLabel"))
    assert {"New chat", "Chat", "Graphs", "Runs", "Jobs", "Documents", "Evals", "Models", "Settings"} <= {
        str(each).strip() for each in reached
    }


@browser
async def test_a_phone_has_the_same_behind_its_menu(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open(width=390, height=844, has_touch=True)
    await page.get_by_role("button", name="Open the menu").tap()

    await page.get_by_role("link", name="Runs").tap()

    await expect(page.get_by_text("Nothing has run yet")).to_be_visible()
    await expect(page.get_by_role("link", name="Runs")).to_have_count(0)


@browser
@pytest.mark.timeout(180)
async def test_a_schedule_is_made_fired_and_seen_in_its_history(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "night.py").write_text(
        "from segue import Agent\nfrom segue.testing import ScriptedModel\n"
        "night = Agent('night', model=ScriptedModel(lambda request: 'All is quiet.'))\n"
    )
    site = await visit([], jobs=True)
    page = await site.open("jobs")
    await expect(page.get_by_text("Nothing is scheduled")).to_be_visible()
    await page.get_by_role("button", name="New schedule").click()
    await page.get_by_label("Name").fill("nightly")
    await page.get_by_label("What it is asked").fill("How was the night?")
    await page.get_by_label("When").fill("99 2 * * *")
    await page.get_by_role("button", name="Make it").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_label("When").fill("30 2 * * *")
    await page.get_by_role("button", name="Make it").click()

    row = page.locator('[data-schedule="nightly"]')
    await row.get_by_role("button", name="Run now").click()
    await row.get_by_role("button", name="History").click()

    await expect(row.locator("[data-firing]")).to_have_count(1)
    await row.get_by_role("link", name="run", exact=True).click()
    await expect(page.get_by_text("completed")).to_be_visible(timeout=30_000)
    await page.get_by_text("Answer").click()
    await expect(page.get_by_text("All is quiet.")).to_be_visible()


@pytest.mark.long
def test_the_wheel_brings_the_page(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300)
    (wheel,) = tmp_path.glob("segue-*.whl")

    names = set(zipfile.ZipFile(wheel).namelist())

    here = {f"segue/web/{path.relative_to(WEB).as_posix()}" for path in WEB.rglob("*") if path.is_file()}
    assert here <= names
    assert not any("playground" in each or "node_modules" in each for each in names)
