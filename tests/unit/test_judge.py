from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from report_text import ACCOUNT, OTHER, parse, read_table, root_row, user_row
from run_folder import OPEN, SAFE, UNCLEAR, make_framework, map_check

from scanner.checks import CHECKS, EVIDENCE_CHECKS, BoundCheck, NoParameters, Subject
from scanner.confirmation import LiveState
from scanner.credentials import AccountFacts, build_table
from scanner.findings import identify_check, identify_finding, identify_subject, list_findings
from scanner.frameworks import bind_checks, load_framework
from scanner.judge import (
    Tally,
    count_open,
    judge_accounts,
    judge_controls,
    judge_table,
    name_controls,
    roll_up,
)
from scanner.model import (
    Account,
    Confirmation,
    Relation,
    Severity,
    Verdict,
)
from scanner.scopes import Scope
from scanner.summary import CheckTotals, UserTotals

DIRECT, SUPPORTING = Relation.DIRECT, Relation.SUPPORTING
CONTROLS: dict[str, Sequence[dict[str, Any]] | str] = {
    "8.4.1": [map_check("root-console-no-mfa"), map_check("console-no-mfa", "supporting")],
    "8.4.2": [map_check("console-no-mfa"), map_check("root-console-no-mfa")],
    "8.6.3": [map_check("root-access-key-active", "supporting")],
    "12.3": "Nothing in a credential report bears on it.",
}
STRICT = make_framework("strict-1.0", CONTROLS)
ASKING = make_framework("asking-1.0", CONTROLS, must_be_declared=True)
"""
The same controls twice. The second binds only a declared part of an organization, as PCI DSS does.
"""
CHECKS_IN_USE = bind_checks([STRICT, ASKING])
USED = ("console-no-mfa", "root-access-key-active", "root-console-no-mfa")
ACCOUNTS = {
    account_id: Account(account_id, name, "a@b.c", "ACTIVE", ("r-1", "ou-1"), ("Root", "Prod"))
    for account_id, name in ((ACCOUNT, "payments"), (OTHER, "=1+1"))
}
CREATED = "1714979289"
"""
When the users of these tests were made, 2024-05-06T07:08:09Z, as ids count it.
"""
NOT_DECLARED = Scope("", is_declared=False, accounts=None, words="")


def total(name="console-no-mfa", **counts):
    """
    Return a check's totals; rows are the sum of what is counted.
    """
    kinds = ("passed", "failed", "needs_review", "not_applicable", "unknown")
    accepted = counts.pop("accepted", 0)
    figures = dict.fromkeys(kinds, 0) | counts
    rows = sum(figures.values())
    return CheckTotals(name, "Title", Severity.HIGH, rows, **figures, accepted=accepted)


def roll(relation, *totals, not_tested=0, scope_is_open=False):
    return roll_up(relation, totals, not_tested=not_tested, scope_is_open=scope_is_open)


def find(*rows, live=None, checks=CHECKS_IN_USE):
    """
    Judge one account's rows and return its findings.
    """
    table = judge_table(read_table(*rows), checks)
    found = list_findings(table, checks, ACCOUNTS, live or {}, name_controls([STRICT, ASKING]))
    return list_rows(found)


def list_rows(frame):
    """
    Return a frame's rows, what is missing being None.
    """
    return frame.astype("object").where(frame.notna(), None).to_dict("records")


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
@pytest.mark.parametrize("not_tested", [0, 1])
def test_one_failure_fails_a_direct_control(others, not_tested):
    """
    No number of passes outweighs one exception, and no unread account hides it.
    """
    verdict = roll(DIRECT, *others, total(failed=1), not_tested=not_tested)

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
    assert roll(DIRECT, *totals, not_tested=1) is Verdict.UNKNOWN


@pytest.mark.parametrize("not_tested", [0, 1])
def test_exceptions_need_review_while_the_scope_is_open(not_tested):
    """
    Until somebody says which accounts are in scope, an exception is not yet the control's.
    """
    totals = (total(failed=2), total(passed=1), total(unknown=1))

    verdict = roll(DIRECT, *totals, not_tested=not_tested, scope_is_open=True)

    assert verdict is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize("scope_is_open", [True, False])
