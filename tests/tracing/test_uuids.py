"""UUIDs: ids that are taken for nobody's card or account, whatever their digits sum up to."""

from __future__ import annotations

import random
import uuid

from segue.base.ids import is_own_id, new_id
from segue.tracing import pii, secrets
from segue.tracing.detectors import find_pii, find_secrets
from segue.tracing.uuids import is_uuid, outside_uuids


def test_a_uuid_is_never_taken_for_anything_whatever_its_digits_sum_up_to() -> None:
    chance = random.Random(6)
    ids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(20_000)]
    known = ["ba188296-f846-2430-07dc-d136a4e9f9dd", "44863308-5189-7b5e-e45b-5ff77610933e"]

    assert [each for each in [*known, *ids] if find_pii(f"task {each} ended")] == []


def test_what_stands_beside_a_uuid_is_found() -> None:
    text = "44863308-5189-7b5e-e45b-5ff77610933e paid with 4111 1111 1111 1111"

    assert [(each.kind, text[each.start : each.end]) for each in find_pii(text)] == [("card", "4111 1111 1111 1111")]


def test_a_uuid_alone_is_nothing_and_need_not_be_looked_at() -> None:
    for number in range(2_000):
        text = str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128)))

        assert secrets.find(text) == []
        assert outside_uuids(text, pii.find(text)) == [] or not is_uuid(text)
        assert find_secrets(text) == []


def test_an_id_made_here_is_nothing_but_what_stands_in_its_place_is_found() -> None:
    ids = [new_id(prefix) for prefix in ("run", "call", "msg", "int", "err") for _ in range(400)]

    assert sum(map(is_own_id, ids)) > 0.9 * len(ids)
    assert [each for each in ids if is_own_id(each) and (pii.find(each) or secrets.find(each))] == []
    assert not is_own_id("call_01411111111111111100")
    assert not is_own_id("sk_01k9w3c4r57k2m9qf3vd")
    assert not is_own_id(f"{ids[0]} 4111 1111 1111 1111")
