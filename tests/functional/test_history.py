"""
One run against an earlier one, two runs side by side, and one run's evidence judged again.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import Outcome, Scanner, run_command
from house_rules import HOUSE_RULES

from scanner.evidence import StoredRun
from scanner.simulator import (
    NO_FAULTS,
    Fault,
    FaultKind,
    FaultPlan,
    SimulatedClock,
    Simulator,
    World,
    build_world,
)
from scanner.simulator.world import AccessKey

pytestmark = pytest.mark.functional

Place = tuple[int, int]
"""
A user: the number of the account in the world, and of the user in the account.
"""

WORLD = build_world(accounts=6, users=3, seed=7, clean=True)
IDS = tuple(account.id for account in WORLD.accounts)
PCI = "pci-dss-4.0.1"

LATER = """
from datetime import timedelta
from scanner import cli, wiring
read_clock = wiring.SystemClock.now
wiring.SystemClock.now = lambda clock: read_clock(clock) + timedelta(days={days})
cli.main()
"""
"""
The command as it runs so many days from now. Only the clock is another; boto3 signs by the true one.
"""


@dataclass(frozen=True)
class Organization:
    """
    An organization over the weeks, and the output folder of its scans.
    """

    folder: Path
    began: datetime

    @property
    def output(self) -> Path:
        """
        The folder under which its runs are kept.
        """
        return self.folder / "runs"

    def scan(
        self,
        day: int,
        *arguments: str,
        without_mfa: Collection[Place] = (),
        world: World = WORLD,
        plan: FaultPlan = NO_FAULTS,
        output: Path | None = None,
    ) -> Outcome:
        """
        Scan the organization as it is on a day, some of its users having no MFA.
        """
        clock = SimulatedClock(start=self.began)
        clock.advance(timedelta(days=day).total_seconds())
        command = partial(run_command, self.folder, program=("-c", LATER.format(days=day)))
        with Simulator(world, plan, report_seconds=0.0, clock=clock) as simulator:
            for number, user in without_mfa:
                simulator.change(IDS[number], user_name((number, user)), mfa=False)
            return Scanner(simulator, command, output or self.output).scan(*arguments)


def user_name(place: Place) -> str:
    number, user = place
    return WORLD.accounts[number].users[user].name


def only(*numbers: int) -> World:
    """
    Return the world with these accounts alone.
    """
    return replace(WORLD, accounts=tuple(WORLD.accounts[number] for number in numbers))


def states(run: StoredRun) -> dict[Place, str]:
    """
    Return what the history says became of each user's missing MFA.
    """
    history = run.history()
    rows = history[history["check"] == "console-no-mfa"]
    places = {(IDS[n], user_name((n, u))): (n, u) for n in range(len(IDS)) for u in range(3)}
    told = zip(rows["account_id"], rows["user"], rows["state"], strict=True)
    return {places[account, user]: str(state) for account, user, state in told}


def row(frame: pd.DataFrame, place: Place) -> dict[Any, Any]:
    """
    Return the row about a user's missing MFA.
    """
    who = (frame["account_id"] == IDS[place[0]]) & (frame["user"] == user_name(place))
    [found] = frame[who & (frame["check"] == "console-no-mfa")].to_dict("records")
    return found


def hash_tree(folder: Path) -> dict[str, str]:
    """
    Return the SHA-256 of every file of a run, but for what was derived from it later.
    """
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "derived" not in path.relative_to(folder).parts
    }


STAYS: Place = (1, 0)
RETURNS: Place = (1, 1)
UNSEEN: Place = (2, 0)
FIXED_UNSEEN: Place = (2, 1)
PASSING: Place = (3, 0)
LEAVING: Place = (4, 0)
JOINING: Place = (5, 0)


@dataclass(frozen=True)
class Story:
    """
    Three scans, ten days apart; after the second one that looked at one account only.

    In the second, account 2 cannot be read, account 4 has left and account 5 has joined.
    """

    organization: Organization
    first: Outcome
    second: Outcome
    partial: Outcome
    third: Outcome


@pytest.fixture(scope="module")
def story(tmp_path_factory) -> Story:
    organization = Organization(tmp_path_factory.mktemp("story"), datetime.now(UTC))
    afterwards = only(0, 1, 2, 3, 5)
    return Story(
        organization,
        first=organization.scan(
            0,
            world=only(0, 1, 2, 3, 4),
            without_mfa=[STAYS, RETURNS, UNSEEN, FIXED_UNSEEN, LEAVING],
        ),
        second=organization.scan(
            10,
            world=afterwards,
            without_mfa=[STAYS, UNSEEN, FIXED_UNSEEN, PASSING, JOINING],
            plan=FaultPlan((Fault(FaultKind.ROLE_MISSING, IDS[2]),)),
        ),
        partial=organization.scan(
            15, "--account", IDS[1], world=afterwards, without_mfa=[STAYS, UNSEEN, JOINING]
        ),
        third=organization.scan(
            20, world=afterwards, without_mfa=[STAYS, RETURNS, UNSEEN, JOINING]
        ),
    )


# The previous run


def test_the_first_run_has_nothing_to_compare_with(story):
    """
    Without a previous run every finding is new, and nothing is said to have changed.
    """
    run = story.first.run

    assert story.first.status == 1, story.first.stderr
    assert run.summary.previous is None
    assert run.summary.changes == {}
    assert set(states(run).values()) == {"new"}
    assert set(run.findings()["state"]) == {"new"}
    assert len(run.summary.trend) == 1


def test_an_account_that_was_not_read_fixes_nothing(story):
    """
    New, still open and fixed are told apart; in an account that was not read a finding is not scanned.

    Of an account that left or joined, the account itself is told, too.
    """
    run = story.second.run

    assert story.second.status == 3
    assert states(run) == {
        STAYS: "still-open",
        RETURNS: "fixed",
        UNSEEN: "not-scanned",
        FIXED_UNSEEN: "not-scanned",
        PASSING: "new",
        LEAVING: "account-left",
        JOINING: "new",
    }
    history = run.history()
    about = history[history["finding_id"].isna()].set_index("account_id")["state"]
    assert dict(about) == {IDS[4]: "account-left", IDS[5]: "account-joined"}
    changes = run.summary.changes
    assert (changes["accounts-left"], changes["accounts-joined"]) == (1, 1)
    assert (changes["fixed"], changes["not-scanned"], changes["account-left"]) == (1, 2, 1)
    assert f"since run {story.first.folder.name}:" in story.second.stdout


def test_what_comes_back_is_known_to_have_been_there(story):
    """
    A finding that was fixed before is reopened; one that nobody could look at is still open, or fixed now.
    """
    run = story.third.run

    assert story.third.status == 1, story.third.stderr
    found = states(run)
    assert found.pop(LEAVING) == "left-before"
    assert found == {
        STAYS: "still-open",
        RETURNS: "reopened",
        UNSEEN: "still-open",
        FIXED_UNSEEN: "fixed",
        PASSING: "fixed",
        JOINING: "still-open",
    }
    not_read = run.history().set_index("check").loc["account-not-collected"]
    assert (not_read["account_id"], not_read["state"]) == (IDS[2], "fixed")
    assert run.summary.changes["reopened"] == 1
    assert not {"accounts-left", "accounts-joined"} & set(run.summary.changes)


def test_a_finding_tells_since_when_it_is_open(story):
    """
    First seen stays, whatever comes between; days open count from when it was opened last.
    """
    began = [outcome.run.summary.window.started for outcome in (story.first, story.second)]
    now = story.third.run.summary.window.started
    findings = story.third.run.findings()
    told = {
        place: (row(findings, place)["first_seen"], row(findings, place)["days_open"])
        for place in (STAYS, RETURNS, UNSEEN, JOINING)
    }

    assert told == {
        STAYS: (began[0], 20),
        RETURNS: (began[0], 0),
        UNSEEN: (began[0], 20),
        JOINING: (began[1], 10),
    }
    assert set(findings["last_seen"]) == {pd.Timestamp(now)}
    fixed = row(story.third.run.history(), FIXED_UNSEEN)
    assert (fixed["last_seen"], fixed["closed"]) == (began[0], now)


def test_the_previous_run_is_the_newest_that_looked_at_everything(story):
    """
    A run with a partial selection is compared with the one before it, and is no previous run itself.
    """
    partly = story.partial.run

    assert story.partial.status == 1, story.partial.stderr
    assert partly.summary.previous.run_id == story.second.folder.name
    assert story.third.run.summary.previous.run_id == story.second.folder.name
    assert states(partly)[UNSEEN] == "not-scanned"
    assert states(partly)[JOINING] == "not-scanned"
    assert states(partly)[STAYS] == "still-open"
    assert states(partly)[RETURNS] == "fixed"
    assert partly.summary.changes.get("fixed", 0) == 0


def test_a_run_carries_the_seal_of_the_one_before_it(story):
    """
    What is taken from the previous run is kept byte for byte, and its manifest's hash chains the two.
    """
    taken = story.third.folder / "inputs" / "previous"
    before = story.second.folder

    assert {path.name for path in taken.iterdir()} == {
        "manifest.json",
        "summary.json",
        "accounts.parquet",
        "history.parquet",
    }
    assert (taken / "manifest.json").read_bytes() == (before / "manifest.json").read_bytes()
    assert (taken / "summary.json").read_bytes() == (before / "summary.json").read_bytes()
    assert story.third.run.summary.previous.manifest_sha256 == story.second.run.manifest_sha256
    assert [point.run_id for point in story.third.run.summary.trend] == [story.third.folder.name]


def test_an_account_leaves_once(story):
    """
    What had left before the previous run did not change since.
    """
    assert "account-left" not in story.third.run.summary.changes


@pytest.fixture
def later(story: Story, tmp_path: Path) -> Organization:
    """
    Return the organization after the story, with a copy of its runs to add to or to tamper with.
    """
    shutil.copytree(story.organization.output, tmp_path / "runs")
    return replace(story.organization, folder=tmp_path)


def damage(folder: Path, name: str = "summary.json") -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")


def test_the_run_to_compare_with_can_be_chosen(story, later):
    """
    `--previous` takes an earlier run than the newest, from wherever it lies.

    More than a quarter between the two is said in the summary and on the terminal.
    """
    done = later.scan(
        110,
        *("--previous", str(story.first.folder), "--period", "2027-Q1"),
        world=only(0, 1),
        without_mfa=[STAYS],
    )

    summary = done.run.summary
    assert summary.previous.run_id == story.first.folder.name
    assert states(done.run)[STAYS] == "still-open"
    assert states(done.run)[RETURNS] == "fixed"
    assert row(done.run.findings(), STAYS)["days_open"] == 110
    assert "110 days lie between this run and the previous one" in summary.warnings[0]
    assert summary.warnings[0] in done.stdout
    assert [point.period for point in summary.trend] == [
        story.first.run.summary.period,
        "2027-Q1",
    ]


def test_a_previous_run_that_was_altered_is_passed_over(story, later):
    """
    The newest run that is what was sealed is taken instead, with a warning in summary and terminal.
    """
    newest = later.output / story.third.folder.relative_to(story.organization.output)
    damage(newest, "tables/history.parquet")

    done = later.scan(30, world=only(0, 1), without_mfa=[STAYS])

    assert done.status == 1, done.stderr
    summary = done.run.summary
    assert summary.previous.run_id == story.second.folder.name
    assert len(summary.warnings) == 1
    assert f"run {newest.name} is no previous run" in summary.warnings[0]
    assert "history.parquet" in summary.warnings[0]
    assert summary.warnings[0] in done.stdout


@pytest.mark.parametrize(
    ("what", "status"),
    [
        ("altered", 4),
        ("missing", 2),
        ("another organization's", 2),
    ],
)
def test_a_previous_run_that_was_named_is_never_passed_over(story, later, elsewhere, what, status):
    """
    With `--previous`, an altered run, none at all and one of another organization end the scan.
    """
    folder = later.output / story.third.folder.relative_to(story.organization.output)
    match what:
        case "altered":
            damage(folder)
        case "missing":
            folder = later.folder / "nowhere"
        case _:
            folder = elsewhere

    done = later.scan(30, "--previous", str(folder), world=only(0, 1))

    assert str(folder) in done.stderr
    begun = [run for run in later.output.glob("*/*/*") if not (run / "manifest.json").exists()]
    assert not [path for run in begun for path in (run / "raw").glob("*/*")]
    assert done.status == status


# Two runs side by side


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """
    Return the folder of another organization's run.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    with Simulator(build_world(accounts=2, users=2, seed=8), report_seconds=0.0) as simulator:
        return Scanner(simulator, partial(run_command, folder), folder / "runs").scan().folder


