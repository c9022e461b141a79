import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pikepdf
import pytest
import reports_fixture
from pyhanko.pdf_utils.generic import ArrayObject
from pyhanko.pdf_utils.generic import StreamObject as PdfStream
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from signing_keys import issue
from verified_run import Key, draw, edit, failed, list_again, read_list, take, write_full

from scanner.evidence import StoredRun
from scanner.evidence.quarantine import Limits
from scanner.evidence.verify import Result
from scanner.reports import redrawing, toolchain
from scanner.reports.readback import Readback
from scanner.reports.signed_pdf import Pkcs12, make_pdf_signer
from scanner.reports.toolchain import compare_tools, describe_tools
from scanner.resources import find_resource
from scanner.transcript import describe_verification

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
def copy_run(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    Copy the run, to forge its documents. Its PDF is drawn once, for drawing takes seconds.
    """

    def draw_again(_: StoredRun, folder: Path) -> list[Path]:
        return [Path(shutil.copy(drawn / PDF, folder))]

    monkeypatch.setattr(redrawing, "draw_pdf", draw_again)
    return Path(shutil.copytree(drawn, tmp_path / drawn.name))


def read(run: Path, *paths: str, limits: Limits | None = None) -> str:
    """
    Read documents back, and return what does not agree with the run, one fault a line.
    """
    stored = StoredRun(run)
    with ExitStack() as stack:
        reading = Readback(
            stack, run, paths, stored.manifest_sha256, read_list(run).made_with, limits=limits
        )
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


def test_documents_carry_the_numbers_of_the_run(drawn):
    """
    Workbook, PDF, page, CSV and JSON as they were drawn are read back and agree, and nothing is left open.
    """
    steps = take(drawn, read_documents=Readback)

    assert failed(steps) == {}
    assert steps[8].limits == ()
    assert list(describe_verification(steps))[-1] == (
        "this evidence verifies (skipped: signature, derived later)"
    )


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
        (SHEET, b"<a>" * 2_000_000, "be read"),
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

    assert words in read(run, WORKBOOK, limits=Limits(cpu=5, wall=50))


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


SCRIPT = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def add_script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Names.JavaScript = pikepdf.Dictionary(Names=["x", SCRIPT])


def act_on_opening(pdf: pikepdf.Pdf) -> None:
    pdf.pages[-2].AA = pikepdf.Dictionary(O=SCRIPT)


def add_note(pdf: pikepdf.Pdf, **entries: Any) -> None:
    note = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Rect=[0, 0, 600, 850], **entries)
    pdf.pages[-2].Annots = pikepdf.Array([pdf.make_indirect(note)])


def link_elsewhere(pdf: pikepdf.Pdf) -> None:
    action = pikepdf.Dictionary(S=pikepdf.Name.URI, URI="https://login.example/")
    add_note(pdf, Subtype=pikepdf.Name.Link, A=action)


def link_onwards(pdf: pikepdf.Pdf) -> None:
    action = pikepdf.Dictionary(S=pikepdf.Name.GoTo, D="x", Next=SCRIPT)
    add_note(pdf, Subtype=pikepdf.Name.Link, A=action)


def add_stamp(pdf: pikepdf.Pdf) -> None:
    add_note(pdf, Subtype=pikepdf.Name.Stamp)


def show_signature(pdf: pikepdf.Pdf) -> None:
    add_note(pdf, Subtype=pikepdf.Name.Widget, FT=pikepdf.Name.Sig)


def add_form(pdf: pikepdf.Pdf) -> None:
    field = pdf.make_indirect(pikepdf.Dictionary(FT=pikepdf.Name.Tx, T="x", V="no findings"))
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=[field])


def add_layers(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OCProperties = pikepdf.Dictionary(OCGs=[], D=pikepdf.Dictionary())


def act_from_a_bookmark(pdf: pikepdf.Pdf) -> None:
    pdf.Root.Outlines.First.A = SCRIPT


@pytest.mark.filterwarnings("ignore:This document has 1 form widget")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add_script, "has /JavaScript among its names"),
        (act_on_opening, "has /AA on page"),
        (link_elsewhere, "has a link with an action that leads elsewhere (/URI) on page"),
        (link_onwards, "has a link with actions in a row on page"),
        (add_stamp, "has an annotation (/Stamp) on page"),
        (show_signature, "has a signature that covers something on page"),
        (add_form, "has /AcroForm in its catalog"),
        (add_layers, "has /OCProperties in its catalog"),
        (act_from_a_bookmark, "has a bookmark with an action that leads elsewhere (/JavaScript)"),
    ],
)
def test_whatever_acts_or_leads_elsewhere_in_a_pdf_is_named(run, change, words):
    """
    On any page, and whatever the list of documents says that it was made with.
    """
    list_again(run, made_with={"orgproof": "0.0.1"})

    assert f"{PDF}: {words}" in forge_pdf(run, change)


def cover(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].contents_add(pdf.make_stream(b"q 1 1 1 rg 0 600 600 250 re f Q"))


def empty(pdf: pikepdf.Pdf) -> None:
    pdf.pages[-2].Contents = pdf.make_stream(b"")


def rewrite(pdf: pikepdf.Pdf) -> None:
    """
    Change nothing but how it is written down.
    """


@pytest.mark.parametrize("change", [cover, empty, rewrite])
def test_a_pdf_that_shows_something_else_than_it_says_is_missed(run, change):
    """
    A white field over the conclusion, a page without anything: it is drawn again and compared byte for byte.
    """
    assert forge_pdf(run, change) == (
        f"{PDF}: is not, byte for byte, the document that follows from the raw reports"
    )


def read_all(run: Path, *paths: str, redraw: bool = True) -> tuple[str, list[str], list[str]]:
    """
    Return what was said of documents, what is wrong with them, and what was not compared.
    """
    stored = StoredRun(run)
    with ExitStack() as stack:
        made_with = read_list(run).made_with
        reading = Readback(stack, run, paths, stored.manifest_sha256, made_with, redraw=redraw)
        said, faults = reading.finish(stored)
    return said, faults, reading.limits


def forge(run: Path, change: Callable[[pikepdf.Pdf], object]) -> None:
    with pikepdf.open(run / PDF, allow_overwriting_input=True) as pdf:
        change(pdf)
        pdf.save(run / PDF)


def test_an_emptied_page_is_missed_without_drawing_again(run):
    """
    It carries no seal, wherever it is in the document.
    """
    forge(run, empty)

    _, faults, _ = read_all(run, PDF, redraw=False)

    assert len(faults) == 2
    assert re.match(rf"{PDF}: page \d+ does not carry the seal", faults[0])


def test_what_is_not_drawn_again_is_told_of(run):
    """
    A field over the conclusion is not seen then, and nobody reads that it was looked for.
    """
    forge(run, cover)

    _, faults, (limit,) = read_all(run, PDF, redraw=False)

    assert faults == []
    assert limit.startswith(f"that {PDF} shows on its pages what follows from the raw reports: it")
    assert "it was not drawn again, as was asked" in limit


def test_the_last_line_says_what_was_checked_in_part(run):
    """
    Who reads no more than that learns that the PDF was not drawn again. It is no fault.
    """
    steps = take(run, read_documents=partial(Readback, redraw=False))

    assert failed(steps) == {}
    assert list(describe_verification(steps))[-1] == (
        'this evidence verifies; 1 document was checked in part only: see "Not shown" '
        "(skipped: signature, derived later)"
    )


def test_a_pdf_that_is_too_long_is_not_drawn_again(run, monkeypatch):
    """
    And it is said, with the number that decides and how to draw it.
    """
    monkeypatch.setattr(redrawing, "ROWS_LIMIT", 5)
    monkeypatch.setattr(redrawing, "PAGES_LIMIT", 3)

    _, faults, (limit,) = read_all(run, PDF)

    assert faults == []
    assert "findings and accounts it is too long to draw again here" in limit
    assert limit.endswith("the text of its pages from 4 on was not read")


@pytest.fixture(name="elsewhere")
def pretend_another_version(run: Path) -> Path:
    """
    Say of a genuine run that its documents were drawn by other templates and another table library.
    """
    then = dict(read_list(run).made_with)
    then["orgproof-templates"] = f"SHA-256 {'0' * 64}"
    then["itables"] = then["openpyxl"] = "0.0.1"
    list_again(run, made_with=then)
    return run


def reword(run: Path) -> None:
    """
    Change what another version may have worded and drawn otherwise, in page, workbook and PDF.
    """
    page = run / PAGE
    page.write_bytes(page.read_bytes().replace(b"color:", b"colour:", 1))
    replace_part(run / WORKBOOK, "xl/styles.xml", swap(b"001B2A41", b"001B2A40"))
    forge(run, rewrite)


def test_genuine_documents_of_another_version_verify(elsewhere):
    """
    They differ, and what they were made with does: no fault, but said with the tools that are other ones.
    """
    reword(elsewhere)
    list_again(elsewhere)

    steps = take(elsewhere, read_documents=Readback)

    assert failed(steps) == {}
    step = steps[8]
    limits = "\n".join(step.limits)
    for path in (PAGE, WORKBOOK):
        assert f"that {path} is what orgproof draws of this run: " in limits
    assert f"that {PDF} shows on its pages what follows from the raw reports" in limits
    assert "itables 0.0.1 then, " in limits
    assert "openpyxl 0.0.1 then, " in limits
    assert "orgproof-templates SHA-256 0000" in limits
    assert step.said.endswith("orgproof-2026-Q4.html: not compared, see below")
    assert "findings.csv" in step.said
    assert "findings.csv" not in limits
    assert sorted(step.partly) == sorted([PAGE, PDF, WORKBOOK])
    assert list(describe_verification(steps))[-1].startswith(
        'this evidence verifies; 3 documents were checked in part only: see "Not shown" (skipped: '
    )


def test_other_tools_that_draw_the_same_leave_nothing_open(elsewhere):
    """
    Most changes of a program change no document: it is compared all the same.
    """
    steps = take(elsewhere, read_documents=Readback)

    assert failed(steps) == {}
    assert steps[8].limits == ()


def test_the_same_changes_fail_where_the_tools_are_the_same(run):
    """
    Nothing explains them then.
    """
    reword(run)
    list_again(run)

    faults = failed(take(run, read_documents=Readback))["documents"]

    assert {line.partition(":")[0] for line in faults.splitlines()} == {PAGE, WORKBOOK, PDF}


def test_a_template_that_was_changed_is_another_tool(tmp_path, monkeypatch):
    """
    A style sheet is enough, and an orgproof of the same version.
    """
    before = describe_tools()
    templates = shutil.copytree(find_resource("report_templates"), tmp_path / "report_templates")
    edit(templates / "page.css", lambda content: content + b" ")
    monkeypatch.setattr(toolchain, "find_resource", lambda _: templates)

    after = describe_tools()

    assert list(compare_tools(before, after, "html")) == ["orgproof-templates"]
    assert compare_tools(before, after, "csv") == {}


@pytest.mark.parametrize(
    ("name", "kind", "bears"),
    [
        ("pango", "pdf", True),
        ("pango", "html", False),
        ("itables", "html", True),
        ("itables", "csv", False),
        ("orgproof-code", "json", True),
        ("something new", "json", True),
        ("font Noto Sans", "pdf", False),
    ],
)
def test_a_tool_excuses_only_the_formats_it_draws(name, kind, bears):
    """
    Another text shaper does not explain another CSV. Fonts are known once a PDF is drawn.
    """
    now = describe_tools()

    assert bool(compare_tools({**now, name: "0"}, now, kind)) is bears


def test_another_version_explains_no_other_figure(elsewhere):
    """
    Whoever forges a number and the list of tools as well is told of: the figures are the run's.
    """
    workbook: Any = openpyxl.load_workbook(elsewhere / WORKBOOK)
    cell = workbook["Summary"].cell(find_row(workbook["Summary"], "without MFA"), 2)
    cell.value -= 1
    names = [cell.value for cell in workbook["Findings"][1]]
    workbook["Findings"].cell(2, names.index("verdict") + 1).value = "pass"
    workbook.save(elsewhere / WORKBOOK)

    faults = read(elsewhere, WORKBOOK)

    assert "the figure without MFA is 2, and 3 follows from the raw reports" in faults
    assert "sheet Findings: column verdict does not hold the table's values" in faults


def test_another_version_explains_no_row_less(elsewhere):
    """
    A finding that was taken out is missed.
    """
    faults = forge_sheet(elsewhere, lambda workbook: workbook["Findings"].delete_rows(3))

    assert f"{WORKBOOK}: sheet Findings: has" in faults


def test_totals_of_another_pdf_are_named_whatever_drew_it(elsewhere, tmp_path):
    """
    Its figures are read back, and its seal on the pages.
    """
    forged = reports_fixture.write_run(tmp_path / "x", reports_fixture.clean(), ("iso-27001-2022",))
    draw(forged.folder, ("pdf",))
    shutil.copy(forged.folder / PDF, elsewhere / PDF)

    faults = read(elsewhere, PDF)

    assert "page 1 does not carry the seal" in faults
    assert "the figure without MFA is 0, and 3 follows from the raw reports" in faults
    assert "manifest.json inside it is not the run's own" in faults


def test_fonts_of_another_system_are_no_fault(run):
    """
    Which of them a PDF falls back on shows when it is drawn again.
    """
    forge(run, rewrite)
    list_again(run, made_with={**read_list(run).made_with, "font Noto-Sans": "2.0"})

    _, faults, (limit,) = read_all(run, PDF)

    assert faults == []
    assert "drawn with other tools (font Noto-Sans 2.0 then, none now)" in limit


def sign(run: Path) -> None:
    held = Pkcs12("certificate", issue("auditor", by=issue("authority")).write("x"), b"x")
    path = run / PDF
    path.write_bytes(make_pdf_signer(held, None)(path.read_bytes()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_signed_pdf_is_the_drawn_one_and_a_signature(run):
    """
    The drawn bytes come first. Who signed is for a reader of PDF to say.
    """
    sign(run)

    _, faults, (limit,) = read_all(run, PDF)

    assert faults == []
    assert limit.startswith(f"who signed {PDF}: ")


def append(run: Path, change: Callable[[Any], object]) -> None:
    """
    Change a PDF by bytes after its end, as signatures do.
    """
    path = run / PDF
    writer = IncrementalPdfFileWriter(BytesIO(path.read_bytes()))
    change(writer)
    content = BytesIO()
    writer.write(content)
    path.write_bytes(content.getvalue())


def cover_page(writer: Any) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    field = writer.add_object(PdfStream(stream_data=b"q 1 1 1 rg 0 600 600 250 re f Q"))
    page["/Contents"] = ArrayObject([page.raw_get("/Contents"), field])
    writer.update_container(page)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("is_signed", [True, False])
def test_what_is_appended_and_changes_a_page_is_missed(run, is_signed):
    """
    Before a signature or without: the bytes that were drawn still come first.
    """
    append(run, cover_page)
    if is_signed:
        sign(run)

    _, faults, _ = read_all(run, PDF)

    (fault,) = faults
    assert fault.startswith(f"{PDF}: was changed by what is appended to it (object ")


def test_bytes_after_the_end_that_sign_nothing_are_named(run):
    """
    Whatever they are.
    """
    path = run / PDF
    path.write_bytes(path.read_bytes() + b"\n% more\n")

    _, faults, _ = read_all(run, PDF)

    assert faults == [f"{PDF}: goes on after its end, and what follows is no signature"]


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
