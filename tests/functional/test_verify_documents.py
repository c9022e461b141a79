import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pikepdf
import pytest
import reports_fixture
from verified_run import Key, draw, edit, failed, list_again, take, write_full

from scanner.evidence import StoredRun
from scanner.evidence.quarantine import Limits
from scanner.evidence.verify import Result
from scanner.reports.readback import Readback

WORKBOOK = "reports/orgproof-2026-Q4.xlsx"
PDF = "reports/orgproof-2026-Q4.pdf"
PAGE = "reports/orgproof-2026-Q4.html"


@pytest.fixture(name="drawn", scope="module")
def make_drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Make a run with every document.
    """
    accounts = reports_fixture.ordinary()
    run = reports_fixture.write_run(tmp_path_factory.mktemp("drawn"), accounts, ("iso-27001-2022",))
    return draw(run.folder, ("pdf", "xlsx", "html", "csv", "json"))


@pytest.fixture(name="run")
def copy_run(drawn: Path, tmp_path: Path) -> Path:
    """
    Copy the run, to forge its documents.
    """
    return Path(shutil.copytree(drawn, tmp_path / drawn.name))


def read(run: Path, *paths: str, limits: Limits | None = None) -> str:
    """
    Read documents back, and return what does not agree with the run, one fault a line.
    """
    stored = StoredRun(run)
    with ExitStack() as stack:
        reading = Readback(stack, run, paths, stored.manifest_sha256, limits)
        _, faults = reading.finish(stored)
    return "\n".join(faults)


def forge_sheet(run: Path, change: Callable[[Any], object]) -> str:
    """
    Change a workbook with openpyxl, as anybody can, and return what is said of it.
    """
    workbook = openpyxl.load_workbook(run / WORKBOOK)
    change(workbook)
    workbook.save(run / WORKBOOK)
    return read(run, WORKBOOK)


def forge_pdf(run: Path, change: Callable[[pikepdf.Pdf], object]) -> str:
    with pikepdf.open(run / PDF, allow_overwriting_input=True) as pdf:
        change(pdf)
        pdf.save(run / PDF)
    return read(run, PDF)


def test_documents_carry_the_numbers_of_the_run(run):
    """
    Workbook, PDF, page, CSV and JSON as they were drawn are read back and agree.
    """
    assert failed(take(run, read_documents=Readback)) == {}


def test_a_forged_document_fails_the_step_of_documents_alone(run):
    """
    Its hash is listed anew, so nothing but its numbers gives it away.
    """
    replace_part(run / WORKBOOK, SHEET, lambda content: content.replace(b">fail<", b">pass<", 1))
    list_again(run)

    faults = failed(take(run, read_documents=Readback))

    assert faults == {
        "documents": f"{WORKBOOK}: sheet Findings: column verdict does not hold the table's values"
    }


def test_a_page_that_was_changed_is_named(run):
    """
    Its tables, its figures and its scripts alike: it is drawn again and compared byte for byte.
    """
    page = run / PAGE
    page.write_bytes(page.read_bytes().replace(b'"fail"', b'"pass"', 1))

    faults = read(run, PAGE)

    assert re.fullmatch(
        rf"{PAGE}: line \d+ is not the one that follows from the raw reports", faults
    )


def test_names_that_do_harm_are_read_back_as_they_were_drawn(tmp_path):
    """
    Formulas, direction marks, markup and emoji in the names of accounts and users: the documents agree.
    """
    run = reports_fixture.write_run(tmp_path, reports_fixture.hostile(), ("iso-27001-2022",))

    assert failed(take(draw(run.folder), read_documents=Readback)) == {}


def test_a_signature_that_was_taken_away_is_missed_by_the_documents(tmp_path):
    """
    Without its two envelopes a run looks as if it never was signed, but its documents name the key.
    """
    folder = write_full(tmp_path, Key())
    (folder / "manifest.dsse.json").unlink()
    (folder / "documents.dsse.json").unlink()

    steps = take(folder, read_documents=Readback)

    assert steps[2].result is Result.SKIPPED
    assert "sheet Summary: row" in failed(steps)["documents"]
    assert "and 'Signature, unsigned' follows" in failed(steps)["documents"]


def find_row(sheet: Any, label: str) -> int:
    return next(number for number, row in enumerate(sheet.values, 1) if row[0] == label)


def test_a_total_of_the_workbook_that_was_changed_is_named(run):
    """
    One user fewer without MFA on the sheet Summary.
    """

    def change(workbook: Any) -> None:
        sheet = workbook["Summary"]
        cell = sheet.cell(find_row(sheet, "without MFA"), 2)
        cell.value -= 1

    faults = forge_sheet(run, change)

    assert f"{WORKBOOK}: sheet Summary: row" in faults
    assert "'without MFA, 2, =COUNTIFS(" in faults
    assert " 3, =COUNTIFS(" in faults


def test_a_sentence_of_the_workbook_that_was_changed_is_named(run):
    """
    What the workbook concludes is evidence too.
    """

    def change(workbook: Any) -> None:
        workbook["Method"].cell(1, 1).value = "No method and no limits"

    assert "sheet Method: row 1 is 'No method and no limits'" in forge_sheet(run, change)


@pytest.mark.parametrize("sheet", ["Findings", "Users"])
def test_a_row_that_was_taken_out_of_the_workbook_is_named(run, sheet):
    """
    The sheet has one row less than the table.
    """
    faults = forge_sheet(run, lambda workbook: workbook[sheet].delete_rows(3))

    assert f"{WORKBOOK}: sheet {sheet}: has" in faults


@pytest.mark.parametrize(
    ("sheet", "column"),
    [("Findings", "verdict"), ("Users", "mfa_active"), ("Accounts", "account_id")],
)
def test_a_value_that_was_changed_in_the_workbook_is_named(run, sheet, column):
    """
    The sheet and the column.
    """

    def change(workbook: Any) -> None:
        names = [cell.value for cell in workbook[sheet][1]]
        workbook[sheet].cell(2, names.index(column) + 1).value = "012345678902"

    assert forge_sheet(run, change) == (
        f"{WORKBOOK}: sheet {sheet}: column {column} does not hold the table's values"
    )


FORGERIES: dict[str, tuple[Callable[[Any], object], str]] = {
    "hidden sheet": (
        lambda workbook: setattr(workbook["Users"], "sheet_state", "hidden"),
        "sheet 'Users' is hidden",
    ),
    "extra sheet": (lambda workbook: workbook.create_sheet("Notes"), "has a sheet Notes"),
    "missing sheet": (lambda workbook: workbook.remove(workbook["Users"]), "has no sheet Users"),
    "formula": (
        lambda workbook: setattr(workbook["Users"]["A2"], "value", "=1+1"),
        "A2 holds a formula",
    ),
    "value beside the table": (
        lambda workbook: setattr(workbook["Controls"].cell(2, 40), "value", "all fine"),
        "a row has 40 values under",
    ),
    "other column": (
        lambda workbook: setattr(workbook["Controls"]["A1"], "value", "x"),
        "sheet Controls: has other columns than the table",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_workbook_that_orgproof_would_not_write_is_named(run, forgery):
    """
    Hidden sheets, more or fewer of them, formulas, and values where nobody filters.
    """
    change, words = FORGERIES[forgery]

    assert words in forge_sheet(run, change)


def replace_part(workbook: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(workbook) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    parts[name] = change(parts.get(name, b""))
    with zipfile.ZipFile(workbook, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


SUMMARY = "xl/worksheets/sheet1.xml"
FINDINGS = "xl/worksheets/sheet2.xml"
LINKS = "xl/worksheets/_rels/sheet2.xml.rels"


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new, 1)

    return change


QUIET_FORGERIES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "other formula": (
        SUMMARY,
        swap(b"COUNTA(tblFindings", b"COUNTA(tblUsers"),
        "sheet Summary: row",
    ),
    "false answer of a formula": (
        SUMMARY,
        lambda content: re.sub(rb"</f><v ?(/>|></v>)", b"</f><v>0</v>", content),
        "sheet Summary: its",
    ),
    "formula in a table": (
        FINDINGS,
        swap(b"</row></sheetData>", b'<c r="U9"><f>1+1</f></c></row></sheetData>'),
        "holds a formula",
    ),
    "link elsewhere": (
        LINKS,
        swap(b"https://console.aws.amazon.com/", b"https://console.aws.example/"),
        f"{LINKS} is not as orgproof draws it",
    ),
    "link to another user": (
        FINDINGS,
        swap(b'location="/users/details/', b'location="/users/details/x'),
        "sheet Findings: its links",
    ),
    "chart": ("xl/charts/chart1.xml", swap(b"$B$", b"$C$"), "xl/charts/chart1.xml is not as"),
    "chart moved": (
        "xl/drawings/drawing1.xml",
        swap(b"<row>", b"<row>1"),
        "drawing1.xml is",
    ),
    "hidden row": (
        FINDINGS,
        swap(b'<row r="3">', b'<row r="3" hidden="1">'),
        "sheet Findings: its",
    ),
    "hidden column": (FINDINGS, swap(b"<col ", b'<col hidden="1" '), "sheet Findings: its links"),
    "second rows": (
        FINDINGS,
        swap(b"</sheetData>", b"</sheetData><sheetData></sheetData>"),
        "sheet Findings: its links",
    ),
    "filled note": (
        FINDINGS,
        swap(
            b"</row></sheetData>",
            b'<c r="X2" t="inlineStr"><is><t>accepted by the board</t></is></c></row></sheetData>',
        ),
        "sheet Findings: column note does not hold",
    ),
    "other validation": (
        FINDINGS,
        swap(b"not an issue", b"no problem"),
        "sheet Findings: its links",
    ),
    "white ink": ("xl/styles.xml", swap(b"001B2A41", b"00FFFFFF"), "xl/styles.xml is not as"),
    "name": ("xl/workbook.xml", swap(b"Print_Titles", b"Print_Area"), "xl/workbook.xml is not as"),
}


@pytest.mark.parametrize("forgery", QUIET_FORGERIES)
def test_what_was_changed_beside_the_values_is_named(run, forgery):
    """
    Formulas and their answers, links, charts, what is hidden, what people are to fill in, colours.
    """
    part, change, words = QUIET_FORGERIES[forgery]
    replace_part(run / WORKBOOK, part, change)

    assert words in read(run, WORKBOOK)


BOMB = b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><x>&b;</x>"
SHEET = "xl/worksheets/sheet2.xml"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("part", "content", "words"),
    [
        (SHEET, BOMB, "has a document type"),
        ("xl/workbook.xml", BOMB.decode().encode("utf-16"), "has a document type"),
        (SHEET, b"<a>" * 2_000_000, "cannot be read"),
        (SHEET, b"\0" * 100_000_000, "zip bomb"),
        (SHEET, b"", "no XML element"),
        (SHEET, b"no xml", "is no XML"),
        (SHEET, b"<worksheet>" + b"<a>" * 90_000, "cannot be read"),
        ("xl/vbaProject.bin", b"macro", "'xl/vbaProject.bin', which orgproof never writes"),
        ("../../../etc/x", b"x", "'../../../etc/x', which orgproof never writes"),
        ("xl/worksheets/SHEET2.xml", b"<x/>", "one of them twice"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_workbook_that_was_made_to_do_harm_is_refused(run, part, content, words):
    """
    Entities, zip bombs, XML without end, macros: refused within its limits, and verification goes on.
    """
    replace_part(run / WORKBOOK, part, lambda _: content)

    assert words in read(run, WORKBOOK, limits=Limits(cpu=5, wall=20))


@pytest.mark.timeout(60)
def test_parts_of_a_zip_that_overlap_are_refused(run):
    """
    Many names for the same bytes: how forty kilobytes unfold to terabytes.
    """
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"<x>" + b" " * 1_000 + b"</x>")
        for number in range(2, 1_500):
            twin = zipfile.ZipInfo(f"xl/worksheets/sheet{number}.xml")
            first = archive.filelist[0]
            for name in ("compress_type", "compress_size", "file_size", "CRC", "header_offset"):
                setattr(twin, name, getattr(first, name))
            archive.filelist.append(twin)
    (run / WORKBOOK).write_bytes(content.getvalue())

    faults = read(run, WORKBOOK)

    assert faults == f"{WORKBOOK}: is a zip bomb: its parts overlap"


@pytest.mark.timeout(60)
def test_a_workbook_with_a_million_empty_rows_ends_with_its_time(run):
    """
    A row of a high number makes its reader fill up all rows before it.
    """
    far = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    )
    far += b'<row r="1000000000"><c r="A1000000000"><v>1</v></c></row></sheetData></worksheet>'
    replace_part(run / WORKBOOK, SHEET, lambda _: far)

    faults = read(run, WORKBOOK, limits=Limits(cpu=2, wall=10))

    assert f"{WORKBOOK}: could not be read with" in faults or "sheet Findings" in faults


def test_totals_of_another_pdf_are_named(run, tmp_path):
    """
    The PDF of a run with one finding less, which says of itself that it is of this run.
    """
    other = tmp_path / "other"
    accounts = reports_fixture.clean()
    forged = reports_fixture.write_run(other, accounts, ("iso-27001-2022",))
    draw(forged.folder, ("pdf",))
    shutil.copy(forged.folder / PDF, run / PDF)

    faults = read(run, PDF)

    assert f"{PDF}: page 1 does not carry the seal" in faults
    assert "the figure Listed is 2, and 6 follows from the raw reports" in faults
    assert "the figure without MFA is 0, and 3 follows from the raw reports" in faults
    assert "the totals of console-no-mfa are" in faults
    assert "does not say what follows from the raw reports" in faults
    assert "manifest.json inside it is not the run's own" in faults


@pytest.mark.parametrize("name", ["summary.json", "findings.csv"])
def test_a_file_inside_the_pdf_that_is_not_the_runs_is_named(run, name):
    """
    Changed by a byte, or gone.
    """

    def change(pdf: pikepdf.Pdf) -> None:
        content = pdf.attachments[name].get_file().read_bytes()
        pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, content[:-1] + b"x", filename=name)

    assert forge_pdf(run, change) == f"{PDF}: {name} inside it is not the run's own"


def test_files_more_or_fewer_inside_the_pdf_are_named(run):
    """
    One is missing, and one is there that orgproof does not attach.
    """

    def change(pdf: pikepdf.Pdf) -> None:
        del pdf.attachments["SHA256SUMS"]
        pdf.attachments["x.exe"] = pikepdf.AttachedFileSpec(pdf, b"x", filename="x.exe")

    faults = forge_pdf(run, change)

    assert "has no SHA256SUMS inside it" in faults
    assert "has 'x.exe' inside it, which orgproof does not attach" in faults


def test_a_page_that_was_taken_out_of_the_pdf_is_missed(run):
    """
    Whatever stood on it: each page says which of how many it is.
    """

    def change(pdf: pikepdf.Pdf) -> None:
        del pdf.pages[len(pdf.pages) - 2]

    assert "pages were taken out, put in or moved" in forge_pdf(run, change)


def test_a_pdf_that_acts_when_it_is_opened_is_named(run):
    """
    A script would be the last thing that evidence needs.
    """

    def change(pdf: pikepdf.Pdf) -> None:
        pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")

    assert "does something when it is opened (/OpenAction)" in forge_pdf(run, change)


def write_loop(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Pages.Kids = pikepdf.Array([pdf.Root.Pages, pdf.Root.Pages])


def write_bomb(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].Contents = pdf.make_stream(b"0 0 m " * 20_000_000)


def write_circle(pdf: pikepdf.Pdf) -> None:
    form = pdf.make_stream(b"/x Do /x Do", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form)
    form.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary({"/x": form}))
    pdf.pages[0].Contents = pdf.make_stream(b"/x Do")
    pdf.pages[0].Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary({"/x": form}))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("harm", [write_loop, write_bomb, write_circle])
def test_a_pdf_that_was_made_to_do_harm_is_refused(run, harm):
    """
    Pages in a circle, a page that unfolds to a hundred megabytes, forms that draw themselves.
    """
    with pikepdf.open(run / PDF, allow_overwriting_input=True) as pdf:
        harm(pdf)
        pdf.save(run / PDF, compress_streams=True)

    faults = read(run, PDF, limits=Limits(memory=512 * 1024 * 1024, cpu=5, wall=20))

    assert f"{PDF}: " in faults


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("path", "content"),
    [
        (WORKBOOK, b""),
        (WORKBOOK, b"PK\x03\x04" + b"x" * 100),
        (PDF, b"%PDF-1.7"),
        (PDF, b"\0" * 10_000),
    ],
)
def test_a_document_that_is_none_is_refused(run, path, content):
    """
    Nothing at all, the first bytes of one, zeros.
    """
    (run / path).write_bytes(content)

    assert f"{path}: " in read(run, path)


@pytest.mark.parametrize(
    "name", ["users.csv", "findings.csv", "changes.csv", "orgproof-2026-Q4.json"]
)
def test_a_line_that_was_changed_is_named(run, name):
    """
    CSV and JSON are drawn again: the file and the line.
    """
    edit(run / "reports" / name, lambda content: content[:-3] + b"!" + content[-2:])

    faults = read(run, f"reports/{name}")

    assert f"reports/{name}: line" in faults


def test_a_document_of_another_name_is_named(run):
    """
    Whatever else was put beside the documents, and listed with them.
    """
    (run / "reports" / "opinion.docx").write_bytes(b"all is well")

    faults = read(run, "reports/opinion.docx", "reports/controls.csv")

    assert faults == "reports/opinion.docx: is no document that orgproof draws of this run"
