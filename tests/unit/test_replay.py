import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
import yaml
from report_text import ACCOUNT, MADE, OTHER, root_row, user_row, write_report
from run_folder import (
    FETCHED,
    HOUSE,
    MANAGEMENT,
    OPEN,
    SAFE,
    UNCLEAR,
    Folder,
    attempt,
    failed,
    map_check,
    write_catalog,
)

from scanner.confirmation import live_file
from scanner.errors import CatalogError, EvidenceError, OrgproofError, SettingsError
from scanner.evidence.accounts import read_attempt, read_transport
from scanner.evidence.totals import check_totals, decide_exit_status
from scanner.model import (
    Account,
    AccountId,
    Collected,
    Exclusion,
    NotCollected,
    ReasonCode,
    ScopeRule,
    Selection,
    Severity,
)
from scanner.records import encode
from scanner.summary import (
    AccountTotals,
    CheckTotals,
    Summary,
    UserTotals,
    Window,
)

PAYMENTS = Account(ACCOUNT, "payments", "a@b.c", "ACTIVE")


@pytest.fixture(name="folder")
def make_folder(tmp_path):
    return Folder(tmp_path)


# Every listed account has one outcome


def test_accounts_that_were_read_are_collected(folder):
    """
    Both reports become rows, and each account says when its report was made and how old it was.
    """
    summary = folder.fill().derive()

    row = folder.account()
    content = (folder.path / "raw" / ACCOUNT / "credential-report.csv").read_bytes()
    assert summary.accounts == AccountTotals(2, 2, 0, 0, 0)
    assert (row["outcome"], row["users"], row["report_age_seconds"]) == ("collected", 1, 7200)
    assert row["report_sha256"] == hashlib.sha256(content).hexdigest()
    assert row["generated_time"] == MADE
    assert folder.users() == ["<root_account>", "<root_account>", "ann"]
    assert (summary.window.oldest_report, summary.window.newest_report) == (MADE, MADE)
    assert summary.exit_status == 0


def test_an_account_that_was_never_finished_is_interrupted(folder):
    """
    Without an outcome nobody knows what became of the account, so it was not read.
    """
    folder.fill()
    (folder.path / "raw" / ACCOUNT / "outcome-1.json").unlink()

    summary = folder.derive()

    row = folder.account()
    assert (row["outcome"], row["reason_code"]) == ("not-collected", "interrupted")
    assert "scan it again" in row["reason"]
    assert summary.reasons == {"interrupted": 1}
    assert folder.users() == ["<root_account>"]


@pytest.mark.parametrize(
    "code",
    sorted(set(ReasonCode) - {ReasonCode.NOT_ACTIVE, ReasonCode.EXCLUDED}),
)
def test_an_account_that_was_not_read_keeps_its_reason(folder, code):
    """
    Whatever kept an account from being read is in the table, and the run is incomplete.
    """
    folder.fill()
    folder.put_for(ACCOUNT, "outcome-1.json", encode(failed(code=code, reason="account x: why")))

    summary = folder.derive()

    row = folder.account()
    assert (row["outcome"], row["reason_code"], row["reason"]) == (
        "not-collected",
        code,
        "account x: why",
    )
    assert summary.accounts == AccountTotals(2, 1, 1, 0, 0)
    assert summary.reasons == {code: 1}
    assert summary.exit_status == 3
    assert summary.is_complete is False


def test_a_report_beside_a_failed_attempt_is_not_used(folder):
    """
    Bytes that were stored before the attempt failed do not make the account collected.
    """
    folder.fill()
    folder.put_for(ACCOUNT, "outcome-1.json", encode(failed()))

    folder.derive()

    assert folder.users() == ["<root_account>"]


def test_accounts_left_out_are_counted_apart(folder):
    """
    Excluded and inactive accounts are listed with their reasons, and leave a run complete.
    """
    suspended = AccountId("222222222222")
    folder.states |= {OTHER: "ACTIVE", suspended: "SUSPENDED"}
    exclusions = (Exclusion(OTHER, "ticket SEC-1"),)
    folder.terms = replace(folder.terms, selection=Selection(exclusions=exclusions))

    summary = folder.fill().derive()

    assert summary.accounts == AccountTotals(4, 2, 0, 1, 1)
    assert summary.reasons == {}
    assert folder.account(OTHER)["outcome"] == "excluded"
    assert "ticket SEC-1" in folder.account(OTHER)["reason"]
    assert folder.account(suspended)["outcome"] == "not-active"
    assert summary.is_complete is True


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "malformed-report"),
        (b"<html>", "malformed-report"),
        (write_report(user_row("ann")), "malformed-report"),
        (write_report(root_row(), user_row("ann"))[:-30], "malformed-report"),
        (write_report(root_row(OTHER), user_row("ann", OTHER)), "wrong-account"),
        (write_report(root_row(), user_row("eve", OTHER)), "wrong-account"),
    ],
    ids=["empty", "web page", "no root", "cut", "another's", "one row of another's"],
)
def test_a_report_that_cannot_be_used_makes_its_account_not_collected(folder, content, code):
    """
    The report arrived, and yet nothing is known: no row of it is used, and the file stays to be seen.
    """
    folder.fill().put_for(ACCOUNT, "credential-report.csv", content)

    summary = folder.derive()

    row = folder.account()
    assert (row["outcome"], row["reason_code"]) == ("not-collected", code)
    assert f"raw/{ACCOUNT}/credential-report.csv" in row["reason"]
    assert row["report_sha256"] == hashlib.sha256(content).hexdigest()
    assert folder.users() == ["<root_account>"]
    assert summary.exit_status == 3


