import json
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
from conftest import clean_environment

from scanner.evidence import StoredRun
from scanner.model import ReasonCode
from scanner.simulator import Fault, FaultKind, FaultPlan, build_demo, build_hostile, build_world

pytestmark = pytest.mark.functional


def offenders_found(run: StoredRun) -> set[tuple[str, str]]:
    findings = run.findings()
    failed = findings[(findings["check"] == "console-no-mfa") & (findings["verdict"] == "fail")]
    return set(zip(failed["account_id"], failed["user"], strict=True))


def outcomes(run: StoredRun) -> dict[str, str]:
    accounts = run.accounts().set_index("account_id")
    return {
        str(account): row["outcome"] if pd.isna(row["reason_code"]) else row["reason_code"]
        for account, row in accounts.iterrows()
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_every_account_has_its_one_outcome_whatever_goes_wrong(scanning, seed):
    """
    200 accounts and 20 different faults: each account has the outcome its fault amounts to.

    Every offender in a readable report is found, nothing else is, and the exit status is 3.
    """
    world = build_world(accounts=200, users=12, seed=3)
    plan = FaultPlan.of_kinds(world, 20, seed=seed)
    assert len({(fault.kind, fault.operation, fault.times) for fault in plan.faults}) == 20

    with scanning(world, plan) as scanner:
        done = scanner.scan("--workers", "32")
        truth = scanner.simulator.world

    assert done.status == 3, done.stderr
    got = outcomes(done.run)
    assert set(got) == {account.id for account in truth.accounts}
    expected = {account: str(reason or "collected") for account, reason in plan.expected.items()}
    assert {account: got[account] for account in expected} == expected
    assert {got[account] for account in set(got) - set(expected)} == {"collected"}
    readable = {
        (account, user) for account, user in truth.offenders() if got[account] == "collected"
    }
    assert offenders_found(done.run) == readable


def test_exceptions_alone_are_status_1(scanning):
    """
    Every account read and some users without MFA: exit status 1, and exactly those users.
    """
    world = build_world(accounts=30, users=12, seed=5)

    with scanning(world) as scanner:
        done = scanner.scan()

    assert done.status == 1, done.stderr
    assert offenders_found(done.run) == world.offenders()
    assert done.run.summary.is_complete


def test_a_clean_organization_is_status_0(scanning):
    """
    Nothing to note anywhere: exit status 0, no finding but leads, and no control with an exception.
    """
    with scanning(build_world(accounts=25, users=8, seed=6, clean=True)) as scanner:
        done = scanner.scan()

    assert done.status == 0, done.stderr
    leads = {"console-and-active-key", "generic-username", "programmatic-no-mfa"}
    findings = done.run.findings()
    assert set(findings["verdict"]) == {"needs-review"}
    assert set(findings["check"]) <= {*leads, "root-credentials-present"}
    controls = done.run.controls()
    direct = controls[controls["relation"] == "direct"]
    assert set(direct["verdict"]) <= {"pass", "not-applicable"}
    assert set(controls["verdict"]) <= {"pass", "not-applicable", "not-tested", "needs-review"}


def test_the_same_world_gives_equal_tables(scanning):
    """
    Two scans of one world give equal tables.

    Left aside is how old the reports had become, and what the second scan knows of the first.
    """
    world = build_world(accounts=45, users=10, seed=8)

    with scanning(world) as scanner:
        first, second = (scanner.scan("--workers", workers).run for workers in ("32", "3"))

    known = ["state", "first_seen", "last_seen", "days_open"]
    pd.testing.assert_frame_equal(
        first.findings().drop(columns=known), second.findings().drop(columns=known)
    )
    assert set(second.findings()["state"]) == {"still-open"}
    pd.testing.assert_frame_equal(first.controls(), second.controls())
    pd.testing.assert_frame_equal(pd.concat(first.users()), pd.concat(second.users()))
    age = "report_age_seconds"
    pd.testing.assert_frame_equal(
        first.accounts().drop(columns=age), second.accounts().drop(columns=age)
    )


def test_render_makes_the_same_documents_again_offline(scanning, command):
    """
    With the organization gone, `render` draws the same bytes from the stored evidence.
    """
    with scanning(build_world(accounts=5, users=6, seed=9)) as scanner:
        done = scanner.scan("--format", "csv,json,xlsx,html,pdf")

    again = command("render", str(done.folder))

    assert again.status == 0, again.stderr
    assert "the same, byte for byte" in again.stdout
    assert len(again.stdout.splitlines()) == 1 + 16


def test_the_pdf_looks_the_same_on_a_machine_without_fonts(scanning, command, tmp_path):
    """
    All fonts come with the packages: where the system has none, the PDF is the same, byte for byte.
    """
    with scanning(build_world(accounts=5, users=6, seed=9)) as scanner:
        done = scanner.scan("--format", "pdf")
    bare = tmp_path / "fonts.conf"
    bare.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{tmp_path}/none</dir><cachedir>{tmp_path}/cache</cachedir></fontconfig>"
    )

    again = command(
        "render", str(done.folder), environment={"FONTCONFIG_FILE": str(bare)}, timeout=280
    )

    assert again.status == 0, again.stderr
    pdf = next((done.folder / "reports").glob("*.pdf"))
    redrawn = next((done.folder / "derived").rglob("*.pdf"))
    assert pdf.read_bytes() == redrawn.read_bytes()


