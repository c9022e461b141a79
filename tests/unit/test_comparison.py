import json
from dataclasses import replace
from datetime import timedelta

import pytest
from report_text import ACCOUNT, OTHER, root_row, user_row
from run_folder import MANAGEMENT, OPEN, SAFE, STARTED, UNCLEAR, Folder, map_check, write_catalog

from scanner.comparison import compare_runs, describe_changes, encode_changes
from scanner.errors import EvidenceError, SettingsError
from scanner.history import State
from scanner.model import show

EARLIER = STARTED - timedelta(days=90)


def make_run(parent, *rows, run_id="20261124T090000Z", started=STARTED, **changes):
    """
    Seal a run with one account's rows beside the management account.
    """
    folder = Folder(parent, run_id, started)
    folder.reports[ACCOUNT] = [root_row(), *rows]
    for name, value in changes.items():
        setattr(folder, name, value)
    return folder.fill().finish()


def make_older(parent, *rows, **changes):
    return make_run(parent, *rows, run_id="20260826T090000Z", started=EARLIER, **changes)


def open_users(*names):
    return [user_row(name, **OPEN) for name in names]


def compare(tmp_path, before, after):
    """
    Compare two runs over one account, 90 days apart.
    """
    return compare_runs(make_run(tmp_path, *after), make_older(tmp_path, *before))


def list_states(changes):
    return {
        (row["user"], str(row["state"])) for row in changes.rows.astype("object").to_dict("records")
    }


# What is refused


def test_the_older_run_first_is_refused(tmp_path):
    """
    Taken for progress, what was new would be fixed; the message says which to give first.
    """
    newer, older = make_run(tmp_path), make_older(tmp_path)

    with pytest.raises(SettingsError, match="give the newer run first") as caught:
        compare_runs(older, newer)

    assert str(caught.value).startswith(f"{newer.folder}: ")


def test_runs_of_two_organizations_are_refused(tmp_path):
    """
    They have nothing in common, and the message names both.
    """
    older = make_older(tmp_path, organization_id="o-zzzzzzzzzz")

    with pytest.raises(SettingsError, match="compare runs of one organization") as caught:
        compare_runs(make_run(tmp_path), older)

    assert "o-zzzzzzzzzz" in str(caught.value)
    assert "o-a1b2c3d4e5" in str(caught.value)


@pytest.mark.parametrize("which", ["newer", "older"])
@pytest.mark.parametrize(
    "name",
    [
        "summary.json",
        "manifest.json",
        "tables/findings.parquet",
        "tables/history.parquet",
        "tables/accounts.parquet",
        "inputs/settings.json",
    ],
)
def test_a_run_that_is_not_what_was_sealed_is_refused(tmp_path, name, which):
    """
    Either of the two: nothing is compared with what somebody changed.
    """
    runs = {"newer": make_run(tmp_path), "older": make_older(tmp_path)}
    path = runs[which].folder / name
    path.write_bytes(path.read_bytes() + b"\n")

    with pytest.raises(EvidenceError, match=runs[which].folder.name):
        compare_runs(runs["newer"], runs["older"])


# What changed


def test_new_open_and_fixed_are_told_apart(tmp_path):
    """
    Each finding of either run, with what became of it.
    """
    changes = compare(
        tmp_path, open_users("ann", "bob"), [*open_users("ann", "cid"), user_row("bob", **SAFE)]
    )

    assert list_states(changes) == {("ann", "still-open"), ("bob", "fixed"), ("cid", "new")}


def test_a_user_who_is_gone_is_fixed(tmp_path):
    """
    The account was read and the user is not in its report any more.
    """
    assert list_states(compare(tmp_path, open_users("ann"), [])) == {("ann", "fixed")}


def test_a_finding_that_became_unknown_is_still_open(tmp_path):
    """
    Nobody can tell is not fixed.
    """
    changes = compare(tmp_path, open_users("ann"), [user_row("ann", **UNCLEAR)])

    assert list_states(changes) == {("ann", "still-open")}


def test_an_account_that_was_not_read_fixes_nothing(tmp_path):
    """
    Its findings are not scanned, and the account itself is a new finding.
    """
    older = make_older(tmp_path, *open_users("ann"))

    changes = compare_runs(make_run(tmp_path, *open_users("ann"), missed={ACCOUNT}), older)

    states = {
        (row["check"], str(row["state"]))
        for row in changes.rows.astype("object").to_dict("records")
    }
    assert states == {("console-no-mfa", "not-scanned"), ("account-not-collected", "new")}


def test_a_check_that_was_not_made_fixes_nothing(tmp_path):
    """
    Under another catalog some checks are left out: what they found is not known to be gone.
    """
    older = make_older(tmp_path, *open_users("ann"))
    catalogs = {"house-1.0": write_catalog("house-1.0", {"1": [map_check("user-inactive")]})}

    changes = compare_runs(make_run(tmp_path, catalogs=catalogs), older)

    assert list_states(changes) == {("ann", "not-scanned")}


def test_what_an_older_run_had_fixed_already_is_no_change(tmp_path):
    """
    A diff of two runs does not tell of a third.
    """
    first = make_run(
        tmp_path, *open_users("ann"), run_id="20260601T090000Z", started=EARLIER - timedelta(90)
    )
    middle = Folder(tmp_path, "20260826T090000Z", EARLIER)
    middle.reports[ACCOUNT] = [root_row()]
    older = middle.fill().follow(first.folder).finish()

    changes = compare_runs(make_run(tmp_path), older)

    assert list_states(changes) == set()