def test_the_terminal_says_what_changed(story, command):
    """
    `diff` names both runs, and every finding and account under what became of it.
    """
    done = command("diff", str(story.second.folder), str(story.first.folder))

    assert done.status == 0, done.stderr
    blocks = [block.splitlines() for block in done.stdout.split("\n\n")]
    assert story.first.folder.name in blocks[0][0].partition(" to run ")[0]
    assert story.second.folder.name in blocks[0][0].partition(" to run ")[2]
    told = {block[0].rpartition(": ")[0]: "\n".join(block[1:]) for block in blocks[1:]}
    fixed, unseen = told["fixed"], told["not scanned this time, so not known to be fixed"]
    assert f"{IDS[1]} ({WORLD.accounts[1].name})  {user_name(RETURNS)}  console-no-mfa" in fixed
    assert len(fixed.splitlines()) == 1
    assert user_name(UNSEEN) in unseen
    assert user_name(FIXED_UNSEEN) in unseen
    assert user_name(STAYS) in told["still open"]
    assert user_name(JOINING) in told["new"]
    assert f"{IDS[2]} ({WORLD.accounts[2].name})  account  account-not-collected" in told["new"]
    assert told["accounts that joined"].split() == [IDS[5], f"({WORLD.accounts[5].name})"]
    assert IDS[4] in told["accounts that left"]
    assert told["reopened"] == ""


