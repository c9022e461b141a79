"""
One call to AWS, with retries that never put a thread to sleep.

botocore's own retries are off (`scanner.aws.clients`): they share one quota for a whole client, so
that throttled accounts starve healthy ones. Here every account has its own, and a pause is yielded to
the executor, which does other accounts' work meanwhile.
"""

from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)
from tenacity.wait import wait_base

from scanner.aws.faults import CallError, Fault, classify
from scanner.interfaces import Clock
from scanner.model import Request

T = TypeVar("T")

Answer = dict[str, Any]
Pauses = Generator[float, None, T]

ATTEMPTS = 7
"""
How often one call is tried while its fault may pass: about 30 seconds of pauses in the mean.
"""

RETRY_PAUSES = wait_random_exponential(multiplier=0.5, max=20)
"""
Seconds between two attempts: anything up to 0.5, then 1, 2, 4 and so on up to 20.
"""


class CallLog:
    """
    The calls made for one account or for the organization, for the evidence.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.requests: list[Request] = []

    def add(self, operation: str, status: int, request_id: str, error: str = "") -> None:
        """
        Note one call and what became of it.
        """
        self.requests.append(Request(operation, self._clock.now(), request_id, status, error))


def is_passing(fault: Fault) -> bool:
    """
    Tell whether a failed call may succeed a little later.
    """
    return fault.passing


def retry(
    call: Callable[[], T],
    clock: Clock,
    deadline: float,
    *,
    when: Callable[[Fault], bool] = is_passing,
    turn: Callable[[], float] = lambda: 0.0,
) -> Pauses[T]:
    """
    Make one call, again while its fault may pass and the deadline (monotonic seconds) allows.

    Each time `turn` is asked first in how many seconds to ask it again, until it says 0; the deadline moves by what that
    takes. Yields the pauses and returns the answer, or raises the last `CallError`. tenacity's own loop keeps its
    state in the thread, and these steps move from thread to thread: only its waiting times are used.
    """
    attempt = 0
    while True:
        attempt += 1
        while pause := turn():
            deadline += pause
            yield pause
        try:
            return call()
        except CallError as exc:
            left = deadline - clock.monotonic()
            if left <= 0 or attempt >= ATTEMPTS or not when(exc.fault):
                raise
        yield min(choose_pause(RETRY_PAUSES, attempt), left)


def choose_pause(pauses: wait_base, attempt: int) -> float:
    """
    Return how long to wait after so many attempts: growing, with jitter, so that accounts spread out.
    """
    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = attempt
    return float(pauses(state))


def call_once(operation: str, method: Callable[..., Any], log: CallLog, **arguments: Any) -> Answer:  # noqa: ANN401 - boto3's arguments
    """
    Make one call and log it, or raise `CallError`. `operation` is named as AWS names it: `iam:GetUser`.
    """
    try:
        answer: Answer = method(**arguments)
        meta = answer["ResponseMetadata"]
        status, request_id = int(meta["HTTPStatusCode"]), str(meta.get("RequestId", ""))
    except Exception as exc:  # noqa: BLE001 - see below
        # botocore lets bare KeyErrors and parser errors through when a proxy answers with a page of
        # its own, so no narrower family of exceptions would keep one account's trouble in its place.
        fault = classify(operation, exc)
        log.add(operation, fault.status, fault.request_id, fault.error)
        # `from None`: the cause may hold the answer, and an AssumeRole answer holds a key.
        raise CallError(fault) from None
    log.add(operation, status, request_id)
    return answer


def call_patiently(call: Callable[[], T], patience: float, sleep: Callable[[float], None]) -> T:
    """
    Make one call in the main thread, again while its fault may pass, for at most `patience` seconds.

    Raises the last `CallError`.
    """
    retrying = Retrying(
        retry=retry_if_exception(lambda exc: isinstance(exc, CallError) and exc.fault.passing),
        wait=RETRY_PAUSES,
        stop=stop_after_delay(patience) | stop_after_attempt(ATTEMPTS),
        sleep=sleep,
        reraise=True,
    )
    return retrying(call)


def to_plain(answer: Any) -> Any:  # noqa: ANN401 - any JSON value
    """
    Turn an answer into JSON values: times become ISO 8601 text in UTC, and the metadata is left out.
    """
    if isinstance(answer, dict):
        return {key: to_plain(item) for key, item in answer.items() if key != "ResponseMetadata"}
    if isinstance(answer, list):
        return [to_plain(item) for item in answer]
    if isinstance(answer, datetime):
        return answer.isoformat().replace("+00:00", "Z")
    return answer
