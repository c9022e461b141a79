"""
Sheets of a workbook that are read rather than filtered: how a page is written, and the sheet Method.
"""

from collections.abc import Container, Sequence
from math import ceil
from textwrap import wrap
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from scanner.evidence import StoredRun
from scanner.frameworks import Control, Framework
from scanner.reports import facts, method
from scanner.reports.cells import FONT, LINK, Link, make_formula_cell, make_text_cell
from scanner.reports.live import Live
from scanner.reports.sheets import INK, PAPER, RED, Print, open_sheet
from scanner.reports.wording import MISSING

METHOD = "Method"

_METHOD_WIDTHS = (40.0, 110.0, 40.0)
_RULE = Border(bottom=Side(style="thin", color="A0A7B0"))
_LINE_HEIGHT, _TITLE_HEIGHT = 15.75, 27.0
_LINE_LENGTH = 150
_RIGHT = Alignment(horizontal="right", indent=1)


class Page:
    """
    A sheet that is written from the top down: banners, headings, facts, small tables.
    """

    def __init__(
        self, workbook: Workbook, title: str, widths: Sequence[float], page: Print
    ) -> None:
        self.sheet = open_sheet(workbook, title, widths, page)
        self.sheet.sheet_view.showGridLines = False
        self._widths = widths
        self._rows = 0

    @property
    def next_row(self) -> int:
        """
        The number of the row that is written next.
        """
        return self._rows + 1

    def title(self, text: str) -> None:
        """
        Write the sheet's title.
        """
        self.sheet.row_dimensions[self.next_row].height = _TITLE_HEIGHT
        self._write([text], font=Font(name=FONT, size=18, bold=True, color=INK))

    def heading(self, text: str) -> None:
        """
        Write a heading over what follows, with a line free above it.
        """
        self._append([])
        cells = [text, *[""] * (len(self._widths) - 1)]
        self._write(cells, font=Font(name=FONT, size=12, bold=True, color=INK), border=_RULE)

    def banner(self, text: str) -> None:
        """
        Write what nobody may miss.
        """
        cells = [text, *[""] * (len(self._widths) - 1)]
        fill = PatternFill("solid", fgColor=RED)
        self._write(cells, font=Font(name=FONT, bold=True, color=PAPER), fill=fill)

    def text(self, text: str) -> None:
        """
        Write one line of text.
        """
        self._write([text])

    def lines(self, text: str, indent: str = "") -> None:
        """
        Write text on as many lines as it needs: one long line would run out of the printed page.
        """
        for line in wrap(text, _LINE_LENGTH):
            self.text(f"{indent}{line}")

    def band(self, rows: int) -> int:
        """
        Leave rows free for what lies over the cells, and return the first one's number. Their height is given.
        """
        first = self.next_row
        for _ in range(rows):
            self.sheet.row_dimensions[self.next_row].height = _LINE_HEIGHT
            self._append([])
        return first

    def count(
        self, label: str | Cell, sealed: int | None, live: Live | None, meaning: str = ""
    ) -> None:
        """
        Write a line of figures: the sealed one, the two that the workbook counts by itself, and of what they are.
        """
        now, shown = (None, None) if live is None else (live.now, live.shown)
        formulas = [
            make_text_cell(self.sheet, MISSING, alignment=_RIGHT)
            if formula is None
            else make_formula_cell(self.sheet, formula, alignment=_RIGHT)
            for formula in (now, shown)
        ]
        number = make_text_cell(self.sheet, MISSING, alignment=_RIGHT)
        if sealed is not None:
            number.value = sealed
        name = label if isinstance(label, Cell) else self._make_cell(0, label)
        self._append([name, number, *formulas, self._make_cell(len(formulas) + 2, meaning)])

    def link(self, text: str, link: Link) -> Cell:
        """
        Return a cell that leads somewhere.
        """
        cell = make_text_cell(self.sheet, text, font=LINK)
        cell.hyperlink = link.make()
        return cell

    def header(self, names: Sequence[str], numbers: Container[str] = ()) -> None:
        """
        Write a small table's header, those of columns of numbers at the right like the numbers.
        """
        font = Font(name=FONT, bold=True, color=INK)
        self._append(
            [
                make_text_cell(
                    self.sheet,
                    name,
                    font=font,
                    border=_RULE,
                    alignment=Alignment(
                        horizontal="right" if name in numbers else "left",
                        indent=1 if index and name not in numbers else 0,
                    ),
                )
                for index, name in enumerate(names)
            ]
        )

    def row(self, values: Sequence[object]) -> None:
        """
        Write one row of texts and numbers, on one line but for a first text that its column cannot hold.
        """
        length = len(values[0]) if isinstance(values[0], str) else 0
        wraps = length > self._widths[0]
        if wraps:
            lines = ceil(length * 1.1 / self._widths[0])
            self.sheet.row_dimensions[self._rows + 1].height = lines * _LINE_HEIGHT
        self._append(
            [
                self._make_cell(index, value, wraps=wraps and not index)
                for index, value in enumerate(values)
            ]
        )

    def paragraph(self, *texts: str) -> None:
        """
        Write one row of texts that wrap.
        """
        # A program that opens the file need not fit the height to wrapped text, and some do not.
        lines = max(
            ceil(len(text) * 1.1 / width) for text, width in zip(texts, self._widths, strict=False)
        )
        self.sheet.row_dimensions[self._rows + 1].height = lines * _LINE_HEIGHT
        self._append([self._make_cell(index, text, wraps=True) for index, text in enumerate(texts)])

    def _make_cell(self, index: int, value: object, *, wraps: bool = False) -> object:
        if not isinstance(value, str):
            return value
        # Text beside a number would otherwise touch it.
        alignment = Alignment(
            horizontal="left", vertical="top", indent=1 if index else 0, wrap_text=wraps
        )
        return make_text_cell(self.sheet, value, alignment=alignment)

    def _write(self, texts: Sequence[str], **styles: Any) -> None:  # noqa: ANN401 - openpyxl's styles
        self._append([make_text_cell(self.sheet, text, **styles) for text in texts])

    def _append(self, cells: Sequence[object]) -> None:
        row = self.sheet.row_dimensions[self.next_row]
        # Without a height each program chooses its own, and another font would be cut off.
        row.height = row.height or _LINE_HEIGHT
        self.sheet.append(cells)
        self._rows += 1


