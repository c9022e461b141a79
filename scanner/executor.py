"""
How the work on many accounts is spread over this machine's threads.

A job is a generator of steps (`scanner.interfaces.Steps`). A thread runs one step; where the step ends
in a pause, the job goes to a waiting list and the thread takes another job. So a few threads carry many
accounts, and none of them sleeps for one. How many threads work at once follows what they wait for: while they
wait for AWS more are hired, and as soon as they wait for each other (one at a time runs Python) no more are.
"""

import heapq
import itertools
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic

from scanner.interfaces import Clock, Steps, T

_FIRST = 2
"""
How many threads work at first.
"""

_TICK = 0.1
"""
Seconds between two looks at how busy the threads are.
"""

_BUSY = 0.9
"""
The share of one core from which on another thread would only be in the others' way.
"""

_PATIENCE = 10.0
"""
Seconds for jobs that were begun to come to their end once the run is to stop.
"""


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    value: T


class ThreadExecutor:
    """
    Runs jobs on at most `workers` threads. See `Executor`.
    """

    def __init__(
        self, workers: int, clock: Clock, spent: Callable[[], float] = time.process_time
    ) -> None:
        """
        `spent` returns how many seconds of CPU this process has used.
        """
        self._workers = workers
        self._clock = clock
        self._spent = spent

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,
    ) -> Generator[T, None, None]:
        """
        Drive every job to its end, yielding what comes of each as it comes. See `Executor.run`.
        """
        crew = _Crew(_Limit(self._workers, self._spent), self._clock, iter(jobs), source)
        try:
            while (end := crew.await_end(must_stop)) is not None:
                if isinstance(end, BaseException):
                    raise end
                yield end.value
            if crew.is_stopping:
                raise KeyboardInterrupt
        finally:
            crew.dismiss()


