import csv
import hashlib
import json
import re
import shutil
import subprocess
import sys

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import clean_environment

from scanner.errors import EvidenceError
from scanner.evidence.derived import seal_derived
from scanner.evidence.store import write_file
from scanner.simulator import (
    NO_FAULTS,
    Fault,
    FaultKind,
    FaultPlan,
    Simulator,
    build_hostile,
    build_world,
)

pytestmark = pytest.mark.functional

DRAWN = ("sample.csv", "sample.json", "sample.xlsx")


def scan(output, world, plan=NO_FAULTS):
    """
    Scan a simulated organization and return the run folder.
    """
    with Simulator(world, plan, report_seconds=0.2) as simulator:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "scanner", "scan", "--endpoint-url", simulator.url),
                *("--output", str(output), "--format", "json", "--period", "2026-Q4"),
            ],
            env={**clean_environment(), **simulator.environment()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode in {1, 3}, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def ordinary_run(tmp_path_factory):
    """
    Thirty accounts, of which one cannot be read.
    """
    world = build_world(accounts=30, users=9, seed=5)
    plan = FaultPlan((Fault(FaultKind.ROLE_MISSING, account=world.accounts[3].id),))
    return scan(tmp_path_factory.mktemp("ordinary"), world, plan)


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    """
    Accounts, OUs and users with hostile names; some reports quote every field, and one has a column more.
    """
    world = build_hostile()
    kinds = (FaultKind.CSV_QUOTED, FaultKind.CSV_QUOTED, FaultKind.CSV_EXTRA_COLUMN)
    faults = zip(kinds, world.accounts[1:], strict=False)
    plan = FaultPlan(tuple(Fault(kind, account=account.id) for kind, account in faults))
    return scan(tmp_path_factory.mktemp("hostile"), world, plan)


@pytest.fixture
def folder(ordinary_run, tmp_path):
    """
    Copy the ordinary run, so that a test may do with it as it likes.
    """
    return shutil.copytree(ordinary_run, tmp_path / "run")


@pytest.fixture
def hostile(hostile_run, tmp_path):
    return shutil.copytree(hostile_run, tmp_path / "run")


def draw(command, folder, *arguments):
    done = command("sample", str(folder), *arguments)
    assert done.status == 0, done.stderr
    return done


def read_record(done):
    return json.loads((done.folder / "sample.json").read_bytes())


def read_rows(done):
    with (done.folder / "sample.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def hash_files(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def seal_again(folder):
    """
    Make manifest, sums and document list agree with what the files hold now, as a forger would.
    """
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for entry in manifest["files"]:
        content = (folder / entry["path"]).read_bytes()
        entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sealed = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{sealed}  manifest.json\n")
    documents = json.loads((folder / "documents.json").read_bytes())
    (folder / "documents.json").write_text(json.dumps(documents | {"manifest_sha256": sealed}))


def test_the_same_seed_draws_the_same_files(command, folder):
    """
    Drawn twice, the three files are the same bytes, in two folders of their own.
    """
    first = draw(command, folder, "--size", "25", "--seed", "7", "--stratify", "ou")
    second = draw(command, folder, "--size", "25", "--seed", "7", "--stratify", "ou")

    assert first.folder != second.folder
    for name in DRAWN:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes(), name


def test_another_seed_draws_another_sample(command, folder):
    """
    The seed is what decides.
    """
    first, second = (
        {item["arn"] for item in read_record(draw(command, folder, "--seed", seed))["items"]}
        for seed in ("7", "-7")
    )

    assert len(first) == len(second) == 25
    assert first != second


@pytest.mark.parametrize("strata", [None, "ou", "account", "verdict"])
@pytest.mark.parametrize("which", ["folder", "hostile"])
def test_every_item_can_be_tested_again_by_hand(command, request, which, strata):
    """
    It takes no more than `sha256sum` and `sed`.

    The file has the hash, the line is the user's, the rank follows from seed and ARN, and the line's
    values give the verdict that is to be tested.
    """
    run = request.getfixturevalue(which)
    chosen = ("--stratify", strata) if strata else ()
    done = draw(command, run, "--size", "60", "--seed", "11", *chosen)

    items = read_record(done)["items"]

    assert len({item["arn"] for item in items}) == 60
    assert [item["item"] for item in items] == list(range(1, 61))
    for item in items:
        assert item["raw_file"] == f"raw/{item['account_id']}/credential-report.csv"
        printed = subprocess.run(
            ["sha256sum", item["raw_file"]], cwd=run, capture_output=True, text=True, check=True
        )
        assert printed.stdout.split()[0] == item["report_sha256"]
        header, line = (
            next(csv.reader([sed(run / item["raw_file"], number)])) for number in (1, item["line"])
        )
        row = dict(zip(header, line, strict=True))
        assert (row["user"], row["arn"]) == (item["user"], item["arn"])
        assert item["values"] == {name: row[name] for name in ("password_enabled", "mfa_active")}
        assert item["verdict"] == judge(row)
        assert item["rank"] == hashlib.sha256(f"11\n{item['arn']}".encode()).hexdigest()


def sed(path, number):
    printed = subprocess.run(["sed", "-n", f"{number}p", path], capture_output=True, check=True)
    return printed.stdout.decode().rstrip("\r\n")


def judge(row):
    if row["user"] == "<root_account>" or row["password_enabled"] == "false":
        return "not-applicable"
    return {"true": "pass", "false": "fail"}[row["mfa_active"]]


@pytest.mark.parametrize("strata", ["ou", "account", "verdict"])
def test_strata_add_up(command, folder, strata):
    """
    The strata's rows are the population, their items the sample, and what was drawn is printed.
    """
    done = draw(command, folder, "--size", "40", "--seed", "3", "--stratify", strata)
    record = read_record(done)

    assert sum(part["rows"] for part in record["strata"]) == record["population"]
    assert sum(part["drawn"] for part in record["strata"]) == record["size_drawn"] == 40
    assert all(part["drawn"] for part in record["strata"])
    for part in record["strata"]:
        items = [item for item in record["items"] if item["stratum"] == part["name"]]
        assert len(items) == part["drawn"]
    first = record["strata"][0]
    assert f"stratum {first['name']}: {first['drawn']} of {first['rows']}" in done.stdout
    assert ("and 9 more strata" in done.stdout) == (strata == "account")


def test_the_record_says_how_it_was_drawn(command, folder):
    """
    Seed, size, population, check and seal are in it, and which accounts the population leaves out.
    """
    done = draw(command, folder, "--size", "10", "--seed", "7")
    record = read_record(done)
    summary = json.loads((folder / "summary.json").read_bytes())

    assert record["kind"] == "sample"
    assert (record["size_asked"], record["size_drawn"]) == (10, 10)
    assert (record["seed"], record["seed_source"], record["stratified_by"]) == (7, "given", None)
    assert record["population"] == summary["users"]["users"] + summary["users"]["roots"]
    assert record["accounts"] == summary["accounts"]
    assert record["check"]["name"] == "console-no-mfa"
    assert record["manifest_sha256"] == hash_files(folder)["manifest.json"]
    assert record["run_id"] == summary["run_id"]
    assert "1 account could not be read, and nobody there could be drawn" in done.stdout
    assert f"10 items of {record['population']} rows" in done.stdout
    assert "seed: 7, given by whoever drew the sample" in done.stdout


def test_without_a_seed_the_seal_gives_one(command, folder):
    """
    Nobody chose it: it is the first eight hex digits of the manifest's hash, and the output says so.
    """
    done = draw(command, folder)
    record = read_record(done)

    assert record["seed"] == int(hash_files(folder)["manifest.json"][:8], 16)
    assert record["seed_source"] == "seal"
    assert f"seed: {record['seed']}, the first eight hex digits of the run's seal" in done.stdout


def test_a_sample_larger_than_the_population_is_all_of_it(command, folder):
    """
    Then everybody is drawn, and it is said that more were asked for.
    """
    done = draw(command, folder, "--size", "5000", "--seed", "7", "--stratify", "account")
    record = read_record(done)

    assert record["size_asked"] == 5000
    assert record["size_drawn"] == len(record["items"]) == record["population"]
    assert "the whole population: 5,000 were asked for" in done.stdout
    assert "5,000 items were asked for, so the whole population" in record["method"][-1]


@pytest.mark.parametrize(
    ("check", "columns"),
    [
        ("root-access-key-active", 2),
        ("access-key-unused:days=90,operator=more-than", 6),
        ("extra-credentials", 0),
    ],
)
def test_another_check_has_its_own_columns(command, folder, check, columns):
    """
    The values are those of the columns that the check reads.
    """
    done = draw(command, folder, "--check", check, "--seed", "1", "--stratify", "verdict")
    record, rows = read_record(done), read_rows(done)

    assert record["check"]["name"] == check
    assert len(record["check"]["columns"]) == columns
    assert set(record["check"]["columns"]) <= set(rows[0])
    assert {row["check"] for row in rows} == {check}
    assert {row["stratum"] for row in rows} == {row["verdict"] for row in rows}
    assert len(rows) == 25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", "0"), "--size"),
        (("--size", "-1"), "--size"),
        (("--size", "many"), "--size"),
        (("--seed", "lucky"), "--seed"),
        (("--seed", "1.5"), "--seed"),
        (("--stratify", "region"), "--stratify"),
        (("--check", "console-nomfa"), " console-no-mfa,"),
        (("--check", "mfa_active"), " console-no-mfa,"),
        (("--check", ""), " console-no-mfa,"),
    ],
)
def test_a_wrong_order_is_status_2(command, folder, arguments, words):
    """
    A size below one, a seed that is no whole number, or a check that the run does not have draws nothing.
    """
    done = command("sample", str(folder), *arguments)

    assert done.status == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "derived").exists()


