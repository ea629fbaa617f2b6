"""`segue serve`: agents over HTTP. On loopback the machine's single user needs no key; anywhere else everybody does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segue.server.serving import Server


def command(
    host: Annotated[str, typer.Option(help="The address to listen at; as [server] says if not given.")] = "",
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0 for any that is free.")] = None,
    keys: Annotated[bool, typer.Option("--keys", help="Need a key on loopback, too.")] = False,
    workers: Annotated[int, typer.Option(min=1, max=1, help="Processes; one has a folder at a time.")] = 1,
    folder: Annotated[Path, typer.Option("--workspace", help="The folder with segue.toml.")] = Path(),
) -> None:
    """Serve the folder's agents until told to end."""
    run(folder, host, port, keys=keys, dev=False, browser=False)


def run(folder: Path, host: str, port: int | None, *, keys: bool, dev: bool, browser: bool) -> None:
    """Serve a folder; `dev` imports changed files anew, and moves to another port where that is taken."""
    import asyncio

    from segue.server import app
    from segue.server.door import is_loopback
    from segue.server.listening import bound, listen
    from segue.workspace.settings import read

    settings = read(folder).server
    host = host or settings.host
    login = keys or not is_loopback(host)
    wanted = settings.port if port is None else port
    application = app(folder, login=login, reload=dev, jobs=True)
    at = bound(host, wanted, move=dev)

    def ready(server: Server) -> None:
        _say(server, f"http://{_named(host)}:{at.getsockname()[1]}", login=login)
        if wanted not in (0, at.getsockname()[1]):
            print(f"port {wanted} is taken: moved to {at.getsockname()[1]}", flush=True)
        if browser:
            import webbrowser

            webbrowser.open(f"http://{_named(host)}:{at.getsockname()[1]}/api/v1/agents")

    try:
        asyncio.run(listen(application, at, ready=ready))
    finally:
        at.close()
    print("stopped", flush=True)


def _say(server: Server, url: str, *, login: bool) -> None:
    names = ", ".join(each.name for each in server.registry.all()) or "none"
    print(f"agents  {names}")
    for problem in server.registry.problems:
        print(f"        {problem}")
    print(f"api     {url}/api/v1")
    print(f"openapi {url}/api/openapi.json")
    print(f"openai  {url}/v1")
    print(f"health  {url}/healthz  {url}/readyz  {url}/metrics")
    print("keys    needed: segue keys add" if login else "keys    none needed on this machine", flush=True)


def _named(host: str) -> str:
    return f"[{host}]" if ":" in host else host