def test_a_lead_alone_needs_review(scope_is_open):
    """
    Rows that need review, and none that fails: the control needs it too.
    """
    totals = (total(needs_review=1), total(passed=5))

    assert roll(DIRECT, *totals, scope_is_open=scope_is_open) is Verdict.NEEDS_REVIEW


@pytest.mark.parametrize(
    ("totals", "not_tested", "verdict"),
    [
        ((total(passed=5),), 0, Verdict.PASS),
        ((total(passed=5),), 1, Verdict.UNKNOWN),
        ((total(passed=5, unknown=1),), 0, Verdict.UNKNOWN),
        ((total(not_applicable=5),), 0, Verdict.NOT_APPLICABLE),
        ((), 0, Verdict.NOT_TESTED),
    ],
)
def test_an_open_scope_changes_nothing_without_exceptions(totals, not_tested, verdict):
    """
    Without exceptions it does not matter which accounts lie in scope.
    """
    result = roll(DIRECT, *totals, not_tested=not_tested, scope_is_open=True)

    assert result is verdict


@pytest.mark.parametrize("scope_is_open", [True, False])
@pytest.mark.parametrize("not_tested", [0, 1])
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
    totals, verdict, not_tested, scope_is_open
):
    """
    Exceptions make a supporting control a lead; it neither passes nor fails, whatever is found.
    """
    result = roll(SUPPORTING, *totals, not_tested=not_tested, scope_is_open=scope_is_open)

    assert result is verdict


# The controls table


def tally_rows(*rows, checks=CHECKS_IN_USE):
    """
    Count one account's rows.
    """
    tally = Tally(checks)
    tally.add(judge_table(read_table(*rows), checks))
    return tally


def judge_rows(framework, *rows, not_tested=0, scope=NOT_DECLARED):
    """
    Return the controls of a framework for one account's rows, by control id.
    """
    totals = {framework.id: tally_rows(*rows, checks=bind_checks([framework])).checks()}
    scopes = [replace(scope, framework=framework.id)]
    controls = judge_controls([framework], scopes, totals, {framework.id: not_tested})
    return {control["control_id"]: control for control in controls}


def test_a_direct_control_counts_its_direct_checks_alone():
    """
    8.4.1 is about administrators: users without MFA support it and are not counted in it.
    """
    root = root_row(password_enabled="true", mfa_active="true")

    for framework in (STRICT, load_framework("pci-dss-4.0.1")):
        controls = judge_rows(framework, root, user_row("ann", **OPEN), user_row("bob", **OPEN))

        administrators = controls["8.4.1"]
        assert (administrators["relation"], administrators["verdict"]) == ("direct", "pass")
        assert (administrators["evaluated"], administrators["failed"]) == (1, 0)


def test_a_control_counts_what_all_its_checks_say():
    """
    8.4.2 has two direct checks, and its figures are their sum.
    """
    root = root_row(password_enabled="true", mfa_active="false")

    controls = judge_rows(STRICT, root, user_row("ann", **OPEN), user_row("bob", **UNCLEAR))

    assert controls["8.4.2"] == {
        "framework": "strict-1.0",
        "version": "1.0",
        "control_id": "8.4.2",
        "title": "Control 8.4.2",
        "relation": "direct",
        "verdict": "fail",
        "evaluated": 2,
        "failed": 2,
        "unknown": 1,
        "not_tested": 0,
        "accepted": 0,
    }


