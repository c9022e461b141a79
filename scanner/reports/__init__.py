"""
The documents: what auditors and security teams receive, drawn from stored evidence alone.

A renderer reads one `StoredRun` and nothing else: no clock, no network, no disk but the templates
and fonts that ship with orgproof. So the same evidence gives the same bytes. A new format is one
module and one line in `FORMATS`.
"""

import os
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from scanner.errors import RenderError

if TYPE_CHECKING:
    from scanner.evidence import StoredRun
    from scanner.interfaces import PdfSigner
    from scanner.reports.extras import Extras

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


_EXTRAS = {"ocsf": "py_ocsf_models"}


def find_missing(kind: str) -> str | None:
    """
    Say what a format needs that is not installed, and how to install it; None where nothing is missing.
    """
    needed = _EXTRAS.get(kind)
    if needed is None or find_spec(needed) is not None:
        return None
    return (
        f"format {kind} needs {needed}, which is not installed; run: pip install 'orgproof[{kind}]'"
    )


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


def draw_workbook(run: "StoredRun", folder: Path, extras: "Extras | None" = None) -> list[Path]:
    """
    Write the workbook, with notes carried over and a sample where they are given. See `Renderer`.
    """
    from scanner.reports.workbook import render_workbook  # noqa: PLC0415

    return render_workbook(run, folder, extras)


def _render_page(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.page import render_page  # noqa: PLC0415

    return render_page(run, folder)


def _render_csv(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.csv_files import render_csv  # noqa: PLC0415

    return render_csv(run, folder)


def _render_json(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.json_file import render_json  # noqa: PLC0415

    return render_json(run, folder)


def _render_jsonl(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.jsonl_files import render_jsonl  # noqa: PLC0415

    return render_jsonl(run, folder)


def _render_parquet(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.parquet_files import render_parquet  # noqa: PLC0415

    return render_parquet(run, folder)


def _render_ocsf(run: "StoredRun", folder: Path) -> list[Path]:
    if missing := find_missing("ocsf"):
        raise RenderError(missing)
    from scanner.reports.ocsf import render_ocsf  # noqa: PLC0415

    return render_ocsf(run, folder)


def _render_oscal(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.oscal import render_oscal  # noqa: PLC0415

    return render_oscal(run, folder)


def _render_junit(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.junit import render_junit  # noqa: PLC0415

    return render_junit(run, folder)


def _render_github(run: "StoredRun", folder: Path) -> list[Path]:
    from scanner.reports.github import render_github  # noqa: PLC0415

    return render_github(run, folder)


FORMATS: dict[str, Renderer] = {
    "pdf": draw_pdf,
    "xlsx": draw_workbook,
    "html": _render_page,
    "csv": _render_csv,
    "json": _render_json,
    "jsonl": _render_jsonl,
    "parquet": _render_parquet,
    "ocsf": _render_ocsf,
    "oscal": _render_oscal,
    "junit": _render_junit,
    "github": _render_github,
}
"""
Every format by the name that `--format` takes, in the order in which they are drawn.
"""

__all__ = ["FORMATS", "Renderer", "draw_pdf", "draw_workbook", "find_missing"]
