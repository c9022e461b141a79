"""
Request quotas: a bucket of tokens that fills at a steady rate, as AWS Organizations publishes them.
"""

import time
from collections.abc import Callable


class TokenBucket:
    """
    Lets `rate` requests a second through, and half as many again at once.

    ListAccounts is published with 8 a second and a burst of 12 (Organizations quotas page).
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = max(1.0, rate * 1.5)
        self._tokens = self._burst
        self._monotonic = monotonic
        self._filled = monotonic()

    def take(self) -> bool:
        """
        Take a token, or return false when there is none.
        """
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