def test_a_finding_that_came_back_is_reopened(tmp_path):
    """
    The older run knew that it had been fixed.
    """
    first = make_run(
        tmp_path, *open_users("ann"), run_id="20260601T090000Z", started=EARLIER - timedelta(90)
    )
    middle = Folder(tmp_path, "20260826T090000Z", EARLIER)
    middle.reports[ACCOUNT] = [root_row()]
    older = middle.fill().follow(first.folder).finish()

    changes = compare_runs(make_run(tmp_path, *open_users("ann")), older)

    assert list_states(changes) == {("ann", "reopened")}


def test_a_run_compared_with_itself_has_nothing_new(tmp_path):
    """
    Every finding is still open.
    """
    run = make_run(tmp_path, *open_users("ann", "bob"))

    assert list_states(compare_runs(run, run)) == {("ann", "still-open"), ("bob", "still-open")}


def with_another(tmp_path, make, *rows):
    """
    Seal a run of an organization with one account more.
    """
    folder = Folder(tmp_path, *make)
    folder.reports[ACCOUNT] = [root_row(), *rows]
    folder.states[OTHER] = "ACTIVE"
    folder.names[OTHER] = "=1+1"
    folder.reports[OTHER] = [root_row(OTHER), user_row("eve", OTHER, **OPEN)]
    return folder.fill().finish()


# How it is written


def test_every_state_has_its_lines(tmp_path):
    """
    What a terminal shows names both runs, the number of each state, and who it is about.
    """
    newer = with_another(tmp_path, ("20261124T090000Z", STARTED), *open_users("ann"))

    lines = describe_changes(compare_runs(newer, make_older(tmp_path, *open_users("ann", "bob"))))

    assert lines[0] == (
        "from run 20260826T090000Z (2026-Q4) to run 20261124T090000Z (2026-Q4), organization "
        "o-a1b2c3d4e5"
    )
    assert [line for line in lines[1:] if line] == [
        "new: 1",
        f"  {OTHER} (=1+1)  eve  console-no-mfa  high",
        "reopened: 0",
        "still open: 1",
        f"  {ACCOUNT} (payments)  ann  console-no-mfa  high",
        "fixed: 1",
        f"  {ACCOUNT} (payments)  bob  console-no-mfa  high",
        "not scanned this time, so not known to be fixed: 0",
        "accounts that joined: 1",
        f"  {OTHER} (=1+1)",
        "accounts that left: 0",
    ]


def test_json_counts_every_state(tmp_path):
    """
    A state without rows is there with nought, so that nobody takes its absence for a fault.
    """
    newer = with_another(tmp_path, ("20261124T090000Z", STARTED), *open_users("ann"))

    told = json.loads(encode_changes(compare_runs(newer, make_older(tmp_path, *open_users("bob")))))

    assert told["counts"] == {
        str(state): 0 for state in State if state is not State.LEFT_BEFORE
    } | {
        "new": 2,
        "fixed": 1,
        "account-joined": 1,
    }
    assert sum(told["counts"].values()) == len(told["changes"])
    assert told["newer"] == {"run_id": "20261124T090000Z", "period": "2026-Q4"}
    assert told["older"] == {"run_id": "20260826T090000Z", "period": "2026-Q4"}


def test_json_holds_every_column_of_every_row(tmp_path):
    """
    Times are written in UTC with Z, and what is missing is null.
    """
    changes = compare(tmp_path, open_users("ann"), [])

    (row,) = json.loads(encode_changes(changes))["changes"]

    assert list(row) == sorted(changes.rows.columns)
    assert (row["user"], row["state"], row["check"]) == ("ann", "fixed", "console-no-mfa")
    assert row["first_seen"] == row["opened"] == row["last_seen"] == "2026-08-26T09:00:00Z"
    assert row["closed"] == "2026-11-24T09:00:00Z"


def test_no_change_at_all_is_said_in_full(tmp_path):
    """
    Two clean runs: every state is there, with nothing under it.
    """
    changes = compare(tmp_path, [], [])

    assert set(json.loads(encode_changes(changes))["counts"].values()) == {0}
    assert json.loads(encode_changes(changes))["changes"] == []
    assert len([line for line in describe_changes(changes) if line.endswith(": 0")]) == 7


def test_a_row_is_one_line_whatever_its_account_is_called(tmp_path):
    """
    Names are data: what the command prints of a line, it prints on one (`show`).
    """
    names = {ACCOUNT: "pay\nments\x1b[31m\u202e"}
    older = make_older(tmp_path, *open_users("ann"))

    changes = compare_runs(make_run(tmp_path, *open_users("ann", "bob"), names=names), older)

    lines = [show(line) for line in describe_changes(changes)]
    assert len([line for line in lines if line.startswith("  ")]) == len(changes.rows) == 2
    assert all(line.isprintable() for line in lines)
    assert "pay\\nments" in encode_changes(changes)


def test_the_selection_does_not_make_accounts_leave(tmp_path):
    """
    An account that was left out this time is still listed: it did not leave, and nothing of it is fixed.
    """
    older = make_older(tmp_path, *open_users("ann"))
    terms = Folder(tmp_path).terms
    partial = replace(terms, selection=replace(terms.selection, accounts=(MANAGEMENT,)))

    changes = compare_runs(make_run(tmp_path, *open_users("ann"), terms=partial), older)

    assert list_states(changes) == {("ann", "not-scanned")}
