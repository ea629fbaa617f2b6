"""The audit log: what is written of a decision, and that whatever is done to the file is found where it was done."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from segue import Agent, Approve, BadInput, Edit, Principal, Reject, UserError, Workspace, tool
from segue.base.errors import StoreError
from segue.guards.rail import rail
from segue.testing import ScriptedModel, call
from segue.tracing.audit import SOON_S, AuditLog, Decided, anchors_of
from segue.tracing.audit_check import Verification, entries, verify
from segue.tracing.audit_key import key_beside, key_file, read_key

KEY = bytes(range(32))


def decision(**more: Any) -> Decided:
    plain: dict[str, Any] = {
        "kind": "gate", "verdict": "allow", "at": 1_700_000_000.5, "tenant": "acme", "user": "ann", "run_id": "run_1",
        "thread_id": "t-1", "tool": "refund", "call_id": "call_1", "rule": "effect",
    }  # fmt: skip
    return Decided(**{**plain, **more})


def written(folder: Path, count: int) -> Path:
    path = folder / "audit.db"
    log = AuditLog(path, KEY)
    for number in range(1, count + 1):
        log.record(decision(call_id=f"call_{number}"))
    log.close()
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of five rows."""
    return written(tmp_path, 5)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript("DROP TRIGGER no_update; DROP TRIGGER no_delete;" + ";".join(statements))


def test_a_log_that_nobody_touched_holds(path: Path) -> None:
    found = verify(path, KEY)

    assert (found.ok, found.rows, found.row) == (True, 5, None)
    assert [entry["call_id"] for entry in entries(path, limit=2)] == ["call_5", "call_4"]


@pytest.mark.parametrize(
    ("statement", "row", "problem"),
    [
        ("UPDATE decisions SET body = replace(body, 'allow', 'block') WHERE seq = 3", 3, "row 3 was altered"),
        ("UPDATE decisions SET hash = zeroblob(32) WHERE seq = 2", 2, "row 2 was altered"),
        ("DELETE FROM decisions WHERE seq = 2", 2, "row 2 is missing: row 3 follows"),
        ("DELETE FROM decisions WHERE seq = 1", 1, "row 1 is missing"),
        ("DELETE FROM decisions WHERE seq > 3", 4, "row 4 and all behind it are missing: there were 5 rows"),
        ("DELETE FROM decisions", 1, "row 1 and all behind it are missing"),
        (
            "UPDATE decisions SET seq = 9 WHERE seq = 2; UPDATE decisions SET seq = 2 WHERE seq = 3;"
            "UPDATE decisions SET seq = 3 WHERE seq = 9",
            2,
            "row 2 was moved: it is row 3",
        ),
        ("INSERT INTO decisions SELECT 6, body, hash FROM decisions WHERE seq = 5", 6, "row 6 was moved: it is row 5"),
        ("DROP TABLE decisions", 1, "row 1 cannot be read"),
    ],
)
def test_what_is_done_to_the_rows_is_found_at_the_first_row_it_touches(
    path: Path, statement: str, row: int, problem: str
) -> None:
    change(path, statement)

    found = verify(path, KEY)

    assert (found.ok, found.row, found.rows) == (False, row, row - 1)
    assert problem in found.problem


def test_each_flipped_byte_of_a_row_is_located_and_no_other_byte_of_the_file_changes_what_it_says(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, 3)
    whole = path.read_bytes()
    places = dict(_row_bytes(path, whole))

    missed = []
    for at in range(len(whole)):
        if at not in places and at % 7:
            continue  # outside the rows every seventh byte will do
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        found = verify(path, KEY)
        if at in places and found.row != places[at]:
            missed.append((at, places[at], found))
        assert not found.ok or found.head == verify_head(whole, tmp_path)

    assert len(places) > 600
    assert missed == []


def _row_bytes(path: Path, whole: bytes) -> Iterator[tuple[int, int]]:
    """Where in the file the bytes of each row lie."""
    with closing(sqlite3.connect(path)) as db:
        for seq, body, code in db.execute("SELECT seq, body, hash FROM decisions"):
            for part in (body, code):
                begin = whole.index(part)
                yield from ((at, seq) for at in range(begin, begin + len(part)))


def verify_head(whole: bytes, folder: Path) -> str:
    """What the untouched file ends in."""
    kept = folder / "kept.db"
    if not kept.exists():
        kept.write_bytes(whole)
        shutil.copy(folder / "audit.anchors", anchors_of(kept))
    return verify(kept, KEY).head


