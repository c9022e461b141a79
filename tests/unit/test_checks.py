import itertools
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import Field
from report_text import ACCOUNT, HEADER, MADE, parse, read_table, root_row, user_row, write_report

from scanner.checks import (
    CHECKS,
    EVIDENCE_CHECKS,
    BoundCheck,
    Parameters,
    Subject,
    mfa,
    title_check,
)
from scanner.checks.registry import VERDICT_DTYPE, check, decide
from scanner.credentials import AccountFacts, build_table, parse_report
from scanner.evidence.tables import ACCOUNTS
from scanner.frameworks import bind_checks, find_frameworks, load_framework
from scanner.model import (
    AccountId,
    AccountOutcome,
    ReasonCode,
    Severity,
    Verdict,
)

# What the report may say of a yes-or-no question, and what of it is known.
YES, NO = ("true", "TRUE"), ("false", "FALSE")
UNCLEAR = ("N/A", "no_information", "not_supported", "MAYBE", "")
ALL = (*YES, *NO, *UNCLEAR)

PASS, FAIL = Verdict.PASS, Verdict.FAIL
UNKNOWN, NOT_APPLICABLE = Verdict.UNKNOWN, Verdict.NOT_APPLICABLE
NEEDS_REVIEW = Verdict.NEEDS_REVIEW

ROW_CHECKS = sorted(name for name, each in CHECKS.items() if each.subject is not Subject.ACCOUNT)
ACCOUNT_CHECKS = sorted(set(CHECKS) - set(ROW_CHECKS))


def bind_check(name: str, **parameters: object) -> BoundCheck:
    """
    Return a check with these parameters, the others being the defaults.
    """
    return BoundCheck(CHECKS[name], CHECKS[name].parameters.model_validate(parameters))


def ago(days: int, **more: int) -> str:
    """
    Return the moment so many days before the report, as AWS writes it.
    """
    return f"{MADE - timedelta(days=days, **more):%Y-%m-%dT%H:%M:%SZ}"


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
    return [Verdict(verdict) for verdict in bind_check(name).verdicts(table)[wanted]]


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


def pick(
    name: str, row: dict[str, str], facts: AccountFacts | None = None, **parameters: object
) -> tuple[BoundCheck, pd.DataFrame]:
    """
    Return a check, and the one row of a table that a report's row became, with its verdict.
    """
    bound = bind_check(name, **parameters)
    table = build_table([parse(row)], {ACCOUNT: facts or AccountFacts()})
    table = table.assign(verdict=bound.verdicts(table))
    return bound, table[table["user"] == row["user"]]


def observe(
    name: str, row: dict[str, str], facts: AccountFacts | None = None, **parameters: object
) -> str:
    """
    Return what a check says in words about one row of a report that is a finding.
    """
    bound, rows = pick(name, row, facts, **parameters)
    (verdict,) = rows["verdict"]
    assert verdict in {FAIL, NEEDS_REVIEW, UNKNOWN}
    (words,) = bound.explain_unknown(rows) if verdict == UNKNOWN else bound.observe(rows)
    return words


def grade(name: str, row: dict[str, str], facts: AccountFacts | None = None) -> Severity:
    """
    Return how urgent a check finds one row of a report that fails or needs review.
    """
    bound, rows = pick(name, row, facts)
    assert rows["verdict"].tolist()[0] in {FAIL, NEEDS_REVIEW}
    (severity,) = bound.grade(rows)
    return severity


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


def test_a_user_who_never_signed_in_is_said_to_have_not():
    """
    Without a sign-in on record the observation names none; one key is one key.
    """
    row = user_row(
        "ann",
        password_enabled="true",
        password_last_used="no_information",
        access_key_2_active="true",
    )

    assert observe("console-no-mfa", row) == (
        "console password, no MFA device; never signed in; 1 active access key"
    )


def test_an_unreadable_sign_in_time_is_not_called_never():
    """
    A date that nobody can read says nothing about whether the user signed in.
    """
    row = user_row("ann", password_enabled="true", password_last_used="last week")

    assert observe("console-no-mfa", row) == (
        "console password, no MFA device; last sign-in not clear"
    )


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


