import itertools
import threading
import time
from datetime import UTC, datetime

import pytest

from scanner import executor
from scanner.executor import ThreadExecutor
from scanner.model import (
    Account,
    AccountId,
    Collected,
    NotCollected,
    ReasonCode,
)


class MachineClock:
    """
    The machine's clock, as `scanner.wiring` has it.
    """

    def now(self) -> datetime:
        """
        Return the current moment.
        """
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """
        Return seconds that never run backwards.
        """
        return time.monotonic()


def execute(jobs, workers=2):
    return ThreadExecutor(workers, MachineClock()).run(jobs)


def name(number):
    return Account(AccountId(f"{number:012d}"), "", "", "ACTIVE")


def outcome(number):
    return Collected(name(number), datetime(2026, 11, 24, tzinfo=UTC))


def work(number, pauses=()):
    """
    Pause as told and end with one account's outcome.
    """
    yield from pauses
    return outcome(number)


def numbers(outcomes):
    return sorted(int(done.account.id) for done in outcomes)


def alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("account")]


@pytest.fixture(autouse=True)
def leaves_no_thread():
    """
    Whatever happens in a run, no thread of it is left.
    """
    yield
    assert alive() == []


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize("jobs", [0, 1, 2, 40])
def test_every_job_has_its_outcome(workers, jobs):
    """
    As many outcomes as jobs, each account's once, whatever the number of threads.
    """
    outcomes = list(execute((work(number, [0.001]) for number in range(jobs)), workers))

    assert numbers(outcomes) == list(range(jobs))


def test_an_outcome_may_be_that_an_account_was_not_read():
    """
    An unread account is an outcome like another.
    """

    def give_up():
        yield 0
        return NotCollected(name(1), ReasonCode.NETWORK, "account 1: no connection")

    assert list(execute([give_up()])) == [
        NotCollected(name(1), ReasonCode.NETWORK, "account 1: no connection")
    ]


def test_pauses_do_not_block_a_thread():
    """
    Twenty jobs that each pause for 0.3 s share one thread, and take about 0.3 s and not 6.
    """
    begun = time.monotonic()

    outcomes = list(execute((work(number, [0.3]) for number in range(20)), workers=1))

    assert numbers(outcomes) == list(range(20))
    assert 0.3 <= time.monotonic() - begun < 2


def test_a_pause_is_as_long_as_asked_for():
    """
    A job goes on no sooner than it said.
    """
    moments = []

    def wait():
        moments.append(time.monotonic())
        yield 0.1
        moments.append(time.monotonic())
        yield 0.1
        moments.append(time.monotonic())
        return outcome(1)

    list(execute([wait()], workers=1))

    assert all(after - before >= 0.1 for before, after in itertools.pairwise(moments))


def test_a_job_without_pauses_is_done_while_others_wait():
    """
    Outcomes come as they are ready, and not in the order of the jobs.
    """
    jobs = [work(1, [0.2]), work(2), work(3, [0.05])]

    outcomes = execute(jobs, workers=1)

    assert [int(done.account.id) for done in outcomes] == [2, 3, 1]


def test_a_job_whose_pause_is_over_goes_before_a_fresh_one():
    """
    Sessions last 15 minutes: what was begun is ended before more is begun.
    """
    order = []

    def note(number):
        order.append(("begun", number))
        yield 0
        order.append(("ended", number))
        return outcome(number)

    list(execute((note(number) for number in range(3)), workers=1))

    assert order == [(what, number) for number in range(3) for what in ("begun", "ended")]


def test_jobs_are_taken_as_threads_come_free():
    """
    Ten thousand accounts are not begun at once: a job is asked for when a thread can run it.
    """
    taken = []

    def offer():
        for number in range(100):
            taken.append(number)
            yield work(number)

    outcomes = execute(offer(), workers=2)
    next(outcomes)

    assert len(taken) <= 4
    outcomes.close()


def test_as_many_jobs_run_at_once_as_there_are_threads():
    """
    Three threads meet at a barrier for three: they run together.
    """
    barrier = threading.Barrier(3, timeout=5)

    def meet(number):
        barrier.wait()
        yield 0
        return outcome(number)

    assert numbers(execute((meet(number) for number in range(3)), workers=3)) == [0, 1, 2]


def test_never_more_jobs_run_at_once_than_there_are_threads():
    """
    Jobs beyond the number of threads wait their turn.
    """
    running, most, lock = [0], [0], threading.Lock()

    def crowd(number):
        for _ in range(3):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.002)
            with lock:
                running[0] -= 1
            yield 0
        return outcome(number)

    list(execute((crowd(number) for number in range(12)), workers=3))

    assert most[0] <= 3


