"""`segue doctor`: what is there, which model would answer and why, and where each setting comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

PARTS = {
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


def command(
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what is installed, which model would answer and why, and where settings come from."""
    import asyncio

    found = asyncio.run(examine(folder))
    if as_json:
        import orjson

        print(orjson.dumps(found, option=orjson.OPT_INDENT_2, default=str).decode())
    else:
        _print(found)
    if not all(check["ok"] for check in found["checks"]):
        raise typer.Exit(3)


async def examine(folder: Path) -> dict[str, Any]:
    """Everything that doctor knows, as plain data."""
    import platform
    import sys

    from segue import __version__
    from segue.workspace.settings import read, sources

    settings = read(folder.absolute())
    return {
        "segue": __version__,
        "python": platform.python_version(),
        "platform": sys.platform,
        "packages": _packages(),
        "settings": {
            name: {"value": _plain(getattr(settings, name)), "source": source}
            for name, source in sources(folder.absolute()).items()
        },
        **await _models(folder),
    }


async def _models(folder: Path) -> dict[str, Any]:
    """The choice of a model, and checks of what runs need."""
    import sqlite3

    from segue.base.errors import SegueError
    from segue.cli.session import open_workspace

    checks = [_check("SQLite full-text search", _has_fts5, f"SQLite {sqlite3.sqlite_version} with FTS5")]
    model: dict[str, Any] = {}
    async with open_workspace(folder) as ws:
        checks.append({"name": "data folder", "ok": True, "detail": str(ws.data_dir)})
        try:
            core = await ws.router.core()
            model = core.describe()
            if (choice := ws.router.choice) is not None:
                model["choice"] = {"model": choice.model, "endpoint": choice.endpoint, "why": choice.why}
            checks.append(
                {"name": "model", "ok": True, "detail": model.get("choice", {}).get("why", "routes are configured")}
            )
        except SegueError as error:
            checks.append({"name": "model", "ok": False, "detail": str(error)})
    return {"model": model, "checks": checks}


def _check(name: str, probe: Any, detail: str) -> dict[str, Any]:
    try:
        probe()
    except Exception as error:
        return {"name": name, "ok": False, "detail": str(error)}
    return {"name": name, "ok": True, "detail": detail}


def _has_fts5() -> None:
    import sqlite3

    with sqlite3.connect(":memory:") as db:
        db.execute("CREATE VIRTUAL TABLE t USING fts5(x)")
    db.close()


def _packages() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    out = {}
    for title, module in PARTS.items():
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


def _print(found: dict[str, Any]) -> None:
    from rich.table import Table

    from segue.cli.show import terminal

    console = terminal()
    console.print(f"[bold]Segue {found['segue']}[/] on Python {found['python']} ({found['platform']})", highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for check in found["checks"]:
        table.add_row("[green]ok[/]" if check["ok"] else "[red]fails[/]", check["name"], check["detail"])
    for title, held in found["packages"].items():
        table.add_row("[green]ok[/]" if held != "not installed" else "[dim]--[/]", title.replace("[", "\\["), held)
    for name, setting in found["settings"].items():
        table.add_row("[dim]set[/]", name, f"{setting['value']}  [dim]({setting['source']})[/]")
    for name, deployment in found["model"].get("deployments", {}).items():
        table.add_row("[dim]model[/]", name, "  ".join(f"{key}: {held}" for key, held in deployment.items()))
    console.print(table, highlight=False)
