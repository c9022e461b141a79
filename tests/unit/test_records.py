import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from scanner.errors import EvidenceError
from scanner.model import (
    AccountId,
    Attempt,
    Exclusion,
    ReasonCode,
    Request,
    ScopeRule,
    Selection,
    Terms,
)
from scanner.records import decode, decode_json, encode
from scanner.summary import Sitting

MOMENT = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
SCAN = Sitting(
    MOMENT, MOMENT, interrupted=False, caller_arn="arn:aws:iam::1:root", tool_version="0.1.0"
)
ATTEMPT = Attempt(
    account_id=AccountId("012345678901"),
    started=MOMENT,
    finished=MOMENT,
    identity="role orgproof-reader",
    reason_code=ReasonCode.THROTTLED,
    reason="account 012345678901: throttled",
    generated_time=None,
    fetched=None,
    requests=(Request("sts:AssumeRole", MOMENT, "id-1", 400, "Throttling"),),
)
TERMS = Terms(
    period="2026-Q4",
    selection=Selection((AccountId("012345678901"),), (), (Exclusion(AccountId("1" * 12), "x"),)),
    scopes=(ScopeRule("pci-dss-4.0.1", ous=("r-ab12",), tags=(("pci", "yes"),)),),
    max_report_age_hours=24,
    frameworks=("pci-dss-4.0.1",),
    formats=("json",),
    role_name="reader",
    roles={"012345678901": "other"},
    uses_external_id=True,
    confirm=True,
    owner_tags=("owner",),
    workers=16,
    account_deadline=120.0,
    endpoint=None,
    simulated=False,
    organization_name="Ünïcode & <b>",
    prepared_by="",
)


def change(value, **fields):
    """
    Return the JSON of a value of the model with some fields replaced.
    """
    return json.dumps(json.loads(encode(value)) | fields).encode()


@pytest.mark.parametrize("value", [SCAN, ATTEMPT, TERMS])
def test_what_was_written_is_read_again(value):
    """
    A value of the model comes back equal, with its times, enumerations and tuples.
    """
    assert decode(type(value), encode(value), "x.json") == value


@pytest.mark.parametrize("value", [SCAN, ATTEMPT, TERMS])
def test_equal_values_give_equal_bytes(value):
    """
    What was read and is written once more is the same file, byte by byte.
    """
    assert encode(decode(type(value), encode(value), "x.json")) == encode(value)


def test_the_order_of_keys_makes_no_difference():
    """
    Mappings with the same content are the same evidence.
    """
    assert encode({"b": 1, "a": {"d": 2, "c": 3}}) == encode({"a": {"c": 3, "d": 2}, "b": 1})
    assert encode(replace(TERMS, roles={"a": "1", "b": "2"})) == encode(
        replace(TERMS, roles={"b": "2", "a": "1"})
    )


def test_a_file_is_utf_8_that_people_can_read():
    """
    Sorted, indented, with names as they are and a last line end.
    """
    assert encode({"b": "Zoë", "a": [1]}) == '{\n "a": [\n  1\n ],\n "b": "Zoë"\n}\n'.encode()


def test_times_are_written_in_utc():
    """
    The same moment is the same text, with Z, whatever zone it was given in.
    """
    abroad = MOMENT.astimezone(timezone(timedelta(hours=2)))

    content = encode(replace(SCAN, started=abroad))

    assert json.loads(content)["started"] == "2026-11-24T10:15:00Z"
    assert content == encode(SCAN)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("wrap", [lambda n: n, lambda n: [n], lambda n: {"a": {"b": n}}])
def test_what_is_no_number_is_not_written(number, wrap):
    """
    NaN and infinity are no JSON, and no evidence.
    """
    with pytest.raises(ValueError, match="JSON"):
        encode(wrap(number))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_number_is_not_written_in_a_value_either(number):
    """
    A field of the model that is NaN is refused, and does not become null.
    """
    with pytest.raises(ValueError, match="JSON"):
        encode(replace(TERMS, account_deadline=number))


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_half_a_character_is_kept(value):
    """
    AWS's JSON can hold a lone surrogate: it is written escaped, and nothing is lost.
    """
    content = encode({"Name": value})

    assert content.isascii()
    assert decode_json(content, "x.json") == {"Name": value}


