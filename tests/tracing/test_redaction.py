"""What detectors find, what they leave alone, and that nothing private stands in what was redacted."""

from __future__ import annotations

import importlib
import io
import itertools
import logging
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.base.ids import new_id
from segue.tracing.detectors import PII_KINDS, find_pii, find_secrets
from segue.tracing.redaction import RedactingFilter, Redaction, redactor
from segue.tracing.spans import new_span_id, new_trace_id

ROOT = Path(__file__).resolve().parents[2]
TAIL = "Zx81kQ0plm7Tgb5YhnUj4eDc3RfV"
SECRETS = [
    f"sk-{TAIL}", f"sk-ant-api03-{TAIL}", f"sk-proj-{TAIL}", "sk-lf-1f2e3d4c-0000-4aaa-8bbb-123456789abc",
    f"sk_live_{TAIL}", f"glpat-{TAIL}", f"ghp_{TAIL}", f"gho_{TAIL}", f"github_pat_{TAIL}", f"hf_{TAIL}",
    f"npm_{TAIL}", f"pypi-{TAIL}", f"AIza{TAIL}Abcdef1", f"xoxb-123456789-{TAIL}", f"hvs.{TAIL}",
    "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", f"gsk_{TAIL}",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "the key is {} as you know", '{{"k": "{}"}}', "a={},b", "({})", "x\n{}\ny"])
def test_a_secret_that_says_what_it_is_is_found_whole_wherever_it_stands(secret: str, around: str) -> None:
    text = around.format(secret)

    out = redactor(["secrets"])(text)
    assert "[secret]" in out
    assert all(part not in out for part in secret.split("\n"))
    assert out.startswith(around.split("{")[0][:3])


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgresql://app:s3cr3t@db.internal:5432/x", "s3cr3t"),
        ("redis://:p@ss/word@h:1/0".replace("/word", "word"), "p@ssword"),
        ("https://bot:hunter22@git.example.org/a.git", "hunter22"),
        ("Authorization: Bearer abcdef.123456", "abcdef.123456"),
        ('{"authorization": "Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"),
        ("curl -H 'authorization: token 0123abcdef99'", "0123abcdef99"),
        ("Cookie: session=abc123def; theme=dark", "abc123def"),
        ("password: Hunter2!x", "Hunter2!x"),
        ("PASSWORD=correct-horse-battery", "correct-horse-battery"),
        ("the passwort ist Geheim99", "Geheim99"),
        ('api_key="Zk39xkQm20ab"', "Zk39xkQm20ab"),
        ('{\\"client_secret\\": \\"9f8e7d6c5b4a\\"}', "9f8e7d6c5b4a"),
        ("token => 7hG2kLm9QwErTy", "7hG2kLm9QwErTy"),
    ],
)
def test_a_secret_is_found_by_what_stands_before_it(text: str, hidden: str) -> None:
    assert hidden in text
    assert hidden not in redactor(["secrets"])(text)


@pytest.mark.parametrize(
    "text",
    [
        "the password is required", "tokens: 1234 in, 99 out", "max_tokens=4096", "token_type=bearer",
        "a risk-based plan", "sk-learn-is-a-library-for-models", "ask-me-anything-about-topic-2",
        "bearer certificates of 2019",
        "secret: env:OPENAI_API_KEY", "api_key = $OPENAI_API_KEY", "keyboard and monkey, key question",
        "https://example.org/a?b=c", "see section 4.2: key terms", "password: ********",
    ],
)  # fmt: skip
def test_ordinary_words_about_secrets_are_none(text: str) -> None:
    assert find_secrets(text) == []


