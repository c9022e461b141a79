import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from report_text import ACCOUNT, MADE, OTHER, root_row, user_row, write_report

from scanner.confirmation import live_file
from scanner.errors import CatalogError, EvidenceError, OrgproofError
from scanner.evidence.accounts import read_attempt, read_transport
from scanner.evidence.replay import check_totals, decide_exit_status, derive_tables
from scanner.evidence.tables import read_batches, read_table
from scanner.frameworks import load_framework
from scanner.model import (
    Account,
    AccountId,
    AccountTotals,
    Attempt,
    CheckTotals,
    Collected,
    Exclusion,
    NotCollected,
    ReasonCode,
    ScanRecord,
    Selection,
    Severity,
    Summary,
    Terms,
    UserTotals,
    Window,
)
from scanner.records import encode

MANAGEMENT = AccountId("000000000017")
STARTED = MADE + timedelta(hours=1)
FETCHED = MADE + timedelta(hours=2)
OPEN = {"password_enabled": "true", "mfa_active": "false"}
SAFE = {"password_enabled": "true", "mfa_active": "true"}
PAYMENTS = Account(ACCOUNT, "payments", "a@b.c", "ACTIVE")


def attempt(account_id=ACCOUNT, **changes):
    """
    Return an attempt that fetched a report.
    """
    fetched = Attempt(
        account_id=account_id,
        started=STARTED,
        finished=FETCHED,
        identity="role orgproof-reader",
        reason_code=None,
        reason=None,
        generated_time=MADE,
        fetched=FETCHED,
        requests=(),
    )
    return replace(fetched, **changes)


def failed(account_id=ACCOUNT, code=ReasonCode.ACCESS_DENIED, reason="account x: denied"):
    """
    Return an attempt that fetched nothing.
    """
    return attempt(account_id, reason_code=code, reason=reason, generated_time=None, fetched=None)


class Folder:
    """
    A run folder as a scan leaves it before judging, with two accounts that were read.
    """

    def __init__(self, path):
        self.path = path / "20261124T090000Z"
        self.states = {MANAGEMENT: "ACTIVE", ACCOUNT: "ACTIVE"}
        self.names = {MANAGEMENT: "management", ACCOUNT: "payments"}
        self.terms = Terms(
            period="2026-Q4",
            selection=Selection(),
            frameworks=("iso-27001-2022",),
            formats=("json",),
            role_name="orgproof-reader",
            roles={},
            uses_external_id=False,
            confirm=True,
            owner_tags=("owner",),
            workers=2,
            account_deadline=120,
            endpoint=None,
            simulated=False,
            organization_name="",
            prepared_by="",
        )
        self.scan = ScanRecord(STARTED, FETCHED, interrupted=False, tool_version="0.1.0")
        self.reports = {
            MANAGEMENT: [root_row(MANAGEMENT, **SAFE)],
            ACCOUNT: [root_row(), user_row("ann", **SAFE)],
        }

    def put(self, name, content):
        """
        Write a file of the run, JSON unless it is bytes.
        """
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def put_for(self, account_id, name, content):
        """
        Write a file of one account.
        """
        self.put(f"raw/{account_id}/{name}", content)

    def fill(self):
        """
        Write the files, and return the folder.
        """
        pages = [
            {"Id": account_id, "Name": self.names.get(account_id, ""), "State": state}
            for account_id, state in self.states.items()
        ]
        self.put(
            "raw/caller.json", {"Account": MANAGEMENT, "Arn": f"arn:aws:iam::{MANAGEMENT}:user/a"}
        )
        described = {"Id": "o-a1b2c3d4e5", "MasterAccountId": MANAGEMENT}
        self.put("raw/organization.json", {"Organization": described})
        self.put("raw/accounts.json", {"pages": [{"Accounts": pages}]})
        self.put("raw/organizational-units.json", {})
        self.put("raw/scan.json", encode(self.scan))
        self.put("inputs/settings.json", encode(self.terms))
        for name in self.terms.frameworks:
            self.put(f"inputs/frameworks/{name}.yaml", load_framework(name).source)
        for account_id, rows in self.reports.items():
            self.put_for(account_id, "outcome-1.json", encode(attempt(account_id)))
            self.put_for(account_id, "credential-report.csv", write_report(*rows))
        return self

    def derive(self):
        """
        Derive the tables, and return the totals.
        """
        return derive_tables(self.path)

    def account(self, account_id=ACCOUNT):
        """
        Return one account's row of the table that was derived.
        """
        table = read_table(self.path / "tables" / "accounts.parquet").set_index("account_id")
        return table.loc[account_id]

    def findings(self):
        """
        Return the findings that were derived.
        """
        return read_table(self.path / "tables" / "findings.parquet")

    def users(self):
        """
        Return the users of the table that was derived.
        """
        return [
            user
            for batch in read_batches(self.path / "tables" / "users.parquet")
            for user in batch["user"]
        ]


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
        "inputs/frameworks/iso-27001-2022.yaml",
        "raw/scan.json",
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
    "name", ["inputs/settings.json", "raw/scan.json", f"raw/{ACCOUNT}/outcome-1.json"]
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
    folder.fill().put("inputs/frameworks/iso-27001-2022.yaml", b"{}")

    with pytest.raises(CatalogError, match=r"iso-27001-2022\.yaml: field controls: Field required"):
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