def test_a_check_about_accounts_has_no_sample_of_users(command, folder):
    """
    What it judges are accounts, so there is no row of a user to draw.
    """
    done = command("sample", str(folder), "--check", "account-not-collected")

    assert done.status == 2
    assert "no check of users called account-not-collected" in done.stderr


def test_a_folder_that_is_no_run_is_status_2(command, tmp_path):
    """
    As for `render`: the message names the folder.
    """
    done = command("sample", str(tmp_path))

    assert done.status == 2
    assert str(tmp_path) in done.stderr


def test_what_was_derived_from_a_run_is_no_run_to_draw_from(command, folder):
    """
    A judgement made later has tables and a seal of its own, but the raw reports are the run's.
    """
    later = shutil.copytree(folder, folder / "derived" / "later")
    manifest = json.loads((later / "manifest.json").read_bytes())
    manifest["files"] = [e for e in manifest["files"] if not e["path"].startswith("raw/")]
    (later / "manifest.json").write_text(json.dumps(manifest))
    seal_again(later)

    done = command("sample", str(later))

    assert done.status == 2
    assert "draw from the run that it was derived from" in done.stderr


def test_there_must_be_somebody_to_draw_from(command, tmp_path):
    """
    A run that read no account has no sample: an empty one could be taken for a clean one.
    """
    world = build_world(accounts=2, users=2, seed=1)
    plan = FaultPlan((Fault(FaultKind.ACTION_DENIED, operation="iam:GetCredentialReport"),))
    folder = scan(tmp_path, world, plan)

    done = command("sample", folder)

    assert done.status == 2
    assert "no account was read, so there is nobody to draw from" in done.stderr


