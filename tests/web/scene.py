"""A scene for pictures and figures: the example desk with a conversation, schedules, an upload and two results."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import expect
from tests.web.site import Site, Visit, send

from segue.evals import Case, Experiment, load_cases

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
ASKED = (
    "What does the handbook say about damaged items refunded without return? "
    "Sum the amount_cents of refund_facts by category since 2026-01-01. "
    "Then plot that table as a bar chart."
)


async def set_up(visit: Visit, folder: Path) -> tuple[Site, str]:
    """Serve the desk, and have people and schedules do something; the site, and the conversation's thread."""
    sys.path.insert(0, str(SHOP))
    try:
        from desk import fresh_desk  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(SHOP))
    (folder / "desk").mkdir()
    (folder / "office.py").write_text(_OFFICE.format(shop=str(SHOP)))
    site = await visit([], jobs=True)
    await _try(site, fresh_desk)
    page = await site.open()
    await send(page, ASKED)
    await expect(page.get_by_role("button", name="how it came to this")).to_be_visible(timeout=60_000)
    await send(page, "Check the damage refund of order 1042, then refund order 1042.")
    await expect(page.get_by_role("region", name="Approval of refund_order")).to_be_visible(timeout=60_000)
    thread = page.url.rpartition("/")[2]
    async with httpx.AsyncClient(base_url=f"{site.url}/api/v1", trust_env=False, timeout=60) as client:
        for body in _SCHEDULES:
            (await client.post("/schedules", json=body)).raise_for_status()
        await client.post("/schedules/nightly-figures/run")
        (run, *_) = (await client.get("/runs", params={"thread_id": thread})).json()["runs"][::-1]
        await client.post(f"/runs/{run['id']}/case", json={"good": True, "comment": "Cites the rule and sums it up."})
        page_ = {"path": "easter.md", "text": "# Easter\n\nWe send nothing from 3 to 6 April.\n"}
        (await client.post("/documents/handbook/pages", json=page_)).raise_for_status()
        for _ in range(100):
            found = (await client.get("/schedules/nightly-figures/firings")).json()["firings"]
            if found and (await client.get(f"/runs/{found[0]['run_id']}")).json()["status"] == "completed":
                break
            await asyncio.sleep(0.2)
    await page.context.close()
    return site, thread


async def _try(site: Site, desk: Any) -> None:
    """Two results of the desk's suite: some of its cases, and again with one that asks for what is not so."""
    cases = load_cases(SHOP / "evals" / "desk.jsonl")[::6]
    first = Case.model_validate({**cases[0].model_dump(), "expect": {"contains": ["within 30 days of delivery"]}})
    for label, held in (("before", [first, *cases[1:]]), ("main", cases)):
        tried = Experiment(agent=desk, cases=held, suite="desk", label=label, parallel=2)
        site.server.evals.keep("local", await tried.run(site.server.ws))


_OFFICE = """
import sys
from pathlib import Path

sys.path.insert(0, {shop!r})
from desk import fresh_desk

from segue import Agent
from segue.testing import ScriptedModel

desk = fresh_desk(Path(__file__).parent / "desk")
watch = Agent("watch", description="Looks after the night.", model=ScriptedModel(lambda request: "All is quiet."))
"""
_SCHEDULES = (
    {"name": "nightly-figures", "agent": "watch", "input": "How was the night?", "cron": "30 2 * * *",
     "timezone": "Europe/Berlin"},
    {"name": "monday-report", "agent": "watch", "input": "Write the report of the week.", "cron": "0 8 * * 1",
     "timezone": "Europe/Berlin"},
)  # fmt: skip
