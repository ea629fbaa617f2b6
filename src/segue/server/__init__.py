"""Agents over HTTP: `app` makes an ASGI application; the rest is how it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.server.application import app as app

__all__ = ["app"]


def __getattr__(name: str) -> Any:
    """`app`, once somebody asks for it: a process that only writes events down loads no web framework."""
    if name == "app":
        from segue.server.application import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
