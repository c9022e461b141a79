"""
Findings held against acceptances, batch by batch, and what each acceptance did in a run. Pure.

A run has findings by the hundred thousand and acceptances by the dozen, so a batch is narrowed down
before any name is looked at: first to the accounts and checks that some acceptance is about, then to
users by exact name, and patterns come last.
"""

import fnmatch
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd

from scanner.acceptances.acceptance import Acceptance, State
from scanner.model import ROOT_USER, Verdict, show
from scanner.summary import AcceptanceTotals

NOTICE = timedelta(days=30)
"""
How long before its last day an acceptance is warned about.
"""

_COLUMNS = ("account_id", "user", "check", "verdict", "user_creation_time")
_CAN_BE_ACCEPTED = [Verdict.FAIL, Verdict.NEEDS_REVIEW]
_NAMED_USERS = 3
_NO_ROWS = np.array([], dtype=np.intp)
_RANKS = {state: rank for rank, state in enumerate(State)}


class AcceptanceLedger:
    """
    Says of each finding whether it is accepted, and of each acceptance what it did in the run.

    `today` is the run's day in UTC. Counts go on from batch to batch, so each finding is given once.
    Nothing is kept of findings but the names of users that are newer than their acceptance.
    """

    def __init__(self, acceptances: Sequence[Acceptance], today: date) -> None:
        self._today = today
        self._lines = [_Line(acceptance, today) for acceptance in acceptances]
        self._by_rank = sorted(enumerate(self._lines), key=lambda item: _RANKS[item[1].state])
        in_force = [line.acceptance.id if line.is_in_force else None for line in self._lines]
        self._ids = pd.array(in_force, dtype="str")
        self._notes = pd.array([entry.note_on(today) for entry in acceptances], dtype="str")

    def annotate(self, findings: pd.DataFrame) -> pd.DataFrame:
        """
        Return two columns (str, may be missing) for the findings, with their index and in their order.

        `acceptance` is the id of the acceptance in force, of several the first in the file.
        `acceptance_note` says so in words, or why an acceptance does not count: it has expired, or has
        not begun. Findings have the columns `account_id`, `user`, `check` and `verdict` (text); their
        `user_creation_time` (datetime64, UTC) is looked at where they have it.
        """
        speaking = np.full(len(findings), -1)
        nearby = self._find_nearby(findings)
        if len(nearby):
            near = findings.filter(items=_COLUMNS).iloc[nearby]
            speaking[nearby] = self._match(_Batch(near, self._lines))
        return pd.DataFrame(
            {
                "acceptance": self._ids.take(speaking, allow_fill=True),
                "acceptance_note": self._notes.take(speaking, allow_fill=True),
            },
            index=findings.index,
        )

    def totals(self) -> tuple[AcceptanceTotals, ...]:
        """
        Return what each acceptance says, what it matched so far, and what its owner must look at.

        They come in the file's order, those that matched nothing included.
        """
        return tuple(line.total(self._today) for line in self._lines)

    def _find_nearby(self, findings: pd.DataFrame) -> np.ndarray:
        """
        Return the rows whose account and check some acceptance is about.
        """
        accounts, account_ids = pd.factorize(findings["account_id"])
        checks, columns = pd.factorize(findings["check"])
        numbers = {name: number for number, name in enumerate(account_ids)}
        covers = _cover_columns(list(columns))
        near = np.zeros((len(account_ids), len(columns)), dtype=bool)
        for line in self._lines:
            about = covers[line.acceptance.check]
            if line.acceptance.is_for_every_account:
                near[:, about] = True
            elif line.acceptance.account in numbers:
                near[numbers[line.acceptance.account], about] = True
        rows = np.flatnonzero((accounts >= 0) & (checks >= 0))
        return rows[near[accounts[rows], checks[rows]]]

    def _match(self, batch: "_Batch") -> np.ndarray:
        """
        Return which acceptance speaks about each row (its number, or -1), and count.
        """
        speaking = np.full(len(batch.findings), -1)
        for number, line in self._by_rank:
            rows = batch.find(line)
            if not len(rows):
                continue  # most acceptances are about nobody in this batch
            matched = rows[batch.can_be_accepted[rows]]
            unclaimed = matched[speaking[matched] < 0]
            speaking[unclaimed] = number
            line.matched += len(matched)
            line.spoke += len(unclaimed)
            line.unknown += int(batch.is_unknown[rows].sum())
            if line.is_in_force:
                line.newcomers |= batch.list_newcomers(matched, line.acceptance.begins)
        return speaking