@pytest.mark.parametrize(
    ("framework", "control", "is_declared", "verdict"),
    [
        (STRICT, "8.4.2", False, "fail"),
        (STRICT, "8.4.2", True, "fail"),
        (ASKING, "8.4.2", False, "needs-review"),
        (ASKING, "8.4.2", True, "fail"),
        (load_framework("iso-27001-2022"), "A.8.5", False, "fail"),
        (load_framework("pci-dss-4.0.1"), "8.4.2", False, "needs-review"),
        (load_framework("pci-dss-4.0.1"), "8.4.2", True, "fail"),
    ],
)
def test_a_framework_whose_scope_is_not_declared_has_no_failures(
    framework, control, is_declared, verdict
):
    """
    The same exceptions fail A.8.5 and need review under 8.4.2, until the operator has declared its scope.
    """
    rows = [root_row(password_enabled="true"), user_row("ann", **OPEN)]
    scope = Scope("", is_declared=is_declared, accounts=None, words="")

    assert judge_rows(framework, *rows, scope=scope)[control]["verdict"] == verdict


@pytest.mark.parametrize(
    "framework",
    [STRICT, ASKING, load_framework("pci-dss-4.0.1"), load_framework("iso-27001-2022")],
    ids=lambda framework: framework.id,
)
def test_unread_accounts_are_counted_beside_the_rows(framework):
    """
    Accounts not read are in a column of their own, of every control, and no direct control passes.
    """
    rows = [root_row(**SAFE), user_row("ann", **SAFE)]

    controls = judge_rows(framework, *rows, not_tested=3).values()

    assert {control["not_tested"] for control in controls} == {3}
    direct = {control["verdict"] for control in controls if control["relation"] == "direct"}
    assert direct == {"unknown"}
    assert "pass" not in {control["verdict"] for control in controls}


@pytest.mark.parametrize(
    "rows", [[], [root_row(**SAFE)], [root_row(**OPEN), user_row("ann", **OPEN)]]
)
@pytest.mark.parametrize("not_tested", [0, 3])
def test_a_control_that_no_check_bears_on_is_never_tested(rows, not_tested):
    """
    Whatever is found and whoever was not read, nothing is said of it, in figures either.
    """
    control = judge_rows(STRICT, *rows, not_tested=not_tested)["12.3"]

    assert (control["verdict"], control["evaluated"], control["failed"], control["unknown"]) == (
        "not-tested",
        0,
        0,
        0,
    )


def judge_nothing(*frameworks):
    totals = Tally(CHECKS_IN_USE).checks()
    scopes = [replace(NOT_DECLARED, framework=framework.id) for framework in frameworks]
    names = [framework.id for framework in frameworks]
    return judge_controls(frameworks, scopes, dict.fromkeys(names, totals), dict.fromkeys(names, 0))


def test_without_a_single_account_nothing_passes():
    """
    A scan that read nothing says nothing of any control.
    """
    assert {control["verdict"] for control in judge_nothing(STRICT, ASKING)} == {"not-tested"}


def test_controls_come_in_the_catalogs_order():
    """
    Framework after framework, each in its own order.
    """
    controls = judge_nothing(ASKING, STRICT)

    assert [(control["framework"], control["control_id"]) for control in controls] == [
        (framework.id, control.id)
        for framework in (ASKING, STRICT)
        for control in framework.controls
    ]


# Totals of one scope


def test_totals_are_counted_for_each_scope():
    """
    One account's exceptions are in the totals of the scopes that hold it, and in those over everything.
    """
    scopes = [
        Scope("here", True, frozenset({ACCOUNT}), ""),
        Scope("there", True, frozenset({OTHER}), ""),
        Scope("both", True, frozenset({ACCOUNT, OTHER}), ""),
        Scope("again", True, frozenset({OTHER}), ""),
        Scope("nowhere", True, frozenset(), ""),
        Scope("open", False, None, ""),
    ]
    tally = Tally(CHECKS_IN_USE, scopes)
    for account in (ACCOUNT, OTHER):
        names = ("ann",) if account == ACCOUNT else ("ann", "bob")
        rows = [user_row(name, account, **OPEN) for name in names]
        reports = [parse(root_row(account), *rows, account=account)]
        tally.add(judge_table(build_table(reports), CHECKS_IN_USE))

    failed = {scope.framework: find_total(tally.checks(scope.framework)).failed for scope in scopes}

    assert failed == {"here": 1, "there": 2, "both": 3, "again": 2, "nowhere": 0, "open": 3}
    assert find_total(tally.checks()).failed == 3
    assert find_total(tally.checks("nowhere")).rows == 0


