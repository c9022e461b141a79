"""
`orgproof doctor` against the simulated organization: what is broken is named, and its fix works.
"""

from datetime import timedelta

import pytest
from conftest import run_command

from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_world
from scanner.simulator.clock import SimulatedClock

pytestmark = pytest.mark.functional

WORLD = build_world(accounts=6, users=3, seed=11)
MEMBER = next(account.id for account in WORLD.accounts if account.id != WORLD.management_id)
SOUND = FaultPlan()


def broken(kind, operation="", **members):
    return FaultPlan((Fault(kind, MEMBER, operation, **members),))


def run_doctor(command, plan=SOUND, *arguments, skew=timedelta(0)):
    with Simulator(WORLD, plan, clock=SimulatedClock(skew=skew)) as simulator:
        return command(
            "doctor",
            "--endpoint-url",
            simulator.url,
            *arguments,
            environment=simulator.environment(),
        )


def lines_about(done, account):
    """
    Return what was said of an account, and the line with its fix.
    """
    lines = done.stdout.splitlines()
    number = next(n for n, line in enumerate(lines) if f"account {account}" in line)
    return lines[number], lines[number + 1]


def test_a_sound_setup_is_ready(command):
    """
    Every account can be read: status 0, and everything that is looked at is sound.
    """
    done = run_doctor(command)

    assert done.status == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "6  ready" in done.stdout
    assert "clock" in done.stdout


BROKEN = (
    (FaultKind.ROLE_MISSING, "", "the role cannot be assumed", "create arn:aws:iam::"),
    (FaultKind.ROLE_UNTRUSTED, "", "the role cannot be assumed", "trust policy"),
    (
        FaultKind.ACTION_DENIED,
        "iam:GetCredentialReport",
        "may not make a call that is needed (iam:GetCredentialReport:",
        "allow iam:GetCredentialReport in",
    ),
    (FaultKind.SCP_DENIED, "", "service control policy: arn:aws:organizations::", "iam:* in it"),
    (FaultKind.SCP_DENIED, "sts:AssumeRole", "denies a call", "sts:* in it"),
    (FaultKind.CLOCK_SKEW, "", "clock is off", "set this machine's clock"),
    (FaultKind.RESET, "", "could not be found out", "check network"),
)
LARGER = build_world(accounts=len(BROKEN) + 3, users=3, seed=12)
PATIENTS = [account.id for account in LARGER.accounts if account.id != LARGER.management_id]


@pytest.fixture(scope="module")
def examined(tmp_path_factory):
    """
    Return what doctor says of an organization in which one account after the other is broken in another way.
    """
    faults = (
        Fault(kind, account, operation)
        for account, (kind, operation, _, _) in zip(PATIENTS, BROKEN, strict=False)
    )
    folder = tmp_path_factory.mktemp("doctor")
    (folder / "settings.toml").write_text("[aws]\naccount_deadline_seconds = 5\n")
    with Simulator(LARGER, FaultPlan(tuple(faults))) as simulator:
        arguments = ("--endpoint-url", simulator.url, "--config", "settings.toml")
        return run_command(folder, "doctor", *arguments, environment=simulator.environment())


@pytest.mark.parametrize(
    ("account", "said", "fix"),
    [(account, said, fix) for account, (_, _, said, fix) in zip(PATIENTS, BROKEN, strict=False)],
)
def test_what_is_broken_in_an_account_is_named_with_its_fix(examined, account, said, fix):
    """
    Each account that is broken is named, with cause and next step.
    """
    seen, step = lines_about(examined, account)

    assert seen.startswith("FAIL")
    assert said in seen
    assert fix in step


def test_what_is_sound_beside_it_is_ready(examined):
    """
    One account's trouble is not another's: all others are ready, and the status is 3.
    """
    assert examined.status == 3, examined.stdout + examined.stderr
    assert len(BROKEN) == examined.stdout.count("FAIL account")
    assert f"{len(LARGER.accounts) - len(BROKEN)}  ready" in examined.stdout


def test_a_wrong_role_name_is_mended_by_the_option_that_the_fix_names(command):
    """
    No account has the role that is asked for: all are named, and `--role-name` with the right one mends it.
    """
    wrong = run_doctor(command, SOUND, "--role-name", "nobody-has-this")
    right = run_doctor(command, SOUND, "--role-name", "orgproof-reader")

    assert wrong.status == 3
    assert wrong.stdout.count("FAIL account") == 5, "all but the caller's own"
    assert "--role-name" in lines_about(wrong, MEMBER)[1]
    assert right.status == 0, right.stdout


@pytest.mark.parametrize("skew", [timedelta(minutes=20), timedelta(minutes=-20)])
def test_a_clock_that_is_off_is_named_though_nothing_can_be_asked(command, skew):
    """
    AWS refuses every signature: the clock is named with how far it is off, from the refusal's own time.
    """
    done = run_doctor(command, skew=skew)

    assert done.status == 3
    word = "behind" if skew > timedelta(0) else "ahead of"
    assert f"s {word} AWS's" in done.stdout
    assert "timedatectl set-ntp true" in done.stdout


def test_a_question_that_may_not_be_asked_is_a_warning(command):
    """
    The report can be read and a confirming call is denied: it is said, and the status is 0.
    """
    done = run_doctor(command, broken(FaultKind.ACTION_DENIED, "iam:ListUserTags"))

    assert done.status == 0, done.stdout
    seen, step = lines_about(done, MEMBER)
    assert seen.startswith("warn")
    assert "allow iam:ListUserTags" in step


def test_what_passes_by_itself_is_no_finding(command):
    """
    A few throttled calls, and a report that is not there yet: tried again, and ready.
    """
    plan = FaultPlan(
        (
            Fault(FaultKind.THROTTLE, MEMBER, times=2),
            Fault(FaultKind.REPORT_NOT_PRESENT, MEMBER),
            Fault(FaultKind.LIMIT_EXCEEDED, MEMBER),
        )
    )

    done = run_doctor(command, plan)

    assert done.status == 0, done.stdout


def test_an_account_list_without_state_is_said(command):
    """
    AWS sends the older field alone: the list can be read, and it is said that this ends.
    """
    done = run_doctor(command, FaultPlan((Fault(FaultKind.NO_STATE, WORLD.management_id),)))

    assert done.status == 0, done.stdout
    assert "with Status alone and no State" in done.stdout


def test_an_account_list_that_cannot_be_read_is_said(command):
    """
    The caller may not list accounts: that is named with its fix, and no account is said to be ready.
    """
    plan = FaultPlan((Fault(FaultKind.NOT_IN_ORGANIZATION, WORLD.management_id),))

    done = run_doctor(command, plan)

    assert done.status == 3
    assert "FAIL account list" in done.stdout
    assert "ready" not in done.stdout


@pytest.mark.parametrize(
    "arguments", [("--account", "000000000000"), ("--workers", "0"), ("--config", "none.toml")]
)
def test_settings_that_make_no_sense_are_no_readiness(command, arguments):
    """
    What is asked for cannot be: it is said, and the status is not 0.
    """
    done = run_doctor(command, SOUND, *arguments)

    assert done.status in {2, 3}
    assert "Traceback" not in done.stderr


def test_doctor_leaves_nothing_behind_and_tells_no_secret(command, tmp_path):
    """
    Nothing is stored, and no key or token is printed.
    """
    with Simulator(WORLD, SOUND) as simulator:
        environment = simulator.environment()
        done = command("doctor", "--endpoint-url", simulator.url, environment=environment)

    assert done.status == 0
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert environment[name] not in done.stdout + done.stderr
