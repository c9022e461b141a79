"""
How fast AWS's lists are asked for.
"""

import pytest
from fake_scan import FakeClock

from scanner.aws.pace import Pace


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
    pace = Pace(Clock(), 8)

    assert [pace.take_turn() for _ in range(50)] == [0.0] * 50


def test_after_a_refusal_calls_keep_to_the_published_rate():
    """
    Eight a second take turns of an eighth of a second.
    """
    pace = Pace(Clock(), 8)
    pace.refuse()

    turns = [pace.take_turn() for _ in range(9)]

    assert turns[0] == pytest.approx(1 / 8)
    assert turns[-1] == pytest.approx(9 / 8, rel=0.05)
    assert turns == sorted(turns)


def test_each_refusal_slows_down_and_each_turn_speeds_up():
    """
    So the pace settles where AWS grants calls.
    """
    clock = Clock()
    pace = Pace(clock, 10)
    for _ in range(3):
        pace.refuse()
    clock.seconds += 10
    pace.take_turn()
    slow = pace.take_turn()

    for _ in range(500):
        clock.seconds += 10
        pace.take_turn()
    quick = pace.take_turn()

    assert slow == pytest.approx(1 / 6.4, rel=0.02)
    assert quick < 1 / 10


def test_time_that_passed_counts():
    """
    Who comes later than the turn waits no longer.
    """
    clock = Clock()
    pace = Pace(clock, 8)
    pace.refuse()
    clock.seconds += 60

    assert pace.take_turn() == 0.0
