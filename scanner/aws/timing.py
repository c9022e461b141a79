"""
When to call AWS next: as often as it grants one kind of call to a whole organization, and when a report will be ready.
"""

import random
from collections import deque

from scanner.interfaces import Clock

_SLOWER = 0.8
_FASTER = 1.005


class Quota:
    """
    As fast as AWS answers, until it refuses; from then on at the rate that AWS publishes, which it may have changed.

    Each further refusal makes it slower by a fifth, each turn faster by half a hundredth, so that the pace settles where
    AWS grants calls. `published` is in calls a second. It serves one thread at a time.
    """

    def __init__(self, clock: Clock, published: float) -> None:
        self._clock = clock
        self._published = published
        self._rate: float | None = None
        self._next = 0.0

    def take_turn(self) -> float:
        """
        Take the next turn, and return in how many seconds it is.
        """
        if self._rate is None:
            return 0.0
        now = self._clock.monotonic()
        turn = max(self._next, now)
        self._rate *= _FASTER
        self._next = turn + 1 / self._rate
        return turn - now

    def refuse(self) -> None:
        """
        Say that AWS refused a call for being one too many.
        """
        self._rate = self._published if self._rate is None else self._rate * _SLOWER
        self._next = self._clock.monotonic() + 1 / self._rate


class UsualTime:
    """
    How long AWS takes to make a report, as the last accounts have it, so that most ask once and not five times.

    Three in four of them had theirs by then: the few that take long keep nobody else waiting. Between two looks it
    comes down a little, until it is too short for some.
    """

    def __init__(self) -> None:
        self._needed: deque[float] = deque(maxlen=32)
        self._seconds = 0.4

    def choose(self) -> float:
        """
        Return how many seconds to wait before a report is fetched.
        """
        return random.uniform(1.0, 1.1) * self._seconds  # noqa: S311 - spreads calls, hides nothing

    def learn(self, chosen: float, waited: float, lacked: float | None) -> None:
        """
        Say after how many seconds a report was there, and after how many it was not there yet.

        `chosen` is what `choose` said for it: hundreds wait at the same time, and what they say must not add up.
        """
        # How long after it was missed the report came is known only as well as it was asked about again.
        needed = min(chosen, waited) * 0.98 if lacked is None else min(waited, lacked * 1.2)
        self._needed.append(needed)
        ordered = sorted(self._needed)
        self._seconds = min(10.0, max(0.2, ordered[len(ordered) * 3 // 4]))
