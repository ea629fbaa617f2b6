"""The guard of free SQL: a statement in, the same statement out if it is one SELECT over allowed tables.

It judges what a parser sees, before SQLite sees anything, and says what is wrong in words that can be acted upon. The
authorizer of `connection` judges again by what SQLite itself understands; a statement must pass both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from segue.tools.connectors.sql.errors import NotAllowed, QueryError
from segue.tools.connectors.sql.functions import ALLOWED_FUNCTIONS
from segue.tools.connectors.sql.schema import Schema

if TYPE_CHECKING:
    from sqlglot import exp

MAX_CHARS = 20_000
_BEGINS = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*(\w+)", re.DOTALL)
_FORBIDDEN = (
    "Insert", "Update", "Delete", "Merge", "Create", "Drop", "Alter", "TruncateTable", "Command", "Pragma", "Attach",
    "Detach", "Into", "Lock", "Set", "Use", "Transaction", "Commit", "Rollback", "Describe", "Copy", "Analyze",
    "Returning",
)  # fmt: skip


def check(statement: str, schema: Schema) -> str:
    """The statement without its closing semicolon.

    Raises:
        NotAllowed: It is not exactly one SELECT, or names a table or a function that may not be used.
        UnknownName: It names a table that is not there.
        QueryError: It cannot be parsed, or is longer than 20,000 characters.
    """
    tree = _parse(statement)
    _only_reads(tree)
    _known_tables(tree, schema)
    _known_functions(tree)
    return statement.strip().rstrip(";").rstrip()


def _parse(statement: str) -> exp.Expression:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if len(statement) > MAX_CHARS:
        raise QueryError(f"the statement has {len(statement)} characters; at most {MAX_CHARS} are read")
    begins = _BEGINS.match(statement)
    if begins is None or begins[1].upper() not in ("SELECT", "WITH"):
        found = f"this one begins with {begins[1][:40]!r}" if begins else "there is none here"
        raise NotAllowed(f"only one SELECT statement is allowed, and {found}")
    try:
        trees = [tree for tree in sqlglot.parse(statement, read="sqlite") if tree is not None]
    except SqlglotError as error:
        raise QueryError(f"the statement cannot be parsed: {_where(error)}") from None
    except RecursionError:
        raise QueryError("the statement is nested too deeply") from None
    if len(trees) != 1:
        raise NotAllowed(f"exactly one statement is allowed, not {len(trees)}")
    if not isinstance(trees[0], exp.Select | exp.SetOperation):
        raise NotAllowed(f"only a SELECT is allowed, not {type(trees[0]).__name__.upper()}")
    return trees[0]


def _where(error: Any) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error).split("\n")[0]
    first = details[0]
    return f"{first.get('description', 'unexpected text')} (line {first.get('line')}, column {first.get('col')})"


def _only_reads(tree: exp.Expression) -> None:
    for node in tree.walk():
        kind = type(node).__name__
        if kind in _FORBIDDEN:
            raise NotAllowed(f"only reading is allowed; the statement holds {kind.upper()}")
        if kind == "With" and node.args.get("recursive"):
            raise NotAllowed("a recursive query is not allowed")


def _known_tables(tree: exp.Expression, schema: Schema) -> None:
    from sqlglot import exp

    named = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    if taken := sorted(named & set(schema.by_name)):
        raise NotAllowed(f"WITH {taken[0]} hides the table of that name; give it another")
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            raise NotAllowed(f"a function in the place of a table is not allowed: {table.sql(dialect='sqlite')[:80]}")
        if table.db and table.db.lower() != "main":
            raise NotAllowed(f"there is one database here, without {table.db!r}: write {table.name!r} alone")
        if table.name.lower() not in named or table.db:
            schema.table(table.name)


def _known_functions(tree: exp.Expression) -> None:
    from sqlglot import exp

    for call in tree.find_all(exp.Anonymous):
        if call.name.lower() not in ALLOWED_FUNCTIONS:
            raise NotAllowed(f"the function {call.name} is not allowed")
