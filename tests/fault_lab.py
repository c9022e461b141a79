"""
Random fault plans against whole scans: whatever goes wrong, each account has its one right outcome.

    PYTHONPATH=tests python tests/fault_lab.py SEED PLANS FOLDER

Real boto3 and real HTTP, but nobody waits: time is virtual and jumps over pauses, for the scan and for the simulated
organization alike. Accounts take turns in random order in one thread. Tests of the executor and of whole commands
hold the threads to the same.
"""

import heapq
import itertools
import json
import os
import random
import shutil
import socket
import sys
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from fake_scan import PRESS, Silence

from scanner.aws import AwsCollector, AwsDirectory, RolePlan, connect
from scanner.errors import DiscoveryError
from scanner.evidence import StoredRun
from scanner.interfaces import Collector, Steps, T
from scanner.model import Attempt, Caller, ReasonCode
from scanner.pipeline import Means, scan
from scanner.records import decode
from scanner.settings import read_settings
from scanner.simulator import (
    READER_ROLE,
    Fault,
    FaultKind,
    FaultPlan,
    Simulator,
    World,
    build_world,
)
from scanner.simulator.clock import SimulatedClock
from scanner.simulator.draws import DRAWS, Draw
from scanner.simulator.kinds import FACTS, LIST, Stage
from scanner.wiring import prepare_order

DEADLINE = 120.0
_CROSS_CHECK = 600.0
_ONE_CALL = 60.0
_WHOLE_SCAN = 1200.0
"""
Seconds for everything: the listing, and then the account that takes longest.
"""
_LOST = {FaultKind.CSV_BAD_VALUES}
"""
Faults after which a user's verdict can be unknown, and must not be a pass.
"""

_STUMBLES = (
    FaultKind.THROTTLE,
    FaultKind.SERVER_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.HTML,
    FaultKind.RESET,
    FaultKind.CUT_BODY,
    FaultKind.BROKEN_BODY,
    FaultKind.SLOW_BODY,
)
"""
What a listing copes with once or twice.
"""

_FAILURES = (FaultKind.SERVER_ERROR, FaultKind.ACTION_DENIED, FaultKind.THROTTLE)
"""
What ends a listing where it lasts.
"""

_HAS_A_REPORT = {
    FaultKind.FIXED_SINCE_REPORT,
    FaultKind.PASSWORD_REMOVED_SINCE_REPORT,
    FaultKind.DELETED_SINCE_REPORT,
}
"""
Where a report exists already, a scan takes it when AWS has no capacity to make one.
"""


