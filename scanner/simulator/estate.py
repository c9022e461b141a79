"""
The organization as it is now: who exists in each account, and the report that each account keeps.

A report is a snapshot. What changes afterwards is seen by the live calls at once and by reports only
when, after four hours, a new one is made.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from scanner.simulator.clock import SimulatedClock
from scanner.simulator.report import write_report
from scanner.simulator.wire import ServiceError
from scanner.simulator.world import (
    MemberAccount,
    MfaDevice,
    MfaKind,
    Password,
    SinceReport,
    User,
    World,
)

REPORT_LIFETIME = timedelta(hours=4)
_FOREVER = 1e9
"""
Some thirty years, in seconds: the longest that a date can be moved without care.
"""


@dataclass(frozen=True)
class Snapshot:
    """
    A credential report and when it was made.
    """

    generated: datetime
    content: bytes

    @cached_property
    def encoded(self) -> bytes:
        """
        The content in base64, as it travels.
        """
        return base64.b64encode(self.content)


class ReportState(NamedTuple):
    """
    What GenerateCredentialReport answers. `description` is None where AWS sends none.
    """

    state: str
    description: str | None = None


class LiveAccount:
    """
    One account's present users and its credential report.

    `seconds` is how long the account takes to make a report.
    """

    def __init__(self, account: MemberAccount, clock: SimulatedClock, seconds: float) -> None:
        self.account = account
        self.users = {
            user.name.casefold(): now for user in account.users if (now := _as_it_is_now(user))
        }
        self._overtaken = {
            user.name.casefold(): user
            for user in account.users
            if user.since_report is not SinceReport.NOTHING
        }
        self._clock = clock
        self._seconds = timedelta(seconds=min(seconds, _FOREVER))
        self._ready_at: datetime | None = None
        self._snapshot: Snapshot | None = None
        if account.report_age is not None:
            self._snapshot = self._take_snapshot(clock.at(account.report_age))

    def generate_report(self) -> ReportState:
        """
        Ask for a report: a young one is kept, else a new one is begun.
        """
        self._settle()
        if self._ready_at is not None:
            return ReportState("INPROGRESS")
        if self._snapshot is not None and not self._is_expired(self._snapshot):
            return ReportState("COMPLETE")
        self._ready_at = self._clock.now() + self._seconds
        reason = "No report exists" if self._snapshot is None else "The report has expired"
        return ReportState("STARTED", f"{reason}. Starting a new report generation task")

    def report(self) -> Snapshot:
        """
        Return the account's report, or raise `ServiceError` with the state that keeps it away.

        AWS's message for these is the word `Unknown` (live captures of September 2026).
        """
        self._settle()
        if self._ready_at is not None:
            raise ServiceError("ReportInProgress", "Unknown", 404)
        if self._snapshot is None:
            raise ServiceError("ReportNotPresent", "Unknown", 410)
        if self._is_expired(self._snapshot):
            raise ServiceError("ReportExpired", "Unknown", 410)
        return self._snapshot

    def find_user(self, name: str) -> User:
        """
        Return a user that exists now, or raise `ServiceError`.
        """
        user = self.users.get(name.casefold())
        if user is None:
            raise ServiceError("NoSuchEntity", f"The user with name {name} cannot be found.", 404)
        return user

    def change_user(
        self, name: str, *, mfa: bool | None, password: bool | None, deleted: bool
    ) -> None:
        """
        Give or take a user's MFA or password, or delete the user; a report already made stays.
        """
        self._settle()
        key = name.casefold()
        user = self.users[key]
        self._overtaken.pop(key, None)
        if deleted:
            del self.users[key]
            return
        moment = -self._clock.elapsed
        if mfa is not None:
            user = replace(user, devices=(MfaDevice(MfaKind.VIRTUAL, moment),) if mfa else ())
        if password is not None:
            user = replace(user, password=Password(moment) if password else None)
        self.users[key] = user

    def create_user(self, name: str) -> None:
        """
        Make a user without any credentials; a report already made stays.
        """
        self._settle()
        self.users[name.casefold()] = User(name=name, created=-self._clock.elapsed)

    def _settle(self) -> None:
        if self._ready_at is not None and self._clock.now() >= self._ready_at:
            self._snapshot = self._take_snapshot(self._ready_at)
            self._ready_at = None

    def _take_snapshot(self, moment: datetime) -> Snapshot:
        users = {**self.users, **self._overtaken}
        self._overtaken = {}
        content = write_report(
            account_id=self.account.id,
            joined=self.account.joined,
            root=self.account.root,
            users=users.values(),
            start=self._clock.start,
        )
        return Snapshot(moment.replace(microsecond=0), content)

    def _is_expired(self, snapshot: Snapshot) -> bool:
        return self._clock.now() - snapshot.generated >= REPORT_LIFETIME


class Estate:
    """
    Every account's present state, made when it is first asked for.
    """

    def __init__(
        self,
        world: World,
        clock: SimulatedClock,
        *,
        report_seconds: float,
        slow_reports: Mapping[str, float],
    ) -> None:
        self.world = world
        self.clock = clock
        self._report_seconds = report_seconds
        self._slow_reports = slow_reports
        self._accounts: dict[str, LiveAccount] = {}

    def account(self, account_id: str) -> LiveAccount:
        """
        Return an account's present state.
        """
        live = self._accounts.get(account_id)
        if live is None:
            seconds = self._slow_reports.get(account_id, self._report_seconds)
            live = LiveAccount(self.world.by_id[account_id], self.clock, seconds)
            self._accounts[account_id] = live
        return live


def _as_it_is_now(user: User) -> User | None:
    match user.since_report:
        case SinceReport.NOTHING:
            return user
        case SinceReport.DELETED:
            return None
        case SinceReport.PASSWORD_REMOVED:
            return replace(user, password=None, since_report=SinceReport.NOTHING)
        case SinceReport.FIXED:
            device = MfaDevice(MfaKind.VIRTUAL, timedelta(minutes=20))
            return replace(user, devices=(device,), since_report=SinceReport.NOTHING)
