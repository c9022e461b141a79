"""
The documents' file names, which format each belongs to, and the refusal to write over one.
"""

import re
from pathlib import Path

from scanner.errors import RenderError
from scanner.summary import Summary

# The period comes from summary.json, which someone may have edited: it must not lead elsewhere.
_SAFE_PERIOD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)


def name_document(summary: Summary, ending: str) -> str:
    """
    Return a document's file name, such as `orgproof-2026-Q4.pdf`, or raise `RenderError`.
    """
    if not _SAFE_PERIOD.fullmatch(summary.period):
        raise RenderError(
            f"period {summary.period!r} in summary.json cannot be part of a file name; "
            "check the run with `sha256sum --check SHA256SUMS`"
        )
    return f"orgproof-{summary.period}.{ending}"


def find_format(summary: Summary, name: str) -> str:
    """
    Return the name of the format that a document's file name stands for; it may be none that there is.

    The format's name follows the first part of each file's: `orgproof-2026-Q4.junit.xml`, `findings.csv`.
    """
    rest = name.removeprefix(f"orgproof-{summary.period}.")
    if rest == name:
        rest = name.partition(".")[2]
    return rest.partition(".")[0]


def name_annex(summary: Summary, number: int, volumes: int) -> str:
    """
    Return the file name of an annex volume, such as `orgproof-2026-Q4-annex-01.pdf`. See `name_document`.
    """
    digits = max(2, len(str(volumes)))
    return name_document(summary, "pdf").removesuffix(".pdf") + f"-annex-{number:0{digits}}.pdf"


def claim(path: Path) -> Path:
    """
    Return the path when nothing stands there, else raise `RenderError`: documents are written once.
    """
    if path.exists() or path.is_symlink():
        raise RenderError(f"{path}: exists already; give a folder without this document")
    return path
