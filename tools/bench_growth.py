"""
How a scan grows: CPU, time and memory of each step, from 200 to 10,000 accounts of 100 users, with documents.

    make bench                                      200, 2,000 and 10,000 accounts
    python tools/bench_growth.py 200 1000 --plot growth.svg
    python tools/bench_growth.py 10000 --format ""              no documents

The whole command runs against the simulated organization, which is a process of its own: its CPU is not counted, its
work takes turns with the command's where cores are few. A step begins when the command says so; each kind of document is
drawn from the sealed run by a command of its own, the start and the check of the seal included. Memory is that of the
command and all it started, looked at ten times a second. While accounts are read, threads, sockets and other open
files are counted as well: what they are in the second half of the collection must be what they were in the first.

From one size to the next a step that costs more than the number of accounts tells is marked: `growth` is the exponent,
1 where twice the accounts cost twice the CPU, less where a fixed part is left of it.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import psutil
from bench_scan import ROLE, simulate

USERS = 100
SECONDS = 0.1
"""
Seconds between two looks at memory, threads and files.
"""

STEEP = 1.1
"""
The growth from which on a step is marked. Runs of the same code differ by a few hundredths.
"""


@dataclass
class Step:
    """
    One step of a scan: seconds of CPU and of time. `look` holds threads, sockets, other files and memory meanwhile.
    """

    name: str
    cpu: float
    wall: float
    look: list[tuple[int, int, int, int]] = field(default_factory=list)


@dataclass
class Growth:
    """
    One size: what its steps took, and the most memory in bytes, of the scan and of each kind of document.
    """

    accounts: int
    steps: list[Step]
    peak: int
    drawn_peaks: dict[str, int] = field(default_factory=dict)

    @property
    def sealed_cpu(self) -> float:
        """
        CPU up to the sealed run.
        """
        return sum(step.cpu for step in self.steps if not step.name.startswith("draw"))


class Watch:
    """
    Looks at a process and all it started, until it has ended.
    """

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._began = time.monotonic()
        self._is_over = threading.Event()
        self._turn = threading.Lock()
        self._gone: dict[int, float] = {}
        self.steps = [Step("start", 0.0, 0.0)]
        self.peak = 0
        self._cpu = 0.0
        self._since = self._began
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def step(self, name: str) -> None:
        """
        Say that a step begins.
        """
        with self._turn:
            self._close()
            self.steps.append(Step(name, 0.0, 0.0))

    def end(self, cpu: float) -> None:
        """
        Say that the process has ended, and what it took in all.
        """
        self._is_over.set()
        self._thread.join()
        self.steps[-1].cpu += cpu - self._cpu
        self.steps[-1].wall += time.monotonic() - self._since

    def _close(self) -> None:
        now, cpu = time.monotonic(), self._spent()
        self.steps[-1].cpu += cpu - self._cpu
        self.steps[-1].wall += now - self._since
        self._cpu, self._since = cpu, now

    def _spent(self) -> float:
        spent = 0.0
        for process in [self._process, *self._process.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            own = times.user + times.system
            waited = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
            spent += own + waited
        return max(spent, self._cpu)

    def _look_on(self) -> None:
        while not self._is_over.wait(SECONDS):
            try:
                tree = [self._process, *self._process.children(recursive=True)]
                memory = sum(process.memory_info().rss for process in tree)
                sockets = len(self._process.net_connections())
                files = self._process.num_fds() - sockets
                look = (self._process.num_threads(), sockets, files, memory)
            except psutil.Error:
                continue
            with self._turn:
                self.peak = max(self.peak, memory)
                self.steps[-1].look.append(look)


def main() -> None:
    """
    Measure the sizes asked for, and say how their costs grow.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("accounts", nargs="*", type=int, default=[200, 2_000, 10_000])
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--format", default="pdf,xlsx,html")
    parser.add_argument("--plot", type=Path, help="a file to draw cost against accounts in (SVG)")
    given = parser.parse_args()
    formats = [name for name in given.format.split(",") if name]
    sizes = []
    for accounts in sorted(given.accounts):
        sizes.append(measure(accounts, given.users, formats))
        tell(sizes[-1])
    if len(sizes) > 1:
        tell_growth(sizes)
    if given.plot:
        plot(sizes, given.users, given.plot)


