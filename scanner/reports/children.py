"""
Processes that draw beside this one. Leaving the context ends those that are still at work.

They are no pool of the standard library: those need shared semaphores, which not every place that runs scans has,
and run the main program's file again. See docs/decisions/0015-annex-volumes.md.
"""

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self

from scanner.errors import RenderError

REFUSED = 3
"""
The exit status of a child that says on standard output why there is no document.
"""

_SHOWN = 300


class Children:
    """
    Runs a module of ours for each piece of work, so many at a time.

    A child gets its work on standard input and gives back what came of it on standard output.
    """

    def __init__(self, module: str, processes: int) -> None:
        self._module = module
        self._threads = ThreadPoolExecutor(processes, thread_name_prefix="child")
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
                process.terminate()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, name: str, work: bytes) -> Future[bytes]:
        """
        Have a document drawn when its turn comes. The result is what the child answers, or `RenderError`.

        `name` is what messages call the document.
        """
        return self._threads.submit(self._run, name, work)

    def _run(self, name: str, work: bytes) -> bytes:
        # -P: the working directory is no place to import from.
        command = [sys.executable, "-P", "-W", "ignore", "-m", self._module]
        with self._lock:
            if self._is_closed:
                raise RenderError(f"{name}: drawing was stopped")
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
    Say how a process ended that should have drawn a document, and what to do.
    """
    if status < 0:
        how = f"by {signal.Signals(-status).name}, as happens where memory runs out"
    else:
        lines = complaint.decode("utf-8", "replace").strip().splitlines() or ["nothing was said"]
        how = f"with status {status}: {''.join(filter(str.isprintable, lines[-1]))[:_SHOWN]}"
    return (
        f"{name}: the process that drew it ended {how}; the evidence is whole, so `orgproof render RUN` can "
        "draw the documents again"
    )
