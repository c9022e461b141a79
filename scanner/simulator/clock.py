"""
The simulated organization's time, which starts where a test or a person wants it to.

There are two times on purpose. The organization's own time decides ages, report snapshots and the
end of sessions, and can be moved forward. Signatures are judged against the wall clock, because
the clients that sign are real and know nothing of the simulation.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def _read_wall_clock() -> datetime:
    return datetime.now(UTC)


def find_birth(start: datetime, age: timedelta) -> datetime:
    """
    Return when a user was made who is so old at `start`: counted from midnight, unless made just now.

    So an organization that is simulated twice on one day has the same users, and what is found twice is
    known to be the same.
    """
    midnight = start.replace(hour=0, minute=0, second=0)
    return (midnight if age >= timedelta(days=2) else start) - age


class SimulatedClock:
    """
    Time that begins at `start` (now, unless given), runs with `monotonic`, and can be advanced.

    `skew` is how far the servers' wall clock is ahead of the true one; only signatures notice.
    """

    def __init__(
        self,
        start: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        skew: timedelta = timedelta(0),
        wall: Callable[[], datetime] = _read_wall_clock,
    ) -> None:
        self.start = (start or wall()).astimezone(UTC).replace(microsecond=0)
        self._monotonic = monotonic
        self._origin = monotonic()
        self._ahead = 0.0
        self._skew = skew
        self._wall = wall

    @property
    def elapsed(self) -> timedelta:
        """
        How much simulated time has passed since the start.
        """
        return timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """
        Return how many seconds of simulated time have passed since the start.
        """
        return self._monotonic() - self._origin + self._ahead

    def now(self) -> datetime:
        """
        Return the organization's present moment.
        """
        return self.start + self.elapsed

    def at(self, age: timedelta) -> datetime:
        """
        Return the moment that lay `age` before the start; a negative age lies after it.
        """
        return self.start - age

    def advance(self, seconds: float) -> None:
        """
        Move the organization's time forward.
        """
        self._ahead += seconds

    def signing_time(self) -> datetime:
        """
        Return the moment against which signatures are judged.
        """
        return self._wall() + self._skew