@pytest.mark.parametrize("last", [1, 2, 3, 9, 10, 11, 12])
def test_the_last_attempt_counts(tmp_path, last):
    """
    An account that was tried again is what the last attempt made of it, in order of number.
    """
    for number in range(1, last + 1):
        content = encode(failed(reason=f"try {number}"))
        (tmp_path / f"outcome-{number}.json").write_bytes(content)

    latest = read_attempt(tmp_path)

    assert latest is not None
    assert latest.reason == f"try {last}"


@pytest.mark.parametrize(
    "name", ["outcome-x.json", "outcome-.json", "outcome.json", ".outcome-2.json.partial"]
)
def test_a_file_that_is_no_attempt_is_not_taken_for_one(tmp_path, name):
    """
    Half a file, or one of another name, says nothing of what became of the account.
    """
    (tmp_path / name).write_bytes(encode(attempt()))

    assert read_attempt(tmp_path) is None


# What the network did


def test_a_fetched_report_is_collected():
    """
    No reason and the report's own time: the report was fetched.
    """
    assert read_transport(PAYMENTS, attempt()) == Collected(PAYMENTS, MADE)


def test_no_attempt_is_an_interrupted_scan():
    """
    An account without an attempt was not read, and is told to be scanned again.
    """
    outcome = read_transport(PAYMENTS, None)

    assert isinstance(outcome, NotCollected)
    assert outcome.reason_code is ReasonCode.INTERRUPTED


def test_neither_a_report_nor_a_reason_is_a_bad_response():
    """
    An attempt without a report's time fetched none, even where it gives no reason.
    """
    outcome = read_transport(PAYMENTS, attempt(generated_time=None))

    assert isinstance(outcome, NotCollected)
    assert outcome.reason_code is ReasonCode.BAD_RESPONSE


def test_a_reason_outweighs_a_time():
    """
    An attempt that failed after the report's time was known failed all the same.
    """
    outcome = read_transport(PAYMENTS, attempt(reason_code=ReasonCode.NETWORK, reason="broke"))

    assert outcome == NotCollected(PAYMENTS, ReasonCode.NETWORK, "broke")


def test_another_account_s_outcome_is_refused():
    """
    An outcome that names another account was put there, and is no answer about this one.
    """
    with pytest.raises(EvidenceError, match=f"holds the outcome of account {OTHER}"):
        read_transport(PAYMENTS, attempt(OTHER))


# What is refused


@pytest.mark.parametrize(
    "name",
    [
        "inputs/settings.json",
        "inputs/frameworks/house-1.0.yaml",
        "raw/caller.json",
        "raw/organization.json",
        "raw/accounts.json",
        "raw/organizational-units.json",
        f"raw/{ACCOUNT}/credential-report.csv",
    ],
)
def test_a_file_that_is_missing_is_refused_by_name(folder, name):
    """
    Nothing is derived from evidence that is not whole.
    """
    folder.fill()
    (folder.path / name).unlink()

    with pytest.raises(EvidenceError, match=f"{name}: cannot be read"):
        folder.derive()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"7", b"\xff"])
@pytest.mark.parametrize(
    "name",
    [
        "inputs/settings.json",
        "raw/sittings/1-began.json",
        "raw/sittings/1-ended.json",
        f"raw/{ACCOUNT}/outcome-1.json",
    ],
)
def test_a_file_that_is_damaged_is_refused_by_name(folder, name, content):
    """
    A file of another shape is refused, and no default stands in for it.
    """
    folder.fill().put(name, content)

    with pytest.raises(EvidenceError, match=f"^{name}: "):
        folder.derive()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"{}", b"7", b"\xff"])
@pytest.mark.parametrize("name", ["caller", "organization", "accounts"])
def test_an_organization_that_is_damaged_is_refused(folder, name, content):
    """
    Whatever stands in the organization's files, it is foreseen.
    """
    folder.fill().put(f"raw/{name}.json", content)

    with pytest.raises(OrgproofError):
        folder.derive()


@pytest.mark.parametrize(
    "content",
    [
        {"pages": None},
        {"pages": {}},
        {"pages": [None]},
        {"pages": [{"Accounts": None}]},
        {"pages": [{"Accounts": ["x"]}]},
    ],
)
def test_an_account_list_of_another_shape_is_refused(folder, content):
    """
    Shapes that AWS does not send are refused like a list that is not whole.
    """
    folder.fill().put("raw/accounts.json", content)

    with pytest.raises(OrgproofError):
        folder.derive()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"7", b'{"SummaryMap": 1}'])
def test_a_count_that_is_damaged_is_refused_by_name(folder, content):
    """
    IAM's own count is evidence like the report.
    """
    folder.fill().put_for(ACCOUNT, "account-summary.json", content)

    with pytest.raises(EvidenceError, match=r"account-summary\.json"):
        folder.derive()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"7", b'{"Users": 1}', b'{"Users": ["x"]}']
)
def test_a_list_of_users_that_is_damaged_is_refused_by_name(folder, content):
    """
    The list that shows whether a report is whole must be whole itself.
    """
    folder.fill().put_for(ACCOUNT, "users.json", content)

    with pytest.raises(EvidenceError, match=r"users\.json"):
        folder.derive()


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"[]", b"7", b"{}"])
def test_a_live_answer_that_is_damaged_is_refused_by_name(folder, content):
    """
    A live answer that names nobody annotates nobody.
    """
    folder.fill().put_for(ACCOUNT, "live/0000000000000000.json", content)

    with pytest.raises(EvidenceError, match=r"live/0{16}\.json"):
        folder.derive()


@pytest.mark.parametrize("answers", [None, [], 7, {"ListMFADevices": 7}, {"ListMFADevices": []}])
def test_live_answers_of_another_shape_are_refused(folder, answers):
    """
    A record that names its user and holds no answers in their form is damage.
    """
    arn = user_row("ann")["arn"]
    folder.fill().put_for(ACCOUNT, live_file(arn), {"arn": arn, "answers": answers})

    with pytest.raises(EvidenceError, match=live_file(arn)):
        folder.derive()


