"""
Sheets of a workbook: tables to filter and sort, streamed batch by batch.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.formatting.rule import Rule
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.styles.differential import DifferentialStyle
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo

from scanner.reports.cells import FONT, Column, make_text_cell, set_lines, set_text
from scanner.reports.sheet_rows import Batch
from scanner.reports.text import make_visible

ROW_LIMIT = 1_048_575
"""
Rows of data that fit under one header row: Excel's 1,048,576 less one.
"""

INK, PAPER, RED, AMBER = "1B2A41", "FFFFFF", "9B1C1C", "7A4B00"

_PAPER_A4 = "9"
_PAGE_WIDTH = 210.0
_WIDEST_GUESS = 24.0
_LINE_HEIGHT = 15.0
_UPRIGHT_WIDTH, _UPRIGHT_CHAR, _UPRIGHT_CHARS = 6.0, 5.8, 27

_RED_MARK = (RED, "FBE9E7")
_AMBER_MARK = (AMBER, "FFF4DC")
_MARKS: Mapping[str, tuple[str, str]] = {
    "fail": _RED_MARK,
    "not-collected": _RED_MARK,
    "critical": _RED_MARK,
    "high": _RED_MARK,
    "unknown": _AMBER_MARK,
    "needs-review": _AMBER_MARK,
    "medium": _AMBER_MARK,
    "expired": _RED_MARK,
    "new": _AMBER_MARK,
    "not-scanned": _AMBER_MARK,
    "not-yet": _AMBER_MARK,
    "reopened": _RED_MARK,
}
_RELATION_MARKS = {"D": (PAPER, INK), "S": (INK, "D5DEEA")}
_STATUS_MARKS = {
    "open": _RED_MARK,
    "in progress": _AMBER_MARK,
    "fixed": (INK, "D5DEEA"),
}


@dataclass(frozen=True, slots=True)
class Print:
    """
    What stands above and below each printed page. No name from AWS: `&` is a command there.
    """

    header: str
    notice: str
    footer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A column that people fill in: what is asked of them, and the words to choose from or how long a text may be.
    """

    prompt: str
    words: Sequence[str] = ()
    longest: int = 0


@dataclass(frozen=True, slots=True)
class TableLayout:
    """
    How a table looks: widths by column, columns coloured by their word, those with an upright header.

    `entries` are the columns that people fill in, `frozen` is how many of the first stay in sight, `empty` the row
    that a table without rows has instead.
    """

    title: str
    columns: Sequence[str]
    empty: str
    widths: Mapping[str, float] = field(default_factory=dict)
    marked: frozenset[str] = frozenset()
    upright: frozenset[str] = frozenset()
    entries: Mapping[str, Entry] = field(default_factory=dict)
    frozen: int = 0


@dataclass(frozen=True, slots=True)
class Extent:
    """
    A sheet with rows of a table: its title, the table's name, and how many rows it has.
    """

    title: str
    table: str
    rows: int


Witness = Callable[[TableLayout, Batch], None]
"""
Is shown the rows of tables instead of a sheet.
"""


@dataclass(frozen=True, slots=True)
class Book:
    """
    A workbook that is being written: what stands on its printed pages, and how many rows one sheet may hold.

    With a `witness` the sheets stay without rows, but are the same in all else.
    """

    workbook: Workbook
    page: Print
    limit: int = ROW_LIMIT
    witness: Witness | None = None


def write_table(book: Book, layout: TableLayout, batches: Iterable[Batch]) -> list[Extent]:
    """
    Write rows as an Excel table, on more than one sheet where they do not fit on one, and say where they are.
    """
    sheets = [_Sheet(book, layout, layout.title)]
    for batch in batches:
        start = 0
        while start < len(batch):
            if sheets[-1].rows == book.limit:
                sheets[0].sheet.title = f"{layout.title} 1"
                sheets.append(_Sheet(book, layout, f"{layout.title} {len(sheets) + 1}"))
            stop = min(len(batch), start + book.limit - sheets[-1].rows)
            sheets[-1].write(batch.slice(start, stop))
            start = stop
    return [sheet.finish() for sheet in sheets]


def open_sheet(workbook: Workbook, title: str, widths: Sequence[float], page: Print) -> Any:  # noqa: ANN401 - openpyxl's stubs lack write-only sheets' settings
    """
    Add a sheet with its widths and print settings. All of it must stand before the first row.
    """
    sheet: Any = workbook.create_sheet(title)
    for index, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.paperSize = _PAPER_A4
    # A wide table on one page would be too small to read.
    sheet.page_setup.fitToWidth = max(1, round(sum(widths) / _PAGE_WIDTH))
    sheet.page_setup.fitToHeight = 0
    sheet.page_margins.left = sheet.page_margins.right = 0.4
    sheet.oddHeader.left.text = page.header
    sheet.oddHeader.right.text = page.notice
    sheet.oddFooter.left.text = page.footer
    sheet.oddFooter.right.text = "&A, page &P of &N"
    return sheet