def find_total(totals, name="console-no-mfa"):
    return next(total for total in totals if total.check == name)


def test_what_is_accepted_is_counted_for_each_scope():
    """
    An acceptance in one account does not cover another framework's exceptions elsewhere.
    """
    scopes = [
        Scope("here", True, frozenset({ACCOUNT}), ""),
        Scope("there", True, frozenset({OTHER}), ""),
    ]
    tally = Tally(CHECKS_IN_USE, scopes)
    findings = pd.DataFrame(
        {
            "account_id": [ACCOUNT, ACCOUNT, OTHER],
            "check": ["console-no-mfa", "console-no-mfa", "console-no-mfa"],
            "acceptance": ["EX-1", None, None],
        }
    ).astype("str")

    tally.add_accepted(findings)

    assert find_total(tally.checks()).accepted == 1
    assert find_total(tally.checks("here")).accepted == 1
    assert find_total(tally.checks("there")).accepted == 0


# What is open


def mix(**relations):
    """
    Return a framework of one control, with the three checks that are named here by their relation.
    """
    names = {"users": "console-no-mfa", "root": "root-console-no-mfa", "keys": "access-key-age"}
    mapped = [map_check(names[key], str(relation)) for key, relation in relations.items()]
    return make_framework("mixed-1.0", {"1": mapped})


@pytest.mark.parametrize(
    ("relations", "totals", "expected"),
    [
        ({"users": "direct"}, [total(passed=9)], (0, 0)),
        ({"users": "direct"}, [total(failed=2)], (2, 0)),
        ({"users": "direct"}, [total(failed=2, accepted=1)], (1, 0)),
        ({"users": "direct"}, [total(failed=2, accepted=2)], (0, 0)),
        ({"users": "direct"}, [total(needs_review=2)], (0, 0)),
        ({"users": "direct"}, [total(needs_review=2, accepted=1)], (0, 0)),
        ({"users": "direct"}, [total(unknown=2)], (0, 2)),
        ({"users": "direct"}, [total(failed=1, unknown=2)], (1, 2)),
        ({"users": "supporting"}, [total(failed=2)], (0, 0)),
        ({"users": "supporting"}, [total(unknown=2)], (0, 2)),
        ({"root": "direct"}, [total(failed=2)], (0, 0)),
        ({"root": "direct"}, [total(unknown=2)], (0, 0)),
        (
            {"users": "direct", "keys": "supporting"},
            [total(failed=2), total("access-key-age", failed=9)],
            (2, 0),
        ),
    ],
    ids=[
        "clean",
        "exceptions",
        "one accepted",
        "all accepted",
        "leads",
        "leads accepted",
        "unknown",
        "exception and unknown",
        "supporting exceptions",
        "supporting unknown",
        "exceptions of a check not in use",
        "unknown of a check not in use",
        "supporting beside direct",
    ],
)
def test_what_is_open_is_what_a_control_asks_and_what_nobody_could_tell(
    relations, totals, expected
):
    """
    Exceptions count where their check is direct and nobody accepted them; unknown counts in any relation.
    """
    framework = mix(**relations)

    assert count_open([framework], {framework.id: totals}) == expected


def test_a_check_that_is_direct_for_one_control_counts_though_others_are_supported():
    """
    Supporting here does not outweigh direct there.
    """
    mapped = {"1": [map_check("console-no-mfa", "supporting")], "2": [map_check("console-no-mfa")]}
    framework = make_framework("mixed-1.0", mapped)

    assert count_open([framework], {framework.id: [total(failed=1)]}) == (1, 0)