def measure(accounts: int, users: int, formats: Sequence[str]) -> Growth:
    """
    Scan once, draw each kind of document from the sealed run, and take the time of all of it.
    """
    folder = Path(tempfile.mkdtemp(prefix="orgproof-bench-"))
    orgproof = [sys.executable, "-m", "scanner"]
    try:
        with simulate(accounts, users, slow=False) as environment:
            scan = run(
                [
                    *(*orgproof, "scan", "--role-name", ROLE, "--no-confirm", "--output", "runs"),
                    *("--endpoint-url", environment["AWS_ENDPOINT_URL"], "--format", "github"),
                    *("--log-format", "json"),
                ],
                folder,
                environment,
            )
        (sealed,) = folder.glob("runs/o-*/*/*")
        size = Growth(accounts, scan.steps, scan.peak)
        for name in formats:
            drawn = run([*orgproof, "render", str(sealed), "--format", name], folder, {})
            (step,) = drawn.steps
            size.steps.append(replace(step, name=f"draw {name}"))
            size.drawn_peaks[name] = drawn.peak
        return size
    finally:
        shutil.rmtree(folder)


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Watch:
    """
    Run a command under watch, and end where it fails.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    watch = Watch(process.pid)
    said = [follow(line, watch) for line in process.stderr or ()]
    _, status, usage = os.wait4(process.pid, 0)
    watch.end(usage.ru_utime + usage.ru_stime)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        sys.exit(f"{command[3]} failed: {''.join(said[-20:])}")
    return watch


def follow(line: str, watch: Watch) -> str:
    """
    Read one line of what the command says, and return it.
    """
    try:
        said = json.loads(line)
    except ValueError:
        return line
    match said.get("event"):
        case "stage":
            watch.step(said["stage"])
    return line


def tell(size: Growth) -> None:
    """
    Print what one size took.
    """
    print(f"\n{size.accounts:,} accounts")
    for step in size.steps:
        print(f"  {step.name:10} CPU {step.cpu:8.2f} s   wall {step.wall:8.2f} s")
    peaks = "".join(f", {name} {peak / 1e6:.0f} MB" for name, peak in size.drawn_peaks.items())
    print(
        f"  up to the seal: CPU {size.sealed_cpu:.2f} s; most memory: scan {size.peak / 1e6:.0f} MB{peaks}"
    )
    looks = next(step.look for step in size.steps if step.name == "collect")
    if len(looks) > 3:
        # The first quarter is the way up.
        first, second = looks[len(looks) // 4 : len(looks) * 5 // 8], looks[len(looks) * 5 // 8 :]
        for place, name, unit in (
            (0, "threads", 1),
            (1, "sockets", 1),
            (2, "other open files", 1),
            (3, "MB", 10**6),
        ):
            before, after = (max(look[place] for look in part) // unit for part in (first, second))
            print(f"  while collecting, {name}: at most {before}, later {after}")
    sys.stdout.flush()


def tell_growth(sizes: Sequence[Growth]) -> None:
    """
    Print how each step's CPU grows from one size to the next, and how well a line fits the whole.
    """
    print("\ngrowth of CPU (1 is linear)")
    for before, after in pairwise(sizes):
        costs = {step.name: step.cpu for step in before.steps}
        for step in after.steps:
            if min(step.cpu, costs.get(step.name, 0.0)) < SECONDS:
                continue
            growth = math.log(step.cpu / costs[step.name], after.accounts / before.accounts)
            mark = "   steeper than linear" if growth > STEEP else ""
            print(
                f"  {before.accounts:,} to {after.accounts:,}  {step.name:10} {growth:5.2f}{mark}"
            )
    fixed, each = fit([size.accounts for size in sizes], [size.sealed_cpu for size in sizes])
    off = max(abs(size.sealed_cpu / (fixed + each * size.accounts) - 1) for size in sizes)
    print(
        f"up to the seal: {fixed:.2f} s and {each * 1000:.2f} ms for each account, {off:.1%} off at most"
    )


def fit(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """
    Return the line that is nearest to points, each weighed by its own size: where it begins, and how steep it is.
    """
    weights = [1 / y**2 for y in ys]
    total = sum(weights)
    x_mean = sum(w * x for w, x in zip(weights, xs, strict=True)) / total
    y_mean = sum(w * y for w, y in zip(weights, ys, strict=True)) / total
    steep = sum(
        w * (x - x_mean) * (y - y_mean) for w, x, y in zip(weights, xs, ys, strict=True)
    ) / sum(w * (x - x_mean) ** 2 for w, x in zip(weights, xs, strict=True))
    return y_mean - steep * x_mean, steep


def plot(sizes: Sequence[Growth], users: int, path: Path) -> None:
    """
    Draw each step's CPU against the number of accounts, both by powers of ten.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "orgproof", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    names = list(dict.fromkeys(step.name for size in sizes for step in size.steps))
    for name, mark in zip(names, "os^Dv<>Xp*", strict=False):
        points = [
            (size.accounts, sum(step.cpu for step in size.steps if step.name == name))
            for size in sizes
        ]
        shown = [point for point in points if point[1] > 0]
        if shown:
            axes.plot(*zip(*shown, strict=True), marker=mark, linewidth=1, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([size.accounts for size in sizes], [f"{size.accounts:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel(f"accounts of {users} users")
    axes.set_ylabel("seconds of CPU")
    axes.grid(linewidth=0.3)
    figure.legend(loc="outside right upper")
    figure.savefig(path, metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