def pick(folder):
    """
    Return the raw report of some account that was read.
    """
    return sorted((folder / "raw").glob("*/credential-report.csv"))[0]


@pytest.mark.parametrize(
    "name", ["summary.json", "tables/users.parquet", "tables/accounts.parquet", "manifest.json"]
)
def test_nothing_is_drawn_from_altered_evidence(command, folder, name):
    """
    A table, the totals or the seal were changed: status 4, and no folder is left behind.
    """
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")

    done = command("sample", str(folder))

    assert done.status == 4
    assert str(folder) in done.stderr
    assert not (folder / "derived").exists()


def test_an_altered_raw_report_is_found(command, folder):
    """
    A report that an item lies in is not the one that was sealed: status 4, and it is named.
    """
    path = pick(folder)
    path.write_bytes(path.read_bytes().replace(b"false", b"true", 1))

    done = command("sample", str(folder), "--size", "5000")

    assert done.status == 4
    assert f"{path}: is not the file that was sealed" in done.stderr
    assert not (folder / "derived").exists()


def test_a_raw_report_sealed_anew_is_found(command, folder):
    """
    Even when the manifest was made to agree, the accounts table still holds the hash of the right one.
    """
    path = pick(folder)
    path.write_bytes(path.read_bytes().replace(b"false", b"true", 1))
    seal_again(folder)

    done = command("sample", str(folder), "--size", "5000")

    assert done.status == 4
    assert "is not the report whose hash accounts.parquet holds" in done.stderr


def test_a_raw_report_that_the_manifest_lacks_is_found(command, folder):
    """
    What the seal does not cover is no evidence.
    """
    manifest = json.loads((folder / "manifest.json").read_bytes())
    name = pick(folder).relative_to(folder).as_posix()
    manifest["files"] = [entry for entry in manifest["files"] if entry["path"] != name]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    seal_again(folder)

    done = command("sample", str(folder), "--size", "5000")

    assert done.status == 4
    assert f"manifest.json does not list {name}" in done.stderr