KEY_1 = {"access_key_1_active": "true", "access_key_1_last_rotated": "2024-06-01T00:00:00Z"}
KEY_2 = {"access_key_2_active": "true", "access_key_2_last_rotated": "2025-06-01T00:00:00Z"}
PASSWORD = {
    "password_enabled": "true",
    "password_last_used": "2026-06-01T00:00:00Z",
    "password_last_changed": "2026-05-01T00:00:00Z",
}
NEVER_USED = PASSWORD | {"password_last_used": "no_information"}
CERTIFICATES = {
    "cert_1_active": "true",
    "cert_1_last_rotated": "2026-11-01T00:00:00Z",
    "cert_2_active": "true",
}


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("user-inactive", user_row("a", **PASSWORD), "no activity since 2026-06-01"),
        (
            "user-inactive",
            user_row("a", **PASSWORD, access_key_2_last_used_date="2026-07-02T00:00:00Z"),
            "no activity since 2026-07-02",
        ),
        (
            "user-inactive",
            user_row("a", **NEVER_USED, **KEY_1),
            "never active; newest credential of 2026-05-01",
        ),
        ("password-unused", user_row("a", **PASSWORD), "console password unused for 176 days"),
        (
            "password-unused",
            user_row("a", **NEVER_USED),
            "console password never used, set 207 days ago",
        ),
        (
            "access-key-unused",
            user_row("a", **KEY_1, **KEY_2, access_key_2_last_used_date="2026-09-01T00:00:00Z"),
            "access key 1 never used, 906 days old; access key 2 unused for 84 days",
        ),
        (
            "access-key-unused",
            user_row("a", **KEY_1, **KEY_2, access_key_1_last_used_date="2026-11-24T00:00:00Z"),
            "access key 2 never used, 541 days old",
        ),
        (
            "access-key-age",
            user_row("a", **KEY_1, **KEY_2),
            "access key 1 is 906 days old (since 2024-06-01); access key 2 is 541 days old (since 2025-06-01)",
        ),
        (
            "access-key-age",
            user_row("a", **KEY_1, access_key_2_active="MAYBE"),
            "access key 1 is 906 days old (since 2024-06-01)",
        ),
        (
            "single-factor-password-age",
            user_row("a", **PASSWORD),
            "password without MFA is 207 days old (since 2026-05-01)",
        ),
        (
            "setup-key-never-used",
            user_row("a", **PASSWORD, **KEY_1, access_key_2_active="true"),
            (
                "console password, and access key 1 of 2024-06-01 never used; "
                "console password, and access key 2 of unknown date never used"
            ),
        ),
        (
            "two-active-keys",
            user_row("a", **KEY_1, access_key_2_active="true"),
            "two active access keys, of 2024-06-01 and unknown date",
        ),
        (
            "initial-password-unchanged",
            user_row("a", **PASSWORD | {"password_last_changed": "2024-05-06T07:10:00Z"}),
            "signed in on 2026-06-01 with the password of 2024-05-06, when the user was made",
        ),
        (
            "password-rotation-overdue",
            user_row("a", password_next_rotation="2026-10-09T00:00:00Z"),
            "password change was due on 2026-10-09",
        ),
        (
            "signing-cert-active",
            user_row("a", **CERTIFICATES),
            "signing certificate 1 active since 2026-11-01; signing certificate 2 active",
        ),
        (
            "console-and-active-key",
            user_row("a", **PASSWORD, **KEY_1),
            "console password and active access key: a person's user or a workload's",
        ),
        (
            "programmatic-no-mfa",
            user_row("a", **KEY_1),
            "active access key, no MFA device; a person or a workload",
        ),
        (
            "generic-username",
            user_row("Shared-Mail"),
            "the name looks like one that several people share",
        ),
        (
            "no-visible-credentials",
            user_row("a"),
            "no password, no active access key, no active certificate; made on 2024-05-06",
        ),
        (
            "root-signing-cert-active",
            root_row(**CERTIFICATES),
            "root: signing certificate 1 active since 2026-11-01; signing certificate 2 active",
        ),
        (
            "root-recent-use",
            root_row(
                password_last_used="2026-11-20T00:00:00Z",
                access_key_1_last_used_date="2020-01-01T00:00:00Z",
                access_key_2_last_used_date="2026-11-22T00:00:00Z",
            ),
            "root was used: password 2026-11-20, access key 2 2026-11-22",
        ),
        (
            "root-credentials-present",
            root_row(**PASSWORD, **KEY_2, cert_1_active="true"),
            (
                "root of a member account: password; access key 2 active since 2025-06-01; "
                "signing certificate 1 active"
            ),
        ),
    ],
)
def test_an_observation_names_slot_days_and_date(name, row, words):
    """
    Whoever follows up a finding learns which key, how many days and since when, of those that violate alone.
    """
    assert observe(name, row) == words