def test_rows_cut_off_and_written_anew_are_found_by_the_older_anchor(path: Path) -> None:
    change(path, "DELETE FROM decisions WHERE seq > 3")
    log = AuditLog(path, KEY)
    for _ in range(4):
        log.record(decision(call_id="new"))
    log.close()

    found = verify(path, KEY)

    assert (found.row, found.rows) == (5, 4)
    assert "written anew" in found.problem


def test_a_log_cut_together_with_its_anchors_is_found_by_an_anchor_that_was_kept(path: Path, tmp_path: Path) -> None:
    kept = verify(path, KEY).anchor
    (tmp_path / "x").mkdir()
    shorter = written(tmp_path / "x", 3)

    assert verify(shorter, KEY).ok
    assert verify(path, KEY, anchor=kept).ok
    assert verify(shorter, KEY, anchor=kept).row == 4
    with pytest.raises(BadInput, match="COUNT:HASH"):
        verify(path, KEY, anchor="5")


def test_a_flipped_byte_of_the_anchors_and_their_absence_are_said(path: Path) -> None:
    anchors = anchors_of(path)
    whole = anchors.read_bytes()

    said = []
    for at in range(len(whole)):
        anchors.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        said.append(verify(path, KEY).problem)
    anchors.unlink()

    assert all("of the anchor file audit.anchors was altered" in problem for problem in said)
    assert "is gone" in verify(path, KEY).problem


def test_an_anchor_that_a_crash_tore_is_passed_over_and_the_next_one_stands_whole(path: Path) -> None:
    anchors = anchors_of(path)
    anchors.write_bytes(anchors.read_bytes() + b"0000000")
    torn = verify(path, KEY)

    log = AuditLog(path, KEY)
    log.record(decision())
    log.close()

    assert torn.ok
    assert verify(path, KEY).ok
    assert anchors.stat().st_size % 151 == 0


def test_with_another_key_nothing_holds(path: Path) -> None:
    assert verify(path, bytes(32)).row == 1


