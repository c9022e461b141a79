"""
The workbook for security teams: the tables to filter and sort, with a summary before and the method after.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from openpyxl.packaging.core import DocumentProperties

from scanner.evidence import StoredRun
from scanner.evidence.store import create_file
from scanner.reports.archive import open_workbook, save_workbook
from scanner.reports.covers import write_method, write_summary
from scanner.reports.naming import claim, name_document
from scanner.reports.sheets import ROW_LIMIT, Print, TableLayout, write_table
from scanner.reports.tables import (
    ACCEPTANCE_COLUMNS,
    Row,
    list_acceptances,
    list_account_checks,
    list_rows,
    list_user_columns,
    stream_changes,
    stream_findings,
    stream_users,
)
from scanner.reports.wording import NO_PREVIOUS_RUN, TITLE, list_notices
from scanner.summary import Summary

WIDTHS = {
    "account_id": 15.0,
    "account_name": 26.0,
    "acceptance": 22.0,
    "acceptance_note": 46.0,
    "arn": 52.0,
    "check": 30.0,
    "closed": 21.0,
    "confirmation": 19.0,
    "confirmation_note": 30.0,
    "control_id": 12.0,
    "controls": 46.0,
    "email": 30.0,
    "finding_id": 23.0,
    "framework": 17.0,
    "first_seen": 21.0,
    "generated_time": 21.0,
    "last_seen": 21.0,
    "name": 26.0,
    "observation": 58.0,
    "opened": 21.0,
    "ou_ids": 30.0,
    "ou_path": 30.0,
    "population": 50.0,
    "reason": 80.0,
    "reason_code": 19.0,
    "report_sha256": 30.0,
    "title": 56.0,
    "user": 28.0,
    "user_creation_time": 21.0,
}
_ACCEPTANCE_WIDTHS = {
    "account": 15.0,
    "approver": 24.0,
    "id": 24.0,
    "kind": 22.0,
    "owner": 24.0,
    "reason": 60.0,
    "ticket": 16.0,
    "warnings": 60.0,
}
_MARKED = frozenset({"verdict", "severity", "outcome", "state"})


def render_workbook(run: StoredRun, folder: Path, row_limit: int = ROW_LIMIT) -> list[Path]:
    """
    Write `orgproof-<period>.xlsx`. See `Renderer`. `row_limit` is how many rows one sheet may hold.
    """
    summary = run.summary
    path = claim(folder / name_document(summary, "xlsx"))
    page = describe_page(run)
    with open_workbook(describe_document(summary)) as workbook:
        write_summary(workbook, run, page)
        for layout, rows in list_tables(run):
            write_table(workbook, layout, rows, page, row_limit)
        write_method(workbook, run, page)
        with create_file(path) as file:
            save_workbook(workbook, file, summary.window.finished)
    return [path]


def list_tables(run: StoredRun) -> Iterator[tuple[TableLayout, Iterable[Row]]]:
    """
    Yield the tables of a workbook in order, each with its layout and its rows.
    """
    yield _stream("Findings", stream_findings(run), "No findings")
    yield (
        TableLayout(
            "Accepted risks",
            ACCEPTANCE_COLUMNS,
            "No accepted risks were given",
            WIDTHS | _ACCEPTANCE_WIDTHS,
            frozenset({"state"}),
        ),
        list_acceptances(run),
    )
    yield _stream("Changes", stream_changes(run), _explain_no_changes(run))
    columns = list_user_columns(run)
    checks = frozenset(total.check for total in run.summary.checks)
    empty = "No account was read"
    yield TableLayout("Users", columns, empty, WIDTHS, checks), stream_users(run)
    yield _lay_out(
        "Accounts",
        run.accounts(),
        "The organization lists no accounts",
        _MARKED | set(list_account_checks(run)),
    )
    yield _lay_out("Controls", run.controls(), "No framework was chosen")


def _explain_no_changes(run: StoredRun) -> str:
    if run.summary.previous is None:
        return NO_PREVIOUS_RUN
    return "Nothing changed since the previous run, and nothing is open"


def _stream(
    title: str, table: tuple[list[str], Iterator[Row]], empty: str
) -> tuple[TableLayout, Iterable[Row]]:
    columns, rows = table
    return TableLayout(title, columns, empty, WIDTHS, _MARKED), rows


def _lay_out(
    title: str, frame: pd.DataFrame, empty: str, marked: frozenset[str] = _MARKED
) -> tuple[TableLayout, Iterable[Row]]:
    columns = [str(name) for name in frame.columns]
    return TableLayout(title, columns, empty, WIDTHS, marked), list_rows(frame)


def describe_document(summary: Summary) -> DocumentProperties:
    """
    Return a workbook's own properties.
    """
    return DocumentProperties(
        title=f"{TITLE}: {summary.organization_id}, {summary.period}",
        creator=f"orgproof {summary.tool_version}",
        lastModifiedBy=f"orgproof {summary.tool_version}",
        description=f"Run {summary.run_id}",
        language="en",
    )


def describe_page(run: StoredRun) -> Print:
    """
    Return what stands on each printed page of a workbook: the run, its notices, its seal.
    """
    summary = run.summary
    labels = ", ".join(notice.label for notice in list_notices(summary))
    return Print(
        header=f"{summary.organization_id}, {summary.period}",
        notice=f'&"Calibri,Bold"&K9B1C1C{labels}' if labels else "",
        footer=f"orgproof {summary.tool_version}, seal {run.manifest_sha256}",
    )