@pytest.mark.parametrize(
    ("name", "row", "parameters", "words"),
    [
        (
            "access-key-age",
            user_row("a", **KEY_1, **KEY_2),
            {"days": 541},
            "access key 1 is 906 days old (since 2024-06-01)",
        ),
        (
            "access-key-age",
            user_row("a", **KEY_1, **KEY_2),
            {"days": 541, "operator": "at-least"},
            "access key 1 is 906 days old (since 2024-06-01); access key 2 is 541 days old (since 2025-06-01)",
        ),
        (
            "access-key-unused",
            user_row("a", **KEY_1, **KEY_2),
            {"days": 906},
            "access key 1 never used, 906 days old",
        ),
        (
            "setup-key-never-used",
            user_row("a", **PASSWORD, **KEY_1, **KEY_2)
            | {"access_key_2_last_rotated": "2024-05-06T07:09:09Z"},
            {"within_minutes": 1},
            "console password, and access key 2 of 2024-05-06 never used",
        ),
        (
            "root-recent-use",
            root_row(
                password_last_used="2026-11-20T00:00:00Z",
                access_key_2_last_used_date="2026-11-22T00:00:00Z",
            ),
            {"days": 2},
            "root was used: access key 2 2026-11-22",
        ),
    ],
)
def test_an_observation_names_what_violates_by_these_parameters(name, row, parameters, words):
    """
    Under another limit other keys violate, and the words follow.
    """
    assert observe(name, row, **parameters) == words


@pytest.mark.parametrize(
    ("name", "row", "columns"),
    [
        (
            "console-no-mfa",
            user_row("a", password_enabled="?", mfa_active="?"),
            ["password_enabled", "mfa_active"],
        ),
        (
            "console-no-mfa",
            user_row("a", password_enabled="?", mfa_active="true"),
            ["password_enabled"],
        ),
        (
            "console-no-mfa",
            user_row("a", password_enabled="true", mfa_active="N/A"),
            ["mfa_active"],
        ),
        (
            "root-console-no-mfa",
            root_row(password_enabled="not_supported", mfa_active="?"),
            ["mfa_active"],
        ),
        ("root-access-key-active", root_row(access_key_2_active="?"), ["access_key_2_active"]),
        ("root-access-key-active", root_row(access_key_1_active="N/A"), ["access_key_1_active"]),
        (
            "access-key-age",
            user_row("a", **KEY_1 | {"access_key_1_last_rotated": "soon"}),
            ["access_key_1_last_rotated"],
        ),
        (
            "access-key-unused",
            user_row("a", **KEY_1, access_key_1_last_used_date=ago(-2)),
            ["access_key_1_last_used_date"],
        ),
        (
            "single-factor-password-age",
            user_row("a", **PASSWORD | {"password_last_changed": "?"}),
            ["password_last_changed"],
        ),
        (
            "password-rotation-overdue",
            user_row("a", password_next_rotation="?"),
            ["password_next_rotation"],
        ),
        ("signing-cert-active", user_row("a", cert_2_active=""), ["cert_2_active"]),
        ("root-signing-cert-active", root_row(cert_1_active="?"), ["cert_1_active"]),
        ("no-visible-credentials", user_row("a", cert_1_active="?"), ["cert_1_active"]),
        ("programmatic-no-mfa", user_row("a", **KEY_1, mfa_active="?"), ["mfa_active"]),
    ],
)
def test_an_unknown_verdict_names_the_columns_that_are_unclear(name, row, columns):
    """
    Whoever follows up an unknown learns which columns to look at, and only those.
    """
    assert observe(name, row) == f"the report does not make clear: {', '.join(columns)}"


@pytest.mark.parametrize("name", ROW_CHECKS)
def test_of_a_stale_report_nothing_is_known_but_whom_a_check_is_about(name):
    """
    Whatever the rows hold: unknown for those the check is about, not-applicable for the others, and why.
    """
    rows = [user_row("admin", **PASSWORD, **KEY_1), user_row("b"), root_row(**PASSWORD, **KEY_1)]
    stale = AccountFacts(is_stale=True)
    table = build_table([parse(*rows)], {ACCOUNT: stale})
    bound = bind_check(name)

    verdicts = bound.verdicts(table)

    about = {
        Subject.USER: ~table["is_root"],
        Subject.ROOT: table["is_root"],
        Subject.ROW: table["is_root"] | True,
    }[CHECKS[name].subject]
    assert set(verdicts[about]) == {UNKNOWN}
    assert set(verdicts[~about]) <= {NOT_APPLICABLE}
    assert set(bound.explain_unknown(table[about])) == {
        "the report was too old when it was fetched to say anything"
    }


# How urgent

NO_DEVICE = {"password_enabled": "true", "mfa_active": "false"}