@pytest.mark.parametrize("content", [b"", b"{", b"<html>", b"\xff\xfe", b"nul", b"[" * 100_000])
def test_what_is_not_json_is_refused_by_name(content):
    """
    Damaged, or nested beyond reason: the file is named.
    """
    with pytest.raises(EvidenceError, match=r"raw/x\.json: is not JSON"):
        decode_json(content, "raw/x.json")


@pytest.mark.parametrize("content", [b"NaN", b'{"a": Infinity}', b"[-Infinity]"])
def test_python_s_own_words_for_no_number_are_not_json(content):
    """
    What this module would not write, it does not read.
    """
    with pytest.raises(EvidenceError, match="is not JSON"):
        decode_json(content, "raw/x.json")


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"7", b'"x"', b"\xff"])
def test_a_file_that_holds_no_value_of_the_model_is_refused(content):
    """
    A file of another shape is named, and nothing is made up for it.
    """
    with pytest.raises(EvidenceError, match=r"^raw/scan\.json: "):
        decode(Sitting, content, "raw/scan.json")


@pytest.mark.parametrize("field", ["started", "finished", "interrupted", "tool_version"])
def test_a_missing_field_is_refused_by_name(field):
    """
    No field of the model has a silent default.
    """
    fields = json.loads(encode(SCAN))
    del fields[field]

    with pytest.raises(EvidenceError, match=rf"^raw/scan\.json: {field}: "):
        decode(Sitting, json.dumps(fields).encode(), "raw/scan.json")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("started", "yesterday"),
        ("started", None),
        ("started", "2026-02-30T00:00:00Z"),
        ("interrupted", "perhaps"),
        ("interrupted", None),
        ("tool_version", 1),
    ],
)
def test_a_field_of_another_type_is_refused_by_name(field, value):
    """
    A value that does not fit its field is refused, with file and field.
    """
    with pytest.raises(EvidenceError, match=rf"^raw/scan\.json: {field}: "):
        decode(Sitting, change(SCAN, **{field: value}), "raw/scan.json")


@pytest.mark.parametrize("value", ["no", "0", 0, "off"])
def test_a_word_is_not_taken_for_a_boolean(value):
    """
    Whether a scan was interrupted decides its exit status: text or a number in its place is damage, not an answer.
    """
    with pytest.raises(EvidenceError, match=r"^raw/scan\.json: interrupted: "):
        decode(Sitting, change(SCAN, interrupted=value), "raw/scan.json")


@pytest.mark.parametrize("value", ["2026", "1790000000", 1790000000, 0])
def test_a_number_is_not_taken_for_a_time(value):
    """
    A year alone would otherwise be a moment in 1970.
    """
    with pytest.raises(EvidenceError, match=r"^raw/scan\.json: started: "):
        decode(Sitting, change(SCAN, started=value), "raw/scan.json")


def test_a_time_without_a_zone_is_refused():
    """
    All times are in UTC and say so; one that does not is anybody's guess.
    """
    with pytest.raises(EvidenceError, match=r"^raw/scan\.json: started: "):
        decode(Sitting, change(SCAN, started="2026-11-24T10:15:00"), "raw/scan.json")


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([{}], "requests.0.operation"),
        ([{"operation": "x", "at": "soon", "request_id": "", "status": 0}], "requests.0.at"),
        ("none", "requests"),
    ],
)
def test_a_field_within_a_field_is_named_with_its_place(requests, field):
    """
    The message says where in the file the fault lies.
    """
    with pytest.raises(EvidenceError, match=f"^outcome-1.json: {field}: "):
        decode(Attempt, change(ATTEMPT, requests=requests), "outcome-1.json")


def test_a_reason_code_that_does_not_exist_is_refused():
    """
    A reason nobody defined is damage.
    """
    with pytest.raises(EvidenceError, match=r"reason_code"):
        decode(Attempt, change(ATTEMPT, reason_code="bad-luck"), "outcome-1.json")
