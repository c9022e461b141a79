"""
Users with plausible pasts: how old they are, when they signed in, what keys they hold.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta

from scanner.simulator.people import TEAMS, draw_machines, draw_people, team_address
from scanner.simulator.world import (
    AccessKey,
    Certificate,
    MfaDevice,
    MfaKind,
    Password,
    Root,
    User,
)

_SERVICES = ("s3", "ec2", "sts", "ecr", "dynamodb", "cloudformation", "lambda", "ssm")
_REGIONS = ("us-east-1", "eu-west-1", "eu-central-1", "us-west-2", "ap-southeast-2")
_MFA_KINDS = (MfaKind.VIRTUAL, MfaKind.VIRTUAL, MfaKind.SECURITY_KEY, MfaKind.HARDWARE)
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Habits:
    """
    How a population keeps its credentials. Ages in days are the oldest that are drawn.

    Tidy ones sign in often, rotate keys and passwords, hold one key at most and no certificate, so
    that no usual check has anything to note about them.
    """

    password_age: int
    unused: int
    key_age: int
    second_key: float
    certificate: float
    never_used: float


TIDY = Habits(
    password_age=60, unused=20, key_age=40, second_key=0.0, certificate=0.0, never_used=0.0
)
USUAL = Habits(
    password_age=700, unused=200, key_age=900, second_key=0.2, certificate=0.02, never_used=0.1
)


def draw_users(
    rng: random.Random, *, count: int, offenders: int, habits: Habits
) -> tuple[User, ...]:
    """
    Return `count` users, of whom exactly `offenders` can sign in without MFA.

    About one in five is a machine with keys and without a password.
    """
    machines = min(count - offenders, count // 5)
    people = count - machines
    users = [draw_person(rng, name, habits) for name in draw_people(rng, people)]
    places = rng.sample(range(people), offenders)
    for variety, place in enumerate(places, rng.randrange(4)):
        users[place] = make_offender(rng, users[place], variety)
    users += [draw_machine(rng, name, habits) for name in draw_machines(rng, machines)]
    return tuple(users)


def draw_person(rng: random.Random, name: str, habits: Habits) -> User:
    """
    Return a person with a password, an MFA device, and sometimes a key.
    """
    created = _draw_age(rng, 30, 1600)
    password = Password(_draw_age(rng, 1, habits.password_age, created))
    if rng.random() >= habits.never_used:
        password = replace(password, used=_draw_age(rng, 0, habits.unused, password.changed))
    device = MfaDevice(rng.choice(_MFA_KINDS), _draw_age(rng, 1, 1600, created))
    keys = (draw_key(rng, habits, created),) if rng.random() < 0.3 else ()
    certificate = Certificate(active=rng.random() < 0.5, rotated=_draw_age(rng, 1, 1600, created))
    return User(
        name=name,
        created=created,
        password=password,
        devices=(device,),
        keys=keys,
        certificates=(certificate,) if rng.random() < habits.certificate else (),
        tags=_draw_tags(rng),
    )


def draw_machine(rng: random.Random, name: str, habits: Habits) -> User:
    """
    Return a machine's user: keys, no password.
    """
    created = _draw_age(rng, 30, 1600)
    keys = [draw_key(rng, habits, created)]
    if rng.random() < habits.second_key:
        keys.append(replace(draw_key(rng, habits, created), active=False))
    return User(
        name=name, created=created, path="/service/", keys=tuple(keys), tags=_draw_tags(rng)
    )


def draw_key(rng: random.Random, habits: Habits, created: timedelta) -> AccessKey:
    """
    Return an active access key no older than its user.
    """
    rotated = _draw_age(rng, 1, habits.key_age, created)
    if rng.random() < habits.never_used:
        return AccessKey(active=True, rotated=rotated)
    return AccessKey(
        active=True,
        rotated=rotated,
        used=_draw_age(rng, 0, habits.unused, rotated),
        region=rng.choice(_REGIONS),
        service=rng.choice(_SERVICES),
    )


def make_offender(rng: random.Random, user: User, variety: int) -> User:
    """
    Return the user without MFA, as one of four kinds: never in, in yesterday, with keys, long idle.
    """
    old = max(user.created, timedelta(days=900))
    yesterday = timedelta(seconds=_DAY + rng.randrange(_DAY // 2))
    offender = replace(user, devices=(), created=old)
    match variety % 4:
        case 0:
            return replace(offender, password=Password(old, reset_required=True), keys=())
        case 1:
            recent = Password(timedelta(days=rng.randrange(20, 80)), yesterday)
            return replace(offender, password=recent, keys=())
        case 2:
            password = Password(
                timedelta(days=rng.randrange(90, 300)), timedelta(days=rng.randrange(3, 40))
            )
            keys = (draw_key(rng, USUAL, old), draw_key(rng, USUAL, old))
            return replace(offender, password=password, keys=keys)
        case _:
            password = Password(
                timedelta(days=rng.randrange(500, 850)), timedelta(days=rng.randrange(120, 480))
            )
            return replace(offender, password=password, tags=())


def draw_managed_root(rng: random.Random, *, password: bool) -> Root:
    """
    Return a root user in good order: nothing at all, or a password and an MFA device.
    """
    if not password:
        return Root()
    changed = _draw_age(rng, 200, 900)
    return Root(Password(changed), (MfaDevice(MfaKind.SECURITY_KEY, changed),))


def _draw_tags(rng: random.Random) -> tuple[tuple[str, str], ...]:
    if rng.random() < 0.25:
        return ()
    team = rng.choice(TEAMS)
    return (("owner", team_address(team)), ("team", team))


def _draw_age(
    rng: random.Random, least: int, most: int, limit: timedelta | None = None
) -> timedelta:
    days = most if limit is None else min(most, limit.days)
    age = timedelta(seconds=rng.randrange(least * _DAY, max(days, least + 1) * _DAY))
    return age if limit is None else min(age, limit)
