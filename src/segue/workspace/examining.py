"""Examining: a workspace that is open in; what is installed, what would answer, what is set and from where out."""

from __future__ import annotations

import platform
import sqlite3
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segue._version import __version__
from segue.base.errors import SegueError
from segue.workspace.settings import sources

if TYPE_CHECKING:
    from segue.workspace.workspace import Workspace

_PARTS = {
    "langgraph": "langgraph",
    "langchain-core": "langchain_core",
    "openai": "openai",
    "langfuse": "langfuse",
    "pydantic-monty (code sandbox)": "pydantic_monty",
    "weaviate-client [weaviate]": "weaviate",
    "guardrails-ai [guardrails]": "guardrails",
    "psycopg [postgres]": "psycopg",
    "vllm [vllm]": "vllm",
}


async def examine(ws: Workspace) -> dict[str, Any]:
    """Everything that is known, as plain data. No key and no password is in it: settings hold references to them."""
    return {
        "segue": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "packages": _packages(),
        "settings": {
            name: {"value": _plain(getattr(ws.settings, name)), "source": source}
            for name, source in sources(ws.folder).items()
        },
        **await _models(ws),
    }


async def _models(ws: Workspace) -> dict[str, Any]:
    """The choice of a model, and checks of what runs need."""
    checks = [_check("SQLite full-text search", _has_fts5, f"SQLite {sqlite3.sqlite_version} with FTS5")]
    checks.append({"name": "data folder", "ok": True, "detail": str(ws.data_dir)})
    model: dict[str, Any] = {}
    try:
        core = await ws.router.core() if hasattr(ws.router, "core") else ws.router
        model = core.describe()
        choice = getattr(ws.router, "choice", None)
        if choice is not None:
            model["choice"] = {"model": choice.model, "endpoint": choice.endpoint, "why": choice.why}
        why = model.get("choice", {}).get("why", "routes are configured")
        checks.append({"name": "model", "ok": True, "detail": why})
    except SegueError as error:
        checks.append({"name": "model", "ok": False, "detail": str(error)})
    return {"model": model, "checks": checks}


def _check(name: str, probe: Callable[[], None], detail: str) -> dict[str, Any]:
    try:
        probe()
    except Exception as error:
        return {"name": name, "ok": False, "detail": str(error)}
    return {"name": name, "ok": True, "detail": detail}


def _has_fts5() -> None:
    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
    db.close()


def _packages() -> dict[str, str]:
    out = {}
    for title, module in _PARTS.items():
        name = title.split(" ")[0]
        try:
            out[title] = version(name) if find_spec(module) else "not installed"
        except PackageNotFoundError:
            out[title] = "not installed"
    return out


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude={"api_key", "headers"})
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    return str(value) if isinstance(value, Path) else value
