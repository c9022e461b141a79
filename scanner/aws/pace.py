"""
How fast one kind of call is made, where AWS grants so many a second to a whole organization.
"""

from scanner.interfaces import Clock

_SLOWER = 0.8
_FASTER = 1.005


class Pace:
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
