"""
Printing in processes of their own: several documents at a time, on as many cores as there are.

A child gets one document's values on standard input as JSON and gives back the PDF on standard output.
"""

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scanner.errors import RenderError
from scanner.reports.children import REFUSED, Children

MOST = 2
"""
How many documents are printed at a time at most: each takes some 250 MB, the main one 450, and 1 GB is to do.
"""

ROWS_EACH = 200
"""
For how many rows a process is worth its start, which takes a second.
"""


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


class Presses(Children):
    """
    Processes that print documents. Leaving the context ends those that are still at work.
    """

    def __init__(self, processes: int) -> None:
        super().__init__("scanner.reports.presses", processes)

    def print(self, job: Job) -> Future[bytes]:
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
        return self.submit(job.name, json.dumps(work).encode())


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
