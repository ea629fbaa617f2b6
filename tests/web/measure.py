"""How long the page's longest task is while a long conversation or a large trace is opened and scrolled through."""

from __future__ import annotations

import time
from typing import Any

import orjson
from playwright.async_api import Page, expect
from tests.web.site import Site

from segue.agents.run import RunRecord
from segue.server.store import Entry, Logged
from segue.tracing.spans import SpanRow

THREAD, TRACE = "long", "run_large"
MESSAGES, NODES = 2_000, 500
_TEXT = "It says **this** and that, in some words.\n\n- one thing\n- another thing\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
_WATCH = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) window.longest = Math.max(window.longest, each.duration);
  }).observe({ type: "longtask", buffered: true });
}"""
_SCROLL = """async (selector) => {
  let box = document.querySelector(selector);
  while (box && box.scrollHeight <= box.clientHeight) box = box.parentElement;
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const named = (text) => [...document.querySelectorAll("button")].find((each) => each.textContent === text);
  for (let turn = 0; turn < 20 && box; turn++) {
    const more = named("Show earlier runs");
    if (more) more.click();
    if (more || named("Loads…")) turn = 0;
    box.scrollTop = turn % 2 ? box.scrollHeight : 0;
    await frame();
  }
  for (let at = 0; at <= 100 && box; at++) {
    box.scrollTop = (box.scrollHeight * at) / 100;
    await frame();
  }
}"""


async def long_thread(site: Site, *, agent: str = "words") -> None:
    """A conversation of 2,000 messages: 1,000 runs with their events, as the server keeps them."""
    records, store = site.server.ws.records, site.server.store
    now = time.time() - MESSAGES
    entries = []
    for number in range(MESSAGES // 2):
        record = RunRecord(
            run_id=f"run_{number:06d}", thread_id=THREAD, tenant="local", user="me", scopes=["*"], agent=agent,
            source="", trace_id=f"{number:032x}", request=[{"role": "user", "content": f"Question {number}?"}],
            started_at=now + number, updated_at=now + number, status="completed", output=_TEXT,
            usage={"input_tokens": 9, "output_tokens": 9, "model_calls": 1, "cost_usd": 0.0},
        )  # fmt: skip
        await records.keep(record)
        told: list[dict[str, Any]] = [
            {"type": "run_started", "thread_id": THREAD, "agent": agent, "resumed": False},
            {"type": "generation_finished", "agent": agent, "model": "m", "deployment": "m", "usage": record.usage,
             "duration_s": 0.1, "text": _TEXT, "tool_calls": [], "task_id": ""},
            {"type": "run_finished", "status": "completed", "stop_reason": None, "usage": record.usage, "error": ""},
        ]  # fmt: skip
        for seq, each in enumerate(told, 1):
            body = orjson.dumps({"run_id": record.run_id, "at": record.started_at, **each}).decode()
            entries.append(Entry("local", record.run_id, Logged(seq, each["type"], body), record.started_at))
    for start in range(0, len(entries), 300):
        await store.append(entries[start : start + 300])


async def large_trace(site: Site) -> str:
    """A run whose trace has 500 nodes, with a generation in each; its id."""
    now = time.time_ns()
    record = RunRecord(
        run_id=TRACE, thread_id="large", tenant="local", user="me", scopes=["*"], agent="words", source="",
        trace_id="f" * 32, request=[{"role": "user", "content": "Do much."}], started_at=now / 1e9,
        updated_at=now / 1e9, status="completed", output="Done.",
    )  # fmt: skip
    await site.server.ws.records.keep(record)
    rows = [_row("root", "", "run", "words", now, now + NODES * 1_000_000)]
    for number in range(NODES):
        begun = now + number * 1_000_000
        rows.append(_row(f"n{number}", "root", "node", f"node {number}", begun, begun + 900_000))
        rows.append(_row(f"g{number}", f"n{number}", "generation", "words", begun, begun + 800_000))
    site.server.ws.traces.write(rows)
    return TRACE


def _row(span: str, parent: str, kind: str, name: str, begun: int, ended: int) -> SpanRow:
    held = {"gen_ai.usage.input_tokens": 5, "segue.cost_usd": 0.001} if kind == "generation" else {}
    return SpanRow("local", "f" * 32, span, parent, TRACE, kind, name, begun, ended, "ok", held)  # type: ignore[arg-type]


async def longest_task_ms(page: Page, place: str, shows: str, *, scroll: str) -> float:
    """Open a place, scroll through all of it, and return the longest task of the page's thread meanwhile."""
    await page.evaluate(_WATCH)
    await page.evaluate(f"location.hash = {('#/' + place)!r}")
    await expect(page.locator(shows).first).to_be_visible(timeout=60_000)
    await page.evaluate(_SCROLL, scroll)
    return float(await page.evaluate("window.longest"))
