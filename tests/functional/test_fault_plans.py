"""
Random fault plans, a few of them in each test run; `tests/fault_lab.py` runs as many as one likes.
"""

import random

import pytest
from fault_lab import Trial, draw_trial, run_trial

from scanner.model import ReasonCode
from scanner.simulator import Fault, FaultKind, FaultPlan, build_world

pytestmark = pytest.mark.functional


def throw(seed):
    """
    Return dice that fall the same way each time.
    """
    return random.Random(seed)  # noqa: S311 - the same seed is the same plan


@pytest.mark.parametrize("number", range(24))
def test_whatever_goes_wrong_each_account_has_its_one_right_outcome(tmp_path, number):
    """
    A random mix of faults: one outcome an account with its right reason, no wrong verdict, nobody else's row.
    """
    dice = throw(f"in-each-run-{number}")

    outcomes = run_trial(draw_trial(dice), dice, tmp_path)

    assert outcomes


def test_a_wrong_expectation_is_noticed(tmp_path):
    """
    The plan says that an account is denied, and it is expected to be read: the trial fails.
    """
    world = build_world(accounts=3, users=3, seed=4)
    member = next(account.id for account in world.accounts if account.id != world.management_id)
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, member),))
    trial = Trial(world, plan, {account.id: set() for account in world.accounts})

    with pytest.raises(AssertionError, match="access-denied"):
        run_trial(trial, throw(1), tmp_path)


def test_an_expected_failure_that_does_not_come_is_noticed(tmp_path):
    """
    Nothing goes wrong, and an account is expected to be throttled: the trial fails.
    """
    world = build_world(accounts=3, users=3, seed=4)
    due = {account.id: {ReasonCode.THROTTLED} for account in world.accounts}

    with pytest.raises(AssertionError, match="collected"):
        run_trial(Trial(world, FaultPlan(), due), throw(1), tmp_path)