class _Batch:
    """
    Findings whose account and check some acceptance is about, prepared for looking up their users.
    """

    def __init__(self, findings: pd.DataFrame, lines: Sequence["_Line"]) -> None:
        self.findings = findings
        self.can_be_accepted = findings["verdict"].isin(_CAN_BE_ACCEPTED).to_numpy(dtype=bool)
        self.is_unknown = findings["verdict"].isin([Verdict.UNKNOWN]).to_numpy(dtype=bool)
        accounts = findings["account_id"].reset_index(drop=True)
        grouped = accounts.groupby(accounts).indices
        self._by_account = {name: np.asarray(rows) for name, rows in grouped.items()}
        self._checks, columns = pd.factorize(findings["check"])
        self._covers = _cover_columns(list(columns))
        self._users, names = pd.factorize(findings["user"].fillna(""))
        self._names = [str(name).casefold() for name in names]
        self._by_name = self._number_names({line.name for line in lines})
        everywhere = [line for line in lines if line.acceptance.is_for_every_account]
        self._everywhere = self._find_named(everywhere) if everywhere else _NO_ROWS

    def find(self, line: "_Line") -> np.ndarray:
        """
        Return the rows that an acceptance is about, whatever their verdicts.
        """
        acceptance = line.acceptance
        rows: np.ndarray = self._by_account.get(acceptance.account, _NO_ROWS)
        if acceptance.is_for_every_account:
            rows = self._everywhere
        rows = rows[self._covers[acceptance.check][self._checks[rows]]]
        if len(rows):
            rows = rows[np.isin(self._users[rows], self._find_users(line, rows))]
        return rows

    def list_newcomers(self, rows: np.ndarray, begins: date) -> set[tuple[str, str]]:
        """
        Return account and name of the users among these rows who were created after a day.
        """
        if "user_creation_time" not in self.findings.columns or not len(rows):
            return set()
        mine = self.findings.iloc[rows]
        next_day = pd.Timestamp(begins + timedelta(days=1), tz="UTC")
        # Of a user whose creation time is not clear nobody can tell that it is the same person.
        late = mine[~(mine["user_creation_time"] < next_day)]
        return set(zip(late["account_id"], late["user"], strict=True))

    def _find_users(self, line: "_Line", rows: np.ndarray) -> Sequence[int]:
        """
        Return the numbers of the users that an acceptance is about, among those of these rows at least.
        """
        if not line.acceptance.is_pattern:
            return self._by_name.get(line.name, [])
        users = np.unique(self._users[rows])
        return [number for number in users if line.fits(self._names[number])]

    def _number_names(self, wanted: set[str]) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._names):
            if name in wanted:
                numbers[name].append(number)
        return numbers

    def _find_named(self, lines: Sequence["_Line"]) -> np.ndarray:
        """
        Return the rows whose user any of these acceptances is about: a few of very many.
        """
        exact = {line.name for line in lines if not line.acceptance.is_pattern}
        patterns = [line.pattern for line in lines if line.acceptance.is_pattern]
        # One expression for all patterns, so that their number does not multiply that of the users.
        fits = re.compile("|".join(patterns)).match if patterns else exact.__contains__
        named = [name in exact or bool(fits(name)) for name in self._names]
        return np.flatnonzero(np.array(named, dtype=bool)[self._users])