class _Sheet:
    """
    One sheet of a table, while its rows are written.
    """

    def __init__(self, book: Book, layout: TableLayout, title: str) -> None:
        self.rows = 0
        self._layout = layout
        self._witness = book.witness
        self._names = [make_visible(name) for name in layout.columns]
        widths = [self._choose_width(name) for name in self._names]
        self.sheet = open_sheet(book.workbook, title, widths, book.page)
        self._table = f"tbl{title.replace(' ', '')}"
        self.sheet.freeze_panes = f"{get_column_letter(layout.frozen + 1)}2"
        self.sheet.print_title_rows = "1:1"
        if layout.frozen:
            self.sheet.print_title_cols = f"A:{get_column_letter(layout.frozen)}"
        self._write_header()
        self._columns = [
            Column(self.sheet, set_lines if name in layout.entries else set_text)
            for name in layout.columns
        ]

    def _choose_width(self, name: str) -> float:
        if name in self._layout.upright:
            return _UPRIGHT_WIDTH
        return self._layout.widths.get(name, min(max(12.0, len(name) + 4.0), _WIDEST_GUESS))

    def _write_header(self) -> None:
        upright = self._layout.upright
        lines = max(
            1 if name in upright else ceil((len(name) + 3) / self._choose_width(name))
            for name in self._names
        )
        height = lines * _LINE_HEIGHT + 3
        if upright:
            longest = min(max(map(len, upright)), _UPRIGHT_CHARS)
            height = max(height, longest * _UPRIGHT_CHAR + 24)
        self.sheet.row_dimensions[1].height = height
        self.sheet.append([self._make_header(name) for name in self._names])

    def _make_header(self, name: str) -> Cell:
        is_upright = name in self._layout.upright
        # Beside upright words a header is so tall that ink without words would fill a printed page's head.
        is_dark = is_upright or not self._layout.upright
        return make_text_cell(
            self.sheet,
            name,
            font=Font(name=FONT, bold=True, color=PAPER if is_dark else INK),
            fill=PatternFill("solid", fgColor=INK if is_dark else PAPER),
            alignment=Alignment(
                vertical="bottom" if self._layout.upright else "top",
                wrap_text=True,
                text_rotation=90 if is_upright else 0,
            ),
            border=Border(bottom=Side("medium", color=INK)),
        )

    def write(self, batch: Batch) -> None:
        """
        Write rows under those that are there.
        """
        self.rows += len(batch)
        if self._witness is not None:
            self._witness(self._layout, batch)
            self._write_links(batch)
            return
        for part in batch.split():
            columns = [
                column.flow(values, part.links.get(name))
                for name, column, values in zip(
                    part.table.column_names, self._columns, part.table.columns, strict=True
                )
            ]
            for row in zip(*columns, strict=True):
                self.sheet.append(row)

    def _write_links(self, batch: Batch) -> None:
        """
        Write the links alone: they are what a sheet says of its rows outside of them.
        """
        if not batch.links:
            return
        linked = [
            column.flow(batch.table[name], batch.links[name]) if name in batch.links else None
            for name, column in zip(batch.table.column_names, self._columns, strict=True)
        ]
        for _ in range(len(batch)):
            self.sheet.append([None if flow is None else next(iter(flow)) for flow in linked])

    def finish(self) -> Extent:
        """
        Write what stands after the rows.
        """
        if not self.rows:
            self.sheet.append([make_text_cell(self.sheet, self._layout.empty)])
        last = max(self.rows, 1) + 1
        self._add_table(last)
        for index, name in enumerate(self._layout.columns, 1):
            letter = get_column_letter(index)
            cells = f"{letter}2:{letter}{last}"
            if name in self._layout.marked:
                self._add_marks(cells, _MARKS)
            if name in self._layout.upright:
                self._add_marks(cells, _RELATION_MARKS)
            if entry := self._layout.entries.get(name):
                self._add_entry(cells, name, entry)
        return Extent(self.sheet.title, self._table, self.rows)

    def _add_table(self, last: int) -> None:
        reference = f"A1:{get_column_letter(len(self._names))}{last}"
        table = Table(
            displayName=self._table,
            ref=reference,
            autoFilter=AutoFilter(ref=reference),
            tableStyleInfo=TableStyleInfo(name="TableStyleLight1", showRowStripes=True),
            tableColumns=[
                TableColumn(id=index, name=name) for index, name in enumerate(self._names, 1)
            ],
        )
        # Not `add_table`, which in write-only mode warns of missing columns even where they are given.
        self.sheet.tables.add(table)

    def _add_marks(self, cells: str, marks: Mapping[str, tuple[str, str]]) -> None:
        for word, (ink, fill) in marks.items():
            style = DifferentialStyle(
                font=Font(color=ink, bold=True), fill=PatternFill("solid", bgColor=fill)
            )
            rule = Rule(type="cellIs", operator="equal", formula=[f'"{word}"'], dxf=style)
            self.sheet.conditional_formatting.add(cells, rule)

    def _add_entry(self, cells: str, name: str, entry: Entry) -> None:
        if entry.words:
            rule = DataValidation(type="list", formula1=f'"{",".join(entry.words)}"')
            rule.error = f"Choose one of: {', '.join(entry.words)}."
            self._add_marks(cells, _STATUS_MARKS)
        else:
            rule = DataValidation(
                type="textLength", operator="lessThanOrEqual", formula1=str(entry.longest)
            )
            rule.error = f"At most {entry.longest} characters, please."
        rule.errorTitle = rule.promptTitle = name
        rule.prompt = entry.prompt
        rule.showErrorMessage = rule.showInputMessage = rule.allowBlank = True
        rule.add(cells)
        self.sheet.data_validations.append(rule)
