"""
Files that nobody has reason to trust, read by programs of their own with limits they cannot lift.

A workbook can unfold to terabytes, a PDF can keep its reader busy for ever, and a Parquet file can name a
billion rows in a kilobyte. Whatever reads them is a child process: it gets the open file as standard input, may
use so much memory and CPU time and no more, writes one JSON value, and is killed when it takes too long. No
shell is involved, and no path is handed over.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from scanner.errors import EvidenceError
from scanner.evidence.survey import open_regular

_MIB = 1024 * 1024
_CONFINEMENT = Path(__file__).with_name("confinement.py")


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a child process may use: address space in bytes, CPU and wall time in seconds, bytes it writes.
    """

    memory: int = 768 * _MIB
    cpu: int = 30
    wall: float = 60
    output: int = 16 * _MIB

    def scale(self, size: int) -> "Limits":
        """
        Return the limits for a file of `size` bytes: a large one may honestly need more, up to a point.
        """
        more = size // _MIB
        cpu = min(self.cpu + 15 * more, max(self.cpu, 1_200))
        return Limits(
            min(self.memory + 6 * size, max(self.memory, 4096 * _MIB)),
            cpu,
            self.wall + 2 * (cpu - self.cpu),
            self.output,
        )


class Quarantine:
    """
    One file that is being read by a script in a child process.

    `finish` waits for its answer; leaving the context ends the process, whatever it is doing.
    """

    def __init__(
        self,
        file: Path,
        script: Path,
        modules: Sequence[str],
        arguments: Sequence[str] = (),
        limits: Limits | None = None,
    ) -> None:
        """
        Start reading. Raises `EvidenceError` when the file is no regular one.

        `modules` are the libraries that the script uses: what they take to be loaded is not counted.
        """
        self._file = file
        self._answer: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        try:
            with open_regular(file) as source:
                self._limits = (limits or Limits()).scale(os.fstat(source.fileno()).st_size)
                self._process = subprocess.Popen(  # noqa: S603 - our own scripts, and no shell
                    [*_command(self._limits), ",".join(modules), str(script), *arguments],
                    stdin=source,
                    stdout=self._answer,
                    stderr=subprocess.DEVNULL,
                    close_fds=True,
                )
        except BaseException:
            self._answer.close()
            raise
        self._deadline = time.monotonic() + self._limits.wall

    def __enter__(self) -> Self:
        """
        Return this.
        """
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """
        End the process if it still runs.
        """
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._answer.close()

    def wait(self) -> int | None:
        """
        Wait until the script has ended, and return its exit status, None where it took too long.
        """
        try:
            return self._process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None

    def finish(self) -> dict[str, Any]:
        """
        Return what the script found, or raise `EvidenceError` where it gave up, died or took too long.
        """
        status = self.wait()
        if status is None:
            raise self._refuse(f"took longer than {self._limits.wall:g} s to read")
        if status:
            raise self._refuse(
                f"could not be read with {self._limits.memory // _MIB:,} MiB of memory and "
                f"{self._limits.cpu} s of CPU time (its reader ended with status {status}); it is damaged, or "
                "was made to do harm"
            )
        self._answer.seek(0)
        try:
            answer = json.loads(self._answer.read(self._limits.output + 1))
        except (ValueError, RecursionError) as exc:
            raise self._refuse("could not be read: its reader gave no answer") from exc
        if not isinstance(answer, dict):
            raise self._refuse("could not be read: its reader gave no answer")
        if problem := answer.get("problem"):
            raise self._refuse(str(problem))
        return answer

    def _refuse(self, what: str) -> EvidenceError:
        return EvidenceError(f"{self._file}: {what}")


def _command(limits: Limits) -> list[str]:
    # -P: the script's own folder is no place to import from.
    numbers = (limits.memory, limits.cpu, limits.output)
    return [sys.executable, "-P", "-W", "ignore", str(_CONFINEMENT), *map(str, numbers)]
