import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.history import (
    COLUMNS,
    PERIODS,
    History,
    Previous,
    State,
    describe_gap,
    extend_trend,
    is_change,
    make_history,
)
from scanner.model import AccountId
from scanner.summary import PreviousRun, TrendPoint

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
PAY, LAB, OLD = (AccountId(digit * 12) for digit in "123")
DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 5, 9, tzinfo=UTC)
MFA, KEY = "console-no-mfa", "access-key-age"


@dataclass(frozen=True)
class Scan:
    """
    One run: what became of each listed account, and who was found by which check.

    `found` holds account, user and check of each finding.
    """

    accounts: Mapping[AccountId, str]
    found: frozenset[tuple[AccountId, str, str]] = frozenset()
    checks: tuple[str, ...] = (MFA, KEY)
    began: datetime = FIRST


@dataclass
class Carried:
    """
    What a run leaves: its findings as annotated, its history, and what it counted.
    """

    findings: pd.DataFrame
    history: pd.DataFrame
    changes: Mapping[str, int]
    previous: Previous = field(repr=False)

    def states(self) -> dict[str, str]:
        """
        Return the state of each known finding, by user and check.
        """
        rows = self.history[self.history["finding_id"].notna()]
        return {
            f"{user} {check}": str(state)
            for user, check, state in zip(rows["user"], rows["check"], rows["state"], strict=True)
        }

    def row(self, user: str = "ann", check: str = MFA) -> "pd.Series[Any]":
        """
        Return one finding's row of the history.
        """
        rows = self.history[(self.history["user"] == user) & (self.history["check"] == check)]
        (_, row), *others = rows.iterrows()
        assert others == []
        return row


def identify(account: str, user: str, check: str) -> str:
    return f"{account} {user} {check}"


def list_found(found: Sequence[tuple[AccountId, str, str]]) -> pd.DataFrame:
    """
    Return findings as the judge lists them, as far as a history needs them.
    """
    rows = [
        {
            "finding_id": identify(*key),
            "account_id": key[0],
            "account_name": f"name-{key[0][-1]}",
            "user": key[1],
            "arn": f"arn:aws:iam::{key[0]}:user/{key[1]}",
            "check": key[2],
            "severity": "high",
            "verdict": "fail",
        }
        for key in found
    ]
    columns = [name for name in COLUMNS if name not in {"state", *list_times()}]
    return pd.DataFrame(rows, columns=columns).astype("str")


def list_times() -> tuple[str, ...]:
    return ("first_seen", "opened", "last_seen", "closed")


def advance(
    scan: Scan,
    before: Carried | None = None,
    batches: Sequence[Sequence[AccountId]] | None = None,
    *,
    backwards: bool = False,
) -> Carried:
    """
    Carry the history on by one run, account by account or in the batches given.
    """
    history = History(before.previous if before else None, scan.began, scan.checks)
    parts, found = [], []
    for batch in [sorted(scan.accounts)] if batches is None else batches:
        listed = pd.DataFrame(
            [
                {"account_id": name, "name": f"name-{name[-1]}", "outcome": scan.accounts[name]}
                for name in batch
            ],
            columns=["account_id", "name", "outcome"],
        ).astype("str")
        mine = sorted((key for key in scan.found if key[0] in batch), reverse=backwards)
        annotated, rows = history.advance(list_found(mine), listed)
        found.append(annotated)
        parts.append(rows)
    parts.append(history.finish())
    whole = pd.concat(parts, ignore_index=True) if parts else make_history([])
    run = PreviousRun(f"{scan.began:%Y%m%dT%H%M%SZ}", "2026-Q1", scan.began, "0" * 64)
    return Carried(
        pd.concat(found, ignore_index=True),
        whole,
        history.changes,
        Previous(run, cut(whole), frozenset(scan.accounts)),
    )


