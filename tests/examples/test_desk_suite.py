"""The example desk's suite: its truth made again by SQL and by the pages, passed by the desk, failed by a broken one.

A bug is planted in the world that a trial gets: in its data, its handbook or its tools. It is caught where the cases
that concern it fail and those nearby do not.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from segue import RunContext, Workspace, tool
from segue.evals import Case, Experiment, Result, load_cases
from segue.evals.answer import numbers_in
from segue.tools.connectors.documents import Documents, FoundPassages

pytestmark = [pytest.mark.xdist_group("the desk's suite"), pytest.mark.timeout(300)]
SHOP = Path(__file__).parents[2] / "examples" / "shop"
CASES = load_cases(SHOP / "evals" / "desk.jsonl")
LEAST = {
    "handbook": 14, "figures": 12, "since": 2, "sum": 2, "month": 2, "filter": 2, "orders": 5, "checks": 5,
    "refunds": 4, "multi": 4, "plot": 1, "crm": 2, "turns": 2, "never": 3, "hidden": 3, "unknown": 2,
}  # fmt: skip
OWN = ("desk", "build", "refunding", "shopdata")
"""The modules of the example, by the names under which Python keeps them."""


def asked_in_sql(case: Case) -> str:
    """The statement in a case's note; empty where there is none."""
    return case.note.partition("SQL: ")[2]


def named(*ids: str) -> list[Case]:
    """The cases of these ids."""
    by_id = {case.id: case for case in CASES}
    return [by_id[each] for each in ids]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module of the desk, from a copy of its folder."""
    shop = tmp_path_factory.mktemp("suite") / "shop"
    shutil.copytree(SHOP, shop, ignore=shutil.ignore_patterns("data", "__pycache__"))
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in OWN}
    for name in before:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(shop))
        spec = importlib.util.spec_from_file_location("desk", shop / "desk.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.UNTOUCHED.mkdir()
        for name in ("shop.db", "crm.db"):  # so that they are not built a second time
            shutil.copy(module.DATA / name, module.UNTOUCHED / name)
        yield module
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture(scope="module")
def tables(desk: Any) -> Iterator[sqlite3.Connection]:
    """The shop's database as it is built, with the CRM attached as `crm`."""
    with closing(sqlite3.connect(desk.DATA / "shop.db")) as connection:
        connection.execute("ATTACH ? AS crm", (str(desk.DATA / "crm.db"),))
        yield connection


def tried_on(world: Callable[[Path], Any], cases: list[Case], folder: Path) -> Result:
    """What comes of the cases with the offline rules."""

    async def run() -> Result:
        async with Workspace.open(folder) as ws:
            return await Experiment(agent=world, cases=cases, suite="desk", parallel=2).run(ws)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def tried(desk: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The whole suite, run once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("OPENAI_", "SEGUE_"))]:
            patch.delenv(name)
        return tried_on(desk.fresh_desk, CASES, tmp_path_factory.mktemp("suite run"))


def test_the_suite_has_cases_of_every_kind() -> None:
    held = Counter(tag for case in CASES for tag in case.tags)

    assert len(CASES) >= 45
    assert {tag: held[tag] for tag, least in LEAST.items() if held[tag] < least} == {}
    assert len({each.source for case in CASES for each in case.expect.citations}) >= 12


def test_every_case_has_a_short_slug_a_tag_and_something_that_it_expects() -> None:
    wrong = [case.id for case in CASES if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+){0,5}", case.id) or not case.tags]

    assert wrong == []
    assert [case.id for case in CASES if case.expect.model_fields_set <= {"status", "never"}] == []


def test_no_case_expects_the_words_of_the_offline_rules() -> None:
    said = "\n".join(case.line().decode() for case in CASES)

    assert "offline" not in said
    assert "as it gave it" not in said
    assert [case.id for case in CASES if case.expect.equals is not None] == []


def test_refunds_are_approved_rejected_and_left_unanswered_and_elsewhere_never_made() -> None:
    refunds = [case for case in CASES if "refunds" in case.tags]
    answers = Counter(rule.type for case in refunds for rule in case.answers)
    elsewhere = [case for case in CASES if case not in refunds]

    assert answers["approve"] >= 3
    assert answers["reject"] >= 2
    assert all(rule.reason for case in refunds for rule in case.answers if rule.type == "reject")
    assert [case.id for case in refunds if case.expect.status == "waiting"] != []
    assert [case.id for case in elsewhere if "refund_order" not in {each.tool for each in case.expect.never}] == []


def test_limits_are_set_on_calls_failures_generations_and_money() -> None:
    limits = [case.expect.limits.model_dump(exclude_none=True) for case in CASES]

    for name in ("tool_calls", "failed_calls", "generations", "cost_usd"):
        assert sum(name in each for each in limits) >= 3, name


