import hashlib
import io
import json
import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pikepdf
import pypdf
import pytest
import reports_fixture as fixture
from fontTools.ttLib import TTFont

from scanner.errors import EvidenceError, RenderError
from scanner.evidence import StoredRun
from scanner.reports import FORMATS, attachments
from scanner.reports.attachments import Attached, collect_attachments
from scanner.reports.container import Finisher
from scanner.reports.pages import build_pages
from scanner.reports.pdf import Printed, fill_template, print_html, render_pdf, settle

KEY_ID = "0123456789abcdef" * 4
PAGE = '<!DOCTYPE html><html lang="en"><link rel="stylesheet" href="orgproof:report.css"><p>x</p></html>'
SHOWING = {"Tj", "TJ", "'", '"', "f", "f*", "S", "s", "B", "B*", "b", "b*", "sh", "Do", "EI"}
SCRIPTS = "\u6f22\u5b57 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 \u0420\u0443\u0441 \U0001f984 \U000e0041 \ue000"


def draw(run, sign=None):
    folder = run.folder / "reports"
    folder.mkdir(exist_ok=True)
    (path,) = render_pdf(run, folder, sign)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fixture.write_eventful(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def path(run):
    return draw(run)


@pytest.fixture
def pdf(path):
    with pikepdf.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def foreign_run(tmp_path_factory):
    """
    Write a run in which an account's name has characters that the shipped font lacks, and some that no font has.
    """
    account = fixture.Listed("000000000017", SCRIPTS, ("Root",), (fixture.Person("ada"),))
    return fixture.write_run(tmp_path_factory.mktemp("foreign"), [account], frameworks=())


@pytest.fixture
def small_run(tmp_path):
    return fixture.write_run(tmp_path, fixture.clean(), frameworks=())


def squeeze(text):
    """
    Take out all white space: where a line breaks on a page says nothing.
    """
    return "".join(text.split())


def read_text(path):
    """
    Return a document's text without white space.
    """
    return squeeze("".join(page.extract_text() for page in pypdf.PdfReader(path).pages))


def walk(element):
    """
    Yield the structure elements below one, and check that each names its parent.
    """
    for kid in element.get("/K", []):
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            assert kid.P.objgen == element.objgen
            yield kid
            yield from walk(kid)


def list_fonts(pdf):
    """
    Return every font dictionary of a file.
    """
    return [
        entry
        for entry in pdf.objects
        if isinstance(entry, pikepdf.Dictionary) and entry.get("/Type") == "/Font"
    ]


def list_steps(page):
    """
    Return what a page's content does, step by step: operator and operands.
    """
    steps = pikepdf.parse_content_stream(page)
    return [(str(step.operator), list(step.operands)) for step in steps]


def read_widths(font):
    """
    Return the widths that a font dictionary gives, by number of the glyph.
    """
    numbers = iter(font.W)
    return {
        int(first) + offset: float(width)
        for first in numbers
        for offset, width in enumerate(next(numbers))
    }


def test_the_document_says_that_it_is_pdf_a_3a(pdf):
    """
    Its metadata name part and level, and the colours' meaning is inside.
    """
    with pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert metadata["dc:title"].endswith("Example Payments Ltd, 2026-Q4")
    (intent,) = pdf.Root.OutputIntents
    assert intent.S == "/GTS_PDFA1"
    assert intent.DestOutputProfile.N == 3
    assert intent.DestOutputProfile.read_bytes()[36:40] == b"acsp"
    assert pdf.pdf_version == "1.7"


def test_the_method_page_says_which_form_and_level(path):
    """
    What the document claims of itself stands in it for people too.
    """
    assert squeeze("PDF/A-3a (ISO 19005-3, level A)") in read_text(path)


def test_nothing_in_it_acts_or_hides(pdf):
    """
    No script, action, form, layer or encryption, and no annotation but links within the document.
    """
    assert not pdf.is_encrypted
    assert not {"/AA", "/OpenAction", "/AcroForm", "/OCProperties"} & set(pdf.Root.keys())
    annotations = [entry for page in pdf.pages for entry in page.get("/Annots", [])]
    assert annotations
    for entry in annotations:
        assert entry.Subtype == "/Link"
        assert "/A" not in entry
        assert entry.F == 4  # printed, and neither hidden nor left out of view
        assert "/StructParent" in entry
    for entry in pdf.objects:
        if isinstance(entry, pikepdf.Dictionary | pikepdf.Stream):
            assert entry.get("/S") not in {"/JavaScript", "/Launch", "/URI", "/Transparency"}
            assert entry.get("/Filter") not in {"/LZWDecode", "/Crypt"}
            assert not {"/SMask", "/CA", "/ca", "/BM"} & set(entry.keys())


def test_the_id_of_the_document_is_the_seals(run, pdf):
    """
    Two runs' documents never share an id, and the same run's always do.
    """
    first, second = pdf.trailer.ID

    assert bytes(first) == bytes.fromhex(run.manifest_sha256)[:16]
    assert bytes(second)


def test_every_font_is_inside_and_its_letters_are_text(pdf):
    """
    Each font used is embedded with the widths it has, and each of its signs can be read as text.
    """
    fonts = list_fonts(pdf)

    assert fonts
    for font in fonts:
        assert font.Subtype in {"/Type0", "/CIDFontType2", "/CIDFontType0"}
        if font.Subtype == "/Type0":
            assert "/ToUnicode" in font
            assert font.Encoding == "/Identity-H"  # another one would mean letters that no font has
            continue
        descriptor = font.FontDescriptor
        file = descriptor.get("/FontFile2") or descriptor.FontFile3
        outlines = TTFont(io.BytesIO(file.read_bytes()))
        names, scale = outlines.getGlyphOrder(), 1000 / outlines["head"].unitsPerEm
        for glyph, width in read_widths(font).items():
            assert glyph  # never the box
            assert width == pytest.approx(outlines["hmtx"][names[glyph]][0] * scale, abs=1)
    for page in pdf.pages:
        for operator, operands in list_steps(page):
            if operator == "Tf":
                assert operands[0] in page.Resources.Font


def test_everything_on_a_page_is_marked(pdf):
    """
    What is drawn is either in the structure or an artifact, and the structure knows each piece of text.
    """
    numbers = pdf.Root.StructTreeRoot.ParentTree.Nums
    parents = dict(zip([int(n) for n in numbers[::2]], numbers[1::2], strict=True))
    for page in pdf.pages:
        listed = parents[int(page.StructParents)]
        depth = 0
        for operator, operands in list_steps(page):
            if operator in {"BMC", "BDC"}:
                depth += 1
            elif operator == "EMC":
                depth -= 1
            elif operator in SHOWING:
                assert depth
            if operator == "BDC" and "/MCID" in operands[1]:
                number = int(operands[1].MCID)
                assert number in [int(kid) for kid in listed[number].K if is_number(kid)]


def is_number(kid):
    return not isinstance(kid, pikepdf.Dictionary)


def test_what_stands_on_every_page_is_no_part_of_the_text(pdf):
    """
    Header and footer are artifacts: the structure holds the seal where it is explained, not on each page.
    """
    root = pdf.Root.StructTreeRoot
    in_tree = {element.objgen for element in walk(root)}

    assert pdf.Root.MarkInfo.Marked
    assert str(pdf.Root.Lang) == "en"
    for entry in pdf.objects:
        if isinstance(entry, pikepdf.Dictionary) and entry.get("/Type") == "/StructElem":
            assert entry.objgen in in_tree
    for page in pdf.pages:
        pagination = [
            operands
            for operator, operands in list_steps(page)
            if operator == "BDC" and operands[0] == "/Artifact"
        ]
        assert len(pagination) >= 3  # seal, run, number


def test_charts_are_figures_that_say_what_they_show(run, pdf):
    """
    Each picture is drawn with lines, and stands in the structure with its figures in words.
    """
    elements = walk(pdf.Root.StructTreeRoot)
    figures = [element for element in elements if element.S == "/Figure"]
    said = [str(figure.Alt) for figure in figures]

    accounts = run.summary.accounts
    assert said[0] == (
        f"{accounts.listed} accounts listed: {accounts.collected} collected, {accounts.not_collected} not "
        f"collected, {accounts.excluded} excluded, {accounts.not_active} not active."
    )
    assert said[1].startswith(f"{run.summary.users.may_sign_in} IAM users: ")
    assert said[-1].startswith("Console users without MFA in 2 periods, oldest first: ")
    assert len(said) > 6
    assert all(figure.A.BBox for figure in figures)


def test_headers_of_tables_say_what_they_head(pdf):
    """
    Each header cell has a scope: columns in the head of a table, rows elsewhere. Each table has headers.
    """
    elements = list(walk(pdf.Root.StructTreeRoot))
    headers = [element for element in elements if element.S == "/TH"]

    assert len(headers) > 100
    for header in headers:
        in_head = header.P.P.S == "/THead"
        assert header.A.Scope == ("/Column" if in_head else "/Row")
    for table in [element for element in elements if element.S == "/Table"]:
        assert any(element.S == "/TH" for element in walk(table))


def test_a_cell_between_two_headers_belongs_to_the_first(pdf):
    """
    On the cover a line holds two facts, and neither is read under the other's name.
    """
    table = next(e for e in walk(pdf.Root.StructTreeRoot) if e.S == "/Table")
    line = next(e for e in walk(table) if e.S == "/TR")
    first, its_cell, second, other_cell = line.K

    assert [str(name) for name in its_cell.A.Headers] == [str(first.ID)]
    assert [str(name) for name in other_cell.A.Headers] == [str(second.ID)]


def test_the_evidence_is_inside_to_the_last_byte(run, pdf):
    """
    The run's own files and the two tables, as `--format csv` writes them, are attached.
    """
    folder = run.folder / "csv"
    folder.mkdir()
    tables = {path.name: path.read_bytes() for path in FORMATS["csv"](run, folder)}

    inside = {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}

    own = ("SHA256SUMS", "manifest.json", "summary.json")
    due = {name: (run.folder / name).read_bytes() for name in own}
    assert inside == due | {name: tables[name] for name in ("accounts.csv", "findings.csv")}
    assert hashlib.sha256(inside["manifest.json"]).hexdigest() == run.manifest_sha256


def test_each_attachment_says_what_it_is(pdf):
    """
    Kind, relation to the pages, description and the evidence's own time; and each is listed once.
    """
    listed = [str(entry.UF) for entry in pdf.Root.AF]
    names = [str(name) for name in pdf.Root.Names.EmbeddedFiles.Names[::2]]
    said = {
        str(entry.UF): (str(entry.EF.F.Subtype), str(entry.AFRelationship)) for entry in pdf.Root.AF
    }

    assert sorted(listed) == names == sorted(names)
    assert said == {
        "SHA256SUMS": ("/text/plain", "/Supplement"),
        "accounts.csv": ("/text/csv", "/Data"),
        "findings.csv": ("/text/csv", "/Data"),
        "manifest.json": ("/application/json", "/Supplement"),
        "summary.json": ("/application/json", "/Data"),
    }
    for entry in pdf.Root.AF:
        assert str(entry.Desc)
        assert str(entry.EF.F.Params.ModDate) == "D:20261124102731Z"
        assert str(entry.EF.F.Params.CreationDate) == "D:20261124102731Z"
        assert entry.EF.F.Params.Size == len(entry.EF.F.read_bytes())


def test_a_signed_run_carries_its_signature_and_says_whose(small_run):
    """
    The envelope is attached with its own kind, and cover, workbook and JSON name the key instead of "unsigned".
    """
    envelope = json.dumps({"payload": "", "signatures": [{"keyid": KEY_ID, "sig": ""}]}).encode()
    (small_run.folder / "manifest.dsse.json").write_bytes(envelope)
    signed = StoredRun(small_run.folder)

    with pikepdf.open(draw(signed)) as pdf:
        assert pdf.attachments["manifest.dsse.json"].get_file().read_bytes() == envelope
        kind = pdf.attachments["manifest.dsse.json"].get_file().mime_type
    text = read_text(signed.folder / "reports" / "orgproof-2026-Q4.pdf")
    assert kind == "application/vnd.dsse.envelope.v1+json"
    assert squeeze(f"{signed.manifest_sha256} · signed by key {KEY_ID[:16]}…") in text
    assert KEY_ID in text
    assert "unsigned" not in text


def test_a_table_that_is_too_large_stays_outside(small_run, monkeypatch):
    """
    Above the limit the table is not attached, and the document says where it is instead.
    """
    size = len(collect_attachments(small_run).files[1].content)
    monkeypatch.setattr(attachments, "TABLE_LIMIT", size - 1)

    path = draw(small_run)

    with pikepdf.open(path) as pdf:
        assert "accounts.csv" not in pdf.attachments
    assert squeeze("tables/accounts.parquet of the run folder holds the same rows") in read_text(
        path
    )


def test_a_table_at_the_limit_is_attached(small_run, monkeypatch):
    """
    The limit is the last size that is attached.
    """
    before = collect_attachments(small_run)
    monkeypatch.setattr(attachments, "TABLE_LIMIT", max(file.size for file in before.files[1:3]))

    assert collect_attachments(small_run) == before


def test_a_manifest_that_changed_meanwhile_is_not_attached(small_run):
    """
    The seal on the pages and the manifest inside are one and the same, or there is no document.
    """
    assert small_run.manifest_sha256
    path = small_run.folder / "manifest.json"
    path.write_bytes(path.read_bytes() + b" ")

    with pytest.raises(EvidenceError, match=r"manifest\.json: changed while"):
        draw(small_run)


@pytest.mark.parametrize("name", ["SHA256SUMS", "summary.json"])
def test_a_missing_file_of_the_run_stops_the_document(small_run, name):
    """
    No PDF goes out without what it says is inside.
    """
    assert small_run.summary
    (small_run.folder / name).unlink()

    with pytest.raises(EvidenceError, match=f"{name}: cannot be read"):
        draw(small_run)

    assert list((small_run.folder / "reports").iterdir()) == []


@pytest.mark.parametrize(
    "attached",
    [
        # Not bytes: it cannot be read, as a file on a failing disk.
        SimpleNamespace(
            name="a.json", content=5, kind="text/csv", relationship="Data", description="x"
        ),
        Attached("a.json", b"{}", "no kind", "Data", "x"),
    ],
)
def test_an_attachment_that_fails_is_an_error(attached):
    """
    WeasyPrint logs what it cannot attach, and goes on. We do not.
    """
    with pytest.raises(RenderError, match="the PDF: a"):
        print_html(PAGE, identifier="ab" * 32, moment=fixture.FINISHED, attached=[attached])


def test_what_weasyprint_only_logs_is_an_error():
    """
    A link that leads nowhere is in the log of a library, and must be in front of whoever draws.
    """
    page = PAGE.replace("x</p>", '<a href="#nowhere">x</a></p>')

    with pytest.raises(RenderError, match="No anchor #nowhere"):
        print_html(page, identifier="ab" * 32, moment=fixture.FINISHED)
    assert not logging.getLogger("weasyprint").handlers[1:]


def test_a_document_without_the_shipped_font_is_refused():
    """
    If the package of the font is damaged, other fonts would stand in silently, on each machine others.
    """
    with pytest.raises(RenderError, match="the font Source Sans Pro was not used"):
        print_html(
            '<!DOCTYPE html><html lang="en"><p>x</p></html>',
            identifier="ab" * 32,
            moment=fixture.FINISHED,
        )


def test_letters_that_no_font_has_are_printed_as_their_codes(foreign_run, tmp_path):
    """
    On a machine without a single font the document is still whole: PDF/A-3a, and what it lacks is visible.
    """
    config = tmp_path / "fonts.conf"
    config.write_text("<?xml version='1.0'?><fontconfig></fontconfig>")
    code = (
        "import sys; from pathlib import Path; from scanner.evidence import StoredRun; "
        "from scanner.reports import FORMATS; FORMATS['pdf'](StoredRun(Path(sys.argv[1])), Path(sys.argv[2]))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, foreign_run.folder, tmp_path],
        env={**os.environ, "FONTCONFIG_FILE": str(config)},
        capture_output=True,
        text=True,
        check=True,
    )

    path = tmp_path / "orgproof-2026-Q4.pdf"
    said = read_text(path)
    assert done.stderr == ""
    for char in "\u6f22\u5b57\u0627\U0001f984\ue000":
        assert f"[U+{ord(char):04X}]" in said
        assert char not in said
    assert "\u0420\u0443\u0441" in said
    with pikepdf.open(path) as pdf:
        names = {str(f.FontDescriptor.FontFamily) for f in list_fonts(pdf) if "/W" in f}
        assert names == {"Source Sans Pro"}


def test_no_letter_is_a_box_where_the_system_has_some_fonts(foreign_run):
    """
    Whatever this machine has is used and embedded, and no sign on a page is the one for a missing letter.
    """
    with pikepdf.open(draw(foreign_run)) as pdf:
        for font in list_fonts(pdf):
            if font.Subtype == "/Type0":
                assert font.Encoding == "/Identity-H"
            else:
                assert "/FontFile2" in font.FontDescriptor or "/FontFile3" in font.FontDescriptor
                assert 0 not in read_widths(font)
        assert not [e for e in pdf.objects if isinstance(e, pikepdf.Stream) and "/Width" in e]


def test_signs_that_cannot_be_told_as_text_cost_the_level(tmp_path):
    """
    A letter under several accents is drawn in parts, of which only one is text: then the document is level B.
    """
    account = fixture.Listed("000000000017", "x\u0302\u0323\u0315", ("Root",), ())
    run = fixture.write_run(tmp_path, [account], frameworks=())

    path = draw(run)

    with pikepdf.open(path) as pdf, pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        assert pdf.Root.MarkInfo.Marked
    assert squeeze("PDF/A-3b (ISO 19005-3, level B)") in read_text(path)


def font(**changes):
    plain = {
        "family": "Source Sans Pro",
        "missing": {},
        "to_unicode": {1: "a", 2: "ffi"},
        "png": False,
        "svg": False,
        "colr": False,
        "bitmap": False,
    }
    return SimpleNamespace(**(plain | changes))


@pytest.mark.parametrize("kind", ["png", "svg", "colr", "bitmap"])
def test_letters_that_are_pictures_are_not_used(kind):
    """
    WeasyPrint gives coloured letters a wrong width. Digits in them become text once the rest is gone.
    """
    finisher = Finisher([])
    pictures = font(
        family="Emoji", to_unicode={1: "1\ufe0f\u20e3", 2: "\U0001f984"}, **{kind: True}
    )
    document = SimpleNamespace(fonts={1: font(), 2: pictures})

    finisher(document, EmptyPdf())

    assert finisher.unseen == {"\ufe0f", "\u20e3", "\U0001f984"}


def test_missing_letters_are_told():
    """
    The finisher names what a font could not show.
    """
    finisher = Finisher([])

    finisher(SimpleNamespace(fonts={1: font(missing={0x6F22: 900})}), EmptyPdf())

    assert finisher.unseen == {"\u6f22"}
    assert finisher.is_readable


class EmptyPdf:
    """
    As little of a PDF as the finisher needs: a structure without elements.
    """

    def __init__(self):
        self.catalog = {"StructTreeRoot": b"1 0 R"}
        self.objects: list[object] = [None, {"ParentTree": b"2 0 R", "K": []}, {"Nums": []}]
        self.page_references = ()


def test_a_letter_that_stays_missing_is_an_error():
    """
    A box is never printed: if codes do not help there is no document.
    """
    with pytest.raises(RenderError, match=r"no font has the character U\+6F22"):
        settle(lambda _level, _unseen: Printed(b"", frozenset("\u6f22")), Printed(b""))


def test_a_signed_pdf_is_the_unsigned_one_and_a_signature(small_run, tmp_path):
    """
    The signer is given the whole document, and what it returns is written as it is.
    """
    given = []

    def sign(content):
        given.append(content)
        return content + b"signature"

    path = draw(small_run, sign)
    (unsigned,) = render_pdf(small_run, tmp_path)

    assert given == [unsigned.read_bytes()]
    assert path.read_bytes() == unsigned.read_bytes() + b"signature"


def test_a_signer_that_fails_leaves_no_document(small_run):
    """
    There is a signed document or none.
    """

    def refuse(_content):
        raise RenderError("no key")

    with pytest.raises(RenderError, match="no key"):
        draw(small_run, refuse)

    assert list((small_run.folder / "reports").iterdir()) == []


def test_a_private_character_is_its_code_whatever_fonts_there_are(foreign_run):
    """
    Some system may have a picture for it, and no reader could tell what it means.
    """
    html = fill_template(build_pages(foreign_run))

    assert "[U+E000]" in html
    assert "\ue000" not in html


def test_the_level_is_what_came_of_it_and_not_what_was_expected():
    """
    Where trying out foresaw nothing, the document that was printed decides, and is printed again.
    """
    printings = []

    def print_as(level, _unseen):
        printings.append(level)
        return Printed(level.encode(), is_readable=False)

    assert settle(print_as, Printed(b"")) == b"b"
    assert printings == ["a", "b"]


def test_a_level_that_is_foreseen_costs_no_second_printing():
    """
    A large document takes a minute.
    """
    printings = []

    def print_as(level, _unseen):
        printings.append(level)
        return Printed(level.encode(), is_readable=False)

    assert settle(print_as, Printed(b"", is_readable=False)) == b"b"
    assert printings == ["b"]
