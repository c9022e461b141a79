"""
This run against an earlier one: what is new, still open, fixed, and what nobody could look at. Pure.

A finding that is gone is fixed only when its account was read and its check was made: an account that was
not scanned this time fixes nothing. What is known of earlier runs is one table, the history, which every
run takes from the one before it and carries on; so a finding that comes back is known to have been there.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import pandas as pd

from scanner.model import AccountId, AccountOutcome, Verdict
from scanner.summary import PreviousRun, TrendPoint

QUARTER = timedelta(days=92)
"""
The longest that a quarter lasts (PCI DSS: 90 to 92 days). A longer gap between two runs is said.
"""

PERIODS = 8
"""
How many periods a trend shows: two years of quarters.
"""

COLUMNS = (
    "finding_id",
    "account_id",
    "account_name",
    "user",
    "arn",
    "check",
    "severity",
    "verdict",
    "state",
    "first_seen",
    "opened",
    "last_seen",
    "closed",
)
"""
The history table: one row for each finding ever seen, and for each account that joined or left just now.

`first_seen` is the run that saw a finding first, `opened` the one that saw it first since it was last
closed, `last_seen` the last that saw it, `closed` the one that found it fixed. All are the moments at which
those runs began. `verdict` and `severity` are those of the last run that saw it.
"""

_TIMES = ("first_seen", "opened", "last_seen", "closed")
_TEXT_DTYPES = dict.fromkeys((name for name in COLUMNS if name not in _TIMES), "str")
_TIME_DTYPE = pd.DatetimeTZDtype(unit="ms", tz="UTC")


class State(StrEnum):
    """
    What became of a finding or an account since the previous run.

    An account that left says so once; what was open in it is `left-before` in later runs.
    """

    NEW = "new"
    STILL_OPEN = "still-open"
    REOPENED = "reopened"
    FIXED = "fixed"
    NOT_SCANNED = "not-scanned"
    ACCOUNT_JOINED = "account-joined"
    ACCOUNT_LEFT = "account-left"
    LEFT_BEFORE = "left-before"


_CODES = {state: code for code, state in enumerate(State)}
_STATE_DTYPE = pd.CategoricalDtype([str(state) for state in State])


@dataclass(frozen=True)
class Previous:
    """
    What is taken from the previous run: who it was, its history table, and the accounts it listed.

    `findings` yields its history, in frames with the columns `COLUMNS` and in order of account id, and is read
    once: as much of it is held as belongs to the accounts at hand.
    """

    run: PreviousRun
    findings: Iterable[pd.DataFrame]
    accounts: frozenset[AccountId]


class History:
    """
    Carries the history on, account by account in order of id. `now` is the moment this run began.

    `checks` are the columns of the checks made this time. `changes` counts what changed by state, `unclear` those
    findings among it whose verdict could not be reached.
    """

    def __init__(self, previous: Previous | None, now: datetime, checks: Collection[str]) -> None:
        self._previous = previous
        self._now = pd.Timestamp(now).as_unit("ms")
        self._checks = sorted(checks)
        self._known = _Known(previous.findings if previous else ())
        self._expected = sorted(previous.accounts) if previous else []
        self.changes: Counter[str] = Counter()
        self.unclear: Counter[str] = Counter()

    def advance(
        self, findings: pd.DataFrame, accounts: pd.DataFrame
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """
        Say of one batch of findings what became of each, and return the batch's part of the history.

        The findings (columns of `scanner.judge.list_findings`) gain state, first_seen, last_seen (UTC) and
        days_open (Int64, whole days since it was opened). `accounts` holds every account of the batch, read
        or not: account_id, name, outcome; no account comes twice.
        """
        names = list(accounts["account_id"])
        passed = self._known.take(max(names)) if names else make_history([])
        is_listed = passed["account_id"].isin(names)
        known = passed[is_listed].reset_index(drop=True)
        place = _find_places(known["finding_id"], findings["finding_id"])
        annotated = self._annotate(findings, known, place)
        present = np.zeros(len(known), dtype="bool")
        present[place[place >= 0]] = True
        closed = self._close(known[~present], accounts, _find_unclear(findings))
        left = self._leave(passed[~is_listed], names)
        rows = _combine([annotated[list(COLUMNS)], closed, *left, self._find_joined(accounts)])
        self._count(rows)
        extra = ["opened", "closed"]
        return annotated.drop(columns=extra), rows

    def finish(self) -> pd.DataFrame:
        """
        Return the rest of the history: of accounts that left and would come after all that are listed.
        """
        rows = _combine(self._leave(self._known.take(None), None))
        self._count(rows)
        return rows

    def _leave(self, left: pd.DataFrame, names: Sequence[str] | None) -> list[pd.DataFrame]:
        """
        Say of accounts that are no longer listed, up to the last of `names`, that they left.

        An account leaves once: the runs after that only remember what was open in it.
        """
        state = left["state"].astype("str")
        was_gone = state.isin([str(State.ACCOUNT_LEFT), str(State.LEFT_BEFORE)])
        now = np.where(was_gone, str(State.LEFT_BEFORE), str(State.ACCOUNT_LEFT))
        gone = left.assign(
            state=state.where(left["closed"].notna(), pd.Series(now, left.index, dtype="str"))
        )
        end = (
            len(self._expected)
            if names is None
            else bisect_right(self._expected, max(names, default=""))
        )
        missing = sorted(set(self._expected[:end]) - set(names or ()))
        del self._expected[:end]
        rows = [{"account_id": name, "state": str(State.ACCOUNT_LEFT)} for name in missing]
        return [gone, make_history(rows)]

    def _annotate(
        self, findings: pd.DataFrame, known: pd.DataFrame, place: np.ndarray
    ) -> pd.DataFrame:
        """
        Say what became of each finding; `place` is where it stands among the known ones, or -1.
        """
        seen = place >= 0
        was_closed = np.zeros(len(findings), dtype="bool")
        was_closed[seen] = known["closed"].notna().to_numpy()[place[seen]]
        states = np.where(~seen, _CODES[State.NEW], _CODES[State.STILL_OPEN])
        states[was_closed] = _CODES[State.REOPENED]
        first, opened = (_fill(len(findings), self._now) for _ in range(2))
        if seen.any():
            first[seen] = _milliseconds(known["first_seen"])[place[seen]]
            still = seen & ~was_closed
            opened[still] = _milliseconds(known["opened"])[place[still]]
        now = _fill(len(findings), self._now)
        return findings.assign(
            state=pd.Series(pd.Categorical.from_codes(states, dtype=_STATE_DTYPE)),
            first_seen=_moments(first),
            opened=_moments(opened),
            last_seen=_moments(now),
            closed=pd.Series(pd.NaT, index=findings.index, dtype=_TIME_DTYPE),
            days_open=pd.Series((now - opened) // (24 * 60 * 60 * 1000), dtype="Int64"),
        )

    def _close(
        self, gone: pd.DataFrame, accounts: pd.DataFrame, unclear: frozenset[tuple[str, str]]
    ) -> pd.DataFrame:
        """
        Say of findings known before that are not there now: fixed, or not looked at.

        `unclear` names findings of which nobody can tell whether they are the same as before.
        """
        read = accounts.loc[_is_usable(accounts), "account_id"]
        looked = gone["account_id"].isin(read) & gone["check"].isin(self._checks)
        if unclear:
            keys = zip(gone["arn"], gone["check"].astype("str"), strict=True)
            looked &= pd.Series([key not in unclear for key in keys], gone.index, dtype="bool")
        before = gone["closed"].notna()
        now = np.where(looked, str(State.FIXED), str(State.NOT_SCANNED))
        state = gone["state"].astype("str").where(before, pd.Series(now, gone.index, dtype="str"))
        closed = gone["closed"].mask(looked & ~before, self._now)
        return gone.assign(state=state, closed=closed)

    def _find_joined(self, accounts: pd.DataFrame) -> pd.DataFrame:
        if self._previous is None:
            return make_history([])
        joined = accounts[~accounts["account_id"].isin(self._previous.accounts)]
        return make_history(
            [
                {
                    "account_id": account,
                    "account_name": name,
                    "state": str(State.ACCOUNT_JOINED),
                }
                for account, name in zip(joined["account_id"], joined["name"], strict=True)
            ]
        )

    def _count(self, rows: pd.DataFrame) -> None:
        changed = rows[is_change(rows, self._now)]
        about = changed["finding_id"].notna()
        is_unclear = about & (changed["verdict"] == str(Verdict.UNKNOWN))
        for counted, which in ((self.changes, about), (self.unclear, is_unclear)):
            for state, number in changed.loc[which, "state"].value_counts().items():
                if number:
                    counted[str(state)] += int(number)
        for state in (State.ACCOUNT_JOINED, State.ACCOUNT_LEFT):
            number = int((~about & (changed["state"] == str(state))).sum())
            key = f"accounts-{'joined' if state is State.ACCOUNT_JOINED else 'left'}"
            if number:
                self.changes[key] += number


class _Known:
    """
    The previous run's history, read as far as the accounts at hand.
    """

    def __init__(self, frames: Iterable[pd.DataFrame]) -> None:
        self._frames = iter(frames)
        self._rest: pd.DataFrame | None = make_history([])

    def take(self, last: str | None) -> pd.DataFrame:
        """
        Return the findings of all accounts up to `last` that were not taken yet; None takes all.
        """
        parts = []
        while self._rest is not None:
            if last is not None and len(self._rest) and self._rest["account_id"].iloc[-1] > last:
                is_due = self._rest["account_id"] <= last
                parts.append(self._rest[is_due])
                self._rest = self._rest[~is_due]
                break
            parts.append(self._rest)
            self._rest = next(self._frames, None)
        filled = [part for part in parts if len(part)]
        taken = pd.concat(filled, ignore_index=True) if filled else make_history([])
        return taken[taken["finding_id"].notna()].reset_index(drop=True)


def _is_usable(accounts: pd.DataFrame) -> pd.Series:
    """
    Return a bool mask of the accounts whose report shows that something is gone: read, and not too old.
    """
    usable = accounts["outcome"] == str(AccountOutcome.COLLECTED)
    for check in ("report-stale", "population-mismatch"):
        if check in accounts:
            usable &= accounts[check].astype("str") != str(Verdict.UNKNOWN)
    return usable


def _find_unclear(findings: pd.DataFrame) -> frozenset[tuple[str, str]]:
    """
    Return ARN and check of findings about users whose creation time the report does not make clear.
    """
    if "user_creation_time" not in findings:
        return frozenset()
    rows = findings[findings["user_creation_time"].isna() & findings["user"].notna()]
    return frozenset(zip(rows["arn"], rows["check"].astype("str"), strict=True))


def _find_places(known: pd.Series, wanted: pd.Series) -> np.ndarray:
    """
    Return where each wanted id stands among the known ones, or -1.
    """
    if not len(known):
        return np.full(len(wanted), -1)
    return np.asarray(pd.Index(known).get_indexer(pd.Index(wanted)))


def is_change(rows: pd.DataFrame, now: datetime) -> pd.Series:
    """
    Return a bool mask of a history's rows that are about this run: all but what was over before it.
    """
    moment = pd.Timestamp(now).as_unit("ms")  # as the table keeps moments
    is_over = rows["closed"].notna() & (rows["closed"] != moment)
    return ~is_over & (rows["state"] != str(State.LEFT_BEFORE))


def make_history(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """
    Make a history table from rows, absent columns being missing.
    """
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return frame.astype(_TEXT_DTYPES).astype(dict.fromkeys(_TIMES, _TIME_DTYPE))


def extend_trend(trend: Sequence[TrendPoint], point: TrendPoint) -> tuple[TrendPoint, ...]:
    """
    Return a trend with this run's figures last, one point for each period, the newest eight.
    """
    others = [earlier for earlier in trend if earlier.period != point.period]
    return (*others, point)[-PERIODS:]


def describe_gap(previous: PreviousRun | None, now: datetime) -> str | None:
    """
    Say that more than a quarter lies between two runs, or return None.
    """
    if previous is None or (now - previous.started).days <= QUARTER.days:
        return None
    days = (now - previous.started).days
    return (
        f"{days} days lie between this run and the previous one ({previous.run_id}), more than the "
        f"{QUARTER.days} days of a quarter: a quarterly review has a gap here"
    )


def _combine(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    if not filled:
        return make_history([])
    if len(filled) == 1:
        return filled[0][list(COLUMNS)]  # each part comes sorted
    # One kind of text in every part, whatever each was made from, so that pandas has nothing to guess.
    joined = pd.concat([part.astype(_TEXT_DTYPES) for part in filled], ignore_index=True)
    return joined.sort_values(["account_id", "arn", "check"], ignore_index=True)[list(COLUMNS)]


def _milliseconds(column: pd.Series) -> np.ndarray:
    return pd.DatetimeIndex(column).as_unit("ms").asi8


def _fill(rows: int, moment: pd.Timestamp) -> np.ndarray:
    return np.full(rows, round(moment.timestamp() * 1000), dtype="int64")


def _moments(values: np.ndarray) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(values.view("M8[ms]"), tz="UTC"))
