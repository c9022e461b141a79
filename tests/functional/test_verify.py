import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import reports_fixture
from conftest import run_command
from typer.testing import CliRunner
from verified_run import (
    Key,
    derive_again,
    draw,
    draw_again,
    edit,
    failed,
    list_again,
    seal_again,
    take,
    write_full,
)

from scanner.cli import app
from scanner.errors import SettingsError
from scanner.evidence import StoredRun
from scanner.evidence.derived import seal_derived
from scanner.evidence.replay import derive_tables
from scanner.evidence.seal import list_files, list_sums, write_manifest
from scanner.evidence.verify import Result, verify_run
from scanner.records import encode
from scanner.reports.readback import Readback
from scanner.transcript import describe_step, describe_verification

PAYMENTS = "012345678901"
REPORT = f"raw/{PAYMENTS}/credential-report.csv"


@pytest.fixture(name="whole", scope="module")
def make_whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """
    Make a run with an account of every outcome and an accepted risk, and the run before it.
    """
    parent, catalogs = tmp_path_factory.mktemp("whole"), ("iso-27001-2022",)
    accounts = reports_fixture.ordinary()
    before = reports_fixture.write_run(
        parent, accounts[:3], catalogs, started=reports_fixture.BEFORE, period="2026-Q3"
    )
    run = reports_fixture.write_run(
        parent,
        [*accounts, reports_fixture.missed("999999999999", "unreachable")],
        catalogs,
        previous=before,
        acceptances=reports_fixture.write_acceptances(
            reports_fixture.accept("sealed-alice", "alice")
        ),
    )
    return draw(run.folder, ("csv", "json")), draw(before.folder, ())


@pytest.fixture(name="run")
def copy_run(whole: tuple[Path, Path], tmp_path: Path) -> Path:
    """
    Copy the run, to be altered.
    """
    return Path(shutil.copytree(whole[0], tmp_path / whole[0].name))


@pytest.fixture(name="before")
def copy_before(whole: tuple[Path, Path], tmp_path: Path) -> Path:
    """
    Copy the run before it.
    """
    return Path(shutil.copytree(whole[1], tmp_path / whole[1].name))


