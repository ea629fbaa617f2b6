"""The playground's page and its files, as they were built into `segue.web`: anybody may read them.

They tell of no tenant. The page may load nothing from outside and run nothing but its own scripts; what it shows of
models, tools and documents can neither call out nor be run.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from segue.server.errors import NotThere

PAGE = "/"
ASSETS = "/assets/"
_POLICY = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "font-src 'self'",
    "connect-src 'self'", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
))  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_NAMED_BY_CONTENT = {"Cache-Control": "public, max-age=31536000, immutable"}
_LOOKED_AT_EACH_TIME = {"Cache-Control": "no-cache"}


def folder() -> Path:
    """Where the built files lie."""
    return Path(str(files("segue") / "web"))


def is_page(path: str) -> bool:
    """Whether a path is the page or one of its files."""
    return path == PAGE or path.startswith(ASSETS)


def add_pages(app: FastAPI) -> None:
    """Serve the page, where it was built in."""

    @app.get(PAGE, include_in_schema=False)
    async def page(request: Request) -> Response:
        return _file("index.html", _LOOKED_AT_EACH_TIME)

    @app.get(f"{ASSETS}{{name}}", include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        hashed = "-" in name
        return _file(f"assets/{name}", _NAMED_BY_CONTENT if hashed else _LOOKED_AT_EACH_TIME)


def _file(name: str, caching: dict[str, str]) -> Response:
    top = folder()
    path = (top / name).resolve()
    if not path.is_relative_to(top.resolve()) or not path.is_file():
        raise NotThere("page", name)
    return FileResponse(path, headers={**_HEADERS, **caching})
