import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import openpyxl
import pikepdf
import pypdf
import pytest
import reports_fixture as fixture
import weasyprint
from font_source_sans_pro import font_directory

from scanner.errors import RenderError
from scanner.reports import FORMATS
from scanner.reports.equality import compare_documents
from scanner.reports.pdf import print_html
from scanner.reports.toolchain import NONE, describe_fonts, describe_tools

DRAW = (
    "import hashlib, sys; from pathlib import Path; from scanner.evidence import StoredRun; "
    "from scanner.reports import FORMATS; run, folder = map(Path, sys.argv[1:]); "
    "print(*sorted(f'{hashlib.sha256(p.read_bytes()).hexdigest()} {p.name}' "
    "for draw in FORMATS.values() for p in draw(StoredRun(run), folder)), sep='\\n')"
)
ELSEWHERE = {
    "SOURCE_DATE_EPOCH": "86400",
    "TZ": "Pacific/Kiritimati",
    "LANG": "ja_JP.UTF-8",
    "LC_ALL": "ja_JP.UTF-8",
    "FC_LANG": "zh-cn",
    "PANGO_LANGUAGE": "zh-cn",
    "PYTHONHASHSEED": "77",
    "PYTHONUTF8": "0",
    "OPENPYXL_LXML": "True",
}


def draw(run, kind, folder):
    folder.mkdir(exist_ok=True)
    return FORMATS[kind](run, folder)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    names = "\u6f22\u5b57 \u0627\u0644 x\u0302\u0323 \U0001f984"
    account = fixture.Listed("000000000017", names, ("Root",), (fixture.Person("ada"),))
    return fixture.write_run(tmp_path_factory.mktemp("run"), [account], frameworks=())


@pytest.fixture(scope="module")
def documents(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    return {kind: draw(run, kind, folder) for kind in FORMATS}


def test_nothing_of_the_surroundings_gets_into_a_document(run, tmp_path):
    """
    Clock, time zone, language, hash seed, working directory and a libraries' own switches change no byte.
    """
    digests = []
    for number, changes in enumerate(({"PYTHONHASHSEED": "1", "OPENPYXL_LXML": "0"}, ELSEWHERE)):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", DRAW, run.folder, folder],
            cwd=folder,
            env={**os.environ, **changes},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.append(done.stdout.splitlines())

    assert digests[0] == digests[1]
    assert len(digests[0]) > len(FORMATS)


def test_the_callers_clock_variable_is_put_back(monkeypatch):
    """
    Drawing borrows SOURCE_DATE_EPOCH, and leaves it as it was.
    """
    page = (
        '<!DOCTYPE html><html lang="en"><link rel="stylesheet" href="orgproof:report.css"><p>x</p>'
    )
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "7")
    print_html(page, identifier="ab" * 32, moment=fixture.FINISHED)
    assert os.environ["SOURCE_DATE_EPOCH"] == "7"

    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    print_html(page, identifier="ab" * 32, moment=fixture.FINISHED)
    assert "SOURCE_DATE_EPOCH" not in os.environ


def test_a_workbook_is_written_by_one_library_everywhere():
    """
    lxml, where something else brought it along, would write other bytes.
    """
    assert os.environ["OPENPYXL_LXML"] == "False"


def test_every_time_in_a_workbook_is_the_evidences(documents):
    """
    The entries of the zip file and the document's properties are dated by the run's end.
    """
    with zipfile.ZipFile(documents["xlsx"]) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {
            (2026, 11, 24, 10, 27, 30)
        } or {entry.date_time for entry in archive.infolist()} == {(2026, 11, 24, 10, 27, 31)}
        core = archive.read("docProps/core.xml").decode()
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2026-11-24T10:27:31Z"}


def test_the_tools_are_named_with_their_versions():
    """
    Whoever draws other bytes later can see which part is another one.
    """
    tools = describe_tools()

    for name in ("weasyprint", "pydyf", "openpyxl", "pandas", "pyarrow", "jinja2", "fonttools"):
        assert tools[name] == version(name)
    for name in ("pango", "harfbuzz", "harfbuzz-subset", "fontconfig", "freetype", "zlib"):
        assert re.fullmatch(r"\d+\.\d+(\.\d+)*", tools[name]), name
    regular = (Path(font_directory) / "SourceSansPro-Regular.ttf").read_bytes()
    assert tools["SourceSansPro-Regular.ttf"] == f"SHA-256 {hashlib.sha256(regular).hexdigest()}"
    assert NONE not in tools.values()
    assert describe_tools() == tools


