"""
The two sheets of a workbook that are read rather than filtered: Summary and Method.
"""

from collections.abc import Container, Sequence
from math import ceil
from textwrap import wrap
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side

from scanner.evidence import StoredRun
from scanner.model import Verdict
from scanner.reports import facts, method
from scanner.reports.sheets import FONT, INK, PAPER, RED, Print, make_text_cell, open_sheet
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    TITLE,
    VERDICTS,
    complete,
    conclude,
    list_notices,
)

_SUMMARY_WIDTHS = (34.0, 17.0, 17.0, 17.0, 17.0, 20.0, 17.0, 34.0)
_METHOD_WIDTHS = (40.0, 110.0, 40.0)
_RULE = Border(bottom=Side(style="thin", color="A0A7B0"))
_LINE_HEIGHT = 15.0
_LINE_LENGTH = 150


class _Page:
    """
    A sheet that is written from the top down: banners, headings, facts, small tables.
    """

    def __init__(
        self, workbook: Workbook, title: str, widths: Sequence[float], page: Print
    ) -> None:
        self._sheet = open_sheet(workbook, title, widths, page)
        self._sheet.sheet_view.showGridLines = False
        self._widths = widths
        self._rows = 0

    def title(self, text: str) -> None:
        self._write([text], font=Font(name=FONT, size=18, bold=True, color=INK))

    def heading(self, text: str) -> None:
        self._append([])
        cells = [text, *[""] * (len(self._widths) - 1)]
        self._write(cells, font=Font(name=FONT, size=12, bold=True, color=INK), border=_RULE)

    def banner(self, text: str) -> None:
        cells = [text, *[""] * (len(self._widths) - 1)]
        fill = PatternFill("solid", fgColor=RED)
        self._write(cells, font=Font(name=FONT, bold=True, color=PAPER), fill=fill)

    def text(self, text: str) -> None:
        self._write([text])

    def header(self, names: Sequence[str], numbers: Container[str] = ()) -> None:
        """
        Write a small table's header, those of columns of numbers at the right like the numbers.
        """
        font = Font(name=FONT, bold=True, color=INK)
        self._append(
            [
                make_text_cell(
                    self._sheet,
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
        Write one row of texts and numbers on one line.
        """
        self._append([self._make_cell(index, value) for index, value in enumerate(values)])

    def paragraph(self, *texts: str) -> None:
        """
        Write one row of texts that wrap.
        """
        # A program that opens the file need not fit the height to wrapped text, and some do not.
        lines = max(
            ceil(len(text) * 1.1 / width) for text, width in zip(texts, self._widths, strict=False)
        )
        self._sheet.row_dimensions[self._rows + 1].height = lines * _LINE_HEIGHT
        self._append([self._make_cell(index, text, wraps=True) for index, text in enumerate(texts)])

    def _make_cell(self, index: int, value: object, *, wraps: bool = False) -> object:
        if not isinstance(value, str):
            return value
        # Text beside a number would otherwise touch it.
        alignment = Alignment(
            horizontal="left", vertical="top", indent=1 if index else 0, wrap_text=wraps
        )
        return make_text_cell(self._sheet, value, alignment=alignment)

    def _write(self, texts: Sequence[str], **styles: Any) -> None:  # noqa: ANN401 - openpyxl's styles
        self._append([make_text_cell(self._sheet, text, **styles) for text in texts])

    def _append(self, cells: Sequence[object]) -> None:
        self._sheet.append(cells)
        self._rows += 1


def write_summary(workbook: Workbook, run: StoredRun, page: Print) -> None:
    """
    Add the sheet Summary: what the run was, whether it is whole, and its totals.
    """
    summary = run.summary
    sheet = _Page(workbook, "Summary", _SUMMARY_WIDTHS, page)
    sheet.title(TITLE)
    for notice in list_notices(summary):
        sheet.banner(f"{notice.label}: {notice.sentence}")
    sheet.text(conclude(summary))
    sheet.text(complete(summary))
    sheet.heading("What this is")
    for label, value in facts.list_identity(run):
        sheet.row([label, value])
    _write_totals(sheet, run)
    _write_checks(sheet, run)
    _write_controls(sheet, run)
    _write_not_collected(sheet, run)


def write_method(workbook: Workbook, run: StoredRun, page: Print) -> None:
    """
    Add the sheet Method: how the evidence came about, what it cannot show, how to verify it.
    """
    sheet = _Page(workbook, "Method", _METHOD_WIDTHS, page)
    sheet.title("Method and limits")
    sheet.heading("Population and timing")
    sheet.paragraph("Population", method.POPULATION)
    sheet.paragraph("Timing", method.TIMING)
    sheet.heading("Checks: when an exception is noted")
    sheet.header(["check", "condition", "parameters"])
    for row in method.list_conditions(run):
        sheet.paragraph(*row)
    for heading, pairs in (
        ("Stages", method.STEPS),
        ("Calls made to AWS, each needing the permission of its name", method.CALLS),
        ("Words", method.GLOSSARY),
    ):
        sheet.heading(heading)
        for pair in pairs:
            sheet.paragraph(*pair)
    sheet.heading("What this evidence cannot show")
    for number, limit in enumerate(method.LIMITS, 1):
        sheet.paragraph(f"Limit {number}", limit)
    sheet.heading("Frameworks and their sources")
    for framework in run.frameworks:
        sheet.paragraph(f"{framework.name} {framework.version}", framework.status)
        sheet.row(["SHA-256 of the catalog", framework.sha256])
        for control in framework.controls:
            sheet.paragraph(f"{control.id} {control.title}", "; ".join(control.sources))
    sheet.heading("How to verify")
    sheet.row(["Seal (SHA-256 of manifest.json)", run.manifest_sha256])
    for pair in method.VERIFY:
        sheet.paragraph(*pair)


def _write_totals(sheet: _Page, run: StoredRun) -> None:
    summary = run.summary
    sheet.heading("Coverage: accounts")
    for figure in facts.list_coverage(summary):
        sheet.row([figure.label, figure.number, figure.meaning])
    sheet.text(facts.add_up_coverage(summary))
    sheet.heading("Users in the accounts that were read")
    for figure in facts.list_users(summary):
        sheet.row([figure.label, figure.number, figure.meaning])
    population = facts.describe_population(run)
    sheet.row(["Accounts whose user count IAM gave", population.compared])
    sheet.row(["of them equal to the report's", population.agreeing])
    sheet.row(["Age of the reports when fetched", f"{population.youngest} to {population.oldest}"])


def _write_checks(sheet: _Page, run: StoredRun) -> None:
    summary = run.summary
    sheet.heading("Findings")
    for verdict in (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN):
        sheet.row([VERDICTS[verdict], summary.findings_by_verdict.get(verdict, 0)])
    sheet.row(["findings in all", summary.findings])
    sheet.text("What the accounts said about them when asked during the run:")
    for words, number in facts.list_confirmations(summary):
        sheet.row([words, number])
    sheet.heading("Checks: the rows read are the sum of the columns after them")
    for number, check in enumerate(summary.checks):
        figures = facts.list_check_figures(check)
        if not number:
            labels = [label for label, _ in figures]
            sheet.header(["check", *labels, "title"], numbers=labels)
        sheet.row([check.check, *(value for _, value in figures), check.title])


def _write_controls(sheet: _Page, run: StoredRun) -> None:
    wording = {framework.id: framework.wording for framework in run.frameworks}
    sheet.heading("Results by control")
    columns = ("relation", "evaluated", "failed", "unknown", "not_tested")
    sheet.header(["control", *columns, "", "result"], numbers=columns[1:])
    for record in list_records(run.controls()):
        result = wording[str(record["framework"])][Verdict(str(record["verdict"]))]
        name = f"{record['framework']} {record['control_id']}"
        sheet.row([name, *(record[column] for column in columns), None, result])


def _write_not_collected(sheet: _Page, run: StoredRun) -> None:
    accounts = run.accounts()
    missed = accounts[accounts["outcome"] == "not-collected"]
    if missed.empty:
        return
    sheet.heading("Accounts that could not be read")
    sheet.header(["account", "account_id", "reason_code"])
    for record in list_records(missed):
        sheet.row([record[name] for name in ("name", "account_id", "reason_code")])
        # One long line would shrink the whole sheet to a strip when it is printed.
        for line in wrap(str(record["reason"]), _LINE_LENGTH):
            sheet.text(f"    {line}")