@pytest.mark.parametrize("arn", [user_row("eve")["arn"], user_row("ann", OTHER)["arn"], None])
def test_a_live_answer_about_somebody_else_is_refused(folder, arn):
    """
    A live answer must be about a user of the account's report.
    """
    folder.fill().put_for(ACCOUNT, "live/0000000000000000.json", {"arn": arn, "answers": {}})

    with pytest.raises(EvidenceError, match="who is not in the account's report"):
        folder.derive()


def test_an_outcome_of_another_account_is_refused(folder):
    """
    A folder into which another account's outcome was copied is not judged.
    """
    folder.fill().put_for(ACCOUNT, "outcome-1.json", encode(attempt(MANAGEMENT)))

    with pytest.raises(
        EvidenceError, match=f"raw/{ACCOUNT}: holds the outcome of account {MANAGEMENT}"
    ):
        folder.derive()


def test_a_fetched_report_without_its_moment_is_refused(folder):
    """
    Without the moment it was fetched a report has no age.
    """
    folder.fill().put_for(ACCOUNT, "outcome-1.json", encode(attempt(fetched=None)))

    with pytest.raises(EvidenceError, match="names no time for a fetched report"):
        folder.derive()


def test_a_time_without_a_zone_is_refused(folder):
    """
    A report's time that does not say its zone has no age, and is damage that is foreseen.
    """
    naive = encode(attempt()).replace(b'"2026-11-24T08:00:00Z"', b'"2026-11-24T08:00:00"')
    folder.fill().put_for(ACCOUNT, "outcome-1.json", naive)

    with pytest.raises(EvidenceError, match="generated_time"):
        folder.derive()


def test_a_catalog_that_was_changed_to_nonsense_is_refused(folder):
    """
    The catalog is read from the run's own copy, and that copy is checked.
    """
    folder.fill().put("inputs/frameworks/house-1.0.yaml", b"{}")

    with pytest.raises(CatalogError, match=r"house-1\.0\.yaml: field controls: Field required"):
        folder.derive()


def test_tables_are_written_once(folder):
    """
    A run that was judged is not judged over.
    """
    folder.fill().derive()

    with pytest.raises(EvidenceError, match="evidence is written once"):
        folder.derive()


def test_a_run_that_was_refused_leaves_no_half_table(folder):
    """
    A table takes its name when it is whole, so nothing that looks finished is left of a failure.
    """
    folder.fill().put_for(ACCOUNT, "outcome-1.json", encode(attempt(OTHER)))

    with pytest.raises(EvidenceError):
        folder.derive()

    assert [path.name for path in folder.path.glob("tables/*")] == []


def test_half_a_character_in_a_name_costs_no_run(folder):
    """
    AWS's JSON can hold a lone surrogate: an account called so is listed like another.
    """
    folder.names[ACCOUNT] = "pay\ud800ments"

    summary = folder.fill().derive()

    assert summary.accounts.collected == 2
    assert folder.account()["name"].startswith("pay")


# Is the report whole?


def listed(*users):
    return {
        "Users": [
            {"UserName": name, "CreateDate": (MADE - age).isoformat() if age else None}
            for name, age in users
        ]
    }


DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


def test_a_report_that_lacks_older_users_is_not_whole(folder):
    """
    Cut between two lines a report looks whole, but IAM's own list knows better.
    """
    folder.fill().put_for(ACCOUNT, "users.json", listed(("ann", DAY), ("bob", DAY), ("cid", DAY)))

    folder.derive()

    row = folder.account()
    assert (row["outcome"], row["reason_code"]) == ("not-collected", "malformed-report")
    assert "lacks 2 that existed before it was made" in row["reason"]


@pytest.mark.parametrize(
    "users",
    [
        [("ann", DAY)],
        [("ANN", DAY)],
        [],
        [("ann", DAY), ("new", -MINUTE)],
        [("ann", DAY), ("new", 14 * MINUTE)],
        [("new", 15 * MINUTE)],
    ],
    ids=["the same", "another case", "fewer", "made since", "made just before", "at the limit"],
)
def test_a_report_may_lack_users_who_are_newer_than_it(folder, users):
    """
    A snapshot of four hours ago does not know who came since, and may know more than there are now.
    """
    folder.fill().put_for(ACCOUNT, "users.json", listed(*users))

    folder.derive()

    assert folder.account()["outcome"] == "collected"


def test_a_user_whose_age_is_not_known_is_not_taken_for_new(folder):
    """
    A missing user without a readable creation time is no excuse for the report.
    """
    folder.fill().put_for(ACCOUNT, "users.json", listed(("ann", DAY), ("bob", None)))

    folder.derive()

    assert folder.account()["outcome"] == "not-collected"


@pytest.mark.parametrize(
    ("summary", "count"), [({"Users": 7}, 7), ({"Users": "7"}, None), ({}, None)]
)
def test_iam_s_own_count_stands_beside_the_report_s(folder, summary, count):
    """
    The count is shown as IAM gave it, and is missing where it gave none.
    """
    folder.fill().put_for(ACCOUNT, "account-summary.json", {"SummaryMap": summary})

    folder.derive()

    counted = folder.account()["iam_users"]
    assert (None if pd.isna(counted) else counted) == count


