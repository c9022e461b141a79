"""
The workbook in a program that calculates: LibreOffice opens it, counts, and saves it again.
"""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import reports_fixture as fixture
from workbook_rules import find_faults

from scanner.reports.extras import Extras
from scanner.reports.notes import read_notes
from scanner.reports.workbook import render_workbook


def convert(folder: Path, *paths: Path) -> list[Path]:
    """
    Have LibreOffice open workbooks and save them again, in one go: it takes seconds to start.
    """
    soffice = shutil.which("soffice")
    assert soffice, "LibreOffice is not here; run: make checkers"
    done = subprocess.run(
        [
            soffice,
            "--headless",
            f"-env:UserInstallation=file://{folder}/profile",
            "--convert-to",
            "xlsx:Calc MS Excel 2007 XML",
            "--outdir",
            str(folder),
            *map(str, paths),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    saved = [folder / path.name for path in paths]
    assert all(path.is_file() for path in saved), done.stderr
    return saved


def edit(path: Path, target: Path) -> None:
    """
    Do what people do: set a status, change a verdict, take a row away, and hide rows with a filter.
    """
    workbook = openpyxl.load_workbook(path)
    sheet = workbook["Findings"]
    names = [cell.value for cell in sheet[1]]
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, names.index("verdict") + 1).value = "fail"
        sheet.row_dimensions[row].hidden = row > 4
    status = sheet.cell(2, names.index("status") + 1)
    status.value = "in progress"
    sheet.cell(2, names.index("assignee") + 1).value = "Zo\u00eb"
    note = sheet.cell(2, names.index("note") + 1)
    note.value = "=1+1\nand more"
    note.data_type = "s"
    workbook.save(target)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """
    Draw the eventful run, a clean one and an edited one, and let LibreOffice save all of them.
    """
    folder = tmp_path_factory.mktemp("live")
    runs, paths = {}, {}
    runs["eventful"] = fixture.write_eventful(folder / "run")
    runs["clean"] = fixture.write_run(folder / "clean", fixture.clean())
    runs["split"] = fixture.write_run(folder / "split", fixture.ordinary())
    for name, run in runs.items():
        (drawn,) = render_workbook(run, folder / "run", row_limit=6 if name == "split" else 5_000)
        paths[name] = drawn.rename(folder / "run" / f"{name}.xlsx")
    paths["edited"] = folder / "run" / "edited.xlsx"
    edit(paths["eventful"], paths["edited"])
    saved = dict(zip(paths, convert(folder, *paths.values()), strict=True))
    return runs, paths, saved


def list_live(path):
    """
    Return the lines of Summary that count: label, sealed, now and shown.
    """
    rows = openpyxl.load_workbook(path, data_only=True)["Summary"].iter_rows(values_only=True)
    lines = []
    for row in rows:
        if row[0] == "Checks: the rows read are the sum of the five columns after them":
            break
        if isinstance(row[2], int) and isinstance(row[3], int):
            lines.append(row[:4])
    return lines


@pytest.mark.parametrize("name", ["eventful", "clean", "split"])
def test_what_the_tables_count_is_what_was_sealed(opened, name):
    """
    Opened and calculated, each line of the Summary agrees with its sealed figure; nothing is an error.
    """
    _, _, saved = opened

    lines = [line for line in list_live(saved[name]) if isinstance(line[1], int)]

    assert len(lines) > 40
    assert {line[0] for line in lines} >= {"Findings", "Users", "without MFA", "critical", "Listed"}
    assert [line for line in lines if not line[1] == line[2] == line[3]] == []


def test_the_sealed_figures_are_the_summarys(opened):
    """
    And they are those of summary.json and of the tables.
    """
    runs, _, saved = opened
    run = runs["eventful"]
    lines = {line[0]: line[1] for line in list_live(saved["eventful"])}

    findings = run.findings()
    assert lines["findings in all"] == lines["Findings"] == run.summary.findings == len(findings)
    exceptions = findings[findings["verdict"] == "fail"]
    for severity, number in exceptions["severity"].value_counts().items():
        assert lines[severity] == number
    for check in run.summary.checks:
        assert lines[check.check] == int((findings["check"] == check.check).sum())
    assert lines["without MFA"] == run.summary.users.console_without_mfa
    assert lines["Collected"] == run.summary.accounts.collected
    assert lines["Root"] == run.summary.users.roots


def test_an_edit_and_a_filter_show_beside_the_sealed_figure(opened):
    """
    Verdicts that were changed are counted now, and hidden rows are not shown. The sealed figure stays.
    """
    runs, _, saved = opened
    run = runs["eventful"]
    lines = {line[0]: line[1:] for line in list_live(saved["edited"])}

    failed, number = run.summary.findings_by_verdict["fail"], run.summary.findings
    assert failed < number
    assert lines["exception noted"] == (failed, number, 3)
    assert lines["needs review"][1:] == (0, 0)
    assert lines["Findings"] == (number, number, 3)
    assert lines["in progress"][1:] == (1, 1)


def test_every_row_is_there_when_libreoffice_has_saved_it(opened):
    """
    Table by table, row by row; account ids keep their zeros.
    """
    _, paths, saved = opened

    for name in ("eventful", "split"):
        drawn, found = (openpyxl.load_workbook(path) for path in (paths[name], saved[name]))
        assert found.sheetnames == drawn.sheetnames
        for sheet in drawn.worksheets[1:-1]:
            assert found[sheet.title].max_row == sheet.max_row, sheet.title
            ids = [
                [row[0].value for row in book[sheet.title].iter_rows()] for book in (drawn, found)
            ]
            assert ids[0] == ids[1]
            assert [t.ref for t in found[sheet.title].tables.values()] == [
                t.ref for t in sheet.tables.values()
            ]


def test_links_and_charts_are_kept(opened):
    """
    LibreOffice finds the charts and the links where they were drawn.
    """
    _, paths, saved = opened
    drawn: Any
    found: Any
    drawn, found = (openpyxl.load_workbook(path) for path in (paths["eventful"], saved["eventful"]))

    assert len(found["Summary"]._charts) == len(drawn["Summary"]._charts) == 4
    for sheet in ("Findings", "Accounts"):
        links = [
            {cell.coordinate for row in book[sheet].iter_rows() for cell in row if cell.hyperlink}
            for book in (drawn, found)
        ]
        assert links[0] == links[1] != set()


@pytest.mark.parametrize("name", ["eventful", "clean", "split"])
def test_excel_has_nothing_to_repair(opened, name):
    """
    As far as its rules can be checked without it.
    """
    _, paths, _ = opened

    assert find_faults(paths[name]) == []


def test_names_that_do_harm_leave_nothing_to_repair(tmp_path):
    """
    Formulas, direction marks, markup and very long names: the file is whole.
    """
    run = fixture.write_run(tmp_path, fixture.hostile())

    (path,) = render_workbook(run, tmp_path)

    assert find_faults(path) == []


def test_charts_lie_over_cells_without_text(opened):
    """
    Nothing is hidden behind a chart, and none lies over another.
    """
    _, paths, _ = opened
    sheet: Any = openpyxl.load_workbook(paths["eventful"])["Summary"]

    taken: set[tuple[int, int]] = set()
    for chart in sheet._charts:
        start, end = chart.anchor._from, chart.anchor.to
        cells = {(r, c) for r in range(start.row, end.row) for c in range(start.col, end.col)}
        assert not cells & taken
        taken |= cells
    assert [
        sheet.cell(r + 1, c + 1).value for r, c in taken if sheet.cell(r + 1, c + 1).value
    ] == []


def test_notes_come_back_from_what_libreoffice_saved(opened, tmp_path):
    """
    Shared strings, other parts, hidden rows: the note is found by its finding, and is text.
    """
    runs, _, saved = opened
    notes = read_notes(saved["edited"])

    (path,) = render_workbook(runs["eventful"], tmp_path, Extras(notes=notes))

    header, first, *others = openpyxl.load_workbook(path)["Findings"].iter_rows()
    row = {name.value: cell for name, cell in zip(header, first, strict=True)}
    assert row["note"].value == "=1+1\nand more"
    assert row["note"].data_type == "s"
    assert (row["status"].value, row["assignee"].value) == ("in progress", "Zo\u00eb")
    assert all(cell.value is None for row in others for cell in row[-3:])
    said = [str(r[0]) for r in openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True)]
    assert any(
        re.fullmatch(
            rf"Notes of 1 finding were carried over from edited\.xlsx \(SHA-256 {notes.sha256}\)\.",
            s,
        )
        for s in said
    )
    assert find_faults(path) == []
