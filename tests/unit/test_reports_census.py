from types import SimpleNamespace
from typing import Any

import pandas as pd

from scanner.credentials import BOOLEAN_COLUMNS, REPORT_COLUMNS, TIME_COLUMNS
from scanner.reports.census import take_census
from scanner.reports.root_pages import _count


def row(account: str, *, root: bool = False, password: object = True, mfa: object = False):
    """
    Return one row of the users table.
    """
    values = dict.fromkeys([*REPORT_COLUMNS, "sentinels", "uninterpretable"])
    booleans = dict.fromkeys(BOOLEAN_COLUMNS, False)
    return (
        values
        | booleans
        | {
            "account_id": account,
            "is_root": root,
            "password_enabled": password,
            "mfa_active": mfa,
        }
    )


def batch(*rows):
    """
    Return a frame with the dtypes of the stored table.
    """
    frame = pd.DataFrame(list(rows))
    types = dict.fromkeys((*BOOLEAN_COLUMNS, "is_root"), "boolean")
    types |= dict.fromkeys(TIME_COLUMNS, "datetime64[ms, UTC]")
    return frame.astype(
        types | dict.fromkeys(("account_id", "sentinels", "uninterpretable"), "string")
    )


def count(*batches, ages=None):
    """
    Take the census of a run whose users table comes in these batches. `ages` of its reports are in hours.
    """
    hours = ages or {}
    accounts = pd.DataFrame(
        {
            "account_id": list(hours),
            "report-stale": ["unknown" if age > 24 else "pass" for age in hours.values()],
        }
    )
    run: Any = SimpleNamespace(
        users=lambda: iter(batches),
        accounts=lambda: accounts,
        summary=SimpleNamespace(checks=()),
    )
    return take_census(run)


def test_an_account_in_two_batches_is_counted_once():
    """
    Where a batch ends says nothing about an account.
    """
    one, two = row("1"), row("1", mfa=True)

    census = count(batch(row("1", root=True), one), batch(two, row("2")))

    assert census.console.to_dict("index") == {
        "1": {"console": 2, "without": 1},
        "2": {"console": 1, "without": 1},
    }
    assert census.roots["account_id"].tolist() == ["1"]


def test_what_is_not_clear_is_neither_with_nor_without():
    """
    An unreadable password makes no console user, and an unreadable device nobody without one.
    """
    census = count(batch(row("1", password=None), row("1", mfa=None), row("1", password=False)))

    assert census.console.to_dict("index") == {"1": {"console": 1, "without": 0}}


def test_a_report_that_is_too_old_counts_nobody():
    """
    Its users are in no OU's figures, as they are in none of the summary's; its root user stays listed.
    """
    census = count(
        batch(row("1", root=True), row("1"), row("2", root=True), row("2")), ages={"1": 25, "2": 24}
    )

    assert census.console.to_dict("index") == {"2": {"console": 1, "without": 1}}
    assert census.roots["account_id"].tolist() == ["1", "2"]
    assert census.roots["is_stale"].tolist() == [True, False]
    assert _count(census.roots)[:5] == [
        ("read", 2),
        ("report too old", 1),
        ("with a password", 1),
        ("password not stated", 0),
        ("with MFA", 0),
    ]


def test_root_is_no_console_user():
    """
    Root users are counted apart.
    """
    census = count(batch(row("1", root=True)))

    assert census.console["console"].sum() == 0
    assert len(census.roots) == 1


def test_a_run_without_users_has_an_empty_census():
    """
    Nothing that was read is nothing counted, and no error.
    """
    census = count()

    assert (len(census.console), len(census.roots)) == (0, 0)
