"""
Organizations of any size, for benchmarks and tests, and hostile ones.
"""

import base64
import random
from dataclasses import replace
from datetime import timedelta

from scanner.simulator.hostility import HOSTILE_NAMES, HOSTILE_PATHS, HOSTILE_USERS
from scanner.simulator.people import TEAMS, team_address
from scanner.simulator.population import TIDY, USUAL, draw_managed_root, draw_users, make_offender
from scanner.simulator.world import MemberAccount, OrganizationalUnit, World

_UNITS = (
    ("Security", ""),
    ("Infrastructure", ""),
    ("Workloads", ""),
    ("Production", "Workloads"),
    ("Development", "Workloads"),
    ("Sandbox", ""),
    ("Suspended", ""),
)
_STAGES = ("prod", "dev", "test")


def build_world(
    accounts: int = 200,
    users: int = 12,
    seed: int = 1,
    *,
    clean: bool = False,
    offenders: float = 0.08,
) -> World:
    """
    Return an organization of so many accounts (the management account included) and users in each.

    `offenders` is the share of users who can sign in without MFA, spread evenly over the accounts. A
    `clean` world has none, and nobody in it holds anything old, idle or needless.
    """
    rng = random.Random(seed)
    units, root_id = draw_units(rng)
    habits = TIDY if clean else USUAL
    share = 0.0 if clean else offenders
    ids = draw_account_ids(rng, accounts)
    leaves = [unit.id for unit in units if unit.name not in ("Workloads", "Suspended")]
    members = []
    due = 0.0
    for number, account_id in enumerate(ids):
        due += share * users
        bad = min(int(due), users)
        due -= bad
        team = TEAMS[number % len(TEAMS)]
        name = f"{team}-{number:05d}-{_STAGES[number % len(_STAGES)]}"
        members.append(
            MemberAccount(
                id=account_id,
                name=name,
                email=f"aws+{name}@example.com",
                parent_id=leaves[number % len(leaves)],
                joined=timedelta(days=rng.randrange(1700, 2600)),
                users=draw_users(rng, count=users, offenders=bad, habits=habits),
                root=draw_managed_root(rng, password=number % 10 == 0),
                tags=(("owner", team_address(team)),),
            )
        )
    members[0] = replace(members[0], name="management", parent_id=root_id, roles=())
    return World(
        organization_id="o-" + _draw_text(rng, 10),
        root_id=root_id,
        management_id=members[0].id,
        units=units,
        accounts=tuple(members),
        seed=seed,
        delegated_administrators=(members[1].id,) if accounts > 1 else (),
    )


def build_hostile(seed: int = 13) -> World:
    """
    Return an organization in which every name is legal and none is harmless.
    """
    rng = random.Random(seed)
    world = build_world(len(HOSTILE_NAMES), len(HOSTILE_USERS), seed)
    units = tuple(
        replace(unit, name=HOSTILE_NAMES[number % len(HOSTILE_NAMES)])
        for number, unit in enumerate(world.units)
    )
    accounts = []
    for account, name in zip(world.accounts, HOSTILE_NAMES, strict=True):
        users = [
            replace(user, name=hostile, path=rng.choice(HOSTILE_PATHS))
            for user, hostile in zip(account.users, HOSTILE_USERS, strict=True)
        ]
        users[0] = make_offender(rng, users[0], variety=1)
        accounts.append(replace(account, name=name, users=tuple(users)))
    return replace(world, units=units, accounts=tuple(accounts))


def draw_units(rng: random.Random) -> tuple[tuple[OrganizationalUnit, ...], str]:
    """
    Return the usual OUs, and the root's id.
    """
    stem = _draw_text(rng, 4)
    root_id = f"r-{stem}"
    ids = {"": root_id} | {name: f"ou-{stem}-{_draw_text(rng, 8)}" for name, _ in _UNITS}
    units = tuple(OrganizationalUnit(ids[name], name, ids[above]) for name, above in _UNITS)
    return units, root_id


def draw_account_ids(rng: random.Random, count: int) -> list[str]:
    """
    Return `count` account ids, all different. The second begins with a zero, as one in ten does.
    """
    ids: dict[str, None] = {}
    while len(ids) < count:
        first = 0 if len(ids) == 1 else rng.randrange(10)
        ids[f"{first}{rng.randrange(10**11):011d}"] = None
    return list(ids)


def _draw_text(rng: random.Random, length: int) -> str:
    return base64.b32encode(rng.randbytes(length)).decode().lower()[:length]