class cut:  # noqa: N801 - reads like the verb it is
    """
    Yields a history as files are read: in order of account id, a few rows at a time, as often as asked.
    """

    def __init__(self, whole: pd.DataFrame) -> None:
        self._whole = whole.sort_values("account_id", kind="stable", ignore_index=True)

    def __iter__(self) -> Iterator[pd.DataFrame]:  # noqa: D105 - the class says it
        return (self._whole.iloc[start : start + 2] for start in range(0, len(self._whole), 2))


def run(*scans: Scan) -> Carried:
    """
    Carry the history on by several runs, a day apart.
    """
    carried: Carried | None = None
    for number, scan in enumerate(scans):
        carried = advance(
            Scan(scan.accounts, scan.found, scan.checks, FIRST + number * DAY), carried
        )
    assert carried is not None
    return carried


READ = {PAY: "collected"}
ANN = (PAY, "ann", MFA)
OPEN, CLEAN = Scan(READ, frozenset({ANN})), Scan(READ)


def lost(outcome: str) -> Scan:
    return Scan({PAY: outcome})


# What becomes of a finding


def test_in_the_first_run_every_finding_is_new_and_no_account_joined():
    """
    Without a run before, nothing can be said of what was there.
    """
    carried = run(OPEN)

    assert carried.states() == {"ann console-no-mfa": "new"}
    assert carried.changes == {"new": 1}
    assert (carried.row()["first_seen"], carried.row()["opened"]) == (FIRST, FIRST)


@pytest.mark.parametrize(
    ("scans", "state"),
    [
        ([OPEN], "new"),
        ([CLEAN, OPEN], "new"),
        ([OPEN, OPEN], "still-open"),
        ([OPEN, OPEN, OPEN], "still-open"),
        ([OPEN, lost("not-collected"), OPEN], "still-open"),
        ([OPEN, CLEAN], "fixed"),
        ([OPEN, CLEAN, CLEAN], "fixed"),
        ([OPEN, CLEAN, lost("not-collected")], "fixed"),
        ([OPEN, CLEAN, OPEN], "reopened"),
        ([OPEN, CLEAN, CLEAN, OPEN], "reopened"),
        ([OPEN, CLEAN, OPEN, OPEN], "still-open"),
        ([OPEN, CLEAN, OPEN, CLEAN], "fixed"),
        ([OPEN, lost("not-collected")], "not-scanned"),
        ([OPEN, lost("excluded")], "not-scanned"),
        ([OPEN, lost("not-active")], "not-scanned"),
        ([OPEN, lost("not-collected"), lost("excluded")], "not-scanned"),
        ([OPEN, lost("not-collected"), CLEAN], "fixed"),
        ([OPEN, Scan(READ, checks=(KEY,))], "not-scanned"),
        ([OPEN, Scan(READ, checks=())], "not-scanned"),
        ([OPEN, Scan(READ, checks=(KEY,)), CLEAN], "fixed"),
        ([OPEN, Scan(READ, checks=(KEY,)), OPEN], "still-open"),
        ([OPEN, Scan({LAB: "collected"})], "account-left"),
        ([OPEN, Scan({LAB: "collected"}), Scan({LAB: "collected"})], "left-before"),
        ([OPEN, Scan({LAB: "collected"}), OPEN], "still-open"),
        ([OPEN, CLEAN, Scan({LAB: "collected"})], "fixed"),
    ],
)
def test_what_became_of_a_finding(scans, state):
    """
    Gone is fixed only where its account was read and its check was made; all else is not known.
    """
    assert run(*scans).states() == {"ann console-no-mfa": state}


def test_a_check_with_other_parameters_is_another_check():
    """
    A finding of 90 days is not fixed by a run that counted 45.
    """
    old = Scan(READ, frozenset({(PAY, "ann", KEY)}))
    new = Scan(READ, checks=(f"{KEY}:days=45",))

    assert run(old, new).states() == {"ann access-key-age": "not-scanned"}


def test_another_user_s_finding_fixes_nothing():
    """
    Each finding is followed by its own id.
    """
    bob = Scan(READ, frozenset({(PAY, "bob", MFA)}))

    assert run(OPEN, bob).states() == {"ann console-no-mfa": "fixed", "bob console-no-mfa": "new"}