def test_accounts_that_left_are_counted_as_accounts(story, command):
    """
    One account left, with one finding in it: one account left.
    """
    done = command("diff", str(story.second.folder), str(story.first.folder))

    assert "accounts that left: 1\n" in done.stdout


def test_changes_can_be_had_as_json(story, command):
    """
    `diff --json` prints one object: both runs, the count of each state, and every row that changed.
    """
    done = command("diff", "--json", str(story.third.folder), str(story.second.folder))

    assert done.status == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["newer"]["run_id"] == story.third.folder.name
    assert told["older"]["run_id"] == story.second.folder.name
    assert told["counts"]["reopened"] == 1
    assert sum(told["counts"].values()) == len(told["changes"])
    rows = {
        (change["account_id"], change["user"]): change
        for change in told["changes"]
        if change["check"] == "console-no-mfa"
    }
    back = rows[IDS[1], user_name(RETURNS)]
    assert back["state"] == "reopened"
    assert datetime.fromisoformat(back["first_seen"]) == story.first.run.summary.window.started
    assert back["closed"] is None
    gone = rows[IDS[2], user_name(FIXED_UNSEEN)]
    assert gone["state"] == "fixed"
    assert datetime.fromisoformat(gone["closed"]) == story.third.run.summary.window.started


def test_runs_need_not_follow_each_other(story, command):
    """
    Between the first run and the third, what was fixed and came back has been open all along.
    """
    done = command("diff", "--json", str(story.third.folder), str(story.first.folder))

    rows = {
        (change["account_id"], change["user"]): change["state"]
        for change in json.loads(done.stdout)["changes"]
        if change["check"] == "console-no-mfa"
    }
    assert rows == {
        (IDS[place[0]], user_name(place)): state
        for place, state in {
            STAYS: "still-open",
            RETURNS: "still-open",
            UNSEEN: "still-open",
            FIXED_UNSEEN: "fixed",
            LEAVING: "account-left",
            JOINING: "new",
        }.items()
    }


