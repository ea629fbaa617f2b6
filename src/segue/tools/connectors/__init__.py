"""Connectors: documents, SQL databases and CRMs as toolsets. Each is loaded when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.tools.connectors.crm import CRM, EmbeddedCRM
    from segue.tools.connectors.documents import Documents
    from segue.tools.connectors.sql import Database

_HOMES = {"CRM": "crm", "Database": "sql", "Documents": "documents", "EmbeddedCRM": "crm"}

__all__ = ["CRM", "Database", "Documents", "EmbeddedCRM"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