FOUND = [
    ("email", "ann.lee@example.org"), ("email", "o'neil+x@mail.example.co.uk"), ("email", "jürgen@müller.de"),
    ("email", "ann%40example.org"),
    ("phone", "+49 30 1234567"), ("phone", "+1 (212) 555-7890"), ("phone", "(212) 555-7890"), ("phone", "212-555-7890"),
    ("phone", "030 / 12345678"), ("phone", "0049 30 1234567"), ("phone", "020 7946 0958"), ("phone", "+442079460958"),
    ("iban", "DE89 3704 0044 0532 0130 00"), ("iban", "GB29NWBK60161331926819"),
    ("iban", "fr1420041010050500013m02606"),
    ("card", "4111 1111 1111 1111"), ("card", "5500-0055-5555-5559"), ("card", "378282246310005"),
    ("card", "6011000990139424"),
    ("ip", "10.20.30.40"), ("ip", "2001:db8::8a2e:370:7334"), ("ip", "fe80::1"),
    ("ssn", "123-45-6789"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), FOUND)
@pytest.mark.parametrize(
    "around", ["{}", "she wrote {} to us.", '{{"v": "{}", "n": 3}}', "<{}>", "a: {}, b", "2024 {} 7"]
)
def test_personal_data_is_found_whole_and_nothing_else_around_it(kind: str, text: str, around: str) -> None:
    whole = around.format(text)

    found = [(each.kind, whole[each.start : each.end]) for each in find_pii(whole)]
    assert found == [(kind, text)]


@pytest.mark.parametrize(("text", "kind"), [
    ("Call me at 555 1234", "phone"), ("Tel: 123456789", "phone"), ("mobile 0171 2345678", "phone"),
    ("her SSN is 123 45 6789", "ssn"), ("social security number 123456789", "ssn"),
])  # fmt: skip
def test_a_number_without_a_form_of_its_own_is_found_by_the_word_before_it(text: str, kind: str) -> None:
    assert [each.kind for each in find_pii(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "order 1042 of 2026-11-20 20:18:36", "EUR 12.345,67 and $1,234,567.89", "Rechnung 2024-000123 vom 01.02.2024",
        "DE88370400440532013000", "4111 1111 1111 1112", "version 1.2.3 and v1.2.3.4", "127.0.0.1 and 0.0.0.0",
        "std::vector<int> at 12:30:45", "000-12-3456", "2026-01-02T10:00:00.123456Z", "1795206341869590436",
        "ISBN 978-3-16-148410-0", "a@b", "git@localhost", "@decorator", "pages 100-200", "0.123456789", "1e10",
        "sku A-100-200-3000", "sum: 1000000000", "550e8400-e29b-41d4-a716-446655440000", "3.14159265358979",
    ],
)  # fmt: skip
def test_numbers_and_words_that_identify_nobody_are_left_alone(text: str) -> None:
    assert find_pii(text) == []


def test_ids_of_our_own_are_never_taken_for_anything() -> None:
    prefixes = ("run", "msg", "call", "err", "art", "int")
    ids = [new_id(prefix) for prefix in prefixes for _ in range(300)] + [new_trace_id() for _ in range(300)]
    ids += [new_span_id() for _ in range(300)]

    redact = redactor()
    assert [each for each in ids if redact(each) != each] == []


def test_no_id_of_a_span_or_trace_has_the_form_of_a_card_an_iban_or_a_wallet() -> None:
    ids = [make() for make in (new_trace_id, new_span_id) for _ in range(20_000)]

    assert [each for each in ids if not re.match(r"[0-7][0-9a-f]{7}[a-f]", each)] == []


@settings(derandomize=True)
@given(st.text(max_size=200), st.sampled_from([text for _, text in FOUND] + SECRETS), st.text(max_size=200))
def test_redacting_twice_is_redacting_once_and_findings_are_apart(before: str, it: str, after: str) -> None:
    text, redact = f"{before} {it} {after}", redactor()

    for found in (find_pii(text), find_secrets(text)):
        assert all(0 <= each.start < each.end <= len(text) for each in found)
        assert all(one.end <= two.start for one, two in itertools.pairwise(found))
    once = redact(text)
    assert it not in once
    assert redact(redact(once)) == redact(once)


def test_each_class_is_taken_out_where_it_is_named_and_only_there() -> None:
    text = f"ann@example.org has {SECRETS[0]}"

    assert redactor(["secrets"])(text) == "ann@example.org has [secret]"
    assert redactor(["pii"])(text) == f"[email] has {SECRETS[0]}"
    assert redactor(["secrets", "pii"])(text) == "[email] has [secret]"
    assert redactor([])(text) == text


