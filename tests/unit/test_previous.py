import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_scan import PRESS, FakeClock, Scan
from report_text import ACCOUNT, root_row, user_row
from run_folder import MANAGEMENT, OPEN, ORGANIZATION_ID, SAFE, STARTED, Folder

from scanner.drawing import judge_again
from scanner.errors import EvidenceError, SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.previous import find_previous, name_inputs, read_previous, take_previous
from scanner.model import (
    AccountId,
    ScopeRule,
    Selection,
)

PARTIAL = Selection(accounts=(MANAGEMENT, ACCOUNT))
LATER = datetime(2027, 1, 1, tzinfo=UTC)
TAKEN = ["accounts.parquet", "history.parquet", "manifest.json", "summary.json"]


def seal_run(organization, run_id="20260824T090000Z", period="2026-Q3", **terms):
    """
    Make and seal a run under an organization's folder, and return its folder.
    """
    started = datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%z")
    folder = Folder(organization / period, run_id, started)
    folder.terms = replace(folder.terms, period=period, **terms)
    folder.fill().finish()
    return folder.path


@pytest.fixture(name="organization")
def make_organization(tmp_path):
    return tmp_path / ORGANIZATION_ID


# Which run is the previous one


def test_the_newest_run_is_the_previous_one(organization):
    """
    By the moment it began, whatever its period is called.
    """
    seal_run(organization, "20260524T090000Z", "z-last")
    newest = seal_run(organization, "20260824T090000Z", "a-first")
    seal_run(organization, "20260224T090000Z", "m-middle")

    search = find_previous(organization, LATER)

    assert (search.folder, search.warnings) == (newest, ())


def test_runs_of_one_second_are_told_by_number(organization):
    """
    The tenth of a second is newer than the second one, and the one without a number is the oldest.
    """
    runs = [seal_run(organization, f"20260824T090000Z{number}") for number in ("", "-2", "-10")]

    assert find_previous(organization, LATER).folder == runs[-1]


@pytest.mark.parametrize("missing", ["manifest.json", "SHA256SUMS"])
def test_a_run_that_was_never_sealed_is_passed_over(organization, missing):
    """
    A scan that is still running, or that broke off, is compared with nothing.
    """
    older = seal_run(organization, "20260524T090000Z", "2026-Q2")
    (seal_run(organization) / missing).unlink()

    assert find_previous(organization, LATER).folder == older


@pytest.mark.parametrize(
    "selection",
    [PARTIAL, Selection(ous=("r-ab12",)), Selection(accounts=(ACCOUNT,))],
    ids=["every account by name", "the whole tree", "one account"],
)
def test_a_run_over_part_of_the_organization_is_passed_over(organization, selection):
    """
    What it did not look at would seem to have joined.
    """
    older = seal_run(organization, "20260524T090000Z", "2026-Q2")
    seal_run(organization, selection=selection)

    assert find_previous(organization, LATER).folder == older


def test_without_a_run_there_is_no_previous_one(organization):
    """
    No folder, an empty one, or one without runs: the first run is the first.
    """
    assert find_previous(organization, LATER).folder is None
    (organization / "2026-Q3" / "notes").mkdir(parents=True)
    (organization / "readme.txt").write_text("x")
    assert find_previous(organization, LATER).folder is None


def change_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "summary.json", "tables/accounts.parquet", "tables/history.parquet"],
)
@pytest.mark.parametrize("damage", [change_byte, Path.unlink], ids=["changed", "gone"])
def test_a_run_that_is_not_what_was_sealed_is_passed_over_with_a_warning(
    organization, name, damage
):
    """
    One bit is enough; the run before it is taken, and the documents say so.
    """
    older = seal_run(organization, "20260524T090000Z", "2026-Q2")
    damage(seal_run(organization) / name)

    search = find_previous(organization, LATER)

    assert search.folder == older
    if damage is change_byte:
        (warning,) = search.warnings
        assert warning.startswith("run 20260824T090000Z is no previous run to compare with: ")
        assert name in warning


def test_a_manifest_that_was_written_anew_is_no_seal(organization):
    """
    Whoever changes a table and lists the new hash must change SHA256SUMS too.
    """
    folder = seal_run(organization)
    change_byte(folder / "tables/history.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["files"]:
        entry["sha256"] = hashlib.sha256((folder / entry["path"]).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))

    search = find_previous(organization, LATER)

    assert search.folder is None
    assert "is not the one that SHA256SUMS lists" in search.warnings[0]


def test_a_run_that_began_later_is_no_previous_run(organization):
    """
    A clock that was set back must not make findings open for less than no days.
    """
    older = seal_run(organization, "20260524T090000Z", "2026-Q2")
    newer = seal_run(organization)

    search = find_previous(organization, StoredRun(older).summary.window.started)

    assert search.folder == older
    assert search.warnings == (f"run {newer.name} began after this one: is the clock right?",)