def test_totals_that_do_not_fit_the_table_are_found(command, folder):
    """
    The population is held against the totals that every document prints.
    """
    summary = json.loads((folder / "summary.json").read_bytes())
    for check in summary["checks"]:
        check["rows"] += 1
    (folder / "summary.json").write_text(json.dumps(summary))
    seal_again(folder)

    done = command("sample", str(folder))

    assert done.status == 4
    assert re.search(r"users\.parquet has \d+ rows, and summary\.json counts \d+", done.stderr)


def rename_a_user(table):
    arns = table["arn"].to_pylist()
    index = table.column_names.index("arn")
    return table.set_column(index, "arn", [[*arns[:-1], f"{arns[-1]}-2"]])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("users", rename_a_user, "whom users.parquet lists"),
        ("accounts", lambda table: table.slice(0, 0), "an account that accounts.parquet lacks"),
        (
            "accounts",
            lambda table: pa.concat_tables([table, table.slice(0, 1)]),
            "accounts.parquet names an account twice",
        ),
    ],
    ids=["a user nobody reported", "no accounts", "an account twice"],
)
def test_tables_sealed_anew_that_contradict_the_reports_are_found(
    command, folder, name, change, words
):
    """
    Even when the manifest was made to agree, an item without a line in a raw report is no item.
    """
    path = folder / "tables" / f"{name}.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    seal_again(folder)

    done = command("sample", str(folder), "--size", "5000")

    assert done.status == 4
    assert words in done.stderr
    assert not (folder / "derived").exists()


def test_the_run_itself_does_not_change(command, folder):
    """
    Everything that is added lies under `derived/`, for the owner alone.
    """
    before = hash_files(folder)

    done = draw(command, folder, "--seed", "7")

    after = {name: sha for name, sha in hash_files(folder).items() if "derived/" not in name}
    assert after == before
    assert done.folder.parent == folder / "derived"
    assert {path.name for path in done.folder.iterdir()} == {
        *DRAWN,
        "manifest.json",
        "SHA256SUMS",
    }
    assert {oct(path.stat().st_mode & 0o777) for path in done.folder.iterdir()} == {"0o600"}
    assert oct(done.folder.stat().st_mode & 0o777) == "0o700"


def test_the_sample_is_sealed_and_names_its_run(command, folder):
    """
    `sha256sum -c` accepts it, and its manifest names the run by id and seal, and says when it was drawn.
    """
    done = draw(command, folder, "--seed", "7")

    check = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=done.folder, capture_output=True, check=False
    )
    manifest = json.loads((done.folder / "manifest.json").read_bytes())
    sealed = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert check.returncode == 0, check.stdout
    assert check.stdout.count(b": OK") == 4
    assert manifest["kind"] == "sample"
    assert manifest["run"]["manifest_sha256"] == sealed
    assert manifest["run"]["run_id"] == read_record(done)["run_id"]
    assert re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest["made"])
    assert [entry["path"] for entry in manifest["files"]] == list(DRAWN)


def test_the_csv_holds_the_record_and_no_formula(command, hostile):
    """
    One line for each item whatever the names, no field that computes, and the figures of sample.json.
    """
    done = draw(command, hostile, "--size", "5000", "--stratify", "ou")
    items, rows = read_record(done)["items"], read_rows(done)
    content = (done.folder / "sample.csv").read_bytes()

    assert len(rows) == len(items) > 100
    assert len(content.splitlines()) == len(rows) + 1
    assert content.startswith(b'\xef\xbb\xbf"item","account_id",')
    fields = [field for row in rows for field in row.values()]
    assert not [field for field in fields if re.match(r"\s*[=+\-@]", field)]
    for name in ("account_id", "raw_file", "report_sha256", "rank", "verdict", "generated_time"):
        assert [row[name] for row in rows] == [item[name] for item in items]
    assert [int(row["line"]) for row in rows] == [item["line"] for item in items]
    assert "smith,john" in {row["user"] for row in rows}


def test_what_is_printed_of_names_stays_on_its_line(command, hostile):
    """
    OU names are the audited people's: no control character reaches the terminal.
    """
    done = draw(command, hostile, "--size", "25", "--stratify", "ou")

    assert done.stdout.replace("\n", "").isprintable()
    strata = [line for line in done.stdout.splitlines() if line.startswith("stratum ")]
    assert len(strata) == len(read_record(done)["strata"])