def test_render_fills_in_documents_that_were_never_drawn(scanning, command):
    """
    A run whose scan ended before its documents were drawn gets them in `reports/`.
    """
    with scanning(build_world(accounts=3, users=4, seed=9)) as scanner:
        done = scanner.scan()
    for path in (done.folder / "reports").iterdir():
        path.unlink()
    (done.folder / "reports").rmdir()
    (done.folder / "documents.json").unlink()

    again = command("render", str(done.folder), "--format", "json")

    assert again.status == 0, again.stderr
    assert [path.suffix for path in (done.folder / "reports").iterdir()] == [".json"]
    assert (done.folder / "documents.json").is_file()


@pytest.mark.parametrize("what", ["nothing", "damaged"])
def test_render_refuses_what_is_not_a_whole_run(scanning, command, tmp_path, what):
    """
    A folder that is no run is a wrong command (2); a run whose summary is damaged does not verify (4).
    """
    folder = tmp_path
    if what == "damaged":
        with scanning(build_world(accounts=2, users=2, seed=9)) as scanner:
            folder = scanner.scan().folder
        (folder / "summary.json").write_text('{"schema": 1}')

    done = command("render", str(folder))

    assert done.status == (2 if what == "nothing" else 4)
    assert str(folder) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_delegated_administrator_may_scan(scanning):
    """
    Called from a delegated administrator's account, all accounts are read but the management account.

    It has no role to enter by, and is said not to be read.
    """
    world = build_world(accounts=25, users=5, seed=11)
    caller = next(iter(sorted(world.callers - {world.management_id})))

    with scanning(world) as scanner:
        done = scanner.scan(caller=caller)

    got = outcomes(done.run)
    assert done.status == 3, done.stderr
    assert got.pop(world.management_id) == "access-denied"
    assert set(got.values()) == {"collected"}


def test_a_plain_member_is_told_where_to_run(scanning):
    """
    A caller that may not list accounts ends with status 2, the denied call and the next step.
    """
    world = build_world(accounts=25, users=5, seed=11)
    caller = next(a.id for a in world.accounts if a.id not in world.callers)

    with scanning(world) as scanner:
        done = scanner.scan(caller=caller)

    assert done.status == 2
    assert "organizations:ListAccounts" in done.stderr
    assert "delegated administrator" in done.stderr
    assert not list(scanner.output.glob("*/*/*"))


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault(FaultKind.NO_STATE, operation="organizations:ListAccounts"), 1),
        (Fault(FaultKind.NO_STATUS, operation="organizations:ListAccounts"), 1),
        (Fault(FaultKind.NO_PATHS, operation="organizations:ListAccounts"), 1),
        (Fault(FaultKind.DUPLICATE_ACCOUNT, operation="organizations:ListAccounts"), 1),
        (Fault(FaultKind.THROTTLE, operation="organizations:ListAccounts", times=2), 1),
        (Fault(FaultKind.SERVER_ERROR, operation="organizations:ListAccounts", times=2), 1),
        (Fault(FaultKind.NO_STATE_NOR_STATUS, operation="organizations:ListAccounts"), 2),
        (Fault(FaultKind.NOT_IN_ORGANIZATION), 2),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Fault) else str(value),
)
def test_the_account_list_is_whole_or_an_error(scanning, fault, status):
    """
    The listing survives what passes and an old or a new field; without a state it is refused.
    """
    world = build_world(accounts=45, users=3, seed=12)

    with scanning(world, FaultPlan((fault,))) as scanner:
        done = scanner.scan()

    assert done.status == status, done.stderr
    if status == 1:
        accounts = done.run.accounts()
        assert list(accounts["account_id"]) == sorted(a.id for a in world.accounts)
        assert accounts["ou_path"].notna().all()


