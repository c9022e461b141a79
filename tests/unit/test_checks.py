import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_text import ACCOUNT, HEADER, MADE, read_table, root_row, user_row, write_report

from scanner.checks import CHECKS, BoundCheck, NoParameters, Parameters, Subject
from scanner.checks.registry import VERDICT_DTYPE, check, decide
from scanner.credentials import build_table, parse_report
from scanner.frameworks import bind_checks, find_frameworks, load_framework
from scanner.model import AccountId, Severity, Verdict

# What the report may say of a yes-or-no question, and what of it is known.
YES, NO = ("true", "TRUE"), ("false", "FALSE")
UNCLEAR = ("N/A", "no_information", "not_supported", "MAYBE", "")
ALL = (*YES, *NO, *UNCLEAR)

PASS, FAIL = Verdict.PASS, Verdict.FAIL
UNKNOWN, NOT_APPLICABLE = Verdict.UNKNOWN, Verdict.NOT_APPLICABLE


def judge(name: str, rows: Iterable[dict[str, str]]) -> list[Verdict]:
    """
    Return a check's verdicts on rows of as many accounts, in the rows' order.
    """
    reports = []
    for number, row in enumerate(rows):
        account = AccountId(f"{number:012d}")
        own = row | {"arn": row["arn"].replace(ACCOUNT, account)}
        partition = own["arn"].split(":")[1]
        lines = [own] if is_root(own) else [root_row(account, partition), own]
        reports.append(parse_report(write_report(*lines), account, MADE))
    table = build_table(reports)
    # An account without users is represented by its root row, any other by its user.
    wanted = ~table["is_root"] | ~table["account_id"].duplicated(keep=False)
    verdicts = BoundCheck(CHECKS[name], NoParameters()).verdicts(table)
    return [Verdict(verdict) for verdict in verdicts[wanted]]


def is_root(row: dict[str, str]) -> bool:
    return row["user"] == "<root_account>"


def console_rows(
    passwords: Iterable[str], devices: Iterable[str], partition: str = "aws"
) -> list[dict[str, str]]:
    """
    Return a user's row for each pair of password and MFA device.
    """
    return [
        user_row("ann", partition=partition, password_enabled=password, mfa_active=device)
        for password, device in itertools.product(passwords, devices)
    ]


def root_console_rows(
    passwords: Iterable[str], devices: Iterable[str], partition: str = "aws"
) -> list[dict[str, str]]:
    """
    Return a root user's row for each pair of password and MFA device.
    """
    return [
        root_row(partition=partition, password_enabled=password, mfa_active=device)
        for password, device in itertools.product(passwords, devices)
    ]


def root_key_rows(firsts: Iterable[str], seconds: Iterable[str]) -> list[dict[str, str]]:
    """
    Return a root user's row for each pair of what the two key slots hold.
    """
    return [
        root_row(access_key_1_active=first, access_key_2_active=second)
        for first, second in itertools.product(firsts, seconds)
    ]


def observe(name: str, row: dict[str, str]) -> str:
    """
    Return what a check says in words about one row of a report.
    """
    bound = BoundCheck(CHECKS[name], NoParameters())
    table = read_table(row)
    table = table.assign(verdict=bound.verdicts(table))
    (record,) = table[table["user"] == row["user"]].to_dict("records")
    cells = {str(column): value for column, value in record.items()}
    return CHECKS[name].observe(cells, Verdict(record["verdict"]))


# console-no-mfa


def test_a_user_with_a_password_and_no_device_fails():
    """
    A console password without an MFA device is the exception that the tool is about.
    """
    assert judge("console-no-mfa", console_rows(YES, NO)) == [FAIL] * 4


def test_a_user_with_a_password_and_a_device_passes():
    """
    The only pass: both values are there, and both say true.
    """
    assert judge("console-no-mfa", console_rows(YES, YES)) == [PASS] * 4


def test_a_user_without_a_password_is_not_in_question():
    """
    Without a password there is no console sign-in to protect, whatever the report says of MFA.
    """
    assert set(judge("console-no-mfa", console_rows(NO, ALL))) == {NOT_APPLICABLE}