class Named(str):
    """A kind of text."""


def test_plain_data_is_redacted_through_and_through_and_left_as_it_was() -> None:
    @dataclass
    class Customer:
        email: str

    held: dict[str, Any] = {
        "to": ["ann@example.org", ("bob@example.org",)], "carol@example.org": 1, "card": 4111111111111111,
        "password": "periwinkle", "x": {"api-key": "abc", "tokens": "many"}, "who": Customer("dan@example.org"),
        "n": 42, "f": 1.5, "none": None, "yes": True, "raw": b"ann@example.org", "odd": {"ann@example.org"},
    }  # fmt: skip
    out = Redaction().data(held)

    assert out == {
        "to": ["[email]", ["[email]"]], "[email]": 1, "card": "[card]", "password": "[secret]",
        "x": {"api-key": "[secret]", "tokens": "many"}, "who": {"email": "[email]"},
        "n": 42, "f": 1.5, "none": None, "yes": True, "raw": "[15 bytes]", "odd": ["[email]"],
    }  # fmt: skip
    assert held["to"][0] == "ann@example.org"


def test_data_that_holds_itself_ends() -> None:
    held: dict[str, Any] = {}
    held["self"] = held

    assert "too deep" in str(Redaction().data(held))


def test_log_records_lose_what_is_private_in_message_arguments_extras_and_traceback() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter("%(message)s %(who)s"))
    log = logging.Logger("l")
    log.addHandler(handler)

    try:
        raise ValueError(f"bad key {SECRETS[0]}")
    except ValueError:
        log.exception("for %s of %d", "ann@example.org", 3, extra={"who": "bob@example.org"})
    log.warning("odd %d", "text", extra={"who": "x"})
    said = out.getvalue()

    assert said.startswith("for [email] of 3 [email]\nTraceback")
    assert "ValueError: bad key [secret]" in said
    assert "odd %d" in said


PROSE = (
    "The customer wrote on Monday that the parcel of order 1042 never came, and that she would like her money back. "
    "Our handbook says that refunds up to 100 EUR need no approval (section 4.2); the key question is who pays. "
)


def test_ordinary_text_is_read_at_less_than_a_millisecond_a_kilobyte() -> None:
    text = PROSE * 50
    best = float("inf")
    for _ in range(10):
        began = time.thread_time()
        found = find_secrets(text), find_pii(text)
        best = min(best, time.thread_time() - began)

    assert found == ([], [])
    assert best / (len(text) / 1024) < 1e-3


@pytest.mark.parametrize(
    "text",
    ["1" * 100_000, "1 " * 50_000, "a@" * 50_000, "a:" * 50_000, "://" * 30_000, "sk-" * 30_000, "eyJ" * 30_000,
     "password=" * 10_000, "-----BEGIN PRIVATE KEY-----" * 3_000, "+1-" * 30_000, "DE89 " * 20_000, "1.1." * 25_000,
     "bearer " * 14_000, "authorization: " * 6_000, "cookie:" * 14_000, "phone " * 15_000, "a." * 50_000],
)  # fmt: skip
def test_no_text_makes_the_detectors_slow(text: str) -> None:
    began = time.thread_time()
    redactor()(text)

    assert time.thread_time() - began < 3.0