@pytest.mark.parametrize(
    ("cells", "severity"),
    [
        ({"password_last_used": ago(0)}, Severity.CRITICAL),
        ({"password_last_used": ago(90)}, Severity.CRITICAL),
        ({"password_last_used": ago(90, hours=23)}, Severity.CRITICAL),
        ({"password_last_used": ago(-1)}, Severity.CRITICAL),
        ({"password_last_used": ago(91)}, Severity.HIGH),
        ({"password_last_used": ago(91), "access_key_1_active": "true"}, Severity.HIGH),
        ({"password_last_used": "no_information"}, Severity.MEDIUM),
        (
            {"password_last_used": "no_information", "access_key_1_active": "true"},
            Severity.HIGH,
        ),
        (
            {"password_last_used": "no_information", "access_key_2_active": "?"},
            Severity.HIGH,
        ),
        ({"password_last_used": "N/A"}, Severity.HIGH),
        ({"password_last_used": "?"}, Severity.HIGH),
        ({"password_last_used": ago(-2)}, Severity.HIGH),
    ],
)
def test_a_password_that_is_used_is_more_urgent_than_one_that_never_was(cells, severity):
    """
    Critical within 90 days, medium when never and no key is active; what nobody can tell lowers nothing.
    """
    assert grade("console-no-mfa", user_row("a", **NO_DEVICE, **cells)) is severity


@pytest.mark.parametrize(
    ("cells", "severity"),
    [
        ({"cert_1_active": "true", "cert_1_last_rotated": ago(1)}, Severity.LOW),
        ({"cert_2_active": "true", "cert_2_last_rotated": ago(365)}, Severity.LOW),
        ({"cert_2_active": "true", "cert_2_last_rotated": ago(366)}, Severity.MEDIUM),
        ({"cert_1_active": "true", "cert_1_last_rotated": "N/A"}, Severity.MEDIUM),
        ({"cert_1_active": "true", "cert_1_last_rotated": "?"}, Severity.MEDIUM),
        (
            {
                "cert_1_active": "true",
                "cert_1_last_rotated": ago(1),
                "cert_2_active": "true",
                "cert_2_last_rotated": ago(9999),
            },
            Severity.MEDIUM,
        ),
        (
            {
                "cert_1_active": "true",
                "cert_1_last_rotated": ago(1),
                "cert_2_active": "false",
                "cert_2_last_rotated": ago(9999),
            },
            Severity.LOW,
        ),
    ],
)
def test_a_certificate_is_more_urgent_when_it_is_old(cells, severity):
    """
    Low up to 365 days, medium beyond and where nobody can tell, counting active certificates alone.
    """
    assert grade("signing-cert-active", user_row("a", **cells)) is severity


@pytest.mark.parametrize(
    ("managed", "severity"),
    [(True, Severity.MEDIUM), (False, Severity.INFO), (None, Severity.INFO)],
)
def test_root_credentials_are_more_urgent_where_none_are_needed(managed, severity):
    """
    Where the organization manages root centrally a member's root needs no credentials.
    """
    facts = AccountFacts(managed_centrally=managed)

    assert grade("root-credentials-present", root_row(**PASSWORD), facts) is severity


@pytest.mark.parametrize(
    "name", sorted(set(ROW_CHECKS) - {"console-no-mfa", "signing-cert-active"})
)
def test_any_other_check_has_one_severity(name):
    """
    Where nothing else is said, each row is as urgent as the check.
    """
    table = read_table(user_row("a", **PASSWORD, **KEY_1), user_row("b"))

    assert set(bind_check(name).grade(table)) == {CHECKS[name].severity}


# Root credentials of member accounts


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ({}, PASS),
        ({"password_enabled": "true"}, NEEDS_REVIEW),
        ({"access_key_1_active": "true"}, NEEDS_REVIEW),
        ({"cert_2_active": "true"}, NEEDS_REVIEW),
        ({"cert_2_active": "true", "password_enabled": "?"}, NEEDS_REVIEW),
        ({"password_enabled": "?"}, UNKNOWN),
        ({"access_key_2_active": "N/A"}, UNKNOWN),
        ({"cert_1_active": ""}, UNKNOWN),
    ],
)
@pytest.mark.parametrize("is_management", [True, False])
def test_only_member_accounts_are_asked_about_root_s_credentials(cells, verdict, is_management):
    """
    The management account keeps its root; of a member's, any credential is a lead.
    """
    facts = AccountFacts(is_management=is_management)

    _, rows = pick("root-credentials-present", root_row(**cells), facts)

    assert rows["verdict"].tolist() == [NOT_APPLICABLE if is_management else verdict]


# The evidence itself


def accounts_row(**columns: object) -> dict[str, Any]:
    """
    Return a row of the accounts table: an account that was read whole.
    """
    return {
        "account_id": ACCOUNT,
        "outcome": str(AccountOutcome.COLLECTED),
        "reason_code": None,
        "reason": None,
        "report_age_seconds": 7200,
        "max_report_age_hours": 24,
        "users": 3,
        "iam_users": 3,
        "users_added": None,
        "users_gone": None,
        "population": "words",
    } | columns


