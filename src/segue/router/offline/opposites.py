"""Opposites: verbs that undo each other, so that the nouns they share never choose the wrong one.

Goes in: two verbs. Comes out: whether one does the contrary of the other ("lock" and "open", "create" and "delete").
"""

from __future__ import annotations

from segue.router.offline.text import stem

_PAIRS = tuple(
    (frozenset(map(stem, left.split())), frozenset(map(stem, right.split())))
    for left, right in (
        (
            "create add insert register make open write",
            "delete remove cancel drop clear erase discard purge destroy terminate wipe revoke close archive",
        ),
        ("open unlock unseal", "close lock shut seal"),
        (
            "start launch run begin resume enable activate continue play",
            "stop halt end pause suspend disable deactivate cancel terminate kill",
        ),
        ("approve accept allow grant permit confirm", "reject decline deny refuse block revoke"),
        ("increase raise upgrade promote extend", "decrease lower reduce downgrade demote shorten"),
        ("enroll admit hire join invite", "drop discharge fire leave dismiss expel"),
        ("buy purchase", "sell"),
        ("deposit", "withdraw"),
        ("follow", "unfollow"),
        ("upload import", "download export"),
        ("hide", "show"),
    )
)


def opposite(one: str, other: str) -> bool:
    """Whether two stems of verbs are opposites; "un" before a verb makes its opposite."""
    if one == "un" + other or other == "un" + one:
        return True
    return any((one in a and other in b) or (one in b and other in a) for a, b in _PAIRS)