SAID = [
    ("national_id", "CPF 529.982.247-25"), ("passport", "passport no. C01X00T47"),
    ("license", "driving licence D1234567"),
    ("birth_date", "born on 12 March 1980"), ("address", "Hauptstraße 12, 10115 Berlin"), ("bic", "BIC: COBADEFFXXX"),
    ("account", "account number 12345678"), ("mac", "ether 3c:22:fb:01:9a:7e"), ("vin", "VIN 1HGCM82633A004352"),
    ("plate", "license plate B-MW 1234"), ("wallet", "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("location", "GPS 52.520008, 13.404954"), ("person", "Patient: Jane Doe"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), SAID)
def test_what_has_a_form_of_its_own_or_a_word_before_it_is_found(kind: str, text: str) -> None:
    assert [each.kind for each in find_pii(text)] == [kind]


def test_all_kinds_of_personal_data_are_named() -> None:
    assert {kind for kind, _ in (*FOUND, *SAID)} == set(PII_KINDS)


def test_a_secret_with_hidden_or_wide_characters_in_it_is_found_where_it_stands() -> None:
    key = "ghp_" + "\u200b" + "a1B2c3D4e5F6g7H8i9J0" + "\u00ad" + "k1L2m3N4o5P6q7R8"
    wide = "card \uff14111 1111 1111 1111"

    assert [(each.start, each.end) for each in find_secrets(f"use {key} now")] == [(4, 4 + len(key))]
    assert [wide[each.start : each.end] for each in find_pii(wide)] == [wide[5:]]


UNITS = [
    "1", "1 ", "a", "@", " ", "sk-", "a@", "a:", "://", "password=", "the password is ", "token ", "+1-", "DE89 ",
    "1.1.",
    "A1", "12 Main ", "Mr A ", "Name: A", "1-", "at cd dot ", "%41", "::", "\u200b", "\uff11", "calle 1 ",
    "pin ", "-u a:b ", "1/2/",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("find", [find_pii, find_secrets], ids=["pii", "secrets"])
def test_ten_times_the_text_is_no_more_than_some_ten_times_the_work(unit: str, find: Any) -> None:
    short, long = (counted_work(find, unit * (size // len(unit))) for size in (2_000, 20_000))

    assert long < 16 * max(short, 400)


def counted_work(find: Any, text: str) -> int:
    """How many lines of Python are run, on the way through the detectors."""
    lines = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    sys.settrace(trace)
    try:
        find(text)
    finally:
        sys.settrace(None)
    return lines


@pytest.mark.parametrize(("name", "shortest"), [("pii", "Mr Li"), ("secrets", "pw:a1b2")])
def test_nothing_is_found_in_a_text_shorter_than_the_shortest_that_is_looked_at(
    name: str, shortest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module(f"segue.tracing.{name}")
    size = module.SHORTEST - 1
    lines = (ROOT / "benchmarks" / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    parts = [part for line in lines for part in orjson.loads(line)["parts"]]
    pieces = {text[at : at + size] for part in parts for text in (part, part[::-1]) for at in range(len(part))}
    words = (
        "mr",
        "Hr",
        "姓名",
        "이름",
        "bic",
        "a@b",
        "::1",
        "大阪府",
        "区",
        "pw",
        "pin",
        "otp",
        "密码",
        "tan",
        "key",
        "-p",
    )
    ends = ("Li", "張三", "한", "12", "1234", "12345", "a1b2", "A1!x", "1")
    pieces |= {made[:size] for word in words for sign in ("", " ", ":", "=", "是", "-") for end in ends
               for made in (f"{word}{sign}{end}", f"{word.upper()}{sign}{end}", f"{end}{sign}{word}")}  # fmt: skip

    monkeypatch.setattr(module, "SHORTEST", 0)

    assert len(pieces) > 10_000
    assert [piece for piece in pieces if module.find(piece)] == []
    assert len(shortest) == size + 1
    assert module.find(shortest) != []


def test_what_is_remembered_of_a_text_is_not_what_is_handed_out() -> None:
    find_secrets("pw: a1b2c3").clear()
    find_pii("ann@example.org").clear()

    assert find_secrets("pw: a1b2c3") != []
    assert find_pii("ann@example.org") != []


@pytest.mark.parametrize("value", ["hunter2", Named("hunter2")], ids=["text", "a kind of text"])
def test_a_value_under_a_secrets_name_is_left_out_each_time_and_only_by_a_redaction_that_looks(value: str) -> None:
    seen, blind = Redaction(), Redaction(redactor(()))

    assert [seen.data({"db_password": value, "n": 1}) for _ in range(2)] == [{"db_password": "[secret]", "n": 1}] * 2
    assert blind.data({"db_password": value}) == {"db_password": "hunter2"}
    assert seen.data({"db_password": ""}) == {"db_password": ""}