class _Line:
    """
    One acceptance in the ledger, and what was counted of it.

    `matched` are the findings it is about, `spoke` those it speaks for, because no other acceptance goes
    before it, and `unknown` those it is about that cannot be accepted.
    """

    def __init__(self, acceptance: Acceptance, today: date) -> None:
        self.acceptance = acceptance
        self.state = acceptance.state_on(today)
        self.name = acceptance.user.casefold()
        # Brackets stand for themselves. No name in IAM has one, but patterns are typed by people.
        self.pattern = fnmatch.translate(self.name.replace("[", "[[]"))
        self._match = re.compile(self.pattern).match
        self.matched = 0
        self.spoke = 0
        self.unknown = 0
        self.newcomers: set[tuple[str, str]] = set()

    @property
    def is_in_force(self) -> bool:
        """
        Whether the acceptance counts today.
        """
        return self.state is State.IN_FORCE

    def fits(self, name: str) -> bool:
        """
        Tell whether the pattern is about a user, by casefolded name. It never is about root.
        """
        return name not in {"", ROOT_USER} and self._match(name) is not None

    def total(self, today: date) -> AcceptanceTotals:
        """
        Return what the acceptance says and did.
        """
        acceptance = self.acceptance
        return AcceptanceTotals(
            id=acceptance.id,
            kind=str(acceptance.kind),
            account=acceptance.account,
            user=acceptance.user,
            check=acceptance.check,
            reason=acceptance.reason,
            owner=acceptance.owner,
            approver=acceptance.approver,
            ticket=acceptance.ticket,
            begins=acceptance.begins.isoformat(),
            until=acceptance.until.isoformat(),
            state=str(self.state),
            matched=self.matched,
            warnings=(
                *self._warn_of_end(today),
                *self._warn_of_count(),
                *self._warn_of_people(),
            ),
        )

    def _warn_of_end(self, today: date) -> Iterable[str]:
        until = self.acceptance.until
        if self.is_in_force and until - today <= NOTICE:
            yield f"expires within 30 days: its last day is {until}"
        if self.state is State.EXPIRED and self.spoke:
            them = _count(self.spoke, "finding is", "findings are")
            yield f"expired on {until}, and {them} open again: resolve or renew"

    def _warn_of_count(self) -> Iterable[str]:
        allowed = self.acceptance.at_most
        if self.matched > allowed:
            yield (
                f"matches {_count(self.matched, 'finding', 'findings')}, and its author allowed for "
                f"{allowed}: narrow it, or raise at_most"
            )
        if not self.matched and self.unknown:
            yield (
                f"matches {_count(self.unknown, 'unknown verdict', 'unknown verdicts')} and nothing "
                "else: what nobody can tell cannot be accepted"
            )
        if not self.matched and not self.unknown:
            yield (
                "matches nothing in the accounts that were read: what it accepts is resolved, or a "
                "name is misspelt"
            )

    def _warn_of_people(self) -> Iterable[str]:
        acceptance = self.acceptance
        if _fold(acceptance.approver) == _fold(acceptance.owner):
            yield f"{acceptance.approver} owns it and approved it: let somebody else approve"
        if self.newcomers:
            people = [f"{show(user)} in {account}" for account, user in sorted(self.newcomers)]
            more = len(people) - _NAMED_USERS
            named = ", ".join(people[:_NAMED_USERS]) + (f" and {more} more" if more > 0 else "")
            them = _count(len(people), "user it matches was", "users it matches were")
            yield (
                f"{them} created after it began on {acceptance.begins}, and may be somebody else "
                f"under the same name: {named}"
            )


def _cover_columns(columns: Sequence[str]) -> dict[str, np.ndarray]:
    """
    Map what acceptances call a check, by column or by id, to a mask of the columns it covers.
    """
    masks: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(columns), dtype=bool))
    for number, column in enumerate(columns):
        for name in {column, column.partition(":")[0]}:
            masks[name][number] = True
    return masks


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()
