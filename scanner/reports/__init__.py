"""
The documents: what auditors and security teams receive, drawn from stored evidence alone.

A renderer reads one `StoredRun` and nothing else: no clock, no network, no disk but the templates
and fonts that ship with orgproof. So the same evidence gives the same bytes. A new format is one
module and one line in `FORMATS`.
"""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scanner.evidence import StoredRun
    from scanner.interfaces import PdfSigner

# The same evidence gives the same bytes, whatever a machine's language is and whatever else is installed there.
os.environ.update(
    # Where there is lxml, openpyxl writes with it, and other bytes than without it.
    OPENPYXL_LXML="False",
    # Where there is more than one font for a script, the language decides which, and what the font is called.
    FC_LANG="en",
    PANGO_LANGUAGE="en",
)

Renderer = Callable[["StoredRun", Path], list[Path]]
"""
Writes one format's documents into an existing folder and returns their paths.

Raises `RenderError` when a document cannot be made, or stands there already; `EvidenceError` when
the evidence cannot be read.
"""


# The libraries behind a format cost up to a second to import, so each waits until it is asked for.


def draw_pdf(run: "StoredRun", folder: Path, sign: "PdfSigner | None" = None) -> list[Path]:
    """
    Write the PDF, signed by `sign` where it is given. See `Renderer`.
    """
    with warnings.catch_warnings():
        # Without fonts of the system the one that is shipped is used, and nothing is ugly.
        warnings.filterwarnings("ignore", "No fonts configured in FontConfig", UserWarning)
        from scanner.reports.pdf import render_pdf  # noqa: PLC0415

    return render_pdf(run, folder, sign)


def _render_workbook(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.workbook import render_workbook  # noqa: PLC0415

    return render_workbook(run, folder)


def _render_csv(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.csv_files import render_csv  # noqa: PLC0415

    return render_csv(run, folder)


def _render_json(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.json_file import render_json  # noqa: PLC0415

    return render_json(run, folder)


FORMATS: dict[str, Renderer] = {
    "pdf": draw_pdf,
    "xlsx": _render_workbook,
    "csv": _render_csv,
    "json": _render_json,
}
"""
Every format by the name that `--format` takes, in the order in which they are drawn.
"""

__all__ = ["FORMATS", "Renderer", "draw_pdf"]