def test_an_unclear_password_is_unknown_whatever_the_device():
    """
    Whether the user is in question at all is not known, so neither is anything else.
    """
    assert set(judge("console-no-mfa", console_rows(UNCLEAR, ALL))) == {UNKNOWN}


def test_an_unclear_device_is_unknown():
    """
    Of a user with a password, an MFA state that is neither true nor false is no pass.
    """
    assert set(judge("console-no-mfa", console_rows(YES, UNCLEAR))) == {UNKNOWN}


def test_root_is_never_a_case_of_the_users_check():
    """
    Root is judged by root's checks alone, and counted once.
    """
    assert set(judge("console-no-mfa", root_console_rows(ALL, ALL))) == {NOT_APPLICABLE}


def test_users_in_govcloud_are_in_question():
    """
    IAM users sign in to the console in GovCloud as anywhere.
    """
    assert judge("console-no-mfa", console_rows(["true"], ["false"], "aws-us-gov")) == [FAIL]


# root-console-no-mfa


def test_root_that_may_have_a_password_and_has_no_device_fails():
    """
    Root with a password, or with one that an older report cannot deny, needs a device.
    """
    rows = root_console_rows([*YES, "not_supported"], NO)

    assert judge("root-console-no-mfa", rows) == [FAIL] * 6


def test_root_with_a_device_passes():
    """
    Root with an MFA device passes, in reports of both ages.
    """
    rows = root_console_rows([*YES, "not_supported"], YES)

    assert judge("root-console-no-mfa", rows) == [PASS] * 6


def test_root_without_a_password_is_not_in_question():
    """
    New member accounts have no root credentials: mfa_active false is no finding there.
    """
    assert set(judge("root-console-no-mfa", root_console_rows(NO, ALL))) == {NOT_APPLICABLE}


def test_an_unclear_root_password_is_unknown():
    """
    Only not_supported stands for a password; any other odd word leaves root unknown.
    """
    passwords = ["N/A", "no_information", "MAYBE", "", "Not_Supported"]

    assert set(judge("root-console-no-mfa", root_console_rows(passwords, ALL))) == {UNKNOWN}


def test_an_unclear_root_device_is_unknown():
    """
    Root's MFA state must be readable to pass, and a sentinel is not a device.
    """
    rows = root_console_rows([*YES, "not_supported"], UNCLEAR)

    assert set(judge("root-console-no-mfa", rows)) == {UNKNOWN}


def test_root_in_govcloud_cannot_sign_in():
    """
    In AWS GovCloud (US) there is no console sign-in for root, so its MFA is no question.
    """
    rows = root_console_rows(ALL, ALL, "aws-us-gov")

    assert set(judge("root-console-no-mfa", rows)) == {NOT_APPLICABLE}


@pytest.mark.parametrize("partition", ["aws-cn", "aws-eusc", "aws-us-govern", "aws-iso"])
def test_other_partitions_are_not_excused(partition):
    """
    Only GovCloud itself is excused, and no partition that is merely called much like it.
    """
    assert judge("root-console-no-mfa", root_console_rows(["true"], ["false"], partition)) == [FAIL]


def test_a_user_is_never_a_case_of_root_s_checks():
    """
    What a user holds is not what root's checks are about.
    """
    row = user_row("root", password_enabled="true", access_key_1_active="true")

    assert judge("root-console-no-mfa", [row]) == [NOT_APPLICABLE]
    assert judge("root-access-key-active", [row]) == [NOT_APPLICABLE]


# root-access-key-active


def test_one_active_root_key_is_enough_to_fail():
    """
    An active key in either slot fails, whatever the other slot holds, a value nobody can read included.
    """
    rows = root_key_rows(YES, ALL) + root_key_rows(ALL, YES)

    assert set(judge("root-access-key-active", rows)) == {FAIL}


def test_an_unclear_slot_is_never_a_pass():
    """
    Both slots must be readable to pass.
    """
    rows = root_key_rows(UNCLEAR, [*NO, *UNCLEAR]) + root_key_rows(NO, UNCLEAR)

    assert set(judge("root-access-key-active", rows)) == {UNKNOWN}


def test_two_slots_without_an_active_key_pass():
    """
    Root without active keys passes, be there inactive ones or none.
    """
    assert judge("root-access-key-active", root_key_rows(NO, NO)) == [PASS] * 4