def test_each_framework_counts_its_own_scope():
    """
    What is accepted or out of scope for one framework is open for the other all the same.
    """
    totals = {"strict-1.0": [total(failed=1, accepted=1)], "asking-1.0": [total(failed=1)]}

    assert count_open([STRICT, ASKING], totals) == (1, 0)
    assert count_open([], {}) == (0, 0)


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
    row = user_row(
        "ann",
        path="/x/",
        access_key_2_active="true",
        password_last_used="no_information",
        **OPEN,
    )

    (finding,) = find(row)

    assert finding == {
        "finding_id": identify_finding(row["arn"], CREATED, "console-no-mfa"),
        "account_id": ACCOUNT,
        "account_name": "payments",
        "ou_path": "Prod",
        "user": "ann",
        "arn": "arn:aws:iam::012345678901:user/x/ann",
        "check": "console-no-mfa",
        "severity": "high",
        "verdict": "fail",
        "observation": "console password, no MFA device; never signed in; 1 active access key",
        "controls": "strict-1.0:8.4.1; strict-1.0:8.4.2; asking-1.0:8.4.1; asking-1.0:8.4.2",
        "user_creation_time": pd.Timestamp("2024-05-06T07:08:09Z"),
        "confirmation": "not-checked",
        "confirmation_note": None,
        "owner": None,
    }


def sort_within_rows(rows):
    """
    Sort what one user's row gave by check: checks stand in the order in which they are bound, which is by name.
    """
    return sorted(rows, key=lambda row: (row["account_id"], row["arn"], row["check"]))


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
        found.append(list_rows(list_findings(table, checks, ACCOUNTS, {}, {})))

    assert sort_within_rows(found[0]) == sort_within_rows(found[1])
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


def test_another_check_s_finding_inherits_no_confirmation():
    """
    The account was asked about MFA: an old key of the same user is not fixed by a new device.
    """
    checks = bind_checks([mix(users="direct", keys="direct")])
    row = user_row(
        "ann",
        access_key_1_active="true",
        access_key_1_last_rotated="2020-01-01T00:00:00Z",
        **OPEN,
    )
    live = {row["arn"]: LiveState(Confirmation.FIXED_SINCE_REPORT, "a note", "team-a")}

    found = {finding["check"]: finding for finding in find(row, live=live, checks=checks)}

    said = {
        name: (finding["confirmation"], finding["confirmation_note"], finding["owner"])
        for name, finding in found.items()
    }
    assert said == {
        "console-no-mfa": ("fixed-since-report", "a note", "team-a"),
        "access-key-age": ("not-checked", None, None),
    }


@pytest.mark.parametrize(
    ("used", "key", "severity"),
    [
        ("2026-11-24T08:00:00Z", "false", "critical"),
        ("2026-08-26T08:00:00Z", "true", "critical"),
        ("2026-08-26T07:59:59Z", "false", "critical"),
        ("2026-08-25T08:00:00Z", "false", "high"),
        ("no_information", "true", "high"),
        ("no_information", "MAYBE", "high"),
        ("last week", "false", "high"),
        ("N/A", "false", "high"),
        ("not_supported", "false", "high"),
        ("no_information", "false", "medium"),
    ],
)
def test_a_user_without_mfa_is_more_urgent_the_more_they_are_used(used, key, severity):
    """
    Critical within 90 days, medium where no use is on record and no key is active, high where nobody can tell.
    """
    row = user_row("ann", password_last_used=used, access_key_2_active=key, **OPEN)

    (finding,) = find(row)

    assert finding["severity"] == severity


def test_an_unknown_verdict_has_the_check_s_own_severity():
    """
    How urgent it is depends on what nobody can tell.
    """
    row = user_row("ann", password_last_used="2026-11-24T00:00:00Z", **UNCLEAR)

    (finding,) = find(row)

    assert (finding["verdict"], finding["severity"]) == ("unknown", "high")


