from dataclasses import replace

import pandas as pd
import pytest
from report_text import ACCOUNT, OTHER, parse, read_table, root_row, user_row

from scanner.checks import CHECKS, BoundCheck, NoParameters
from scanner.confirmation import LiveState
from scanner.credentials import build_table
from scanner.frameworks import bind_checks, load_framework
from scanner.judge import (
    Tally,
    identify_finding,
    judge_controls,
    judge_table,
    list_findings,
    name_controls,
    roll_up,
)
from scanner.model import (
    Account,
    CheckTotals,
    Confirmation,
    Relation,
    Severity,
    UserTotals,
    Verdict,
)

DIRECT, SUPPORTING = Relation.DIRECT, Relation.SUPPORTING
PCI, ISO = load_framework("pci-dss-4.0.1"), load_framework("iso-27001-2022")
CHECKS_IN_USE = bind_checks([PCI, ISO])
ACCOUNTS = {
    account_id: Account(account_id, name, "a@b.c", "ACTIVE", ("r-1", "ou-1"), ("Root", "Prod"))
    for account_id, name in ((ACCOUNT, "payments"), (OTHER, "=1+1"))
}
OPEN = {"password_enabled": "true", "mfa_active": "false"}
SAFE = {"password_enabled": "true", "mfa_active": "true"}
UNCLEAR = {"password_enabled": "true", "mfa_active": "MAYBE"}


def total(name="console-no-mfa", **counts):
    """
    Return a check's totals; rows are the sum of what is counted.
    """
    kinds = ("passed", "failed", "needs_review", "not_applicable", "unknown")
    figures = dict.fromkeys(kinds, 0) | counts
    return CheckTotals(name, "Title", Severity.HIGH, sum(figures.values()), **figures)


def roll(relation, *totals, not_collected=0, scope_is_open=False):
    return roll_up(relation, totals, not_collected=not_collected, scope_is_open=scope_is_open)


def find(*rows, live=None, checks=CHECKS_IN_USE):
    """
    Judge one account's rows and return its findings.
    """
    table = judge_table(read_table(*rows), checks)
    return list_findings(table, checks, ACCOUNTS, live or {}, name_controls([PCI, ISO]))


# A control's verdict


@pytest.mark.parametrize("relation", [DIRECT, SUPPORTING])
@pytest.mark.parametrize("totals", [(), (total(),), (total(), total("root-console-no-mfa"))])
def test_there_is_never_a_pass_for_nothing(relation, totals):
    """
    A control about which no row says anything was not tested.
    """
    assert roll(relation, *totals) is Verdict.NOT_TESTED


@pytest.mark.parametrize(
    "totals", [(total(passed=1),), (total(passed=1), total(not_applicable=9)), (total(passed=3),)]
)
def test_a_direct_control_passes_when_all_is_known_and_clean(totals):
    """
    A pass needs a pass and nothing worse.
    """
    assert roll(DIRECT, *totals) is Verdict.PASS


def test_a_control_that_concerns_nobody_is_not_applicable():
    """
    Where each row is not applicable, so is the control.
    """
    assert roll(DIRECT, total(not_applicable=7), total(not_applicable=1)) is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize(
    "others", [(), (total(passed=99),), (total(not_applicable=1),), (total(unknown=1),)]
)
@pytest.mark.parametrize("not_collected", [0, 1])
def test_one_failure_fails_a_direct_control(others, not_collected):
    """
    No number of passes outweighs one exception, and no unread account hides it.
    """
    verdict = roll(DIRECT, *others, total(failed=1), not_collected=not_collected)

    assert verdict is Verdict.FAIL


@pytest.mark.parametrize("others", [(), (total(passed=99),), (total(not_applicable=1),)])
def test_one_unknown_keeps_a_direct_control_from_passing(others):
    """
    One row that nobody could judge leaves the control unknown.
    """
    assert roll(DIRECT, *others, total(unknown=1)) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "totals", [(), (total(),), (total(passed=99),), (total(not_applicable=1),), (total(unknown=1),)]
)
def test_one_unread_account_keeps_a_direct_control_from_passing(totals):
    """
    Nobody knows what an unread account holds, so nothing is said of the control.
    """
    assert roll(DIRECT, *totals, not_collected=1) is Verdict.UNKNOWN


@pytest.mark.parametrize("not_collected", [0, 1])
def test_exceptions_need_review_while_the_scope_is_open(not_collected):
    """
    Until somebody says which accounts are in scope, an exception is not yet the control's.
    """
    totals = (total(failed=2), total(passed=1), total(unknown=1))

    verdict = roll(DIRECT, *totals, not_collected=not_collected, scope_is_open=True)

    assert verdict is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize("scope_is_open", [True, False])
