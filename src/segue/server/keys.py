"""API keys: who somebody is, and what they may, in; a key that is shown once, out; and back.

A key is 256 random bits, so its SHA-256 is all that is kept: there is nothing to guess. It names the tenant and the
user; no request names either.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from segue.base.errors import BadInput, names
from segue.base.ids import new_id
from segue.base.principal import LOCAL, Principal
from segue.server.store import ServerStore

PREFIX = "sgk_"
METRICS = "metrics"
"""The scope that `/metrics` wants, since figures are of all tenants."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key, without what opens the door."""

    id: str
    tenant: str
    user: str
    scopes: tuple[str, ...] = ()
    """What tools may do for it; `*` is everything."""
    read_only: bool = False
    """Whether it may only look."""
    requests_per_minute: int | None = None
    """`None` for what the settings say."""
    concurrent_runs: int | None = None
    """`None` for what the settings say."""
    created_at: float = 0.0
    """Seconds since 1970, as the times below."""
    expires_at: float | None = None
    """`None` for never."""
    revoked_at: float | None = None
    note: str = ""

    @property
    def principal(self) -> Principal:
        """On whose behalf its requests act."""
        return Principal(self.tenant, self.user, self.scopes)

    def counts(self, now: float) -> bool:
        """Whether it opens the door now."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


NOBODY = Key(id="", tenant=LOCAL.tenant, user=LOCAL.user, scopes=("*",))
"""The single user of this machine, who needs no key."""


class Keys:
    """The keys of a server."""

    def __init__(self, store: ServerStore) -> None:
        self._store = store

    async def add(self, key: Key, *, now: float) -> tuple[str, Key]:
        """Make a key with these rights.

        Returns:
            What opens the door, which is kept nowhere; and the key, with its id.

        Raises:
            BadInput: It names no tenant or no user.
        """
        if not key.tenant or not key.user:
            raise BadInput("a key is for a tenant and a user; give both")
        secret = PREFIX + secrets.token_urlsafe(32)
        made = replace(key, id=new_id("key"), created_at=now)
        await self._put(_digest(secret), made, now)
        return secret, made

    async def find(self, secret: str) -> Key | None:
        """The key that a secret opens the door for; `None` where there is none. Whether it counts, it knows itself."""
        if not secret.startswith(PREFIX):
            return None
        rows = await self._store.keys(digest=_digest(secret))
        return _key(rows[0]) if rows else None

    async def all(self) -> list[Key]:
        """Every key, oldest first."""
        return [_key(row) for row in await self._store.keys()]

    async def revoke(self, id_: str, *, now: float) -> Key:
        """Have a key count no more, from the next request on.

        Raises:
            BadInput: There is no such key.
        """
        rows = await self._store.keys(id_=id_)
        if not rows:
            held = [each.id for each in await self.all()]
            raise BadInput(f"there is no key {id_!r}; there are: {names(held)}")
        key = _key(rows[0])
        key = key if key.revoked_at is not None else replace(key, revoked_at=now)
        await self._put(rows[0][0], key, key.created_at)
        return key

    async def rights(self, tenant: str, user: str, *, now: float) -> Sequence[str] | None:
        """What a user may now by all keys that count and do more than look; `None` where there are none."""
        found = [each for each in await self._of(tenant, user) if each.counts(now) and not each.read_only]
        return sorted({scope for each in found for scope in each.scopes}) if found else None

    async def known(self, tenant: str, user: str) -> bool:
        """Whether a user ever had a key."""
        return bool(await self._of(tenant, user))

    async def _of(self, tenant: str, user: str) -> list[Key]:
        return [each for each in await self.all() if (each.tenant, each.user) == (tenant, user)]

    async def _put(self, digest: str, key: Key, at: float) -> None:
        body = {name: getattr(key, name) for name in Key.__dataclass_fields__}
        await self._store.put_key(digest, key.id, key.tenant, body, now=at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(row: Sequence[Any]) -> Key:
    body = orjson.loads(row[3])
    return Key(**{**body, "scopes": tuple(body["scopes"])})
