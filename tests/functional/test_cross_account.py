"""
No account's data is ever taken for another's: not by many threads, nor by credentials that are mixed up.
"""

from dataclasses import replace

import pandas as pd
import pytest
from crowd_run import compare, make_crowd, scan_crowd

from scanner.evidence import StoredRun
from scanner.simulator import Fault, FaultKind, FaultPlan, build_world

pytestmark = pytest.mark.functional


@pytest.fixture(name="crowd", scope="module")
def scan_many(tmp_path_factory):
    world = make_crowd(800)
    assert len({user.name for account in world.accounts for user in account.users}) == 3200
    return world, scan_crowd(world, tmp_path_factory.mktemp("crowd"))


def test_with_64_threads_no_row_is_in_another_account(crowd):
    """
    800 accounts that all answer differently: each report and each row is its own. `make faults` does it with 5,000.
    """
    world, run = crowd

    assert run.summary.accounts.collected == 800
    assert sum(map(len, run.users())) == 800 * 5
    assert run.summary.users.console_without_mfa == len(world.offenders())


def test_two_accounts_that_changed_places_are_noticed(crowd):
    """
    The comparison itself can fail: here two accounts of the truth change their users.
    """
    world, run = crowd
    start = pd.concat(run.users())["generated_time"].min()
    one, two, *others = world.accounts
    swapped = (replace(one, users=two.users), replace(two, users=one.users), *others)

    with pytest.raises(AssertionError, match=f"account {one.id} has another report"):
        compare(run, replace(world, accounts=swapped), start.to_pydatetime())


@pytest.mark.parametrize("kind", [FaultKind.FOREIGN_SESSION, FaultKind.CSV_FOREIGN])
def test_what_belongs_to_another_account_is_refused(scanning, kind):
    """
    A session of another account under the right name, and a report of another account: neither is anybody's.
    """
    world = build_world(accounts=40, users=5, seed=9, offenders=0.5)
    mixed = sorted(account.id for account in world.accounts[5:8])
    plan = FaultPlan(tuple(Fault(kind, account=account) for account in mixed))

    with scanning(world, plan) as scanner:
        done = scanner.scan("--workers", "32")
        checked = scanner.command("verify", str(done.folder))

    accounts = done.run.accounts().set_index("account_id")
    missed = accounts[accounts["outcome"] != "collected"]
    assert done.status == 3, done.stderr
    assert sorted(missed.index) == mixed
    assert set(missed["reason_code"]) == {"wrong-account"}
    users = pd.concat(done.run.users())
    assert not set(users["account_id"]) & set(mixed)
    assert not users["arn"].duplicated().any()
    assert (users["arn"].str.split(":").str[4] == users["account_id"]).all()
    found = done.run.findings()
    noted = found[(found["check"] == "console-no-mfa") & (found["verdict"] == "fail")]
    assert set(zip(noted["account_id"], noted["user"], strict=True)) == {
        (account, user) for account, user in world.offenders() if account not in mixed
    }
    assert checked.status == 0, checked.stdout


def test_the_report_that_was_refused_is_kept_as_it_came(scanning):
    """
    Whoever looks for the cause sees whose report it was.
    """
    world = build_world(accounts=4, users=3, seed=9)
    mixed = world.accounts[-1].id
    plan = FaultPlan((Fault(FaultKind.FOREIGN_SESSION, account=mixed),))

    with scanning(world, plan) as scanner:
        run: StoredRun = scanner.scan().run

    kept = run.folder / "raw" / mixed / "credential-report.csv"
    reason = run.accounts().set_index("account_id").loc[mixed, "reason"]
    assert f"arn:aws:iam::{world.management_id}:root".encode() in kept.read_bytes()
    assert f"raw/{mixed}/credential-report.csv" in str(reason)