def write_method(workbook: Workbook, run: StoredRun, page: Print) -> None:
    """
    Add the sheet Method: how the evidence came about, what it cannot show, how to verify it.
    """
    sheet = Page(workbook, METHOD, _METHOD_WIDTHS, page)
    sheet.title("Method and limits")
    sheet.heading("Population and timing")
    sheet.paragraph("Population", method.POPULATION)
    sheet.paragraph("Timing", method.TIMING)
    sheet.heading("Checks: the exact conditions")
    sheet.header(["check", "condition, and where the check does not apply", "parameters"])
    for entry in method.list_conditions(run):
        sheet.paragraph(
            f"{entry.name}: {entry.title} ({entry.severity}; {entry.subject}; {entry.notes})",
            " ".join(filter(None, (entry.condition, entry.reach, entry.grading))),
            entry.parameters,
        )
    sheet.paragraph("Severity", method.SEVERITY)
    for heading, pairs in (
        ("Stages", method.STEPS),
        ("Calls made to AWS, each needing the permission of its name", method.list_calls(run)),
        ("Words", method.GLOSSARY),
    ):
        sheet.heading(heading)
        for pair in pairs:
            sheet.paragraph(*pair)
    sheet.heading("What this evidence cannot show")
    for number, limit in enumerate(method.LIMITS, 1):
        sheet.paragraph(f"Limit {number}", limit)
    for framework in run.frameworks:
        _write_framework(sheet, run, framework)
    sheet.heading("How to verify")
    sheet.row(["Seal (SHA-256 of manifest.json)", run.manifest_sha256])
    sheet.row(["Signature", facts.describe_signature(run)])
    for pair in method.VERIFY:
        sheet.paragraph(*pair)


def _write_framework(sheet: Page, run: StoredRun, framework: Framework) -> None:
    """
    Write a framework's edition, scope, controls with their other editions' ids, and what it leaves out.
    """
    sheet.heading(f"{framework.name} {framework.version}")
    sheet.paragraph("Edition", framework.status)
    sheet.paragraph("Speaks of", f"{framework.scope_of}. {framework.scope_because}")
    for pair in facts.describe_scope(run.summary, framework.id):
        sheet.paragraph(*pair)
    sheet.row(["SHA-256 of the catalog", framework.sha256])
    for remark in framework.remarks:
        sheet.paragraph("Remark", remark)
    for control in framework.controls:
        sheet.paragraph(
            f"{control.id} {control.title}",
            _describe_control(control),
            "; ".join(f"{edition}: {', '.join(ids)}" for edition, ids in control.crosswalk.items()),
        )
    for gap in framework.not_evidenced:
        sheet.paragraph(f"Not evidenced: {', '.join(gap.ids)}", gap.because)


def _describe_control(control: Control) -> str:
    sources = f"Sources: {'; '.join(control.sources)}."
    if control.not_tested:
        return f"Not tested: {control.not_tested} {sources}"
    names = (f"{mapped.bound.name} ({mapped.relation})" for mapped in control.checks)
    return f"Checks: {', '.join(names)}. {sources}"