def test_excluded_and_unselected_accounts_are_outcomes_too(scanning):
    """
    `--ou` and exclusions leave accounts out with a reason; the ledger still lists every account.
    """
    world = build_demo()
    unit = next(u.id for u in world.units if u.name == "Production")

    with scanning(world) as scanner:
        done = scanner.scan("--ou", unit)

    run = done.run
    accounts = run.accounts()
    inside = accounts["ou_ids"].str.contains(unit)
    assert set(accounts[inside]["outcome"]) == {"collected"}
    assert set(accounts[~inside]["outcome"]) == {"excluded", "not-active"}
    assert accounts[~inside]["reason"].notna().all()
    assert run.summary.accounts.listed == len(world.accounts) == len(accounts)
    assert not run.summary.selection.is_full


@pytest.mark.parametrize(
    "arguments",
    [
        ("--account", "999999999999"),
        ("--ou", "ou-none-11111111"),
    ],
)
def test_a_selection_that_names_nothing_is_refused(scanning, arguments):
    """
    A misspelt account or OU ends the scan with status 2 before any account is read.
    """
    with scanning(build_world(accounts=5, users=2, seed=1)) as scanner:
        done = scanner.scan(*arguments)
        requests = scanner.simulator.requests

    assert done.status == 2
    assert arguments[1] in done.stderr
    assert "sts:AssumeRole" not in requests


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workers", "0"),
        ("--workers", "many"),
        ("--framework", "pci-dss-9"),
        ("--format", "docx"),
        ("--period", "../../etc"),
        ("--account", "12"),
        ("--ou", "Production"),
        ("--role-name", "a role"),
        ("--external-id", "é"),
        ("--endpoint-url", "http://192.0.2.1:80"),
        ("--endpoint-url", "ftp://127.0.0.1"),
        ("--endpoint-url", "https://user:secret@example.com"),
        ("--profile", "nobody-has-this-one"),
        ("--config", "missing.toml"),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_wrong_options_are_status_2(command, arguments):
    """
    A wrong option ends with status 2 and a message, before anything is asked of AWS.
    """
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up"}

    done = command("scan", *arguments, environment=keys)

    assert done.status == 2, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr.replace("secret@", "")


def test_wrong_settings_are_all_named_at_once(command, tmp_path):
    """
    Every wrong line of a settings file is named with file and field, in one go.
    """
    (tmp_path / "s.toml").write_text(
        '[scan]\nworkers = "8"\nformat = ["pdf"]\n[aws]\nexternal_id = 7\n[acounts]\n'
    )

    done = command("scan", "--config", "s.toml")

    assert done.status == 2
    for field in ("scan.workers", "scan.format", "aws.external_id", "acounts"):
        assert f"s.toml: {field}:" in done.stderr


def test_no_credentials_is_status_2(command):
    """
    Without any credentials the command says how to get some.
    """
    done = command("scan", environment={"AWS_EC2_METADATA_DISABLED": "true"})

    assert done.status == 2
    assert "no AWS credentials" in done.stderr


def test_an_interrupted_scan_is_sealed_and_says_so(scanning):
    """
    After SIGTERM the scan ends with status 5; what was read is sealed, the rest is interrupted.
    """
    world = build_world(accounts=60, users=4, seed=4)
    plan = FaultPlan(
        tuple(Fault(FaultKind.REPORT_NEVER_READY, account=a.id) for a in world.accounts[30:])
    )
    with scanning(world, plan) as scanner:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scanner", "scan", "--output", str(scanner.output)),
                *("--endpoint-url", scanner.simulator.url),
                *("--format", "json", "--log-format", "json"),
            ],
            env={**clean_environment(), **scanner.simulator.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        seen = 0
        assert process.stderr is not None
        for line in process.stderr:
            seen += json.loads(line).get("event") == "collected"
            if seen == 10:
                break
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=60)

    assert process.returncode == 5
    run = StoredRun(Path(stdout.splitlines()[-1]))
    accounts = run.accounts()
    assert run.summary.interrupted
    assert len(accounts) == 60
    assert set(accounts["reason_code"].dropna()) == {str(ReasonCode.INTERRUPTED)}
    assert (accounts["outcome"] == "collected").sum() >= 10


