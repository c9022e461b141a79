import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pandas as pd
import pytest

from scanner.acceptances import State as Kept
from scanner.checks import CHECKS, BoundCheck
from scanner.errors import EvidenceError
from scanner.evidence import StoredRun
from scanner.history import State
from scanner.model import (
    AccountId,
    ScopeRule,
    Selection,
    Severity,
    Terms,
)
from scanner.records import encode
from scanner.reports import method, wording
from scanner.reports.facts import (
    add_up_coverage,
    describe_asked,
    describe_scope,
    describe_verdicts,
    list_check_figures,
    list_differences,
)
from scanner.summary import (
    AcceptanceTotals,
    AccountTotals,
    CheckTotals,
    ScopeTotals,
    Summary,
    UserTotals,
    Window,
)

MOMENT = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
TERMS = Terms(
    period="2026-Q4",
    selection=Selection(),
    scopes=(),
    max_report_age_hours=24,
    frameworks=("pci-dss-4.0.1",),
    formats=("json",),
    role_name="reader",
    roles={},
    uses_external_id=False,
    confirm=True,
    owner_tags=(),
    workers=2,
    account_deadline=120,
    endpoint=None,
    simulated=False,
    organization_name="",
    prepared_by="",
)


def total(
    check="console-no-mfa",
    title="Console password without MFA",
    failed=0,
    *,
    unknown=0,
    leads=0,
    severity=Severity.HIGH,
    **changes,
):
    counted = CheckTotals(
        check=check,
        title=title,
        severity=severity,
        rows=400,
        passed=300 - failed - unknown - leads,
        failed=failed,
        needs_review=leads,
        not_applicable=100,
        unknown=unknown,
    )
    return replace(counted, **changes)


def acceptance(**changes):
    entry = AcceptanceTotals(
        id="sealed",
        kind="break-glass",
        account="*",
        user="emergency",
        check="console-no-mfa",
        reason="why",
        owner="owner",
        approver="approver",
        ticket="RISK-1",
        begins="2026-01-01",
        until="2026-12-31",
        state="in-force",
        matched=1,
        warnings=(),
    )
    return replace(entry, **changes)


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


def test_a_conclusion_names_few_checks_and_counts_the_others():
    """
    Twenty checks with exceptions still make one sentence: the gravest by name, the rest in number.
    """
    checks = (
        total(failed=3),
        total("root-console-no-mfa", "Root password without MFA", 1, severity=Severity.CRITICAL),
        total("user-inactive", "Inactive user", 40, severity=Severity.MEDIUM),
        total("access-key-age", "Old access key", 60, severity=Severity.MEDIUM),
    )

    said = wording.conclude(summary(without=3, checks=checks))

    assert said == (
        "3 of 312 console users can sign in with a password alone; also noted: root password "
        "without MFA (1), 100 exceptions of 2 further checks."
    )


def test_a_conclusion_tells_two_thresholds_of_one_check_apart():
    """
    Two frameworks that ask for keys unused for 45 and for 90 days are named with what each asks for.
    """
    unused = ("access-key-unused", "access-key-unused:days=90,operator=more-than")
    checks = (
        total(failed=3),
        *(
            total(name, "Unused access key", 9 - place, severity=Severity.MEDIUM)
            for place, name in enumerate(unused)
        ),
    )

    said = wording.conclude(summary(without=3, checks=checks))

    assert said.endswith(
        "also noted: unused access key, 45 days or more (9), unused access key, more than 90 days (8)."
    )


def test_what_an_unusable_report_shows_is_no_exception():
    """
    A user without MFA in a report that is too old is unknown, and the sentence does not count them.
    """
    said = wording.conclude(summary(without=5, checks=(total(failed=2, unknown=3),)))

    assert said.startswith("2 of 312 console users can sign in with a password alone")
    assert "3 verdicts could not be reached" in said


