"""`make screenshots`: each page, desktop and phone, in both themes, into `docs/screenshots`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, expect
from tests.web.browser import executable
from tests.web.scene import set_up
from tests.web.site import Site, turn_to, visiting

INTO = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
PAGES = {
    "graphs": ("graphs/desk", "start"),
    "runs": ("runs", "Check the damage refund"),
    "jobs": ("jobs", "nightly-figures"),
    "documents": ("documents/handbook", "returns.md"),
    "evals": ("evals", "Cases made of runs"),
    "models": ("models", "offline"),
    "settings": ("settings", "data_dir"),
}
"""Each with where it is, and something that it shows."""


async def main() -> None:
    """Take the pictures."""
    chromium = executable()
    if chromium is None:
        sys.exit("there is no Chromium: run .ci/browser, or name one in BROWSER_PATH")
    INTO.mkdir(exist_ok=True)
    for old in INTO.glob("*.jpg"):
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        async with visiting(Path(folder), chromium) as visit:
            site, thread = await set_up(visit, Path(folder))
            for size, (width, height) in SIZES.items():
                for theme in ("light", "dark"):
                    await _all(site, thread, f"{size}-{theme}", width, height, theme)


async def _all(site: Site, thread: str, name: str, width: int, height: int, theme: str) -> None:
    page = await site.open(width=width, height=height, theme=theme)
    await turn_to(page, "chat", "Talk to desk")
    await _take(page, f"welcome-{name}")
    await turn_to(page, f"chat/{thread}", "May refund_order run?")
    await _take(page, f"chat-{name}")
    first = page.locator("article[data-run]").first
    await first.scroll_into_view_if_needed()
    await first.get_by_role("heading", name="Plan").scroll_into_view_if_needed()
    await _take(page, f"plan-{name}")
    await first.get_by_role("button", name="how it came to this").click()
    await expect(page.locator('[data-node="end"]')).to_be_visible()
    await page.wait_for_timeout(600)
    await _take(page, f"graph-{name}")
    await page.get_by_role("tab", name="State").click()
    await expect(page.get_by_label("Step of the run")).to_be_visible()
    await page.get_by_label("Step of the run").fill("2")
    await page.wait_for_timeout(300)
    await _take(page, f"state-{name}")
    await page.get_by_role("tab", name="Trace").click()
    await page.get_by_role("button", name="generation support").first.click()
    await _take(page, f"trace-{name}")
    await page.get_by_role("button", name="Close", exact=True).click()
    await page.locator("[data-answer] [data-cite]").first.click()
    await expect(page.get_by_role("complementary")).to_be_visible()
    await page.wait_for_timeout(300)
    await _take(page, f"source-{name}")
    for key, (place, shows) in PAGES.items():
        await turn_to(page, place, shows)
        await page.wait_for_timeout(400)
        await _take(page, f"{key}-{name}")
    result = site.server.evals.results("local")
    await turn_to(page, f"evals/{result[0]['id']}", "95 % interval")
    await page.get_by_label("Compare with").select_option(index=1)
    await expect(page.get_by_text("chance alone")).to_be_visible()
    await _take(page, f"result-{name}")
    await turn_to(page, f"evals/{result[1]['id']}/{result[1]['failing'][0]}", "Expected")
    await _take(page, f"case-{name}")
    await page.context.close()


async def _take(page: Page, name: str) -> None:
    await page.screenshot(path=INTO / f"{name}.jpg", type="jpeg", quality=72)


if __name__ == "__main__":
    asyncio.run(main())
