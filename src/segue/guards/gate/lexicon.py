"""Words of everyday requests, for making a plan without a model: what people call doing things, and the things."""

from __future__ import annotations

from segue.tools.vocabulary import word_set

ACTS: dict[str, str] = {
    "send": "send email mail e-mail message write forward reply respond answer tell notify inform post text dm ping "
            "let share report contact ask remind submit",
    "message": "message tell write send dm text ping ask notify inform let answer reply",
    "email": "email mail e-mail send write forward reply answer tell notify",
    "mail": "mail email e-mail send write forward reply answer tell notify",
    "notify": "notify tell inform alert let message remind send",
    "tell": "tell inform notify message let write",
    "make": "make create add set schedule pay book",
    "put": "put add write save place",
    "insert": "insert add put create",
    "log": "log record note add write",
    "record": "record log note add write save",
    "remember": "remember note keep save store",
    "store": "store save keep put",
    "charge": "charge bill debit",
    "submit": "submit send hand file post",
    "publish": "publish post put release share",
    "upload": "upload put add attach send",
    "post": "post publish put upload write share announce send reply tweet comment release",
    "share": "share give grant send invite",
    "invite": "invite add bring onboard",
    "add": "add include put append invite extend insert attach note write enter join assign log record",
    "create": "create make add set schedule write draft open book start put arrange plan organise organize save new "
              "generate file raise log record block",
    "schedule": "schedule set arrange plan book create recurring repeat standing",
    "delete": "delete remove erase clear clean drop trash discard purge get-rid",
    "remove": "remove delete kick drop exclude expel take revoke",
    "cancel": "cancel call-off drop revoke annul unsubscribe abort stop",
    "update": "update change adjust modify edit correct set fix amend raise lower increase decrease rename replace",
    "change": "change update set modify reset replace adjust",
    "set": "set change update configure turn switch",
    "reschedule": "reschedule move shift postpone push delay change",
    "move": "move transfer shift relocate put",
    "pay": "pay settle transfer send wire refund reimburse repay",
    "transfer": "transfer wire pay send move refund",
    "refund": "refund reimburse return repay pay",
    "reserve": "reserve book reservation",
    "book": "book reserve reservation",
    "order": "order buy purchase get",
    "buy": "buy purchase order get",
    "append": "append add include put write extend insert",
    "write": "write save store put record note add update",
    "save": "save store keep write record",
    "close": "close resolve finish end shut complete",
    "open": "open create start file raise",
    "approve": "approve accept confirm sign grant",
    "reject": "reject decline refuse deny",
    "assign": "assign give hand delegate",
    "run": "run execute start launch trigger",
    "archive": "archive store file",
    "mark": "mark flag tag label set",
    "rename": "rename call name change",
    "draft": "draft write prepare compose",
    "reply": "reply respond answer write",
    "forward": "forward send pass",
    "grant": "grant give allow share",
    "revoke": "revoke remove withdraw take",
    "issue": "issue give refund create",
}  # fmt: skip
"""For the verb in a tool's name: the verbs that people ask for it by."""

MONEY = word_set("money fund funds payment transaction transfer")
MONEY_ACTS: dict[str, str] = {
    "send": "pay refund reimburse repay return settle wire transfer",
    "make": "pay refund reimburse transfer",
    "create": "pay refund transfer",
    "schedule": "pay set",
}
"""What more people say where the thing is money."""

THINGS: dict[str, str] = {
    "email": "email e-mail emails e-mails mail mails inbox reply @",
    "mail": "email e-mail mail letter @",
    "event": "event events meeting meetings appointment appointments calendar reminder invitation lunch dinner call",
    "calendar": "calendar event events meeting meetings appointment appointments reminder",
    "participant": "participant participants attendee attendees guest guests people everyone",
    "meeting": "meeting meetings event appointment call",
    "reminder": "reminder reminders remind",
    "file": "file files document documents doc docs drive spreadsheet sheet list note notes report .",
    "document": "document documents doc docs file files paper .",
    "folder": "folder folders directory",
    "note": "note notes",
    "money": "money pay paid payment bill invoice rent refund difference share fee amount price transfer transaction "
             "euro euros eur dollar dollars usd owe debt",
    "sms": "sms text message",
    "fund": "fund funds money euro euros eur dollar dollars usd",
    "funds": "fund funds money euro euros eur dollar dollars usd",
    "payment": "payment payments pay bill invoice rent money subscription refund",
    "transaction": "transaction transactions payment payments transfer rent bill subscription standing order orders "
                   "recurring",
    "transfer": "transfer money payment transaction",
    "invoice": "invoice invoices bill bills",
    "refund": "refund refunds money order back",
    "order": "order orders purchase",
    "password": "password passwords passphrase credentials",
    "info": "info information details profile account address data",
    "profile": "profile account information details",
    "account": "account profile information details",
    "address": "address addresses",
    "user": "user users colleague member members people person everyone her him them teammate",
    "member": "member members user users colleague people",
    "channel": "channel channels room group #",
    "message": "message messages dm dms note word reply question summary it them",
    "page": "page webpage website site web url blog",
    "webpage": "webpage page website site web url blog",
    "website": "website site webpage page web",
    "hotel": "hotel hotels room stay accommodation",
    "restaurant": "restaurant restaurants table",
    "rental": "car rental cars vehicle",
    "car": "car cars vehicle rental",
    "flight": "flight flights plane ticket",
    "reservation": "reservation reservations booking",
    "booking": "booking bookings reservation",
    "ticket": "ticket tickets issue issues case bug",
    "issue": "issue issues ticket tickets bug case",
    "task": "task tasks todo to-do item",
    "comment": "comment comments note reply",
    "contact": "contact contacts person",
    "customer": "customer customers client clients",
    "subscription": "subscription subscriptions plan",
    "slack": "slack workspace",
    "permission": "permission permissions access rights",
    "access": "access permission permissions",
    "order_status": "order status",
}  # fmt: skip
"""For a noun in a tool's name: what people call the thing."""

ADDRESSING = word_set(
    "send email mail e-mail write forward reply respond answer tell notify inform let ask ping contact remind "
    "message cc"
)
"""Verbs beside which an address means a mail."""

ENOUGH = word_set(
    "email mail refund pay reimburse repay reschedule invite reserve reservation remind book unsubscribe tweet dm "
    "forward text"
)
"""Words that say the thing, too - `refund him`, `make a reservation` - where it is spoken of anywhere."""

PAYING = word_set("pay refund reimburse repay")
GENERIC = word_set(
    "send create add make set update delete remove post write change move open close cancel put insert log record save "
    "store edit modify start stop run execute do apply submit upload manage handle process"
)
"""Verbs of tools that say nothing without the thing. Any other one, that no second tool begins with, is enough."""

DELEGATES = (
    r"(?:do|perform|execute|follow|complete|carry out|handle|act on|take|finish|implement)\b"
    r"(?![^.?!\n]{0,40}\b(?:following|below|these)\b)[^.?!\n]{0,60}\b"
    r"(?:actions?|instructions?|tasks?|to-?dos?|steps?|requests?"
    r"|what (?:it|they|he|she|the \w+) (?:says?|asks?|wants?))"
    r"|\bfollow (?:it|them|the \w+)\b|\b(?:as|what|whatever|everything) (?:it|the \w+) (?:says|asks|instructs|tells)"
)
"""Where a person says that a document shall say what to do."""