@pytest.mark.parametrize("case", [case for case in CASES if asked_in_sql(case)], ids=lambda case: case.id)
def test_what_a_case_expects_is_what_the_raw_tables_hold(tables: sqlite3.Connection, case: Case) -> None:
    statement = asked_in_sql(case)

    cells = [cell for row in tables.execute(statement) for cell in row if cell is not None]

    figures = [cell for cell in cells if isinstance(cell, int | float)]
    labels = [cell.casefold() for cell in cells if isinstance(cell, str)]
    wanted = case.expect.numbers
    near = max((each.within for each in wanted), default=0.0) + 1e-9
    assert cells
    assert "_facts" not in statement, "views are what is tried"
    assert [each.value for each in wanted if all(abs(each.value - figure) > near for figure in figures)] == []
    assert [figure for figure in figures if all(abs(each.value - figure) > near for each in wanted)] == []
    assert [words for words in case.expect.contains if not any(words.casefold() in label for label in labels)] == []
    if "hidden" in case.tags:
        assert {words.casefold() for words in case.expect.lacks} == set(labels)


def test_a_figure_stands_in_the_sql_or_in_the_words_of_a_page() -> None:
    for case in CASES:
        if case.expect.numbers and not asked_in_sql(case):
            held = {number for each in case.expect.citations for number in numbers_in(each.holds)}
            assert {each.value for each in case.expect.numbers} <= held, case.id


def test_what_a_case_wants_cited_stands_on_the_page() -> None:
    for case in CASES:
        for each in case.expect.citations:
            page = " ".join((SHOP / "handbook" / each.source).read_text(encoding="utf-8").split())
            assert " ".join(each.holds.split()) in page, f"{case.id}: {each.source}"
            assert each.holds or "handbook" not in case.tags, case.id


def test_the_refund_that_must_not_be_there_has_the_number_that_the_next_one_gets(tables: sqlite3.Connection) -> None:
    (following,) = tables.execute("SELECT max(refund_id) + 1 FROM refunds").fetchone()
    held = {
        case.id: case.expect.lacks for case in named("refund-rejected", "refund-unanswered", "check-writes-nothing")
    }

    assert held == {case_id: [str(following)] for case_id in held}


def test_the_desk_passes_every_case_with_the_offline_rules(tried: Result) -> None:
    assert {trial.case_id: trial.whys for trial in tried.trials if not trial.passed} == {}
    assert len(tried.trials) == len(CASES)
    assert tried.offline


def test_the_tools_of_every_kind_were_called(tried: Result) -> None:
    called = {step["tool"] for trial in tried.trials for step in trial.results()}

    assert called >= {
        "search_handbook", "query_shop", "sql_shop", "look_up_order", "check_damage_refund", "refund_order",
        "find_contacts", "list_activities", "plot", "summarise_table",
    }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One thing that is broken in the desk's world."""

    plant: Callable[[Any, pytest.MonkeyPatch, Path], Callable[[Path], Any] | None]
    """Breaks it for the module of the desk; returns the function that makes the desk, where that is another."""
    fails: tuple[str, ...]
    """The cases that concern it."""
    passes: tuple[str, ...]
    """Cases nearby that have nothing to do with it."""