def test_a_second_signal_stops_at_once(scanning):
    """
    Whoever cannot wait for answers in flight gets status 5 at once, and is told where the evidence is.
    """
    world = build_world(accounts=4, users=4, seed=4)
    plan = FaultPlan((Fault(FaultKind.SLOW_BODY, seconds=60.0),))
    with scanning(world, plan) as scanner:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "scanner", "scan", "--output", str(scanner.output)),
                *("--endpoint-url", scanner.simulator.url, "--format", "json"),
            ],
            env={**clean_environment(), **scanner.simulator.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if "reading accounts" in line:
                break
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)

    assert process.returncode == 5
    assert time.monotonic() - began < 5
    assert str(scanner.output) in stderr
    assert list(scanner.output.rglob("accounts.json"))
    assert not list(scanner.output.rglob("manifest.json"))


def test_a_user_fixed_since_the_report_is_annotated(scanning):
    """
    A user who got MFA after the report keeps the finding, marked as fixed.

    A removed password and a deleted user likewise.
    """
    world = build_world(accounts=3, users=12, seed=21, offenders=0.9)
    account = world.accounts[-1].id
    users = sorted(user for where, user in world.offenders() if where == account)[:3]

    with scanning(world) as scanner:
        scanner.scan()
        scanner.simulator.change(account, users[0], mfa=True)
        scanner.simulator.change(account, users[1], password=False)
        scanner.simulator.change(account, users[2], deleted=True)
        done = scanner.scan()

    findings = done.run.findings()
    findings = findings[findings["check"] == "console-no-mfa"].set_index(["account_id", "user"])
    states = [findings.loc[(account, user), "confirmation"] for user in users]
    assert states == ["fixed-since-report", "password-removed", "user-deleted"]
    assert offenders_found(done.run) == world.offenders()
    assert "device" in findings.loc[(account, users[0]), "confirmation_note"]


def test_without_confirmation_nothing_is_asked_live(scanning):
    """
    `--no-confirm` makes no live call, and every finding says that it was not checked.
    """
    with scanning(build_world(accounts=4, users=12, seed=2)) as scanner:
        done = scanner.scan("--no-confirm")
        requests = scanner.simulator.requests

    assert set(done.run.findings()["confirmation"]) == {"not-checked"}
    assert "iam:ListMFADevices" not in requests


def test_names_from_aws_stay_data(scanning):
    """
    An organization of hostile names is scanned like any other.

    No name reaches a path, a log line of its own or a terminal sequence.
    """
    world = build_hostile()

    with scanning(world) as scanner:
        done = scanner.scan("--format", "csv,json")

    assert done.status in {1, 3}, done.stderr
    names = [path.relative_to(done.folder).as_posix() for path in done.folder.rglob("*")]
    assert all(name.isascii() and ".." not in name and len(name) < 120 for name in names)
    assert all(line.startswith("orgproof: ") for line in done.stderr.splitlines())
    assert done.stderr.replace("\n", "").isprintable()
    assert done.stdout.replace("\n", "").isprintable()
    assert len(done.run.accounts()) == len(world.accounts)


def test_files_are_for_the_owner_alone(scanning):
    """
    Every file of a run is 0600 in folders that are 0700, and none is left half-written.
    """
    with scanning(build_world(accounts=3, users=3, seed=1)) as scanner:
        folder = scanner.scan("--format", "pdf,xlsx,html,csv,json").folder

    everything = list(chain([folder], folder.rglob("*")))
    assert {oct(path.stat().st_mode & 0o777) for path in everything if path.is_file()} == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in everything if path.is_dir()} == {"0o700"}
    assert not [path for path in everything if path.name.startswith(".")]


