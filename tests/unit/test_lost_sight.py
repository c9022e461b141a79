"""
What could not be looked at, or was put there later, never speaks: not as fixed, not as out of scope.
"""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from report_text import ACCOUNT, MADE, OTHER, root_row, user_row, write_report
from run_folder import MANAGEMENT, ORGANIZATION_ID, Folder

from scanner.credentials import MAX_LINE, parse_report
from scanner.errors import EvidenceError, ReportError, SettingsError
from scanner.evidence.previous import find_previous
from scanner.evidence.seal import check_seal
from scanner.history import COLUMNS, History, Previous, make_history
from scanner.model import (
    Account,
    Caller,
    Organization,
    ScopeRule,
    Selection,
)
from scanner.organization import check_selection
from scanner.scopes import resolve_scopes
from scanner.summary import PreviousRun

BEGAN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(days=90)
UNIT = "ou-ab12-11111111"


def seal_run(folder):
    organization = folder / ORGANIZATION_ID
    run = Folder(organization / "2026-Q4", "20261124T090000Z", BEGAN)
    run.fill().finish()
    return organization, run.path


def carry_on(**verdicts):
    """
    Return the states of one finding of an earlier run that is not there now.
    """
    row = dict.fromkeys(COLUMNS) | {
        "finding_id": "f",
        "account_id": ACCOUNT,
        "arn": "a",
        "check": "access-key-age",
        "state": "new",
        "first_seen": BEGAN,
        "opened": BEGAN,
        "last_seen": BEGAN,
    }
    run = PreviousRun("r", "2026-Q4", BEGAN, "0" * 64)
    previous = Previous(run, [make_history([row])], frozenset([ACCOUNT]))
    history = History(previous, NOW, ["access-key-age"])
    accounts = pd.DataFrame(
        [{"account_id": ACCOUNT, "name": "", "outcome": "collected"} | verdicts]
    )
    found = pd.DataFrame({name: pd.Series(dtype="str") for name in (*COLUMNS[:8], "user")})
    _, rows = history.advance(found, accounts)
    return rows["state"].tolist()


@pytest.mark.parametrize("check", ["report-stale", "population-mismatch"])
def test_a_report_that_shows_nothing_fixes_nothing(check):
    """
    Too old, or lacking users nobody can explain: what is gone from such a report may be there.
    """
    assert carry_on(**{check: "pass"}) == ["fixed"]
    assert carry_on(**{check: "unknown"}) == ["not-scanned"]


def test_a_link_beside_the_evidence_is_refused(tmp_path):
    """
    An account that was never read must not get a report by way of a link.
    """
    _, run = seal_run(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (run / "raw" / "999999999998").symlink_to(elsewhere, target_is_directory=True)

    check_seal(run)
    with pytest.raises(EvidenceError, match="999999999998: is a link"):
        check_seal(run, with_raw=True)


def test_a_copy_is_no_previous_run(tmp_path):
    """
    A folder that somebody named anew would come first by its name, and hide the run after it.
    """
    organization, run = seal_run(tmp_path)
    run.rename(run.with_name("copy-for-auditor"))

    search = find_previous(organization, NOW)

    assert search.folder is None
    assert search.warnings == (
        "folder copy-for-auditor holds run 20261124T090000Z, and is taken for a copy",
    )


def test_a_line_that_no_row_can_have_makes_the_report_malformed():
    """
    It is that account's fault alone, and no other account's evidence is lost by it.
    """
    report = write_report(root_row(), user_row("ann", mfa_active="x" * (MAX_LINE + 1)))

    with pytest.raises(ReportError, match="a line of") as refused:
        parse_report(report, ACCOUNT, MADE)

    assert refused.value.line == 3


def make_organization(*units):
    accounts = (
        Account(MANAGEMENT, "management", "", "ACTIVE", ("r-ab12",), ("Root",)),
        Account(ACCOUNT, "payments", "", "ACTIVE", ("r-ab12", UNIT), ("Root", "Payments")),
        Account(OTHER, "moving", "", "ACTIVE", units, units),
    )
    caller = Caller(MANAGEMENT, f"arn:aws:iam::{MANAGEMENT}:user/auditor")
    return Organization(ORGANIZATION_ID, MANAGEMENT, caller, accounts)


def test_an_account_whose_ou_nobody_knows_is_not_out_of_scope():
    """
    Moved while the tree was walked, it may lie in the OU that is asked for.
    """
    rule = ScopeRule("pci-dss-4.0.1", ous=(UNIT,))

    resolve_scopes(["pci-dss-4.0.1"], [rule], make_organization("r-ab12"), {})
    with pytest.raises(SettingsError, match=f"in which OU account {OTHER} lies"):
        resolve_scopes(["pci-dss-4.0.1"], [rule], make_organization(), {})
    with pytest.raises(SettingsError, match=f"in which OU account {OTHER} lies"):
        check_selection(make_organization(), Selection(ous=(UNIT,)))