def test_a_report_that_may_lack_users_is_not_whole(folder):
    """
    IAM counts more users than the report lists, and nobody could say who they are: not a pass.
    """
    folder.fill().put_for(ACCOUNT, "account-summary.json", {"SummaryMap": {"Users": 99}})

    folder.derive()

    row = folder.account()
    assert (row["outcome"], row["reason_code"]) == ("not-collected", "malformed-report")
    assert "allow iam:ListUsers" in row["reason"]


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [(4 * MINUTE, "collected"), (6 * MINUTE, "not-collected"), (DAY, "not-collected")],
)
def test_a_report_from_the_future_is_a_clock_that_is_off(folder, ahead, outcome):
    """
    A report that claims to be made after it was fetched has no age, beyond what clocks may differ.
    """
    folder.fill()
    folder.put_for(ACCOUNT, "outcome-2.json", encode(attempt(generated_time=FETCHED + ahead)))

    folder.derive()

    row = folder.account()
    assert row["outcome"] == outcome
    assert outcome == "collected" or row["reason_code"] == "clock-skew"


def test_a_report_of_another_partition_is_another_account_s(folder):
    """
    The same twelve digits name another account in AWS GovCloud.
    """
    folder.reports[ACCOUNT] = [root_row(partition="aws-us-gov", password_enabled="true")]
    folder.fill()

    folder.derive()

    assert folder.account()["reason_code"] == "wrong-account"


# How many users there are


EVIDENCE = ("account-not-collected", "report-malformed", "report-stale", "population-mismatch")


def judge_evidence(folder, account_id=ACCOUNT):
    """
    Return what the checks about accounts say of one account, in the order of `EVIDENCE`.
    """
    row = folder.account(account_id)
    return [row[name] for name in EVIDENCE]


@pytest.mark.parametrize(
    ("count", "users", "verdict"),
    [
        (1, None, "pass"),
        (2, [("ann", DAY), ("new", -MINUTE)], "pass"),
        (2, [("ann", DAY), ("new", 14 * MINUTE)], "pass"),
        (0, [], "pass"),
        (1, [("new", -MINUTE)], "pass"),
        (0, None, "unknown"),
        (None, None, "needs-review"),
        (None, [("ann", DAY), ("new", -MINUTE)], "needs-review"),
    ],
    ids=[
        "the same",
        "made since",
        "made just before",
        "deleted since",
        "one made and one deleted",
        "fewer, and nobody says why",
        "not counted",
        "listed and not counted",
    ],
)
def test_users_are_compared_with_iam_s_own_count(folder, count, users, verdict):
    """
    A difference that the list of users explains passes; one without explanation is open, and no count a lead.
    """
    folder.counts[ACCOUNT] = count
    folder.fill()
    if users is not None:
        folder.put_for(ACCOUNT, "users.json", listed(*users))

    summary = folder.derive()

    assert judge_evidence(folder) == ["pass", "pass", "pass", verdict]
    assert summary.exit_status == (3 if verdict == "unknown" else 0)
    assert summary.findings == (verdict != "pass")


@pytest.mark.parametrize("count", [2, 5])
def test_a_list_that_does_not_explain_the_count_is_no_explanation(folder, count):
    """
    IAM counts more users than it lists, and the list is what the report says: nobody knows the others.
    """
    folder.counts[ACCOUNT] = count
    folder.fill().put_for(ACCOUNT, "users.json", listed(("ann", DAY)))

    summary = folder.derive()

    assert judge_evidence(folder)[-1] == "unknown"
    assert summary.exit_status == 3


def test_what_is_known_of_the_population_is_put_into_words(folder):
    """
    The finding about an account says how both counts stand, and is about no user.
    """
    folder.counts = {ACCOUNT: 0, MANAGEMENT: None}
    folder.fill().derive()

    about = folder.findings().set_index("account_id")

    assert about["user"].isna().all()
    assert about["check"].tolist() == ["population-mismatch"] * 2
    assert about.loc[MANAGEMENT, "observation"] == (
        "IAM did not say how many users there are, so the report stands alone"
    )
    assert about.loc[ACCOUNT, "observation"] == (
        "1 in the report and 0 in IAM's own count; users may have been deleted since, but iam:ListUsers did "
        "not answer which"
    )
    assert about.loc[ACCOUNT, "arn"] == (
        f"arn:aws:organizations::{MANAGEMENT}:account/o-a1b2c3d4e5/{ACCOUNT}"
    )


# What the checks say of accounts


def test_an_account_that_was_read_has_whole_evidence(folder):
    """
    Collected: every check about the evidence passes, for each account.
    """
    folder.fill().derive()

    assert judge_evidence(folder) == judge_evidence(folder, MANAGEMENT) == ["pass"] * 4


@pytest.mark.parametrize(
    ("code", "malformed"),
    [
        (code, "not-applicable")
        for code in sorted(set(ReasonCode) - {ReasonCode.NOT_ACTIVE, ReasonCode.EXCLUDED})
        if code not in {ReasonCode.MALFORMED_REPORT, ReasonCode.WRONG_ACCOUNT}
    ]
    + [(ReasonCode.MALFORMED_REPORT, "unknown"), (ReasonCode.WRONG_ACCOUNT, "unknown")],
)
def test_an_account_that_was_not_read_is_open_and_never_passes(folder, code, malformed):
    """
    Whatever the reason: the account is a finding, and a report that cannot be used is one more.
    """
    folder.fill()
    folder.put_for(ACCOUNT, "outcome-1.json", encode(failed(code=code, reason="account x: why")))

    summary = folder.derive()

    nothing = "not-applicable"
    assert judge_evidence(folder) == ["unknown", malformed, nothing, nothing]
    assert folder.findings()["observation"].unique().tolist() == ["account x: why"]
    assert set(folder.findings()["severity"]) == {"high"}
    assert summary.findings == summary.unknown_verdicts == 1 + (malformed == "unknown")


