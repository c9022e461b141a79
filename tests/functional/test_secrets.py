import logging

import pytest
from conftest import clean_environment

from scanner.cli import app
from scanner.simulator import Fault, FaultKind, FaultPlan, Simulator, build_world

pytestmark = pytest.mark.functional


def secrets_of(simulator: Simulator) -> set[str]:
    """
    Every secret key and session token that the simulation gave out.
    """
    held = [p.credentials for p in simulator._sessions._principals.values()]
    return {c.secret_key for c in held} | {c.token for c in held if c.token}


@pytest.fixture
def all_records(caplog):
    """
    Every log record of every library, as verbose as a person could ask for.
    """
    names = ("", "boto3", "botocore", "urllib3", "scanner", "orgproof")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    yield caplog
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    "kinds",
    [
        (),
        (FaultKind.HTML, FaultKind.BROKEN_BODY, FaultKind.CUT_BODY, FaultKind.SERVER_ERROR),
        (FaultKind.EXPIRED_TOKEN, FaultKind.CLOCK_SKEW, FaultKind.ACTION_DENIED),
    ],
    ids=["without faults", "broken answers", "refusals"],
)
def test_no_secret_is_ever_written(all_records, capsys, monkeypatch, tmp_path, kinds):
    """
    No secret key or token is in any log record, in what is printed, or in the run folder.

    Whatever AssumeRole and the report calls answer.
    """
    world = build_world(accounts=12, users=8, seed=31)
    members = [account.id for account in world.accounts if account.id != world.management_id]
    plan = FaultPlan(
        tuple(
            Fault(kind, account=members[number], operation=operation)
            for number, (kind, operation) in enumerate(
                (kind, operation)
                for kind in kinds
                for operation in ("sts:AssumeRole", "iam:GetCredentialReport")
            )
        )
    )
    for name in [name for name in clean_environment() if name.startswith("AWS_")]:
        monkeypatch.setenv(name, clean_environment()[name])
    (tmp_path / "s.toml").write_text("[aws]\naccount_deadline_seconds = 6\n")

    with Simulator(world, plan) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            app(
                [
                    *("scan", "--endpoint-url", simulator.url, "--output", str(tmp_path / "runs")),
                    *("--config", str(tmp_path / "s.toml"), "--format", "json,csv"),
                ]
            )
        secrets = secrets_of(simulator)

    printed = capsys.readouterr()
    logged = "\n".join(f"{r.getMessage()} {r.exc_text or ''}" for r in all_records.records)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert ended.value.code == (3 if kinds else 1)
    assert len(secrets) > 12
    assert len(files) > 20
    for secret in secrets:
        assert secret not in printed.out + printed.err + logged
        assert not [path for path in files if secret.encode() in path.read_bytes()]
