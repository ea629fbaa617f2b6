"""OWASP's rows on what stands at the edges: the page (LLM05), tools (LLM06, ASI02), consumption (LLM10)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.security.obedient import obedient, order, read_by
from tests.server.conftest import Serve

from segue import Agent, Budget, Documents, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tools.connectors.sql import Database

CANARY = "quiet-heron-of-the-other-folder"


async def test_markup_that_got_into_the_page_all_the_same_neither_runs_nor_loads(visit: Any, tmp_path: Path) -> None:
    """LLM05 improper output handling: what is shown is text, and were it not, the policy of the page stops it."""

    @tool(effect="write", approval=True)
    def post(html: str) -> str:
        """Post something."""
        return html

    evil = (
        "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script><iframe src='http://evil.example/f'></iframe>"
        "<img src='http://evil.example/i.png'><a id=go href='javascript:window.pwned=1'>go</a>"
        "<form id=send action='http://evil.example/form'><button>send</button></form>"
        "<style>body{background:url(http://evil.example/b.png)}</style>"
    )
    site = await visit([Agent("desk", model=obedient(), tools=[post])])
    page = await site.open()
    await page.get_by_label("Message", exact=True).fill(f"![x](http://evil.example/q.png) {order('post', html=evil)}")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Approve").wait_for()

    shown = await page.locator("[src*='evil'], [href^='javascript'], [action*='evil'], #go, #send").count()
    await page.evaluate(
        """evil => {
            window.broken = [];
            document.addEventListener("securitypolicyviolation", each => window.broken.push(each.effectiveDirective));
            const box = document.body.appendChild(document.createElement("div"));
            const script = document.createElement("script");
            script.textContent = "window.pwned=1";
            box.innerHTML = evil;
            box.append(script);
            box.querySelector("#go").click();
            fetch("http://evil.example/fetch").catch(() => box.querySelector("#send button").click());
        }""",
        evil,
    )
    broken: list[str] = []
    async with asyncio.timeout(30):
        while not {"form-action", "img-src"} <= set(broken):  # the page's policy forbids to wait inside of it
            await asyncio.sleep(0.05)
            broken = await page.evaluate("broken")

    assert shown == 0
    assert await page.evaluate("window.pwned") is None
    assert site.outside == []
    assert {"script-src-elem", "script-src-attr", "img-src", "frame-src", "form-action", "connect-src"} <= set(broken)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as db:
        db.executescript("CREATE TABLE orders (id INTEGER, phone TEXT); INSERT INTO orders VALUES (1, '070-1')")
    return tmp_path / "shop.db"


async def test_sql_that_writes_and_paths_that_lead_elsewhere_are_refused_to_a_model_that_tries(
    ws: Workspace, shop: Path, tmp_path: Path
) -> None:
    """LLM06 excessive agency: a tool that reads does nothing else, whatever its arguments are."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.md").write_text("# A\n\nA page.\n")
    (tmp_path / "outside.md").write_text(CANARY)
    (tmp_path / "pages" / "link.md").symlink_to(tmp_path / "outside.md")
    before = shop.read_bytes()
    statements = (
        "DELETE FROM orders", "SELECT 1; DROP TABLE orders", "WITH x AS (SELECT 1) INSERT INTO orders SELECT 2, ''",
        "PRAGMA writable_schema = 1", f"ATTACH '{tmp_path}/new.db' AS n", "SELECT load_extension('x')",
        "SELECT phone FROM orders", "SELECT writefile('x', 'y')", "/**/REPLACE INTO orders VALUES (1, '')",
    )  # fmt: skip
    paths = (
        "../outside.md", "pages/../../outside.md", f"{tmp_path}/outside.md", "pages/link.md", "pages/..%2foutside.md",
    )  # fmt: skip
    orders = [order("sql_shop", statement=each) for each in statements]
    orders += [order("read_pages", path=each) for each in paths]
    tools = [Database(shop, hidden_columns=["phone"]), Documents(tmp_path / "pages", index=tmp_path / "pages.db")]
    model = obedient()

    run = await ws.run(Agent("desk", model=model, tools=tools, max_rounds=40), "".join(orders))

    results = [step for step in run.trajectory if step["type"] == "tool_result"]
    assert len(results) == len(statements) + len(paths)
    assert [step["result"] for step in results if not step["failed"]] == []
    assert shop.read_bytes() == before
    assert not (tmp_path / "new.db").exists()
    assert CANARY not in read_by(model)


class Line(BaseModel):
    sku: str = Field(pattern=r"^[A-Z]{2}-\d{3}$")
    count: int = Field(ge=1, le=99)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