def test_every_run_that_was_passed_over_is_warned_about(organization):
    """
    Nobody is left to believe that there was no other.
    """
    for run_id in ("20260224T090000Z", "20260524T090000Z", "20260824T090000Z"):
        change_byte(seal_run(organization, run_id) / "summary.json")

    search = find_previous(organization, LATER)

    assert search.folder is None
    assert [warning.split()[1] for warning in search.warnings] == [
        "20260824T090000Z",
        "20260524T090000Z",
        "20260224T090000Z",
    ]


# What is taken from it


def test_what_is_taken_is_what_the_manifest_lists(organization):
    """
    Four files, byte for byte, and the manifest whose hash chains both runs together.
    """
    folder = seal_run(organization)

    taken = take_previous(folder)

    assert sorted(taken) == TAKEN
    assert taken["history.parquet"] == (folder / "tables" / "history.parquet").read_bytes()
    assert sorted(name_inputs(taken)) == [f"previous/{name}" for name in TAKEN]


@pytest.mark.parametrize(
    "name", ["summary.json", "tables/accounts.parquet", "tables/history.parquet"]
)
def test_a_file_that_the_manifest_does_not_list_is_not_taken(organization, name):
    """
    A file that was put there later was never sealed.
    """
    folder = seal_run(organization)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != name]
    content = json.dumps(manifest).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "SHA256SUMS").write_text(f"{hashlib.sha256(content).hexdigest()}  manifest.json\n")

    with pytest.raises(EvidenceError, match="is not the file that was sealed"):
        take_previous(folder)


def test_raw_answers_are_not_taken(organization):
    """
    A history needs none, and a run that grew by each one before it would be for nobody to keep.
    """
    folder = seal_run(organization)
    change_byte(folder / "raw" / ACCOUNT / "credential-report.csv")

    assert sorted(take_previous(folder)) == TAKEN


def test_a_run_that_took_nothing_has_no_previous_one(tmp_path):
    """
    No folder, no history: not an error.
    """
    assert read_previous(tmp_path) is None


@pytest.mark.parametrize("name", TAKEN)
def test_half_of_what_was_taken_is_refused(organization, tmp_path, name):
    """
    A run is not derived from a history that is damaged.
    """
    later = Folder(tmp_path, started=STARTED).fill().follow(seal_run(organization))
    (later.path / "inputs" / "previous" / name).unlink()

    with pytest.raises(EvidenceError, match=name.replace(".", r"\.")):
        later.derive()


# What a run says of the one before it


def follow(tmp_path, earlier, later):
    """
    Seal one run, and derive another that follows it 92 days later.
    """
    before = Folder(tmp_path, "20260824T090000Z", STARTED - timedelta(days=92))
    before.terms = replace(before.terms, period="2026-Q3")
    before.reports[ACCOUNT] = [root_row(), *earlier]
    before.fill().finish()
    after = Folder(tmp_path)
    after.reports[ACCOUNT] = [root_row(), *later]
    return after, after.fill().follow(before.path).derive()


def test_findings_say_what_became_of_them(tmp_path):
    """
    New, still open since a quarter, and fixed: in the findings, in the history, and counted.
    """
    ann, bob, cid = (user_row(name, **OPEN) for name in ("ann", "bob", "cid"))

    folder, summary = follow(tmp_path, [ann, bob], [ann, user_row("bob", **SAFE), cid])

    findings = folder.findings().set_index("user")
    history = folder.table("history").set_index("user")
    assert findings["state"].to_dict() == {"ann": "still-open", "cid": "new"}
    assert findings["days_open"].to_dict() == {"ann": 92, "cid": 0}
    assert history["state"].to_dict() == {"ann": "still-open", "bob": "fixed", "cid": "new"}
    assert summary.changes == {"fixed": 1, "new": 1, "still-open": 1}


def test_a_run_names_the_one_before_it_by_its_seal(tmp_path):
    """
    The hash of the previous manifest is in the summary, so the two are chained.
    """
    folder, summary = follow(tmp_path, [], [])

    manifest = (tmp_path / "20260824T090000Z" / "manifest.json").read_bytes()
    assert summary.previous is not None
    assert summary.previous.run_id == "20260824T090000Z"
    assert summary.previous.manifest_sha256 == hashlib.sha256(manifest).hexdigest()
    assert (folder.path / "inputs/previous/manifest.json").read_bytes() == manifest


