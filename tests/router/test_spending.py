from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.router.test_router import Says

from segue.base.errors import ConfigError
from segue.base.messages import user
from segue.base.usage import Usage
from segue.router import EndpointFailed, GenerationRequest, Reply, RouterCore, RouterSettings, RouteSettings
from segue.router.budgets import Account
from segue.router.errors import BudgetSpent
from segue.workspace.spending import Spending

NOON = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)


class Priced(Says):
    """Takes 1,000 tokens a request, 100 of them output, at a price for each."""

    def __init__(self, name: str, usd: float, *failures: Exception) -> None:
        super().__init__(name, *failures)
        self.usd = usd

    def rates(self) -> tuple[float, float, float]:
        return self.usd, self.usd, self.usd

    async def generate(self, request: GenerationRequest, **more: Any) -> Reply:
        reply = await super().generate(request, **more)
        usage = Usage(input_tokens=900, output_tokens=100, model_calls=1, cost_usd=1000 * self.usd)
        return Reply(message=reply.message, usage=usage)


class Rows:
    """A store of two processes."""

    def __init__(self) -> None:
        self.held: dict[Account, tuple[float, int]] = {}

    async def read(self, accounts: Sequence[Account]) -> Mapping[Account, tuple[float, int]]:
        return {each: self.held[each] for each in accounts if each in self.held}

    async def add(self, spent: Mapping[Account, tuple[float, int]]) -> None:
        for account, (usd, tokens) in spent.items():
            before = self.held.get(account, (0.0, 0))
            self.held[account] = before[0] + usd, before[1] + tokens


def core(*held: Says, store: Any = None, **budgets: Any) -> RouterCore:
    route = RouteSettings(deployments=tuple(each.name for each in held), policy="first")
    found = RouterCore(
        RouterSettings(budgets=budgets), deployments={each.name: each for each in held}, routes={"default": route},
        spent=store,
    )  # fmt: skip
    found.budgets.now = NOON.timestamp
    return found


def asked(tenant: str = "acme", person: str = "ann") -> GenerationRequest:
    return GenerationRequest(
        messages=[user("hi")], tenant=tenant, user=person, input_estimate=900, max_output_tokens=100
    )


async def test_what_costs_too_much_is_passed_over_and_what_is_free_still_answers() -> None:
    found = core(Priced("dear", 0.001), Priced("free", 0.0), all={"usd": 2.5})

    said = [(await found.generate(asked())).deployment for _ in range(4)]

    assert said == ["dear", "dear", "free", "free"]


async def test_when_nobody_is_left_the_error_names_the_budget_whose_it_is_and_the_way_out() -> None:
    found = core(Priced("dear", 0.001), tenants={"usd": 1.5, "tenant": "*"})
    await found.generate(asked())

    with pytest.raises(BudgetSpent) as caught:
        await found.generate(asked())

    error = caught.value
    assert str(error) == (
        "budget 'tenants' of 'acme' has no room for this request: $1 of $1.5 are spent in 2026-03-31. "
        "Not asked: 'dear'. Wait until it begins anew, raise [router.budgets.tenants], or give route 'default' a "
        "deployment that costs less."
    )
    assert error.deployments == ("dear",)
    assert error.retry_after_s == 11.5 * 3600
    assert (await found.generate(asked(tenant="other"))).deployment == "dear"


async def test_each_user_of_a_tenant_may_have_a_budget_of_tokens() -> None:
    found = core(Priced("a", 0.0), people={"tokens": 1500, "tenant": "acme", "user": "*", "per": "month"})
    await found.generate(asked())

    with pytest.raises(BudgetSpent, match=r"'people' of 'acme/ann' .* 1000 of 1500 tokens are spent in 2026-03\."):
        await found.generate(asked())
    for more in (asked(person="bob"), asked(tenant="free", person="ann"), asked(tenant="free", person="ann")):
        assert (await found.generate(more)).deployment == "a"


