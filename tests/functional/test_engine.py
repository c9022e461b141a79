"""
Work shared with Dask: the same evidence and the same tables as without, also when workers are lost.
"""

import builtins
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import distributed
import psutil
import pyarrow.parquet as pq
import pytest
from conftest import clean_environment
from test_signals import await_event, begin

from scanner.aws import AwsCollector, RemoteCollector, RolePlan, connect
from scanner.engine import DaskEngine, check_engine, open_engine
from scanner.errors import EngineError, SettingsError
from scanner.evidence import StoredRun, replay
from scanner.evidence.replay import derive_tables
from scanner.executor import ThreadExecutor
from scanner.model import AccountId, Caller, Collected
from scanner.organization import read_page
from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_world
from scanner.wiring import SystemClock

pytestmark = pytest.mark.functional

WORLD = build_world(accounts=500, users=6, seed=11)
TABLES = ("accounts", "users", "findings", "controls", "history")
MOMENTS = {
    *("generated_time", "report_age_seconds", "report_sha256", "first_seen", "last_seen"),
    *("opened", "closed", "days_open", "observation"),
}
"""
What differs between two scans, for it tells when or how long ago something was.
"""


def read_tables(run):
    return {
        name: pq.read_table(run.folder / "tables" / f"{name}.parquet").to_pandas()
        for name in TABLES
    }


def leave_moments_out(frame):
    return frame[[name for name in frame.columns if name not in MOMENTS]]


@pytest.fixture(scope="module")
def engine():
    """
    Start workers on this machine.
    """
    with open_engine("dask") as opened:
        yield opened


def find_workers(pid=None):
    """
    Return the workers that a process has started, by default this one.
    """
    return [
        process
        for process in psutil.Process(pid).children(recursive=True)
        if any("spawn_main" in word for word in process.cmdline())
    ]