def test_a_trend_goes_on_from_the_previous_run(tmp_path):
    """
    One point for each quarter, this run's last, with the users that no acceptance covers.
    """
    _, summary = follow(tmp_path, [], [user_row("ann", **OPEN)])

    assert [(point.period, point.users, point.exceptions) for point in summary.trend] == [
        ("2026-Q3", 0, 0),
        ("2026-Q4", 1, 1),
    ]


@pytest.mark.parametrize(("more", "said"), [(timedelta(0), 0), (timedelta(days=1), 1)])
def test_a_gap_of_more_than_a_quarter_is_a_warning(tmp_path, more, said):
    """
    92 days are a quarter, and 93 are none.
    """
    earlier = Folder(tmp_path, "20260101T090000Z", STARTED - timedelta(days=92) - more)
    before = earlier.fill().finish().folder

    summary = Folder(tmp_path).fill().follow(before).derive()

    assert len(summary.warnings) == said
    assert all("a quarterly review has a gap here" in warning for warning in summary.warnings)


# A whole scan


def test_a_scan_takes_the_newest_run_of_its_organization(tmp_path, organization):
    """
    Without being told: under the same output folder and organization, and its own folder is not one.
    """
    seal_run(organization, "20260524T090000Z", "2026-Q2")
    seal_run(organization, "20260824T090000Z", "2026-Q3")
    seal_run(tmp_path / "o-zzzzzzzzzz", "20261024T090000Z", "2026-Q4")

    finished = Scan(tmp_path).run()

    assert finished.summary.previous is not None
    assert finished.summary.previous.run_id == "20260824T090000Z"


def test_a_scan_takes_the_run_that_it_is_told_to(tmp_path, organization):
    """
    The operator may compare with an older one.
    """
    older = seal_run(organization, "20260524T090000Z", "2026-Q2")
    seal_run(organization)

    finished = Scan(tmp_path).run(older)

    assert finished.summary.previous is not None
    assert finished.summary.previous.run_id == "20260524T090000Z"


def test_a_run_of_another_organization_is_refused(tmp_path):
    """
    Every finding would be new and every account joined; no account is read before that is said.
    """
    elsewhere = Folder(tmp_path / "elsewhere", started=STARTED - timedelta(days=9))
    elsewhere.organization_id = "o-zzzzzzzzzz"
    before = elsewhere.fill().finish().folder
    later = Scan(tmp_path)

    with pytest.raises(SettingsError, match="belongs to organization o-zzzzzzzzzz"):
        later.run(before)

    assert later.collector.asked == []


@pytest.mark.parametrize(
    "name", ["manifest.json", "summary.json", "tables/accounts.parquet", "tables/history.parquet"]
)
def test_a_previous_run_that_was_named_and_altered_is_refused(tmp_path, organization, name):
    """
    Whoever names a run is told, rather than given another one.
    """
    before = seal_run(organization)
    change_byte(before / name)

    with pytest.raises(EvidenceError):
        Scan(tmp_path).run(before)


def test_what_was_passed_over_is_said_in_the_summary(tmp_path, organization):
    """
    A run that could not be compared with is named in the documents, not on the screen alone.
    """
    change_byte(seal_run(organization) / "summary.json")

    summary = Scan(tmp_path).run().summary

    assert summary.previous is None
    assert "run 20260824T090000Z is no previous run" in summary.warnings[0]


@pytest.mark.parametrize("asks", [True, False])
def test_tags_are_asked_for_where_a_scope_needs_them(tmp_path, asks):
    """
    They cost a call for each account, so nobody asks for them in vain.
    """
    later = Scan(tmp_path)
    later.folder.tags = {ACCOUNT: {"pci": "yes"}}
    rule = ScopeRule("house-1.0", tags=(("pci", "yes"),)) if asks else ScopeRule("house-1.0", True)
    later.folder.terms = replace(later.folder.terms, scopes=(rule,))

    later.run()

    assert later.directory.was_asked_for_tags is asks


def test_a_scope_that_names_what_there_is_not_stops_the_scan_before_it_reads(tmp_path):
    """
    A slip in the settings costs one listing, not one scan.
    """
    later = Scan(tmp_path)
    rule = ScopeRule("house-1.0", accounts=(AccountId("999999999999"),))
    later.folder.terms = replace(later.folder.terms, scopes=(rule,))

    with pytest.raises(SettingsError, match="no account 999999999999"):
        later.run()

    assert later.collector.asked == []


def test_a_run_judged_again_keeps_its_history(tmp_path, organization):
    """
    What was taken from the previous run is an input like others: judged again, the states are the same.
    """
    seal_run(organization)
    finished = Scan(tmp_path).run()

    again = judge_again(finished.folder, None, None, PRESS, FakeClock())

    assert again.summary.previous == finished.summary.previous
    assert again.summary.changes == finished.summary.changes
    assert again.summary.parent is not None
    assert find_previous(organization, LATER).folder == finished.folder