def test_a_lead_alone_needs_review(scope_is_open):
    """
    Rows that need review, and none that fails: the control needs it too.
    """
    totals = (total(needs_review=1), total(passed=5))

    assert roll(DIRECT, *totals, scope_is_open=scope_is_open) is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize(
    ("totals", "not_collected", "verdict"),
    [
        ((total(passed=5),), 0, Verdict.PASS),
        ((total(passed=5),), 1, Verdict.UNKNOWN),
        ((total(passed=5, unknown=1),), 0, Verdict.UNKNOWN),
        ((total(not_applicable=5),), 0, Verdict.NOT_APPLICABLE),
        ((), 0, Verdict.NOT_TESTED),
    ],
)
def test_an_open_scope_changes_nothing_without_exceptions(totals, not_collected, verdict):
    """
    Without exceptions it does not matter which accounts lie in scope.
    """
    result = roll(DIRECT, *totals, not_collected=not_collected, scope_is_open=True)

    assert result is verdict


@pytest.mark.parametrize("scope_is_open", [True, False])
@pytest.mark.parametrize("not_collected", [0, 1])
@pytest.mark.parametrize(
    ("totals", "verdict"),
    [
        ((total(passed=9),), Verdict.NOT_TESTED),
        ((total(not_applicable=9),), Verdict.NOT_TESTED),
        ((total(unknown=1),), Verdict.NOT_TESTED),
        ((total(failed=1),), Verdict.NEEDS_REVIEW),
        ((total(failed=1, passed=9, unknown=1),), Verdict.NEEDS_REVIEW),
        ((total(needs_review=1),), Verdict.NEEDS_REVIEW),
    ],
)
def test_a_supporting_control_carries_no_verdict_of_its_own(
    totals, verdict, not_collected, scope_is_open
):
    """
    Exceptions make a supporting control a lead; it neither passes nor fails, whatever is found.
    """
    result = roll(SUPPORTING, *totals, not_collected=not_collected, scope_is_open=scope_is_open)

    assert result is verdict


# The controls table


def judge_rows(framework, *rows, not_collected=0):
    """
    Return the controls of a framework for one account's rows, by control id.
    """
    tally = Tally(CHECKS_IN_USE)
    tally.add(judge_table(read_table(*rows), CHECKS_IN_USE))
    controls = judge_controls([framework], tally.checks(), not_collected)
    return {control["control_id"]: control for control in controls}


def test_a_direct_control_counts_its_direct_checks_alone():
    """
    8.4.1 is about administrators: users without MFA support it and are not counted in it.
    """
    root = root_row(password_enabled="true", mfa_active="true")

    controls = judge_rows(PCI, root, user_row("ann", **OPEN), user_row("bob", **OPEN))

    administrators = controls["8.4.1"]
    assert (administrators["relation"], administrators["verdict"]) == ("direct", "pass")
    assert (administrators["evaluated"], administrators["failed"]) == (1, 0)


def test_a_control_counts_what_all_its_checks_say():
    """
    A.8.5 has two direct checks, and its figures are their sum.
    """
    root = root_row(password_enabled="true", mfa_active="false")

    controls = judge_rows(ISO, root, user_row("ann", **OPEN), user_row("bob", **UNCLEAR))

    assert controls["A.8.5"] == {
        "framework": "iso-27001-2022",
        "version": "2022",
        "control_id": "A.8.5",
        "title": "Secure authentication",
        "relation": "direct",
        "verdict": "fail",
        "evaluated": 2,
        "failed": 2,
        "unknown": 1,
        "not_tested": 0,
        "accepted": 0,
    }


def test_a_framework_whose_scope_is_not_declared_has_no_failures():
    """
    The same exceptions fail A.8.5 and need review under 8.4.2, whose scope is the operator's to say.
    """
    rows = [root_row(password_enabled="true"), user_row("ann", **OPEN)]

    assert judge_rows(ISO, *rows)["A.8.5"]["verdict"] == "fail"
    assert judge_rows(PCI, *rows)["8.4.2"]["verdict"] == "needs-review"


@pytest.mark.parametrize("framework", [PCI, ISO], ids=["pci", "iso"])
def test_unread_accounts_are_counted_beside_the_rows(framework):
    """
    Accounts not read are in a column of their own, of every control, and no direct control passes.
    """
    rows = [root_row(**SAFE), user_row("ann", **SAFE)]

    controls = judge_rows(framework, *rows, not_collected=3).values()

    assert {control["not_tested"] for control in controls} == {3}
    assert {control["verdict"] for control in controls} == {"unknown", "not-tested"}


def test_without_a_single_account_nothing_passes():
    """
    A scan that read nothing says nothing of any control.
    """
    totals = Tally(CHECKS_IN_USE).checks()

    controls = judge_controls([PCI, ISO], totals, not_collected=0)

    assert {control["verdict"] for control in controls} == {"not-tested"}


