"""The port of every CRM: an adapter says how to find, read and write; the tools are made of that, once for all.

A hosted CRM subclasses `CRM` and implements the six methods. Reads may repeat; writes happen once, see
`segue.tools.execution`.
"""

from __future__ import annotations

import datetime
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from segue.context.run import RunContext
from segue.tools.tool import Tool, tool
from segue.tools.toolset import Toolset

ContactId = int | str
Tier = Literal["standard", "plus", "business"]
ActivityKind = Literal["call", "email", "meeting", "note"]

MAX_FOUND = 25


class NoSuchContact(LookupError):
    """An id under which the CRM has no contact."""

    def __init__(self, contact_id: ContactId) -> None:
        super().__init__(f"the CRM has no contact {contact_id!r}; find contacts by name or e-mail address first")
        self.contact_id = contact_id


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person, or a company's person."""

    contact_id: ContactId
    name: str
    email: str
    phone: str | None
    company: str | None
    tier: str
    owner: str | None
    """The colleague who looks after the contact."""
    since: str
    """ISO date."""
    notes: str


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Something that happened with a contact."""

    activity_id: ContactId
    contact_id: ContactId
    kind: str
    on_date: str
    """ISO date."""
    summary: str


class CRM(Toolset):
    """A CRM as tools. `name` ends the tools' names where one agent has two CRMs."""

    def __init__(self, *, name: str = "") -> None:
        self.name = name

    @abstractmethod
    async def find_contacts(self, text: str, *, limit: int = 10) -> list[Contact]:
        """Contacts whose name, e-mail address, phone or company holds the text in any case; an exact address first."""

    @abstractmethod
    async def get_contact(self, contact_id: ContactId) -> Contact:
        """One contact. Raises `NoSuchContact`."""

    @abstractmethod
    async def list_activities(self, contact_id: ContactId, *, limit: int = 20) -> list[Activity]:
        """What happened with a contact, the latest first. Raises `NoSuchContact`."""

    @abstractmethod
    async def add_activity(
        self, contact_id: ContactId, *, kind: ActivityKind, summary: str, on_date: str, key: str = ""
    ) -> Activity:
        """Record that something happened; the same non-empty `key` records it once. Raises `NoSuchContact`."""

    @abstractmethod
    async def update_tier(self, contact_id: ContactId, tier: Tier) -> Contact:
        """Put a contact in a tier and return it as it is then. Raises `NoSuchContact`."""

    @abstractmethod
    async def update_owner(self, contact_id: ContactId, owner: str) -> Contact:
        """Give a contact to a colleague and return it as it is then. Raises `NoSuchContact`."""

    def tools(self) -> Sequence[Tool]:
        """Three that read, three that write."""
        return self._tools

    @cached_property
    def _tools(self) -> Sequence[Tool]:
        return (
            self.find_tool, self.get_tool, self.activities_tool, self.note_tool, self.tier_tool, self.owner_tool,
        )  # fmt: skip

    @property
    def find_tool(self) -> Tool:
        """`find_contacts(text)`."""

        async def find_contacts(text: str, limit: int = 10) -> list[Contact]:
            """Find contacts in the CRM by name, e-mail address, phone number or company.

            Args:
                text: The name, e-mail address, phone number or company, or a part of it.
                limit: How many contacts at most.
            """
            return await self.find_contacts(text, limit=max(1, min(limit, MAX_FOUND)))

        return self._tool(find_contacts, "read", declare={"returns": _contact("text")})

    @property
    def get_tool(self) -> Tool:
        """`get_contact(contact_id)`."""

        async def get_contact(contact_id: ContactId) -> Contact:
            """Show one contact of the CRM: tier, owner, phone, company and notes.

            Args:
                contact_id: The contact's id.
            """
            return await self.get_contact(contact_id)

        declare = {"returns": _contact("contact_id"), "resolver": "id:contact"}
        return self._tool(get_contact, "read", declare=declare)

    @property
    def activities_tool(self) -> Tool:
        """`list_activities(contact_id)`."""

        async def list_activities(contact_id: ContactId, limit: int = 20) -> list[Activity]:
            """List the activities with a contact of the CRM, the latest first: calls, e-mails, meetings, notes.

            Args:
                contact_id: The contact's id.
                limit: How many activities at most.
            """
            return await self.list_activities(contact_id, limit=max(1, min(limit, 100)))

        return self._tool(list_activities, "read", declare={"returns": {}})

    @property
    def note_tool(self) -> Tool:
        """`add_note(contact_id, text)`."""

        async def add_note(ctx: RunContext[Any], contact_id: ContactId, text: str) -> Activity:
            """Add a note to a contact of the CRM.

            Args:
                contact_id: The contact's id.
                text: What the note says.
            """
            return await self.add_activity(
                contact_id, kind="note", summary=text, on_date=_today(ctx), key=ctx.idempotency_key
            )

        return self._tool(add_note, "write", retry_safe=True, declare=_ON_A_CONTACT)

    @property
    def tier_tool(self) -> Tool:
        """`update_tier(contact_id, tier)`."""

        async def update_tier(contact_id: ContactId, tier: Tier) -> Contact:
            """Change the tier of a contact of the CRM.

            Args:
                contact_id: The contact's id.
                tier: The new tier.
            """
            return await self.update_tier(contact_id, tier)

        return self._tool(update_tier, "write", retry_safe=True, declare=_ON_A_CONTACT)

    @property
    def owner_tool(self) -> Tool:
        """`update_owner(contact_id, owner)`."""

        async def update_owner(contact_id: ContactId, owner: str) -> Contact:
            """Change the owner of a contact of the CRM: the colleague who looks after it.

            Args:
                contact_id: The contact's id.
                owner: The colleague's name.
            """
            return await self.update_owner(contact_id, owner)

        return self._tool(update_owner, "write", retry_safe=True, declare=_ON_A_CONTACT)

    def _tool(self, fn: Any, effect: str, **options: Any) -> Tool:
        name = f"{fn.__name__}_{self.name}" if self.name else fn.__name__
        return tool(fn, name=name, effect=effect, reach="own", timeout_s=15.0, **options)


_ON_A_CONTACT = {"sinks": {"contact_id": "id:contact"}, "returns": {}}
"""What the gate is told of the tools that write: which contact they write to must be one that was meant."""


def _contact(found_by: str) -> dict[str, str]:
    """What the gate is told of a contact's fields; notes and names could have been written by anybody."""
    return {"contact_id": f"sys:{found_by} id:contact", "email": f"sys:{found_by} address"}


def _today(ctx: RunContext[Any]) -> str:
    return datetime.datetime.fromtimestamp(ctx.now(), tz=datetime.UTC).date().isoformat()
