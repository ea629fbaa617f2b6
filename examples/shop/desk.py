"""The example desk: a planner with three workers over a shop's database, its CRM and its handbook.

segue run examples/shop/desk.py:desk "How many refunds were there since 2026-08-01 by reason?"
segue chat examples/shop/desk.py
segue eval examples/shop/desk.py:fresh_desk examples/shop/evals/desk.jsonl
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.append(str(HERE))

from build import build  # noqa: E402
from refunding import refund_tools  # noqa: E402

from segue import Agent, Documents, Planner, Team  # noqa: E402
from segue.tools.connectors import Database, EmbeddedCRM  # noqa: E402
from segue.tools.sandbox import CodeTools  # noqa: E402

DATA = HERE / "data"
UNTOUCHED = DATA / "untouched"
"""What every fresh desk begins with; nothing writes into it."""


def desk_over(data: Path) -> Team:
    """The desk over the databases of a folder; its index of the handbook lies beside them."""
    handbook = Documents(
        HERE / "handbook",
        index=data / "handbook.db",
        description="The shop's policies and procedures: returns, refunds, damage, shipping.",
    )
    shop = Database(
        data / "shop.db",
        description="Orders, sales, payments, refunds and support cases of the shop.",
        tables=[
            "refund_facts", "sales_facts", "case_facts", "monthly_figures", "customer_facts", "orders", "payments",
        ],
        hidden_columns=["phone", "email"],
    )  # fmt: skip
    crm = EmbeddedCRM(data / "crm.db").filtered(lambda tool: tool.effect == "read")
    code = CodeTools()

    support = Agent(
        "support",
        description="Answers by the handbook, looks up orders and customers, and refunds damaged items.",
        instructions="""\
You work at the help desk of the shop Nordlys. Answer from the handbook and cite it as [path:first-last].
Look an order up before you speak of it. Refund only what was asked for.""",
        model="fast",
        tools=[handbook.search, handbook.read, *refund_tools(data / "shop.db"), crm],
    )
    analyst = Agent(
        "analyst",
        description="Counts and sums refunds, sales, orders, payments and support cases from the database, by reason, "
        "category, country or month.",
        instructions="""\
You answer questions about figures from the shop's database. Prefer query_shop; write SQL only where it does not reach.
Give the table_id of the rows that you answer from.""",
        model="fast",
        tools=[shop],
    )
    coder = Agent(
        "coder",
        description="Computes on the rows of a table that a query gave: summarises it, plots it as a chart, runs small "
        "programs.",
        instructions="""\
You compute on tables that are named by a table_id. Prefer the named programs; write code only where they do not reach.
""",
        model="fast",
        tools=[code],
    )
    return Team(
        "desk",
        description="The help desk of the shop Nordlys.",
        planner=Planner(
            model="smart",
            instructions="You lead the help desk of the shop Nordlys. Names that end in _cents are integer cents.",
        ),
        workers=[support, analyst, coder],
    )


def fresh_desk(folder: Path) -> Team:
    """The desk over data of its own, as it was on the first day: what evals try, each trial in a folder of its own."""
    build(UNTOUCHED / "shop.db")
    for name in ("shop.db", "crm.db"):
        shutil.copy(UNTOUCHED / name, folder / name)
    if (DATA / "handbook.db").exists():
        shutil.copy(DATA / "handbook.db", folder / "handbook.db")
    return desk_over(folder)


build(DATA / "shop.db")
desk = desk_over(DATA)