def test_accounts_left_out_are_no_findings(folder):
    """
    Excluded and inactive accounts are not applicable to every check about accounts: somebody meant it.
    """
    suspended = AccountId("222222222222")
    folder.states |= {OTHER: "ACTIVE", suspended: "SUSPENDED"}
    folder.terms = replace(
        folder.terms, selection=Selection(exclusions=(Exclusion(OTHER, "ticket SEC-1"),))
    )

    summary = folder.fill().derive()

    for account_id in (OTHER, suspended):
        assert judge_evidence(folder, account_id) == ["not-applicable"] * 4
    assert summary.findings == 0


# Reports that are too old


@pytest.mark.parametrize(
    ("age", "limit", "is_stale"),
    [
        (timedelta(hours=24), 24, False),
        (timedelta(hours=24, seconds=1), 24, True),
        (timedelta(days=30), 24, True),
        (timedelta(hours=2), 1, True),
        (timedelta(days=30), 24 * 365, False),
        (-MINUTE, 1, False),
    ],
)
def test_a_report_that_was_too_old_says_nothing(folder, age, limit, is_stale):
    """
    Beyond the limit, to the second, each verdict about the account's users is unknown, and the run is not whole.
    """
    folder.terms = replace(folder.terms, max_report_age_hours=limit)
    folder.fetched = {ACCOUNT: age, MANAGEMENT: timedelta(0)}

    summary = folder.fill().derive()

    assert judge_evidence(folder)[2] == ("unknown" if is_stale else "pass")
    assert judge_evidence(folder, MANAGEMENT)[2] == "pass"
    assert (summary.exit_status, summary.stale) == ((3, 1) if is_stale else (0, 0))
    assert folder.controls()["house-1.0:1"] == ("unknown" if is_stale else "pass")


def test_of_a_stale_report_only_the_subject_is_known(folder):
    """
    No verdict of a stale report is pass or fail: not-applicable where the check is about others, else unknown.
    """
    folder.reports[ACCOUNT] = [root_row(**OPEN), user_row("ann", **OPEN), user_row("bob")]
    folder.fetched = {ACCOUNT: timedelta(days=3)}

    folder.fill().derive()

    users = folder.table("users")
    users = users[users["account_id"] == ACCOUNT].set_index("user")
    not_applicable, unknown = "not-applicable", "unknown"
    assert users["console-no-mfa"].to_dict() == {
        "<root_account>": not_applicable,
        "ann": unknown,
        "bob": unknown,
    }
    assert users["root-console-no-mfa"].to_dict() == {
        "<root_account>": unknown,
        "ann": not_applicable,
        "bob": not_applicable,
    }
    about_users = folder.findings().dropna(subset="user")
    assert set(about_users["observation"]) == {
        "the report was too old when it was fetched to say anything"
    }
    (stale,) = folder.findings().query("check == 'report-stale'")["observation"]
    assert (
        stale == "the report was 72 hours old when it was fetched, and may be 24 hours old at most"
    )


# What else is known of an account


@pytest.mark.parametrize(
    ("answer", "severity"),
    [
        ({"answer": {"EnabledFeatures": ["RootCredentialsManagement"]}}, "medium"),
        ({"answer": {"EnabledFeatures": ["RootSessions"]}}, "info"),
        ({"error": {"code": "AccessDenied"}}, "info"),
        (None, "info"),
    ],
)
def test_root_credentials_weigh_more_where_root_is_managed_centrally(folder, answer, severity):
    """
    What AWS says of the organization grades the finding; where it says nothing, nothing is assumed.
    """
    controls = {"1": [map_check("root-credentials-present", "supporting")]}
    folder.catalogs = {HOUSE: write_catalog(HOUSE, controls)}
    folder.reports[ACCOUNT] = [root_row(**SAFE)]
    folder.fill()
    if answer is not None:
        folder.put("raw/organization-features.json", answer)

    folder.derive()

    (finding,) = folder.findings().to_dict("records")
    assert (finding["account_id"], finding["check"]) == (ACCOUNT, "root-credentials-present")
    assert (finding["verdict"], finding["severity"]) == ("needs-review", severity)


@pytest.mark.parametrize(
    ("present", "verdict"), [(0, "not-applicable"), (1, "fail"), ("0", "fail"), (None, "fail")]
)
def test_iam_s_word_on_root_s_password_counts_for_older_reports(folder, present, verdict):
    """
    Where the report says not_supported, only IAM's own 0 says that root has no password.
    """
    folder.reports[ACCOUNT] = [root_row(password_enabled="not_supported")]
    counts = {"Users": 0} | ({} if present is None else {"AccountPasswordPresent": present})
    folder.fill().put_for(ACCOUNT, "account-summary.json", {"SummaryMap": counts})

    folder.derive()

    users = folder.table("users").set_index("account_id")
    assert users.loc[ACCOUNT, "root-console-no-mfa"] == verdict


# For which accounts a framework speaks


def declare(folder, **scope):
    """
    Declare the scope of the one framework.
    """
    folder.terms = replace(folder.terms, scopes=(ScopeRule(HOUSE, **scope),))
    return folder


def test_a_framework_s_totals_count_its_scope_alone(folder):
    """
    An exception outside the scope is a finding, and neither the control's nor the exit status's.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **OPEN)]
    declare(folder, accounts=(MANAGEMENT,))

    summary = folder.fill().derive()

    (scope,) = summary.scopes
    (control, *_) = folder.table("controls").to_dict("records")
    assert (scope.is_declared, scope.accounts, scope.not_tested) == (True, 1, 0)
    assert scope.words == f"accounts {MANAGEMENT}"
    assert (control["verdict"], control["evaluated"], control["failed"]) == ("pass", 1, 0)
    assert (summary.findings, summary.exit_status) == (1, 0)
    assert folder.findings()["user"].tolist() == ["ann"]


def test_the_same_exception_in_scope_fails(folder):
    """
    It is the scope alone that makes the difference.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **OPEN)]
    declare(folder, accounts=(ACCOUNT,))

    summary = folder.fill().derive()

    assert folder.controls()["house-1.0:1"] == "fail"
    assert summary.exit_status == 1


