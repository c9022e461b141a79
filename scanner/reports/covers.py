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
from scanner.frameworks import Control, Framework
from scanner.model import Verdict
from scanner.reports import facts, method
from scanner.reports.sheets import FONT, INK, PAPER, RED, Print, make_text_cell, open_sheet
from scanner.reports.tables import list_records
from scanner.reports.wording import (
    NO_PREVIOUS_RUN,
    TITLE,
    VERDICTS,
    complete,
    conclude,
    describe_accepted,
    describe_parent,
    describe_result,
    list_changes,
    list_notices,
)
from scanner.summary import Summary

_SUMMARY_WIDTHS = (46.0, 14.0, 14.0, 15.0, 15.0, 20.0, 15.0, 12.0, 14.0, 44.0)
_METHOD_WIDTHS = (40.0, 110.0, 40.0)
_RULE = Border(bottom=Side(style="thin", color="A0A7B0"))
_LINE_HEIGHT = 15.0
_LINE_LENGTH = 150
_SCOPE_NUMBERS = ("accounts", "not_tested")


class Page:
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
        """
        Write the sheet's title.
        """
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
        Write one row of texts and numbers, on one line but for a first text that its column cannot hold.
        """
        length = len(values[0]) if isinstance(values[0], str) else 0
        wraps = length > self._widths[0]
        if wraps:
            lines = ceil(length * 1.1 / self._widths[0])
            self._sheet.row_dimensions[self._rows + 1].height = lines * _LINE_HEIGHT
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
    sheet = Page(workbook, "Summary", _SUMMARY_WIDTHS, page)
    sheet.title(TITLE)
    for notice in list_notices(summary):
        sheet.banner(f"{notice.label}: {notice.sentence}")
    for sentence in (conclude(summary), complete(summary), describe_parent(summary)):
        sheet.lines(sentence or "")
    _write_warnings(sheet, summary)
    for sentence in facts.describe_parts(summary):
        sheet.lines(sentence)
    sheet.heading("What this is")
    for label, value in facts.list_identity(run):
        sheet.row([label, value])
    _write_totals(sheet, run)
    _write_checks(sheet, run)
    _write_scopes(sheet, summary)
    _write_controls(sheet, run)
    _write_changes(sheet, summary)
    _write_not_collected(sheet, run)


def write_method(workbook: Workbook, run: StoredRun, page: Print) -> None:
    """
    Add the sheet Method: how the evidence came about, what it cannot show, how to verify it.
    """
    sheet = Page(workbook, "Method", _METHOD_WIDTHS, page)
    sheet.title("Method and limits")
    sheet.heading("Population and timing")
    sheet.paragraph("Population", method.POPULATION)
    sheet.paragraph("Timing", method.TIMING)
    sheet.heading("Checks: the exact conditions")
    sheet.header(["check", "condition, and where the check does not apply", "parameters"])
    for entry in method.list_conditions(run):
        sheet.paragraph(
            f"{entry.name}: {entry.title} ({entry.severity}; {entry.subject}; {entry.notes})",
            f"{entry.condition} {entry.reach}",
            entry.parameters,
        )
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


def _write_warnings(sheet: Page, summary: Summary) -> None:
    if not summary.warnings:
        return
    sheet.heading("Warnings")
    for warning in summary.warnings:
        sheet.lines(warning)


def _write_totals(sheet: Page, run: StoredRun) -> None:
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
    sheet.row(["of them different, and explained", population.explained])
    differing = population.compared - population.agreeing - population.explained
    sheet.row(["of them different, and not explained", differing])
    sheet.row(["Accounts that could not be compared", population.collected - population.compared])
    sheet.row(["Reports older than allowed", summary.stale])
    sheet.row(["Age of the reports when fetched", f"{population.youngest} to {population.oldest}"])


def _write_checks(sheet: Page, run: StoredRun) -> None:
    summary = run.summary
    sheet.heading("Findings")
    for verdict in (Verdict.FAIL, Verdict.NEEDS_REVIEW, Verdict.UNKNOWN):
        sheet.row([VERDICTS[verdict], summary.findings_by_verdict.get(verdict, 0)])
    sheet.row(["findings in all", summary.findings])
    sheet.row(["of them accepted risks", summary.accepted])
    sheet.lines(describe_accepted(summary))
    asked = facts.describe_asked(summary)
    if asked.number:
        sheet.text("What the accounts said about users without MFA when asked during the run:")
        for words, number in asked.answers:
            sheet.row([words, number])
    sheet.heading("Checks: the rows read are the sum of the five columns after them")
    for number, check in enumerate(summary.checks):
        figures = facts.list_check_figures(check)
        if not number:
            labels = [*(label for label, _ in figures), "accepted"]
            sheet.header(["check", *labels, "about", "title"], numbers=labels)
        values = (value for _, value in figures)
        sheet.row([check.check, *values, check.accepted, check.subject, check.title])


def _write_scopes(sheet: Page, summary: Summary) -> None:
    sheet.heading("Scope of each framework")
    sheet.header(["framework", "accounts", "not_tested", "declared"], numbers=_SCOPE_NUMBERS)
    for scope in summary.scopes:
        declared = "declared" if scope.is_declared else "not declared"
        sheet.row([scope.framework, scope.accounts, scope.not_tested, declared])
        source = "" if scope.source is None else f" ({scope.source}, SHA-256 {scope.sha256})"
        sheet.lines(f"    {scope.words}{source}")


def _write_controls(sheet: Page, run: StoredRun) -> None:
    frameworks = {framework.id: framework for framework in run.frameworks}
    sheet.heading("Results by control")
    columns = ("relation", "evaluated", "failed", "unknown", "not_tested", "accepted")
    sheet.header(["control", *columns, "result"], numbers=columns[1:])
    for record in list_records(run.controls()):
        result = describe_result(frameworks[str(record["framework"])], record)
        name = f"{record['framework']} {record['control_id']}"
        sheet.row([name, *(record[column] for column in columns), result])


def _write_changes(sheet: Page, summary: Summary) -> None:
    sheet.heading("Since the previous run")
    if summary.previous is None:
        sheet.text(NO_PREVIOUS_RUN)
        return
    for words, number in list_changes(summary):
        sheet.row([words, number])
    sheet.text("One line for each period, its newest run:")
    numbers = ("collected", "listed", "console", "without_mfa", "accepted", "open")
    sheet.header(["period", *numbers], numbers=numbers)
    for point in summary.trend:
        figures = (point.collected, point.listed, point.console, point.without_mfa)
        sheet.row(
            [f"{point.period}, run {point.run_id}", *figures, point.accepted, point.exceptions]
        )


def _write_not_collected(sheet: Page, run: StoredRun) -> None:
    accounts = run.accounts()
    missed = accounts[accounts["outcome"] == "not-collected"]
    if missed.empty:
        return
    sheet.heading("Accounts that could not be read")
    sheet.header(["account", "account_id", "reason_code"])
    for record in list_records(missed):
        sheet.row([record[name] for name in ("name", "account_id", "reason_code")])
        sheet.lines(str(record["reason"]), indent="    ")