@pytest.fixture(name="made", scope="module")
def make_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Make a small run with a file of every kind.
    """
    return write_full(tmp_path_factory.mktemp("small"))


@pytest.fixture(name="small")
def copy_small(made: Path, tmp_path: Path) -> Path:
    """
    Copy the small run, to be damaged: it is derived again in a tenth of the time.
    """
    return Path(shutil.copytree(made, tmp_path / "small"))


def hide_a_user(content: bytes) -> bytes:
    """
    Give alice the device that she lacks.
    """
    lines = content.split(b"\n")
    number = next(n for n, line in enumerate(lines) if line.startswith(b"alice,"))
    cells = lines[number].split(b",")
    cells[7] = b"true"
    return b"\n".join([*lines[:number], b",".join(cells), *lines[number + 1 :]])


def rewrite(table: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """
    Write a table anew with other rows.
    """
    schema = pq.read_schema(table)
    frame = change(pq.read_table(table).to_pandas())
    pq.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False), table)


def set_value(column: str, value: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[1, column] = value
        return frame

    return change


def test_a_whole_run_verifies(run, before):
    """
    Every step goes well but those that have nothing to look at, which say so.
    """
    steps = take(run, previous=before)

    assert failed(steps) == {}
    skipped = {step.title: step.said for step in steps if step.result is Result.SKIPPED}
    assert skipped == {
        "signature": "the run is not signed, and no key was given",
        "documents": "the documents were not read back",
        "derived later": "nothing was derived later",
    }
    assert [step.number for step in steps] == list(range(1, 11))


def test_a_run_may_be_kept_under_another_name(run):
    """
    What a folder is called proves nothing, and its evidence is the same.
    """
    kept = run.rename(run.with_name("evidence of the auditor"))

    assert failed(take(kept)) == {}


def test_a_forger_who_rewrites_a_report_is_caught_by_its_tables(run):
    """
    The raw report is changed, and manifest, checksums and list of documents made to fit it.
    """
    edit(run / REPORT, hide_a_user)
    seal_again(run)
    list_again(run)

    faults = failed(take(run))

    assert faults.keys() == {"raw reports", "tables"}
    assert f"{REPORT}: is not the report whose SHA-256" in faults["raw reports"]
    assert (
        f"(account {PAYMENTS}): mfa_active is False, and True follows from the raw reports"
        in faults["tables"]
    )
    assert "summary.json: acceptances.0.matched is 1, and 0 follows" in faults["tables"]


def test_a_forger_who_rewrites_the_tables_is_caught_by_the_reports(run):
    """
    A finding is taken out of every table and total, and everything is made to fit, but for the raw report.
    """
    original = (run / REPORT).read_bytes()
    edit(run / REPORT, hide_a_user)
    derive_again(run)
    (run / REPORT).write_bytes(original)
    seal_again(run)
    draw_again(run, ("csv", "json"))

    faults = failed(take(run))

    assert "tables/findings.parquet: has" in faults["tables"]
    assert f"account {PAYMENTS}" in faults["tables"]
    assert "1 and 2" not in faults


def forge(folder: Path) -> None:
    """
    Redo all of a run from an altered report, so that nothing in the folder shows it.
    """
    edit(folder / REPORT, hide_a_user)
    derive_again(folder)
    seal_again(folder)
    if (folder / "reports").exists():
        draw_again(folder, ("csv", "json"))
    else:
        list_nothing(folder)


def list_nothing(folder: Path) -> None:
    (folder / "documents.json").unlink()
    draw(folder, ())


def test_a_forger_who_redoes_everything_passes_without_a_signature_and_it_is_said(run):
    """
    Nobody could tell. What was not shown stands in the result and in what is printed.
    """
    forge(run)

    steps = take(run)

    assert failed(steps) == {}
    (limit,) = steps[2].limits
    assert "whoever can write to the folder can make all of it again" in limit
    assert f"  {limit}" in list(describe_verification(steps))


def test_a_forger_who_redoes_everything_lacks_the_key(run):
    """
    The old signature is over another manifest, and without one the run is not signed.
    """
    key = Key()
    seal_again(run, key)
    list_again(run, key)
    signature = (run / "manifest.dsse.json").read_bytes()
    assert failed(take(run, public_key=key.public)) == {}
    forge(run)
    unsigned = failed(take(run, 3, public_key=key.public))
    (run / "manifest.dsse.json").write_bytes(signature)
    kept = failed(take(run, 3, public_key=key.public))

    assert "manifest.dsse.json: is missing, so manifest.json is not signed" in unsigned["signature"]
    assert "manifest.dsse.json: manifest.json is not the file that was signed" in kept["signature"]


def test_a_forger_who_signs_with_another_key_is_caught(run):
    """
    The signature holds, and is not of the key that was given.
    """
    key, other = Key(), Key()
    seal_again(run, other)
    list_again(run, other)

    assert key.key_id in failed(take(run, 3, public_key=key.public))["signature"]


def test_a_signature_without_a_key_to_check_it_is_named_and_not_believed(run):
    """
    The step is skipped, and the result says whose key the run names.
    """
    key = Key()
    seal_again(run, key)
    list_again(run, key)

    step = take(run, 3)[2]

    assert step.result is Result.SKIPPED
    assert key.key_id in step.said
    assert "was not checked" in step.limits[0]


def test_a_forger_who_redoes_the_run_before_is_caught_by_the_run_after(run, before):
    """
    The later run names the seal of the earlier one, and keeps what it took from it.
    """
    forge(before)

    faults = failed(take(run, 4, previous=before))

    assert "is not the manifest that this run was chained to" in faults["chain"]


def test_the_run_before_is_looked_at_file_by_file(run, before):
    """
    Its manifest is the one that is named, and one of its files was changed since.
    """
    edit(before / REPORT, lambda content: content.replace(b"alice", b"Alice"))

    faults = failed(take(run, 4, previous=before))

    assert f"{before}: {REPORT}: is not the file that was sealed" in faults["chain"]


def test_a_run_before_that_is_none_is_said(run, whole):
    """
    A run is not its own predecessor, and a run without one has none.
    """
    wrong = failed(take(run, 4, previous=run))["chain"]
    none = failed(take(whole[1], 4, previous=run))["chain"]

    assert "is not the manifest that this run was chained to" in wrong
    assert "names no previous run" in none


@pytest.mark.parametrize("name", ["summary.json", "accounts.parquet", "history.parquet"])
def test_what_was_taken_from_the_run_before_is_held_against_its_manifest(run, whole, name):
    """
    A copy of another run's file, sealed with this run, is not what the run before sealed.
    """
    shutil.copy(
        whole[0] / ("" if name == "summary.json" else "tables") / name, run / "inputs/previous"
    )
    seal_again(run)

    faults = failed(take(run, 4))

    assert f"inputs/previous/{name}: is not the file" in faults["chain"]


def test_a_chain_that_was_cut_is_found(run):
    """
    What was taken from the run before is gone, and the summary names that run.
    """
    shutil.rmtree(run / "inputs" / "previous")

    assert "inputs/previous is missing" in failed(take(run, 4))["chain"]


def test_an_account_without_a_row_and_one_too_many_are_named(run):
    """
    One account is taken out of the table, another one is in it twice.
    """
    rewrite(
        run / "tables/accounts.parquet",
        lambda frame: pd.concat([frame[frame["account_id"] != PAYMENTS], frame.iloc[[0]]]),
    )

    faults = failed(take(run, 5))["accounts"]

    assert f"account {PAYMENTS} is listed in raw/accounts.json and has no row" in faults
    assert "account 000000000017 has 2 rows" in faults


@pytest.mark.parametrize(
    ("account", "outcome", "words"),
    [
        ("999999999999", "collected", "is missing"),
        ("444444444444", "collected", "it is not-active"),
        (PAYMENTS, "excluded", "the settings do not leave it out"),
        (PAYMENTS, "fine", "its outcome is 'fine'"),
    ],
)
def test_an_outcome_that_the_raw_answers_do_not_bear_out_is_named(run, account, outcome, words):
    """
    An account that nobody read is not collected, whatever the table says.
    """

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame["outcome"] = frame["outcome"].astype("str")
        frame.loc[frame["account_id"] == account, "outcome"] = outcome
        return frame

    rewrite(run / "tables/accounts.parquet", change)

    faults = failed(take(run, 5))["accounts"]

    assert f"account {account}" in faults
    assert words in faults


def test_answers_of_an_account_that_nobody_listed_are_named(run):
    """
    A folder of a stranger, sealed with the run.
    """
    shutil.copytree(run / f"raw/{PAYMENTS}", run / "raw/123123123123")
    seal_again(run)

    assert "raw/123123123123: holds answers of an account that" in failed(take(run))["accounts"]


def test_a_report_of_another_account_is_an_outcome(run):
    """
    Derived again, an account whose report is another's was not collected, and has no rows.
    """
    shutil.copy(run / "raw/111111111111/credential-report.csv", run / REPORT)
    derive_again(run)
    seal_again(run)
    list_again(run)

    steps = take(run)

    assert failed(steps) == {}
    accounts = StoredRun(run).accounts().set_index("account_id")
    assert accounts.loc[PAYMENTS, "reason_code"] == "wrong-account"


def test_a_report_of_another_account_that_counts_is_named(run):
    """
    The tables still say that the account was collected.
    """
    shutil.copy(run / "raw/111111111111/credential-report.csv", run / REPORT)

    faults = failed(take(run, 6))["raw reports"]

    assert (
        f"{REPORT}: belongs to another account, and account {PAYMENTS} counts as collected"
        in faults
    )


def test_rows_of_another_account_are_named(run):
    """
    A user under an account that is not the one in the ARN.
    """
    rewrite(run / "tables/users.parquet", set_value("account_id", PAYMENTS))

    faults = failed(take(run, 6))["raw reports"]

    assert f"1 rows of account {PAYMENTS} carry ARNs of another account" in faults
    assert "has 2 rows of account 000000000017, and 3 were read" in faults


def test_the_first_difference_of_a_table_is_named(run):
    """
    Table, row, account and column, with both values.
    """
    rewrite(run / "tables/findings.parquet", set_value("observation", "nothing to see"))

    (fault,) = failed(take(run, 7))["tables"].splitlines()

    assert fault.startswith(
        f"tables/findings.parquet: row 2 (account {PAYMENTS}): observation is 'nothing"
    )


def test_tables_that_another_pyarrow_wrote_are_compared_by_content(run):
    """
    Equal rows in other bytes are the same table, and it is said.
    """
    table = run / "tables/users.parquet"
    pq.write_table(pq.read_table(table), table, compression="snappy", row_group_size=3)
    seal_again(run)
    list_again(run)

    steps = take(run, 8)

    assert failed(steps) == {}
    assert "tables/users.parquet equal in content and not in bytes" in steps[6].said


def test_a_column_that_is_not_derived_is_named(run):
    """
    One more column, and one of another kind.
    """
    table = pq.read_table(run / "tables/controls.parquet")
    pq.write_table(table.append_column("x", [[1] * len(table)]), run / "tables/controls.parquet")
    history = pq.read_table(run / "tables/history.parquet")
    pq.write_table(
        history.cast(
            pa.schema(
                [
                    f if f.name != "user" else pa.field("user", pa.large_string())
                    for f in history.schema
                ]
            )
        ),
        run / "tables/history.parquet",
    )

    faults = failed(take(run, 7))["tables"]

    assert "tables/controls.parquet: has a column x" in faults
    assert (
        "tables/history.parquet: is no table that can be read: column 'user' holds large_string"
        in faults
    )


def test_the_first_field_of_the_summary_that_differs_is_named(run):
    """
    A number in the totals, with what it should be.
    """
    edit(
        run / "summary.json",
        lambda content: content.replace(b'"console_without_mfa": ', b'"console_without_mfa": 1'),
    )

    assert "summary.json: users.console_without_mfa is 1" in failed(take(run, 7))["tables"]


def test_totals_that_do_not_tie_out_are_named(run):
    """
    More accounts listed than have an outcome.
    """
    summary = json.loads((run / "summary.json").read_bytes())
    summary["accounts"]["listed"] += 1
    summary["findings"] -= 1
    (run / "summary.json").write_text(json.dumps(summary))

    faults = failed(take(run, 8))["totals"]

    assert "accounts are listed, but" in faults
    assert "tables/findings.parquet: has" in faults
    assert "manifest.json: totals is not what summary.json says" in faults


def derive_sample(run: Path) -> Path:
    folder = run / "derived" / "20261125T100000Z"
    folder.mkdir(parents=True)
    (folder / "sample.csv").write_bytes(b"item\r\n")
    seal_derived(folder, run, {"kind": "sample"})
    return folder


def test_what_was_derived_later_stands_the_same_tests(run):
    """
    A sample is whole; then it is altered, added to, and passed off as another run's.
    """
    folder = derive_sample(run)
    assert failed(take(run)) == {}
    (folder / "note.txt").write_text("more")
    edit(folder / "sample.csv", lambda content: content + b"x")
    manifest = folder / "manifest.json"
    edit(manifest, lambda content: content.replace(b'"run_id":"2026', b'"run_id":"2025'))

    faults = failed(take(run))["derived later"]

    place = "derived/20261125T100000Z"
    assert f"{place}/note.txt: is listed nowhere" in faults
    assert f"{place}/sample.csv: has" in faults
    assert f"{place}/SHA256SUMS: line 2 is not" in faults
    assert f"{place}/manifest.json: does not name this run" in faults


def judge_later(run: Path) -> Path:
    """
    Judge a run again, without its acceptances, as `orgproof render` does.
    """
    folder = run / "derived" / "20261125T110000Z"
    shutil.copytree(run / "inputs", folder / "inputs")
    (folder / "inputs" / "acceptances.yaml").unlink()
    stored = StoredRun(run)
    seal, run_id = stored.manifest_sha256, stored.summary.run_id
    summary = derive_tables(folder, raw=run / "raw", parent=seal, run_id=run_id)
    (folder / "summary.json").write_bytes(encode(summary))
    seal_derived(folder, run, {"kind": "judgement"})
    return draw(folder, ("csv",))


def test_a_later_judgement_is_derived_again_too(run):
    """
    Its tables follow from the run's raw reports and its own inputs, or the step names the first that do not.
    """
    folder = judge_later(run)
    assert failed(take(run, read_documents=Readback)) == {}
    rewrite(folder / "tables/findings.parquet", set_value("verdict", "pass"))
    edit(folder / "reports/controls.csv", lambda content: content[:-3] + b"!" + content[-2:])
    for name in ("manifest.json", "SHA256SUMS"):
        (folder / name).unlink()
    files = list_files(folder, ["inputs", "tables", "summary.json"])
    about = {
        "run_id": StoredRun(run).summary.run_id,
        "manifest_sha256": StoredRun(run).manifest_sha256,
    }
    manifest = write_manifest({"format": 1, "kind": "judgement", "run": about}, files)
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "SHA256SUMS").write_bytes(list_sums(files, manifest))
    list_again(folder)

    faults = failed(take(run, read_documents=Readback))

    assert faults.keys() == {"derived later"}
    place = "derived/20261125T110000Z"
    assert (
        f"{place}/tables/findings.parquet: row 2 (account {PAYMENTS}): verdict is 'pass'"
        in (faults["derived later"])
    )
    assert f"{place}/reports/controls.csv: line" in faults["derived later"]


def test_loose_files_and_folders_without_a_manifest_are_not_derived(run):
    """
    What lies in derived/ has a manifest of its own, or does not belong there.
    """
    (run / "derived" / "x").mkdir(parents=True)
    (run / "derived" / "y.txt").write_text("y")

    faults = failed(take(run))["derived later"]

    assert "derived/y.txt: lies in no folder that has a manifest" in faults
    assert "derived/x/manifest.json: is missing" in faults


BAD_PATHS = {
    "/etc/passwd": "an absolute path",
    "../summary.json": "a path that leads elsewhere",
    "raw/../../x": "a path that leads elsewhere",
    "raw//x": "a path that leads elsewhere",
    "raw/./x": "a path that leads elsewhere",
    "raw\\x": "with a backslash",
    "raw/\x1b[2J": "a name that orgproof never gives",
    "raw/" + "x" * 300: "a name that orgproof never gives",
    "x/" * 12 + "x": "a name that orgproof never gives",
    "reports/x.pdf": "no place for evidence",
    "manifest.json": "no place for evidence",
    "RAW/accounts.json": "no place for evidence",
    "raw/Accounts.json": "are one file where case does not count",
    "raw/accounts.json": "twice",
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: repr(path[:20]))
def test_a_path_in_the_manifest_that_leads_elsewhere_is_refused(small, path):
    """
    Absolute paths, parents, backslashes, control characters, duplicates and case twins: named, never followed.
    """
    manifest = json.loads((small / "manifest.json").read_bytes())
    manifest["files"].append({"path": path, "sha256": "0" * 64, "size": 1})
    (small / "manifest.json").write_text(json.dumps(manifest))

    faults = failed(take(small, 1))["files and hashes"]

    assert BAD_PATHS[path] in faults


def test_a_document_that_is_listed_elsewhere_is_refused(small):
    """
    documents.json may list what lies in reports/ and nothing else.
    """
    listed = json.loads((small / "documents.json").read_bytes())
    listed["documents"][0]["path"] = "reports/../../../x"
    (small / "documents.json").write_text(json.dumps(listed))

    faults = failed(take(small, 1))["files and hashes"]

    assert "documents.json: lists reports/../../../x, a path that leads elsewhere" in faults
    assert "documents.json: was changed, for its checksum is another" in faults


HOSTILE_CONTENT = {
    "nothing": b"",
    "nested": b"[" * 200_000,
    "nested objects": b'{"a":' * 100_000,
    "no text": b"\xff\xfe\x00",
    "a number of a million digits": b'{"format":' + b"9" * 1_000_000 + b"}",
    "not a number": b'{"format":NaN}',
    "another kind": b"[1,2,3]",
    "a key twice": b'{"files":[],"files":[],"format":1}',
    "files that are none": b'{"files":[1,null,{"path":1},{"path":"a","size":-1,"sha256":"x"}]}',
    "half a surrogate pair": b'{"files":[{"path":"raw/\\ud800","sha256":"0","size":1}]}',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("path", "content"),
    [
        *(("manifest.json", content) for content in HOSTILE_CONTENT),
        *(("documents.json", content) for content in HOSTILE_CONTENT),
        ("summary.json", "nested objects"),
        ("summary.json", "another kind"),
        ("raw/accounts.json", "nested"),
        ("raw/accounts.json", "another kind"),
        ("raw/organization.json", "files that are none"),
        (f"raw/{PAYMENTS}/outcome-1.json", "a number of a million digits"),
        ("inputs/settings.json", "no text"),
        ("inputs/frameworks/house-1.0.yaml", "nested"),
        ("inputs/acceptances.yaml", "nested objects"),
    ],
)
def test_damaged_json_fails_steps_and_breaks_nothing(small, path, content):
    """
    Whatever stands in a JSON file: the step that reads it fails and names it, and no error gets out.
    """
    (small / path).write_bytes(HOSTILE_CONTENT[content])

    steps = take(small, None if "/" in path or path == "summary.json" else 4)

    assert path in failed(steps)["files and hashes"]
    lines = [line for step in steps for line in describe_step(step)]
    assert all(len(line) < 2_000 for line in lines)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("tables/accounts.parquet", "garbage"),
        ("tables/accounts.parquet", "rows"),
        ("tables/users.parquet", "cut"),
        ("inputs/previous/history.parquet", "text"),
        ("inputs/previous/history.parquet", "rows"),
        ("inputs/previous/accounts.parquet", "garbage"),
    ],
)
def test_a_table_that_is_none_fails_steps_and_breaks_nothing(small, path, how):
    """
    Garbage between the right marks, half a table, another table: a failed step, and no error gets out.
    """
    table = small / path
    content = table.read_bytes()
    match how:
        case "garbage":
            table.write_bytes(b"PAR1" + os.urandom(2_000) + b"PAR1")
        case "cut":
            table.write_bytes(content[: len(content) // 2])
        case "text":
            table.write_bytes(b"account_id\n")
        case _:
            pq.write_table(pa.table({"account_id": [1, 2], "x": [None, None]}), table)

    assert "tables" in failed(take(small))


@pytest.mark.timeout(60)
def test_a_table_that_unfolds_to_a_billion_rows_is_refused(small):
    """
    A few kilobytes that would be gigabytes in memory are read by a process with limits, and refused.
    """
    word = pa.array(["x" * 1_000_000])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), word)
    pq.write_table(pa.table({"account_id": column}), small / "tables/users.parquet")

    faults = failed(take(small, 7))

    assert "tables/users.parquet" in faults["tables"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("where", ["raw", "inputs", "", "reports", "derived", f"raw/{PAYMENTS}"])
def test_pipes_links_and_sockets_are_never_opened(small, where):
    """
    A named pipe would wait for ever, and a link may lead anywhere: both are named, and nothing is read.
    """
    place = small / where
    place.mkdir(exist_ok=True)
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("/dev/zero")
    (place / "folder").symlink_to("/")

    steps = take(small)

    faults = "\n".join(failed(steps).values())
    if where != "derived":
        assert f"{place / 'pipe'}".removeprefix(f"{small}/") + ": is a named pipe" in faults
        assert f"{place / 'link'}".removeprefix(f"{small}/") + ": is a link" in faults
    assert {step.result for step in steps[4:9]} == {Result.SKIPPED}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "summary.json",
        REPORT,
        "raw/accounts.json",
        "SHA256SUMS",
        "manifest.dsse.json",
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_never_opened(small, path):
    """
    Of the right name, and still no file.
    """
    (small / path).unlink(missing_ok=True)
    os.mkfifo(small / path)

    assert f"{path}: is a named pipe" in "\n".join(failed(take(small)).values())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "path",
    [
        "manifest.json",
        "raw/accounts.json",
        REPORT,
        "inputs/acceptances.yaml",
        f"raw/{PAYMENTS}/live/x.json",
    ],
)
def test_an_absurdly_large_file_is_refused_unopened(small, path):
    """
    A terabyte that takes no room on the disk.
    """
    with (small / path).open("ab") as file:
        file.truncate(2**40)

    steps = take(small)

    assert (
        f"{path}: has 1,099,511,627,776 bytes, more than evidence can have"
        in failed(steps)["nothing extra"]
    )
    assert steps[6].result is Result.SKIPPED


def test_a_manifest_can_be_the_only_thing_there(tmp_path):
    """
    An empty folder, and one with a manifest alone, fail, and name what is missing.
    """
    empty = failed(take(tmp_path))
    (tmp_path / "manifest.json").write_text("{}")
    alone = failed(take(tmp_path))

    assert "manifest.json: is missing" in empty["files and hashes"]
    assert "manifest.json: lists no files" in alone["files and hashes"]
    assert "SHA256SUMS: is missing" in alone["files and hashes"]
    assert "documents.json: is missing" in alone["files and hashes"]


def test_a_folder_or_key_that_cannot_be_used_is_a_wrong_command(run, tmp_path):
    """
    Nothing can be said of the evidence then.
    """
    with pytest.raises(SettingsError, match="cannot be read"):
        next(verify_run(tmp_path / "nowhere"))
    with pytest.raises(SettingsError, match="the public key"):
        next(verify_run(run, public_key=b"no key"))


OFFLINE = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.bind", "os.system"}:
        raise SystemExit(f"no {event} here")
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"boto3", "botocore", "tenacity", "weasyprint"}:
            raise SystemExit(f"no {name} here")
sys.addaudithook(refuse)
sys.meta_path.insert(0, Refuse())
from scanner.cli import main
main()
"""


