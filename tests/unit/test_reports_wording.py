from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from scanner.model import (
    AccountId,
    AccountTotals,
    CheckTotals,
    Selection,
    Severity,
    Summary,
    UserTotals,
    Window,
)
from scanner.reports import wording
from scanner.reports.facts import add_up_coverage, list_check_figures

MOMENT = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


def total(check="console-no-mfa", title="Console password without MFA", failed=0, unknown=0):
    return CheckTotals(
        check=check,
        title=title,
        severity=Severity.HIGH,
        rows=400,
        passed=300 - failed - unknown,
        failed=failed,
        needs_review=0,
        not_applicable=100,
        unknown=unknown,
    )


def summary(*, listed=24, missed=0, excluded=0, inactive=0, without=0, checks=None, **changes):
    collected = listed - missed - excluded - inactive
    base = Summary(
        run_id="20261124T101500Z",
        period="2026-Q4",
        organization_id="o-a1b2c3d4e5",
        management_account_id=AccountId("000000000017"),
        partition="aws",
        caller_arn="arn:aws:sts::000000000017:assumed-role/scanner/run",
        role_name="reader",
        endpoint=None,
        simulated=False,
        interrupted=False,
        tool_version="0.1.0",
        prepared_by="",
        organization_name="",
        selection=Selection(),
        window=Window(MOMENT, MOMENT, MOMENT, MOMENT),
        accounts=AccountTotals(listed, collected, missed, excluded, inactive),
        reasons={},
        users=UserTotals(376, collected, 312, 312 - without, without, 0),
        checks=(total(failed=without),) if checks is None else checks,
        findings=without,
        findings_by_verdict={},
        findings_by_confirmation={},
        frameworks=(),
        exit_status=0,
    )
    return replace(base, **changes)


def test_a_clean_run_says_among_how_many_nothing_was_noted():
    """
    No exceptions is a statement about a population, and names it.
    """
    assert wording.conclude(summary()) == (
        "No exceptions were noted among 312 console users and 24 root users in the 24 accounts read."
    )


def test_exceptions_are_counted_against_the_console_users():
    """
    The conclusion gives both numbers, and names what else was noted.
    """
    checks = (
        total(failed=37),
        total("root-console-no-mfa", "Root password without MFA", failed=2),
    )

    said = wording.conclude(summary(without=37, checks=checks))

    assert said == (
        "37 of 312 console users can sign in with a password alone; "
        "also noted: root password without MFA (2)."
    )


def test_no_account_read_is_no_conclusion():
    """
    Nothing read is never nothing found.
    """
    said = wording.conclude(summary(listed=3, missed=3))

    assert said == "No account was read, so nothing can be concluded about any user."


def test_an_unknown_verdict_is_never_hidden_behind_no_exceptions():
    """
    With one verdict missing the sentence does not say that there were no exceptions.
    """
    said = wording.conclude(summary(checks=(total(unknown=1),)))

    assert "No exceptions" not in said
    assert said == "1 verdict could not be reached from the reports."


def test_one_unread_account_makes_the_evidence_incomplete():
    """
    The sentence gives the numbers and says what follows for the account's users.
    """
    said = wording.complete(summary(missed=1))

    assert said == (
        "This evidence is incomplete: 1 of 24 accounts could not be read, "
        "so nothing is said about its users."
    )


def test_an_interrupted_run_is_incomplete_even_where_nothing_failed():
    """
    A run that was stopped never counts as complete.
    """
    stopped = summary(interrupted=True)

    assert wording.complete(stopped).startswith(
        "This evidence is incomplete: the run was interrupted"
    )
    assert [notice.label for notice in wording.list_notices(stopped)] == ["INCOMPLETE"]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "This evidence is complete: every one of 24 accounts listed was read."),
        (
            {"excluded": 1, "inactive": 2},
            (
                "Every account that was to be read was read: 21 of 24 accounts listed; "
                "1 left out on purpose and 2 not active."
            ),
        ),
    ],
)
def test_complete_says_what_was_left_out(counts, said):
    """
    Accounts that were not to be read are named beside, so that the numbers add up.
    """
    assert wording.complete(summary(**counts)) == said


def test_every_reason_to_doubt_a_page_is_a_notice():
    """
    Incomplete, simulated and partial runs carry all three notices, the gravest first.
    """
    doubtful = summary(missed=1, simulated=True, selection=Selection(ous=("ou-ab12-11111111",)))

    labels = [notice.label for notice in wording.list_notices(doubtful)]

    assert labels == ["INCOMPLETE", "SIMULATED", "PARTIAL SELECTION"]


def test_an_overridden_endpoint_is_a_notice_on_a_run_that_claims_to_be_real():
    """
    Answers from another address than AWS's are never passed off as AWS's.
    """
    odd = summary(endpoint="https://proxy.example")

    assert [notice.label for notice in wording.list_notices(odd)] == ["ENDPOINT OVERRIDDEN"]


def test_an_ordinary_run_carries_no_notice():
    """
    A notice that always stands there is not read.
    """
    assert wording.list_notices(summary(excluded=1, inactive=1)) == []


def test_the_ledger_is_written_out_as_a_sum():
    """
    Whoever reads it can add it up.
    """
    written = add_up_coverage(summary(missed=1, excluded=2, inactive=3))

    assert written == "24 listed = 18 collected + 1 not collected + 2 excluded + 3 not active"


def test_a_checks_figures_cross_foot():
    """
    The rows read are the sum of what became of them.
    """
    (_, rows), *parts = list_check_figures(total(failed=5, unknown=2))

    assert rows == sum(number for _, number in parts)


def test_times_are_printed_in_utc_whatever_zone_they_carry():
    """
    A time with another offset is the same moment in UTC, and says UTC.
    """
    elsewhere = datetime(2026, 11, 24, 12, 15, 9, tzinfo=timezone(timedelta(hours=2)))

    assert wording.format_moment(elsewhere) == "2026-11-24 10:15 UTC"
    assert wording.format_iso(elsewhere) == "2026-11-24T10:15:09Z"
    assert wording.format_iso(elsewhere.replace(microsecond=500_000)) == "2026-11-24T10:15:09.500Z"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, wording.MISSING), (0, "0 h 00 min"), (11_100, "3 h 05 min"), (-300, "-0 h 05 min")],
)
def test_ages_keep_their_sign_and_absence(seconds, said):
    """
    An unknown age is no age of nothing, and clocks that differ are not hidden.
    """
    assert wording.format_age(seconds) == said


def test_a_partial_selection_is_named():
    """
    The accounts and OUs that were asked for stand in the document.
    """
    partial = summary(
        selection=Selection(accounts=(AccountId("012345678901"),), ous=("ou-ab12-11111111",))
    )

    said = wording.describe_selection(partial)

    assert said == "only accounts 012345678901 and OUs ou-ab12-11111111"
