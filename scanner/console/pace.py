"""
How fast the work goes of late, and how long the rest of it will take. Pure: moments are arguments.
"""

from collections import deque
from math import ceil

_WINDOW = 20.0
"""
Seconds that count as "of late". AWS makes reports in waves: a shorter window would jump about, a longer one would
promise what was true minutes ago.
"""

_GRAIN = 0.25
"""
Seconds of work that are remembered together, so that memory does not grow with the number of accounts.
"""


class Pace:
    """
    Remembers when pieces of work were done. Moments are seconds that never run backwards.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._done: deque[tuple[float, int]] = deque()

    def mark(self, now: float, number: int = 1) -> None:
        """
        Count pieces that were done just now.
        """
        if self._done and now - self._done[-1][0] < _GRAIN:
            moment, before = self._done.pop()
            self._done.append((moment, before + number))
        else:
            self._done.append((now, number))
        while self._done[0][0] <= now - _WINDOW:
            self._done.popleft()

    def rate(self, now: float) -> float:
        """
        Return pieces a second of late. It falls while nothing is done, down to nothing.
        """
        recent = sum(number for moment, number in self._done if moment > now - _WINDOW)
        return recent / min(max(now - self._began, 1.0), _WINDOW)

    def left(self, now: float, rest: int) -> float | None:
        """
        Return in how many seconds `rest` more pieces will be done, None when there is nothing to tell it from.
        """
        if rest <= 0:
            return 0.0
        rate = self.rate(now)
        return rest / rate if rate > 0 else None


def write_span(seconds: float | None) -> str:
    """
    Write a stretch of time in whole seconds, those begun included: `0:42`, `12:05`, `1:00:00`; `-:--` if not known.
    """
    if seconds is None:
        return "-:--"
    minutes, whole = divmod(ceil(max(seconds, 0.0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