@pytest.fixture(name="verify")
def run_verify(tmp_path: Path) -> Callable[..., object]:
    def verify(*arguments: object) -> object:
        return run_command(
            tmp_path, "verify", *map(str, arguments), program=("-c", OFFLINE), alone=True
        )

    return verify


def test_the_command_needs_no_network_and_no_aws_library(verify, run, before):
    """
    Each step is printed with its result, then what was not shown, then the outcome. The status is 0.
    """
    done = verify(run, "--previous", before)

    assert (done.status, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[:13] for line in lines[:3]] == [" 1. ok       ", " 2. ok       ", " 3. skipped  "]
    assert lines[-1] == "this evidence verifies (skipped: signature, derived later)"
    assert "compliant" not in done.stdout


def test_the_command_ends_with_status_4_where_evidence_does_not_verify(verify, run):
    """
    The step says FAILED and names the file on one line, whatever it is called.
    """
    (run / "raw" / "x\n\x1b[2Jy").write_bytes(b"")

    done = verify(run)

    assert done.status == 4
    assert (
        " 2. FAILED   nothing extra\n             raw/x\ufffd\ufffd[2Jy: is listed nowhere"
        in done.stdout
    )
    assert done.stdout.splitlines()[-1] == "this evidence does NOT verify: see step 2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["RUN", "--previous", "nowhere"],
        ["RUN", "--public-key", "nowhere.pem"],
        ["RUN", "--public-key", "key.pem"],
        ["RUN", "--public-key", "."],
        ["RUN", "--public-key", "/dev/zero"],
    ],
    ids=" ".join,
)
def test_the_command_ends_with_status_2_where_it_is_wrong(whole, tmp_path, monkeypatch, arguments):
    """
    A folder that does not exist, and a key file that cannot be read or is none.
    """
    monkeypatch.chdir(tmp_path)
    Path("key.pem").write_text("no key")
    given = [str(whole[0]) if word == "RUN" else word for word in arguments]

    assert CliRunner().invoke(app, ["verify", *given]).exit_code == 2