def test_nothing_found_is_a_table_without_rows():
    """
    No finding is no error, and the columns are those of a table with rows.
    """
    none = list_findings(judge_table(read_table(), CHECKS_IN_USE), CHECKS_IN_USE, ACCOUNTS, {}, {})
    some = list_findings(
        judge_table(read_table(user_row("ann", **OPEN)), CHECKS_IN_USE),
        CHECKS_IN_USE,
        ACCOUNTS,
        {},
        {},
    )

    assert len(none) == 0
    assert list(none.columns) == list(some.columns)


def accounts_table(**columns):
    """
    Return the accounts table of one account that was read, with some columns replaced.
    """
    row = {
        "account_id": ACCOUNT,
        "name": "payments",
        "arn": f"arn:aws:organizations::000000000017:account/o-1/{ACCOUNT}",
        "outcome": "collected",
        "reason_code": None,
        "reason": None,
        "report_age_seconds": 60,
        "max_report_age_hours": 24,
        "users": 3,
        "iam_users": 3,
        "users_added": None,
        "users_gone": None,
        "population": "3 in the report and in IAM's own count",
    } | columns
    table = pd.DataFrame([row])
    counts = ["report_age_seconds", "users", "iam_users", "users_added", "users_gone"]
    texts = [name for name in row if name not in {*counts, "max_report_age_hours"}]
    return table.astype(dict.fromkeys(counts, "Int64") | dict.fromkeys(texts, "str"))


def test_a_finding_about_an_account_is_about_no_user():
    """
    Subject and id are the account's own; the reason is the observation.
    """
    table = accounts_table(outcome="not-collected", reason_code="access-denied", reason="denied")
    judged = judge_accounts(table, CHECKS_IN_USE)

    (finding,) = list_rows(list_findings(judged, CHECKS_IN_USE, ACCOUNTS, {}, {}))

    assert (finding["user"], finding["account_name"]) == (None, "payments")
    assert finding["arn"].endswith(f":account/o-1/{ACCOUNT}")
    assert (finding["check"], finding["verdict"]) == ("account-not-collected", "unknown")
    assert finding["observation"] == "denied"
    assert finding["finding_id"] == identify_finding(finding["arn"], "", finding["check"])


def test_users_and_accounts_are_judged_by_their_own_checks():
    """
    A check about accounts has no column among the users, and none about users one among the accounts.
    """
    users = judge_table(read_table(), CHECKS_IN_USE)
    accounts = judge_accounts(accounts_table(), CHECKS_IN_USE)
    about_accounts = {name for name in EVIDENCE_CHECKS if name != "extra-credentials"}

    assert set(USED) | {"extra-credentials"} == set(CHECKS) & set(users.columns)
    assert about_accounts == set(CHECKS) & set(accounts.columns)
    assert about_accounts == {
        name for name, check in CHECKS.items() if check.subject is Subject.ACCOUNT
    }


def test_a_stale_report_gives_findings_that_say_so():
    """
    What cannot be told because of age is told apart from what the report does not make clear.
    """
    table = build_table([parse(user_row("ann", **OPEN))], {ACCOUNT: AccountFacts(is_stale=True)})

    found = list_rows(
        list_findings(judge_table(table, CHECKS_IN_USE), CHECKS_IN_USE, ACCOUNTS, {}, {})
    )

    assert {row["verdict"] for row in found} == {"unknown"}
    assert {row["observation"] for row in found} == {
        "the report was too old when it was fetched to say anything"
    }


def test_a_finding_id_stays_the_same():
    """
    The id is a matter of record: a change of the recipe would make every old finding look new.
    """
    arn = "arn:aws:iam::012345678901:user/ann"

    assert identify_finding(arn, CREATED, "console-no-mfa") == ("6afd11986f6fe16e8cf5fba2")


def test_a_finding_id_names_its_subject_and_its_check():
    """
    16 digits for whom it is about and 8 for the check: one user's findings begin alike, one check's end alike.
    """
    arn, created = "arn:aws:iam::012345678901:user/ann", CREATED

    first = identify_finding(arn, created, "console-no-mfa")
    second = identify_finding(arn, created, "console-no-mfa:days=45")

    assert first == identify_subject(arn, created) + identify_check("console-no-mfa")
    assert (len(first), len(identify_subject(arn, created))) == (24, 16)
    assert first[:16] == second[:16]
    assert first[16:] != second[16:]
    assert set(first) <= set("0123456789abcdef")