def test_runs_that_cannot_be_compared_are_refused(story, elsewhere, command, tmp_path):
    """
    The older run first, another organization's run, and a folder that is no run: status 2, and which.
    """
    first, second = str(story.first.folder), str(story.second.folder)
    wrong = {
        "is the newer of the two": command("diff", first, second),
        "compare runs of one organization": command("diff", second, str(elsewhere)),
        "is not a finished run": command("diff", second, str(tmp_path)),
    }

    for words, done in wrong.items():
        assert done.status == 2, words
        assert words in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("which", "name"),
    [(0, "tables/findings.parquet"), (1, "tables/history.parquet")],
    ids=["newer", "older"],
)
def test_damaged_runs_are_not_compared(story, command, tmp_path, which, name):
    """
    When either run is not what was sealed, nothing is said about changes: status 4, and which file.
    """
    folders = [story.third.folder, story.second.folder]
    folders[which] = shutil.copytree(folders[which], tmp_path / "damaged")
    damage(folders[which], name)

    done = command("diff", *map(str, folders))

    assert done.status == 4
    assert str(folders[which] / name) in done.stderr
    assert done.stdout == ""


# Judged again


KEYS: Place = (3, 1)
"""
A user with a key that CIS finds too old and unused: `direct` there, `supporting` in the default catalogs.
"""


