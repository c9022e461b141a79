"""
The demo's organization: a small company that a person recognises, with its good and bad habits.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

from scanner.simulator.crowd import draw_account_ids, draw_units
from scanner.simulator.people import TEAMS, team_address
from scanner.simulator.population import USUAL, draw_managed_root, draw_users
from scanner.simulator.world import (
    AccessKey,
    MemberAccount,
    Password,
    Root,
    SinceReport,
    User,
    World,
)


@dataclass(frozen=True, slots=True)
class _Plan:
    """
    One account of the demo. `report_minutes` is the age of a report another tool made, 0 for none.
    """

    name: str
    unit: str
    users: int
    offenders: int
    report_minutes: int = 0


_ROOT = ""
_PLANS = (
    _Plan("org-management", _ROOT, 14, 1),
    _Plan("audit", "Security", 12, 0),
    _Plan("log-archive", "Security", 6, 0),
    _Plan("security-tooling", "Security", 15, 0, 35),
    _Plan("network-hub", "Infrastructure", 14, 1),
    _Plan("shared-services", "Infrastructure", 22, 2, 90),
    _Plan("backup-vault", "Infrastructure", 8, 0),
    _Plan("identity", "Infrastructure", 11, 0),
    _Plan("payments-prod", "Workloads/Production", 26, 3, 90),
    _Plan("storefront-prod", "Workloads/Production", 24, 2),
    _Plan("orders-prod", "Workloads/Production", 20, 1),
    _Plan("data-platform-prod", "Workloads/Production", 28, 3),
    _Plan("mobile-api-prod", "Workloads/Production", 18, 0, 200),
    _Plan("payments-dev", "Workloads/Development", 24, 2),
    _Plan("storefront-dev", "Workloads/Development", 22, 3),
    _Plan("orders-dev", "Workloads/Development", 18, 1),
    _Plan("data-platform-dev", "Workloads/Development", 30, 4, 300),
    _Plan("mobile-api-dev", "Workloads/Development", 17, 1),
    _Plan("ml-experiments", "Workloads/Development", 19, 2),
    _Plan("legacy-erp", "Workloads/Production", 16, 2),
    _Plan("sandbox-platform", "Sandbox", 13, 2),
    _Plan("sandbox-data", "Sandbox", 12, 2),
    _Plan("sandbox-mobile", "Sandbox", 9, 1),
    _Plan("acquired-webshop", "Suspended", 7, 1),
)


def build_demo(seed: int = 7) -> World:
    """
    Return the demo's organization: 24 accounts, some 400 users, and offenders of every kind.

    One account lacks the scanner's role, one is suspended, one user got MFA after the report was
    made, one is called `=1+1`, one member's root has a password without MFA and one an access key.
    """
    rng = random.Random(seed)
    units, root_id = draw_units(rng)
    ids = draw_account_ids(rng, len(_PLANS))
    names = {root_id: "", **{unit.id: unit.name for unit in units}}
    by_path = {"": root_id}
    for unit in units:
        above = names[unit.parent_id]
        by_path[f"{above}/{unit.name}" if above else unit.name] = unit.id
    accounts = [
        _build_account(rng, plan, account_id, by_path[plan.unit])
        for plan, account_id in zip(_PLANS, ids, strict=True)
    ]
    management, audit, *_ = accounts
    return World(
        organization_id="o-k7d2m9x4qa",
        root_id=root_id,
        management_id=management.id,
        units=units,
        accounts=tuple(_TOUCHES.get(a.name, _leave)(rng, a) for a in accounts),
        seed=seed,
        delegated_administrators=(audit.id,),
    )


def _build_account(
    rng: random.Random, plan: _Plan, account_id: str, parent_id: str
) -> MemberAccount:
    team = rng.choice(TEAMS)
    return MemberAccount(
        id=account_id,
        name=plan.name,
        email=f"aws+{plan.name}@example.com",
        parent_id=parent_id,
        joined=timedelta(days=rng.randrange(1700, 2600)),
        users=draw_users(rng, count=plan.users, offenders=plan.offenders, habits=USUAL),
        report_age=timedelta(minutes=plan.report_minutes) if plan.report_minutes else None,
        tags=(("owner", team_address(team)), ("environment", plan.unit.rpartition("/")[2])),
    )


def _leave(_rng: random.Random, account: MemberAccount) -> MemberAccount:
    return account


def _lead(rng: random.Random, account: MemberAccount) -> MemberAccount:
    return replace(account, root=draw_managed_root(rng, password=True), roles=(), invited=True)


def _fix_a_user(_rng: random.Random, account: MemberAccount) -> MemberAccount:
    users = list(account.users)
    place = next(number for number, user in enumerate(users) if user.is_offender)
    users[place] = replace(users[place], since_report=SinceReport.FIXED)
    return replace(account, users=tuple(users))


def _add_formula_user(_rng: random.Random, account: MemberAccount) -> MemberAccount:
    password = Password(timedelta(days=75), timedelta(days=3))
    user = User("=1+1", timedelta(days=75), password=password)
    return replace(account, users=(*account.users, user))


def _keep_root_key(rng: random.Random, account: MemberAccount) -> MemberAccount:
    age = timedelta(days=rng.randrange(1100, 1300))
    key = AccessKey(active=True, rotated=age, used=timedelta(days=2))
    return replace(account, root=Root(keys=(key,)), invited=True)


def _keep_root_password(rng: random.Random, account: MemberAccount) -> MemberAccount:
    age = timedelta(days=rng.randrange(300, 600))
    return replace(account, root=Root(Password(age, timedelta(days=47))))


def _lose_role(_rng: random.Random, account: MemberAccount) -> MemberAccount:
    # Invited accounts have no OrganizationAccountAccessRole until somebody makes one.
    return replace(account, roles=(), invited=True)


def _suspend(_rng: random.Random, account: MemberAccount) -> MemberAccount:
    return replace(account, state="SUSPENDED")


_TOUCHES = {
    "org-management": _lead,
    "payments-prod": _fix_a_user,
    "sandbox-data": _add_formula_user,
    "legacy-erp": _keep_root_key,
    "ml-experiments": _keep_root_password,
    "mobile-api-dev": _lose_role,
    "acquired-webshop": _suspend,
}
"""
What is special about single accounts.
"""