def test_a_job_may_go_on_in_another_thread():
    """
    Between two steps a job belongs to no thread: here its second step must run elsewhere.
    """
    threads = []
    moved = threading.Event()
    both = threading.Barrier(2, timeout=5)

    def move():
        threads.append(threading.get_ident())
        yield 0.3
        threads.append(threading.get_ident())
        moved.set()
        return outcome(1)

    def hold(number):
        # Both threads are taken; the one that ran the first step is kept until the second has run.
        both.wait()
        if threading.get_ident() == threads[0]:
            moved.wait(5)
        yield 0
        return outcome(number)

    list(execute([move(), hold(2), hold(3)], workers=2))

    assert len(set(threads)) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("pauses", [[], [0.01]])
def test_what_a_job_raises_is_raised(error, pauses):
    """
    An error in a job is nobody's outcome: it reaches whoever reads the outcomes.
    """

    def fail():
        yield from pauses
        raise error("broken")

    with pytest.raises(error, match="broken"):
        list(execute([work(1, [0.5]), fail(), work(2, [0.5])]))


def test_what_the_jobs_themselves_raise_is_raised():
    """
    When the next job cannot even be made, the run ends with that error.
    """

    def offer():
        yield work(1)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(execute(offer()))


def test_outcomes_before_an_error_are_kept():
    """
    An error ends the run and takes back nothing that was handed out.
    """
    seen = []

    def fail():
        yield 0.1
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        seen.extend(execute([work(1), work(2), fail()], workers=1))

    outcomes = execute([work(1), work(2), fail()], workers=1)
    assert numbers([next(outcomes), next(outcomes)]) == [1, 2]
    outcomes.close()


def closing(closed, number, pauses):
    try:
        yield from pauses
    except GeneratorExit:
        closed.append(number)
        raise
    return outcome(number)


@pytest.mark.parametrize("workers", [1, 2])
def test_waiting_jobs_are_closed_when_the_reader_stops(workers):
    """
    A reader that stops early leaves no job half open.
    """
    closed: list[int] = []
    jobs = [closing(closed, 1, [60]), closing(closed, 2, [60]), work(3, [0.05])]

    outcomes = execute(jobs, workers)
    next(outcomes)
    outcomes.close()

    assert sorted(closed) == [1, 2]


def test_a_job_whose_step_was_running_is_closed_too():
    """
    A step that is under way when the reader stops ends first, and then its job is closed as well.
    """
    closed: list[int] = []
    begun, stopped = threading.Event(), threading.Event()

    def run_on():
        try:
            begun.set()
            stopped.wait(5)
            yield 60
        except GeneratorExit:
            closed.append(1)
            raise
        return outcome(1)

    def finish():
        begun.wait(5)
        yield 0
        return outcome(2)

    jobs = [run_on(), finish()]
    outcomes = execute(jobs, workers=2)
    next(outcomes)
    stopped.set()
    outcomes.close()

    assert closed == [1]


def test_jobs_that_wait_are_closed_after_an_error():
    """
    An error in one job closes the others.
    """
    closed: list[int] = []

    def fail():
        yield 0.05
        raise ValueError("broken")

    jobs = [closing(closed, 1, [60]), fail()]
    with pytest.raises(ValueError, match="broken"):
        list(execute(jobs, workers=1))

    assert closed == [1]


def test_jobs_that_were_never_begun_stay_so():
    """
    A reader that stops early begins nothing more.
    """
    begun = []

    def begin(number):
        begun.append(number)
        yield 0
        return outcome(number)

    outcomes = execute((begin(number) for number in range(100)), workers=1)
    next(outcomes)
    outcomes.close()

    assert len(begun) <= 2


def test_a_run_that_nobody_reads_begins_nothing():
    """
    Outcomes are made when they are asked for.
    """
    begun = []

    def begin():
        begun.append(1)
        yield 0
        return outcome(1)

    execute([begin()]).close()

    assert begun == []


class CountingClock(MachineClock):
    """
    Counts how often it is asked for the seconds.
    """

    looks = 0

    def monotonic(self) -> float:
        """
        Return the machine's seconds.
        """
        self.looks += 1
        return super().monotonic()


def test_a_due_job_without_a_free_thread_is_not_asked_about_over_and_over():
    """
    While every thread is at work the scheduler sleeps: it would take the processor from them otherwise.
    """
    clock = CountingClock()
    paused = threading.Event()

    def brief():
        yield 0.01
        return outcome(1)

    def long():
        paused.wait(5)
        time.sleep(0.3)
        yield from ()
        return outcome(2)

    jobs = (job for job in (brief(), brief(), long(), long()))
    run = ThreadExecutor(2, clock).run(jobs)
    threading.Timer(0.1, paused.set).start()

    assert numbers(run) == [1, 1, 2, 2]
    assert clock.looks < 100


def test_jobs_that_another_brings_are_done_as_they_come():
    """
    There are none at first, and the run is not over before the source is.
    """
    found: list[int] = []
    done: list[int] = []

    def search():
        for number in range(5):
            found.append(number)
            yield 0.02
        done.append(1)
        return outcome(99)

    def offer():
        while found or not done:
            yield work(found.pop()) if found else None

    outcomes = ThreadExecutor(3, MachineClock()).run(offer(), source=search())

    assert numbers(outcomes) == [0, 1, 2, 3, 4, 99]


