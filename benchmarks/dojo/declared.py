"""What the authors of AgentDojo's tools would declare, written from the tools' own signatures and descriptions.

An office's mail, calendar and drive, a bank, a chat with a web, and a travel desk.
"""

from __future__ import annotations

from typing import Any

_MAIL: dict[str, Any] = {
    "id_": "sys:query|sys:sender id:email", "sender": "party:sender address", "recipients": "party:sender address",
    "cc": "party:sender address", "bcc": "party:sender address", "subject": "party:sender", "body": "party:sender",
}  # fmt: skip
_BOX = {**_MAIL, "id_": "sys id:email"}
_SENT = {**_BOX, "recipients": "sys address", "cc": "sys address", "bcc": "sys address"}
_EVENT = {"id_": "sys id:event"}
_FOUND_EVENT = {"id_": "sys:query id:event", "participants": "sys:query address"}
_BOOKING = {"effect": "irreversible", "reach": "out", "returns": {}}
_PAYMENT = {"recipient": "sys account", "sender": "sys account", "amount": "sys amount"}
_CHAT = {"sender": "sys user", "recipient": "sys auto", "body": "party:sender|member"}
_READ: dict[str, Any] = {"effect": "read", "returns": {}}

MAIL: dict[str, dict[str, Any]] = {
    "send_email": {
        "effect": "irreversible", "reach": "out", "group": "email.send", "content": ["subject", "body"],
        "sinks": {"recipients": "address", "cc": "address", "bcc": "address", "attachments.file_id": "id:file"},
        "returns": {"id_": "sys id:email"},
    },
    "delete_email": {
        "effect": "irreversible", "group": "email.delete", "sinks": {"email_id": "id:email"}, "returns": {},
    },
    "get_unread_emails": {"effect": "read", "confidential": True, "returns": _BOX},
    "get_received_emails": {"effect": "read", "confidential": True, "returns": _BOX},
    "get_draft_emails": {"effect": "read", "confidential": True, "returns": _SENT},
    "get_sent_emails": {"effect": "read", "confidential": True, "returns": _SENT},
    "search_emails": {"effect": "read", "confidential": True, "returns": _MAIL},
    "search_contacts_by_name": {"effect": "read", "returns": {"email": "sys:query address", "name": "sys:query name"}},
    "search_contacts_by_email": {
        "effect": "read", "resolver": "address", "returns": {"email": "sys:query address", "name": "sys:query name"},
    },
}  # fmt: skip

CALENDAR: dict[str, dict[str, Any]] = {
    "get_current_day": {"effect": "read", "returns": {"": "sys date"}},
    "search_calendar_events": {"effect": "read", "returns": _FOUND_EVENT},
    "get_day_calendar_events": {
        "effect": "read", "returns": {"id_": "sys:day id:event", "participants": "sys:day address"},
    },
    "create_calendar_event": {
        "effect": "write", "reach": "out", "group": "calendar.create", "sinks": {"participants": "address"},
        "content": ["title", "description", "location"], "returns": _EVENT,
    },
    "cancel_calendar_event": {
        "effect": "irreversible", "reach": "out", "group": "calendar.cancel", "sinks": {"event_id": "id:event"},
        "returns": {},
    },
    "reschedule_calendar_event": {
        "effect": "write", "reach": "out", "group": "calendar.change", "sinks": {"event_id": "id:event"},
        "returns": _EVENT,
    },
    "add_calendar_event_participants": {
        "effect": "write", "reach": "out", "group": "calendar.invite",
        "sinks": {"event_id": "id:event", "participants": "address"}, "returns": _EVENT,
    },
}  # fmt: skip

DRIVE: dict[str, dict[str, Any]] = {
    "append_to_file": {
        "effect": "write", "group": "drive.write", "sinks": {"file_id": "id:file"}, "content": ["content"],
        "returns": {"id_": "sys id:file"},
    },
    "create_file": {
        "effect": "write", "group": "drive.write", "content": ["content"], "returns": {"id_": "sys id:file"},
    },
    "delete_file": {"effect": "irreversible", "group": "drive.delete", "sinks": {"file_id": "id:file"}, "returns": {}},
    "share_file": {
        "effect": "irreversible", "reach": "out", "group": "drive.share",
        "sinks": {"file_id": "id:file", "email": "address"}, "returns": {"id_": "sys id:file"},
    },
    "list_files": {"effect": "read", "returns": {"id_": "sys id:file"}},
    "search_files": {"effect": "read", "returns": {"id_": "sys:query id:file"}},
    "search_files_by_filename": {"effect": "read", "src": "filename", "returns": {"id_": "sys:filename id:file"}},
    "get_file_by_id": {"effect": "read", "resolver": "id:file", "returns": {"id_": "sys:file_id id:file"}},
}  # fmt: skip

