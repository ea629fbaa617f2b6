"""Sandbox: code in, its output and a JSON value out, and nothing of this machine within its reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.tools.sandbox.toolset import CodeTools

__all__ = ["CodeTools"]


def __getattr__(name: str) -> Any:
    if name == "CodeTools":
        from segue.tools.sandbox.toolset import CodeTools

        return CodeTools
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