LINE = st.fixed_dictionaries(
    {"sku": st.from_regex(r"\A[A-Z]{2}-[0-9]{3}\Z") | JSON, "count": st.integers(-5, 200) | JSON}
)
SPEED = st.sampled_from(["slow", "fast"]) | JSON
ARGUMENTS = (
    st.fixed_dictionaries({"lines": st.lists(LINE, max_size=3) | JSON, "speed": SPEED})
    | st.dictionaries(st.sampled_from(["lines", "speed", "ctx", "approved", "__class__"]) | st.text(max_size=5), JSON)
)  # fmt: skip


BROKEN = (
    "", "null", "[]", '{"lines":', '{"lines": []}}', '{"lines": NaN}', '{"lines": [{"sku": "\\ud800", "count": 1}]}',
    '{"lines": ' + "[" * 50_000 + "]" * 50_000 + "}", '{"lines": ' + "9" * 5_000 + "}", '{"\\ud800": 1}',
)  # fmt: skip
"""What models write when they are cut off, or made to."""


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ARGUMENTS | JSON | st.text(), min_size=8, max_size=8))
async def test_no_arguments_break_a_run_or_reach_a_tool_unless_they_fit(ws: Workspace, made: list[Any]) -> None:
    """ASI02, LLM06 tool misuse: anything at all as arguments is either what the schema says, or told to the model."""
    got: list[tuple[list[Line], str]] = []

    @tool(effect="write")
    def send(lines: list[Line], speed: Literal["slow", "fast"] = "slow") -> str:
        """Send some goods."""
        got.append((lines, speed))
        return "sent"

    calls = [call("send") for _ in range(len(made) + len(BROKEN))]
    for each, arguments in zip(calls, [*made, *BROKEN], strict=True):
        each["function"]["arguments"] = arguments if isinstance(arguments, str) else json.dumps(arguments)
    run = await ws.run(Agent("desk", model=ScriptedModel([calls, "done"]), tools=[send]), "Go.")

    steps = [step for step in run.trajectory if step["type"] == "tool_result"]
    assert (run.status, len(steps)) == ("completed", len(calls)), run.error
    assert [step["result"] for step in steps if not step["failed"]] == ["sent"] * len(got)
    for lines, speed in got:
        assert speed in ("slow", "fast")
        assert all(isinstance(line, Line) and 1 <= line.count <= 99 for line in lines)


async def test_a_model_that_never_ends_is_ended_by_rounds_repeats_and_budgets(ws: Workspace) -> None:
    """LLM10 unbounded consumption: more and more calls, the same call, tokens, dollars, and a result without end."""
    calls = []

    @tool(effect="read")
    def more(page: int) -> str:
        """Read one more page."""
        calls.append(page)
        return "go on " * 400_000

    def ever(request: Any) -> Any:
        return call("more", page=len(request.messages))

    def desk(model: Any, **options: Any) -> Agent:
        return Agent("desk", model=ScriptedModel(model, cost_usd=0.01), tools=[more], **options)

    rounds = await ws.run(desk(ever, max_rounds=5), "Go.")
    came = len(calls)
    same = await ws.run(desk(lambda request: call("more", page=1)), "Go.")
    dear = await ws.run(desk(ever), "Go.", budget=Budget(cost_usd=0.035))
    long = await ws.run(desk(ever), "Go.", budget=Budget(tokens=40_000))
    many = await ws.run(desk(ever), "Go.", budget=Budget(tool_calls=2))

    assert [each.status for each in (rounds, same, dear, long, many)] == ["stopped"] * 5
    assert [each.stop_reason for each in (rounds, same, dear, long, many)] == ["loop", "loop", *["budget"] * 3]
    assert (came, many.usage.tool_calls) == (5, 2) or came == 4
    assert dear.cost_usd is not None
    assert dear.cost_usd <= 0.04
    assert long.usage.total_tokens <= 40_000
    assert max(len(str(step)) for step in rounds.trajectory) < 100_000


async def test_a_client_that_floods_is_refused_while_another_one_is_served(serve: Serve) -> None:
    """LLM10 unbounded consumption: huge bodies, more runs at a time and more requests than one key may have."""
    served = await serve(login=True, max_body_bytes=20_000, requests_per_minute=60)
    greedy = served.client(await served.key("acme", scopes=("*",)))
    quiet = served.client(await served.key("other", scopes=("*",)))
    body = {"agent": "desk", "input": "hello"}

    huge = await greedy.post("/api/v1/runs", json={**body, "input": "x" * 50_000})
    flood = [(await greedy.post("/api/v1/runs", json={**body, "thread_id": f"t-{at}"})) for at in range(80)]
    other = await quiet.post("/api/v1/runs/wait", json=body)

    assert huge.status_code == 413
    assert {each.status_code for each in flood[:50]} == {202}
    assert {each.status_code for each in flood[60:]} == {429}
    assert int(flood[-1].headers["Retry-After"]) > 0
    assert other.json()["status"] == "completed"
