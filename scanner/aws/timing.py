"""
When to call AWS next: as often as it grants one kind of call to a whole organization, and when a report will be ready.
"""

import random
import threading
from collections import deque

from scanner.interfaces import Clock

_SLOWER = 0.8
_FASTER = 1.005

_IN_A_ROW = 3
_LEAST = 2.0
_FASTER_TOGETHER = 1.01


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


class SharedQuota:
    """
    As fast as many accounts' work asks, until AWS refuses whoever calls; from then on about as fast as AWS grants.

    What AWS grants is not published for every call. It is first taken to be what was granted in the last second; a call that
    is refused although it kept to that makes it slower by a fifth, and one that is granted faster by a hundredth. Three
    refusals in a row begin it: AWS also refuses single accounts, which must cost the others nothing. Any thread may use it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._granted: deque[float] = deque(maxlen=1000)
        self._in_a_row = 0
        self._rate: float | None = None
        self._next = self._last = self._slowed = 0.0

    def ask(self) -> float:
        """
        Return 0 where a call may be made now, else in how many seconds to ask again.
        """
        with self._lock:
            now = self._clock.monotonic()
            if self._rate is None:
                return 0.0
            if now >= self._next:
                self._next = now + 1 / self._rate
                return 0.0
            # Whoever waits asks again one after the other: the rate may be another one by then.
            self._last = max(self._last + 1 / self._rate, self._next)
            return self._last - now

    def grant(self) -> None:
        """
        Say that AWS answered a call.
        """
        with self._lock:
            self._granted.append(self._clock.monotonic())
            self._in_a_row = 0
            if self._rate is not None:
                self._rate *= _FASTER_TOGETHER

    def refuse(self, began: float) -> None:
        """
        Say that AWS refused a call, made at `began`, for being one too many.
        """
        with self._lock:
            now = self._clock.monotonic()
            self._in_a_row += 1
            if self._rate is None:
                if self._in_a_row < _IN_A_ROW:
                    return
                self._rate = max(_LEAST, sum(moment > now - 1 for moment in self._granted))
            elif began > self._slowed:
                self._rate = max(_LEAST, self._rate * _SLOWER)
            else:
                return  # it was made before the others slowed down
            self._slowed = now
            self._next = now + 1 / self._rate


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