async def test_a_budget_of_some_deployments_counts_only_those() -> None:
    found = core(Priced("gpt-a", 0.001), Priced("gpt-b", 0.001), Priced("own", 0.001),
                 key={"usd": 2, "deployments": ("gpt-*",)})  # fmt: skip

    said = [(await found.generate(asked())).deployment for _ in range(4)]

    assert said == ["gpt-a", "gpt-a", "own", "own"]


async def test_requests_side_by_side_never_hold_more_than_the_budget_has() -> None:
    found = core(Priced("dear", 0.001), all={"usd": 5})

    ends = await asyncio.gather(*(found.generate(asked()) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(each, BudgetSpent) for each in ends) == 15


async def test_of_a_failed_try_the_input_counts_and_what_was_held_is_given_back() -> None:
    found = core(Priced("dear", 0.001, EndpointFailed("dear", "failed (500)")), all={"usd": 2.95})

    assert (await found.generate(asked())).attempts[0].outcome == "failed"  # 0.9 for it, 1 for the one that answered
    assert (await found.generate(asked())).deployment == "dear"
    with pytest.raises(BudgetSpent, match=r"\$2\.9 of \$2\.95"):
        await found.generate(asked())


async def test_a_new_hour_is_a_new_budget() -> None:
    found = core(Priced("dear", 0.001), all={"usd": 1, "per": "hour"})
    await found.generate(asked())
    with pytest.raises(BudgetSpent) as caught:
        await found.generate(asked())
    assert caught.value.retry_after_s == 1800

    found.budgets.now = lambda: NOON.timestamp() + 1801

    assert (await found.generate(asked())).deployment == "dear"


async def test_what_another_process_spent_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segue.router.budgets.LOOKS_S", -1.0)
    store = Rows()
    one, other = (core(Priced("dear", 0.001), store=store, all={"usd": 3}) for _ in range(2))

    for each in (one, other, one):
        await each.generate(asked())
        await asyncio.sleep(0.01)

    for each in (one, other):
        with pytest.raises(BudgetSpent):
            await each.generate(asked())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 5), st.integers(0, 1000)), max_size=8))
def test_rows_keep_the_sum_of_what_was_added(added: list[tuple[str, float, int]]) -> None:
    async def run() -> None:
        store = Spending("sqlite:///:memory:")
        for whose, usd, tokens in added:
            await store.add({("day", whose, "2026-03-31"): (usd, tokens)})
        found = await store.read([("day", whose, "2026-03-31") for whose in "abc"])
        await store.close()
        for whose in "ab":
            mine = [each for each in added if each[0] == whose]
            if mine:
                usd, tokens = found["day", whose, "2026-03-31"]
                assert usd == pytest.approx(sum(each[1] for each in mine))
                assert tokens == sum(each[2] for each in mine)
        assert ("day", "c", "2026-03-31") not in found

    asyncio.run(run())


async def test_what_was_spent_outlives_the_router(tmp_path: Path) -> None:
    for _ in range(2):
        store = Spending(tmp_path / "spent.db")
        found = core(Priced("dear", 0.001), store=store, all={"usd": 2})
        await found.generate(asked())
        await found.aclose()
        await store.close()

    store = Spending(tmp_path / "spent.db")
    with pytest.raises(BudgetSpent):
        await core(Priced("dear", 0.001), store=store, all={"usd": 2}).generate(asked())
    await store.close()


@pytest.mark.parametrize(
    ("budget", "why"),
    [({}, "a budget needs `usd`, `tokens` or both"), ({"usd": 0}, "usd"), ({"usd": 1, "per": "week"}, "per"),
     ({"usd": 1, "team": "x"}, "unknown key 'team'")],
)  # fmt: skip
def test_a_budget_that_makes_no_sense_is_named(budget: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        RouterSettings(budgets={"odd": budget})
    assert "[router.budgets.odd]" in str(caught.value)
