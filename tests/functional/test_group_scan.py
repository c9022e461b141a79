"""
Several organizations in one settings file: each is scanned, none is left out in silence, and one overview says so.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import clean_environment

from scanner.evidence import StoredRun
from scanner.simulator import Simulator, build_world

pytestmark = pytest.mark.functional

EAST = build_world(accounts=8, users=4, seed=21)
WEST = build_world(accounts=5, users=3, seed=22)


@pytest.fixture
def group(tmp_path):
    """
    Serve two organizations, and yield the folder with a settings file about both, and the environment.
    """
    with Simulator(EAST, report_seconds=0.1) as east, Simulator(WEST, report_seconds=0.1) as west:
        (tmp_path / "credentials").write_text(
            "".join(
                f"[{name}]\naws_access_key_id = {given['AWS_ACCESS_KEY_ID']}\n"
                f"aws_secret_access_key = {given['AWS_SECRET_ACCESS_KEY']}\n"
                + (
                    f"aws_session_token = {given['AWS_SESSION_TOKEN']}\n"
                    if "AWS_SESSION_TOKEN" in given
                    else ""
                )
                for name, given in (("east", east.environment()), ("west", west.environment()))
            )
        )
        (tmp_path / "group.toml").write_text(describe(east.url, west.url))
        yield (
            tmp_path,
            {
                **clean_environment(),
                "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_DEFAULT_REGION": "eu-central-1",
            },
            (east, west),
        )


def describe(east, west, profile="west"):
    return f"""
[scan]
period = "2026-Q4"
formats = ["json"]

[aws]
account_deadline_seconds = 20

[[organization]]
name = "east"
[organization.aws]
profile = "east"
endpoint_url = "{east}"
[organization.scan]
organization_name = "East Ltd"

[[organization]]
name = "west"
[organization.aws]
profile = "{profile}"
endpoint_url = "{west}"
external_id = "only-for-west"
"""


def run(group, *words):
    folder, environment, _ = group
    done = subprocess.run(
        [sys.executable, "-m", "scanner", "scan", "--config", "group.toml", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    place = folder / done.stdout.splitlines()[-1] if done.stdout else None
    return done, place


def read(place):
    told = json.loads((place / "overview.json").read_text())
    return told, {entry["name"]: entry for entry in told["organizations"]}


def test_each_organization_has_its_run_and_the_overview_their_figures(group):
    """
    Every figure is that of a sealed summary, and the totals are their sums.
    """
    done, place = run(group)

    told, entries = read(place)
    assert done.returncode == told["exit_status"] == 1, done.stderr
    assert list(entries) == ["east", "west"]
    for name, world in (("east", EAST), ("west", WEST)):
        entry = entries[name]
        stored = StoredRun(group[0] / entry["run"])
        summary = stored.summary
        assert stored.manifest_sha256 == entry["seal"]
        assert entry["organization_id"] == summary.organization_id == world.organization_id
        assert entry["listed"] == summary.accounts.listed == len(world.accounts)
        assert entry["console"] == summary.users.console
        assert entry["without_mfa"] == summary.users.console_without_mfa
        assert entry["status"] == summary.exit_status
    assert told["totals"]["users"] == sum(entry["users"] for entry in entries.values())
    assert entries["east"]["organization_name"] == "East Ltd"
    page = (place / "overview.md").read_text()
    assert "2 of 2 organizations were scanned" in page
    assert "compliant" not in page.lower()


def test_a_run_keeps_the_settings_of_its_own_organization_alone(group):
    """
    How the other one is reached is not for its auditor to read; and the run can be resumed by them.
    """
    _, place = run(group)
    _, entries = read(place)

    kept = (group[0] / entries["east"]["run"] / "inputs" / "settings.toml").read_text()
    assert "East Ltd" in kept
    assert "west" not in kept
    assert "only-for-west" not in kept
    resumed, _ = run(group, "--resume", entries["east"]["run"], "--organization", "east")
    assert "no account in it is to be read again" in resumed.stderr


def test_one_that_fails_is_named_and_the_others_are_scanned(group):
    """
    Credentials that there are none of: status 2 of all, with what to do, and no figure counts it.
    """
    folder, _, (east, west) = group
    (folder / "group.toml").write_text(describe(east.url, west.url, profile="nobody"))

    done, place = run(group)

    told, entries = read(place)
    assert done.returncode == told["exit_status"] == 2
    assert entries["west"]["state"] == "failed"
    assert "nobody" in entries["west"]["reason"]
    assert entries["east"]["state"] == "scanned"
    assert told["totals"]["listed"] == entries["east"]["listed"] == 8
    page = (place / "overview.md").read_text()
    assert "**INCOMPLETE** Nothing is said of `west`" in page


def test_two_names_of_one_organization_do_not_count_twice(group):
    """
    The second has led to the first one's organization: it fails, and says which it is.
    """
    folder, _, (east, _) = group
    (folder / "group.toml").write_text(describe(east.url, east.url, profile="east"))

    done, place = run(group)

    told, entries = read(place)
    assert done.returncode == 2
    assert entries["west"]["state"] == "failed"
    assert "which east is already" in entries["west"]["reason"]
    assert told["totals"]["listed"] == 8


def test_one_alone_is_scanned_as_if_the_file_were_its_own(group):
    """
    The run folder is the last line, and nobody else is called.
    """
    done, place = run(group, "--organization", "west")

    assert done.returncode == 1, done.stderr
    assert StoredRun(place).summary.organization_id == WEST.organization_id
    assert not group[2][0].requests


def test_a_name_that_is_not_there_is_refused(group):
    """
    With those there are, before anybody is called.
    """
    for names in (["north"], ["east", "north"]):
        done, _ = run(group, *(word for name in names for word in ("--organization", name)))
        assert done.returncode == 2
        assert "north" in done.stderr
        assert "east, west" in done.stderr
    assert not group[2][0].requests


def test_doctor_and_deliver_want_to_be_told_which(group):
    """
    They look at one organization, and do not take the first for all.
    """
    folder, environment, _ = group
    command = [sys.executable, "-m", "scanner", "doctor", "--config", "group.toml"]
    for words, status in (([], 2), (["--organization", "west"], 0)):
        done = subprocess.run(
            [*command, *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stderr
        assert ("choose one with --organization" in done.stderr) is (status == 2)


def test_a_signal_ends_the_scan_at_hand_and_begins_no_other(group):
    """
    The first one is sealed as it is or kept, the second was not scanned, and the overview says both.
    """
    folder, environment, (east, west) = group
    process = subprocess.Popen(
        [sys.executable, "-m", "scanner", "scan", "--config", "group.toml"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not east.requests:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)

    told, entries = read(folder / stdout.splitlines()[-1])
    assert process.returncode == told["exit_status"] == 5, stderr
    assert entries["west"]["state"] == "not-scanned"
    assert "stopped before its turn" in entries["west"]["reason"]
    assert not west.requests