def test_accounts_that_were_not_read_are_no_verdicts_out_of_reports():
    """
    Their own checks are unknown; the sentence on completeness counts the accounts once.
    """
    unread = total("account-not-collected", "Account", unknown=2, subject="account")

    said = wording.conclude(summary(missed=2, checks=(total(), unread)))

    assert said == (
        "No exceptions were noted among 312 console users and 22 root users in the 22 accounts read; "
        "2 verdicts could not be reached, 2 of them about an account as a whole."
    )


def test_conclusion_and_figures_say_one_number_of_verdicts_that_could_not_be_reached():
    """
    The cover's sentence and the sentence on all findings count the same.
    """
    unread = total("account-not-collected", "Account", unknown=3, subject="account")
    run = summary(
        checks=(total(unknown=33), unread), findings_by_verdict={"unknown": 36}, findings=36
    )

    said = wording.conclude(run)

    assert said == "36 verdicts could not be reached, 3 of them about an account as a whole."
    assert "36 verdicts that could not be reached" in describe_verdicts(run)


def test_leads_are_said_beside_exceptions_and_never_as_such():
    """
    A run with leads alone noted no exceptions, and still has something to ask about.
    """
    said = wording.conclude(summary(checks=(total(), total("generic-username", "Name", leads=4))))

    assert said.startswith("No exceptions were noted among 312 console users")
    assert said.endswith("; 4 leads need review.")


def test_acceptances_are_counted_within_the_exceptions():
    """
    Seven exceptions of which three are accepted are seven exceptions.
    """
    accepted = summary(
        checks=(total(failed=7, leads=2, accepted=3),), accepted=3, acceptances=(acceptance(),)
    )

    said = wording.describe_accepted(accepted)

    assert said.startswith("3 of the 7 exceptions and 2 leads are accepted risks. They stay")
    assert wording.describe_accepted(summary(checks=(total(failed=7),))) == (
        "No accepted risks were given: all 7 exceptions are open."
    )


@pytest.mark.parametrize(
    ("failed", "leads", "words"),
    [
        (0, 0, "there is no exception and no lead that one could be about"),
        (1, 0, "1 exception is open"),
        (0, 1, "1 lead is open"),
        (1, 1, "1 exception and 1 lead are open"),
        (7, 0, "all 7 exceptions are open"),
        (0, 2, "all 2 leads are open"),
        (7, 1, "all 7 exceptions and 1 lead are open"),
    ],
)
def test_what_is_open_is_said_as_people_say_it(failed, leads, words):
    """
    Nobody writes that all 0 exceptions are open.
    """
    said = wording.describe_accepted(summary(checks=(total(failed=failed, leads=leads),)))

    assert said == f"No accepted risks were given: {words}."


def test_old_reports_are_said_with_the_age_that_was_allowed():
    """
    Every account was read, and yet nothing is known of some users.
    """
    said = wording.complete(summary(stale=2, max_report_age_hours=48))

    assert said.endswith(
        " 2 reports were older than 48 hours when fetched: they decide nothing about their users."
    )


@pytest.mark.parametrize(
    ("stale", "words"), [(1, "1 of 24 reports was"), (2, "2 of 24 reports were")]
)
def test_evidence_with_an_old_report_is_not_called_complete(stale, words):
    """
    Nothing is known of some users, and every page says so.
    """
    old = summary(stale=stale)

    assert "is complete" not in wording.complete(old)
    assert wording.complete(old).startswith("Every one of 24 accounts listed was read, but this")
    (notice,) = wording.list_notices(old)
    assert notice.label == "REPORTS TOO OLD"
    assert notice.sentence.startswith(f"{words} older than 24 hours when fetched")


def test_a_later_judgement_carries_a_notice_and_names_the_seal():
    """
    It cannot be passed off as the first judgement of the run.
    """
    later = summary(parent="ab" * 32, judged=MOMENT + timedelta(days=40))

    assert [notice.label for notice in wording.list_notices(later)] == ["JUDGED AGAIN"]
    assert "ab" * 32 in (wording.describe_parent(later) or "")
    assert "2027-01-03" in (wording.describe_parent(later) or "")
    assert wording.describe_parent(summary(judged=MOMENT)) is None


