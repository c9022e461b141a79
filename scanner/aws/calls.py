"""
One call to AWS, with retries that never put a thread to sleep.

botocore's own retries are off (`scanner.aws.clients`): they share one quota for a whole client, so
that throttled accounts starve healthy ones. Here every account has its own, and a pause is yielded to
the executor, which does other accounts' work meanwhile.
"""

import sys
from collections.abc import Callable, Generator
from datetime import datetime
from typing import Any, TypeVar

from tenacity import BaseRetrying, RetryCallState, retry_if_exception, wait_random_exponential
from tenacity import DoAttempt as Attempting
from tenacity import DoSleep as Pausing

from scanner.aws.faults import CallError, classify
from scanner.interfaces import Clock
from scanner.model import Request

T = TypeVar("T")

Answer = dict[str, Any]
Pauses = Generator[float, None, T]

ATTEMPTS = 7
"""
How often one call is tried while its fault may pass: about 30 seconds of pauses in the mean.
"""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0


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


class PausingRetrying(BaseRetrying):
    """
    tenacity's retry loop as a generator: it yields each pause instead of sleeping through it.
    """

    def __call__(self, fn: Callable[..., T], *args: Any, **kwargs: Any) -> Pauses[T]:  # type: ignore[override]  # noqa: ANN401 - tenacity's signature
        """
        Call `fn` until it succeeds or the retries end, yielding the seconds to wait in between.
        """
        self.begin()
        state = RetryCallState(retry_object=self, fn=fn, args=args, kwargs=kwargs)
        while True:
            do = self.iter(retry_state=state)
            if isinstance(do, Attempting):
                try:
                    result = fn(*args, **kwargs)
                except CallError:
                    state.set_exception(sys.exc_info())  # type: ignore[arg-type]
                else:
                    state.set_result(result)
            elif isinstance(do, Pausing):
                state.prepare_for_next_attempt()
                yield float(do)
            else:
                answer: T = do
                return answer


def is_passing(exc: BaseException) -> bool:
    """
    Tell whether a failed call may succeed a little later.
    """
    return isinstance(exc, CallError) and exc.fault.passing


def retry(
    call: Callable[[], T],
    clock: Clock,
    deadline: float,
    *,
    when: Callable[[BaseException], bool] = is_passing,
) -> Pauses[T]:
    """
    Make one call, again while its fault may pass and the deadline (monotonic seconds) allows.

    Yields the pauses and returns the answer, or raises the last `CallError`.
    """

    def is_over(state: RetryCallState) -> bool:
        late = clock.monotonic() + (state.upcoming_sleep or 0) >= deadline
        return late or state.attempt_number >= ATTEMPTS

    retrying = PausingRetrying(
        stop=is_over,
        wait=wait_random_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
        retry=retry_if_exception(when),
        reraise=True,
    )
    answer: T = yield from retrying(call)
    return answer


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


def drive(steps: Pauses[T], sleep: Callable[[float], None]) -> T:
    """
    Run steps to their end in this thread, sleeping through their pauses.
    """
    while True:
        try:
            pause = next(steps)
        except StopIteration as done:
            answer: T = done.value
            return answer
        sleep(pause)


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