def accounts_table(*rows: dict[str, Any]) -> pd.DataFrame:
    """
    Return an accounts table as the tables of a run have it, with the settings' limit.
    """
    table = pd.DataFrame(list(rows), columns=list(accounts_row()))
    counts = ("report_age_seconds", "users", "iam_users", "users_added", "users_gone")
    texts = ("account_id", "outcome", "reason_code", "reason", "population")
    kinds: dict[str, Any] = dict.fromkeys(counts, "Int64") | dict.fromkeys(texts, "str")
    return table.astype(kinds)


def judge_account(name: str, **columns: object) -> Verdict:
    (verdict,) = bind_check(name).verdicts(accounts_table(accounts_row(**columns)))
    return Verdict(verdict)


UNREAD: dict[str, Any] = {
    "report_age_seconds": None,
    "users": None,
    "iam_users": None,
    "population": None,
}
LEFT_OUT = [
    UNREAD | {"outcome": "excluded", "reason_code": "excluded", "reason": "ticket"},
    UNREAD | {"outcome": "not-active", "reason_code": "not-active", "reason": "closed"},
]
MISSED = [
    UNREAD | {"outcome": "not-collected", "reason_code": str(code), "reason": f"why {code}"}
    for code in sorted(set(ReasonCode) - {ReasonCode.NOT_ACTIVE, ReasonCode.EXCLUDED})
]
UNUSABLE = {"malformed-report", "wrong-account"}


@pytest.mark.parametrize("name", ACCOUNT_CHECKS)
def test_the_evidence_of_an_account_that_was_read_whole_passes(name):
    """
    A report that is fresh, whole and of the right size.
    """
    assert judge_account(name) is PASS


@pytest.mark.parametrize("name", ACCOUNT_CHECKS)
@pytest.mark.parametrize("columns", LEFT_OUT, ids=lambda columns: columns["outcome"])
def test_an_account_that_was_left_out_is_not_in_question(name, columns):
    """
    Nobody meant to read it, or nobody could.
    """
    assert judge_account(name, **columns) is NOT_APPLICABLE


@pytest.mark.parametrize("columns", MISSED, ids=lambda columns: columns["reason_code"])
def test_an_account_that_could_not_be_read_passes_no_check_of_the_evidence(columns):
    """
    It is open itself, its report where one arrived, and there is nothing to tell of age and number.
    """
    verdicts = {name: judge_account(name, **columns) for name in ACCOUNT_CHECKS}

    arrived = columns["reason_code"] in UNUSABLE
    assert verdicts == {
        "account-not-collected": UNKNOWN,
        "report-malformed": UNKNOWN if arrived else NOT_APPLICABLE,
        "report-stale": NOT_APPLICABLE,
        "population-mismatch": NOT_APPLICABLE,
    }
    table = accounts_table(accounts_row(**columns))
    assert bind_check("account-not-collected").explain_unknown(table) == [columns["reason"]]


@pytest.mark.parametrize("code", sorted(UNUSABLE))
def test_the_age_of_a_report_that_cannot_be_used_is_no_question(code):
    """
    Its age is in the table, and nothing rests on it.
    """
    columns = UNREAD | {"outcome": "not-collected", "reason_code": code, "reason": "why"}

    assert judge_account("report-stale", **columns | {"report_age_seconds": 60}) is NOT_APPLICABLE


@pytest.mark.parametrize(
    ("seconds", "hours", "verdict"),
    [
        (0, 1, PASS),
        (3600, 1, PASS),
        (3601, 1, UNKNOWN),
        (86_400, 24, PASS),
        (86_401, 24, UNKNOWN),
        (10**9, 24, UNKNOWN),
        (-60, 1, PASS),
    ],
)
def test_a_report_may_be_as_old_as_the_settings_say(seconds, hours, verdict):
    """
    To the second: the limit itself is still within.
    """
    columns = {"report_age_seconds": seconds, "max_report_age_hours": hours}

    assert judge_account("report-stale", **columns) is verdict


