"""
Printing in processes of their own: several documents at a time, on as many cores as there are.

A child gets one document's values on standard input as JSON and gives back the PDF on standard output. It is no
pool of the standard library: those need shared semaphores, which not every place that runs scans has, and run the
main program's file again. See docs/decisions/0015-annex-volumes.md.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import Any, Self

from scanner.errors import RenderError

REFUSED = 3
"""
The exit status of a child that says on standard output why there is no document.
"""

MOST = 4
"""
How many documents are printed at a time at most: each takes some 200 MB.
"""

ROWS_EACH = 200
"""
For how many rows a process is worth its start, which takes a second.
"""

_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Job:
    """
    One document to print: what messages call it, the template, its values in JSON's kinds, and what it is dated.
    """

    name: str
    template: str
    values: Mapping[str, Any]
    identifier: str
    moment: datetime


def choose_processes(jobs: int, rows: int, cores: int | None = None) -> int:
    """
    Return how many processes to print in, 0 where one after another in this one is quicker.
    """
    cores = cores or os.cpu_count() or 1
    return min(jobs, rows // ROWS_EACH, cores, MOST) if cores > 1 else 0


class Presses:
    """
    Processes that print documents. Leaving the context ends those that are still at work.
    """

    def __init__(self, processes: int) -> None:
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="press")
        # Copied here: the variables change while this process prints as well.
        self._environment = dict(os.environ)
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

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
        End what still runs, and wait until it has ended.
        """
        with self._lock:
            self._is_closed = True
            for process in self._running:
                process.kill()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, job: Job) -> Future[bytes]:
        """
        Print a document when its turn comes. The result is its bytes, or `RenderError`.
        """
        work = {
            "template": job.template,
            "values": job.values,
            "identifier": job.identifier,
            "moment": job.moment.isoformat(),
        }
        # Encoded here, so that what waits takes little room.
        return self._threads.submit(self._print, job.name, json.dumps(work).encode())

    def _print(self, name: str, work: bytes) -> bytes:
        # -P: the working directory is no place to import from.
        command = [sys.executable, "-P", "-W", "ignore", "-m", "scanner.reports.presses"]
        with self._lock:
            if self._is_closed:
                raise RenderError(f"{name}: printing was stopped")
            # A session of its own: an interrupt is for this process to answer.
            process = subprocess.Popen(  # noqa: S603 - our own module, and no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            content, complaint = process.communicate(work)
        finally:
            with self._lock:
                self._running.discard(process)
        if process.returncode == REFUSED:
            raise RenderError(content.decode("utf-8", "replace"))
        if process.returncode:
            raise RenderError(_explain_end(name, process.returncode, complaint))
        return content


def _explain_end(name: str, status: int, complaint: bytes) -> str:
    """
    Say how a process ended that should have printed a document, and what to do.
    """
    if status < 0:
        how = f"by {signal.Signals(-status).name}, as happens where memory runs out"
    else:
        lines = complaint.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
        how = f"with status {status}: {''.join(filter(str.isprintable, lines[-1]))[:_SHOWN]}"
    return (
        f"{name}: the process that printed it ended {how}; the evidence is whole, so `orgproof render RUN` can "
        "draw the documents again"
    )


def main() -> int:
    """
    Print the one document that standard input describes, and return the exit status.
    """
    from scanner.reports.pdf import print_document  # noqa: PLC0415 - whoever starts children has it already

    work = json.load(sys.stdin.buffer)
    try:
        content = print_document(
            work["template"],
            work["values"],
            identifier=work["identifier"],
            moment=datetime.fromisoformat(work["moment"]),
        )
    except RenderError as exc:
        sys.stdout.buffer.write(str(exc).encode("utf-8", "replace"))
        return REFUSED
    sys.stdout.buffer.write(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