class VirtualClock:
    """
    Time that passes only where somebody waits for it.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.start = datetime.now(UTC).replace(microsecond=0)

    def now(self) -> datetime:
        """
        Return the moment, to the whole second.
        """
        return self.start + timedelta(seconds=int(self.seconds))

    def monotonic(self) -> float:
        """
        Return the seconds that have passed.
        """
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """
        Let time pass.
        """
        self.seconds += seconds


class TakingTurns:
    """
    Runs jobs step by step, in random order where several could go on, and jumps over pauses.
    """

    def __init__(self, clock: VirtualClock, dice: random.Random) -> None:
        self._clock = clock
        self._dice = dice

    def run(
        self,
        jobs: Iterable[Steps[T] | None],
        *,
        source: Steps[T] | None = None,
        must_stop: Callable[[], bool] = lambda: False,  # noqa: ARG002 - nobody asks
    ) -> Generator[T, None, None]:
        """
        Drive every job to its end. See `Executor.run`.
        """
        fresh, numbers = iter(jobs), itertools.count()
        if source is not None:
            fresh = itertools.chain([source], fresh)
        waiting: list[tuple[float, float, int, Steps[T]]] = []
        while True:
            while (found := next(fresh, None)) is not None:
                now = self._clock.seconds
                heapq.heappush(waiting, (now, self._dice.random(), next(numbers), found))
            if not waiting:
                return
            due, _, number, job = heapq.heappop(waiting)
            self._clock.seconds = max(self._clock.seconds, due)
            try:
                pause = next(job)
            except StopIteration as done:
                yield done.value
            else:
                again = self._clock.seconds + pause
                heapq.heappush(waiting, (again, self._dice.random(), number, job))


@dataclass
class Trial:
    """
    One plan, and what is due: for each account the reasons that its faults amount to, empty where a scan copes.

    `is_listed` is None where the account list may be read or not. `lenient` holds accounts that may be read all the
    same, `lost` those where a verdict may be unknown. `look_ups` are those that DNS does not answer, counted from 1,
    `skew` is how far AWS's clock is ahead of ours, and the rates are quotas that all accounts share.
    """

    world: World
    plan: FaultPlan
    due: dict[str, set[ReasonCode]]
    lost: set[str] = field(default_factory=set)
    lenient: set[str] = field(default_factory=set)
    is_listed: bool | None = True
    look_ups: Collection[int] = ()
    skew: timedelta = timedelta(0)
    assume_rate: float | None = None
    list_rate: float | None = None


def draw_trial(dice: random.Random) -> Trial:
    """
    Draw an organization and its faults: up to three for an account, and some for everybody.
    """
    world = build_world(accounts=dice.randint(3, 24), users=6, seed=dice.randint(1, 10_000))
    faults: list[Fault] = []
    trial = Trial(world, FaultPlan(), {account.id: set() for account in world.accounts})
    for account in world.readable_accounts():
        if account.id == world.management_id:
            continue
        draws = list(_draw_some(dice))
        kinds = {draw.members["kind"] for draw in draws}
        if FaultKind.LIMIT_EXCEEDED in kinds and kinds & _HAS_A_REPORT:
            trial.lenient.add(account.id)
        for draw in draws:
            faults.append(Fault(**draw.members, account=account.id))
            if draw.expected is not None:
                trial.due[account.id].add(draw.expected)
            if faults[-1].kind in _LOST:
                trial.lost.add(account.id)
    faults += _draw_common(dice, trial)
    trial.plan = FaultPlan(tuple(faults))
    _draw_surroundings(dice, trial)
    return trial


def _draw_surroundings(dice: random.Random, trial: Trial) -> None:
    """
    Draw what lies around the accounts: name resolution that fails, quotas, and a clock that is off.
    """
    if dice.random() < 0.2:
        first = dice.randint(1, 5)
        trial.look_ups = range(first, first + dice.randint(1, 3))
    if dice.random() < 0.2:
        trial.assume_rate = dice.choice((2.0, 5.0, 20.0))
    if dice.random() < 0.2:
        trial.list_rate = dice.choice((1.0, 8.0))
    if dice.random() < 0.04:
        trial.is_listed = False
        trial.skew = timedelta(minutes=dice.choice((-20, 20)))


def _draw_some(dice: random.Random) -> Iterator[Draw]:
    """
    Yield faults that can be told apart when they meet: one of a kind, and one that changes the account or report.
    """
    kinds: set[object] = set()
    for draw in dice.sample(DRAWS, dice.choice((0, 0, 1, 1, 2, 3))):
        kind = draw.members["kind"]
        stage = FACTS[kind].stage
        key = stage if stage in {Stage.WORLD, Stage.CONTENT} else kind
        if key not in kinds:
            kinds.add(key)
            yield draw


def _draw_common(dice: random.Random, trial: Trial) -> Iterator[Fault]:
    """
    Yield what concerns everybody: a listing that stumbles or fails, calls that stumble, a caller who expires.
    """
    pages = -(-len(trial.world.accounts) // 20)
    management = trial.world.management_id
    for kind in _STUMBLES:
        if dice.random() < 0.1:
            page = dice.randint(1, pages) if FACTS[kind].stage is Stage.REFUSAL else None
            times = dice.randint(1, 2)
            yield Fault(kind, management, LIST, times=times, page=page, seconds=0.2)
    if dice.random() < 0.06:
        trial.is_listed = False
        yield Fault(dice.choice(_FAILURES), management, LIST, page=dice.randint(1, pages))
    if dice.random() < 0.2:
        operation = dice.choice(("iam:GetAccountSummary", "iam:ListMFADevices", "sts:AssumeRole"))
        yield Fault(FaultKind.THROTTLE, "*", operation, times=dice.randint(1, 2))
    if dice.random() < 0.1:
        after = dice.randint(1, 60)
        trial.is_listed = None if trial.is_listed else trial.is_listed
        for reasons in trial.due.values():
            # Nobody can say before whom it strikes.
            reasons.add(ReasonCode.CALLER_EXPIRED)
        trial.due["anybody"] = {ReasonCode.CALLER_EXPIRED}
        yield Fault(FaultKind.CALLER_EXPIRED, management, after=after)


@contextmanager
def signed_in(simulator: Simulator) -> Iterator[None]:
    """
    Let boto3 find the simulated caller's credentials, and nobody else's.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(simulator.environment())
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def resolving(silent: Collection[int]) -> Iterator[None]:
    """
    Let DNS answer, but for those look-ups.
    """
    answer, count = socket.getaddrinfo, itertools.count(1)

    def look_up(*arguments: Any, **options: Any) -> Any:
        if next(count) in silent:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return answer(*arguments, **options)

    socket.getaddrinfo = look_up
    try:
        yield
    finally:
        socket.getaddrinfo = answer