def test_changes_are_told_in_one_order_with_their_zeros():
    """
    What did not happen is a zero, so that nobody wonders whether it was looked for.
    """
    counts = dict(wording.list_changes(summary(changes={"new": 3, "accounts-left": 1})))

    assert list(counts.values()) == [3, 0, 0, 0, 0, 0]
    assert (counts["new"], counts["in accounts that left"]) == (3, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "No account joined or left."),
        ({"accounts-joined": 1}, "1 account joined."),
        ({"accounts-left": 1_000, "new": 4}, "1,000 accounts left."),
        ({"accounts-joined": 7, "accounts-left": 1}, "7 accounts joined and 1 account left."),
    ],
)
def test_accounts_that_joined_or_left_are_told_apart_from_findings(changes, words):
    """
    Their numbers are in a sentence of their own, one account being no "accounts".
    """
    assert wording.describe_moves(summary(changes=changes)) == words
    assert not any("joined" in label for label, _ in wording.list_changes(summary()))


@pytest.mark.parametrize(
    ("states", "words"), [(State, wording.CHANGES), (Kept, wording.ACCEPTANCES)]
)
def test_every_state_has_words(states, words):
    """
    A state that is added needs words before it can be printed.
    """
    assert set(words) == set(states)


def test_only_the_findings_that_were_asked_about_are_said_to_be_unchecked():
    """
    A thousand findings of other checks were never to be asked about, and are not counted as unchecked.
    """
    said = {"still-open": 4, "fixed-since-report": 1, "not-checked": 1_002}
    asked = describe_asked(
        summary(checks=(total(failed=7), total("x", failed=1_000)), findings_by_confirmation=said)
    )

    assert asked.number == 7
    assert asked.answers == [
        ("still open", 4),
        ("fixed since the report", 1),
        ("password removed", 0),
        ("user deleted", 0),
        ("not checked", 2),
    ]


def test_users_whom_a_report_says_nothing_of_are_asked_about_apart():
    """
    A report too old gives no verdict, and what its account said when asked counts for no exception.
    """
    told = summary(
        checks=(total(failed=3, unknown=9),),
        findings_by_confirmation={"still-open": 6, "user-deleted": 2, "not-checked": 4},
        unclear_by_confirmation={"still-open": 5, "user-deleted": 1, "not-checked": 3},
    )
    asked = describe_asked(told)

    assert (asked.number, dict(asked.answers)) == (
        3,
        {
            "still open": 1,
            "fixed since the report": 0,
            "password removed": 0,
            "user deleted": 1,
            "not checked": 1,
        },
    )
    assert asked.unclear == [("still open", 5), ("user deleted", 1)]
    said = wording.conclude(told)
    assert "can sign in with a password alone; 1 no longer could when asked" in said
    assert (
        "when asked, 5 users whom no verdict is given on had a password and no MFA device" in said
    )


def test_a_scope_says_who_declared_it_and_what_was_not_read():
    """
    Declared and undeclared scopes differ in words, and a declared one names its file and hash.
    """
    declared = ScopeTotals(
        "pci", True, "accounts 012345678901", 4, 1, "inputs/settings.toml", "cd" * 32
    )
    open_scope = ScopeTotals("iso", False, "not declared; every account", 9, 0, None, None)
    run = summary(scopes=(declared, open_scope))

    assert describe_scope(run, "pci") == [
        ("Scope", "declared: accounts 012345678901"),
        (
            "Accounts in scope",
            "4 active, 1 of them not tested: not read, or by a report that was too old",
        ),
        ("Declared in", f"inputs/settings.toml, SHA-256 {'cd' * 32}"),
    ]
    assert describe_scope(run, "iso") == [
        ("Scope", "not declared; every account"),
        ("Accounts in scope", "9 active, each of them read"),
    ]
    assert describe_scope(run, "another") == [("Scope", "not recorded in this run")]