def test_a_fixed_finding_stays_known():
    """
    However long ago, so that one which comes back is known to have been there.
    """
    carried = run(OPEN, CLEAN, *[CLEAN] * 10)

    row = carried.row()
    assert (row["state"], row["closed"]) == ("fixed", FIRST + DAY)
    assert row["last_seen"] == FIRST
    assert carried.changes == {}


def test_first_seen_survives_reopening_and_opened_does_not():
    """
    How long it has been open counts from the last time it was opened; since when it is known, from the first.
    """
    carried = run(OPEN, CLEAN, CLEAN, OPEN, OPEN, OPEN)

    row = carried.row()
    (finding,) = carried.findings.to_dict("records")
    assert row["first_seen"] == finding["first_seen"] == FIRST
    assert row["opened"] == FIRST + 3 * DAY
    assert row["last_seen"] == FIRST + 5 * DAY
    assert pd.isna(row["closed"])
    assert finding["days_open"] == 2


@pytest.mark.parametrize(
    ("later", "days"),
    [
        (timedelta(0), 0),
        (DAY - timedelta(seconds=1), 0),
        (DAY, 1),
        (2 * DAY - timedelta(seconds=1), 1),
        (400 * DAY, 400),
    ],
)
def test_days_open_are_whole_days(later, days):
    """
    They are rounded down, from the run that opened the finding to this one.
    """
    carried = advance(Scan(READ, frozenset({ANN}), began=FIRST + later), advance(OPEN))

    assert carried.findings["days_open"].tolist() == [days]


def test_days_open_go_on_while_nobody_looks():
    """
    A run that could not read the account does not close the finding.
    """
    assert run(OPEN, lost("not-collected"), OPEN).findings["days_open"].tolist() == [2]


# What becomes of an account


@pytest.mark.parametrize("outcome", ["collected", "not-collected", "excluded", "not-active"])
def test_accounts_that_joined_and_left_are_said(outcome):
    """
    Whatever became of them: what counts is whether the organization lists them.
    """
    carried = run(Scan({PAY: "collected", OLD: outcome}), Scan({PAY: "collected", LAB: outcome}))

    about = carried.history[carried.history["finding_id"].isna()]
    assert list(zip(about["account_id"], about["state"], strict=True)) == [
        (LAB, "account-joined"),
        (OLD, "account-left"),
    ]
    assert carried.changes == {"accounts-joined": 1, "accounts-left": 1}
    assert about["account_name"].tolist()[0] == "name-2"


def test_an_account_s_coming_and_going_is_told_once():
    """
    Rows about accounts are of one run alone.
    """
    carried = run(Scan({PAY: "collected"}), Scan({LAB: "collected"}), Scan({LAB: "collected"}))

    assert carried.history["finding_id"].isna().sum() == 0
    assert carried.changes == {}


def test_findings_of_an_account_that_left_are_counted_apart_from_the_account():
    """
    Two findings and one account.
    """
    two = Scan(READ, frozenset({ANN, (PAY, "ann", KEY)}))

    carried = run(two, Scan({LAB: "collected"}))

    assert carried.changes == {"account-left": 2, "accounts-left": 1, "accounts-joined": 1}


def test_a_new_account_s_findings_are_new():
    """
    Joining is one thing, and what is found there another.
    """
    both = Scan(READ | {LAB: "collected"}, frozenset({ANN, (LAB, "eve", MFA)}))

    carried = run(OPEN, both)

    assert carried.states() == {"ann console-no-mfa": "still-open", "eve console-no-mfa": "new"}
    assert carried.changes == {"still-open": 1, "new": 1, "accounts-joined": 1}


# Runs and batches of any kind

accounts = st.sampled_from([PAY, LAB, OLD])
outcomes = st.sampled_from(["collected", "collected", "not-collected", "excluded", "not-active"])