def test_a_scan_with_workers_finds_what_one_without_finds(scanning, tmp_path):
    """
    500 accounts, and one of the workers is killed while it reads: no outcome and no row is another one.
    """
    with scanning(WORLD, report_seconds=0.3) as scanner:
        alone = scanner.scan()
        apart = replace(
            scanner, output=tmp_path / "shared"
        )  # else the one is the other's previous run
        process = begin(apart, "--format", "json", "--engine", "dask")
        for _ in range(20):
            await_event(process, event="collected")
        find_workers(process.pid)[0].kill()
        stdout, stderr = process.communicate(timeout=120)

    assert process.returncode == alone.status == 1, stderr
    shared = StoredRun(Path(stdout.splitlines()[-1]))
    for name, frame in read_tables(alone.run).items():
        assert leave_moments_out(frame).equals(leave_moments_out(read_tables(shared)[name])), name
    assert shared.summary.accounts.collected == 500
    for folder in (shared.folder / "raw").glob("[0-9]*"):
        assert [path.name for path in folder.glob("outcome-*.json")] == ["outcome-1.json"]
    assert (shared.folder / "manifest.json").exists()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """
    Scan once, for its raw answers.
    """
    folder = tmp_path_factory.mktemp("scan")
    with Simulator(WORLD) as simulator:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", simulator.url),
                *("--output", str(folder), "--format", "json", "--quiet"),
            ],
            env={**clean_environment(), **simulator.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    return Path(done.stdout.strip())


def judge(evidence, folder, engine, monkeypatch):
    """
    Judge the same raw answers in many batches, and return every byte that comes of it.
    """
    monkeypatch.setattr(replay, "BATCH_USERS", 100)
    shutil.copytree(evidence / "inputs", folder / "inputs")
    derive_tables(folder, raw=evidence / "raw", run_id=evidence.name, engine=engine)
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


def test_tables_are_the_same_byte_for_byte(evidence, engine, tmp_path, monkeypatch):
    """
    Judged here, and by workers of which one is killed in the middle.
    """
    expected = judge(evidence, tmp_path / "here", None, monkeypatch)
    held = threading.Timer(0.3, lambda: os.kill(find_workers()[0].pid, signal.SIGKILL))
    held.start()

    found = judge(evidence, tmp_path / "there", engine, monkeypatch)

    held.join()
    assert len(expected) == len(TABLES)
    assert found == expected


def take(sent):
    return pickle.loads(sent)  # noqa: S301 - what this test has pickled


class Inspector:
    """
    An engine that looks at what is sent, and does it at once.
    """

    def __init__(self):
        self.sent = []

    def submit(self, work, *arguments):
        """
        Do a piece of work with what was pickled.
        """
        self.sent.append((repr(arguments), pickle.dumps((work, *arguments))))
        told: Future[object] = Future()
        told.set_result(work(*take(self.sent[-1][1])[1:]))
        return told


def collect(simulator, engine, keep, monkeypatch):
    """
    Read every account of a simulated organization through an engine, and return the outcomes.
    """
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    clients = connect(profile=None, region=None, endpoint=simulator.url, workers=4)
    answer = clients.sts.get_caller_identity()
    caller = Caller(AccountId(answer["Account"]), answer["Arn"])
    collector = RemoteCollector(
        clients,
        SystemClock(),
        caller=caller,
        roles=RolePlan("orgproof-reader", external_id="very-secret-external-id"),
        account_deadline=60,
        confirm=True,
        engine=engine,
        endpoint=simulator.url,
    )
    accounts = read_page(clients.organizations.list_accounts())
    jobs = (collector.collect(account, keep(account.id)) for account in accounts)
    return list(ThreadExecutor(4, SystemClock()).run(jobs)), clients, caller


def test_no_secret_of_the_caller_reaches_a_worker(monkeypatch):
    """
    A worker gets one session in one account, which no text of it shows; the caller's account is read here.
    """
    inspector = Inspector()
    world = build_world(accounts=6, users=2, seed=3)
    with Simulator(world) as simulator:
        outcomes, clients, caller = collect(
            simulator, inspector, lambda _id: lambda _name, _content: None, monkeypatch
        )
        secrets = simulator.environment()

    assert all(isinstance(outcome, Collected) for outcome in outcomes)
    assert len(inspector.sent) == 5
    own = clients.own.get_frozen_credentials()
    ids = [outcome.account.id for outcome in outcomes]
    for shown, sent in inspector.sent:
        for secret in (own.secret_key, own.token, secrets["AWS_SECRET_ACCESS_KEY"]):
            assert secret is None or secret.encode() not in sent
        assert b"very-secret-external-id" not in sent
        errand = take(sent)[1]
        assert errand.account.id != caller.account_id
        assert (
            sum(account.encode() in sent for account in ids) <= 2
        )  # the caller's ARN names its own
        for secret in (errand.access_key, errand.secret_key, errand.token):
            assert secret not in shown
    assert len({take(sent)[1].secret_key for _, sent in inspector.sent}) == 5


def test_a_session_that_ends_at_a_worker_is_opened_anew_here(monkeypatch):
    """
    The worker says so and brings nothing; the account is entered again, and its answers are kept once.
    """
    world = build_world(accounts=3, users=2, seed=3)
    (other,) = [account.id for account in world.accounts if account.id != world.management_id][:1]
    plan = FaultPlan((Fault(FaultKind.EXPIRED_TOKEN, other, "iam:GetCredentialReport", times=1),))
    kept = []
    with Simulator(world, plan) as simulator:
        outcomes, *_ = collect(
            simulator,
            Inspector(),
            lambda account: lambda name, _content: kept.append((account, name)),
            monkeypatch,
        )

        assert simulator.requests["sts:AssumeRole"] == 3
    assert all(isinstance(outcome, Collected) for outcome in outcomes)
    assert kept.count((other, "credential-report.csv")) == 1
    assert kept.count((other, "outcome.json")) == 1


def test_an_answer_that_nobody_foresaw_costs_its_account_alone(monkeypatch):
    """
    Whatever a worker stumbles over is that account's reason; the kind of error is said, and no words of it.
    """
    world = build_world(accounts=4, users=2, seed=3)
    odd = next(account.id for account in world.accounts if account.id != world.management_id)
    read = AwsCollector.read

    def stumble(self, reading):
        if reading.visit.is_guest and reading.visit.account.id == odd:
            raise TypeError("secret of somebody")
        yield from read(self, reading)

    monkeypatch.setattr(AwsCollector, "read", stumble)
    kept: dict[tuple[str, str], bytes] = {}
    with Simulator(world) as simulator:
        outcomes, *_ = collect(
            simulator,
            Inspector(),
            lambda account: lambda name, content: kept.setdefault((account, name), content),
            monkeypatch,
        )

    missed = [outcome for outcome in outcomes if not isinstance(outcome, Collected)]
    assert [(outcome.account.id, str(outcome.reason_code)) for outcome in missed] == [
        (odd, "bad-response")
    ]
    assert b"TypeError" in kept[odd, "outcome.json"]
    assert not any(b"secret of somebody" in content for content in kept.values())


class Lost:
    """
    A Dask client whose scheduler is gone, or goes.
    """

    def __init__(self, exception):
        self._exception = exception

    def get_executor(self, **_):
        """
        Return what is asked to do work.
        """
        return self

    def submit(self, _work, *_arguments):
        """
        Give work up.
        """
        told: Future[object] = Future()
        told.set_exception(self._exception)
        return told


@pytest.mark.parametrize(
    "make",
    [
        lambda: distributed.scheduler.KilledWorker("key", None, 3),  # type: ignore[arg-type]  # as it may come
        lambda: OSError("secret of somebody"),
        lambda: distributed.client.FutureCancelledError("key", "lost"),
    ],
)
def test_a_cluster_that_is_lost_is_a_clear_error(make):
    """
    With what to do next, and without words that may quote what was sent.
    """
    with pytest.raises(EngineError, match="--engine local") as caught:
        DaskEngine(Lost(make())).submit(len, ()).result()

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        *("", "dusk", "dask:", "dask://", "dask://host", "dask://host:x", "tls://host:99999"),
        *("dask://user@127.0.0.1:8786", "dask://127.0.0.1:8786/x", "http://127.0.0.1:8786"),
    ],
)
def test_an_engine_that_is_none_is_refused(name):
    """
    Before anything is asked of anybody.
    """
    with pytest.raises(SettingsError, match="not one of: local, dask"):
        check_engine(name)


