"""SQL: a SQLite database as three read-only tools.

`database` is the face; `schema` reads what is there, `question` and `compile` make SQL of a structured query, `guard`
judges free SQL, `connection` runs either under SQLite's own locks.
"""

from segue.tools.connectors.sql.database import Database
from segue.tools.connectors.sql.errors import NotAllowed, QueryError, QueryTimeout, UnknownName
from segue.tools.connectors.sql.question import Filter, Question
from segue.tools.connectors.sql.result import QueryResult, SchemaInfo

__all__ = [
    "Database",
    "Filter",
    "NotAllowed",
    "QueryError",
    "QueryResult",
    "QueryTimeout",
    "Question",
    "SchemaInfo",
    "UnknownName",
]
