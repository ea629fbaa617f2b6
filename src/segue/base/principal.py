"""Principal: on whose behalf a run acts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, init=False)
class Principal:
    """A user of a tenant with scopes; everything that a run reads and writes is within the tenant."""

    tenant: str
    user: str
    scopes: frozenset[str]
    """What the user may do beyond the ordinary; tools name the scopes that they need."""

    def __init__(self, tenant: str, user: str, scopes: Iterable[str] = ()) -> None:
        object.__setattr__(self, "tenant", tenant)
        object.__setattr__(self, "user", user)
        object.__setattr__(self, "scopes", frozenset(scopes))


LOCAL = Principal("local", "me", scopes={"*"})
"""The single user of a workspace on one's own machine; `*` holds every scope."""
