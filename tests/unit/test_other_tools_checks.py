"""
Errors that other tools make in the same checks, one by one: each with its number in our notes on them.

P is Prowler 5.46.0, T is turbot's Steampipe mod v1.13.0 with its AWS plugin, A is AWS's own mapping.
"""

from datetime import timedelta

import pytest
from report_text import ACCOUNT, MADE, Row, parse, root_row, user_row

from scanner.checks import CHECKS, BoundCheck, Subject
from scanner.credentials import AccountFacts, build_table, parse_report
from scanner.errors import ReportError
from scanner.judge import judge_table, roll_up
from scanner.model import Relation, Severity, Verdict
from scanner.summary import CheckTotals

PASS, FAIL = Verdict.PASS, Verdict.FAIL
UNKNOWN, NOT_APPLICABLE = Verdict.UNKNOWN, Verdict.NOT_APPLICABLE

ROOT_CHECKS = sorted(name for name, check in CHECKS.items() if check.subject is Subject.ROOT)
USER_CHECKS = sorted(name for name, check in CHECKS.items() if check.subject is Subject.USER)


def ago(days: int, seconds: int = 0) -> str:
    """
    Return the moment so many days and seconds before the report was made, as AWS writes it.
    """
    return f"{MADE - timedelta(days=days, seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def judge(
    check_id: str, row: Row, facts: AccountFacts | None = None, **parameters: object
) -> Verdict:
    """
    Return a check's verdict on one row, in an account of which nothing else is known unless it is given.
    """
    check = CHECKS[check_id]
    bound = BoundCheck(check, check.parameters.model_validate(parameters))
    table = judge_table(build_table([parse(row)], {ACCOUNT: facts or AccountFacts()}), [bound])
    (verdict,) = table.loc[table["user"] == row["user"], bound.name]
    return Verdict(verdict)


def key(
    slot: int, *, active: bool = True, rotated: str = "N/A", used: str = "N/A"
) -> dict[str, str]:
    """
    Return what a report says of one access key.
    """
    return {
        f"access_key_{slot}_active": "true" if active else "false",
        f"access_key_{slot}_last_rotated": rotated,
        f"access_key_{slot}_last_used_date": used,
    }


def password(*, changed: str, used: str = "no_information", device: bool = True) -> dict[str, str]:
    """
    Return what a report says of a password and the MFA device beside it.
    """
    return {
        "password_enabled": "true",
        "password_last_used": used,
        "password_last_changed": changed,
        "mfa_active": "true" if device else "false",
    }


# Prowler


@pytest.mark.parametrize("slot", [1, 2])
def test_p1_a_key_that_was_never_used_counts_from_its_issue_date(slot):
    """
    Prowler passes an active key that was never used, however old: to us it is unused since its issue.
    """
    old, new = key(slot, rotated=ago(4000)), key(slot, rotated=ago(44))

    assert judge("access-key-unused", user_row("ann", **old)) == FAIL
    assert judge("access-key-unused", user_row("ann", **new)) == PASS


def test_p1_a_password_that_was_never_used_counts_from_its_last_change():
    """
    Prowler passes a password that was never used, however old: to us it is unused since its last change.
    """
    old, new = password(changed=ago(4000)), password(changed=ago(44))

    assert judge("password-unused", user_row("ann", **old)) == FAIL
    assert judge("password-unused", user_row("ann", **new)) == PASS


def test_p1_a_user_who_never_used_anything_is_inactive():
    """
    Prowler lets never-used credentials pass: a user with nothing but such, all old, is inactive to us.
    """
    row = password(changed=ago(91)) | key(1, rotated=ago(95)) | key(2, rotated=ago(400))

    assert judge("user-inactive", user_row("ann", **row)) == FAIL


@pytest.mark.parametrize(
    ("used", "verdict"),
    [(ago(45, -1), PASS), (ago(45), FAIL), (ago(45, 1), FAIL), (ago(46), FAIL)],
)
def test_p2_forty_five_days_are_enough(used, verdict):
    """
    Prowler fails from the 46th day on; CIS says 45 days or more, and the 45th is complete to the second.
    """
    by_password = user_row("ann", **password(changed=ago(300), used=used))
    by_key = user_row("ann", **key(1, rotated=ago(300), used=used))

    assert judge("password-unused", by_password) == verdict
    assert judge("access-key-unused", by_key) == verdict