def test_a_listed_finding_has_the_id_that_is_told_by_hand():
    """
    The ids of a whole table are those of the recipe, without a creation time too.
    """
    created = {"ann": CREATED, "bob": ""}
    odd = user_row("bob", **OPEN) | {"user_creation_time": "unreadable"}

    for finding in find(user_row("ann", **OPEN), odd):
        arn, check = finding["arn"], finding["check"]
        assert finding["finding_id"] == identify_finding(arn, created[finding["user"]], check)


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


def test_users_of_a_report_that_is_too_old_are_not_clear():
    """
    Whatever such a report shows of them, they are neither console users nor without MFA, as no check says so.
    """
    tally = Tally(CHECKS_IN_USE)
    rows = [root_row(), user_row("ann", **OPEN), user_row("bob", **SAFE), user_row("cid", **OPEN)]
    table = read_table(*rows)
    table["is_stale"] = [True, True, True, False]

    tally.add(judge_table(table, CHECKS_IN_USE))
    (check,) = [total for total in tally.checks() if total.check == "console-no-mfa"]

    assert tally.users() == UserTotals(
        users=3, roots=1, console=1, console_with_mfa=0, console_without_mfa=1, unknown=2
    )
    assert tally.users().console_without_mfa == check.failed
    assert tally.users().may_sign_in == 3


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
        expected = 0 if check.subject == "account" else 4
        assert check.rows == check.evaluated + check.not_applicable + check.unknown == expected


def test_nothing_counted_is_all_zero():
    """
    Without rows each figure is nought, and each check is there.
    """
    tally = Tally(CHECKS_IN_USE)

    assert tally.users() == UserTotals(0, 0, 0, 0, 0, 0)
    assert [check.check for check in tally.checks()] == sorted({*USED, *EVIDENCE_CHECKS})
    assert {check.rows for check in tally.checks()} == {0}


def test_judging_leaves_the_table_as_it_was():
    """
    Verdicts are added to a copy: the typed evidence is not touched.
    """
    table = read_table(user_row("ann", **OPEN))
    before = table.copy(deep=True)

    judged = judge_table(table, CHECKS_IN_USE)

    pd.testing.assert_frame_equal(table, before)
    assert list(judged.columns) == [*table.columns, *sorted({*USED, "extra-credentials"})]


def test_a_check_is_named_with_every_control_it_bears_on():
    """
    Controls are named with their framework; a check that none uses is not named.
    """
    named = name_controls([STRICT])

    assert named["console-no-mfa"] == "strict-1.0:8.4.1; strict-1.0:8.4.2"
    assert "report-stale" not in named
    assert name_controls([]) == {}


def test_a_control_without_its_check_s_totals_is_an_error():
    """
    A control whose check was not run is no control without exceptions.
    """
    unused = BoundCheck(CHECKS["console-no-mfa"], NoParameters())

    totals = {STRICT.id: [replace(total(unused.name), passed=1, rows=1)]}

    with pytest.raises(KeyError, match="root"):
        judge_controls(
            [STRICT], [replace(NOT_DECLARED, framework=STRICT.id)], totals, {STRICT.id: 0}
        )


@pytest.mark.parametrize("missing", ["scope", "totals", "not_tested"])
def test_a_framework_of_which_something_is_not_known_is_an_error(missing):
    """
    Nothing is assumed: without its scope, totals or accounts not tested a framework is not judged.
    """
    known = {ASKING.id: Tally(CHECKS_IN_USE).checks()}

    with pytest.raises(KeyError, match="asking"):
        judge_controls(
            [ASKING],
            [] if missing == "scope" else [replace(NOT_DECLARED, framework=ASKING.id)],
            {} if missing == "totals" else known,
            {} if missing == "not_tested" else {ASKING.id: 0},
        )
