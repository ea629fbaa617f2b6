"""A server on loopback, and pages of a real Chromium on it; nothing outside that either could reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect
from tests.server.conftest import listening

from segue import Workspace
from segue.agents.runnable import Runnable
from segue.server import app
from segue.server.serving import Server
from segue.workspace.sections import ServerSection


@dataclass
class Site:
    """A server, and pages on it."""

    url: str
    server: Server
    outside: list[str] = field(default_factory=list)
    """What a page asked of any other host. Nothing of it got through."""
    said: list[str] = field(default_factory=list)
    """Errors in a page's console."""
    open: Callable[..., Awaitable[Page]] = None  # type: ignore[assignment]
    """`open(place="", width=1280, theme="light")`: a page in a browser context of its own."""


Visit = Callable[..., Awaitable[Site]]


@asynccontextmanager
async def visiting(folder: Path, chromium: str) -> AsyncIterator[Visit]:
    """Serves agents of a folder, and opens pages on them."""
    async with AsyncExitStack() as stack:
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking"],
        )
        stack.push_async_callback(browser.close)

        async def serve(agents: Sequence[Runnable], *, login: bool = False, jobs: bool = False) -> Site:
            ws = await stack.enter_async_context(Workspace.open(folder))
            section = ServerSection(requests_per_minute=100_000)
            application = app(ws, agents=agents, login=login, jobs=jobs, settings=section)
            url = await stack.enter_async_context(listening(application))
            site = Site(url, application.state.server)

            async def only_here(route: Route) -> None:
                if urlsplit(route.request.url).netloc == urlsplit(site.url).netloc:
                    await route.continue_()
                else:
                    site.outside.append(route.request.url)
                    await route.abort()

            async def open_page(
                place: str = "", *, width: int = 1280, height: int = 800, theme: Any = "light", **more: Any
            ) -> Page:
                context: BrowserContext = await browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **more
                )
                context.set_default_timeout(15_000)
                await context.route("**/*", only_here)
                stack.push_async_callback(context.close)
                page = await context.new_page()
                page.on("console", lambda told: site.said.append(told.text) if told.type == "error" else None)
                page.on("pageerror", lambda error: site.said.append(str(error)))
                await page.goto(f"{site.url}/#/{place}")
                return page

            site.open = open_page
            return site

        yield serve


async def send(page: Page, text: str) -> None:
    """Ask something in the chat, once nothing goes on there."""
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    await page.get_by_label("Message", exact=True).fill(text)
    await page.keyboard.press("Enter")


async def turn_to(page: Page, place: str, shows: str) -> None:
    """Go to a place of the page, and wait until it shows this."""
    await page.evaluate(f"location.hash = {('#/' + place)!r}")
    await expect(page.get_by_role("main").get_by_text(shows).first).to_be_visible()