def test_p3_root_without_a_password_has_not_been_used():
    """
    Prowler cannot read N/A, root's last use in new member accounts, and stops: to us it is no use.
    """
    assert judge("root-recent-use", root_row(password_last_used="N/A")) == PASS


@pytest.mark.parametrize("slot", [1, 2])
def test_p3_a_use_of_root_s_key_counts_beside_an_older_sign_in(slot):
    """
    Prowler looks no further than root's old sign-in: to us a use of either key yesterday is a recent use.
    """
    row = password(changed=ago(4000), used=ago(3000)) | key(slot, used=ago(1))

    assert judge("root-recent-use", root_row(**row)) == FAIL


@pytest.mark.parametrize("slot", [1, 2])
def test_p3_a_use_of_root_s_key_counts_though_it_was_switched_off(slot):
    """
    Prowler leaves keys out beside a password: to us a key that is off today was used all the same.
    """
    row = key(slot, active=False, rotated=ago(300), used=ago(1))

    assert judge("root-recent-use", root_row(**row)) == FAIL


@pytest.mark.parametrize("device", ["", "N/A", "no_information", "not_supported", "MAYBE", "0"])
def test_p4_a_device_that_nobody_can_read_is_none(device):
    """
    Prowler fails on the word false alone and passes all others: to us a device needs the word true.
    """
    row = password(changed=ago(10), used=ago(1)) | {"mfa_active": device}
    key_only = key(1, rotated=ago(10)) | {"mfa_active": device}

    assert judge("console-no-mfa", user_row("ann", **row)) == UNKNOWN
    assert judge("single-factor-password-age", user_row("ann", **row)) == UNKNOWN
    assert judge("programmatic-no-mfa", user_row("ann", **key_only)) == UNKNOWN
    assert judge("root-console-no-mfa", root_row(**row)) == UNKNOWN


def test_p4_false_is_false_in_capital_letters():
    """
    Prowler passes FALSE, as AWS's guide writes it: to us it is the same word.
    """
    row = password(changed=ago(10), used=ago(1)) | {"mfa_active": "FALSE"}

    assert judge("console-no-mfa", user_row("ann", **row)) == FAIL
    assert judge("root-console-no-mfa", root_row(**row)) == FAIL


def test_p5_a_report_that_did_not_come_is_no_empty_list():
    """
    Prowler takes a failed download for an account without users: to us it is an error.
    """
    with pytest.raises(ReportError):
        parse_report(b"", ACCOUNT, MADE)


def test_p5_an_account_that_was_not_read_passes_no_control():
    """
    Prowler has no findings for an account that it could not read: with us it takes every pass away.
    """
    clean = CheckTotals(
        check="console-no-mfa",
        title="",
        severity=Severity.HIGH,
        rows=1,
        passed=1,
        failed=0,
        needs_review=0,
        not_applicable=0,
        unknown=0,
    )

    verdicts = [
        roll_up(Relation.DIRECT, [clean], not_tested=unread, scope_is_open=False)
        for unread in (0, 1)
    ]

    assert verdicts == [PASS, UNKNOWN]


def test_p6_a_key_only_user_s_key_that_was_never_used_is_found():
    """
    Prowler sees no set-up key without a password, nor any unused one: to us it is unused after 45 days.
    """
    row = user_row("ann", **key(1, rotated=ago(45)))

    assert judge("setup-key-never-used", row) == NOT_APPLICABLE
    assert judge("access-key-unused", row) == FAIL


