"""
The users table read once, batch by batch: console users counted by account, and each root user's row.

Memory grows with the accounts and not with their users.
"""

from dataclasses import dataclass

import pandas as pd

from scanner.checks import Subject
from scanner.credentials import BOOLEAN_COLUMNS, is_false, is_true
from scanner.evidence import StoredRun
from scanner.model import Verdict
from scanner.summary import Summary

CONSOLE, WITHOUT = "console", "without"
USES = ("password_last_used", "access_key_1_last_used_date", "access_key_2_last_used_date")
"""
The columns that say when a root user was used.
"""

_STALE = "report-stale"


@dataclass(frozen=True, slots=True)
class Census:
    """
    What the users table says of each account.

    `console` has a row for each account with users, named by its id: `console` counts its console users and
    `without` those of them without an MFA device, as `scanner.summary.UserTotals` does. `roots` has the root
    users' rows, in order of account id. Users in a report that was too old are in no count, and such a root
    user's row is marked in `is_stale`.
    """

    console: pd.DataFrame
    roots: pd.DataFrame


def take_census(run: StoredRun) -> Census:
    """
    Read the users table, or raise `EvidenceError`.
    """
    columns = ["account_id", *BOOLEAN_COLUMNS, *USES, "sentinels", "uninterpretable"]
    columns += list_root_checks(run.summary)
    accounts = run.accounts()
    stale = accounts.loc[mark_stale(accounts), "account_id"].astype("str")
    counts, roots = [], []
    for frame in run.users():
        counts.append(_count(frame[~frame["account_id"].isin(stale).to_numpy()]))
        roots.append(frame.loc[is_true(frame["is_root"]), columns])
    nobody = pd.DataFrame({CONSOLE: [], WITHOUT: []}, dtype="int64")
    nothing = pd.DataFrame(columns=columns)
    rows = pd.concat(roots, ignore_index=True) if roots else nothing
    rows = rows.assign(is_stale=rows["account_id"].isin(stale).to_numpy("bool"))
    return Census(
        # An account's rows can lie in two batches.
        console=pd.concat(counts).groupby(level=0, sort=True).sum() if counts else nobody,
        roots=rows.astype(dict.fromkeys(("sentinels", "uninterpretable"), "category")),
    )


def mark_stale(accounts: pd.DataFrame) -> pd.Series:
    """
    Return a bool mask of the accounts that were read by a report that was too old: nothing is known of their users.
    """
    # A previous run may be older than the check.
    if _STALE not in accounts:
        return pd.Series(data=False, index=accounts.index)
    return accounts[_STALE].astype("str") == str(Verdict.UNKNOWN)


def list_root_checks(summary: Summary) -> list[str]:
    """
    Return the names of the checks that are about root users.
    """
    return [total.check for total in summary.checks if str(Subject.ROOT) in total.subject.split()]


def _count(frame: pd.DataFrame) -> pd.DataFrame:
    people = frame[~is_true(frame["is_root"])]
    console = is_true(people["password_enabled"])
    marks = pd.DataFrame(
        {
            CONSOLE: console.to_numpy("int64"),
            WITHOUT: (console & is_false(people["mfa_active"])).to_numpy("int64"),
        },
        index=people["account_id"].astype("str").to_numpy(),
    )
    return marks.groupby(level=0, sort=False).sum()
