"""
The workbook for security teams: the tables to filter and sort, with a summary before and the method after.
"""

from pathlib import Path
from typing import BinaryIO

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.archive import open_workbook, save_workbook
from scanner.reports.contents import list_contents
from scanner.reports.covers import write_method
from scanner.reports.extras import Extras
from scanner.reports.naming import claim, name_document
from scanner.reports.properties import describe_document, describe_page
from scanner.reports.sheets import ROW_LIMIT, Book, Extent, Witness, write_table
from scanner.reports.summary_sheet import open_summary, write_summary


def render_workbook(
    run: StoredRun, folder: Path, extras: Extras | None = None, row_limit: int = ROW_LIMIT
) -> list[Path]:
    """
    Write `orgproof-<period>.xlsx`. See `Renderer`. `row_limit` is how many rows one sheet may hold.
    """
    path = claim(folder / name_document(run.summary, "xlsx"))
    with create_file(path) as file:
        draw_workbook(run, file, extras or Extras(), row_limit)
    return [path]


def draw_workbook(
    run: StoredRun,
    file: BinaryIO,
    extras: Extras,
    row_limit: int = ROW_LIMIT,
    witness: Witness | None = None,
) -> None:
    """
    Write a workbook into an open file. A `witness` is shown the tables' rows, which the sheets then lack.

    The sheet Summary is the first, and written last: its formulas name the sheets that the rows came to lie on.
    """
    page = describe_page(run)
    with open_workbook(describe_document(run.summary)) as workbook:
        book = Book(workbook, page, row_limit, witness)
        cover = open_summary(workbook, page)
        extents: dict[str, list[Extent]] = {}
        for layout, batches in list_contents(run, extras):
            extents[layout.title] = write_table(book, layout, batches)
        write_method(workbook, run, page)
        write_summary(cover, run, extras, extents)
        save_workbook(workbook, file, run.summary.window.finished)
