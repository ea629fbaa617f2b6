"""CRM: who the people are and what was agreed with them. One port, and the SQLite adapter of the house."""

from segue.tools.connectors.crm.embedded import EmbeddedCRM
from segue.tools.connectors.crm.port import CRM, Activity, ActivityKind, Contact, ContactId, NoSuchContact, Tier

__all__ = ["CRM", "Activity", "ActivityKind", "Contact", "ContactId", "EmbeddedCRM", "NoSuchContact", "Tier"]