@pytest.mark.parametrize(("scope", "status"), [(MANAGEMENT, 0), (ACCOUNT, 3)])
def test_an_unknown_verdict_counts_where_it_is_in_scope(folder, scope, status):
    """
    In scope it makes the exit status 3 and leaves the control open; out of every scope it does neither.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **UNCLEAR)]
    declare(folder, accounts=(scope,))

    summary = folder.fill().derive()

    assert summary.exit_status == status
    assert folder.controls()["house-1.0:1"] == ("unknown" if status else "pass")


def test_evidence_that_is_not_whole_counts_wherever_it_is(folder):
    """
    A report that was too old is no clean run, in scope or out of it.
    """
    folder.fetched = {ACCOUNT: timedelta(days=3)}
    declare(folder, accounts=(MANAGEMENT,))

    summary = folder.fill().derive()

    assert folder.controls()["house-1.0:1"] == "pass"
    assert summary.exit_status == 3


@pytest.mark.parametrize("lost", ["missed", "excluded"])
@pytest.mark.parametrize(
    ("scope", "verdict", "not_tested"),
    [
        ({"accounts": (MANAGEMENT,)}, "pass", 0),
        ({"accounts": (ACCOUNT,)}, "unknown", 1),
        ({"accounts": (ACCOUNT, MANAGEMENT)}, "unknown", 1),
        ({"everything": True}, "unknown", 1),
        (None, "unknown", 1),
    ],
)
def test_one_account_of_the_scope_that_was_not_read_keeps_a_control_from_passing(
    folder, scope, verdict, not_tested, lost
):
    """
    Denied or left out on purpose, in scope it counts as not tested; out of scope it does not matter.
    """
    if scope is not None:
        declare(folder, **scope)
    if lost == "missed":
        folder.missed = {ACCOUNT}
    else:
        exclusions = (Exclusion(ACCOUNT, "ticket SEC-1"),)
        folder.terms = replace(folder.terms, selection=Selection(exclusions=exclusions))

    summary = folder.fill().derive()

    assert folder.controls()["house-1.0:1"] == verdict
    assert set(folder.table("controls")["not_tested"]) == {not_tested}
    assert summary.scopes[0].not_tested == not_tested


def test_an_account_that_is_not_active_is_not_missing_from_its_scope(folder):
    """
    Nobody can sign in to it, so nothing is left untested.
    """
    folder.states[OTHER] = "SUSPENDED"
    declare(folder, everything=True)

    summary = folder.fill().derive()

    assert (summary.scopes[0].accounts, summary.scopes[0].not_tested) == (2, 0)
    assert folder.controls()["house-1.0:1"] == "pass"


def test_an_empty_scope_is_never_a_pass(folder):
    """
    A scope in which no account is active says nothing, whatever the rest of the organization is like.
    """
    folder.states[OTHER] = "SUSPENDED"
    declare(folder, accounts=(OTHER,))

    summary = folder.fill().derive()

    assert summary.scopes[0].accounts == 0
    assert folder.controls() == {f"house-1.0:{number}": "not-tested" for number in range(1, 5)}


@pytest.mark.parametrize(
    ("scope", "verdict", "exceptions"),
    [
        (None, "needs-review", 1),
        ({"everything": True}, "fail", 1),
        ({"accounts": (ACCOUNT,)}, "fail", 1),
    ],
)
def test_a_framework_that_asks_for_a_scope_fails_only_within_one(
    folder, scope, verdict, exceptions
):
    """
    Until somebody has declared the scope, exceptions need review; the exit status counts them all the same.
    """
    controls = {"1": [map_check("console-no-mfa")]}
    folder.catalogs = {HOUSE: write_catalog(HOUSE, controls, must_be_declared=True)}
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **OPEN)]
    if scope is not None:
        declare(folder, **scope)

    summary = folder.fill().derive()

    assert folder.controls() == {"house-1.0:1": verdict}
    assert summary.exit_status == exceptions


def test_each_framework_has_a_scope_of_its_own(folder):
    """
    One exception fails the framework in whose scope it lies, and not the other; the exit status is the worst.
    """
    other = "other-1.0"
    folder.catalogs[other] = write_catalog(other, {"1": [map_check("console-no-mfa")]})
    folder.reports = {
        MANAGEMENT: [root_row(MANAGEMENT), user_row("zoe", MANAGEMENT, **SAFE)],
        ACCOUNT: [root_row(), user_row("ann", **OPEN)],
    }
    folder.terms = replace(
        folder.terms,
        frameworks=(HOUSE, other),
        scopes=(ScopeRule(HOUSE, accounts=(MANAGEMENT,)), ScopeRule(other, accounts=(ACCOUNT,))),
    )

    summary = folder.fill().derive()

    assert (folder.controls()["house-1.0:1"], folder.controls()["other-1.0:1"]) == ("pass", "fail")
    assert summary.exit_status == 1


def test_a_scope_by_tag_rests_on_the_tags_that_were_stored(folder):
    """
    The tags are evidence: with them the scope is found again offline, and without them it is refused.
    """
    declare(folder, tags=(("pci", "yes"),))
    folder.tags = {ACCOUNT: {"pci": "yes"}, MANAGEMENT: {"pci": "no"}}
    summary = folder.fill().derive()
    (folder.path / "raw" / "account-tags.json").unlink()

    assert (summary.scopes[0].accounts, summary.scopes[0].words) == (1, "accounts tagged pci=yes")
    with pytest.raises(SettingsError, match="no account with the tag pci=yes"):
        folder.derive()


def test_a_declared_scope_names_the_settings_it_stands_in(folder):
    """
    An auditor finds the declaration in the run itself, by file and hash; what was not declared names none.
    """
    folder.fill().put("inputs/settings.toml", b"[scan]\n")
    declare(folder, everything=True).put("inputs/settings.json", encode(folder.terms))

    (scope,) = folder.derive().scopes

    assert scope.source == "inputs/settings.toml"
    assert scope.sha256 == hashlib.sha256(b"[scan]\n").hexdigest()
    assert scope.words == "every account"


# Live answers


def test_a_live_answer_annotates_its_user_alone(folder):
    """
    The finding stays, with what the account said since.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **OPEN), user_row("bob", **OPEN)]
    arn = user_row("ann")["arn"]
    answers = {
        "ListMFADevices": {"answer": {"MFADevices": []}},
        "GetLoginProfile": {"error": {"code": "NoSuchEntity"}},
        "ListUserTags": {"answer": {"Tags": [{"Key": "Owner", "Value": "team-a"}]}},
    }
    folder.fill().put_for(ACCOUNT, live_file(arn), {"arn": arn, "answers": answers})

    summary = folder.derive()

    table = folder.findings().set_index("user")
    assert table["confirmation"].to_dict() == {"ann": "password-removed", "bob": "not-checked"}
    assert table.loc["ann", "owner"] == "team-a"
    assert set(table["verdict"]) == {"fail"}
    assert summary.findings_by_confirmation == {"not-checked": 1, "password-removed": 1}
    assert summary.exit_status == 1