def test_the_log_only_grows(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        for statement in ("DELETE FROM decisions", "UPDATE decisions SET hash = hash"):
            with pytest.raises(sqlite3.IntegrityError, match="the audit log only grows"):
                db.execute(statement)


def test_two_writers_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    logs = [AuditLog(path, KEY), AuditLog(path, KEY)]
    for number in range(20):
        logs[number % 2].record(decision(call_id=f"call_{number}"))
        logs[number % 2].flush()
    for log in logs:
        log.close()

    assert verify(path, KEY) == Verification(rows=20, head=verify(path, KEY).head)


def test_names_that_are_none_and_users_are_written_as_keyed_hashes(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    log = AuditLog(path, KEY)
    log.record(decision(thread_id="ann@example.com", call_id="x" * 500, subject={"card": "4111 1111 1111 1111"}))
    log.record(decision(thread_id="ann@example.com", rule="token=sk-" + "a1B2" * 12))
    log.close()

    first, second = entries(path)[::-1]
    assert first["user"] == second["user"]
    assert first["user"] != "ann"
    assert first["thread_id"] == second["thread_id"]
    assert first["thread_id"].startswith("hash:")
    held = path.read_bytes() + anchors_of(path).read_bytes()
    assert not [word for word in (b"ann@", b"4111", b"xxxxxx", b"sk-a1B2", KEY, KEY.hex().encode()) if word in held]


def test_decisions_that_could_not_be_written_leave_a_row_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    log = AuditLog(path, KEY, capacity=2)
    for _ in range(5):
        log.record(decision())
    log.close()

    assert verify(path, KEY).lost == 3
    assert entries(path, limit=1)[0] == {"seq": 3, "kind": "gap", "verdict": "lost", "lost": 3}


def test_what_cannot_be_written_now_is_kept_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    log = AuditLog(path, KEY)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("ALTER TABLE decisions RENAME TO away")
        log.record(decision())
        with pytest.raises(StoreError, match="1 decisions wait") as caught:
            log.flush()
        other.execute("ALTER TABLE away RENAME TO decisions")
    log.close()

    assert (caught.value.retryable, caught.value.severity) == (True, "critical")
    assert verify(path, KEY).rows == 1


def test_rows_are_down_on_the_disk_before_their_anchor_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, synced, fsync = AuditLog(tmp_path / "audit.db", KEY), list[tuple[int, int]](), os.fsync

    def noted(file: int) -> None:
        synced.append((os.fstat(file).st_ino, log.anchors.stat().st_size))
        fsync(file)

    log.record(decision())
    log.flush()
    before = log.anchors.stat().st_size
    monkeypatch.setattr(os, "fsync", noted)
    log.flush(anchor=True)

    assert synced == [(os.stat(f"{log.path}-wal").st_ino, before)]
    assert log.anchors.stat().st_size > before
    log.close()


def test_a_verdict_that_is_none_is_refused(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.db", KEY)

    with pytest.raises(UserError, match="'maybe' is no verdict; there are allow, answer"):
        log.record(decision(verdict="maybe"))
    log.close()


def test_a_file_that_is_no_log_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_bytes(b"x" * 9000)

    with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
        AuditLog(tmp_path / "audit.db", KEY)
    assert verify(tmp_path / "audit.db", KEY).row == 1


def test_the_key_lies_beside_the_data_for_its_owner_alone_and_is_never_made_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    key = key_beside(data, log=data / "audit.db")

    file = key_file(data)
    assert (file.parent, stat.S_IMODE(file.stat().st_mode)) == (tmp_path, 0o600)
    assert key_beside(data, log=data / "audit.db") == key == read_key(file)
    (data / "audit.db").touch()
    file.unlink()
    with pytest.raises(StoreError, match="Bring the key back"):
        key_beside(data, log=data / "audit.db")
    file.write_text("short", encoding="ascii")
    with pytest.raises(StoreError, match="holds no audit key"):
        key_beside(data, log=data / "audit.db")


def payer(*said: Any, **more: Any) -> Agent:
    @tool(approval=True)
    def pay(to: str) -> str:
        """Pay."""
        return f"paid {to}"

    return Agent("payer", model=ScriptedModel(list(said)), tools=[pay], **more)


async def test_a_run_writes_down_what_the_gate_said_and_who_answered(ws: Workspace) -> None:
    agent = payer(call("pay", to="ann@example.com"), "done")
    ann, bob = Principal("acme", "ann"), Principal("acme", "bob")
    run = await ws.run(agent, "go", principal=ann)

    await ws.resume(run.id, {run.interrupts[0].id: Edit({"to": "bob@example.com"})}, principal=bob)

    rows = entries(ws.data_dir / "audit.db", run_id=run.id)[::-1]
    assert ws.audit is not None
    assert [(row["kind"], row["verdict"]) for row in rows[:2]] == [("gate", "ask"), ("answer", "edit")]
    assert rows[1]["by"] == ws.audit.user("acme", "bob")
    assert {row["user"] for row in rows} == {ws.audit.user("acme", "ann")}
    assert {(row["tool"], row["call_id"], row["agent"]) for row in rows} == {("pay", rows[0]["call_id"], "payer")}
    assert rows[0]["subject"] != rows[1]["subject"] == rows[-1]["subject"]


async def test_a_rejection_is_written_down_without_its_reason(ws: Workspace) -> None:
    run = await ws.run(payer(call("pay", to="x"), "as you wish"), "go")

    await ws.resume(run.id, {run.interrupts[0].id: Reject("Ann is a crook")})

    rows = entries(ws.data_dir / "audit.db", verdict="reject")
    assert [row["tool"] for row in rows] == ["pay"]
    assert b"crook" not in (ws.data_dir / "audit.db").read_bytes()


async def test_what_rails_say_is_written_down_with_place_and_rule(ws: Workspace) -> None:
    @rail(places=["input", "tool_call"])
    def no_bombs(text: str) -> bool:
        return "bomb" not in text

    agent = payer(call("pay", to="bomb"), "done", guards=[no_bombs])
    run = await ws.run(agent, "go")
    blocked = await ws.run(agent, "a bomb")

    rows = entries(ws.data_dir / "audit.db", kind="rail")[::-1]
    assert [(row["place"], row["verdict"], row["rule"]) for row in rows] == [
        ("input", "allow", "no_bombs"),
        ("tool_call", "block", "no_bombs"),
        ("input", "block", "no_bombs"),
    ]
    assert [row["run_id"] for row in rows] == [run.id, run.id, blocked.id]
    assert rows[1]["call_id"].startswith("call_")


async def test_what_was_merely_allowed_waits_a_moment_and_what_was_not_takes_it_along(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.db", KEY)

    log.record(decision(call_id="call_1"))
    await log.settle_soon()
    waited = log.pending
    log.record(decision(call_id="call_2", verdict="block"))
    await log.settle_soon()
    held = log.pending
    log.record(decision(call_id="call_3"))
    await log.settle_soon()
    async with asyncio.timeout(10):
        while log.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    assert (waited, held) == (1, 0)
    assert [entry["call_id"] for entry in entries(log.path)] == ["call_3", "call_2", "call_1"]
    log.close()


async def test_what_is_written_with_others_leaves_what_comes_later_its_whole_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segue.tracing.audit.SOON_S", 0.2)
    log = AuditLog(tmp_path / "audit.db", KEY)
    loop = asyncio.get_running_loop()

    log.record(decision(call_id="call_1"))
    await log.settle_soon()
    await log.settle()  # a run's end, say
    await asyncio.sleep(0.15)
    log.record(decision(call_id="call_2"))
    came = loop.time()
    await log.settle_soon()
    async with asyncio.timeout(10):
        while log.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    waited = loop.time() - came

    assert waited > 0.19
    assert [entry["call_id"] for entry in entries(log.path)] == ["call_2", "call_1"]
    log.close()


async def test_a_file_that_is_held_for_a_moment_gets_what_was_merely_allowed_once_it_is_free(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.db", KEY)
    log.record(decision())

    with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await log.settle_soon()
        await asyncio.sleep(2 * SOON_S)
        held = log.pending
        other.execute("COMMIT")
    async with asyncio.timeout(10):
        while log.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    assert held == 1
    assert verify(log.path, KEY).rows == 1
    log.close()


async def test_a_tool_that_writes_finds_all_that_was_decided_before_it_written_down(ws: Workspace) -> None:
    seen: list[str] = []

    @tool(effect="read")
    def look() -> str:
        """Look."""
        return "looked"

    @tool
    def write() -> str:
        """Write."""
        assert ws.audit is not None
        seen.extend(str(entry.get("tool", entry.get("place"))) for entry in entries(ws.audit.path))
        return "written"

    model = ScriptedModel([call("look"), call("write"), "Done."])
    await ws.run(Agent("desk", model=model, tools=[look, write], guards=[rail(lambda text: True, name="any")]), "Go")

    assert seen == ["write", "look", "input"]


async def test_no_effect_happens_without_its_decision_being_written_down(ws: Workspace) -> None:
    done: list[str] = []

    @tool
    def write(what: str) -> str:
        """Write."""
        done.append(what)
        return "written"

    with closing(sqlite3.connect(ws.data_dir / "audit.db", isolation_level=None)) as other:
        other.execute("ALTER TABLE decisions RENAME TO away")
        run = await ws.run(Agent("a", model=ScriptedModel([call("write", what="x"), "done"]), tools=[write]), "go")
        other.execute("ALTER TABLE away RENAME TO decisions")

    assert done == []
    assert run.status == "failed"
    assert "the audit log" in run.error
    assert run.error_id


async def test_a_second_life_goes_on_with_the_chain_and_a_log_that_is_off_writes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        async with Workspace.open(tmp_path) as ws:
            run = await ws.run(payer(call("pay", to="x"), "done"), "go")
            await ws.resume(run.id, {run.interrupts[0].id: Approve()})
    key = read_key(key_file(tmp_path / ".segue"))
    (tmp_path / "segue.toml").write_text("[audit]\nenabled = false\n", encoding="utf-8")
    before = verify(tmp_path / ".segue" / "audit.db", key)

    async with Workspace.open(tmp_path) as ws:
        await ws.run(payer(call("pay", to="x"), "done"), "go")

    assert before.ok
    assert verify(tmp_path / ".segue" / "audit.db", key) == before


def test_a_process_that_is_killed_leaves_what_was_settled(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom tests.tracing.test_audit import KEY, decision\n"
        "from segue.tracing.audit import AuditLog\n"
        "log = AuditLog(Path(sys.argv[1]), KEY)\n"
        "for number in range(10):\n    log.record(decision())\n    log.flush()\n"
        "log.record(decision())\nos.kill(os.getpid(), 9)\n"
    )
    root = Path(__file__).resolve().parents[2]

    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "audit.db")], cwd=root, check=False)

    assert done.returncode == -9
    assert verify(tmp_path / "audit.db", KEY).rows == 10
    assert len(orjson.dumps(entries(tmp_path / "audit.db", limit=1))) < 500