def test_pangos_version_is_the_one_that_draws():
    """
    The library that is asked is the library that WeasyPrint has loaded.
    """
    from weasyprint.text.ffi import pango  # noqa: PLC0415 - a part of WeasyPrint's own

    number = pango.pango_version()

    assert describe_tools()["pango"] == f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    assert weasyprint.__version__ == describe_tools()["weasyprint"]


def test_naming_the_tools_loads_no_drawing_library():
    """
    Where only JSON is drawn, nobody waits for WeasyPrint.
    """
    code = (
        "import sys; from scanner.reports.toolchain import describe_tools; describe_tools(); "
        "print(sorted({'weasyprint', 'openpyxl', 'jinja2', 'fontTools', 'pypdf'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_fonts_of_the_system_are_named(documents):
    """
    What a PDF fell back on for letters that the shipped font lacks is told with its version.
    """
    fonts = describe_fonts(documents.values())

    with pikepdf.open(documents["pdf"]) as pdf:
        used = {
            str(entry.BaseFont).partition("+")[2]
            for entry in pdf.objects
            if isinstance(entry, pikepdf.Dictionary) and entry.get("/Subtype") == "/Type0"
        }
    foreign = {name for name in used if not name.startswith("Source-Sans-Pro")}
    assert set(fonts) == {f"font {name}" for name in foreign}
    assert all(words for words in fonts.values())


def test_a_document_in_the_shipped_font_names_no_other(tmp_path):
    """
    Names in Latin, Greek and Cyrillic letters need nothing from the system.
    """
    run = fixture.write_run(tmp_path, fixture.clean(), frameworks=())

    assert describe_fonts([draw(run, "pdf", tmp_path / "reports")]) == {}


def test_a_pdf_without_pages_names_no_fonts(tmp_path):
    """
    What cannot be read is an error and not an empty list.
    """
    path = tmp_path / "x.pdf"
    path.write_bytes(b"%PDF-1.7\n")

    with pytest.raises(RenderError, match=r"x\.pdf: its fonts cannot be listed"):
        describe_fonts([path])


def copy(tmp_path, path, content):
    changed = tmp_path / path.name
    changed.write_bytes(content)
    return changed


def repack(path, change=lambda _name, content: content):
    """
    Return a workbook packed anew, without compression, with its parts changed.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, change(entry.filename, old.read(entry)))
    return packed.getvalue()


def rewrite(path, change=lambda _pdf: None):
    """
    Return a PDF written anew by another library.
    """
    written = io.BytesIO()
    with pikepdf.open(path) as pdf:
        change(pdf)
        pdf.save(written, deterministic_id=True)
    return written.getvalue()


@pytest.mark.parametrize("kind", list(FORMATS))
def test_equal_bytes_are_equal_content(documents, kind):
    """
    The common case, whatever the format.
    """
    assert compare_documents(documents[kind], documents[kind]) is None


def test_a_workbook_packed_anew_has_equal_content(documents, tmp_path):
    """
    How the zip file is compressed says nothing.
    """
    path = documents["xlsx"]
    content = repack(path)

    assert content != path.read_bytes()
    assert compare_documents(copy(tmp_path, path, content), path) is None


def test_a_pdf_written_anew_has_equal_content(documents, tmp_path):
    """
    How the file is built says nothing, as long as pages and attachments say the same.
    """
    path = documents["pdf"]
    content = rewrite(path)

    assert content != path.read_bytes()
    assert compare_documents(copy(tmp_path, path, content), path) is None


def append(path, change):
    """
    Return a PDF with a change appended to it, as a signature is.
    """
    written = io.BytesIO()
    writer = pypdf.PdfWriter(path, incremental=True)
    change(writer)
    writer.write(written)
    assert written.getvalue().startswith(path.read_bytes())
    return written.getvalue()


def test_a_signature_is_no_difference(documents, tmp_path):
    """
    What is appended and changes no page is none, whichever of the two is the older.
    """
    path = documents["pdf"]
    content = append(path, lambda writer: writer.add_metadata({"/Signed": "yes"}))
    signed = copy(tmp_path, path, content)

    assert compare_documents(signed, path) is None
    assert compare_documents(path, signed) is None


def test_a_change_that_is_appended_is_found(documents, tmp_path):
    """
    A page can be replaced by what comes after the document, as well as signed by it.
    """

    def change(writer):
        writer.pages[1][pypdf.generic.NameObject("/Contents")] = writer.pages[0]["/Contents"]

    path = documents["pdf"]
    changed = copy(tmp_path, path, append(path, change))

    difference = compare_documents(changed, path)

    assert difference is not None
    assert difference.startswith("page 2: ")


def test_a_changed_cell_is_named(documents, tmp_path):
    """
    Sheet, row, and what stands there then and now.
    """
    path = documents["xlsx"]
    book = openpyxl.load_workbook(path)
    sheet = book["Accounts"]
    sheet["B2"].value = "somebody else"
    changed = tmp_path / path.name
    book.save(changed)

    difference = compare_documents(changed, path)

    assert difference is not None
    assert re.fullmatch(r"sheet Accounts, row 2: 'somebody else' then, '.+' now", difference)


def test_a_sheet_more_is_named(documents, tmp_path):
    """
    What one workbook has and the other lacks is a difference.
    """
    path = documents["xlsx"]
    book = openpyxl.load_workbook(path)
    book.create_sheet("More")
    changed = tmp_path / path.name
    book.save(changed)

    difference = compare_documents(changed, path)

    assert difference is not None
    assert difference.startswith("sheets: ")
    assert "More" in difference


def test_a_changed_attachment_is_named(documents, tmp_path):
    """
    The pages may be the same and the evidence inside another.
    """

    def change(pdf):
        spec = pikepdf.AttachedFileSpec(pdf, b"{}", filename="summary.json")
        pdf.attachments["summary.json"] = spec

    path = documents["pdf"]
    changed = copy(tmp_path, path, rewrite(path, change))

    assert compare_documents(changed, path) == "the attached file summary.json is not the same"


def test_a_missing_page_is_named(documents, tmp_path):
    """
    A document cut short is another document.
    """

    def change(pdf):
        del pdf.pages[-1]

    path = documents["pdf"]
    changed = copy(tmp_path, path, rewrite(path, change))

    difference = compare_documents(changed, path)

    assert difference is not None
    assert re.fullmatch(r"\d+ pages then, \d+ now", difference)


def test_a_changed_page_is_named(documents, tmp_path):
    """
    The page, and the words at which the two part.
    """

    def change(pdf):
        pdf.pages[1].contents_add(b"/Artifact BMC EMC", prepend=True)
        pdf.pages[1].obj.Contents = pdf.pages[0].obj.Contents

    path = documents["pdf"]
    changed = copy(tmp_path, path, rewrite(path, change))

    difference = compare_documents(changed, path)

    assert difference is not None
    assert re.fullmatch(r"page 2: '.+' then, '.+' now", difference)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_changed_line_is_named(documents, tmp_path, kind):
    """
    Text documents are compared byte for byte, and the first line that differs is shown.
    """
    path = documents[kind]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(b"\n", b"\x1b[31m\n")

    difference = compare_documents(copy(tmp_path, path, b"".join(lines)), path)

    assert difference is not None
    assert difference.startswith(f"line {len(lines)}: ")
    assert "\x1b" not in difference


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_document_cut_short_is_not_equal(documents, tmp_path, kind):
    """
    Nothing is equal to a part of itself.
    """
    path = documents[kind]
    lines = path.read_bytes().splitlines(keepends=True)

    difference = compare_documents(copy(tmp_path, path, b"".join(lines[:-1])), path)

    assert difference is not None
    assert difference.startswith(f"line {len(lines)}: nothing then, '")


@pytest.mark.parametrize("kind", ["pdf", "xlsx"])
@pytest.mark.parametrize("content", [b"", b"x", b"%PDF-1.7\n%%EOF", b"PK\x03\x04"])
def test_an_earlier_document_that_is_damaged_is_not_equal(documents, tmp_path, kind, content):
    """
    It is said in words, without a traceback.
    """
    path = documents[kind]

    difference = compare_documents(copy(tmp_path, path, content), path)

    assert difference is not None
    assert difference.startswith("the earlier one ")


def test_an_earlier_workbook_with_entities_is_not_opened(documents, tmp_path):
    """
    Whoever can write to the run folder could leave a bomb there.
    """
    path = documents["xlsx"]
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>"

    def change(name, content):
        return bomb if name == "xl/workbook.xml" else content

    difference = compare_documents(copy(tmp_path, path, repack(path, change)), path)

    assert difference is not None
    assert "has a document type" in difference
