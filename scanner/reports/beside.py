"""
The workbook drawn in a process of its own, while this one draws the PDF and the page.

Both take minutes where an organization is large, and each takes one core.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scanner.errors import OrgproofError
from scanner.evidence import StoredRun
from scanner.reports.children import REFUSED, Children

ROWS = 20_000
"""
From how many users and findings on a process is worth its start, which takes a second.
"""

_FORMAT = "xlsx"


@contextmanager
def draw_beside(
    run: StoredRun, folder: Path, formats: Collection[str]
) -> Iterator[Mapping[str, Callable[[], list[Path]]]]:
    """
    Begin what is better drawn by another process, and yield, by format, what waits for its files.

    Leaving the context ends what is still at work.
    """
    if not is_worthwhile(run, formats, os.cpu_count() or 1):
        yield {}
        return
    work = {"run": str(run.folder.absolute()), "folder": str(folder.absolute())}
    with Children(__name__, 1) as children:
        drawn = children.submit("the workbook", json.dumps(work).encode())
        yield {_FORMAT: lambda: [folder / name for name in json.loads(drawn.result())]}


def is_worthwhile(run: StoredRun, formats: Collection[str], cores: int) -> bool:
    """
    Tell whether the workbook is long work, and there is a core and another document to draw meanwhile.
    """
    if cores == 1 or _FORMAT not in formats or not {"pdf", "html"} & set(formats):
        return False
    return run.summary.users.users + run.summary.findings >= ROWS


def main() -> int:
    """
    Draw the workbook that standard input asks for, name its files, and return the exit status.
    """
    from scanner.reports import draw_workbook  # noqa: PLC0415 - a second, which whoever starts this does not need

    # An end like any other: what is half written is removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = json.load(sys.stdin.buffer)
    try:
        drawn = draw_workbook(StoredRun(Path(work["run"])), Path(work["folder"]))
    except OrgproofError as exc:
        sys.stdout.buffer.write(str(exc).encode("utf-8", "replace"))
        return REFUSED
    sys.stdout.write(json.dumps([path.name for path in drawn]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
