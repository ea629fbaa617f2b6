"""Deadlines of nodes: what a node does in, the same with `NodeTimeout` where it took too long out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from segue.base.errors import Category, OperatorError


class NodeTimeout(OperatorError):
    """A node ran past the deadline that `add_node(…, timeout_s=…)` gave it, and was cancelled."""

    category: Category = "run"

    def __init__(self, node: str, timeout_s: float) -> None:
        super().__init__(
            f"node {node!r} did not finish within its deadline of {timeout_s:g} s and was cancelled.",
            way_out="Raise timeout_s of its add_node, or have it do less at once.",
        )
        self.node = node
        self.timeout_s = timeout_s


async def in_time(work: Awaitable[Any], node: str, timeout_s: float | None) -> Any:
    """What the node gives; its own deadline is told from one inside it, and from the run's.

    Raises:
        NodeTimeout: It took longer than `timeout_s`.
    """
    if timeout_s is None:
        return await work
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise NodeTimeout(node, timeout_s) from None
        raise