def test_the_manifest_covers_all_evidence(scanning):
    """
    `sha256sum -c` accepts the run, and the manifest lists each file of raw, inputs, tables and summary.
    """
    with scanning(build_world(accounts=3, users=3, seed=1)) as scanner:
        folder = scanner.scan().folder

    check = subprocess.run(
        ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, check=False, capture_output=True
    )
    assert check.returncode == 0, check.stdout
    listed = {e["path"] for e in json.loads((folder / "manifest.json").read_bytes())["files"]}
    present = {
        path.relative_to(folder).as_posix()
        for name in ("raw", "inputs", "tables")
        for path in (folder / name).rglob("*")
        if path.is_file()
    }
    assert listed == present | {"summary.json"}


def test_a_full_disk_stops_the_scan_and_keeps_what_was_stored(scanning):
    """
    When a file cannot be written the scan ends with status 5, names the file, and leaves no half of it.
    """
    # Coverage keeps a file of its own, which would meet the same limit.
    environment = {
        name: value for name, value in clean_environment().items() if "COV" not in name.upper()
    }

    with scanning(build_world(accounts=3, users=2000, seed=1)) as scanner:
        limited = subprocess.run(
            [
                *("sh", "-c", 'ulimit -f 120; exec "$@"', "sh", sys.executable, "-m", "scanner"),
                *("scan", "--endpoint-url", scanner.simulator.url),
                *("--output", str(scanner.output)),
            ],
            env={**environment, **scanner.simulator.environment()},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert limited.returncode == 5, limited.stderr
    assert "credential-report.csv: cannot be written" in limited.stderr
    assert "Traceback" not in limited.stderr
    assert not list(scanner.output.rglob(".*.partial"))
    assert list(scanner.output.rglob("accounts.json"))


def test_progress_as_json_lines(scanning):
    """
    With `--log-format json` every line on standard error is one JSON object, one for each account.
    """
    with scanning(build_world(accounts=7, users=3, seed=1)) as scanner:
        done = scanner.scan("--log-format", "json")

    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert sum(event["event"] == "collected" for event in events) == 7


def test_quiet_prints_the_folder_alone(scanning):
    """
    `--quiet` leaves one line on standard output and none on standard error.
    """
    with scanning(build_world(accounts=3, users=3, seed=1)) as scanner:
        done = scanner.scan("--quiet")

    assert done.stderr == ""
    assert done.stdout.splitlines() == [str(done.folder)]


def test_the_demo_is_incomplete_on_purpose(command, tmp_path):
    """
    `orgproof demo` needs no AWS settings, ends with status 3, and leaves a PDF and a workbook.
    """
    done = command(
        "demo",
        "--output",
        str(tmp_path / "out"),
        environment={"AWS_PROFILE": "nobody"},
        timeout=280,
    )

    assert done.status == 3, done.stderr
    run = done.run
    assert run.summary.accounts.listed == 24
    assert run.summary.simulated
    assert set(run.accounts()["outcome"]) == {"collected", "not-collected", "not-active"}
    assert "=1+1" in set(pd.concat(run.users())["user"])
    assert "fixed-since-report" in set(run.findings()["confirmation"])
    suffixes = {path.suffix for path in (done.folder / "reports").iterdir()}
    assert suffixes == {".pdf", ".xlsx", ".html", ".csv", ".json"}
    assert done.folder.name == run.summary.run_id


def test_a_selection_without_a_readable_account_shows_nothing(scanning):
    """
    When the only account selected is suspended nothing was read, and that is status 3, not 0.
    """
    world = build_world(accounts=5, users=2, seed=1, clean=True)
    account = world.accounts[2].id
    plan = FaultPlan((Fault(FaultKind.SUSPENDED, account=account),))

    with scanning(world, plan) as scanner:
        done = scanner.scan("--account", account)

    assert done.status == 3
    assert "no account was read" in done.stdout
    assert set(done.run.controls()["verdict"]) <= {"not-tested", "unknown"}


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        (Fault(FaultKind.CALLER_EXPIRED, after=1), "sign in again"),
        (Fault(FaultKind.CLOCK_SKEW, operation="organizations:*"), "clock"),
        (Fault(FaultKind.ACTION_DENIED, operation="organizations:DescribeOrganization"), "allow"),
    ],
    ids=lambda value: str(value.kind) if isinstance(value, Fault) else value,
)
def test_a_listing_that_fails_says_what_to_do(scanning, fault, step):
    """
    When the account list cannot be had the scan ends with status 2, the cause and the next step.
    """
    with scanning(build_world(accounts=5, users=2, seed=1), FaultPlan((fault,))) as scanner:
        done = scanner.scan()

    assert done.status == 2
    assert "could not be read whole" in done.stderr
    assert step in done.stderr


