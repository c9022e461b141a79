import csv
from datetime import UTC, datetime, timedelta

import pytest

from scanner.credentials import parse_report
from scanner.errors import ReportError
from scanner.model import AccountId, ReasonCode
from scanner.simulator.kinds import FACTS, FaultKind, Stage
from scanner.simulator.report import COLUMNS, write_report
from scanner.simulator.tampering import tamper
from scanner.simulator.world import (
    AccessKey,
    Certificate,
    MfaDevice,
    MfaKind,
    Password,
    Root,
    User,
)

START = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
DEVICE = MfaDevice(MfaKind.VIRTUAL, DAY)
ACCOUNT = AccountId("012345678901")
OTHER = AccountId("999999999999")


def write(*users: User, root: Root | None = None) -> bytes:
    return write_report(
        account_id=ACCOUNT, joined=100 * DAY, root=root or Root(), users=users, start=START
    )


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(content.decode().split("\n")))


def test_the_shape_is_that_of_a_live_report():
    """
    22 columns, LF, the root row first, and no line end after the last line.
    """
    content = write(User("zoe", DAY))

    assert content == (
        b"user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,"
        b"password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,"
        b"access_key_1_last_used_date,access_key_1_last_used_region,"
        b"access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,"
        b"access_key_2_last_used_date,access_key_2_last_used_region,"
        b"access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
        b"cert_2_last_rotated\n"
        b"<root_account>,arn:aws:iam::012345678901:root,2026-08-16T00:00:00Z,false,N/A,N/A,"
        b"not_supported,false,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A\n"
        b"zoe,arn:aws:iam::012345678901:user/zoe,2026-11-23T12:00:00Z,false,N/A,N/A,N/A,false,"
        b"false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    )
    assert len(COLUMNS) == 22


def test_the_same_users_are_made_at_the_same_moment_all_day_long():
    """
    Two simulations of one day know each other's users; one made just now is made just now.
    """
    later = START + timedelta(hours=3)
    users = (User("ada", 9 * DAY), User("new", DAY))
    first, second = (
        read(write_report(account_id=ACCOUNT, joined=DAY, root=Root(), users=users, start=start))
        for start in (START, later)
    )

    assert first[1]["user_creation_time"] == second[1]["user_creation_time"]
    assert second[2]["user_creation_time"] == f"{later - DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_users_are_ordered_without_regard_to_case():
    """
    Root first, then users by name as if all letters were small.
    """
    content = write(User("beta", DAY), User("Alpha", DAY), User("=1+1", DAY), User("ZED", DAY))

    assert [r["user"] for r in read(content)] == ["<root_account>", "=1+1", "Alpha", "beta", "ZED"]


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        (None, ("false", "N/A", "N/A", "N/A")),
        (Password(3 * DAY), ("true", "no_information", "2026-11-21T12:00:00Z", "N/A")),
        (Password(3 * DAY, DAY), ("true", "2026-11-23T12:00:00Z", "2026-11-21T12:00:00Z", "N/A")),
    ],
)
def test_a_password_is_written_as_aws_writes_it(password, expected):
    """
    A password never used says no_information; a missing one says N/A three times.
    """
    row = read(write(User("zoe", 9 * DAY, password=password)))[1]

    assert expected == (
        row["password_enabled"],
        row["password_last_used"],
        row["password_last_changed"],
        row["password_next_rotation"],
    )


def test_an_inactive_key_keeps_its_date():
    """
    The guide says N/A; live reports keep the date of an inactive key.
    """
    user = User("zoe", 9 * DAY, keys=(AccessKey(active=False, rotated=2 * DAY),))

    row = read(write(user))[1]

    assert row["access_key_1_active"] == "false"
    assert row["access_key_1_last_rotated"] == "2026-11-22T12:00:00Z"
    assert row["access_key_1_last_used_service"] == "N/A"


def test_inactive_certificates_come_first():
    """
    Slot one is not the first certificate: live reports list the inactive one first.
    """
    certificates = (Certificate(active=True, rotated=DAY), Certificate(active=False, rotated=DAY))

    row = read(write(User("zoe", 9 * DAY, certificates=certificates)))[1]

    assert (row["cert_1_active"], row["cert_2_active"]) == ("false", "true")


def test_root_with_a_password_shows_no_rotation():
    """
    Root's password_next_rotation is not_supported whatever root holds.
    """
    row = read(write(root=Root(Password(DAY), (DEVICE,))))[0]

    assert (
        row["password_enabled"],
        row["password_last_used"],
        row["password_next_rotation"],
        row["mfa_active"],
    ) == ("true", "no_information", "not_supported", "true")


GOOD = write(
    User("anna", 9 * DAY, path='/a,"b"/', password=Password(DAY)),
    User("bob", 9 * DAY, devices=(DEVICE,)),
    User("carol", 9 * DAY),
)
REFUSED = [
    kind
    for kind, facts in FACTS.items()
    if facts.stage is Stage.CONTENT and facts.lasting is ReasonCode.MALFORMED_REPORT
]


@pytest.mark.parametrize("kind", [kind for kind in REFUSED if kind is not FaultKind.CSV_HALF])
def test_a_tampered_report_is_one_that_the_parser_refuses(kind):
    """
    Every fault whose expected outcome is a malformed report is one.
    """
    content = tamper(kind, GOOD, foreign_id=OTHER)

    with pytest.raises(ReportError) as caught:
        parse_report(content, ACCOUNT, START)

    assert not caught.value.foreign


def test_a_foreign_report_is_well_formed_but_for_its_account():
    """
    The other account's report parses for the other account and is refused for this one.
    """
    content = tamper(FaultKind.CSV_FOREIGN, GOOD, foreign_id=OTHER)

    assert parse_report(content, OTHER, START).users == 3
    with pytest.raises(ReportError) as caught:
        parse_report(content, ACCOUNT, START)
    assert caught.value.foreign


def test_half_a_report_is_cut_between_two_lines():
    """
    Nothing in half a report itself shows that the other half is missing.
    """
    content = tamper(FaultKind.CSV_HALF, GOOD, foreign_id=OTHER)

    assert GOOD.startswith(content + b"\n")
    assert 1 <= parse_report(content, ACCOUNT, START).users + 1 < 4


@pytest.mark.parametrize(
    "kind", [FaultKind.CSV_QUOTED, FaultKind.CSV_EXTRA_COLUMN, FaultKind.CSV_BAD_VALUES]
)
def test_a_strange_report_still_parses(kind):
    """
    Quoted fields, a further column and nonsense in a cell leave every user in the report.
    """
    content = tamper(kind, GOOD, foreign_id=OTHER)

    assert parse_report(content, ACCOUNT, START).users == 3