@st.composite
def scans(draw: st.DrawFn) -> Scan:
    """
    Draw one run. Only accounts that were read have findings, of checks that were made.
    """
    listed = draw(st.dictionaries(accounts, outcomes, min_size=1))
    made = draw(st.sampled_from([(MFA, KEY), (MFA, KEY), (MFA,), (KEY,)]))
    keys = [
        (account, user, check)
        for account, outcome in listed.items()
        if outcome == "collected"
        for user in ("ann", "bob")
        for check in made
    ]
    return Scan(
        listed, frozenset(draw(st.sets(st.sampled_from(keys)))) if keys else frozenset(), made
    )


@dataclass
class Known:
    """
    One finding as a plain reading of the rules knows it.
    """

    first: datetime
    opened: datetime
    last: datetime
    closed: datetime | None
    state: str


def expect(known: dict[tuple[AccountId, str, str], Known], scan: Scan) -> None:
    """
    Carry on what is known of each finding by one run, one finding at a time.
    """
    now = scan.began
    for key, one in known.items():
        account, _, check = key
        if key in scan.found:
            if one.closed:
                one.opened, one.closed, one.state = now, None, "reopened"
            else:
                one.state = "still-open"
            one.last = now
        elif one.closed:
            one.state = "fixed"
        elif account not in scan.accounts:
            left = one.state in {"account-left", "left-before"}
            one.state = "left-before" if left else "account-left"
        elif scan.accounts[account] == "collected" and check in scan.checks:
            one.closed, one.state = now, "fixed"
        else:
            one.state = "not-scanned"
    for key in scan.found - known.keys():
        known[key] = Known(now, now, now, None, "new")


def sort_rows(rows: pd.DataFrame) -> pd.DataFrame:
    plain = rows.astype("object").where(rows.notna(), None)
    return plain.sort_values(["account_id", "finding_id", "state"], ignore_index=True)


@FEW
@given(st.lists(scans(), min_size=1, max_size=5))
def test_a_history_is_what_its_runs_say_one_by_one(drawn):
    """
    For any runs: states, times and counts are those of a plain reading of the rules.
    """
    known: dict[tuple[AccountId, str, str], Known] = {}
    carried: Carried | None = None
    listed: Mapping[AccountId, str] | None = None
    for number, scan in enumerate(drawn):
        dated = Scan(scan.accounts, scan.found, scan.checks, FIRST + number * DAY)
        carried = advance(dated, carried)
        expect(known, dated)

        about = carried.history[carried.history["finding_id"].notna()].set_index("finding_id")
        assert about.index.is_unique
        assert {
            name: (str(row["state"]), row["first_seen"], row["opened"], row["last_seen"])
            for name, row in about.iterrows()
        } == {
            identify(*key): (one.state, one.first, one.opened, one.last)
            for key, one in known.items()
        }
        closed = {name: moment for name, moment in about["closed"].items() if not pd.isna(moment)}
        assert closed == {identify(*key): one.closed for key, one in known.items() if one.closed}
        named = {
            str(row["finding_id"]): str(row["state"]) for _, row in carried.findings.iterrows()
        }
        assert named == {identify(*key): known[key].state for key in dated.found}
        counted = [
            one.state
            for one in known.values()
            if one.closed in {None, dated.began} and one.state != "left-before"
        ]
        changes = {state: counted.count(state) for state in counted}
        if listed is not None:
            moved = {
                "accounts-joined": len(scan.accounts.keys() - listed.keys()),
                "accounts-left": len(listed.keys() - scan.accounts.keys()),
            }
            changes |= {name: number for name, number in moved.items() if number}
        assert dict(carried.changes) == changes
        listed = scan.accounts