def run_trial(trial: Trial, dice: random.Random, output: Path) -> Counter[str]:
    """
    Scan, and hold the outcome of every account against what is due. Returns how many had which outcome.
    """
    clock = VirtualClock()
    simulated = SimulatedClock(clock.start, clock.monotonic, skew=trial.skew)
    made = Simulator(
        trial.world,
        trial.plan,
        clock=simulated,
        assume_rate=trial.assume_rate,
        list_rate=trial.list_rate,
    )
    with made as simulator, signed_in(simulator), resolving(trial.look_ups):
        overrides: dict[str, dict[str, object]] = {
            "aws": {
                "endpoint_url": simulator.url,
                "role_name": READER_ROLE,
                "account_deadline_seconds": DEADLINE,
            },
            "scan": {"formats": ["json"]},
        }
        order = prepare_order(read_settings(None, "settings", overrides), {}, output=output)
        clients = connect(profile=None, region=None, endpoint=simulator.url, workers=2)

        def collector_for(caller: Caller) -> Collector:
            roles = RolePlan(READER_ROLE)
            return AwsCollector(
                clients, clock, caller=caller, roles=roles, account_deadline=DEADLINE, confirm=True
            )

        means = Means(
            directory=AwsDirectory(clients, clock, clock.sleep),
            collector_for=collector_for,
            executor=TakingTurns(clock, dice),
            clock=clock,
            signer=None,
            press=PRESS,
            progress=Silence(),
            tool_version="0.1.0",
        )
        try:
            folder = scan(order, means).folder
        except DiscoveryError:
            assert trial.is_listed is not True, "the list could have been read"
            assert not list(output.glob("*/*/*/manifest.json")), "sealed without an account list"
            return Counter({"no list": 1})
        finally:
            clients.iam.close()
            clients.sts.close()
            clients.organizations.close()
        assert trial.is_listed is not False, "the list could not have been read whole"
        assert clock.seconds <= _WHOLE_SCAN, f"the scan took {clock.seconds:.0f} seconds"
        return check(trial, simulator.world, StoredRun(folder))


def check(trial: Trial, world: World, run: StoredRun) -> Counter[str]:
    """
    Hold a finished run against the plan and the organization as it really is.
    """
    accounts = run.accounts().set_index("account_id")
    assert list(accounts.index) == sorted(account.id for account in world.accounts)
    got = {
        str(account): "collected" if pd.isna(row["reason_code"]) else str(row["reason_code"])
        for account, row in accounts.iterrows()
    }
    for account, outcome in got.items():
        due = {str(reason) for reason in trial.due[account]}
        # A caller's credentials may also have lasted long enough.
        passing = {ReasonCode.CALLER_EXPIRED}
        if account in trial.lenient:
            passing.add(ReasonCode.REPORT_LIMIT)
        may_be_read = not trial.due[account] - passing
        assert outcome in due or (outcome == "collected" and may_be_read), (account, outcome, due)
    read = {account for account, outcome in got.items() if outcome == "collected"}
    check_rows(trial, world, run, read)
    check_time(run)
    summary = run.summary
    missed = [code for code in got.values() if code not in {"collected", "not-active", "excluded"}]
    if missed or summary.unknown_verdicts or not read:
        assert summary.exit_status == 3, summary.exit_status
    elif any(account in read for account, _ in world.offenders()):
        assert summary.exit_status == 1, summary.exit_status
    else:
        assert summary.exit_status in {0, 1}, summary.exit_status
    return Counter(got.values())


def check_rows(trial: Trial, world: World, run: StoredRun, read: set[str]) -> None:
    """
    See that every row is its own account's, that nobody is missing, and that no verdict is wrong.
    """
    batches = list(run.users())
    if not read:
        assert not sum(map(len, batches)), "users of accounts that were not read"
        return
    users = pd.concat(batches)
    owners = users["arn"].str.split(":").str[4]
    assert (owners == users["account_id"]).all(), "a row in another account"
    assert set(users["account_id"]) == read
    findings = run.findings()
    about = findings[findings["check"] == "console-no-mfa"]
    failed = {
        (str(row["account_id"]), str(row["user"]))
        for row in about[about["verdict"] == "fail"].to_dict("records")
    }
    unclear = {
        (str(row["account_id"]), str(row["user"]))
        for row in about[about["verdict"] == "unknown"].to_dict("records")
    }
    due = {(account, user) for account, user in world.offenders() if account in read}
    assert failed <= due, f"wrongly noted: {failed - due}"
    lost = due - failed
    assert lost <= unclear, f"passed in silence: {lost - unclear}"
    assert {account for account, _ in lost} <= trial.lost, lost


def check_time(run: StoredRun) -> None:
    """
    See that no account took longer than it may.
    """
    for path in run.folder.glob("raw/*/outcome-*.json"):
        attempt = decode(Attempt, path.read_bytes(), str(path))
        took = (attempt.finished - attempt.started).total_seconds()
        assert took <= DEADLINE + _CROSS_CHECK + _ONE_CALL, (attempt.account_id, took)


def main(seed: int, plans: int, base: Path) -> None:
    """
    Run the trials and print what came of the accounts.
    """
    outcomes: Counter[str] = Counter()
    for number in range(plans):
        dice = random.Random(f"{seed}-{number}")  # noqa: S311 - the same seed is the same plan
        trial = draw_trial(dice)
        output = base / f"plan-{number}"
        try:
            outcomes += run_trial(trial, dice, output)
        except AssertionError as exc:
            print(f"seed {seed}, plan {number}: {exc}; see {output}")  # noqa: T201
            print(trial.look_ups, trial.skew, trial.assume_rate, trial.list_rate)  # noqa: T201
            print(trial.plan.serialise())  # noqa: T201
            raise SystemExit(1) from exc
        shutil.rmtree(output, ignore_errors=True)
    print(json.dumps({"plans": plans, "outcomes": dict(outcomes.most_common())}))  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