# The exit status


def total(**counts):
    kinds = ("passed", "failed", "needs_review", "not_applicable", "unknown")
    figures = dict.fromkeys(kinds, 0) | counts
    return CheckTotals("c", "C", Severity.HIGH, sum(figures.values()), **figures)


ABOUT_ACCOUNTS = CheckTotals("a", "A", Severity.HIGH, 10, 4, 0, 0, 6, 0, subject="account")


READ = AccountTotals(listed=4, collected=2, not_collected=0, excluded=1, not_active=1)
UNREAD = replace(READ, collected=1, not_collected=1)
NOTHING = AccountTotals(listed=4, collected=0, not_collected=0, excluded=3, not_active=1)


@pytest.mark.parametrize(
    ("exceptions", "unknown", "accounts", "interrupted", "status"),
    [
        (0, 0, READ, False, 0),
        (1, 0, READ, False, 1),
        (99, 0, READ, False, 1),
        (0, 1, READ, False, 3),
        (1, 1, READ, False, 3),
        (0, 0, UNREAD, False, 3),
        (1, 0, UNREAD, False, 3),
        (0, 1, UNREAD, False, 3),
        (0, 0, NOTHING, False, 3),
        (0, 0, READ, True, 5),
        (1, 1, UNREAD, True, 5),
        (0, 0, NOTHING, True, 5),
    ],
)
def test_the_exit_status_is_the_worst_that_is_true(
    exceptions, unknown, accounts, interrupted, status
):
    """
    Stopped outranks unread, unread and unknown outrank exceptions, and only a clean run is 0.
    """
    decided = decide_exit_status(
        accounts, exceptions=exceptions, unknown=unknown, interrupted=interrupted
    )

    assert decided == status


CERTIFICATE = {"cert_1_active": "true", "cert_1_last_rotated": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("cells", "status"),
    [
        (SAFE, 0),
        (SAFE | CERTIFICATE, 0),
        (OPEN, 1),
        (OPEN | CERTIFICATE, 1),
        (UNCLEAR, 3),
        (SAFE | {"cert_1_active": "MAYBE"}, 3),
    ],
    ids=["clean", "supporting", "direct", "both", "unknown", "unknown in a supporting check"],
)
def test_only_what_a_control_asks_is_an_exception(folder, cells, status):
    """
    A check that only supports controls gives leads, and a lead is no exception; unknown is never 0.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **cells)]

    assert folder.fill().derive().exit_status == status


def accept(**changes):
    """
    Return the bytes of a file with one accepted risk, in force in November 2026.
    """
    entry = {
        "id": "EX-1",
        "kind": "compensating-control",
        "account": ACCOUNT,
        "user": "ann",
        "check": "console-no-mfa",
        "reason": "reached through the bastion alone, which asks for a second factor",
        "owner": "ann.smith",
        "approver": "bob.jones",
        "ticket": "SEC-1",
        "from": date(2026, 11, 1),
        "until": date(2027, 1, 31),
    }
    return yaml.safe_dump({"format": 1, "acceptances": [entry | changes]}).encode()


@pytest.mark.parametrize(
    ("changes", "status", "accepted"),
    [
        ({}, 0, 1),
        ({"user": "bob"}, 1, 0),
        ({"account": MANAGEMENT}, 1, 0),
        ({"check": "access-key-age"}, 1, 0),
        ({"from": date(2026, 1, 1), "until": date(2026, 11, 23)}, 1, 0),
        ({"from": date(2026, 11, 25)}, 1, 0),
    ],
    ids=["in force", "another user", "another account", "another check", "expired", "not yet"],
)
def test_only_an_acceptance_in_force_keeps_an_exception_from_the_exit_status(
    folder, changes, status, accepted
):
    """
    What is accepted stays a finding, and fails its control, and is counted; it is no exception left open.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **OPEN)]
    folder.fill().put("inputs/acceptances.yaml", accept(**changes))

    summary = folder.derive()

    assert (summary.exit_status, summary.accepted, summary.findings) == (status, accepted, 1)
    assert folder.controls()["house-1.0:1"] == "fail"
    assert summary.trend[-1].exceptions == 1 - accepted