def test_p6_a_key_made_years_later_can_be_told_from_a_set_up_key():
    """
    Prowler does not look at when the user was made: with us a limit tells the two kinds of key apart.
    """
    made = MADE - timedelta(days=700)
    limit = {"user_creation_time": f"{made:%Y-%m-%dT%H:%M:%SZ}"} | password(changed=ago(10))
    at_setup = f"{made + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    after = f"{made + timedelta(minutes=5, seconds=1):%Y-%m-%dT%H:%M:%SZ}"

    for rotated, with_limit in ((at_setup, FAIL), (after, PASS), (ago(3), PASS), ("N/A", UNKNOWN)):
        row = user_row("ann", **limit, **key(1, rotated=rotated))
        assert judge("setup-key-never-used", row) == FAIL
        assert judge("setup-key-never-used", row, within_minutes=5) == with_limit


@pytest.mark.parametrize("name", ROOT_CHECKS)
def test_p7_root_without_credentials_has_its_row(name):
    """
    Prowler is silent where root has no credentials, as it is where it saw nothing: we say what we saw.
    """
    verdict = judge(name, root_row())

    assert verdict == (NOT_APPLICABLE if name == "root-console-no-mfa" else PASS)


@pytest.mark.parametrize("name", ROOT_CHECKS)
def test_p7_root_that_nobody_saw_is_unknown(name):
    """
    Prowler's silence may mean either; with us a report too old to tell is told from a clean root.
    """
    assert judge(name, root_row(), AccountFacts(is_stale=True)) == UNKNOWN


# Steampipe


def test_t1_the_second_key_is_judged_though_the_first_is_switched_off():
    """
    Steampipe is content as soon as key 1 is inactive: to us key 2 is a key of its own.
    """
    first = key(1, active=False, rotated=ago(400), used=ago(300))

    for second in (key(2, rotated=ago(400), used=ago(100)), key(2, rotated=ago(400))):
        assert judge("access-key-unused", user_row("ann", **first, **second)) == FAIL
        assert judge("access-key-age", user_row("ann", **first, **second)) == FAIL


def test_t1_a_key_that_is_switched_off_is_not_judged():
    """
    Steampipe lets one slot speak for the other: with us an old key that is off spoils nothing for a new one.
    """
    first = key(1, active=False, rotated=ago(400), used=ago(300))
    row = user_row("ann", **first, **key(2, rotated=ago(10), used=ago(1)))

    assert judge("access-key-unused", row) == PASS
    assert judge("access-key-age", row) == PASS


@pytest.mark.parametrize(
    ("use", "verdict"),
    [(ago(0), FAIL), (ago(90), FAIL), (ago(91, -1), FAIL), (ago(91), PASS), (ago(3000), PASS)],
)
def test_t2_what_alarms_is_that_root_was_used_and_not_that_it_was_not(use, verdict):
    """
    Steampipe alarms at old uses of root's keys and not at new ones: with us all three mean the same.
    """
    signed_in = root_row(**password(changed=ago(4000), used=use))

    assert judge("root-recent-use", signed_in) == verdict
    for slot in (1, 2):
        assert judge("root-recent-use", root_row(**key(slot, used=use))) == verdict


def test_t3_a_password_made_today_is_not_unused():
    """
    Steampipe alarms at a password never used on the day it is made: to us it has its 45 days.
    """
    row = user_row("ann", **password(changed=ago(0, 60)))

    assert judge("password-unused", row) == PASS


@pytest.mark.parametrize("days", [0, 44, 45, 46, 89, 90, 91])
def test_t3_a_password_and_a_key_never_used_are_judged_alike(days):
    """
    Steampipe's two queries disagree about what was never used: with us password, key and user go by one rule.
    """
    console = user_row("ann", **password(changed=ago(days)))
    programmatic = user_row("ann", **key(1, rotated=ago(days)))
    verdict = FAIL if days >= 45 else PASS

    assert judge("password-unused", console) == verdict
    assert judge("access-key-unused", programmatic) == verdict
    assert judge("user-inactive", console, days=45, operator="at-least") == verdict
    assert judge("user-inactive", programmatic, days=45, operator="at-least") == verdict


@pytest.mark.parametrize("name", USER_CHECKS)
def test_t4_root_is_no_iam_user(name):
    """
    Steampipe counts root among the IAM users: with us no check of users says anything of root.
    """
    worst = (
        password(changed=ago(4000), used=ago(3000), device=False)
        | key(1, rotated=ago(4000))
        | key(2, rotated=ago(4000))
        | {"cert_1_active": "true", "password_next_rotation": ago(1)}
    )

    assert judge(name, root_row(**worst)) == NOT_APPLICABLE


