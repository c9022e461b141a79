"""
What a scan costs: the whole command against the simulated organization, beside scripts that do less.

    make bench                                     200, 2,000 and 10,000 accounts, and 2,000 with latency
    python tools/bench_scan.py 200 2000            other sizes
    python tools/bench_scan.py --scripts FOLDER    where baseline_threads.py, baseline_shared.py and floor.py lie

Each contestant is a process of its own against the same simulator, which is another process: its CPU is not counted.
The scan is whole, from the first call to a sealed run, without documents for people and without confirmation. The
scripts print offenders and keep nothing, and sleep between two looks at a report. Confirmation is off since they have
none. The scan's one document is the few lines of Markdown for a pipeline.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "shared" / "bench"
USERS = 12
ROLE = "orgproof-reader"
LATENCY = 0.04
REPORT_SECONDS = 2.0
LIST_RATE = 8.0
LIST_BURST = 12
LATENT = 2_000
"""
How many accounts are read with latency: that takes minutes, and tells of waiting and not of work.
"""

THREADS_LIMIT = 200
"""
How many accounts baseline_threads.py is given at most: it takes a quarter of a second of CPU for each.
"""


@dataclass(frozen=True)
class Cost:
    """
    What one process and all it started took.
    """

    name: str
    accounts: int
    cpu: float
    wall: float
    peak: int
    status: int

    @property
    def each(self) -> float:
        """
        CPU for one account, in milliseconds.
        """
        return self.cpu / self.accounts * 1000


def main() -> None:
    """
    Measure the sizes asked for.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("accounts", nargs="*", type=int, default=[200, 2_000, 10_000])
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--workers", type=int, help="threads of each contestant")
    parser.add_argument("--scripts", type=Path, default=SCRIPTS)
    parser.add_argument(
        "--only", default="", help="ours, shared, threads or floor; several with commas"
    )
    parser.add_argument("--latency", action="store_true", help="only with latency")
    parser.add_argument("--no-latency", action="store_true", help="only without latency")
    parser.add_argument("--json", type=Path, help="a file to write the figures to")
    given = parser.parse_args()
    costs: list[dict[str, object]] = []
    for accounts in given.accounts:
        for slow in (False, True):
            is_left_out = given.no_latency or accounts != LATENT if slow else given.latency
            if is_left_out:
                continue
            costs += measure(accounts, given, slow=slow)
    if given.json:
        given.json.write_text(json.dumps(costs, indent=1))


def measure(accounts: int, given: argparse.Namespace, *, slow: bool) -> Iterator[dict[str, object]]:
    """
    Print what one size costs everybody.
    """
    print(
        f"\n{accounts:,} accounts of {given.users} users"
        + (
            f", {LATENCY * 1000:.0f} ms latency, reports take {REPORT_SECONDS:.0f} s, ListAccounts "
            f"{LIST_RATE:.0f} a second"
            if slow
            else ""
        )
    )
    if slow:
        pages = -(-accounts // 20)
        print(f"the list alone takes {max(0, pages - LIST_BURST) / LIST_RATE:.1f} s")
    wanted = [name for name in given.only.split(",") if name]
    base = None
    for name, command in list_contestants(given, accounts, slow=slow).items():
        if wanted and name not in wanted:
            continue
        cost = run(name, command, accounts, given.users, slow=slow)
        if name == "shared":
            base = cost
        ratio = f"{cost.cpu / base.cpu:5.2f}" if base else "    -"
        print(
            f"{name:8} status {cost.status}  CPU {cost.cpu:7.2f} s  {cost.each:7.2f} ms/account  "
            f"{ratio} x shared  wall {cost.wall:7.2f} s  peak {cost.peak / 1e6:6.0f} MB",
            flush=True,
        )
        yield {"slow": slow, "each_ms": cost.each, **cost.__dict__}


def list_contestants(
    given: argparse.Namespace, accounts: int, *, slow: bool
) -> dict[str, list[str]]:
    """
    Return the commands to compare. Each is run in a folder of its own.
    """
    workers = given.workers or (100 if slow else 20)
    scripts: dict[str, list[str]] = {}
    for name, file in (
        ("floor", "floor.py"),
        ("shared", "baseline_shared.py"),
        ("threads", "baseline_threads.py"),
    ):
        path = given.scripts.resolve() / file
        if not path.is_file():
            print(f"{name}: no {file} in {given.scripts}, so it is left out")
        elif (name == "threads" and accounts > THREADS_LIMIT) or (name == "floor" and slow):
            continue  # the floor asks one account after the other
        else:
            limit = [] if name == "floor" else ["--workers", str(workers)]
            scripts[name] = [sys.executable, str(path), "--role", ROLE, *limit]
    mine = ["--workers", str(given.workers)] if given.workers else []
    scripts["ours"] = [
        *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", "URL", "--role-name", ROLE),
        *("--output", "runs", "--no-confirm", "--format", "github", "--log-format", "json", *mine),
    ]
    return scripts


def run(name: str, command: Sequence[str], accounts: int, users: int, *, slow: bool) -> Cost:
    """
    Run one contestant against a fresh simulator.
    """
    folder = Path(tempfile.mkdtemp(prefix="orgproof-bench-"))
    try:
        with simulate(accounts, users, slow=slow) as environment:
            url = environment["AWS_ENDPOINT_URL"]
            began = time.monotonic()
            with (folder / "printed").open("wb") as printed:
                process = subprocess.Popen(
                    [url if word == "URL" else word for word in command],
                    cwd=folder,
                    env={**os.environ, **environment},
                    stdout=printed,
                    stderr=printed,
                )
                _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in {0, 1}:
                sys.exit(f"{name} failed: {(folder / 'printed').read_text()[-2000:]}")
            return Cost(
                name,
                accounts,
                usage.ru_utime + usage.ru_stime,
                wall,
                usage.ru_maxrss * 1024,
                process.returncode,
            )
    finally:
        shutil.rmtree(folder)


@contextmanager
def simulate(accounts: int, users: int, *, slow: bool) -> Iterator[Mapping[str, str]]:
    """
    Serve an organization in a process of its own, and yield the environment that leads to it.
    """
    pace = ["--latency", str(LATENCY), "--list-rate", str(LIST_RATE)] if slow else []
    seconds = REPORT_SECONDS if slow else 0.0
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "scanner.simulator", "--accounts", str(accounts)),
            *("--users", str(users), "--report-seconds", str(seconds), *pace),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = json.loads(process.stdout.readline()) if process.stdout else {}
        yield {**told["environment"], "AWS_ENDPOINT_URL": told["url"]}
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