# How every check reaches its verdict

TRUE, FALSE, OPEN = True, False, None


@pytest.mark.parametrize(
    ("about", "applies", "violated", "verdict"),
    [
        (True, TRUE, TRUE, FAIL),
        (True, TRUE, FALSE, PASS),
        (True, TRUE, OPEN, UNKNOWN),
        (True, FALSE, TRUE, NOT_APPLICABLE),
        (True, FALSE, FALSE, NOT_APPLICABLE),
        (True, FALSE, OPEN, NOT_APPLICABLE),
        (True, OPEN, TRUE, UNKNOWN),
        (True, OPEN, FALSE, UNKNOWN),
        (True, OPEN, OPEN, UNKNOWN),
        (False, TRUE, TRUE, NOT_APPLICABLE),
        (False, TRUE, FALSE, NOT_APPLICABLE),
        (False, OPEN, OPEN, NOT_APPLICABLE),
    ],
)
def test_a_pass_needs_every_fact(about, applies, violated, verdict):
    """
    Of all that may be known and unknown, one combination alone is a pass.
    """
    table = pd.DataFrame(index=[7])

    verdicts = decide(
        table,
        about=pd.Series([about], index=[7]),
        applies=pd.Series([applies], index=[7], dtype="boolean"),
        violated=pd.Series([violated], index=[7], dtype="boolean"),
    )

    assert verdicts.to_dict() == {7: verdict}
    assert verdicts.dtype == VERDICT_DTYPE


@pytest.mark.parametrize("rows", [0, 3])
def test_facts_that_are_all_missing_are_unknown(rows):
    """
    A column of nothing gives unknown in each row, and no rows give none.
    """
    nothing = pd.Series([None] * rows, dtype="boolean")

    verdicts = decide(
        pd.DataFrame(index=nothing.index),
        about=pd.Series(np.ones(rows, dtype=bool)),
        applies=nothing,
        violated=nothing,
    )

    assert verdicts.tolist() == [UNKNOWN] * rows


# Words


def test_a_user_s_observation_says_what_was_seen():
    """
    Password, no device, the last sign-in and the active keys, in one line.
    """
    row = user_row(
        "ann",
        password_enabled="true",
        password_last_used="2026-10-01T22:00:00Z",
        access_key_1_active="true",
        access_key_2_active="true",
    )

    assert observe("console-no-mfa", row) == (
        "console password, no MFA device; last signed in 2026-10-01; 2 active access keys"
    )


@pytest.mark.parametrize("used", ["no_information", "N/A"])
def test_a_user_who_never_signed_in_is_said_to_have_not(used):
    """
    Without a sign-in on record the observation names none; one key is one key.
    """
    row = user_row(
        "ann", password_enabled="true", password_last_used=used, access_key_2_active="true"
    )

    assert observe("console-no-mfa", row) == (
        "console password, no MFA device; never signed in; 1 active access key"
    )


def test_an_unreadable_sign_in_time_is_not_called_never():
    """
    A date that nobody can read says nothing about whether the user signed in.
    """
    row = user_row("ann", password_enabled="true", password_last_used="last week")

    assert "never" not in observe("console-no-mfa", row)


def test_root_s_observation_says_what_was_seen():
    """
    Of root too, the last sign-in is named.
    """
    row = root_row(password_enabled="true", password_last_used="2026-10-01T22:00:00Z")

    assert observe("root-console-no-mfa", row) == (
        "root can sign in with a password and has no MFA device; last signed in 2026-10-01"
    )


def test_root_s_keys_are_named_by_slot():
    """
    Each active key is named with its age where the report gives it.
    """
    row = root_row(
        access_key_1_active="true",
        access_key_1_last_rotated="2015-03-04T05:06:07Z",
        access_key_2_active="true",
        access_key_2_last_rotated="long ago",
    )

    assert observe("root-access-key-active", row) == (
        "root: access key 1 active since 2015-03-04; access key 2 active"
    )


