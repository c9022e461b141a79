"""
How the work on many accounts is spread over this machine's threads.

A job is a generator of steps (`scanner.interfaces.Steps`). A thread runs one step; where the step ends
in a pause, the job goes to a waiting list and the thread takes another job. So a few threads carry many
accounts, and none of them sleeps.
"""

import heapq
import itertools
import queue
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

from scanner.interfaces import Clock, Steps, T

_LONGEST_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class _Paused:
    seconds: float


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    value: T


_Turn = tuple[Steps[T], "_Ended[T] | _Paused | BaseException"]


class ThreadExecutor:
    """
    Runs jobs on `workers` threads. See `Executor`.
    """

    def __init__(self, workers: int, clock: Clock) -> None:
        self._workers = workers
        self._clock = clock

    def run(self, jobs: Iterable[Steps[T] | None]) -> Generator[T, None, None]:
        """
        Drive every job to its end, yielding what comes of each as it comes. See `Executor.run`.
        """
        crew = _Crew(self._workers, self._clock, iter(jobs))
        try:
            while crew.hire():
                turn = crew.await_turn()
                match turn:
                    case None:
                        continue
                    case BaseException():
                        raise turn
                    case _Ended():
                        yield turn.value
        finally:
            crew.dismiss()


class _Crew(Generic[T]):
    """
    The threads of one run, the jobs that wait, and the steps that are over.
    """

    def __init__(self, workers: int, clock: Clock, fresh: Iterator[Steps[T] | None]) -> None:
        self._workers = workers
        self._clock = clock
        self._fresh = fresh
        self._waiting: list[tuple[float, int, Steps[T]]] = []
        self._turns: queue.SimpleQueue[_Turn[T]] = queue.SimpleQueue()
        self._order = itertools.count()
        self._running = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="account")

    def hire(self) -> bool:
        """
        Give every idle thread a job that can go on; return whether any work is left at all.
        """
        while self._running < self._workers and (job := self._take()) is not None:
            self._pool.submit(_step, job, self._turns)
            self._running += 1
        return bool(self._running or self._waiting)

    def await_turn(self) -> _Ended[T] | BaseException | None:
        """
        Return how the next step ended, or None when it ended in a pause or a pause is over first.
        """
        try:
            job, result = self._turns.get(timeout=self._patience())
        except queue.Empty:
            return None
        self._running -= 1
        if isinstance(result, _Paused):
            due = self._clock.monotonic() + result.seconds
            heapq.heappush(self._waiting, (due, next(self._order), job))
            return None
        return result

    def dismiss(self) -> None:
        """
        Let running steps end, and close the jobs that wait.
        """
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._turns.empty():
            job, _ = self._turns.get_nowait()
            job.close()
        for _, _, job in self._waiting:
            job.close()

    def _take(self) -> Steps[T] | None:
        """
        Return a job whose pause is over before one that has not begun, so that sessions stay short.

        None where there is no job now: another step's end may bring one.
        """
        if self._waiting and self._waiting[0][0] <= self._clock.monotonic():
            return heapq.heappop(self._waiting)[2]
        return next(self._fresh, None)

    def _patience(self) -> float:
        """
        Return how long to wait for a step to end: until a pause is over, where a thread is free for it.
        """
        # Never without a bound: a Ctrl-C would otherwise wait for the next answer from AWS.
        if not self._waiting or self._running == self._workers:
            return _LONGEST_WAIT
        return min(_LONGEST_WAIT, max(0.0, self._waiting[0][0] - self._clock.monotonic()))


def _step(job: Steps[T], turns: "queue.SimpleQueue[_Turn[T]]") -> None:
    try:
        turns.put((job, _Paused(next(job))))
    except StopIteration as done:
        turns.put((job, _Ended(done.value)))
    except BaseException as exc:  # noqa: BLE001 - handed to the thread that reads the turns
        turns.put((job, exc))