def test_the_source_goes_before_jobs_that_wait_longer():
    """
    However many wait: what is not listed yet cannot be begun.
    """
    order: list[str] = []

    def search():
        order.append("page")
        yield 0.05
        order.append("page")
        return outcome(99)

    def begin(number):
        yield 0.01
        order.append("account")
        time.sleep(0.02)
        return outcome(number)

    jobs = (begin(number) for number in range(20))
    list(ThreadExecutor(1, MachineClock()).run(jobs, source=search()))

    assert order.index("page", 1) < 10


def count_threads(spent):
    """
    Return how many threads worked at most on jobs that wait, where the process uses CPU as told.
    """
    most = [0]

    def wait(number):
        for _ in range(3):
            most[0] = max(most[0], len(alive()))
            time.sleep(0.05)
            yield 0
        return outcome(number)

    list(ThreadExecutor(16, MachineClock(), spent).run(wait(number) for number in range(40)))
    return most[0]


def test_more_threads_are_hired_while_they_wait():
    """
    The process uses no CPU, so that another thread is in nobody's way.
    """
    assert count_threads(lambda: 0.0) == 16


def test_no_more_threads_are_hired_while_one_core_is_busy():
    """
    They would only wait for each other.
    """
    assert count_threads(time.monotonic) == 2


def stop_after(calls):
    """
    Return what says, once, that a run must stop, when it is asked for that time.
    """
    asked = itertools.count(1)
    return lambda: next(asked) == calls


def collect_until_stopped(run):
    """
    Return what a run hands out before it says that it was stopped.
    """
    outcomes = []
    try:
        for done in run:
            outcomes.append(done)  # noqa: PERF402 - a list made at once would be lost with the error
    except KeyboardInterrupt:
        return outcomes
    raise AssertionError("it was not stopped")


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_run_that_is_told_to_stop_ends_what_it_has_begun(workers):
    """
    Each job that was begun comes to its end, pauses included, and no other is begun.
    """
    begun = []

    def begin(number):
        begun.append(number)
        yield 0.3
        yield 0.3
        return outcome(number)

    def offer():
        for number in range(1000):
            time.sleep(0.005)
            yield begin(number)

    run = ThreadExecutor(workers, MachineClock()).run(offer(), must_stop=stop_after(2))

    outcomes = collect_until_stopped(run)

    assert 0 < len(begun) < 1000
    assert numbers(outcomes) == sorted(begun)


def test_a_job_that_does_not_end_in_time_is_closed(monkeypatch):
    """
    What pauses longer than there is time is not waited for; what goes on without a pause is cut off at the limit.
    """
    monkeypatch.setattr(executor, "_PATIENCE", 0.5)
    closed: list[int] = []

    def restless():
        try:
            while True:
                time.sleep(0.01)
                yield 0
        except GeneratorExit:
            closed.append(2)
            raise

    jobs = [closing(closed, 1, [0.1, 60]), restless(), work(3, [0.3])]
    run = ThreadExecutor(3, MachineClock()).run(jobs, must_stop=stop_after(2))
    began = time.monotonic()

    outcomes = collect_until_stopped(run)

    assert numbers(outcomes) == [3]
    assert sorted(closed) == [1, 2]
    assert 0.4 < time.monotonic() - began < 3


def test_nothing_is_waited_for_that_cannot_end_in_time():
    """
    Where all pause for a minute the run ends at once.
    """
    closed: list[int] = []
    jobs = [closing(closed, 1, [60]), closing(closed, 2, [60])]
    began = time.monotonic()

    run = ThreadExecutor(2, MachineClock()).run(jobs, must_stop=stop_after(3))

    assert collect_until_stopped(run) == []
    assert time.monotonic() - began < 3
    assert sorted(closed) == [1, 2]


@pytest.mark.parametrize("pause", [0.0, 0.02, 60])
def test_a_source_that_is_told_to_stop_brings_no_more(pause):
    """
    It is closed, whether it waits or is at work, and what it brought before is ended.
    """
    closed: list[int] = []
    found: list[int] = []
    begun: list[int] = []

    def search():
        try:
            for number in itertools.count():
                found.append(number)
                time.sleep(0.02)
                yield pause
        except GeneratorExit:
            closed.append(99)
            raise

    def begin(number):
        begun.append(number)
        yield 0.2
        return outcome(number)

    def offer():
        while True:
            yield begin(found.pop()) if found else None

    run = ThreadExecutor(3, MachineClock()).run(offer(), source=search(), must_stop=stop_after(4))

    before = time.monotonic()
    outcomes = collect_until_stopped(run)

    assert time.monotonic() - before < 5
    assert closed == [99]
    assert begun
    assert numbers(outcomes) == sorted(begun)


def test_an_error_counts_while_a_run_stops():
    """
    What cannot be stored is said, not that somebody pressed a key.
    """

    def fail():
        yield 0.5
        raise ValueError("broken")

    run = ThreadExecutor(2, MachineClock()).run([fail()], must_stop=stop_after(2))

    with pytest.raises(ValueError, match="broken"):
        list(run)
