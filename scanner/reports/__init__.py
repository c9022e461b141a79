"""
The documents: what auditors and security teams receive, drawn from stored evidence alone.

A renderer reads one `StoredRun` and nothing else: no clock, no network, no disk but the templates
and fonts that ship with orgproof. So the same evidence gives the same bytes. A new format is one
module and one line in `FORMATS`.
"""

from collections.abc import Callable
from pathlib import Path

from scanner.evidence import StoredRun

Renderer = Callable[[StoredRun, Path], list[Path]]
"""
Writes one format's documents into an existing folder and returns their paths.

Raises `RenderError` when a document cannot be made, or stands there already; `EvidenceError` when
the evidence cannot be read.
"""


# The libraries behind a format cost up to a second to import, so each waits until it is asked for.


def _render_pdf(run: StoredRun, folder: Path) -> list[Path]:
    from scanner.reports.pdf import render_pdf  # noqa: PLC0415

    return render_pdf(run, folder)


def _render_workbook(run: StoredRun, folder: Path) -> list[Path]:
    from scanner.reports.workbook import render_workbook  # noqa: PLC0415

    return render_workbook(run, folder)


def _render_csv(run: StoredRun, folder: Path) -> list[Path]:
    from scanner.reports.csv_files import render_csv  # noqa: PLC0415

    return render_csv(run, folder)


def _render_json(run: StoredRun, folder: Path) -> list[Path]:
    from scanner.reports.json_file import render_json  # noqa: PLC0415

    return render_json(run, folder)


FORMATS: dict[str, Renderer] = {
    "pdf": _render_pdf,
    "xlsx": _render_workbook,
    "csv": _render_csv,
    "json": _render_json,
}
"""
Every format by the name that `--format` takes, in the order in which they are drawn.
"""

__all__ = ["FORMATS", "Renderer"]