def test_ou_names_are_a_courtesy(scanning):
    """
    A caller that may not list OUs still scans; ids stand in for the names.
    """
    plan = FaultPlan((Fault(FaultKind.ACTION_DENIED, operation="organizations:ListRoots"),))

    with scanning(build_demo(), plan) as scanner:
        done = scanner.scan()

    accounts = done.run.accounts()
    assert done.status == 3
    assert accounts["ou_path"].str.match(r"(ou|r)-").all()


def test_the_callers_credentials_may_end_in_the_middle(scanning):
    """
    Accounts that were not entered before the caller's credentials ended say so, each with the next step.
    """
    world = build_world(accounts=45, users=3, seed=2)
    plan = FaultPlan((Fault(FaultKind.CALLER_EXPIRED, after=40),))

    with scanning(world, plan) as scanner:
        done = scanner.scan("--workers", "2")

    accounts = done.run.accounts()
    missed = accounts[accounts["outcome"] == "not-collected"]
    assert done.status == 3
    assert 0 < len(missed) < 45
    assert set(missed["reason_code"]) == {"caller-expired"}
    assert missed["reason"].str.contains("sign in again").all()


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (
            "summary.json",
            lambda text: text.replace(b'"console_without_mfa": 1', b'"console_without_mfa": 0'),
        ),
        ("inputs/frameworks/pci-dss-4.0.1.yaml", lambda text: text + b"\n# changed\n"),
        ("tables/findings.parquet", lambda text: text[:-1]),
        ("manifest.json", lambda text: text.replace(b"  ", b" ")),
        ("documents.json", lambda text: b"{}"),  # noqa: ARG005
        ("SHA256SUMS", lambda text: b""),  # noqa: ARG005
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_documents_are_never_drawn_from_altered_evidence(scanning, command, name, change):
    """
    A run whose summary, tables, inputs or seal were changed is not drawn from: status 4, and which file.
    """
    with scanning(build_world(accounts=3, users=4, seed=9, offenders=0.1)) as scanner:
        folder = scanner.scan().folder
    path = folder / name
    path.write_bytes(change(path.read_bytes()) + b" ")

    done = command("render", str(folder), "--format", "json")

    assert done.status == 4, done.stdout
    assert str(folder) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "endpoint", ["http://:hunter2@127.0.0.1:1", "https://user:hunt[er2@host", "user:hunter2@host"]
)
def test_a_password_in_an_address_is_not_repeated(command, tmp_path, endpoint):
    """
    An endpoint with a user or password is refused, and neither the message nor any file holds it.
    """
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up"}

    done = command("scan", "--endpoint-url", endpoint, environment=keys)

    assert done.status == 2
    assert "hunt" not in done.stderr + done.stdout
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"hunt" in p.read_bytes()]


@pytest.mark.parametrize(
    "settings",
    [
        b"[scan]\nworkers = " + b"9" * 5000,
        b"x = " + b"[" * 5000,
        b'[scan]\noutput = "a\\u0000b"\n',
        b"\xff\xfe",
        b'[aws]\naws_secret_access_key = "wJalrXUtnFEMI"\n',
        b'[aws]\nrole_name = "arn:aws:iam::123456789012:role/x"\n',
        b'[aws]\nrole_name = "/x"\n',
        b'[aws.roles]\n"12" = "x"\n',
        b"[scan]\nformats = []\n",
        b"scan = 3\n",
    ],
    ids=range(10),
)
def test_settings_that_cannot_be_are_status_2(command, tmp_path, settings):
    """
    Settings of any shape that is not theirs end with status 2, one line or more, and no secret.
    """
    (tmp_path / "s.toml").write_bytes(settings)
    keys = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "made-up"}

    done = command("scan", "--config", "s.toml", environment=keys)

    assert done.status == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "wJalr" not in done.stderr
