"""`segue effects`: what it lists, shows and settles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from segue import Agent, Principal, Workspace, tool
from segue.cli.main import main
from segue.testing import ScriptedModel, call

pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it
PAID: list[str] = []
INSIDE = asyncio.Event()


@tool(reach="account")
async def pay(to: str) -> str:
    """Pay."""
    PAID.append(to)
    if to == "the slow bank":
        INSIDE.set()
        await asyncio.Event().wait()
    return f"paid {to}"


def started() -> None:
    """Nothing was paid yet."""
    global INSIDE
    INSIDE = asyncio.Event()
    PAID.clear()


def payer(*replies: object) -> Agent:
    return Agent("payer", model=ScriptedModel(list(replies)), tools=[pay])


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A workspace with a payment that was made, one that was cut short, and one of another tenant."""
    started()
    async with Workspace.open(tmp_path) as ws:
        await ws.run(payer(call("pay", to="ann"), "done"), "go", thread_id="t1")
        await ws.run(payer(call("pay", to="eve"), "done"), "go", principal=Principal("acme", "eve"))
        handle = ws.start(payer(call("pay", to="the slow bank")), "go", thread_id="t2")
        await INSIDE.wait()
        await handle.cancel()
    return tmp_path


def segue(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def listed(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    assert segue("effects", *options, "--json", "--workspace", str(folder)) == 0
    return [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_effects_are_listed_oldest_first_with_their_state(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(folder, capsys)

    assert [(each["tool"], each["state"], each["arguments"]) for each in found] == [
        ("pay", "recorded", {"to": "ann"}),
        ("pay", "open", {"to": "the slow bank"}),
    ]
    assert segue("effects", "--workspace", str(folder)) == 0
    said = capsys.readouterr().out
    assert all(each["key"] in said and each["run"] in said for each in found)


def test_open_ones_those_of_a_thread_and_those_of_a_tenant_are_listed_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [each["thread"] for each in listed(folder, capsys, "--open")] == ["t2"]
    [first] = listed(folder, capsys, "--thread", "t1")
    assert [each["key"] for each in listed(folder, capsys, "--run", first["run"])] == [first["key"]]
    assert [each["arguments"] for each in listed(folder, capsys, "--tenant", "acme")] == [{"to": "eve"}]
    assert segue("effects", "--tenant", "nobody", "--workspace", str(folder)) == 0
    assert capsys.readouterr().out == "no effects\n"


def test_one_effect_is_shown_with_what_can_be_done_about_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [found] = listed(folder, capsys, "--open")

    assert segue("effects", "show", found["key"], "--workspace", str(folder)) == 0

    said = capsys.readouterr().out
    assert '{"to": "the slow bank"}' in said
    assert f"segue effects settle {found['key']} --done" in said


@pytest.mark.parametrize(
    ("options", "state", "paid", "read"),
    [
        (["--done", "--result", '"receipt 12"'], "settled: done", 1, "receipt 12"),
        (["--done"], "settled: done", 1, "pay took effect, as a person says; what it returned is not known"),
        (["--not-done"], "recorded", 2, "paid the slow bank"),
    ],
    ids=["done with its result", "done", "not done"],
)
def test_what_a_person_settles_is_what_the_run_goes_on_with(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], state: str, paid: int, read: str
) -> None:
    [found] = listed(folder, capsys, "--open")
    assert segue("effects", "settle", found["key"], *options, "--workspace", str(folder)) == 0
    assert "is settled: it was" in capsys.readouterr().out
    assert listed(folder, capsys, "--open") == []

    async def resumed() -> str:
        @tool(name="pay", reach="account")
        def quick(to: str) -> str:
            """Pay."""
            PAID.append(to)
            return f"paid {to}"

        agent = Agent("payer", model=ScriptedModel(["done"]), tools=[quick])
        async with Workspace.open(folder) as ws:
            run = await ws.resume(found["run"], agent=agent)
            return str(run.trajectory[-2]["result"])

    assert asyncio.run(resumed()) == read
    assert PAID.count("the slow bank") == paid
    assert [each["state"] for each in listed(folder, capsys, "--thread", "t2")] == [state]


def test_what_is_not_open_is_not_settled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [done] = listed(folder, capsys, "--thread", "t1")
    [theirs] = listed(folder, capsys, "--tenant", "acme")
    at = ("--workspace", str(folder))

    assert segue("effects", "settle", done["key"], "--not-done", *at) == 2
    assert f"effect {done['key']} is not open: it is recorded already" in capsys.readouterr().err
    assert segue("effects", "settle", theirs["key"], "--done", *at) == 2
    assert f"there is no effect '{theirs['key']}' here" in capsys.readouterr().err
    [found] = listed(folder, capsys, "--open")
    assert segue("effects", "settle", found["key"], "--not-done", "--result", "1", *at) == 2
    assert "what was not done has no result" in capsys.readouterr().err
    assert segue("effects", "settle", found["key"], *at) == 2


async def test_what_a_living_process_works_on_is_not_settled(tmp_path: Path) -> None:
    from segue import BadInput

    started()
    async with Workspace.open(tmp_path) as ws, Workspace.open(tmp_path) as other:
        handle = ws.start(payer(call("pay", to="the slow bank")), "go", thread_id="t")
        await INSIDE.wait()
        [found] = await other.effects()
        assert found.under_way

        with pytest.raises(BadInput, match="under way"):
            await other.settle_effect(found.key, done=True)
        await handle.cancel()

        assert (await other.settle_effect(found.key, done=True)).state == "settled"
