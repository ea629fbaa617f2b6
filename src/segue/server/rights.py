"""Current rights: a user in; what the user may now, out. A run that waited, or lost its server, goes on with no more.

`[jobs.owners]` is asked first, then the keys that count. Who never had either - somebody a program ran an agent
for - keeps what the run was given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from segue.agents.run import RunRecord
from segue.jobs.opening import rights_of
from segue.server.errors import NotNow
from segue.server.keys import Keys
from segue.workspace.sections import JobsSection


class CurrentRights:
    """Looks up what users may."""

    def __init__(self, section: JobsSection, keys: Keys, now: Callable[[], float]) -> None:
        """`now` gives seconds since 1970."""
        self._owners, self._keys, self._now = rights_of(section), keys, now

    async def of(self, tenant: str, user: str) -> Sequence[str] | None:
        """A user's scopes; `None` where there are no rights."""
        found = await self._owners(tenant, user)
        return await self._keys.rights(tenant, user, now=self._now()) if found is None else found

    async def narrow(self, record: RunRecord) -> bool:
        """Take out of a run's scopes what its user may not do any more; whether there was anything.

        Raises:
            NotNow: All keys of the user are revoked or expired.
        """
        may = await self.of(record.tenant, record.user)
        if may is None and await self._keys.known(record.tenant, record.user):
            raise NotNow(
                f"run {record.run_id} acts for {record.user}, who has no rights any more",
                way_out="Cancel it, or give its user a key: segue keys add.",
            )
        if may is None or "*" in may:
            return False
        left = may if "*" in record.scopes else set(record.scopes) & set(may)
        before, record.scopes = record.scopes, sorted(left)
        return before != record.scopes