@pytest.mark.parametrize(
    ("columns", "verdict"),
    [
        ({"users": 0, "iam_users": 0}, PASS),
        ({"users": 4, "iam_users": 3, "users_added": 0, "users_gone": 1}, PASS),
        ({"users": 3, "iam_users": 4, "users_added": 1, "users_gone": 0}, PASS),
        ({"users": 3, "iam_users": 3, "users_added": 2, "users_gone": 2}, PASS),
        ({"users": 4, "iam_users": 3}, UNKNOWN),
        ({"users": 3, "iam_users": 4}, UNKNOWN),
        ({"users": 0, "iam_users": 1}, UNKNOWN),
        ({"iam_users": None}, NEEDS_REVIEW),
        ({"iam_users": None, "users_added": 1, "users_gone": 0}, NEEDS_REVIEW),
    ],
)
def test_the_number_of_users_must_be_explained(columns, verdict):
    """
    As many as IAM counts, or explained by who came and went; a difference without explanation is open.
    """
    assert judge_account("population-mismatch", **columns) is verdict


@pytest.mark.parametrize("name", ACCOUNT_CHECKS)
def test_the_evidence_never_fails(name):
    """
    What could not be read, or is too old, is no exception: nobody knows what it would have shown.
    """
    ages, counts = (0, 10**6, None), (0, 3, 4, None)
    rows = [
        accounts_row(
            outcome=str(outcome),
            reason_code=None if code is None else str(code),
            report_age_seconds=age,
            iam_users=count,
        )
        for outcome, code, age, count in itertools.product(
            AccountOutcome, (None, *ReasonCode), ages, counts
        )
    ]

    verdicts = bind_check(name).verdicts(accounts_table(*rows))

    assert FAIL not in set(verdicts)


# More credentials than the report shows


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        (None, NOT_APPLICABLE),
        ("", PASS),
        ("N/A", PASS),
        ("3 access keys", NEEDS_REVIEW),
        ("n/a", NEEDS_REVIEW),
        ("false", NEEDS_REVIEW),
        ("0", NEEDS_REVIEW),
        ('a "quoted" one', NEEDS_REVIEW),
    ],
)
@pytest.mark.parametrize("is_user", [True, False])
def test_a_row_that_aws_calls_incomplete_is_a_lead(extra, verdict, is_user):
    """
    Of users and of root: whatever stands in AWS's own column but nothing and N/A.
    """
    column = "additional_credentials_info"
    row = user_row("ann") if is_user else root_row()
    header = HEADER if extra is None else (*HEADER, column)
    rows = [each | {column: extra or ""} for each in ([root_row()] if is_user else []) + [row]]
    table = build_table([parse_report(write_report(*rows, header=header), ACCOUNT, MADE)])
    mine = table[table["user"] == row["user"]]
    bound = bind_check("extra-credentials")

    verdicts = bound.verdicts(table)[mine.index]

    assert verdicts.tolist() == [verdict]
    if verdict is NEEDS_REVIEW:
        assert bound.observe(mine) == [f"more credentials than the report shows: {extra}"]


# Names and registry


class Limits(Parameters):
    """
    The parameters of a check with thresholds.
    """

    days: int = 90
    service: str = "all"
    minutes: int | None = None
    names: list[str] = Field(default=["a"])


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
        ({"minutes": 0}, "console-no-mfa:minutes=0"),
        ({"minutes": None}, "console-no-mfa"),
        ({"names": ["a"]}, "console-no-mfa"),
        ({"names": ["b", "c*"]}, "console-no-mfa:names=b|c*"),
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
        exempt="nobody",
        columns=(),
        observe=lambda rows, _parameters: [""] * len(rows),
    )

    with pytest.raises(ValueError, match="console-no-mfa is defined twice"):
        register(lambda table, _parameters: table["user"])

    assert before == CHECKS


@pytest.mark.parametrize(
    ("name", "parameters", "column"),
    [
        ("user-inactive", {"days": 35}, "user-inactive:days=35"),
        (
            "password-unused",
            {"days": 90, "operator": "more-than"},
            "password-unused:days=90,operator=more-than",
        ),
        ("access-key-age", {"days": 90, "operator": "more-than"}, "access-key-age"),
    ],
)
def test_columns_are_called_as_the_documents_call_them(name, parameters, column):
    """
    Names of columns are a matter of record: acceptances and histories refer to them.
    """
    assert bind_check(name, **parameters).name == column


def test_there_are_twenty_five_checks():
    """
    A check that is added or lost must be meant.
    """
    assert sorted(CHECKS) == [
        "access-key-age",
        "access-key-unused",
        "account-not-collected",
        "console-and-active-key",
        "console-no-mfa",
        "extra-credentials",
        "generic-username",
        "initial-password-unchanged",
        "no-visible-credentials",
        "password-rotation-overdue",
        "password-unused",
        "population-mismatch",
        "programmatic-no-mfa",
        "report-malformed",
        "report-stale",
        "root-access-key-active",
        "root-console-no-mfa",
        "root-credentials-present",
        "root-recent-use",
        "root-signing-cert-active",
        "setup-key-never-used",
        "signing-cert-active",
        "single-factor-password-age",
        "two-active-keys",
        "user-inactive",
    ]


