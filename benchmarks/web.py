"""The playground: what is loaded first, what axe finds on each page, and its longest task while it scrolls.

`initial_js_kb_gz` is the JavaScript that the page names itself, gzipped; `axe_violations` the sum over `pages` (WCAG
2.2 A and AA, both themes, at 1280 px) over the example desk with a conversation, an approval, schedules and results;
`longest_task_ms` the longest task of the page's thread while a conversation of 2,000 messages, and then a trace of 500
nodes, is opened and scrolled through: the median of three runs of the worse of both. The last line is one JSON object.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from axe_playwright_python.base import AXE_FILE_PATH
from tests.web.browser import executable
from tests.web.measure import large_trace, long_thread, longest_task_ms
from tests.web.scene import set_up
from tests.web.site import visiting

from segue import Agent
from segue.testing import ScriptedModel

WEB = Path(__file__).parents[1] / "src" / "segue" / "web"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PLACES = ("chat", "graphs/desk", "runs", "jobs", "documents/handbook", "evals", "models", "settings")
ROUNDS = 3


def initial_kb() -> float:
    """The scripts that the page names, gzipped."""
    index = (WEB / "index.html").read_text(encoding="utf-8")
    first = set(re.findall(r'(?:src|href)="/(assets/[^"]+\.js)"', index))
    return sum(len(gzip.compress((WEB / each).read_bytes())) for each in first) / 1000


async def violations(chromium: str) -> tuple[int, int]:
    """What axe finds, and on how many pages it looked."""
    found, pages = 0, 0
    axe = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        async with visiting(Path(folder), chromium) as visit:
            site, thread = await set_up(visit, Path(folder))
            results = [each["id"] for each in site.server.evals.results("local")]
            run = site.server.ws.runs()[0].id
            for theme in ("light", "dark"):
                page = await site.open(theme=theme)
                await page.evaluate(axe)
                for place in (*PLACES, f"chat/{thread}", f"runs/{run}", *(f"evals/{each}" for each in results)):
                    await page.evaluate(f"location.hash = {('#/' + place)!r}")
                    await page.wait_for_load_state("networkidle")
                    await page.wait_for_timeout(300)
                    told = await page.evaluate("rules => axe.run(document, {runOnly: rules})", RULES)
                    if len(told["passes"]) < 10:
                        raise SystemExit(f"{place} shows nothing that axe could look at")
                    for each in told["violations"]:
                        print(f"{theme} {place}: {each['id']} {[node['html'][:100] for node in each['nodes']]}")
                    found += len(told["violations"])
                    pages += 1
    return found, pages


async def longest(chromium: str) -> tuple[float, float]:
    """The longest task over a long conversation, and over a large trace."""
    with tempfile.TemporaryDirectory() as folder:
        async with visiting(Path(folder), chromium) as visit:
            site = await visit([Agent("words", model=ScriptedModel(lambda request: "words"))])
            await long_thread(site)
            run = await large_trace(site)
            page = await site.open("runs")
            thread = await longest_task_ms(page, "chat/long", "[data-answer]", scroll="[role=log]")
            other = await site.open("models")
            trace = await longest_task_ms(other, f"runs/{run}", "[data-trace]", scroll="[aria-label=Spans]")
    return thread, trace


async def main() -> None:
    """Measure, and print."""
    chromium = executable()
    if chromium is None:
        sys.exit("there is no Chromium: run .ci/browser, or name one in BROWSER_PATH")
    found, pages = await violations(chromium)
    tasks = [await longest(chromium) for _ in range(ROUNDS)]
    for thread, trace in tasks:
        print(f"longest task: conversation {thread:.0f} ms, trace {trace:.0f} ms")
    print(json.dumps({
        "initial_js_kb_gz": round(initial_kb(), 1), "axe_violations": found, "pages": pages,
        "longest_task_ms": round(statistics.median(max(each) for each in tasks)),
    }))  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