def test_counts_that_differ_are_sorted_by_how_doubtful_they_are():
    """
    Equal counts are left out; those not explained come first, then those without a count.
    """
    frame = pd.DataFrame(
        {
            "account_id": ["a", "b", "c", "d", "e"],
            "outcome": ["collected", "collected", "collected", "collected", "not-collected"],
            "users": pd.array([1, 2, 3, 4, None], dtype="Int64"),
            "iam_users": pd.array([1, 3, None, 5, None], dtype="Int64"),
            "users_added": pd.array([None, 1, None, None, None], dtype="Int64"),
        }
    )

    found = list_differences(frame)

    assert list(found["account_id"]) == ["d", "c", "b"]
    assert list(found["difference"]) == [
        "different, and not explained",
        "could not be compared",
        "different, and explained",
    ]


def test_all_fifteen_limits_are_printed_and_promise_nothing():
    """
    Each of the caveats that a fair report must print is there.
    """
    said = " ".join(method.LIMITS)

    assert len(method.LIMITS) == len(set(method.LIMITS)) == 15
    for words in (
        "for the assessor",
        "scope of a framework",
        "Identity Center",
        "resists phishing",
        "non-console access",
        "beyond two",
        "no permissions",
        "3 to 23 May 2018",
        "four hours",
        "not tested",
        "assumption until",
        "signs and not proof",
        "Exemptions",
        "text of the standards",
        "encrypt",
    ):
        assert words in said, words
    assert "compliant" not in said.lower()


def test_the_words_that_documents_use_are_explained():
    """
    Lead, accepted risk and scope are not self-evident.
    """
    assert {"Exception", "Lead", "Accepted risk", "Scope"} <= {word for word, _ in method.GLOSSARY}


@pytest.mark.parametrize("by_tag", [True, False])
def test_tags_of_accounts_are_a_call_only_where_a_scope_asked_for_them(tmp_path, by_tag):
    """
    The list of calls is what this run made, not what any run might make.
    """
    tags = (("data", "cardholder"),) if by_tag else ()
    rule = ScopeRule("pci-dss-4.0.1", accounts=(AccountId("012345678901"),), tags=tags)
    folder = tmp_path / "run"
    (folder / "inputs").mkdir(parents=True)
    (folder / "manifest.json").write_bytes(b"{}")
    (folder / "inputs" / "settings.json").write_bytes(encode(replace(TERMS, scopes=(rule,))))

    calls = [call for call, _ in method.list_calls(StoredRun(folder))]

    assert ("organizations:ListTagsForResource" in calls) is by_tag
    assert "organizations:ListAccounts" in calls


def test_a_run_without_its_settings_is_refused(tmp_path):
    """
    Without them nobody can say which calls were made.
    """
    (tmp_path / "manifest.json").write_bytes(b"{}")

    with pytest.raises(EvidenceError, match=r"settings\.json"):
        method.list_calls(StoredRun(tmp_path))


def test_parameters_are_printed_with_their_defaults():
    """
    A threshold that nobody changed is a threshold all the same.
    """
    check = CHECKS["user-inactive"]
    bound = BoundCheck(check, check.parameters.model_validate({"days": 35}))
    pattern = CHECKS["generic-username"]

    assert method.describe_parameters(bound) == "days = 35; operator = more-than"
    assert "admin, " in method.describe_parameters(BoundCheck(pattern, pattern.parameters()))
    plain = CHECKS["console-no-mfa"]
    assert method.describe_parameters(BoundCheck(plain, plain.parameters())) == "none"


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
    assert said == "1 verdict could not be reached."


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


def test_permissions_are_those_that_the_calls_need():
    """
    What an administrator grants is what is called, and not an action more. GetCallerIdentity needs none.
    """
    called = set()
    for names, _ in (*method._CALLS, method._TAGS_CALL):
        service = names.partition(":")[0]
        called |= {name if ":" in name else f"{service}:{name}" for name in names.split(", ")}
    granted = set()
    for _, words in method.PERMISSIONS:
        granted |= set(re.findall(r"[a-z]+:[A-Za-z]+", words))

    assert granted == called - {"sts:GetCallerIdentity"}