def test_t4_root_s_password_can_be_absent():
    """
    Steampipe makes true of not_supported and says root always has a password: we believe IAM, which counts it.
    """
    old_report = root_row(password_enabled="not_supported", mfa_active="false")

    assert judge("root-console-no-mfa", old_report, AccountFacts(password_present=False)) == (
        NOT_APPLICABLE
    )
    assert judge("root-console-no-mfa", old_report, AccountFacts(password_present=True)) == FAIL
    assert judge("root-console-no-mfa", old_report) == FAIL


def test_t4_not_supported_is_no_password_of_a_user():
    """
    Steampipe makes true of not_supported in any row: of a user AWS never writes it, and we know nothing.
    """
    row = user_row("ann", password_enabled="not_supported", mfa_active="true")

    for facts in (AccountFacts(), AccountFacts(password_present=False)):
        assert judge("console-no-mfa", row, facts) == UNKNOWN


@pytest.mark.parametrize("slot", [1, 2])
def test_t5_either_slot_can_hold_the_set_up_key(slot):
    """
    Steampipe looks at key 1 only: to us slots are no order, and a key never used in either is found.
    """
    other = key(3 - slot, rotated=ago(300), used=ago(1))
    row = user_row("ann", **password(changed=ago(10)), **key(slot, rotated=ago(300)), **other)

    assert judge("setup-key-never-used", row) == FAIL


def test_t6_root_without_a_password_needs_no_device():
    """
    Steampipe alarms where root has no device, be there a password or not: with us there must be one.
    """
    without = root_row(password_enabled="false", mfa_active="false")
    with_one = root_row(**password(changed=ago(10), device=False))

    assert judge("root-console-no-mfa", without) == NOT_APPLICABLE
    assert judge("root-console-no-mfa", with_one) == FAIL


@pytest.mark.parametrize(
    ("rotated", "verdict"),
    [(ago(89), PASS), (ago(90), PASS), (ago(91, -1), PASS), (ago(91), FAIL), (ago(91, 1), FAIL)],
)
def test_t8_a_key_may_be_ninety_days_old(rotated, verdict):
    """
    Steampipe alarms on the 90th day; CIS allows 90 days, so to us the 91st must be complete.
    """
    for slot in (1, 2):
        row = user_row("ann", **key(slot, rotated=rotated, used=ago(1)))
        assert judge("access-key-age", row) == verdict


# AWS


@pytest.mark.parametrize("slot", [1, 2])
@pytest.mark.parametrize("active", [True, False])
def test_a4_one_old_credential_does_not_make_a_user_inactive(slot, active):
    """
    Security Hub judges PCI 8.2.6 by each credential: the requirement is about the user, who was here yesterday.
    """
    console = password(changed=ago(900), used=ago(800))
    row = user_row("ann", **console, **key(slot, active=active, rotated=ago(900), used=ago(1)))

    assert judge("user-inactive", row) == PASS
    assert judge("password-unused", row, days=90) == FAIL


@pytest.mark.parametrize(
    ("used", "verdict"), [(ago(90), PASS), (ago(91, -1), PASS), (ago(91), FAIL), (ago(800), FAIL)]
)
def test_a4_a_user_is_inactive_when_all_uses_are_over_ninety_days_old(used, verdict):
    """
    Security Hub fails on the 90th day of one credential: PCI's inactive is over 90 days, of the newest use.
    """
    old = password(changed=ago(900), used=ago(850)) | key(1, rotated=ago(900), used=ago(820))

    assert judge("user-inactive", user_row("ann", **old | key(2, used=used))) == verdict


def test_a4_a_new_key_is_not_a_use_of_an_old_account():
    """
    A credential's issue stands for a use only where nothing was ever used: a new key wakes no sleeping user.
    """
    row = password(changed=ago(900), used=ago(800)) | key(1, rotated=ago(1))

    assert judge("user-inactive", user_row("ann", **row)) == FAIL