@pytest.mark.parametrize(
    ("name", "row", "columns"),
    [
        ("console-no-mfa", user_row("a", password_enabled="?", mfa_active="?"), (0, 1)),
        ("console-no-mfa", user_row("a", password_enabled="?", mfa_active="true"), (0,)),
        ("console-no-mfa", user_row("a", password_enabled="true", mfa_active="N/A"), (1,)),
        ("root-console-no-mfa", root_row(password_enabled="not_supported", mfa_active="?"), (1,)),
        ("root-access-key-active", root_row(access_key_2_active="?"), (1,)),
        ("root-access-key-active", root_row(access_key_1_active="N/A"), (0,)),
    ],
)
def test_an_unknown_verdict_names_the_columns_that_are_unclear(name, row, columns):
    """
    Whoever follows up an unknown learns which columns to look at, and only those.
    """
    read = CHECKS[name].columns
    named = ", ".join(read[number] for number in columns)

    assert observe(name, row) == f"the report does not make clear: {named}"


# Names and registry


class Limits(Parameters):
    """
    The parameters of a check with thresholds.
    """

    days: int = 90
    service: str = "all"


def bind(**parameters: object) -> BoundCheck:
    plain = CHECKS["console-no-mfa"]
    return BoundCheck(plain, Limits.model_validate(parameters))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({}, "console-no-mfa"),
        ({"days": 90}, "console-no-mfa"),
        ({"days": 45}, "console-no-mfa:days=45"),
        ({"service": "s3", "days": 45}, "console-no-mfa:days=45,service=s3"),
    ],
)
def test_a_verdict_column_is_named_for_what_differs_from_the_default(parameters, name):
    """
    Defaults written out are the same check; what differs is in the name, in one order.
    """
    assert bind(**parameters).name == name


def test_a_check_is_registered_once():
    """
    A second check with the same id is refused, and the first one stays.
    """
    before = dict(CHECKS)
    register = check(
        "console-no-mfa",
        title="Another",
        subject=Subject.USER,
        severity=Severity.INFO,
        condition="Never.",
        columns=(),
        observe=lambda _row, _verdict: "",
    )

    with pytest.raises(ValueError, match="console-no-mfa is defined twice"):
        register(lambda table, _parameters: table["user"])

    assert before == CHECKS


def test_there_are_three_checks():
    """
    A check that is added or lost must be meant.
    """
    assert sorted(CHECKS) == ["console-no-mfa", "root-access-key-active", "root-console-no-mfa"]


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_says_what_it_is(name):
    """
    Each check has a title, a condition an auditor can test by hand, and columns the report has.
    """
    described = CHECKS[name]

    assert described.id == name
    assert described.title
    assert described.condition.endswith(".")
    assert set(described.columns) <= set(HEADER)
    assert any(column in described.condition for column in described.columns)
    assert (described.judge.__doc__ or "").strip()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_reads_only_the_columns_it_names(name):
    """
    Other columns may hold anything: verdicts depend on the named ones alone.
    """
    named = {"user", "arn", "user_creation_time", *CHECKS[name].columns}
    noise = {column: "?" for column in HEADER if column not in named}
    bound = BoundCheck(CHECKS[name], NoParameters())
    rows = [
        user_row("ann", password_enabled="true", mfa_active="true"),
        root_row(password_enabled="true", access_key_1_active="true"),
    ]

    verdicts = bound.verdicts(read_table(*(row | noise for row in rows)))

    assert verdicts.tolist() == bound.verdicts(read_table(*rows)).tolist()


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_without_rows_has_no_verdicts(name):
    """
    An empty table gives an empty column, of the same type.
    """
    verdicts = BoundCheck(CHECKS[name], NoParameters()).verdicts(read_table().iloc[:0])

    assert len(verdicts) == 0
    assert verdicts.dtype == VERDICT_DTYPE


def test_every_check_is_used_by_a_shipped_catalog():
    """
    A check that no framework uses would never run.
    """
    used = {bound.check.id for bound in bind_checks([load_framework(n) for n in find_frameworks()])}

    assert used == set(CHECKS)


def test_every_topic_is_registered():
    """
    Each module of the checks is imported by the package, or its checks would be missing in silence.
    """
    folder = Path(__file__).resolve().parents[2] / "scanner" / "checks"
    topics = {path.stem for path in folder.glob("*.py")} - {"__init__", "registry"}

    registering = {described.judge.__module__ for described in CHECKS.values()}

    assert registering == {f"scanner.checks.{topic}" for topic in topics}