class _Limit:
    """
    How many threads may work at once: twice as many at each look while they wait, slower once they did not.

    `was_reached` says that since the last look all of them were at work.
    """

    def __init__(self, most: int, spent: Callable[[], float]) -> None:
        self._least, self._most = min(_FIRST, most), most
        self._spent = spent
        self._is_starting = True
        self._looked = time.monotonic()
        self._before = spent()
        self.was_reached = False
        self.now = self._least

    def adjust(self) -> None:
        """
        Look at how busy the threads were since the last look, where that is a while ago.
        """
        now = time.monotonic()
        if now - self._looked < _TICK:
            return
        spent = self._spent()
        share = (spent - self._before) / (now - self._looked)
        if share > _BUSY:
            self._is_starting = False
            self.now = max(self._least, self.now - self.now // 16)
        elif self.was_reached:
            more = self.now if self._is_starting else max(1, self.now // 4)
            self.now = min(self._most, self.now + more)
        self._looked, self._before, self.was_reached = now, spent, False


class _Crew(Generic[T]):
    """
    The threads of one run, the jobs that wait, and what came of those that are over.

    Everything is guarded by one lock but the steps themselves, which run outside it.
    """

    def __init__(
        self,
        limit: _Limit,
        clock: Clock,
        fresh: Iterator[Steps[T] | None],
        source: Steps[T] | None,
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._fresh = fresh
        self._source = source
        self._waiting: list[tuple[float, int, Steps[T]]] = []
        self._sources: list[tuple[float, int, Steps[T]]] = []
        if source is not None:
            self._sources.append((clock.monotonic(), 0, source))
        self._order = itertools.count()
        self._ends: queue.SimpleQueue[_Ended[T] | BaseException | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._unread = 0
        self._has_timer = False
        self._is_over = False
        self._until = math.inf

    @property
    def is_stopping(self) -> bool:
        """
        Whether no job is begun any more, and those under way have a limit.
        """
        return self._until < math.inf

    def await_end(self, must_stop: Callable[[], bool]) -> _Ended[T] | BaseException | None:
        """
        Return what came of the next job that is over, or what it raised; None when all are.
        """
        self._hire()
        while True:
            if must_stop():
                self._wind_down()
            try:
                # Never without a bound: a Ctrl-C would otherwise wait for the next answer from AWS.
                end = self._ends.get(timeout=_TICK)
            except queue.Empty:
                self._hire()
                continue
            with self._changed:
                self._unread -= 1
                self._changed.notify()
            return end

    def dismiss(self) -> None:
        """
        Let running steps end, and close the jobs that wait.
        """
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for _, _, job in (*self._sources, *self._waiting):
            job.close()

    def _wind_down(self) -> None:
        """
        Begin nothing more, and give what was begun a while to end. The source, which only brings more, ends here.
        """
        with self._changed:
            self._until = self._clock.monotonic() + _PATIENCE
            self._fresh = iter(())
            for _, _, source in self._sources:
                source.close()
            self._sources.clear()
            self._changed.notify_all()

    def _hire(self) -> None:
        """
        See how many threads are of use, and start those that are missing.
        """
        with self._changed:
            self._limit.adjust()
            while not self._is_over and len(self._threads) < self._limit.now:
                name = f"account-{len(self._threads)}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify()

    def _work(self) -> None:
        """
        Do one job's steps after another's, until there is nothing left to do.
        """
        while (job := self._take()) is not None:
            end: _Ended[T] | BaseException | None
            try:
                end = self._drive(job)
            except BaseException as exc:  # noqa: BLE001 - handed to the thread that reads what came of the jobs
                end = exc
            with self._changed:
                self._running -= 1
                if end is not None:
                    self._unread += 1
                    self._ends.put(end)
                self._changed.notify()

    def _drive(self, job: Steps[T]) -> _Ended[T] | None:
        """
        Do a job's steps until it pauses, and put it among those that wait then. Return what came of it at its end.
        """
        while True:
            try:
                pause = next(job)
            except StopIteration as done:
                return _Ended(done.value)
            with self._changed:
                due = self._clock.monotonic() + pause
                is_first = due < self._find_due()
                is_source = job is self._source
                if is_source and self.is_stopping:
                    job.close()
                    return None
                if pause <= 0 and is_first and due < self._until and not self._is_over:
                    self._changed.notify()  # this step may have brought new jobs
                    continue
                place = self._sources if is_source else self._waiting
                heapq.heappush(place, (due, next(self._order), job))
                if is_first:
                    # Whoever minds the time minds it for a later one.
                    self._changed.notify_all()
                return None

    def _take(self) -> Steps[T] | None:
        """
        Return the job to go on with. Waits until there is one; None when there will be none any more.
        """
        with self._changed:
            while not self._is_over:
                if not self._is_full():
                    try:
                        job = self._find()
                    except BaseException as exc:  # noqa: BLE001 - see `_work`
                        self._end(exc)
                        return None
                    if job is not None:
                        self._running += 1
                        self._limit.was_reached |= self._is_full()
                        # Somebody else minds the time now, and may find more to do.
                        self._changed.notify()
                        return job
                    due = max(self._find_due(), self._clock.monotonic())
                    if not self._running and due >= self._until:
                        self._end(None)
                        return None
                self._rest()
            return None

    def _is_full(self) -> bool:
        """
        Tell whether enough is going on: what nobody has read yet counts, so that the reader sets the pace.
        """
        return self._running + self._unread >= self._limit.now

    def _find(self) -> Steps[T] | None:
        """
        Return the job that brings the others, where it can go on; else one whose pause is over, else a fresh one.

        What was begun goes before what was not, so that sessions stay short.
        """
        now = self._clock.monotonic()
        if now >= self._until:
            return None
        for waiting in (self._sources, self._waiting):
            if waiting and waiting[0][0] <= now:
                return heapq.heappop(waiting)[2]
        return next(self._fresh, None)

    def _find_due(self) -> float:
        """
        Return when the next pause is over, infinity where nothing waits.
        """
        return min(
            (waiting[0][0] for waiting in (self._sources, self._waiting) if waiting),
            default=math.inf,
        )

    def _end(self, end: BaseException | None) -> None:
        self._is_over = True
        self._ends.put(end)
        self._changed.notify_all()

    def _rest(self) -> None:
        """
        Wait until something changes; one of those who wait minds when the next pause is over.
        """
        due = self._find_due()
        if self._has_timer or due >= self._until or self._is_full():
            self._changed.wait()
            return
        self._has_timer = True
        try:
            self._changed.wait(max(0.0, due - self._clock.monotonic()))
        finally:
            self._has_timer = False
