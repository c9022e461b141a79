"""
`orgproof render --carry-notes OLD.xlsx` and `--sample DERIVED`: what goes into a workbook besides its run.
"""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import reports_fixture as fixture
from typer.testing import CliRunner
from verified_run import draw
from workbook_rules import find_faults

from scanner.cli import app
from scanner.errors import SettingsError
from scanner.evidence.quarantine import Limits
from scanner.evidence.store import hash_file
from scanner.reports.extras import Extras
from scanner.reports.notes import LEFT_OVER, collect_notes, read_notes
from scanner.reports.workbook import render_workbook

HARM = '=HYPERLINK("http://evil.example/","x")'


@pytest.fixture(name="folder", scope="module")
def make_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Make a run with its workbook drawn, and a sample of it.
    """
    run = fixture.write_run(
        tmp_path_factory.mktemp("notes"), fixture.ordinary(), ("iso-27001-2022",)
    )
    return draw(run.folder, ("xlsx", "json"))


def find_workbook(folder):
    (path,) = (folder / "reports").glob("*.xlsx")
    return path


def write_notes(
    target, *rows, columns=("finding_id", "status", "assignee", "note"), title="Findings"
):
    """
    Write a workbook of people's own making: these columns in this order, and rows of text.
    """
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.title = title
    for number, row in enumerate((columns, *rows), 1):
        for index, value in enumerate(row, 1):
            cell = sheet.cell(number, index)
            cell.value = value
            if isinstance(value, str):
                cell.data_type = "s"
    workbook.save(target)
    return target


def change_part(path, name, change):
    """
    Put other content in the place of a part of a workbook.
    """
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[name] = change(parts[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def list_ids(folder):
    sheet = openpyxl.load_workbook(find_workbook(folder))["Findings"]
    return [row[0] for row in sheet.iter_rows(min_row=2, values_only=True)]


def render(folder, *words):
    return CliRunner().invoke(app, ["render", str(folder), *map(str, words)])


def read_rows(path, title):
    header, *rows = openpyxl.load_workbook(path)[title].iter_rows()
    names = [cell.value for cell in header]
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.fixture(name="carried", scope="module")
def carry(folder, tmp_path_factory):
    """
    Carry three notes over, of which one has lost its finding, and one row has another's id.
    """
    ids = list_ids(folder)
    old = write_notes(
        tmp_path_factory.mktemp("old") / "old =1+1.xlsx",
        (ids[0], "open", HARM, "-1+1\n\u202eexe _x202E_ _x005F_x202E_"),
        (ids[3].upper(), "fixed", None, 42),
        ("f" * 24, None, "nobody", HARM),
        (ids[0], "fixed", None, "another"),
        (ids[0], "open", HARM, "-1+1\n\u202eexe _x202E_ _x005F_x202E_"),
        ("total", None, None, "3 notes"),
        (ids[5], None, None, None),
    )
    before = {path: hash_file(path) for path in (folder / "reports").iterdir()}
    done = render(folder, "--format", "xlsx", "--carry-notes", old)
    assert {path: hash_file(path) for path in (folder / "reports").iterdir()} == before
    return done, old, ids


def test_notes_come_back_beside_their_findings(carried):
    """
    By finding_id, as text and nothing but text; what would act is made visible.
    """
    done, _, ids = carried
    path = Path(done.stdout.splitlines()[-1])

    rows = read_rows(path, "Findings")

    assert done.exit_code == 0
    noted = {row["finding_id"].value: row for row in rows if row["status"].value}
    assert set(noted) == {ids[0], ids[3]}
    first = noted[ids[0]]
    assert (first["status"].value, first["assignee"].value) == ("open", HARM)
    assert first["note"].value == "-1+1\n[U+202E]exe [U+202E] _x005F_x202E_"
    assert {first[name].data_type for name in ("assignee", "note")} == {"s"}
    assert noted[ids[3]]["note"].value == "42"
    assert find_faults(path) == []


def test_no_note_is_lost(carried):
    """
    Those without a finding, and rows that say something else of the same one, are listed with the reason.
    """
    done, _, ids = carried

    left = read_rows(done.stdout.splitlines()[-1], LEFT_OVER)

    assert [(row["finding_id"].value, row["note"].value) for row in left] == [
        ("f" * 24, HARM),
        (ids[0], "another"),
        ("total", "3 notes"),
    ]
    assert [row["why"].value.split(":")[0] for row in left] == [
        "this run has no such finding",
        "another row before it has the same finding_id, with another text",
        "its finding_id is none",
    ]
    assert {cell.data_type for row in left for cell in row.values() if cell.value} == {"s"}


def test_it_is_said_how_many_and_from_where(carried):
    """
    On the terminal, on Summary and in the manifest, with the file's hash.
    """
    done, old, _ = carried
    path = Path(done.stdout.splitlines()[-1])
    digest = hash_file(old)

    summary = [
        row[0] for row in openpyxl.load_workbook(path)["Summary"].iter_rows(values_only=True)
    ]
    manifest = json.loads((path.parent / "manifest.json").read_bytes())

    line = f"Notes of 2 findings were carried over from old =1+1.xlsx (SHA-256 {digest})."
    assert line in done.stdout.splitlines()
    assert line in summary
    assert "1 note left over: this run has no such finding." in summary
    assert manifest["notes"] == {"file": "old =1+1.xlsx", "sha256": digest}
    assert path.parent.parent.name == "derived"


def test_notes_that_were_left_over_come_along_the_next_time(carried, folder):
    """
    From one workbook to the next, all of them, and the same bytes when it is done twice.
    """
    done, _, _ = carried
    path = Path(done.stdout.splitlines()[-1])

    texts = []
    for _ in range(2):
        again = render(folder, "--format", "xlsx", "--carry-notes", path)
        texts.append(Path(again.stdout.splitlines()[-1]))

    assert texts[0].read_bytes() == texts[1].read_bytes()
    for title in ("Findings", LEFT_OVER):
        found = [
            {name: cell.value for name, cell in row.items()} for row in read_rows(texts[0], title)
        ]
        due = [{name: cell.value for name, cell in row.items()} for row in read_rows(path, title)]
        assert found == due


def test_notes_go_with_a_new_judgement(folder, carried):
    """
    Other frameworks, the same notes: into a folder of the judgement's own.
    """
    _, old, _ = carried

    done = render(folder, "--format", "xlsx", "--carry-notes", old, "--framework", "pci-dss-4.0.1")

    judged = Path(done.stdout.splitlines()[-1])
    assert any(line.startswith("Notes of ") for line in done.stdout.splitlines())
    assert json.loads((judged / "manifest.json").read_bytes())["notes"]["sha256"] == hash_file(old)


def test_columns_are_found_by_their_headers(folder, tmp_path):
    """
    Moved, in other letters, on a sheet of another number, under a line of somebody's own.
    """
    (first, *_) = list_ids(folder)
    old = write_notes(
        tmp_path / "moved.xlsx",
        ("Note ", "x", "FINDING_ID", "Status", "ASSIGNEE"),
        ("moved", "", first),
        columns=("our own heading",),
        title="Findings 2",
    )

    notes = read_notes(old)

    assert notes.take(first, {}) == {"status": None, "assignee": None, "note": "moved"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"finding_id,note\n", "no workbook"),
        (b"", "no workbook"),
        (b"PK\x03\x04 and no more", "no workbook"),
    ],
)
def test_what_is_no_workbook_is_refused_by_name(folder, tmp_path, content, words):
    """
    With the file, what is wrong, and what to give instead; nothing is drawn.
    """
    old = tmp_path / "old.xlsx"
    old.write_bytes(content)

    done = render(folder, "--carry-notes", old)

    assert done.exit_code == 2
    assert f"--carry-notes {old}: " in done.stderr
    assert words in done.stderr
    assert "give a workbook (.xlsx) that orgproof drew" in done.stderr


def test_a_workbook_without_findings_is_refused(tmp_path):
    """
    Somebody else's, or one of CSV columns that are not ours.
    """
    old = write_notes(tmp_path / "old.xlsx", ("a", "b"), columns=("id", "note"), title="Tasks")

    with pytest.raises(SettingsError, match="has no sheet Findings with the columns finding_id"):
        read_notes(old)


def test_a_file_that_is_not_there_is_refused(folder, tmp_path):
    """
    In words, and not by a traceback.
    """
    done = render(folder, "--carry-notes", tmp_path / "no.xlsx")

    assert done.exit_code == 2
    assert "no.xlsx" in done.stderr


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "harm",
    [
        b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'ha'>]><x>&a;</x>",
        b"\0" * 50_000_000,
        b"<worksheet>" + b"<a>" * 90_000,
    ],
    ids=["entities", "bomb", "depth"],
)
def test_a_workbook_that_was_made_to_do_harm_is_refused(tmp_path, harm):
    """
    Entities, a zip bomb, XML without end.
    """
    old = write_notes(tmp_path / "old.xlsx")
    change_part(old, "xl/worksheets/sheet1.xml", lambda _: harm)

    with pytest.raises(SettingsError, match=r"--carry-notes .*old\.xlsx: "):
        read_notes(old, Limits(cpu=5, wall=20))


def test_notes_need_a_workbook_to_go_into(folder, carried):
    """
    Where none is to be drawn, it is said.
    """
    _, old, _ = carried

    done = render(folder, "--format", "csv", "--carry-notes", old)

    assert done.exit_code == 2
    assert "add xlsx to --format" in done.stderr


def test_notes_never_go_into_a_runs_own_reports(tmp_path, carried):
    """
    A run whose documents were not drawn yet gets its own first.
    """
    _, old, _ = carried
    run = fixture.write_run(tmp_path, fixture.clean(), ("iso-27001-2022",))

    done = render(run.folder, "--format", "xlsx", "--carry-notes", old)

    assert done.exit_code == 2
    assert "draw them first with `orgproof render RUN`" in done.stderr
    assert not (run.folder / "reports").exists()


def test_the_first_of_two_rows_counts():
    """
    And the other one is kept, unless it says the same.
    """
    row = {"finding_id": "0" * 24, "status": "open"}

    notes = collect_notes("x", "0", [row, dict(row), {**row, "status": "fixed"}])

    assert notes.take("0" * 24, {})["status"] == "open"
    ((*_, status, _, _, why),) = notes.list_left()
    assert status == "fixed"
    assert why == "another row before it has the same finding_id, with another text"


def edit_workbook(folder, target, change):
    """
    Change the run's own workbook as people do: `change` is given it, Findings and where its columns are.
    """
    workbook = openpyxl.load_workbook(find_workbook(folder))
    sheet: Any = workbook["Findings"]
    change(workbook, sheet, {cell.value: cell.column for cell in sheet[1]})
    workbook.save(target)
    return target


def test_a_column_of_ones_own_takes_nothing_away(folder, tmp_path):
    """
    Not even one that is named as one of notes that were left over.
    """

    def add(_, sheet, places):
        sheet.cell(1, sheet.max_column + 1).value = "why"
        sheet.cell(2, places["note"]).value = "keep me"

    notes = read_notes(edit_workbook(folder, tmp_path / "old.xlsx", add))

    assert [row[-2] for row in notes.list_left()] == ["keep me"]


@pytest.mark.parametrize("lost", ["status", "assignee", "note", "finding_id"])
def test_a_renamed_column_is_refused_and_named(folder, tmp_path, lost):
    """
    What stands in it would be lost without a word: the sheet and the column that is missing are named.
    """

    def rename(_, sheet, places):
        sheet.cell(2, places["note"]).value = "keep me"
        sheet.cell(1, places[lost]).value = "Notes (team)"

    old = edit_workbook(folder, tmp_path / "old.xlsx", rename)

    with pytest.raises(SettingsError, match=f"sheet 'Findings' has no column {lost}"):
        read_notes(old)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    """
    Nobody knows which of the two is meant.
    """
    columns = ("finding_id", "status", "assignee", "note", "Note")
    old = write_notes(tmp_path / "old.xlsx", ("0" * 24,), columns=columns)

    with pytest.raises(SettingsError, match="has two columns note"):
        read_notes(old)


def test_a_sheet_is_found_under_another_title(folder, tmp_path):
    """
    By its columns, also beside a sheet of notes that were left over.
    """

    def rename(workbook, sheet, places):
        sheet.cell(2, places["note"]).value = "in a renamed sheet"
        sheet.title = "My own"
        left = workbook.create_sheet(LEFT_OVER)
        left.append(("finding_id", "status", "assignee", "note", "why"))
        left.append(("e" * 24, None, None, "left over", None))

    old = edit_workbook(folder, tmp_path / "old.xlsx", rename)

    notes = read_notes(old)

    assert [row[-2] for row in notes.list_left()] == ["in a renamed sheet", "left over"]


def test_notes_that_were_left_over_are_not_all_there_is(tmp_path):
    """
    A workbook with that sheet alone has lost its findings, and is refused.
    """
    columns = ("finding_id", "status", "assignee", "note", "why")
    row = ("e" * 24, None, None, "left over", None)
    old = write_notes(tmp_path / "old.xlsx", row, columns=columns, title=LEFT_OVER)

    with pytest.raises(SettingsError, match="has no sheet Findings"):
        read_notes(old)


def test_a_note_never_lands_beside_another_finding(folder, tmp_path):
    """
    A row of one user that came to have another's finding_id, as half a sort does, is left over with the reason.
    """

    def sort_half(_, sheet, places):
        sheet.cell(2, places["note"]).value = "accepted for this one alone"
        sheet.cell(2, places["finding_id"]).value = sheet.cell(4, places["finding_id"]).value
        sheet.cell(4, places["note"]).value = "this is right"
        sheet.cell(5, places["note"]).value = "so is this"
        sheet.cell(5, places["account_id"]).value = int(sheet.cell(5, places["account_id"]).value)

    old = edit_workbook(folder, tmp_path / "old.xlsx", sort_half)

    done = render(folder, "--format", "xlsx", "--carry-notes", old)
    path = done.stdout.splitlines()[-1]

    rows = read_rows(path, "Findings")
    noted = {index: row["note"].value for index, row in enumerate(rows, 2) if row["note"].value}
    assert noted == {4: "this is right", 5: "so is this"}
    (left,) = read_rows(path, LEFT_OVER)
    assert left["note"].value == "accepted for this one alone"
    assert left["user"].value == rows[0]["user"].value
    assert left["why"].value == "its finding_id is that of another account, user or check"
    assert (
        "1 row with notes could not be used: its finding_id is that of another account, user or check."
        in done.stdout.splitlines()
    )


def test_names_that_do_harm_keep_their_notes(tmp_path):
    """
    A row is known by what stands in it, also where a name was made visible, escaped or cut.
    """
    run = fixture.write_run(tmp_path, fixture.hostile())
    (path,) = render_workbook(run, tmp_path)
    workbook = openpyxl.load_workbook(path)
    sheet: Any = workbook["Findings"]
    for row in range(2, sheet.max_row + 1):
        sheet.cell(row, sheet.max_column).value = f"note {row}"
    workbook.save(tmp_path / "old.xlsx")
    notes = read_notes(tmp_path / "old.xlsx")

    (again,) = render_workbook(run, tmp_path / "again", Extras(notes=notes))

    found = [row["note"].value for row in read_rows(again, "Findings")]
    assert found == [f"note {row}" for row in range(2, sheet.max_row + 1)]
    assert list(notes.list_left()) == []


HALVES = {
    "_xD800_ lone": "\ufffd lone",
    "lone _xDC00_": "lone \ufffd",
    "_xD83D__xDE00_ whole": "\U0001f600 whole",
    "_xDE00__xD83D_x": "\ufffd\ufffdx",
}


def test_half_a_character_stops_nothing(folder, tmp_path):
    """
    Excel's codes can name one half of a character alone: it becomes a sign that stands for it.
    """
    ids = list_ids(folder)
    rows = [(key, "open", None, note) for key, note in zip(ids, HALVES, strict=False)]
    old = write_notes(tmp_path / "old.xlsx", *rows)

    done = render(folder, "--format", "xlsx", "--carry-notes", old)

    assert done.exit_code == 0, done.stderr
    found = read_rows(done.stdout.splitlines()[-1], "Findings")
    assert [row["note"].value for row in found[: len(HALVES)]] == list(HALVES.values())


def test_a_number_beyond_all_measure_is_a_note(tmp_path):
    """
    A cell can hold one; it is no reason to refuse the other notes.
    """
    old = write_notes(tmp_path / "old.xlsx", ("0" * 24, "open", None, 12345))
    change_part(old, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"12345", b"1e999"))

    notes = read_notes(old)

    assert notes.take("0" * 24, {})["note"] == "inf"


def test_it_is_said_what_is_not_carried_over(carried):
    """
    Columns that people added and comments on cells stay in the old workbook.
    """
    done, _, _ = carried

    assert (
        "Only status, assignee and note are carried over: columns that people added, comments on cells and "
        "colours stay in that file." in done.stdout.splitlines()
    )


def draw_sample(folder, *words):
    done = CliRunner().invoke(app, ["sample", str(folder), "--size", "4", *words])
    return Path(done.stdout.splitlines()[-1])


def test_a_sample_becomes_a_sheet(folder):
    """
    With its seed and its population on Summary, and the same items as in its own workbook.
    """
    sample = draw_sample(folder, "--seed", "7")

    done = render(folder, "--format", "xlsx", "--sample", sample)

    path = done.stdout.splitlines()[-1]
    own = openpyxl.load_workbook(sample / "sample.xlsx")["Sample"]
    book = openpyxl.load_workbook(path)
    assert list(book["Sample"].values) == list(own.values)
    facts = {row[0]: row[1] for row in book["Summary"].iter_rows(values_only=True) if row[0]}
    assert (facts["Items drawn"], facts["Seed"]) == (4, "7")
    assert facts["Population"] == book["Users"].max_row - 1
    assert book.sheetnames[-2:] == ["Sample", "Method"]


def test_a_sample_of_another_run_is_refused(folder, tmp_path):
    """
    So is one that was changed, and a folder that holds none.
    """
    other = fixture.write_run(tmp_path / "other", fixture.clean(), ("iso-27001-2022",))
    changed = draw_sample(folder)
    path = changed / "sample.json"
    path.chmod(0o600)
    path.write_text(re.sub(r'"size_drawn": ?4', '"size_drawn": 3', path.read_text()))

    said = {
        name: render(folder, "--format", "xlsx", "--sample", sample).stderr
        for name, sample in (
            ("other", draw_sample(other.folder)),
            ("changed", changed),
            ("none", tmp_path),
        )
    }

    assert "was drawn from another run" in said["other"]
    assert "is not what its seed draws from this run" in said["changed"]
    assert "holds no sample.json" in said["none"]
