"""Any order of runs, answers, cancels and forks in two tenants, against a model of what must come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from starlette.testclient import TestClient
from tests.server.conftest import REFUNDED, desk

from segue.server import app
from segue.server.keys import Key
from segue.workspace.sections import ServerSection

TENANT = st.sampled_from(["first", "second"])
THREAD = st.sampled_from(["t-1", "t-2"])
WHICH = st.integers(0, 5)


@dataclass
class Known:
    """A run, as it must stand."""

    id: str
    thread: str
    status: str
    interrupt: str = ""
    overtaken: bool = False
    """Whether a later run went on with its thread."""


@dataclass
class Tenant:
    headers: dict[str, str]
    runs: list[Known] = field(default_factory=list)

    def waiting(self) -> list[Known]:
        return [each for each in self.runs if each.status == "waiting"]

    def overtake(self, thread: str) -> None:
        for each in self.runs:
            if each.thread == thread:
                each.overtaken = True


class Talking(RuleBasedStateMachine):
    """Two tenants who use the same ids."""

    client: TestClient
    numbers = count()

    @initialize()
    def begin(self) -> None:
        server, number = self.client.app.state.server, next(self.numbers)  # type: ignore[attr-defined]
        self.tenants: dict[str, Tenant] = {}
        self.approved = len(REFUNDED)
        portal = self.client.portal
        assert portal is not None
        for name in ("first", "second"):
            key = Key(id="", tenant=f"{name}-{number}", user="ann", scopes=("*",))

            async def add(key: Key = key) -> str:
                return str((await server.keys.add(key, now=1.0))[0])

            self.tenants[name] = Tenant({"Authorization": f"Bearer {portal.call(add)}"})

    def ask(self, tenant: Tenant, method: str, path: str, body: Any = None) -> Any:
        return self.client.request(method, f"/api/v1{path}", json=body, headers=tenant.headers)

    @rule(name=TENANT, thread=THREAD, text=st.sampled_from(["hello", "refund"]))
    def run(self, name: str, thread: str, text: str) -> None:
        tenant = self.tenants[name]
        run = self.ask(tenant, "POST", "/runs/wait", {"agent": "desk", "input": text, "thread_id": thread}).json()
        asked = [each["id"] for each in run["interrupts"]]
        assert (run["status"], len(asked)) == (("completed", 0) if text == "hello" else ("waiting", 1))
        tenant.overtake(thread)
        tenant.runs.append(Known(run["id"], thread, run["status"], *asked))

    @rule(name=TENANT, which=WHICH, kind=st.sampled_from(["approve", "reject"]))
    def answer(self, name: str, which: int, kind: str) -> None:
        tenant = self.tenants[name]
        if not (held := tenant.waiting()):
            return
        run = held[which % len(held)]
        answered = self.ask(tenant, "POST", f"/interrupts/{run.interrupt}/answer", {"type": kind})
        if run.overtaken:
            assert answered.status_code == 409
            run.status = "stopped"
            return
        assert answered.status_code == 202
        assert self.ask(tenant, "GET", f"/runs/{run.id}/join").json()["status"] == "completed"
        run.status = "completed"
        self.approved += kind == "approve"

    @rule(name=TENANT, which=WHICH)
    def cancel(self, name: str, which: int) -> None:
        tenant = self.tenants[name]
        if not tenant.runs:
            return
        run = tenant.runs[which % len(tenant.runs)]
        run.status = "stopped" if run.status == "waiting" else run.status
        assert self.ask(tenant, "POST", f"/runs/{run.id}/cancel").json()["status"] == run.status

    @rule(name=TENANT, thread=THREAD)
    def fork(self, name: str, thread: str) -> None:
        tenant = self.tenants[name]
        on_thread = [each for each in tenant.runs if each.thread == thread]
        if not on_thread or any(each.status != "completed" for each in on_thread):
            return
        found = self.ask(tenant, "GET", f"/threads/{thread}/checkpoints", None).json()["checkpoints"]
        body = {"checkpoint_id": found[0]["id"], "input": "hello"}
        run = self.ask(tenant, "POST", f"/threads/{thread}/fork", body).json()
        assert self.ask(tenant, "GET", f"/runs/{run['id']}/join").json()["status"] == "completed"
        tenant.overtake(thread)
        tenant.runs.append(Known(run["id"], thread, "completed"))

    @rule(name=TENANT, which=WHICH)
    def pry(self, name: str, which: int) -> None:
        mine, theirs = self.tenants[name], self.tenants["second" if name == "first" else "first"]
        if not theirs.runs:
            return
        run = theirs.runs[which % len(theirs.runs)]
        own = {
            each.interrupt for each in mine.waiting()
        }  # the same call, on a thread of the same name, has the same id
        interrupt = run.interrupt if run.interrupt and run.interrupt not in own else "none"
        tried = [
            self.ask(mine, "GET", f"/runs/{run.id}"),
            self.ask(mine, "POST", f"/runs/{run.id}/cancel"),
            self.ask(mine, "POST", f"/runs/{run.id}/resume", {}),
            self.ask(mine, "POST", f"/interrupts/{interrupt}/answer", {"type": "approve"}),
        ]
        assert {each.status_code for each in tried} == {404}

    @invariant()
    def every_tenant_sees_its_own_as_it_must_stand(self) -> None:
        for tenant in getattr(self, "tenants", {}).values():
            listed = self.ask(tenant, "GET", "/runs?limit=500").json()["runs"]
            asked = self.ask(tenant, "GET", "/interrupts?limit=500").json()["interrupts"]
            assert {each["id"]: each["status"] for each in listed} == {each.id: each.status for each in tenant.runs}
            assert {each["id"] for each in asked} == {each.interrupt for each in tenant.waiting()}

    @invariant()
    def what_was_approved_was_done_once(self) -> None:
        assert len(REFUNDED) == getattr(self, "approved", len(REFUNDED))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    section = ServerSection(requests_per_minute=1_000_000)
    with TestClient(app(tmp_path, agents=[desk()], settings=section), base_url="http://127.0.0.1") as made:
        yield made


@pytest.mark.parametrize(
    ("examples", "steps"), [(12, 20), pytest.param(60, 40, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_any_order_comes_to_what_the_model_says(client: TestClient, examples: int, steps: int) -> None:
    Talking.client = client
    held = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, derandomize=examples < 20,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    run_state_machine_as_test(Talking, settings=held)