def limit_read_wrongly(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """EUR 1,000.00 instead of EUR 100.00."""
    refunding = sys.modules["refunding"]
    right = refunding.limits
    patch.setattr(refunding, "limits", lambda: replace(right(), amount_cents=right().amount_cents * 10))


def refund_without_approval(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """Nobody is asked before money moves."""
    right = desk.refund_tools
    patch.setattr(desk, "refund_tools", lambda shop: [replace(each, approval=False) for each in right(shop)])


def view_counts_twice(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> Callable[[Path], Any]:
    """Refunds are joined to the payments of their order: one of an order paid in two parts counts twice."""

    def buggy(folder: Path) -> Any:
        team = desk.fresh_desk(folder)
        with closing(sqlite3.connect(folder / "shop.db")) as db, db:
            (view,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'refund_facts'").fetchone()
            db.execute("DROP VIEW refund_facts")
            joined = "JOIN orders o USING (order_id)"
            db.execute(view.replace(joined, f"{joined} JOIN payments y ON y.order_id = o.order_id"))
        return team

    return buggy


def page_missing(desk: Any, patch: pytest.MonkeyPatch, folder: Path) -> None:
    """The index was made without the page on gift cards."""
    shutil.copytree(desk.HERE / "handbook", folder / "handbook")
    (folder / "handbook" / "gift-cards.md").unlink()
    patch.setattr(desk, "HERE", folder)


class Mislabelled(Documents):
    """Shows each passage under the citation of another."""

    @property
    def search(self) -> Any:
        """`search_…`, with the citations in the wrong order."""
        right = super().search

        async def search(ctx: RunContext, query: str, k: int = 4) -> FoundPassages:
            found: FoundPassages = await right.fn(ctx, query=query, k=k)
            cited = [each.citation for each in found.passages]
            wrong = zip(found.passages, cited[1:] + cited[:1], strict=True)
            return replace(found, passages=[replace(each, citation=citation) for each, citation in wrong])

        return replace(right, fn=search)


def passages_mislabelled(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """A search cites other lines than those it shows."""
    patch.setattr(desk, "Documents", Mislabelled)


def check_that_refunds(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """Whoever asks whether a refund is allowed has it written."""
    right, refunding = desk.refund_tools, sys.modules["refunding"]

    def broken(shop: Path) -> Any:
        look_up, check, refund = right(shop)

        @tool(effect="read", name=check.name, description=check.description)
        def refunding_check(order_id: int) -> dict[str, Any]:
            with refunding.opened(shop) as db:
                found: dict[str, Any] = refunding._judge(db, order_id)
                if found["allowed"]:
                    refunding._refund(db, order_id, found)
                return found

        return [look_up, refunding_check, refund]

    patch.setattr(desk, "refund_tools", broken)


def lines_of_another_order(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """An order is shown with the lines of the next one."""
    refunding = sys.modules["refunding"]
    right = refunding._all
    patch.setattr(refunding, "_all", lambda db, sql, key: right(db, sql, key + ("order_lines" in sql)))


def hidden_columns_open(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """The analyst may read addresses and telephone numbers."""
    right = desk.Database
    patch.setattr(desk, "Database", lambda path, **options: right(path, **{**options, "hidden_columns": []}))


def another_order_for_an_unknown_one(desk: Any, patch: pytest.MonkeyPatch, _: Path) -> None:
    """Where an order is not there, the first one is taken."""
    refunding = sys.modules["refunding"]
    right = refunding._one

    def first(db: sqlite3.Connection, sql: str, key: int, missing: str) -> Any:
        try:
            return right(db, sql, key, missing)
        except LookupError:
            return right(db, sql, 1042, missing)

    patch.setattr(refunding, "_one", first)


BUGS = {
    "the limit is read wrongly": Bug(
        plant=limit_read_wrongly,
        fails=("check-above-limit", "refund-above-limit"),
        passes=("check-1042", "damage-rule"),
    ),
    "nobody is asked before a refund": Bug(
        plant=refund_without_approval,
        fails=("refund-approved", "refund-rejected", "refund-rejected-then-none", "refund-unanswered"),
        passes=("check-1042", "unknown-order"),
    ),
    "a view counts some refunds twice": Bug(
        plant=view_counts_twice,
        fails=("refunds-by-reason", "refunded-by-month", "refund-rate-of-july", "refunded-by-category-plotted"),
        passes=("orders-by-status", "order-1042"),
    ),
    "a page is missing from the index": Bug(
        plant=page_missing, fails=("gift-card-months",), passes=("lost-after-days", "vat-finland")
    ),
    "passages are shown under other citations": Bug(
        plant=passages_mislabelled,
        fails=("damage-rule", "approval-above-1000", "winter-presents", "rate-to-explain"),
        passes=("orders-by-status", "check-1042"),
    ),
    "a check refunds unasked": Bug(
        plant=check_that_refunds,
        fails=("check-writes-nothing", "refund-checked-then-approved"),
        passes=("refund-approved", "check-above-limit"),
    ),
    "an order has the lines of another": Bug(
        plant=lines_of_another_order, fails=("order-1042",), passes=("check-1042", "order-cancelled")
    ),
    "hidden columns are open": Bug(
        plant=hidden_columns_open,
        fails=("hidden-email-by-sql", "hidden-phone-by-sql", "hidden-email-in-a-filter"),
        passes=("undelivered-by-sql", "no-write-by-sql"),
    ),
    "an unknown order is taken for another": Bug(
        plant=another_order_for_an_unknown_one,
        fails=("unknown-order", "unknown-refund"),
        passes=("order-1042", "order-cancelled"),
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_fells_the_cases_that_concern_it_and_no_other(
    desk: Any, bug: Bug, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = bug.plant(desk, monkeypatch, tmp_path) or desk.fresh_desk

    result = tried_on(world, named(*bug.fails, *bug.passes), tmp_path)

    assert result.failing == list(bug.fails), {trial.case_id: trial.whys for trial in result.trials}
