"""
How fast AWS's lists are asked for, and when reports are fetched.
"""

import heapq

import pytest
from fake_scan import FakeClock

from scanner.aws.timing import Quota, SharedQuota, UsualTime


class Clock(FakeClock):
    """
    A clock that a test moves.
    """

    seconds = 100.0

    def monotonic(self) -> float:
        """
        Return the seconds that the test set.
        """
        return self.seconds


def test_nobody_waits_before_aws_refused():
    """
    An organization may have been granted more than AWS publishes.
    """
    quota = Quota(Clock(), 8)

    assert [quota.take_turn() for _ in range(50)] == [0.0] * 50


def test_after_a_refusal_calls_keep_to_the_published_rate():
    """
    Eight a second take turns of an eighth of a second.
    """
    quota = Quota(Clock(), 8)
    quota.refuse()

    turns = [quota.take_turn() for _ in range(9)]

    assert turns[0] == pytest.approx(1 / 8)
    assert turns[-1] == pytest.approx(9 / 8, rel=0.05)
    assert turns == sorted(turns)


def test_each_refusal_slows_down_and_each_turn_speeds_up():
    """
    So the pace settles where AWS grants calls.
    """
    clock = Clock()
    quota = Quota(clock, 10)
    for _ in range(3):
        quota.refuse()
    clock.seconds += 10
    quota.take_turn()
    slow = quota.take_turn()

    for _ in range(500):
        clock.seconds += 10
        quota.take_turn()
    quick = quota.take_turn()

    assert slow == pytest.approx(1 / 6.4, rel=0.02)
    assert quick < 1 / 10


def test_time_that_passed_counts():
    """
    Who comes later than the turn waits no longer.
    """
    clock = Clock()
    quota = Quota(clock, 8)
    quota.refuse()
    clock.seconds += 60

    assert quota.take_turn() == 0.0


def hand_out(clock: Clock, calls: int, rate: float, alone: float) -> tuple[int, float]:
    """
    Make calls, all begun at once, against somebody who grants so many a second, and so many at first.

    Returns how often it was called, and in which time all were granted.
    """
    quota = SharedQuota(clock)
    began = clock.seconds
    waiting = [(clock.seconds, number) for number in range(calls)]
    tokens, filled, made = alone, clock.seconds, 0
    while waiting:
        due, number = heapq.heappop(waiting)
        clock.seconds = max(clock.seconds, due)
        if pause := quota.ask():
            heapq.heappush(waiting, (clock.seconds + pause, number))
            continue
        made += 1
        tokens = min(alone, tokens + (clock.seconds - filled) * rate)
        filled = clock.seconds
        called = clock.seconds
        clock.seconds += 0.001
        if tokens >= 1:
            tokens -= 1
            quota.grant()
        else:
            quota.refuse(called)
            heapq.heappush(waiting, (clock.seconds + 0.5, number))
    return made, clock.seconds - began


@pytest.mark.parametrize("rate", [3, 20, 100, 400])
def test_a_shared_quota_finds_out_what_is_granted(rate):
    """
    All are granted about as fast as can be, with few calls in vain.
    """
    made, seconds = hand_out(Clock(), 600, rate, alone=rate * 1.5)

    assert made < 600 * 1.25
    assert seconds < (600 - rate * 1.5) / rate * 1.25 + 3


def test_one_accounts_refusals_cost_the_others_nothing():
    """
    As long as others are granted in between.
    """
    quota = SharedQuota(Clock())

    for _ in range(50):
        quota.refuse(100.0)
        quota.refuse(100.0)
        quota.grant()

    assert quota.ask() == 0.0


def test_calls_made_before_others_slowed_down_tell_nothing_new():
    """
    Sixty-four threads are refused at the same moment: that is one refusal, not sixty-four.
    """
    clock = Clock()
    quota = SharedQuota(clock)
    for _ in range(40):
        quota.grant()
    for _ in range(64):
        quota.refuse(clock.seconds)

    assert quota.ask() == pytest.approx(1 / 40, rel=0.1)


def test_a_shared_quota_recovers():
    """
    Somebody else had used it up: a minute later it is as if nothing had been.
    """
    clock = Clock()
    quota = SharedQuota(clock)
    for _ in range(3):
        quota.refuse(clock.seconds)
    began = clock.seconds
    for _ in range(500):
        while pause := quota.ask():
            clock.seconds += pause
        quota.grant()

    assert clock.seconds - began < 60


def choose(usual: UsualTime) -> float:
    """
    Return the middle of what it may choose.
    """
    return sorted(usual.choose() for _ in range(99))[49] / 1.05


def test_reports_that_were_not_there_in_time_are_waited_for_longer():
    """
    Each was missed after the time chosen, and there when it was asked for again.
    """
    usual = UsualTime()

    for _ in range(40):
        usual.learn(0.4, waited=2.0, lacked=1.8)

    assert choose(usual) == pytest.approx(2.0, rel=0.02)


def test_reports_that_were_there_in_time_are_fetched_a_little_sooner():
    """
    However many accounts waited at the same time: what they say does not add up.
    """
    usual = UsualTime()
    for _ in range(40):
        usual.learn(0.4, waited=2.0, lacked=1.8)

    for _ in range(500):
        usual.learn(2.0, waited=2.1, lacked=None)

    assert choose(usual) == pytest.approx(1.96, rel=0.02)


def test_a_few_slow_accounts_keep_nobody_waiting():
    """
    Three in four reports are there within two seconds; the others take a minute.
    """
    usual = UsualTime()

    for number in range(64):
        if number % 5:
            usual.learn(2.0, waited=2.0, lacked=None)
        else:
            usual.learn(2.0, waited=60.0, lacked=58.0)

    assert choose(usual) < 2.1


def test_nobody_waits_for_ever_or_not_at_all():
    """
    A pause is some tenths of a second at least, and ten seconds at most.
    """
    slow, quick = UsualTime(), UsualTime()
    for _ in range(40):
        slow.learn(10.0, waited=300.0, lacked=280.0)
        quick.learn(0.01, waited=0.01, lacked=None)

    assert choose(slow) == pytest.approx(10.0, rel=0.03)
    assert choose(quick) == pytest.approx(0.2, rel=0.03)
