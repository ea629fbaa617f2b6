"""The shop's data: a seed goes in, two SQLite files come out, the same ones every time.

`build(path)` writes the shop's database to `path` and the CRM's beside it as `crm.db`. The tables stand in `schema.sql`
and `crm.sql`, the words in `catalogue.json`, the making of the rows in `shopdata/`; what is irregular on purpose is
listed with its counts in `README.md`. Nothing depends on today's date: the shop's last day is 31 October 2026. Only the
standard library is used.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import sys
import threading
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shopdata.tables import Draft

HERE = Path(__file__).resolve().parent
DATA = HERE / "data"
SEED = 1042
_ONE_AT_A_TIME = threading.Lock()
SHOP_TABLES = (
    "countries", "customers", "products", "orders", "order_lines", "payments", "refunds", "support_cases",
)  # fmt: skip
CRM_TABLES = ("contacts", "activities")


def build(path: Path, *, fresh: bool = False) -> None:
    """Write the shop's database to `path` and the CRM's to `crm.db` beside it; do nothing where both are up to date.

    Up to date means that the file's `user_version` is the one of this script, its tables and its words. A file appears
    whole or not at all: it is written under another name and then renamed. `fresh` writes in any case, which also
    takes back what was written into the files since.
    """
    version, crm = _version(), path.with_name("crm.db")
    with _ONE_AT_A_TIME:
        if not fresh and _user_version(path) == version == _user_version(crm):
            return
        draft = generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, HERE / "schema.sql", {name: getattr(draft, name) for name in SHOP_TABLES}, version)
        _write(crm, HERE / "crm.sql", {name: getattr(draft, name) for name in CRM_TABLES}, version)


def generate() -> Draft:
    """Make every row from the seed. Later parts read what earlier ones made, so their order matters."""
    if str(HERE) not in sys.path:  # a file that is loaded by its path does not see the package beside it
        sys.path.append(str(HERE))
    from shopdata import cases, people, refunds, trade
    from shopdata.tables import Draft

    draft = Draft(rng=random.Random(SEED), words=json.loads((HERE / "catalogue.json").read_text("utf-8")))
    trade.countries(draft)
    trade.products(draft)
    people.customers(draft)
    plus = people.crm(draft)
    trade.orders(draft, plus)
    trade.payments(draft)
    refunds.refunds(draft)
    cases.cases(draft)
    return draft


def _version() -> int:
    """Sum up everything that the data is made from, as a number that fits a database's `user_version`."""
    names = ("build.py", "schema.sql", "crm.sql", "catalogue.json")
    files = [*(HERE / name for name in names), *sorted((HERE / "shopdata").glob("*.py"))]
    return zlib.crc32(b"".join(file.read_bytes() for file in files)) & 0x7FFFFFFF


def _user_version(path: Path) -> int:
    """Read the version of a database file; -1 where there is no file or it is no database."""
    if not path.is_file():
        return -1
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError:
        return -1
    finally:
        connection.close()


def _write(path: Path, schema: Path, tables: dict[str, Sequence[dict[str, Any]]], version: int) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.unlink(missing_ok=True)
    connection = sqlite3.connect(scratch)
    try:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;")
        connection.executescript(schema.read_text("utf-8"))
        for name, rows in tables.items():
            columns = list(rows[0])
            marks = ", ".join(f":{column}" for column in columns)
            connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    finally:
        connection.close()
    os.replace(scratch, path)


def main() -> None:
    """Build the data into `data/` beside this script, or into the folder that is given."""
    parser = argparse.ArgumentParser(description="Build the example shop's databases, shop.db and crm.db.")
    parser.add_argument("folder", nargs="?", type=Path, default=DATA, help="where the files go")
    parser.add_argument("--fresh", action="store_true", help="write them again even where they are up to date")
    options, start = parser.parse_args(), time.perf_counter()
    build(options.folder / "shop.db", fresh=options.fresh)
    print(f"{options.folder / 'shop.db'} and crm.db stand ready ({time.perf_counter() - start:.1f} s)")


if __name__ == "__main__":
    main()