def test_the_workbook_holds_the_sample_as_a_table(command, hostile):
    """
    A sheet that says how, the sample and its strata as Excel tables, and no cell that computes.
    """
    done = draw(command, hostile, "--size", "30", "--seed", "7", "--stratify", "verdict")
    workbook = openpyxl.load_workbook(done.folder / "sample.xlsx")
    record, rows = read_record(done), read_rows(done)

    assert workbook.sheetnames == ["Method", "Sample", "Strata"]
    sheet = workbook["Sample"]
    (table,) = sheet.tables.values()
    assert (table.name, table.ref) == ("tblSample", sheet.dimensions)
    assert [cell.value for cell in sheet[1]] == list(rows[0])
    assert [row[0].value for row in sheet.iter_rows(min_row=2)] == list(range(1, 31))
    strata = list(workbook["Strata"].iter_rows(min_row=2, values_only=True))
    assert strata == [(part["name"], part["rows"], part["drawn"]) for part in record["strata"]]
    kinds = {cell.data_type for each in workbook for row in each.iter_rows() for cell in row}
    assert not kinds & {"f", "e"}


def test_the_workbook_says_how_to_do_it_again(command, folder):
    """
    The first sheet gives the condition, the commands for the first item, and the draw, marked INCOMPLETE.
    """
    done = draw(command, folder, "--size", "30", "--seed", "7")
    workbook = openpyxl.load_workbook(done.folder / "sample.xlsx")
    first = read_record(done)["items"][0]

    rows = workbook["Method"].iter_rows(max_col=2, values_only=True)
    pairs = {str(label): str(text) for label, text in rows}

    assert workbook.sheetnames == ["Method", "Sample"]
    assert any(label.startswith("INCOMPLETE: 1 of 30 accounts") for label in pairs)
    assert first["report_sha256"] in pairs[f"sha256sum {first['raw_file']}"]
    assert f"sed -n {first['line']}p {first['raw_file']}" in pairs
    assert "password_enabled true and mfa_active false" in pairs["An exception is noted for"]
    assert pairs["Seed"] == "7, given by whoever drew the sample"
    assert "--size 30 --check console-no-mfa --seed 7" in pairs["Draw it again"]
    assert not re.search(r"compliant|certified|passed pci", str(pairs).lower())


@pytest.fixture
def sealed(tmp_path):
    """
    Write the least that is a sealed run, and a folder of files derived from it.
    """
    run = tmp_path / "run"
    write_file(run / "manifest.json", b'{"run_id": "20261124T101500Z", "files": []}\n')
    folder = run / "derived" / "20270101T000000Z"
    write_file(folder / "notes.txt", b"one")
    write_file(folder / "tables" / "users.parquet", b"two")
    return run, folder


def test_a_derived_manifest_lists_every_file(sealed):
    """
    Files in folders are listed too, with size and hash, beside what the caller says.
    """
    run, folder = sealed

    seal_derived(folder, run, {"kind": "judgement", "because": ["a new catalog"]})

    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["kind"] == "judgement"
    assert manifest["because"] == ["a new catalog"]
    assert manifest["run"] == {
        "run_id": "20261124T101500Z",
        "manifest_sha256": hash_files(run)["manifest.json"],
    }
    assert manifest["files"] == [
        {"path": "notes.txt", "sha256": hashlib.sha256(b"one").hexdigest(), "size": 3},
        {"path": "tables/users.parquet", "sha256": hashlib.sha256(b"two").hexdigest(), "size": 3},
    ]


def test_a_derived_folder_is_sealed_once(sealed):
    """
    A second seal would hide what was changed after the first.
    """
    run, folder = sealed
    seal_derived(folder, run, {"kind": "sample"})

    with pytest.raises(EvidenceError, match="is sealed already"):
        seal_derived(folder, run, {"kind": "sample"})


@pytest.mark.parametrize("name", ["run", "files", "format"])
def test_facts_cannot_pose_as_the_manifests_own(sealed, name):
    """
    Which run it was derived from, and which files there are, is never the caller's to say.
    """
    run, folder = sealed

    with pytest.raises(ValueError, match=name):
        seal_derived(folder, run, {name: "mine"})

    assert not (folder / "manifest.json").exists()


@pytest.mark.parametrize("manifest", [None, b"[]", b"{}", b"not JSON"])
def test_what_is_derived_must_have_a_sealed_run(sealed, manifest):
    """
    Without a run whose manifest can be read there is nothing to name.
    """
    run, folder = sealed
    (run / "manifest.json").unlink()
    if manifest is not None:
        (run / "manifest.json").write_bytes(manifest)

    with pytest.raises(EvidenceError, match=r"manifest\.json"):
        seal_derived(folder, run, {"kind": "sample"})

    assert not (folder / "manifest.json").exists()