@dataclass(frozen=True)
class Judged:
    """
    A run with one user without MFA and one with an old key, scanned by the default catalogs.
    """

    folder: Path
    by_cis: StoredRun

    @property
    def run(self) -> StoredRun:
        """
        The run itself.
        """
        return StoredRun(self.folder)


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> Judged:
    accounts = list(WORLD.accounts)
    users = list(accounts[KEYS[0]].users)
    old = AccessKey(active=True, rotated=timedelta(days=300), used=timedelta(days=100))
    users[KEYS[1]] = replace(users[KEYS[1]], created=timedelta(days=700), keys=(old,))
    accounts[KEYS[0]] = replace(accounts[KEYS[0]], users=tuple(users))
    folder = tmp_path_factory.mktemp("judged")
    command = partial(run_command, folder)
    with Simulator(replace(WORLD, accounts=tuple(accounts)), report_seconds=0.0) as simulator:
        simulator.change(IDS[STAYS[0]], user_name(STAYS), mfa=False)
        done = Scanner(simulator, command, folder / "runs").scan()
        cis = Scanner(simulator, command, folder / "others").scan("--framework", "cis-aws-7.0.0")
    assert (done.status, cis.status) == (1, 1), done.stderr + cis.stderr
    return Judged(done.folder, cis.run)


def check_sums(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )


def check_derived(original: Judged, again: Outcome) -> StoredRun:
    """
    Assert that a judgement stands in a folder of its own, sealed, under the run it names, and return it.
    """
    assert again.status == 0, again.stderr
    assert again.folder.parent == original.folder / "derived"
    assert check_sums(again.folder).returncode == 0
    manifest = json.loads((again.folder / "manifest.json").read_bytes())
    sealed = {entry["path"] for entry in manifest["files"]}
    assert {"summary.json", "tables/findings.parquet", "inputs/settings.json"} <= sealed
    assert manifest["kind"] == "judgement"
    assert manifest["run"] == {
        "run_id": original.folder.name,
        "manifest_sha256": original.run.manifest_sha256,
    }
    assert again.run.summary.parent == original.run.manifest_sha256
    assert again.run.summary.run_id == original.folder.name
    assert not (again.folder / "raw").exists()
    return again.run