def test_controls_come_in_the_catalogs_order():
    """
    Framework after framework, each in its own order.
    """
    totals = Tally(CHECKS_IN_USE).checks()

    controls = judge_controls([PCI, ISO], totals, not_collected=0)

    assert [control["control_id"] for control in controls] == [
        control.id for framework in (PCI, ISO) for control in framework.controls
    ]


# Findings


@pytest.mark.parametrize(
    ("cells", "verdict"), [(OPEN, "fail"), (UNCLEAR, "unknown"), (SAFE, None), ({}, None)]
)
def test_exceptions_and_unknowns_are_findings(cells, verdict):
    """
    A fail is a finding and an unknown is one too; a pass and a not-applicable are none.
    """
    verdicts = [finding["verdict"] for finding in find(user_row("ann", **cells))]

    assert verdicts == ([verdict] if verdict else [])


def test_a_finding_says_who_what_and_where():
    """
    All that is known without history, in the columns of the findings table.
    """
    row = user_row("ann", path="/x/", access_key_2_active="true", **OPEN)

    (finding,) = find(row)

    assert finding == {
        "finding_id": identify_finding(row["arn"], "2024-05-06T07:08:09+00:00", "console-no-mfa"),
        "account_id": ACCOUNT,
        "account_name": "payments",
        "ou_path": "Prod",
        "user": "ann",
        "arn": "arn:aws:iam::012345678901:user/x/ann",
        "check": "console-no-mfa",
        "severity": "high",
        "verdict": "fail",
        "observation": "console password, no MFA device; never signed in; 1 active access key",
        "controls": (
            "pci-dss-4.0.1:8.4.1; pci-dss-4.0.1:8.4.2; pci-dss-4.0.1:8.4.3; pci-dss-4.0.1:8.5.1; "
            "iso-27001-2022:A.5.15; iso-27001-2022:A.8.5"
        ),
        "confirmation": "not-checked",
        "confirmation_note": None,
        "owner": None,
    }


def test_findings_are_sorted_by_account_arn_and_check():
    """
    The order of accounts, users and checks that come in makes no difference.
    """
    root = {"password_enabled": "true", "access_key_1_active": "true"}
    reports = [
        parse(root_row(OTHER, **root), user_row("zoe", OTHER, **OPEN), account=OTHER),
        parse(user_row("zoe", **OPEN), user_row("ann", **OPEN)),
    ]
    found = []

    for batch, checks in ((reports, CHECKS_IN_USE), (reports[::-1], CHECKS_IN_USE[::-1])):
        table = judge_table(build_table(batch), checks)
        found.append(list_findings(table, checks, ACCOUNTS, {}, {}))

    assert found[0] == found[1]
    assert [(row["account_id"], row["user"], row["check"]) for row in found[0]] == [
        (ACCOUNT, "ann", "console-no-mfa"),
        (ACCOUNT, "zoe", "console-no-mfa"),
        (OTHER, "<root_account>", "root-access-key-active"),
        (OTHER, "<root_account>", "root-console-no-mfa"),
        (OTHER, "zoe", "console-no-mfa"),
    ]


@pytest.mark.parametrize("confirmation", list(Confirmation))
def test_a_confirmation_annotates_and_never_hides(confirmation):
    """
    Whatever the account says by now, the report's finding stays, with its verdict.
    """
    row = user_row("ann", **OPEN)
    live = {row["arn"]: LiveState(confirmation, "a note", "team-a")}

    (finding,) = find(row, live=live)

    assert finding["verdict"] == "fail"
    assert finding["confirmation"] == confirmation
    assert (finding["confirmation_note"], finding["owner"]) == ("a note", "team-a")


def test_another_user_s_confirmation_is_not_borrowed():
    """
    A live answer counts for its own ARN alone.
    """
    live = {
        user_row("bob")["arn"]: LiveState(Confirmation.FIXED_SINCE_REPORT, None, None),
        user_row("ann", path="/x/")["arn"]: LiveState(Confirmation.USER_DELETED, None, None),
    }

    (finding,) = find(user_row("ann", **OPEN), live=live)

    assert finding["confirmation"] == Confirmation.NOT_CHECKED


def test_root_carries_no_confirmation():
    """
    Root was not asked about, so nothing that is stored can say that root was fixed.
    """
    row = root_row(**OPEN)
    live = {row["arn"]: LiveState(Confirmation.FIXED_SINCE_REPORT, None, "team-a")}

    (finding,) = find(row, live=live)

    assert (finding["confirmation"], finding["owner"]) == (Confirmation.NOT_CHECKED, None)