def test_a_plain_connection_beyond_this_machine_is_refused():
    """
    Sessions would travel in the clear.
    """
    check_engine("dask://127.0.0.1:8786")
    check_engine("tls://scheduler.example.com:8786")

    with pytest.raises(SettingsError, match="in the clear; use tls://"):
        check_engine("dask://scheduler.example.com:8786")


def test_a_scheduler_that_does_not_answer_is_a_clear_error(monkeypatch):
    """
    Named, with what starts one.
    """
    monkeypatch.setattr("scanner.engine._PATIENCE", 1)
    with (
        pytest.raises(SettingsError, match=r"engine dask://127\.0\.0\.1:9: no scheduler answers"),
        open_engine("dask://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize("scheme", ["dask", "tls"])
def test_a_port_that_says_nothing_is_a_clear_error(monkeypatch, capsys, scheme):
    """
    It takes the connection and stays silent; and where TLS is not configured, that is no traceback either.
    """
    monkeypatch.setattr("scanner.engine._PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SettingsError, match="no scheduler answers"), open_engine(name):
            pass

    assert "Traceback" not in capsys.readouterr().err


def test_workers_of_ours_know_no_credentials(monkeypatch):
    """
    Not even in the environment that they inherit.
    """
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setenv("AWS_PROFILE", "audit")
    with open_engine("dask"):
        found = [process.environ() for process in find_workers()]

    assert found
    for environment in found:
        assert not any(environment.get(name) for name in ("AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"))
    assert os.environ["AWS_PROFILE"] == "audit"


def test_without_dask_the_extra_is_named(monkeypatch):
    """
    Whoever installed orgproof alone is told what to install.
    """
    found = builtins.__import__

    def refuse(name, *arguments, **options):
        if name == "distributed":
            raise ImportError(name)
        return found(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SettingsError, match=r"pip install 'orgproof\[dask\]'"), open_engine("dask"):
        pass


def test_the_command_refuses_an_engine_it_cannot_have(scanning):
    """
    Status 2, one line, and nobody was called.
    """
    with scanning(build_world(accounts=3, users=1, seed=1)) as scanner:
        done = scanner.scan("--engine", "spark")

        assert done.status == 2
        assert "the engine is not one of" in done.stderr
        assert not scanner.simulator.requests
