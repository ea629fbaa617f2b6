"""Exports: a run as one sealed file, redacted; and what a check says of one that somebody changed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue import Agent, BadInput, Documents, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tracing.export_seal import canonical, check, sealed

KEY = bytes(range(32))
SECRET = "sk-proj-Zx81kQ0plm7Tgb5YhnUj"


@tool(effect="write")
def write_to(address: str) -> str:
    """Write to somebody.

    Args:
        address: Of whom.
    """
    return "row\n" * 10_000 + "ann.lee@example.org"


async def exported(ws: Workspace, folder: Path) -> tuple[str, bytes]:
    handbook = folder / "handbook"
    handbook.mkdir()
    (handbook / "returns.md").write_text("# Returns\n\nWithin 30 days.\n", encoding="utf-8")
    script = [
        call("write_to", address="ann.lee@example.org"), call("search_handbook", query="returns"),
        "Within 30 days [handbook/returns.md:1-3].",
    ]  # fmt: skip
    agent = Agent("desk", model=ScriptedModel(script, cost_usd=0.25), tools=[write_to, Documents(handbook)])
    run = await ws.run(agent, f"Write to ann.lee@example.org, my key is {SECRET}", thread_id="t")
    data = await ws.export(run.id)
    await ws.run(Agent("other", model=ScriptedModel(["later words"])), "and then?", thread_id="t")
    return run.id, data


async def test_an_export_holds_all_that_is_known_of_a_run(ws: Workspace, tmp_path: Path) -> None:
    run_id, data = await exported(ws, tmp_path)

    content = orjson.loads(data)["content"]
    assert content["run"]["run_id"] == run_id
    assert content["about"]["notes"] == []
    assert {each["kind"] for each in content["spans"]} == {"run", "node", "generation", "tool"}
    assert all(each["attributes"]["segue.edge.reason"] for each in content["edges"])
    assert [each["role"] for each in content["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    assert [each["path" if "path" in each else "name"] for each in content["documents"]] == ["handbook/returns.md"]
    assert content["documents"][0]["version"]
    assert [len(each["text"]) > 24_000 for each in content["artefacts"]] == [True]
    assert [each["tool"] for each in content["effects"]] == ["write_to"]
    assert {each["kind"] for each in content["decisions"]} == {"gate"}
    assert [(each["model"], each["cost_usd"]) for each in content["prices"]] == [("scripted", 0.75)]
    assert content["versions"]["segue"]


async def test_an_export_is_redacted_and_canonical(ws: Workspace, tmp_path: Path) -> None:
    _, data = await exported(ws, tmp_path)

    assert b"ann.lee" not in data
    assert SECRET.encode() not in data
    assert orjson.loads(data)["content"]["about"]["redacted"] == ["secrets", "pii"]
    assert canonical(orjson.loads(data)) + b"\n" == data


async def test_what_the_settings_let_through_is_in_it_but_never_a_secret(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text('[redaction]\nexports = ["secrets"]\n')
    async with Workspace.open(tmp_path) as ws:
        _, data = await exported(ws, tmp_path)

    assert b"ann.lee@example.org" in data
    assert SECRET.encode() not in data


async def test_without_its_agent_the_conversation_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(Agent("desk", model=ScriptedModel(["hello"])), "hi")
    async with Workspace.open(tmp_path) as ws:
        content = orjson.loads(await ws.export(run.id))["content"]

    assert content["messages"] == []
    assert "'desk' is not known here" in content["about"]["notes"][0]
    assert content["run"]["trajectory"]


CONTENT: dict[str, Any] = {"run": {"id": "r", "cost": 0.1}, "spans": [{"n": 1}, {"n": 2}], "note": "x"}


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    found = orjson.loads(sealed(CONTENT, KEY))
    change(found)
    return orjson.dumps(found)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda found: found["content"]["spans"][1].update(n=3), ["spans/1"]),
        (lambda found: found["content"]["spans"].reverse(), ["spans/0", "spans/1"]),
        (lambda found: found["content"]["spans"].pop(), ["spans", "spans/1"]),
        (lambda found: found["content"]["spans"].append({}), ["spans", "spans/2"]),
        (lambda found: found["content"]["run"].update(cost=0.2), ["run/cost"]),
        (lambda found: found["content"]["run"].update(more=1), ["run", "run/more"]),
        (lambda found: found["content"].pop("note"), ["note"]),
        (lambda found: found["content"].update(new=[]), ["new"]),
        (lambda found: found["seal"]["parts"].pop("note"), ["seal"]),
        (lambda found: found["seal"].update(code="0" * 64), ["seal"]),
        (lambda found: found.update(more=1), ["more"]),
    ],
)
def test_what_was_changed_is_named(change: Callable[[dict[str, Any]], object], where: list[str]) -> None:
    found = check(changed(change), KEY)

    assert (found.verdict, list(found.where)) == ("changed", where)


def test_blanks_and_the_order_of_keys_do_not_matter() -> None:
    found = orjson.loads(sealed(CONTENT, KEY))
    other = orjson.dumps(dict(reversed(found.items())), option=orjson.OPT_INDENT_2)

    assert check(other, KEY).verdict == "intact"


def test_another_key_says_so() -> None:
    assert check(sealed(CONTENT, KEY), bytes(32)).verdict == "wrong key"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{}", b'{"content":{}}', b'{"content":[],"seal":{"parts":{},"code":""}}']
)
def test_what_is_no_export_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="no export"):
        check(data, KEY)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.data())
def test_any_content_is_intact_as_it_was_sealed_and_any_byte_changed_in_it_shows(
    content: dict[str, Any], data: st.DataObject
) -> None:
    file = sealed(content, KEY)
    assert check(file, KEY).verdict == "intact"

    at = data.draw(st.integers(0, len(file) - 2))
    other = file[:at] + bytes([data.draw(st.integers(0, 255).filter(lambda byte: byte != file[at]))]) + file[at + 1 :]
    try:
        verdict = check(other, KEY).verdict
    except BadInput:
        return
    same = canonical(orjson.loads(other)) == canonical(orjson.loads(file))
    assert (verdict == "intact") is same


def test_the_command_exports_and_verifies(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "from segue import Agent\nfrom segue.testing import ScriptedModel\n"
        'desk = Agent("desk", model=ScriptedModel(["hello"]))\n'
    )

    def segue(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from segue.cli.main import main; main()", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert segue("run", "shop.py:desk", "hi").returncode == 0
    assert segue("trace", "--export", "out/run.json").returncode == 0
    fine = segue("trace", "--verify", "out/run.json")
    assert (fine.returncode, fine.stdout[:7]) == (0, "intact:")
    file = tmp_path / "out" / "run.json"
    assert orjson.loads(file.read_bytes())["content"]["messages"][-1]["content"] == "hello"
    file.write_bytes(file.read_bytes().replace(b"hello", b"howdy"))
    broken = segue("trace", "--verify", "out/run.json")
    assert broken.returncode == 1
    assert broken.stdout.startswith("changed: ")
    assert "messages/1" in broken.stdout
