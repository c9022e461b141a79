import re

import pytest

from scanner.simulator import build_demo, build_hostile, build_world
from scanner.simulator.world import SinceReport, World

USER_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
PATH = re.compile(r"/|/[!-~]+/")


def all_users(world: World):
    return [(account, user) for account in world.accounts for user in account.users]


@pytest.mark.parametrize("build", [build_demo, build_hostile, build_world])
def test_the_same_seed_builds_the_same_world(build):
    """
    A world follows from its seed, and another seed gives another world.
    """
    assert build(seed=5) == build(seed=5)
    assert build(seed=5) != build(seed=6)


@pytest.mark.parametrize("world", [build_demo(), build_hostile(), build_world(30, 40)])
def test_names_are_ones_that_aws_allows(world):
    """
    User names and paths keep to IAM's rules, and are unique in an account without regard to case.
    """
    for account, user in all_users(world):
        assert USER_NAME.fullmatch(user.name), (account.id, user.name)
        assert PATH.fullmatch(user.path), (account.id, user.path)
        assert len(user.path) <= 512
    for account in world.accounts:
        assert len({user.name.casefold() for user in account.users}) == len(account.users)
        assert 1 <= len(account.name) <= 128


@pytest.mark.parametrize(
    "world", [build_demo(), build_world(30, 40), build_world(9, 9, clean=True)]
)
def test_nothing_is_older_than_what_holds_it(world):
    """
    Users are younger than their account; passwords, keys and devices are no older than their user.
    """
    for account, user in all_users(world):
        held = [key.rotated for key in user.keys] + [device.enabled for device in user.devices]
        held += [user.password.changed] if user.password else []
        assert user.created <= account.joined
        assert all(age <= user.created for age in held), (account.name, user.name)


def test_the_demo_is_the_organization_it_promises():
    """
    24 accounts, about 400 users, 25 to 40 offenders; a missing role, a suspended account, `=1+1`.
    """
    world = build_demo()
    names = {name for _, name in world.offenders()}
    active = [account for account in world.accounts if account.state == "ACTIVE"]
    members = [account for account in active if account.id != world.management_id]

    assert len(world.accounts) == 24
    assert 380 <= len(all_users(world)) <= 420
    assert 25 <= len(world.offenders()) <= 40
    assert "=1+1" in names
    assert len(active) == 23
    assert [account.name for account in members if not account.roles] == ["mobile-api-dev"]
    assert sum(user.since_report is SinceReport.FIXED for _, user in all_users(world)) == 1
    assert {"root-console-no-mfa", "root-access-key-active"} == {
        check for _, check in world.root_offenders()
    }
    assert world.management.root.devices
    assert any(account.report_age for account in active)
    assert any(account.id.startswith("0") for account in active)


def test_the_demo_has_offenders_of_every_kind():
    """
    Never signed in, signed in yesterday, with active keys, with an old password, owned and unowned.
    """
    world = build_demo()
    offenders = [user for _, user in all_users(world) if user.is_offender]

    assert any(user.password.used is None for user in offenders)
    assert any(user.password.used and user.password.used.days == 1 for user in offenders)
    assert any(key.active for user in offenders for key in user.keys)
    assert any(user.password.changed.days > 365 for user in offenders)
    assert any(not user.tags for user in offenders)
    assert any(("owner" in dict(user.tags)) for user in offenders)


def test_a_clean_world_has_nothing_to_find():
    """
    Nobody without MFA, no root without MFA, no root key, nothing old or idle.
    """
    world = build_world(40, 20, clean=True)

    assert frozenset() == world.offenders()
    assert frozenset() == world.root_offenders()
    for _, user in all_users(world):
        assert not user.certificates
        assert all(key.used and key.used.days < 45 and key.rotated.days < 90 for key in user.keys)
        assert not user.password or (user.password.used and user.password.used.days < 45)


@pytest.mark.parametrize(("accounts", "users"), [(1, 1), (1, 0), (3, 7), (120, 3)])
def test_a_world_has_the_size_asked_for(accounts, users):
    """
    So many accounts, so many users in each, all account ids different.
    """
    world = build_world(accounts, users)

    assert accounts == len(world.by_id)
    assert {users} == {len(account.users) for account in world.accounts}


def test_the_share_of_offenders_is_kept():
    """
    A share of users is spread over the accounts, not drawn account by account.
    """
    world = build_world(100, 10, offenders=0.05)

    assert 49 <= sum(user.is_offender for _, user in all_users(world)) <= 50


def test_offenders_nobody_can_read_are_not_in_the_truth():
    """
    What lies in an account without the role, or in one that is not active, no scan can find.
    """
    world = build_demo()
    readable = {account.id for account in world.readable_accounts()}
    unreadable = [a for a in world.accounts if a.id not in readable]

    assert {"mobile-api-dev", "acquired-webshop"} == {account.name for account in unreadable}
    assert any(user.is_offender for account in unreadable for user in account.users)
    assert readable >= {account_id for account_id, _ in world.offenders()}


def test_a_thousand_people_have_a_thousand_names():
    """
    Names do not run out, in an account as large as AWS allows.
    """
    world = build_world(1, 5000)

    assert len({user.name.casefold() for user in world.management.users}) == 5000
