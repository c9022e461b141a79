"""
Every document of one scan, held against the others: a hostile organization, the real command, all formats at once.
"""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import Scanner, run_command
from openpyxl import load_workbook
from pypdf import PdfReader

from scanner.evidence import StoredRun
from scanner.reports import FORMATS, facts
from scanner.reports.tables import list_records
from scanner.simulator import Simulator, build_hostile

pytestmark = pytest.mark.functional


class Rows(HTMLParser):
    """
    The rows of a page's tables, as lists of the text of their cells.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_inside = False
        self.feed(text)

    def handle_starttag(self, tag, _attributes):
        """
        Begin a row or a cell.
        """
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")
        self._is_inside = self._is_inside or tag in {"td", "th"}

    def handle_endtag(self, tag):
        """
        End a cell.
        """
        if tag in {"td", "th"}:
            self._is_inside = False

    def handle_data(self, data):
        """
        Take a cell's text.
        """
        if self._is_inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> StoredRun:
    """
    Scan the hostile organization with every format there is, and return the run.
    """
    folder = tmp_path_factory.mktemp("hostile")

    def command(*arguments, environment):
        return run_command(folder, *arguments, environment=environment, timeout=280)

    with Simulator(build_hostile()) as simulator:
        scanner = Scanner(simulator, command, folder / "runs")
        done = scanner.scan("--format", ",".join(FORMATS))
    assert done.status in {1, 3}, done.stderr
    return done.run


@pytest.fixture(scope="module")
def pages(run) -> str:
    """
    Return the text of the PDF, on one line.
    """
    reader = PdfReader(find(run, ".pdf"))
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


@pytest.fixture(scope="module")
def sheet(run) -> list[list[object]]:
    """
    Return the rows of the workbook's Summary.
    """
    workbook = load_workbook(find(run, ".xlsx"), read_only=True)
    width = 10
    return [
        [*row, *[None] * (width - len(row))]
        for row in workbook["Summary"].iter_rows(values_only=True)
    ]


@pytest.fixture(scope="module")
def rows(run) -> list[list[str]]:
    """
    Return the rows of the page's tables.
    """
    return Rows(find(run, ".html").read_text(encoding="utf-8")).rows


def find(run: StoredRun, ending: str) -> Path:
    return run.folder / "reports" / f"orgproof-{run.summary.period}{ending}"


def list_figures(run):
    return [*facts.list_coverage(run.summary), *facts.list_users(run.summary)]


def test_pdf_workbook_and_page_print_the_same_totals(run, pages, sheet, rows):
    """
    Accounts by outcome and users by what they hold: three documents, each figure that of summary.json.
    """
    stored = json.loads((run.folder / "summary.json").read_text(encoding="utf-8"))
    sealed = {**stored["accounts"], **stored["users"]}
    assert {figure.number for figure in list_figures(run)} <= set(sealed.values())

    for figure in list_figures(run):
        words = re.escape(figure.label) + r" ([0-9,]+) ?" + re.escape(figure.meaning)
        assert {f"{figure.number:,}"} == set(re.findall(words, pages)), figure
        assert [figure.number] == [row[1] for row in sheet if row[0] == figure.label][:1], figure
        shown = [row[1] for row in rows if row[0].strip() == figure.label and len(row) == 3]
        assert f"{figure.number:,}" in shown, figure


def test_pdf_workbook_and_page_print_the_same_checks(run, pages, sheet, rows):
    """
    Each check's rows and what became of them are the sealed ones, in all three.
    """
    squeezed = "".join(pages.split())
    for check in run.summary.checks:
        numbers = [*(number for _, number in facts.list_check_figures(check)), check.accepted]
        printed = [f"{number:,}" for number in numbers]
        line = f"{check.check}·{check.severity}·{check.subject}{''.join(printed)}"
        assert "".join(line.split()) in squeezed, check.check
        assert numbers in [row[1:8] for row in sheet if row[0] == check.check], check.check
        assert printed in [row[1:8] for row in rows if check.check in row[0]], check.check


def test_pdf_workbook_and_page_print_the_same_controls(run, pages, sheet, rows):
    """
    Each control's figures are those of the controls table, in all three.
    """
    names = ("evaluated", "failed", "unknown", "not_tested", "accepted")
    tested = {
        (framework.id, control.id)
        for framework in run.frameworks
        for control in framework.controls
        if not control.not_tested
    }
    for record in list_records(run.controls()):
        if (record["framework"], record["control_id"]) not in tested:
            continue
        figures = [record[name] for name in names]
        evaluated, failed, unknown, untested, _ = (f"{figure:,}" for figure in figures)
        assert (
            f"evaluated {evaluated} · exceptions {failed} · unable to determine {unknown} · "
            f"accounts not tested {untested}"
        ) in pages, record
        name = f"{record['framework']} {record['control_id']}"
        assert figures in [row[2:7] for row in sheet if row[0] == name], record
        heading = f"{record['control_id']} {record['title']}"
        shown = [row[-5:] for row in rows if " ".join(row[0].split()) == heading]
        assert [f"{figure:,}" for figure in figures] in shown, record


def test_every_table_for_machines_holds_the_same_rows(run):
    """
    Findings as Parquet, JSON Lines, CSV, OCSF and in the workbook: each finding once, and none more.
    """
    reports = run.folder / "reports"
    due = Counter(run.findings()["finding_id"])
    assert due.total() == run.summary.findings

    lines = (reports / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    assert due == Counter(json.loads(line)["finding_id"] for line in lines)
    assert due == Counter(pq.read_table(reports / "findings.parquet")["finding_id"].to_pylist())
    events = find(run, ".ocsf.jsonl").read_text(encoding="utf-8").splitlines()
    assert due == Counter(json.loads(event)["finding_info"]["uid"] for event in events)
    workbook = load_workbook(find(run, ".xlsx"), read_only=True)
    ids = [row[0] for row in workbook["Findings"].iter_rows(min_row=2, values_only=True)]
    assert due == Counter(ids)


def test_the_documents_of_a_hostile_organization_verify(run, tmp_path):
    """
    Read back and drawn again, all of them carry the numbers that follow from the raw reports.
    """
    done = run_command(tmp_path, "verify", str(run.folder), timeout=280)

    assert done.status == 0, done.stdout
    assert "they carry these numbers" in done.stdout


def test_no_name_stands_in_a_document_as_markup(run):
    """
    What would act in a page, a sheet or a pipeline's summary stands nowhere as it is.
    """
    names = [account.name for account in build_hostile().accounts]
    markup = [name for name in names if re.search(r"<[a-z/]", name)]
    assert markup

    for ending in (".html", ".junit.xml", ".github.md"):
        text = find(run, ending).read_text(encoding="utf-8")
        for name in markup:
            assert name not in text, ending