# What says in words alone which columns are meant: "any credential", "is not what AWS sends".
IN_WORDS = {"user-inactive", "account-not-collected", "report-malformed", "report-stale"}


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_says_what_it_is(name):
    """
    Each check has a title, a condition an auditor can test by hand, and columns that there are.
    """
    described = CHECKS[name]
    known = set(ACCOUNTS.names) if name in ACCOUNT_CHECKS else set(HEADER)
    condition = bind_check(name).condition

    assert described.id == name
    assert described.title
    assert condition.endswith(".")
    assert not set("{}") & set(condition)
    assert described.exempt is None or described.exempt
    assert set(described.columns) <= known
    named = [column.removeprefix("access_key_1_") for column in described.columns]
    assert name in IN_WORDS or any(
        column in condition for column in (*named, "additional_credentials_info")
    )
    assert (described.judge.__doc__ or "").strip()


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("access-key-age", {}, "is more than 90 whole days before"),
        (
            "access-key-age",
            {"days": 45, "operator": "at-least"},
            "is at least 45 whole days before",
        ),
        ("root-recent-use", {"days": 7}, "at most 7 whole days before"),
        ("setup-key-never-used", {"within_minutes": 5}, "made within 5 minutes of"),
        ("generic-username", {"patterns": ["svc-*", "ops"]}, "one of: svc-*, ops."),
    ],
)
def test_a_condition_is_told_with_its_parameters(name, parameters, words):
    """
    What an auditor reads is what was judged by.
    """
    assert words in bind_check(name, **parameters).condition


SUBJECTS = [("console-no-mfa", True, "the check is about IAM users"),
            ("console-no-mfa", False, "the user has no console password"),
            ("root-recent-use", False, "the check is about root users"),
            ("root-recent-use", True, "Applies to every root user."),
            ("extra-credentials", True, "the report has no column additional_credentials_info"),
            ("extra-credentials", False, "the report has no column additional_credentials_info")]  # fmt: skip


@pytest.mark.parametrize(("name", "is_root", "words"), SUBJECTS)
def test_why_a_check_does_not_apply_is_said(name, is_root, words):
    """
    Because of whom it is about, or else because of what the row holds.
    """
    assert bind_check(name).explain_exempt(is_root=is_root) == words


EVERYTHING = PASSWORD | KEY_1 | KEY_2 | CERTIFICATES
ROWS = [
    user_row("admin", **EVERYTHING),
    user_row("ann", **NEVER_USED, **KEY_1),
    user_row("bob", **NO_DEVICE, password_last_used=ago(1), password_last_changed=ago(200)),
    user_row("cid", password_enabled="?", access_key_2_active="?"),
    user_row("dan", password_next_rotation=ago(5), mfa_active="true", password_enabled="true"),
    user_row("eve"),
    root_row(**EVERYTHING, access_key_1_last_used_date=ago(3)),
]
FACTS = (
    "is_root",
    "is_management",
    "is_stale",
    "password_present",
    "managed_centrally",
    "generated_time",
    "sentinels",
    "uninterpretable",
    "user",
    "arn",
    "account_id",
)
"""
What every check may read: facts of the row and of its account that are no columns of the report.
"""


@pytest.mark.parametrize("name", ROW_CHECKS)
def test_a_check_reads_only_the_columns_it_names(name):
    """
    Other columns are not even there: verdicts, words and severities depend on the named ones alone.
    """
    bound = bind_check(name)
    table = build_table([parse(*ROWS)])
    named = dict.fromkeys([*FACTS, *CHECKS[name].columns, *CHECKS[name].tells])

    narrow = table[list(named)]

    verdicts = bound.verdicts(narrow)
    assert verdicts.tolist() == bound.verdicts(table).tolist()
    found = verdicts.isin([FAIL, NEEDS_REVIEW]).to_numpy()
    assert list(bound.observe(narrow[found])) == list(bound.observe(table[found]))
    assert list(bound.grade(narrow[found])) == list(bound.grade(table[found]))
    assert list(bound.explain_unknown(narrow)) == list(bound.explain_unknown(table))


@pytest.mark.parametrize("name", ROW_CHECKS)
def test_what_other_columns_hold_makes_no_difference(name):
    """
    They may hold anything: verdicts depend on the columns by which the check judges.
    """
    # These name the user, or are read by the check that is about columns nobody knows.
    named = {"user", "arn", "user_creation_time", *CHECKS[name].columns}
    noise = {column: "?" for column in HEADER if column not in named}
    bound = bind_check(name)

    verdicts = bound.verdicts(read_table(*(row | noise for row in ROWS)))

    assert verdicts.tolist() == bound.verdicts(read_table(*ROWS)).tolist()