def test_a_run_can_be_judged_by_another_framework(judged, command):
    """
    `render --framework` judges the stored reports as a scan by that framework would have, to the row.

    The run stays as it was, byte for byte; the judgement names it in a manifest of its own.
    """
    before = hash_tree(judged.folder)

    done = command("render", str(judged.folder), "--framework", "cis-aws-7.0.0", "--format", "json")

    again = check_derived(judged, done)
    assert hash_tree(judged.folder) == before
    moments = ["first_seen", "last_seen"]
    pd.testing.assert_frame_equal(
        again.findings().drop(columns=moments), judged.by_cis.findings().drop(columns=moments)
    )
    pd.testing.assert_frame_equal(again.controls(), judged.by_cis.controls())
    pd.testing.assert_frame_equal(
        pd.concat(again.users()).reset_index(drop=True),
        pd.concat(judged.by_cis.users()).reset_index(drop=True),
    )
    assert set(again.findings()["check"]) > {"console-no-mfa", "access-key-age"}
    assert [ref.id for ref in again.summary.frameworks] == ["cis-aws-7.0.0"]
    assert [ref.id for ref in judged.run.summary.frameworks] == [PCI, "iso-27001-2022"]
    assert "document: " in done.stdout


def test_a_run_can_be_judged_by_a_catalog_of_ones_own(judged, command, tmp_path):
    """
    `render --framework-file` judges by that catalog alone, and keeps its bytes.
    """
    (tmp_path / "house-rules-2026.yaml").write_text(HOUSE_RULES)

    done = command(
        *("render", str(judged.folder), "--format", "csv"),
        *("--framework-file", "house-rules-2026.yaml"),
    )

    again = check_derived(judged, done)
    found = again.findings()
    assert list(found["check"]) == ["single-factor-password-age:days=1"]
    assert list(found["user"]) == [user_name(STAYS)]
    assert list(again.controls()["verdict"]) == ["fail", "not-tested"]
    catalogs = [path.name for path in (done.folder / "inputs" / "frameworks").iterdir()]
    assert catalogs == ["house-rules-2026.yaml"]
    assert (done.folder / "inputs/frameworks/house-rules-2026.yaml").read_text() == HOUSE_RULES


def test_a_run_can_be_judged_with_accepted_risks(judged, command, tmp_path):
    """
    `render --acceptances` annotates the same findings by the same frameworks, as of the day it is done.
    """
    today = datetime.now(UTC).date()
    (tmp_path / "risks.yaml").write_text(
        "format: 1\nacceptances:\n"
        f'  - {{id: sealed, kind: break-glass, account: "{IDS[STAYS[0]]}", user: "{user_name(STAYS)}", '
        "check: console-no-mfa, reason: Sealed., owner: Operations, approver: The CISO, ticket: R-1, "
        f"from: {today - timedelta(days=9)}, until: {today + timedelta(days=99)}}}\n"
    )

    done = command(
        *("render", str(judged.folder), "--format", "json", "--acceptances", "risks.yaml")
    )

    again = check_derived(judged, done)
    annotations = ["acceptance", "acceptance_note"]
    before, after = judged.run.findings(), again.findings()
    pd.testing.assert_frame_equal(after.drop(columns=annotations), before.drop(columns=annotations))
    assert pd.isna(row(before, STAYS)["acceptance"])
    assert row(after, STAYS)["acceptance"] == "sealed"
    assert (judged.run.summary.exit_status, again.summary.exit_status) == (1, 0)
    assert (judged.run.summary.accepted, again.summary.accepted) == (0, 1)
    assert again.summary.frameworks == judged.run.summary.frameworks