def test_a_finding_id_stays_the_same():
    """
    The id is a matter of record: a change of the recipe would make every old finding look new.
    """
    arn = "arn:aws:iam::012345678901:user/ann"

    assert identify_finding(arn, "2024-05-06T07:08:09+00:00", "console-no-mfa") == (
        "38a5ff3b118e4f9875dc"
    )


def test_a_finding_id_ignores_what_changes_between_runs():
    """
    The verdict, the last sign-in and the confirmation may change; it is the same finding.
    """
    later = {"password_last_used": "2026-11-01T00:00:00Z", "access_key_1_active": "true"}
    live = {user_row("ann")["arn"]: LiveState(Confirmation.STILL_OPEN, None, "team-b")}

    (first,) = find(user_row("ann", **OPEN))
    (second,) = find(user_row("ann", **UNCLEAR, **later), live=live)

    assert first["finding_id"] == second["finding_id"]


@pytest.mark.parametrize(
    "other",
    [
        user_row("anna", **OPEN),
        user_row("ann", path="/x/", **OPEN),
        user_row("ann", **OPEN) | {"user_creation_time": "2024-05-06T07:08:10Z"},
        user_row("ann", **OPEN) | {"user_creation_time": "unreadable"},
    ],
    ids=["another name", "another path", "the name used again", "no creation time"],
)
def test_a_finding_id_is_not_shared(other):
    """
    Another user, or a later user of the same name, is another finding.
    """
    (first,) = find(user_row("ann", **OPEN))
    (second,) = find(other)

    assert first["finding_id"] != second["finding_id"]


def test_parts_of_a_finding_id_do_not_run_together():
    """
    Moving a character from one part to the next gives another id.
    """
    assert identify_finding("a", "bc", "d") != identify_finding("ab", "c", "d")
    assert identify_finding("a", "b", "cd") != identify_finding("a", "bc", "d")


# Totals


def test_users_are_counted_and_roots_apart():
    """
    Console users, with and without MFA, and those the report leaves open; root is none of them.
    """
    tally = Tally(CHECKS_IN_USE)
    rows = [
        root_row(**OPEN),
        user_row("ann", **OPEN),
        user_row("bob", **SAFE),
        user_row("cid", **SAFE),
        user_row("dan", **UNCLEAR),
        user_row("eve", password_enabled="MAYBE", mfa_active="true"),
        user_row("fay", password_enabled="false", mfa_active="MAYBE"),
    ]

    tally.add(judge_table(read_table(*rows), CHECKS_IN_USE))

    assert tally.users() == UserTotals(
        users=6, roots=1, console=4, console_with_mfa=2, console_without_mfa=1, unknown=2
    )
    assert tally.rows == 7


def test_every_row_has_one_verdict_for_each_check():
    """
    What is counted for a check adds up to the rows.
    """
    tally = Tally(CHECKS_IN_USE)
    rows = [root_row(**OPEN), user_row("a", **OPEN), user_row("b", **UNCLEAR), user_row("c")]

    tally.add(judge_table(read_table(*rows), CHECKS_IN_USE))
    totals = {check.check: check for check in tally.checks()}

    assert totals["console-no-mfa"] == CheckTotals(
        "console-no-mfa", "Console password without MFA", Severity.HIGH, 4, 0, 1, 0, 2, 1
    )
    assert totals["root-access-key-active"].passed == 1
    for check in totals.values():
        assert check.rows == check.evaluated + check.not_applicable + check.unknown == 4


def test_nothing_counted_is_all_zero():
    """
    Without rows each figure is nought, and each check is there.
    """
    tally = Tally(CHECKS_IN_USE)

    assert tally.users() == UserTotals(0, 0, 0, 0, 0, 0)
    assert [check.check for check in tally.checks()] == sorted(CHECKS)
    assert {check.rows for check in tally.checks()} == {0}


def test_judging_leaves_the_table_as_it_was():
    """
    Verdicts are added to a copy: the typed evidence is not touched.
    """
    table = read_table(user_row("ann", **OPEN))
    before = table.copy(deep=True)

    judged = judge_table(table, CHECKS_IN_USE)

    pd.testing.assert_frame_equal(table, before)
    assert list(judged.columns) == [*table.columns, *sorted(CHECKS)]


def test_a_check_is_named_with_every_control_it_bears_on():
    """
    Controls are named with their framework; a check that none uses is not named.
    """
    named = name_controls([ISO])

    assert named["console-no-mfa"] == "iso-27001-2022:A.5.15; iso-27001-2022:A.8.5"
    assert name_controls([]) == {}


def test_a_control_without_its_check_s_totals_is_an_error():
    """
    A control whose check was not run is no control without exceptions.
    """
    unused = BoundCheck(CHECKS["console-no-mfa"], NoParameters())

    with pytest.raises(KeyError, match="root"):
        judge_controls([PCI], [replace(total(unused.name), passed=1, rows=1)], not_collected=0)