def test_what_nobody_can_tell_cannot_be_accepted(folder):
    """
    An acceptance about an unknown verdict changes nothing.
    """
    folder.reports[ACCOUNT] = [root_row(), user_row("ann", **UNCLEAR)]
    folder.fill().put("inputs/acceptances.yaml", accept())

    summary = folder.derive()

    assert (summary.exit_status, summary.accepted) == (3, 0)


def test_an_interrupted_scan_is_not_complete(folder):
    """
    A scan that was stopped is judged with what it has, and says so in status and summary.
    """
    folder.ended = replace(folder.ended, interrupted=True)

    summary = folder.fill().derive()

    assert (summary.exit_status, summary.interrupted, summary.is_complete) == (5, True, False)


# The totals

CLEAN = Summary(
    run_id="20261124T090000Z",
    period="2026-Q4",
    organization_id="o-a1b2c3d4e5",
    management_account_id=MANAGEMENT,
    partition="aws",
    caller_arn="arn:aws:iam::000000000017:user/a",
    role_name="r",
    endpoint=None,
    simulated=False,
    interrupted=False,
    tool_version="0.1.0",
    prepared_by="",
    organization_name="",
    selection=Selection(),
    window=Window(
        datetime(2026, 11, 24, tzinfo=UTC), datetime(2026, 11, 24, tzinfo=UTC), None, None
    ),
    accounts=AccountTotals(listed=10, collected=4, not_collected=3, excluded=2, not_active=1),
    reasons={},
    users=UserTotals(20, 4, 10, 5, 4, 1),
    checks=(
        total(passed=10, failed=4, needs_review=2, not_applicable=7, unknown=1),
        total(not_applicable=24),
        ABOUT_ACCOUNTS,
    ),
    findings=7,
    findings_by_verdict={},
    findings_by_confirmation={},
    frameworks=(),
    exit_status=3,
)


def refuse_totals(**changes):
    with pytest.raises(EvidenceError, match=r"^the totals do not tie out: ") as caught:
        check_totals(replace(CLEAN, **changes))
    return str(caught.value).partition(": ")[2]


def test_totals_that_tie_out_are_taken():
    """
    Every figure is the sum of its parts.
    """
    check_totals(CLEAN)


@pytest.mark.parametrize(
    "changes",
    [
        {"listed": 11},
        {"listed": 9},
        {"not_collected": 2},
        {"excluded": 1},
        {"not_active": 0},
        {"not_active": 2},
    ],
)
def test_an_account_without_an_outcome_is_refused(changes):
    """
    Listed is collected, not collected, excluded and not active: no more and no less.
    """
    problem = refuse_totals(accounts=replace(CLEAN.accounts, **changes))

    assert "accounts are listed, but" in problem


@pytest.mark.parametrize("roots", [3, 5, 0])
def test_a_collected_account_without_its_root_is_refused(roots):
    """
    As many root users as accounts that were read.
    """
    rows = replace(CLEAN.users, roots=roots, users=24 - roots)

    problem = refuse_totals(users=rows)

    assert problem == f"4 accounts are collected, with {roots} root users"


@pytest.mark.parametrize("field", ["passed", "failed", "needs_review", "not_applicable", "unknown"])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_row_without_a_verdict_is_refused(field, step):
    """
    Each row has one verdict for each check, whichever it is.
    """
    check = replace(CLEAN.checks[0], **{field: getattr(CLEAN.checks[0], field) + step})

    problem = refuse_totals(checks=(check, *CLEAN.checks[1:]))

    assert f"check c has 24 rows of 24, but {24 + step} verdicts" in problem


@pytest.mark.parametrize("rows", [9, 11])
@pytest.mark.parametrize("place", [1, 2])
def test_a_check_that_was_not_made_of_every_row_is_refused(place, rows):
    """
    Each user and root user has a verdict of each check about rows, each listed account of those about accounts.
    """
    check = replace(CLEAN.checks[place], rows=rows, not_applicable=0, passed=rows)
    checks = [*CLEAN.checks]
    checks[place] = check

    problem = refuse_totals(checks=tuple(checks))

    assert f"has {rows} rows of {10 if place == 2 else 24}, but {rows} verdicts" in problem


def test_more_accepted_than_found_is_refused():
    """
    Only exceptions and leads can be accepted.
    """
    check = replace(CLEAN.checks[0], accepted=7)

    problem = refuse_totals(checks=(check, *CLEAN.checks[1:]), accepted=7)

    assert problem == "check c has 7 accepted, more than it found"


@pytest.mark.parametrize("accepted", [1, 3])
def test_an_accepted_finding_that_no_check_counts_is_refused(accepted):
    """
    The findings that are accepted are those that the checks count as accepted.
    """
    check = replace(CLEAN.checks[0], accepted=2)

    problem = refuse_totals(checks=(check, *CLEAN.checks[1:]), accepted=accepted)

    assert problem == f"{accepted} findings are accepted, but the checks count otherwise"


@pytest.mark.parametrize("findings", [0, 6, 8])
def test_a_verdict_without_its_finding_is_refused(findings):
    """
    Each fail, needs-review and unknown is one finding.
    """
    problem = refuse_totals(findings=findings)

    assert problem == f"{findings} findings, but 7 verdicts that make one"


def test_every_total_that_does_not_tie_out_is_named():
    """
    One message holds all that is wrong.
    """
    problem = refuse_totals(
        accounts=replace(CLEAN.accounts, listed=11),
        users=replace(CLEAN.users, roots=5),
        findings=8,
        accepted=1,
    )

    # Three checks lack rows, and four other figures are wrong.
    assert problem.count("; ") == 6
