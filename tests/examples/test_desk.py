"""The example desk, run as `make demo` runs it, with its figures made again by other means."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, in a folder whose name has a space."""
    folder = tmp_path_factory.mktemp("examples") / "a shop"
    shutil.copytree(ROOT / "examples" / "shop", folder, ignore=shutil.ignore_patterns("data", "__pycache__"))
    return folder


def demo(shop: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The demo as the target runs it, without a terminal, a key or anything configured."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OPENAI_", "SEGUE_"))}
    return subprocess.run(
        [sys.executable, "demo.py"],
        cwd=shop,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=110,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.fixture(scope="module")
def told(shop: Path) -> str:
    """What the demo prints with the offline model."""
    done = demo(shop)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def sums_by_category(shop: Path) -> Counter[str]:
    """Refunded cents by category since 2026, summed row by row from the tables: neither views nor SQL's sum."""
    sums: Counter[str] = Counter()
    db = sqlite3.connect(shop / "data" / "shop.db")
    lines = dict(db.execute("SELECT line_id, product_id FROM order_lines").fetchall())
    category = dict(db.execute("SELECT product_id, category FROM products").fetchall())
    for line, cents, day, refund_id in db.execute("SELECT line_id, amount_cents, requested_on, refund_id FROM refunds"):
        if day >= "2026-01-01" and refund_id <= 1190:
            sums["(whole order)" if line is None else category[lines[line]]] += cents
    db.close()
    return sums


def test_the_demo_shows_a_plan_with_two_workers_in_one_wave(told: str) -> None:
    plan = told.split("Plan\n")[1].split("Wave 1")[0]
    wave = told.split("Wave 1\n")[1].split("Wave 2")[0]

    workers = re.findall(r"^\s+(t\d+)\s+(support|analyst|coder)\s", plan, re.MULTILINE)

    assert {worker for _, worker in workers} == {"support", "analyst", "coder"}
    assert len(set(re.findall(r"▸ t\d+ (\w+)", wave))) >= 2


def test_the_demo_s_citations_point_at_lines_that_say_it(told: str, shop: Path) -> None:
    answer = told.split("## t1 (support)")[1].split("## t2")[0]
    cited = re.findall(
        r"^\[(handbook/[\w-]+\.md):(\d+)-(\d+)\][^\n]*\n(.*?)(?=\n\n\[handbook/|\Z)", answer, re.DOTALL | re.MULTILINE
    )

    assert cited
    for path, first, last, text in cited:
        lines = (shop / path).read_text(encoding="utf-8").splitlines()[int(first) - 1 : int(last)]
        assert "\n".join(lines).strip() in text, f"{path}:{first}-{last}"


def test_the_demo_cites_the_rule_on_damage(told: str, shop: Path) -> None:
    rule = (shop / "handbook" / "damaged-on-arrival.md").read_text(encoding="utf-8").splitlines()
    wanted = next(number for number, line in enumerate(rule, 1) if "without return" in line)

    spans = re.findall(r"\[handbook/damaged-on-arrival\.md:(\d+)-(\d+)\]", told)

    assert any(int(first) <= wanted <= int(last) for first, last in spans)


def test_the_demo_s_figures_are_those_of_the_database(told: str, shop: Path) -> None:
    rows = dict(re.findall(r"^\| ([^|]+) \| (\d+) \|$", told, re.MULTILINE))

    assert {name: int(cents) for name, cents in rows.items()} == dict(sums_by_category(shop))


def test_the_demo_runs_a_program_in_the_sandbox_over_the_same_rows(told: str, shop: Path) -> None:
    drawn = dict(
        re.findall(r"^\s*(.+?)\s+\| █+ (\d+)$", told.split("← coder plot")[1].split("points:")[0], re.MULTILINE)
    )

    assert {name: int(cents) for name, cents in drawn.items()} == dict(sums_by_category(shop))


def test_the_demo_asks_for_approval_and_refunds_once(told: str, shop: Path) -> None:
    db = sqlite3.connect(shop / "data" / "shop.db")
    refunds = db.execute("SELECT amount_cents, reason, status FROM refunds WHERE order_id = 1042").fetchall()
    db.close()

    assert "Approval support wants to run refund_order" in told
    assert "approved by --approve-demo: nobody was asked" in told
    assert refunds == [(6490, "damaged", "approved")]
    assert "amount_eur: 64.90" in told


def test_the_demo_names_its_model_and_tells_tokens_cost_and_the_trace(told: str) -> None:
    assert "Model: offline/rules-1" in told
    assert re.search(r"completed  \d+ generations, \d+ tool calls, \d+ \+ \d+ tokens, \$0\.0000", told)
    assert re.search(r"├── dispatch → analyst  wave 1: .* no open dependency", told)
    assert re.search(r"tool refund_order .* write: approved: ", told)


def test_a_second_demo_tells_the_same(told: str, shop: Path) -> None:
    def lasting(text: str) -> str:
        text = re.sub(r"(run|thread|key|tbl|art)_\w+", r"\1", text.split("\nsegue")[0])
        text = re.sub(r"\d+(\.\d+)? ms|\d+\.\d+ s", "T", text)
        return text.split("## t1 (support)")[1].split("desk  ")[0]

    again = demo(shop)

    assert again.returncode == 0
    assert lasting(again.stdout) == lasting(told)


SQL = (
    "SELECT category, sum(amount_cents) AS cents FROM refund_facts WHERE requested_on >= '2026-01-01' "
    "GROUP BY category ORDER BY cents DESC"
)
CODE = "sorted(rows, key=lambda row: -row['cents'])[0]['category'] + ' ' + str(sum(row['cents'] for row in rows))"
SERVER_TEMPLATE = """
import asyncio, json, re, sys
from aiohttp import web

SEEN = []


def reply(body):
    tools = {tool["function"]["name"] for tool in body.get("tools", ())}
    last = body["messages"][-1]
    text = last["content"] or ""
    if "submit_plan" in tools:
        if last["role"] == "tool":
            cited = re.findall(r"\\[handbook/damaged[^\\]]+\\]", text)
            return "The figures: " + re.search(r"VALUE .*", text)[0] + ". The rule: " + cited[0], []
        tasks = [
            {"id": "a", "worker": "support", "task": "rule", "depends_on": []},
            {"id": "b", "worker": "analyst", "task": "figures", "depends_on": []},
            {"id": "c", "worker": "coder", "task": "largest", "depends_on": ["b"]},
            {"id": "d", "worker": "support", "task": "refund", "depends_on": ["a"]},
        ]
        return None, [("submit_plan", {"tasks": tasks})]
    if last["role"] == "tool":
        if "sql_shop" in tools:
            return "TABLE " + json.loads(text)["table_id"], []
        if "run_code" in tools:
            return "VALUE " + str(json.loads(text)["value"]), []
        return text, []
    if "sql_shop" in tools:
        return None, [("sql_shop", {"statement": %(sql)r})]
    if "run_code" in tools:
        return None, [("run_code", {"code": %(code)r, "table": re.search(r"tbl_\\w+", text)[0]})]
    if text.endswith("refund"):
        return None, [("check_damage_refund", {"order_id": 1042}), ("refund_order", {"order_id": 1042})]
    return None, [("search_handbook", {"query": "damaged on arrival, refunded without return"})]


async def chat(request):
    body = await request.json()
    SEEN.append({"stream": body.get("stream"), "auth": request.headers.get("authorization")})
    answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await answer.prepare(request)

    async def send(delta, finish=None, **more):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted-1", "choices": [choice]}
        await answer.write(b"data: " + json.dumps({**data, **more}).encode() + b"\\n\\n")

    text, calls = reply(body)
    await send({"role": "assistant", "content": ""})
    for word in re.findall(r"\\S+\\s*", text or ""):
        await send({"content": word})
    for index, (name, arguments) in enumerate(calls):
        call = {"index": index, "id": f"call_{len(SEEN)}_{index}", "type": "function"}
        await send({"tool_calls": [{**call, "function": {"name": name, "arguments": ""}}]})
        raw = json.dumps(arguments)
        for at in range(0, len(raw), 7):
            await send({"tool_calls": [{"index": index, "function": {"arguments": raw[at : at + 7]}}]})
    await send({}, "tool_calls" if calls else "stop")
    await send({}, choices=[], usage={"prompt_tokens": 50, "completion_tokens": 7, "total_tokens": 57})
    await answer.write(b"data: [DONE]\\n\\n")
    return answer


async def models(request):
    return web.json_response({"object": "list", "data": [{"id": "scripted-1", "object": "model"}]})


async def seen(request):
    return web.json_response(SEEN)


async def main():
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", chat), web.get("/v1/models", models), web.get("/seen", seen)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
"""
SERVER = SERVER_TEMPLATE.replace("%(sql)r", repr(SQL)).replace("%(code)r", repr(CODE))


@pytest.fixture
def endpoint(tmp_path: Path) -> Any:
    """A scripted model server that speaks the real wire and writes SQL and code itself; its address."""
    script = tmp_path / "server.py"
    script.write_text(SERVER, encoding="utf-8")
    server = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = server.stdout.readline().strip()
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(10)
    server.stdout.close()


def test_with_a_base_url_the_demo_uses_that_endpoint_and_says_so(shop: Path, endpoint: str) -> None:
    import urllib.request

    done = demo(shop, OPENAI_BASE_URL=f"{endpoint}/v1", OPENAI_API_KEY="sk-scripted", NO_PROXY="*")

    with urllib.request.urlopen(f"{endpoint}/seen", timeout=5) as answer:
        seen = json.load(answer)
    sums = sums_by_category(shop)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Model: scripted-1 at {endpoint}/v1" in done.stdout
    assert len(seen) == 10, seen
    assert all(each == {"stream": True, "auth": "Bearer sk-scripted"} for each in seen)
    assert f"VALUE {sums.most_common(1)[0][0]} {sum(sums.values())}" in done.stdout
    assert "sk-scripted" not in done.stdout + done.stderr
    assert re.search(r"The rule: \[handbook/damaged-on-arrival\.md:\d+-\d+\]", done.stdout)


def test_an_endpoint_that_is_down_ends_the_demo_with_one_message_and_no_fall_to_the_rules(shop: Path) -> None:
    done = demo(shop, OPENAI_BASE_URL="http://127.0.0.1:9/v1", NO_PROXY="*")

    assert done.returncode == 3
    assert "http://127.0.0.1:9/v1" in done.stderr
    assert "Traceback" not in done.stderr
    assert "offline/rules-1" not in done.stdout