@pytest.mark.parametrize("name", ROW_CHECKS)
def test_a_check_without_rows_has_no_verdicts(name):
    """
    An empty table gives an empty column of the same type, and no words.
    """
    bound, none = bind_check(name), read_table().iloc[:0]

    verdicts = bound.verdicts(none)

    assert len(verdicts) == 0
    assert verdicts.dtype == VERDICT_DTYPE
    assert list(bound.observe(none)) == list(bound.explain_unknown(none)) == []
    assert list(bound.grade(none)) == []


@pytest.mark.parametrize("name", ACCOUNT_CHECKS)
def test_a_check_about_accounts_without_rows_has_no_verdicts(name):
    """
    A run without accounts has none either.
    """
    verdicts = bind_check(name).verdicts(accounts_table())

    assert len(verdicts) == 0
    assert verdicts.dtype == VERDICT_DTYPE


def test_every_check_is_used_by_a_shipped_catalog_or_always():
    """
    A check that no framework uses would never run, but for those about the evidence itself.
    """
    frameworks = [load_framework(name) for name in find_frameworks()]
    mapped = {
        check.bound.check.id
        for framework in frameworks
        for control in framework.controls
        for check in control.checks
    }

    assert mapped | set(EVIDENCE_CHECKS) == set(CHECKS)
    assert {bound.check.id for bound in bind_checks(frameworks)} == set(CHECKS)


def test_a_lead_is_never_a_failure():
    """
    What is only to be asked about needs review where other checks fail, and is otherwise the same.
    """
    table = build_table([parse(*ROWS)])
    leads = [name for name in ROW_CHECKS if CHECKS[name].is_lead]

    assert len(leads) == 7
    for name in ROW_CHECKS:
        plain = CHECKS[name].judge(table, bind_check(name).parameters).astype("str")
        expected = plain.replace({"fail": "needs-review"}) if name in leads else plain
        assert bind_check(name).verdicts(table).tolist() == expected.tolist()


def test_every_topic_is_registered():
    """
    Each module of the checks is imported by the package, or its checks would be missing in silence.
    """
    folder = Path(__file__).resolve().parents[2] / "scanner" / "checks"
    helpers = {"__init__", "registry", "facts", "limits"}
    topics = {path.stem for path in folder.glob("*.py")} - helpers

    registering = {described.judge.__module__ for described in CHECKS.values()}

    assert registering == {f"scanner.checks.{topic}" for topic in topics}


def test_a_severity_that_depends_on_the_row_is_put_into_words():
    """
    Who grades its findings says how, with each severity that it gives; who does not, says nothing.
    """
    graded = {check.id: check.graded or "" for check in CHECKS.values() if check.grade}

    assert {check.id for check in CHECKS.values() if check.graded} == set(graded)
    assert set(graded) == {"console-no-mfa", "root-credentials-present", "signing-cert-active"}
    for name, given in {
        "console-no-mfa": ("critical", "medium", "high", f"{mfa.LATELY} whole days"),
        "root-credentials-present": ("medium", "info"),
        "signing-cert-active": ("medium", "low", "365 whole days"),
    }.items():
        for words in given:
            assert words in graded[name], (name, words)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("access-key-unused", "Unused access key, 45 days or more"),
        (
            "access-key-unused:days=90,operator=more-than",
            "Unused access key, more than 90 days",
        ),
        ("password-unused:days=1", "Unused console password, 1 day or more"),
        ("console-no-mfa", "Console password without MFA"),
        ("root-recent-use", "Recent use of root"),
        ("root-recent-use:days=30", "Recent use of root, days=30"),
        ("generic-username:patterns=a*|b*", "Name that looks shared, patterns=a*|b*"),
        ("access-key-unused:days=many", "Unused access key, days=many"),
        ("access-key-unused:days", "Unused access key, days"),
        ("no-such-check:days=3", "no-such-check:days=3"),
    ],
)
def test_a_title_tells_uses_of_one_check_apart(name, title):
    """
    Its threshold stands beside it, the default as well; what cannot be read stays as it is.
    """
    assert title_check(name) == title


def test_no_two_checks_of_the_shipped_frameworks_have_one_title():
    """
    Whichever frameworks a run is judged by, two lines of a document never have the same name.
    """
    names = [bound.name for bound in bind_checks([*map(load_framework, find_frameworks())])]
    titles = [title_check(name) for name in names]

    assert len(names) > len({name.partition(":")[0] for name in names})
    assert sorted(titles) == sorted(set(titles))
