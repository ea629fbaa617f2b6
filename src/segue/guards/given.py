"""What people give as `guards=[…]`: rails, functions, and guardrails-ai's validators and Guards; rails come out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from segue.base.errors import UserError
from segue.guards.rail import Rail, rail


def as_rails(items: Iterable[Any], owner: str) -> tuple[Rail, ...]:
    """Each item as a rail, in the order given; that is the order in which they are asked.

    Raises:
        UserError: An item is none of these. The message names it.
    """
    return tuple(_as_rail(item, owner) for item in items)


def _as_rail(item: Any, owner: str) -> Rail:
    if isinstance(item, Rail):
        return item
    module = type(item).__module__.partition(".")[0]
    if module.startswith("guardrails") or hasattr(item, "rail_alias"):
        from segue.guards.theirs import from_guard, from_validator

        return from_validator(item) if hasattr(item, "rail_alias") else from_guard(item)
    if isinstance(item, type) and issubclass(item, Rail):
        raise UserError(f"{owner}: {item.__name__} is the class of a rail.", way_out=f"Make one: {item.__name__}().")
    if getattr(item, "makes_rail", False):  # `guards=[no_secrets]` is `guards=[no_secrets()]`
        made: Rail = item()
        return made
    if callable(item):
        return rail(item)
    raise UserError(
        f"{owner}: {item!r} is no guard.", way_out="Give rails, functions of (text, ctx), or guardrails-ai validators."
    )