@FEW
@given(st.lists(scans(), min_size=2, max_size=3), st.data())
def test_batches_and_their_order_make_no_difference(drawn, data):
    """
    Account by account, in any batches and rows in any order: the same history, findings and counts.
    """
    *before, last = [
        Scan(scan.accounts, scan.found, scan.checks, FIRST + number * DAY)
        for number, scan in enumerate(drawn)
    ]
    carried: Carried | None = None
    for scan in before:
        carried = advance(scan, carried)
    names = sorted(last.accounts)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(names)))) | {0, len(names)})
    batches = [names[start:end] for start, end in itertools.pairwise(cuts)]

    at_once = advance(last, carried)
    by_batch = advance(last, carried, batches, backwards=data.draw(st.booleans()))

    pd.testing.assert_frame_equal(sort_rows(by_batch.history), sort_rows(at_once.history))
    columns = ["finding_id", "state", "first_seen", "last_seen", "days_open"]
    pd.testing.assert_frame_equal(
        by_batch.findings[columns].sort_values("finding_id", ignore_index=True),
        at_once.findings[columns].sort_values("finding_id", ignore_index=True),
        check_dtype=False,
    )
    assert by_batch.changes == at_once.changes


def test_what_was_fixed_before_is_no_change_of_this_run():
    """
    A history keeps it; what is shown of a run leaves it out.
    """
    fixed_now, fixed_before = run(OPEN, CLEAN), run(OPEN, CLEAN, CLEAN)

    assert is_change(fixed_now.history, FIRST + DAY).tolist() == [True]
    assert is_change(fixed_before.history, FIRST + 2 * DAY).tolist() == [False]


def test_a_batch_without_accounts_changes_nothing():
    """
    Nothing in, nothing out, and the columns are there all the same.
    """
    history = History(advance(OPEN).previous, FIRST + DAY, [MFA])

    empty = pd.DataFrame(columns=["account_id", "name", "outcome"])

    findings, rows = history.advance(list_found([]), empty)

    assert (len(findings), len(rows)) == (0, 0)
    assert list(rows.columns) == list(COLUMNS)
    assert {"state", "first_seen", "last_seen", "days_open"} <= set(findings.columns)


def test_there_are_eight_states():
    """
    A state that is added or lost must be meant.
    """
    assert sorted(State) == [
        "account-joined",
        "account-left",
        "fixed",
        "left-before",
        "new",
        "not-scanned",
        "reopened",
        "still-open",
    ]


# Trend and gap


def point(period: str, run_id: str = "r") -> TrendPoint:
    return TrendPoint(period, run_id, FIRST, 1, 1, 1, 1, 0, 0, 0)


def test_a_trend_has_one_point_for_each_period():
    """
    A second run in a quarter takes the place of the first, and this run is the last point.
    """
    trend = (point("2026-Q1"), point("2026-Q2", "first"))

    longer = extend_trend(trend, point("2026-Q2", "second"))

    assert [(one.period, one.run_id) for one in longer] == [("2026-Q1", "r"), ("2026-Q2", "second")]
    assert extend_trend((), point("2026-Q1")) == (point("2026-Q1"),)


def test_a_trend_has_eight_points_at_most():
    """
    The oldest gives way.
    """
    trend: tuple[TrendPoint, ...] = ()
    for number in range(20):
        trend = extend_trend(trend, point(f"p{number}"))

    assert [one.period for one in trend] == [f"p{number}" for number in range(12, 20)]
    assert len(trend) == PERIODS == 8


def before(days: float) -> PreviousRun:
    return PreviousRun("20260105T090000Z", "2026-Q1", FIRST - timedelta(days=days), "0" * 64)


@pytest.mark.parametrize("days", [0, 1, 90, 91, 92, 92.5])
def test_a_quarter_is_no_gap(days):
    """
    A quarter has 92 days at most.
    """
    assert describe_gap(before(days), FIRST) is None


@pytest.mark.parametrize(("days", "said"), [(93, 93), (93.5, 93), (400, 400)])
def test_more_than_a_quarter_between_two_runs_is_said(days, said):
    """
    A quarterly review that was left out shows, with the run before it.
    """
    gap = describe_gap(before(days), FIRST)

    assert gap is not None
    assert gap.startswith(
        f"{said} days lie between this run and the previous one (20260105T090000Z)"
    )


def test_the_first_run_has_no_gap():
    """
    Without a run before there is nothing to measure from.
    """
    assert describe_gap(None, FIRST) is None