READ = AccountTotals(listed=4, collected=2, not_collected=0, excluded=1, not_active=1)
UNREAD = replace(READ, collected=1, not_collected=1)
NOTHING = AccountTotals(listed=4, collected=0, not_collected=0, excluded=3, not_active=1)


@pytest.mark.parametrize(
    ("totals", "accounts", "interrupted", "status"),
    [
        ([], READ, False, 0),
        ([total(passed=1)], READ, False, 0),
        ([total(not_applicable=1)], READ, False, 0),
        ([total(needs_review=1)], READ, False, 0),
        ([total(failed=1)], READ, False, 1),
        ([total(passed=9), total(failed=1)], READ, False, 1),
        ([total(unknown=1)], READ, False, 3),
        ([total(failed=1), total(unknown=1)], READ, False, 3),
        ([total(passed=1)], UNREAD, False, 3),
        ([total(failed=1)], UNREAD, False, 3),
        ([], UNREAD, False, 3),
        ([], NOTHING, False, 3),
        ([], READ, True, 5),
        ([total(passed=1)], READ, True, 5),
        ([total(failed=1, unknown=1)], UNREAD, True, 5),
        ([], NOTHING, True, 5),
    ],
)
def test_the_exit_status_is_the_worst_that_is_true(totals, accounts, interrupted, status):
    """
    Stopped outranks unread, unread and unknown outrank exceptions, and only a clean run is 0.
    """
    assert decide_exit_status(totals, accounts, interrupted=interrupted) == status


def test_an_interrupted_scan_is_not_complete(folder):
    """
    A scan that was stopped is judged with what it has, and says so in status and summary.
    """
    folder.scan = replace(folder.scan, interrupted=True)

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
    problem = refuse_totals(users=replace(CLEAN.users, roots=roots))

    assert problem == f"4 accounts are collected, with {roots} root users"


@pytest.mark.parametrize("field", ["passed", "failed", "needs_review", "not_applicable", "unknown"])
@pytest.mark.parametrize("step", [-1, 1])
def test_a_row_without_a_verdict_is_refused(field, step):
    """
    Each row has one verdict for each check, whichever it is.
    """
    check = replace(CLEAN.checks[0], **{field: getattr(CLEAN.checks[0], field) + step})

    problem = refuse_totals(checks=(check, CLEAN.checks[1]))

    assert f"check c has 24 rows, but {24 + step} verdicts" in problem


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
    )

    assert problem.count("; ") == 2