BANK: dict[str, dict[str, Any]] = {
    "get_iban": {"effect": "read", "returns": {"": "sys account"}},
    "get_balance": _READ,
    "send_money": {
        "effect": "irreversible", "reach": "out", "group": "pay", "sinks": {"recipient": "account"},
        "content": ["subject"], "amount_cap": "amount", "returns": {},
    },
    "schedule_transaction": {
        "effect": "irreversible", "reach": "out", "group": "pay.schedule", "sinks": {"recipient": "account"},
        "content": ["subject"], "amount_cap": "amount", "returns": {},
    },
    "update_scheduled_transaction": {
        "effect": "irreversible", "reach": "out", "group": "pay.change",
        "sinks": {"id": "id:scheduled", "recipient": "account"}, "content": ["subject"], "amount_cap": "amount",
        "returns": {},
    },
    "get_most_recent_transactions": {
        "effect": "read", "confidential": True, "returns": {**_PAYMENT, "id": "sys id:past"},
    },
    "get_scheduled_transactions": {
        "effect": "read", "confidential": True, "resolver": "id:scheduled",
        "returns": {**_PAYMENT, "id": "sys id:scheduled"},
    },
    "read_file": {"effect": "read", "src": "file_path", "returns": {}},
    "get_user_info": {"effect": "read", "confidential": True, "returns": {}},
    "update_password": {
        "effect": "irreversible", "reach": "account", "group": "password", "sinks": {"password": "secret"},
        "returns": {},
    },
    "update_user_info": {
        "effect": "write", "reach": "account", "group": "profile", "returns": {},
        "sinks": dict.fromkeys(("first_name", "last_name", "street", "city"), "text: user, source"),
    },
}  # fmt: skip

CHAT: dict[str, dict[str, Any]] = {
    "get_channels": {"effect": "read", "returns": {"": "sys channel"}},
    "get_users_in_channel": {"effect": "read", "returns": {"": "sys user"}},
    "read_channel_messages": {"effect": "read", "returns": _CHAT},
    "read_inbox": {"effect": "read", "returns": _CHAT},
    "add_user_to_channel": {
        "effect": "write", "reach": "out", "group": "channel.members",
        "sinks": {"user": "user", "channel": "channel"}, "returns": {},
    },
    "send_direct_message": {
        "effect": "irreversible", "reach": "out", "group": "message.send", "sinks": {"recipient": "user"},
        "content": ["body"], "returns": {},
    },
    "send_channel_message": {
        "effect": "irreversible", "reach": "out", "group": "channel.post", "sinks": {"channel": "channel"},
        "content": ["body"], "returns": {},
    },
    "invite_user_to_slack": {
        "effect": "irreversible", "reach": "out", "group": "people.invite", "returns": {},
        "sinks": {"user": "user: user, party", "user_email": "address: user, trusted, party, source"},
    },
    "remove_user_from_slack": {
        "effect": "irreversible", "reach": "account", "group": "people.remove", "sinks": {"user": "user"},
        "returns": {},
    },
    "get_webpage": {
        "effect": "read", "reach": "out", "src": "url", "sinks": {"url": "url: user, trusted, party, member"},
        "returns": {},
    },
    "post_webpage": {
        "effect": "irreversible", "reach": "out", "group": "web.post", "sinks": {"url": "url"}, "content": ["content"],
        "returns": {},
    },
}  # fmt: skip

_LISTINGS = (
    "get_hotels_prices", "get_hotels_address", "get_rating_reviews_for_hotels", "get_restaurants_address",
    "get_cuisine_type_for_restaurants", "get_rating_reviews_for_restaurants", "get_price_for_restaurants",
    "get_dietary_restrictions_for_all_restaurants", "get_contact_information_for_restaurants",
    "check_restaurant_opening_hours", "get_car_types_available", "get_rating_reviews_for_car_rental",
    "get_car_fuel_options", "get_car_rental_address", "get_car_price_per_day", "get_flight_information",
)  # fmt: skip

TRAVEL: dict[str, dict[str, Any]] = {
    "get_user_information": {"effect": "read", "confidential": True, "returns": {}},
    "get_all_hotels_in_city": {"effect": "read", "returns": {"": "sys:city venue"}},
    "get_all_restaurants_in_city": {"effect": "read", "returns": {"": "sys:city venue"}},
    "get_all_car_rental_companies_in_city": {"effect": "read", "returns": {"": "sys:city venue"}},
    "reserve_hotel": {**_BOOKING, "group": "reserve.hotel", "sinks": {"hotel": "venue"}},
    "reserve_restaurant": {**_BOOKING, "group": "reserve.restaurant", "sinks": {"restaurant": "venue"}},
    "reserve_car_rental": {**_BOOKING, "group": "reserve.car", "sinks": {"company": "venue"}},
    **dict.fromkeys(_LISTINGS, _READ),
}  # fmt: skip

DECLARED = {**MAIL, **CALENDAR, **DRIVE, **BANK, **CHAT, **TRAVEL}
