"""
The faults that are facts about the organization, worked into its world before it is served.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

from scanner.errors import SettingsError
from scanner.simulator.faults import EVERYWHERE, Fault, FaultPlan
from scanner.simulator.hostility import HOSTILE_NAMES, HOSTILE_PATHS
from scanner.simulator.kinds import FaultKind
from scanner.simulator.world import MemberAccount, Password, SinceReport, User, World

Shape = Callable[[MemberAccount, Fault], MemberAccount]
_BEFORE_THE_EVENT = timedelta(minutes=90)


def shape_world(world: World, plan: FaultPlan) -> World:
    """
    Return the world with those of the plan's faults worked in that are facts about it.

    Faults for `*` strike every member account, never the management account. Raises `SettingsError`
    when the plan names an account that the world does not have.
    """
    unknown = {fault.account for fault in plan.faults} - {EVERYWHERE} - set(world.by_id)
    if unknown:
        raise SettingsError(f"no account of the organization is {', '.join(sorted(unknown))}")
    faults = [fault for fault in plan.faults if fault.kind in _SHAPES]
    if not faults:
        return world
    accounts = []
    for account in world.accounts:
        shaped = account
        for fault in faults:
            if _strikes(fault, account.id, world):
                shaped = _SHAPES[fault.kind](shaped, fault)
        accounts.append(shaped)
    return replace(world, accounts=tuple(accounts))


def find_slow_reports(world: World, plan: FaultPlan) -> dict[str, float]:
    """
    Return how many seconds a report takes in the accounts where a fault says so.
    """
    return {
        account.id: math.inf if fault.kind is FaultKind.REPORT_NEVER_READY else fault.seconds
        for fault in plan.faults
        if fault.kind in (FaultKind.REPORT_NEVER_READY, FaultKind.REPORT_SLOW)
        for account in world.accounts
        if _strikes(fault, account.id, world)
    }


def _strikes(fault: Fault, account_id: str, world: World) -> bool:
    if fault.account == EVERYWHERE:
        return account_id != world.management_id
    return fault.account == account_id


def _take_roles(account: MemberAccount, _fault: Fault) -> MemberAccount:
    return replace(account, roles=())


def _distrust(account: MemberAccount, _fault: Fault) -> MemberAccount:
    return replace(account, trusts_callers=False)


def _drop_report(account: MemberAccount, _fault: Fault) -> MemberAccount:
    return replace(account, report_age=None)


def _name_badly(account: MemberAccount, _fault: Fault) -> MemberAccount:
    number = int(account.id)
    users = tuple(
        replace(user, path=HOSTILE_PATHS[(number + place) % len(HOSTILE_PATHS)])
        for place, user in enumerate(account.users)
    )
    return replace(account, name=HOSTILE_NAMES[number % len(HOSTILE_NAMES)], users=users)


def _need_quotes(account: MemberAccount, _fault: Fault) -> MemberAccount:
    first, *others = account.users
    quoted = replace(first, path='/dept,"ops"/')
    return replace(account, users=(quoted, *others))


def _set_state(state: str) -> Shape:
    def shape(account: MemberAccount, _fault: Fault) -> MemberAccount:
        return replace(account, state=state)

    return shape


def _set_event(event: SinceReport) -> Shape:
    def shape(account: MemberAccount, fault: Fault) -> MemberAccount:
        users = _index_users(account)
        user = users[fault.user.casefold()] if fault.user else _pick_offender(account)
        users[user.name.casefold()] = replace(
            user,
            password=user.password or Password(changed=timedelta(hours=3)),
            devices=(),
            since_report=event,
        )
        # What happens after a report needs a report that is older than the event.
        return replace(account, users=tuple(users.values()), report_age=_BEFORE_THE_EVENT)

    return shape


def _index_users(account: MemberAccount) -> dict[str, User]:
    return {user.name.casefold(): user for user in account.users}


def _pick_offender(account: MemberAccount) -> User:
    offenders = (user for user in account.users if user.is_offender)
    return next(offenders, account.users[0])


_SHAPES: Mapping[FaultKind, Shape] = {
    FaultKind.ROLE_MISSING: _take_roles,
    FaultKind.ROLE_UNTRUSTED: _distrust,
    FaultKind.SUSPENDED: _set_state("SUSPENDED"),
    FaultKind.CLOSED: _set_state("CLOSED"),
    FaultKind.PENDING_CLOSURE: _set_state("PENDING_CLOSURE"),
    FaultKind.PENDING_ACTIVATION: _set_state("PENDING_ACTIVATION"),
    FaultKind.HOSTILE_NAMES: _name_badly,
    FaultKind.FIXED_SINCE_REPORT: _set_event(SinceReport.FIXED),
    FaultKind.PASSWORD_REMOVED_SINCE_REPORT: _set_event(SinceReport.PASSWORD_REMOVED),
    FaultKind.DELETED_SINCE_REPORT: _set_event(SinceReport.DELETED),
    FaultKind.REPORT_NEVER_READY: _drop_report,
    FaultKind.REPORT_SLOW: _drop_report,
    FaultKind.CSV_QUOTED: _need_quotes,
    FaultKind.CSV_UNQUOTED: _need_quotes,
}
