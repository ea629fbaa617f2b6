"""Looking behind a run and going on from it; cases made by a thumb, results, models and settings; who sees what."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect
from tests.server.conftest import result
from tests.web.conftest import Visit, send
from tests.web.desk import EVIL, desk
from tests.web.site import turn_to

from segue import Agent
from segue.testing import ScriptedModel

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(120)]
AGENT = """
from pathlib import Path
from tests.web.desk import desk
from segue import Agent

served: Agent = desk(Path(__file__).parent)


def fresh(folder):
    return desk(folder)
"""


async def _behind(page: Page, tab: str) -> None:
    await page.get_by_role("button", name="how it came to this").last.click()
    await page.get_by_role("tab", name=tab).click()


async def test_the_states_of_a_run_are_stepped_through_and_show_what_each_step_changed(
    visit: Visit, tmp_path: Path
) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "Which order is 1042?")
    await expect(page.locator("[data-answer]")).to_have_text("It is a lantern.")
    await _behind(page, "State")

    slider = page.get_by_label("Step of the run")
    await expect(page.get_by_text("nothing: the run ended here")).to_be_visible()
    last = int(await slider.get_attribute("max") or "0")
    seen: dict[str, str] = {}
    for step in range(last, -1, -1):
        await slider.fill(str(step))
        await expect(page.get_by_text(f"State {step + 1} of {last + 1}")).to_be_visible()
        await expect(page.get_by_role("region", name="The state")).to_be_visible()
        ran = await page.locator("dd").first.inner_text()
        seen[ran] = await page.get_by_role("region", name="The state").inner_text()
    await page.get_by_role("button", name="One step on").click()

    assert '"item":"lantern"' in seen["act"].replace('\\"', '"')
    assert "find_order" in seen["generate"]
    assert (site.outside, site.said) == ([], [])


async def test_a_node_of_the_graph_leads_to_the_state_that_it_left(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open(width=1600)
    await send(page, "Which order is 1042?")
    await expect(page.locator("[data-answer]")).to_have_text("It is a lantern.")
    await _behind(page, "Graph")

    await page.locator('[data-node="act"]').click()

    await expect(page.locator("dd").first).to_have_text("act")
    await expect(page.get_by_role("region", name="The state")).to_contain_text("lantern")


async def test_a_run_is_forked_from_a_state_with_an_edited_message_and_both_branches_are_there(
    visit: Visit, tmp_path: Path
) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "hello there")
    await expect(page.locator("[data-answer]")).to_contain_text("You said: hello there.")
    await _behind(page, "State")
    await page.get_by_label("Step of the run").fill("0")
    form = page.get_by_role("form", name="Fork from here")
    while not await form.get_by_label("The last message (user)").count():
        await page.get_by_role("button", name="One step on").click()
        await expect(form).to_be_visible()

    await form.get_by_label("The last message (user)").fill("good night")
    await form.get_by_role("button", name="Fork from this state").click()

    await expect(page.locator("[data-answer]").last).to_contain_text("You said: good night.")
    await expect(page.locator("[data-answer]").first).to_contain_text("You said: hello there.")
    await expect(page.get_by_text("another branch")).to_be_visible()
    await expect(page.locator("article[data-run]")).to_have_count(2)


async def test_a_fork_that_does_not_fit_says_why_and_loses_nothing(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "hello there")
    await expect(page.locator("[data-answer]")).to_be_visible()
    await _behind(page, "State")
    form = page.get_by_role("form", name="Fork from here")
    await form.get_by_label("A new request").fill("go on")
    await form.get_by_text("Other keys of the state").click()
    keys = form.get_by_placeholder('{"key": "value"}')

    await keys.fill("{")
    await form.get_by_role("button", name="Fork from this state").click()
    await expect(form.get_by_role("alert")).to_contain_text("one JSON object")
    await keys.fill('{"nothing": 1}')
    await form.get_by_role("button", name="Fork from this state").click()

    await expect(form.get_by_role("alert")).to_contain_text("the state has no key 'nothing'")
    await expect(form.get_by_label("A new request")).to_have_value("go on")


async def test_the_arguments_of_an_approval_are_edited_in_a_form_of_the_tools_own_schema(
    visit: Visit, tmp_path: Path
) -> None:
    site = await visit([desk(tmp_path)])
    page = await site.open()
    await send(page, "Refund both")
    card = page.get_by_role("region", name="Approval of refund").first
    await card.get_by_role("button", name="Edit").click()

    await expect(card.get_by_text("How much.")).to_be_visible()
    await card.get_by_label("order_id").fill("1.5")
    await card.get_by_label("amount_eur").fill("")
    await card.get_by_role("button", name="Run it with these").click()
    await expect(card.get_by_text("This is no whole number: 1.5")).to_be_visible()
    await expect(card.get_by_text("This is needed.")).to_be_visible()
    await expect(card.get_by_label("order_id")).to_be_focused()
    await card.get_by_label("order_id").fill("1042")
    await card.get_by_label("amount_eur").fill("3.5")
    await card.get_by_role("button", name="Run it with these").click()

    cards = page.get_by_role("region", name="Approval of refund")
    await expect(cards).to_have_count(1)
    await cards.get_by_role("button", name="Approve").click()
    await expect(page.locator("[data-answer]").last).to_contain_text("order 1042 got 3.5 EUR back")


async def test_a_thumb_becomes_a_case_in_two_clicks_that_segue_eval_tries(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "office.py").write_text(AGENT)
    site = await visit([])
    page = await site.open()
    await send(page, "Which order is 1042?")
    await expect(page.locator("[data-answer]")).to_have_text("It is a lantern.")

    await page.get_by_role("button", name="Helpful", exact=True).click()
    await page.get_by_role("button", name="Keep as a case").click()
    await expect(page.get_by_text("Kept as a case.")).to_be_visible()
    await page.get_by_role("button", name="Not helpful").click()
    await page.get_by_label("What it should have said").fill("a storm lantern")
    await page.get_by_role("button", name="Keep as a case").click()
    await page.get_by_role("link", name="Evals").last.click()

    await expect(page.locator("[data-case]")).to_have_count(1)
    await expect(page.locator("[data-case]")).to_contain_text("a storm lantern")
    await page.locator("[data-case]").get_by_role("button", name="Forget").click()
    await expect(page.get_by_text("None yet.").last).to_be_visible()
    await page.go_back()
    await page.get_by_role("button", name="Helpful", exact=True).click()
    await page.get_by_role("button", name="Keep as a case").click()
    await expect(page.get_by_text("Kept as a case.")).to_be_visible()
    await page.context.close()
    code, told = await _command(tmp_path, "eval", "office.py:fresh", "--json")
    assert (code, told["passed"], told["cases"]) == (0, 1, 1)


async def _command(folder: Path, *arguments: str) -> tuple[Any, dict[str, Any]]:
    """Run a command in a process of its own, and read what it prints."""
    program = [sys.executable, "-c", "from segue.cli.main import main; main()"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    pipe = asyncio.subprocess.PIPE
    done = await asyncio.create_subprocess_exec(
        *program, *arguments, "--workspace", str(folder), env=env, stdout=pipe, stderr=pipe
    )
    told, said = await done.communicate()
    return done.returncode, json.loads(told or said)


async def test_a_result_is_looked_into_down_to_the_run_of_a_case(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)])
    first, second = result(), result()
    for each in (first, second):
        site.server.evals.keep("local", each)
    page = await site.open("evals")

    await page.get_by_role("link", name="desk on desk").first.click()
    await page.get_by_label("Compare with").select_option(index=1)
    await expect(page.get_by_text("no case of 1 changed sides")).to_be_visible()
    await page.get_by_label("only what failed").check()
    await page.locator('[data-row="count"]').get_by_role("link").click()

    await expect(page.get_by_role("region", name="Expected")).to_contain_text("12")
    came = page.get_by_role("region", name="What came")
    await expect(came).to_contain_text('count(what="lanterns") failed')
    await expect(came).to_contain_text("13")
    await expect(page.get_by_text("it does not say '12'")).to_be_visible()


async def test_models_and_settings_are_shown_and_the_offline_model_wears_its_badge_everywhere(
    visit: Visit, tmp_path: Path
) -> None:
    site = await visit([Agent("plain", description="Answers by rules.")])
    page = await site.open()
    await send(page, "hello")
    await expect(page.locator("[data-answer]")).to_be_visible()
    thread = page.url.partition("#/")[2]

    for place in (thread, "runs", "jobs", "evals", "settings", "models"):
        await page.evaluate(f"location.hash = '#/{place}'")
        await expect(page.locator("[data-offline]")).to_be_visible()
    await expect(page.locator('[data-deployment="offline"]')).to_contain_text("a set of rules, not a language model")
    await turn_to(page, "settings", "SQLite full-text search")
    await expect(page.get_by_role("region", name="Settings").last).to_contain_text("data_dir")
    phone = await site.open(width=390)
    await expect(phone.get_by_text("offline rules", exact=True)).to_be_visible()


async def test_two_tenants_do_not_see_each_other(visit: Visit, tmp_path: Path) -> None:
    site = await visit([desk(tmp_path)], login=True)
    keys = {}
    for tenant in ("acme", "other"):
        from segue.server.keys import Key

        held = Key(id="", tenant=tenant, user="ann", scopes=("*",))
        keys[tenant], _ = await site.server.keys.add(held, now=site.server.now())
    site.server.evals.keep("acme", result())
    acme = await site.open()
    await acme.get_by_label("Key").fill("sgk_wrong")
    await acme.get_by_role("button", name="Open").click()
    await expect(acme.get_by_role("alert")).to_contain_text("opens nothing")
    await acme.get_by_label("Key").fill(keys["acme"])
    await acme.get_by_role("button", name="Open").click()
    await send(acme, "Refund both, says acme")
    await expect(acme.get_by_role("region", name="Approval of refund")).to_have_count(2)
    thread = acme.url.partition("#/")[2]
    run = await acme.locator("article[data-run]").get_attribute("data-run")

    other = await site.open()
    await other.get_by_label("Key").fill(keys["other"])
    await other.get_by_role("button", name="Open").click()
    await expect(other.get_by_text("Talk to desk")).to_be_visible()
    shown = []
    gone = {thread: "There is no such conversation.", f"runs/{run}": "there is no run"}
    for place in ("chat", "runs", "jobs", "evals", "documents", "models", thread, f"runs/{run}"):
        await other.evaluate(f"location.hash = '#/{place}'")
        if place in gone:
            await expect(other.get_by_role("alert")).to_contain_text(gone[place])
        await other.wait_for_load_state("networkidle")
        shown.append(await other.locator("body").inner_text())

    assert [text for text in shown if "acme" in text or "Refund both" in text] == []
    assert (await acme.evaluate("localStorage.length + document.cookie.length")) == 0


PAYLOADS = [
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=1</script>",
    "<svg/onload=window.pwned=1>",
    "![p](http://evil.example/p.png)",
    "[l](javascript:window.pwned=1)",
    "<http://evil.example/auto>",
    "[r]: http://evil.example/ref.png\n![r][r]",
    "<video src=http://evil.example/v>",
    "<link rel=stylesheet href=//evil.example>",
    "![s](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "$(touch /tmp/pwned) `{{constructor.constructor('window.pwned=1')()}}`",
    "\u202egnp.exe",
    "\u0000\u001b[31m",
    "<base href=//evil.example>",
    "<form action=//evil.example><button>x</button></form>",
    "<math><a xlink:href=javascript:1>",
]


async def test_nothing_that_a_model_tool_file_or_page_says_is_run_or_loads_anything(
    visit: Visit, tmp_path: Path
) -> None:
    whole = "\n\n".join([EVIL, *PAYLOADS])
    say = ScriptedModel(lambda request: whole)
    site = await visit([desk(tmp_path), Agent("evil", description=whole[:400], model=say)])
    page = await site.open()
    async with httpx.AsyncClient(base_url=f"{site.url}/api/v1", trust_env=False) as client:
        names = ["<img src=x onerror=window.pwned=1>.md", "a'\"><script>window.pwned=1</script>.md", "javascript:1.md"]
        for name in names:
            await client.post(
                "/documents/handbook/pages", json={"path": name, "text": f"# {whole}\n\nThe parcels policy."}
            )
        run = (await client.post("/runs/wait", json={"agent": "evil", "input": whole})).json()
        await client.post(f"/runs/{run['id']}/case", json={"good": True, "comment": whole, "contains": [whole[:900]]})
    held = result()
    trial = held.trials[0]
    object.__setattr__(trial, "output", whole)
    object.__setattr__(held, "label", whole)
    site.server.evals.keep("local", held)
    await send(page, "harm me with your policy about parcels")
    await expect(page.locator("[data-answer]")).to_be_visible()

    for place in (
        "chat", f"chat/{run['thread_id']}", "runs", f"runs/{run['id']}", "documents/handbook", "evals",
        f"evals/{held.id}", f"evals/{held.id}/count", "models", "settings", "graphs/evil",
    ):  # fmt: skip
        await page.evaluate(f"location.hash = {('#/' + place)!r}")
        await page.wait_for_load_state("networkidle")
    await turn_to(page, "documents/handbook", "handbook/returns.md")
    await page.get_by_placeholder("Search as an agent does").fill("parcels policy")
    await page.get_by_role("button", name="Search", exact=True).click()
    await page.wait_for_load_state("networkidle")

    assert await page.evaluate("window.pwned") is None
    assert site.outside == []
    assert [each for each in site.said if "Content Security Policy" not in each and "404" not in each] == []


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_long_thread_and_a_large_trace_scroll_without_a_long_task(visit: Visit, tmp_path: Path) -> None:
    from tests.web.measure import large_trace, long_thread, longest_task_ms

    site = await visit([Agent("words", model=ScriptedModel(lambda request: "Some **words** of it.\n\n- a\n- b"))])
    await long_thread(site)
    page = await site.open()

    thread = await longest_task_ms(page, "chat/long", "[data-answer]", scroll="[role=log]")
    assert await page.locator("article[data-run]").count() == 1_000
    trace = await longest_task_ms(page, f"runs/{await large_trace(site)}", "[data-trace]", scroll="[aria-label=Spans]")

    assert thread < 1_000, "far above what it takes on a quiet machine"
    assert trace < 1_000
