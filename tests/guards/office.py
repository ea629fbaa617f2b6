"""A small office for trying the gate: mail, contacts, files, a chat, a web, a bank and a memory, and no model.

The tools say of themselves what an author of such tools would. They are only judged, never run.
"""

from __future__ import annotations

from typing import Any

from segue.tools import Tool, tool_from_schema

_TEXT: dict[str, Any] = {"type": "string"}
_MANY: dict[str, Any] = {"type": "array", "items": _TEXT}
_NUMBER: dict[str, Any] = {"type": "number"}
_FILES: dict[str, Any] = {"type": "array", "items": {"type": "object", "properties": {"file_id": _TEXT}}}


def _tool(name: str, description: str, declare: dict[str, Any], /, **arguments: dict[str, Any]) -> Tool:
    optional = {"cc", "bcc", "attachments", "guests", "note"}
    required = [each for each in arguments if each not in optional]
    parameters = {"type": "object", "properties": arguments, "required": required}
    return tool_from_schema({"name": name, "description": description, "parameters": parameters}, declare=declare)


def _read(**more: Any) -> dict[str, Any]:
    return {"effect": "read", "returns": {}, **more}


def _out(group: str, **more: Any) -> dict[str, Any]:
    return {"effect": "irreversible", "reach": "out", "group": group, "returns": {}, **more}


MAIL = {"id": "sys:query id:mail", "sender": "party:sender address", "body": "party:sender", "subject": "party:sender"}
PERSON = {"address": "sys:name address", "name": "sys:name name"}
FILE = {"id": "sys:name id:file", "name": "sys:name path"}

TOOLS: list[Tool] = [
    _tool("search_contacts", "Finds people in the address book.", _read(returns=PERSON), name=_TEXT),
    _tool("list_contacts", "The whole address book.", _read(returns={"address": "sys address", "name": "sys name"})),
    _tool(
        "contact_by_address", "The entry of the address book with this address.",
        _read(resolver="address", returns={"address": "sys:address address"}), address=_TEXT,
    ),
    _tool("read_mail", "Mails that match.", _read(returns=MAIL, confidential=True), query=_TEXT),
    _tool(
        "send_mail", "Sends a mail.",
        _out(
            "mail.send", content=["subject", "body"],
            sinks={"to": "address", "cc": "address", "bcc": "address", "attachments.file_id": "id:file"},
        ),
        to=_MANY, cc=_MANY, bcc=_MANY, subject=_TEXT, body=_TEXT, attachments=_FILES,
    ),
    _tool("delete_mail", "Deletes a mail.", _out("mail.delete", reach="own", sinks={"id": "id:mail"}), id=_TEXT),
    _tool("list_files", "All files.", _read(returns={"id": "sys id:file", "name": "sys path"})),
    _tool("find_files", "Files of this name.", _read(returns=FILE), name=_TEXT),
    _tool("read_file", "What stands in a file.", _read(src="name"), name=_TEXT),
    _tool("get_file", "One file.", _read(resolver="id:file", returns={"id": "sys:id id:file"}), id=_TEXT),
    _tool(
        "delete_file", "Deletes a file.", _out("file.delete", reach="own", sinks={"file_id": "id:file"}), file_id=_TEXT
    ),
    _tool(
        "share_file", "Shares a file.", _out("file.share", sinks={"file_id": "id:file", "address": "address"}),
        file_id=_TEXT, address=_TEXT,
    ),
    _tool("list_channels", "All channels.", _read(returns={"": "sys channel"})),
    _tool("list_users", "All users.", _read(returns={"": "sys user"})),
    _tool(
        "read_channel", "Messages of a channel.", _read(returns={"sender": "sys user", "body": "party:sender|member"}),
        channel=_TEXT,
    ),
    _tool(
        "post_message", "Posts in a channel.", _out("chat.post", content=["text"], sinks={"channel": "channel"}),
        channel=_TEXT, text=_TEXT,
    ),
    _tool(
        "message_user", "Writes to a user.", _out("chat.message", content=["text"], sinks={"user": "user"}),
        user=_TEXT, text=_TEXT,
    ),
    _tool(
        "fetch", "Reads a web page.", _read(reach="out", src="url", sinks={"url": "url: user, trusted, party, member"}),
        url=_TEXT,
    ),
    _tool("web_search", "Searches the web.", _read(reach="out", content=["query"]), query=_TEXT),
    _tool(
        "transactions", "What was paid.",
        _read(returns={"id": "sys id:past", "account": "sys account", "amount": "sys amount"}),
    ),
    _tool(
        "pay", "Pays money.", _out("pay", content=["note"], amount_cap="amount", sinks={"account": "account"}),
        account=_TEXT, amount=_NUMBER, note=_TEXT,
    ),
    _tool(
        "set_password", "Sets the password.", _out("password", reach="account", sinks={"password": "secret"}),
        password=_TEXT,
    ),
    _tool("remember", "Keeps a note.", {"effect": "write", "group": "memory", "returns": {}}, text=_TEXT),
    _tool("recall", "Gives notes.", _read(), query=_TEXT),
    _tool("summarise", "Makes a text shorter.", _read(), text=_TEXT),
    _tool("my_data", "The user's own data.", _read(confidential=True)),
    _tool(
        "find_events", "Events of this title.",
        _read(returns={"id": "sys:title id:event", "guests": "sys:title address"}), title=_TEXT,
    ),
    _tool(
        "create_event", "Makes an event and invites the guests.",
        _out("event.create", effect="write", content=["title", "note"], sinks={"guests": "address"}),
        title=_TEXT, start=_TEXT, guests=_MANY, note=_TEXT,
    ),
    _tool(
        "cancel_event", "Cancels an event.", _out("event.cancel", sinks={"event_id": "id:event"}), event_id=_TEXT
    ),
]  # fmt: skip