def test_a_check_that_was_not_made_fixes_nothing(story, later):
    """
    Judged by a catalog that does not ask for MFA, a missing MFA is not fixed: nobody looked for it.
    """
    (later.folder / "house-rules-2026.yaml").write_text(HOUSE_RULES)
    folder = later.output / story.third.folder.relative_to(story.organization.output)

    done = run_command(
        later.folder,
        *("render", str(folder), "--framework-file", "house-rules-2026.yaml", "--format", "json"),
    )

    assert done.status == 0, done.stderr
    assert done.run.summary.previous == story.third.run.summary.previous
    assert "console-no-mfa" not in set(done.run.findings()["check"])
    assert states(done.run) == {
        STAYS: "not-scanned",
        RETURNS: "fixed",
        UNSEEN: "not-scanned",
        FIXED_UNSEEN: "not-scanned",
        PASSING: "not-scanned",
        LEAVING: "left-before",
        JOINING: "not-scanned",
    }


def test_changed_evidence_is_not_judged_again(judged, command, tmp_path):
    """
    When a raw report is not the one that was sealed, nothing is judged: status 4, and which file.
    """
    folder = shutil.copytree(judged.folder, tmp_path / "copy")
    report = folder / "raw" / IDS[2] / "credential-report.csv"
    report.write_bytes(report.read_bytes().replace(b"true", b"false", 1))
    before = hash_tree(folder)

    done = command("render", str(folder), "--framework", "cis-aws-7.0.0", "--format", "json")

    assert done.status == 4
    assert str(report) in done.stderr
    assert done.stdout == ""
    assert hash_tree(folder) == before


@pytest.mark.parametrize(
    "name",
    [
        f"raw/{IDS[2]}/outcome-2.json",
        "inputs/acceptances.yaml",
    ],
)
def test_evidence_that_was_added_is_not_judged_again(judged, command, tmp_path, name):
    """
    A file that was not sealed may not speak for an account or accept a risk: status 4, and which file.
    """
    folder = shutil.copytree(judged.folder, tmp_path / "copy")
    if name.startswith("raw/"):
        attempt = json.loads((folder / "raw" / IDS[2] / "outcome-1.json").read_bytes())
        (folder / name).write_text(json.dumps({**attempt, "reason_code": "access-denied"}))
    else:
        (folder / name).write_text("format: 1\nacceptances: []\n")

    done = command("render", str(folder), "--framework", "cis-aws-7.0.0", "--format", "json")

    assert done.status == 4
    assert name in done.stderr


def test_what_cannot_be_judged_by_leaves_the_run_alone(judged, command, tmp_path):
    """
    A catalog with faults is refused with all of them, an unknown framework and a broken file as well: 2.
    """
    before = {path: path.read_bytes() for path in judged.folder.rglob("*") if path.is_file()}
    (tmp_path / "house-rules-2026.yaml").write_text(
        HOUSE_RULES.replace("relation: direct", "relation: loose").replace(
            "{days: 1}", "{days: many}"
        )
        + "  - {id: H-3}\n"
    )
    (tmp_path / "risks.yaml").write_text("format: 2\nacceptances: {}\n")
    options = {
        "--framework-file": "house-rules-2026.yaml",
        "--framework": "pci-dss-9",
        "--acceptances": "risks.yaml",
    }

    refused = {
        option: command("render", str(judged.folder), option, value, "--format", "json")
        for option, value in options.items()
    }

    assert {done.status for done in refused.values()} == {2}
    problems = refused["--framework-file"].stderr.splitlines()
    assert any("control H-1" in line and "relation" in line for line in problems)
    assert any("control H-3, field checks" in line for line in problems)
    assert any("control H-3, field title" in line for line in problems)
    assert len(refused["--acceptances"].stderr.splitlines()) == 2
    after = {path: path.read_bytes() for path in judged.folder.rglob("*") if path.is_file()}
    assert after == before
