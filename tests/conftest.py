"""
What the functional tests share: the command, run for real, against a simulated organization.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from preloaded import can_fork_for, run_forked

from scanner.evidence import StoredRun
from scanner.simulator import NO_FAULTS, FaultPlan, Simulator, World


def pytest_xdist_auto_num_workers() -> int:
    """
    Half as many workers again as there are cores: functional tests wait for servers and processes.
    """
    return ((os.cpu_count() or 1) * 3 + 1) // 2


@dataclass(frozen=True)
class Outcome:
    """
    What a run of the command left: its status, what it printed, and the run folder it named.
    """

    status: int
    stdout: str
    stderr: str

    @property
    def folder(self) -> Path:
        """
        Return the run folder: the last line of standard output.
        """
        return Path(self.stdout.splitlines()[-1])

    @property
    def run(self) -> StoredRun:
        """
        Return the finished run.
        """
        return StoredRun(self.folder)


Command = Callable[..., Outcome]


def clean_environment() -> dict[str, str]:
    """
    Return the environment without anybody's AWS settings.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def run_command(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
    program: Sequence[str] = ("-m", "scanner"),
    alone: bool = False,
) -> Outcome:
    """
    Run `orgproof` in a folder, as a process of its own; with `alone` one that nothing was imported in before.
    """
    complete = {**clean_environment(), **(environment or {})}
    if not alone and can_fork_for(tuple(sorted(complete.items()))):
        done = run_forked(folder, program, arguments, complete, timeout)
    else:
        done = subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=folder,
            env=complete,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """
    Run `orgproof` in a folder of its own, as a process of its own.
    """
    return partial(run_command, tmp_path)


@dataclass(frozen=True)
class Scanner:
    """
    The command `orgproof scan`, pointed at one simulator.
    """

    simulator: Simulator
    command: Command
    output: Path

    def scan(
        self,
        *arguments: str,
        caller: str | None = None,
        deadline: float = 20,
        settings: str = "",
    ) -> Outcome:
        """
        Scan the simulated organization as one of its accounts. `settings` are more of them, as TOML.
        """
        file = self.output.parent / "settings.toml"
        file.write_text(f"[aws]\naccount_deadline_seconds = {deadline}\n{settings}")
        return self.command(
            "scan",
            "--endpoint-url",
            self.simulator.url,
            "--output",
            str(self.output),
            "--config",
            str(file),
            *(arguments if "--format" in arguments else (*arguments, "--format", "json")),
            environment=self.simulator.environment(caller),
        )


@pytest.fixture
def scanning(command: Command, tmp_path: Path) -> Callable[..., object]:
    """
    Serve a world and return the command that scans it.
    """

    @contextmanager
    def serve(
        world: World, plan: FaultPlan = NO_FAULTS, report_seconds: float = 0.2
    ) -> Iterator[Scanner]:
        with Simulator(world, plan, report_seconds=report_seconds) as simulator:
            yield Scanner(simulator, command, tmp_path / "runs")

    return serve
