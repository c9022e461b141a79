"""
The command `orgproof deliver`, into folders and buckets.

moto keeps what If-None-Match, versions, Object Lock and encryption do to an object. It compares no checksum,
asks no KMS key, and knows no bucket owner; what depends on those is shown in tests/unit/test_aws_s3.py and
with a bucket of our own.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from conftest import clean_environment
from delivery_run import REPORTS, StillClock, make_run, read_tree
from moto.server import ThreadedMotoServer
from s3_stub import serve_bucket

from scanner.aws.bucket import Bucket
from scanner.aws.s3 import connect_bucket
from scanner.delivery import deliver_run
from scanner.errors import DeliveryError
from scanner.settings import read_settings
from scanner.simulator import build_world
from scanner.wiring import choose_destinations

pytestmark = [
    pytest.mark.functional,
    # moto's own server and libraries are not ours to keep free of warnings.
    pytest.mark.filterwarnings("ignore"),
]

PLACE = "o-a1b2c3d4e5/2026-Q4/20261124T090000Z"
AUDIT = Bucket("audit")
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIAMADEUPMADEUP0001",
    "AWS_SECRET_ACCESS_KEY": "hush-hush-4711",
    "AWS_SESSION_TOKEN": "hush-token-4712",
}
SENT = {f"{PLACE}/reports/{name}" for name in REPORTS} | {
    f"{PLACE}/{name}" for name in ("documents.json", "SHA256SUMS", "manifest.json")
}


@pytest.fixture(name="made", scope="module")
def make_one(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("made"))


@pytest.fixture(name="run")
def copy_run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "runs" / made.name)


@pytest.fixture(name="moto", scope="module")
def serve_moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(name="s3")
def call_s3(moto):
    return call(moto, "s3")


@pytest.fixture(name="signed_in")
def sign_in(monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(name="stub")
def serve_stub(signed_in):  # noqa: ARG001 - for whoever calls the bucket
    with serve_bucket() as bucket:
        yield bucket


def call(moto, service):
    return boto3.client(
        service,
        endpoint_url=moto,
        region_name="us-east-1",
        aws_access_key_id="made-up",
        aws_secret_access_key="made-up",
    )


def write_settings(tmp_path, *tables):
    file = tmp_path / "settings.toml"
    file.write_text("\n".join(f"[[deliver]]\n{table}" for table in tables))
    return file


def to_bucket(url, bucket="audit", **more):
    values = {"to": "s3", "bucket": bucket, "endpoint_url": url, **more}
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def connect(url, bucket=AUDIT):
    return connect_bucket(
        replace(bucket, endpoint=url),
        profile=None,
        region="us-east-1",
        contents="documents",
        clock=StillClock(),
    )


def deliver(run, *destinations):
    return deliver_run(run, destinations, StillClock(), "0.1.0")


def refuse(run, *destinations):
    with pytest.raises(DeliveryError) as caught:
        deliver(run, *destinations)
    return str(caught.value)


# Into a bucket


def test_a_run_is_delivered_locked_and_encrypted_once(moto, s3, command, run, tmp_path):
    """
    Each object is there once, in the mode and with the key asked for; the second delivery writes nothing.
    """
    s3.create_bucket(Bucket="archive", ObjectLockEnabledForBucket=True)
    key = call(moto, "kms").create_key()["KeyMetadata"]["Arn"]
    lock = {"lock_mode": "compliance", "retain_days": 400}
    table = to_bucket(moto, "archive", prefix="audit/orgproof", kms_key=key, **lock)
    config = write_settings(tmp_path, table)

    done = [
        command("deliver", str(run), "--config", str(config), environment=SECRETS) for _ in "12"
    ]

    assert [(outcome.status, outcome.stderr) for outcome in done] == [(0, ""), (0, "")]
    versions = s3.list_object_versions(Bucket="archive")["Versions"]
    assert sorted(entry["Key"] for entry in versions) == sorted(f"audit/orgproof/{k}" for k in SENT)
    kept = s3.head_object(Bucket="archive", Key=f"audit/orgproof/{PLACE}/manifest.json")
    assert (kept["ObjectLockMode"], kept["SSEKMSKeyId"]) == ("COMPLIANCE", key)
    ahead = kept["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=399) < ahead < timedelta(days=400)
    first, second = (json.loads((one.folder / "receipt.json").read_text()) for one in done)
    assert {item["placed"]["version_id"] for item in first["consignments"][0]["items"]} == {
        entry["VersionId"] for entry in versions
    }
    assert {item["placed"]["was_there"] for item in second["consignments"][0]["items"]} == {True}
    assert "was there already: s3://archive/audit/orgproof/" in done[1].stdout
    for secret in SECRETS.values():
        assert secret not in "".join(str(held) for held in read_tree(run).values())
        assert secret not in "".join(one.stdout + one.stderr for one in done)


def test_another_object_in_its_place_stays(moto, s3, command, run, tmp_path):
    """
    Exit status 5; the message says how to repeat it; the other destination has everything.
    """
    s3.create_bucket(Bucket="taken")
    s3.put_object(Bucket="taken", Key=f"{PLACE}/documents.json", Body=b"somebody else's")
    (tmp_path / "share").mkdir()
    config = write_settings(tmp_path, to_bucket(moto, "taken"), 'to = "folder"\npath = "share"')

    done = command("deliver", str(run), "--config", str(config), environment=SECRETS)

    assert done.status == 5
    assert "documents.json: another object is there, and nothing is overwritten" in done.stderr
    assert f"`orgproof deliver {run} --config {config}`" in done.stderr
    body = s3.get_object(Bucket="taken", Key=f"{PLACE}/documents.json")["Body"].read()
    assert body == b"somebody else's"
    assert set(read_tree(tmp_path / "share")) == SENT


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("bucket", "said"),
    [
        (Bucket("nowhere"), "there is no bucket nowhere"),
        (
            Bucket("lockless", lock_mode="GOVERNANCE", retain=timedelta(days=1)),
            "the bucket has no Object Lock",
        ),
    ],
)
def test_a_bucket_that_cannot_do_what_is_asked_is_named(moto, s3, run, bucket, said):
    """
    Nothing is delivered without the lock that was asked for.
    """
    s3.create_bucket(Bucket="lockless")

    assert said in refuse(run, connect(moto, bucket))
    assert "Contents" not in s3.list_objects_v2(Bucket="lockless")


# Where moto is not faithful


def test_every_object_is_sent_with_its_checksum_and_never_over_another(stub, run):
    """
    As it goes over the wire: the manifest's SHA-256, If-None-Match, a whole body of known length.
    """
    deliver(run, connect(stub.url))

    assert set(stub.objects) == SENT
    for exchange in stub.puts():
        assert exchange.headers["if-none-match"] == "*"
        assert exchange.headers["x-amz-sdk-checksum-algorithm"] == "SHA256"
        assert exchange.headers["content-length"] == str(len(stub.objects[exchange.key]))
        assert "content-encoding" not in exchange.headers


def test_every_setting_of_a_bucket_reaches_it(stub, run, tmp_path, monkeypatch):
    """
    Prefix, region, profile, owner, key and lock stand in the request. What the bucket does not confirm fails.
    """
    file = tmp_path / "credentials"
    file.write_text(
        "[evidence-writer]\naws_access_key_id = AKIAWRITER\naws_secret_access_key = made-up\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    table = to_bucket(
        stub.url,
        prefix="orgproof",
        region="eu-south-2",
        profile="evidence-writer",
        expected_owner="444455556666",
        kms_key="alias/evidence",
        lock_mode="governance",
        retain_days=30,
        contents="seal",
    )
    settings = read_settings(f"[[deliver]]\n{table}".encode(), "orgproof.toml", {})

    assert "is not encrypted with the key asked for" in refuse(run, *choose_destinations(settings))

    (exchange,) = stub.puts()
    headers = exchange.headers
    assert exchange.key == f"orgproof/{PLACE}/documents.json"
    assert "Credential=AKIAWRITER/" in headers["authorization"]
    assert "/eu-south-2/s3/aws4_request" in headers["authorization"]
    assert headers["x-amz-expected-bucket-owner"] == "444455556666"
    assert headers["x-amz-server-side-encryption"] == "aws:kms"
    assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/evidence"
    assert headers["x-amz-server-side-encryption-bucket-key-enabled"] == "true"
    assert headers["x-amz-object-lock-mode"] == "GOVERNANCE"
    until = datetime.fromisoformat(headers["x-amz-object-lock-retain-until-date"])
    assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)


@pytest.mark.parametrize("is_stored", [False, True])
def test_an_answer_that_was_lost_costs_nothing(stub, run, is_stored):
    """
    Whether the object was stored by then or not, it is there once in the end and counts as delivered.
    """

    def lose(exchange):
        if exchange.method == "PUT" and exchange.number == 3:
            exchange.is_lost = True
            exchange.answer = None if is_stored else b""

    stub.meddle = lose

    deliver(run, connect(stub.url))

    assert set(stub.objects) == SENT


def test_bytes_that_are_spoilt_on_the_way_are_not_stored(stub, run):
    """
    The checksum is the manifest's, so whatever arrives otherwise is refused; the next try succeeds.
    """

    def spoil(exchange):
        if exchange.method == "PUT" and exchange.number == 1:
            exchange.body = exchange.body[:-1] + b"?"

    stub.meddle = spoil

    deliver(run, connect(stub.url))

    assert set(stub.objects) == SENT
    assert stub.objects[f"{PLACE}/manifest.json"] == (run / "manifest.json").read_bytes()
    assert len(stub.puts()) == len(SENT) + 1


@pytest.mark.parametrize("page", [b"", b"<html>please sign in</html>"])
def test_a_portal_in_between_is_no_delivery(stub, run, page):
    """
    It answers every request with 200 and a page of its own.
    """

    def answer(exchange):
        exchange.answer = page

    stub.meddle = answer

    assert "what S3 gives back is not what was sent" in refuse(run, connect(stub.url))


def test_endpoints_from_the_environment_are_ignored(stub, run, monkeypatch):
    """
    A variable that somebody set does not lead the documents elsewhere.
    """
    with serve_bucket() as elsewhere:
        monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere.url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", elsewhere.url)

        deliver(run, connect(stub.url))

        assert elsewhere.seen == []


def start(run, config):
    return subprocess.Popen(
        [sys.executable, "-m", "scanner", "deliver", str(run), "--config", str(config)],
        env={**clean_environment(), **SECRETS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_delivery_that_was_stopped_is_completed_by_the_next(stub, command, run, tmp_path, how):
    """
    It was stopped with some objects there. What is there is not written again, and the run is whole.
    """
    config = write_settings(tmp_path, to_bucket(stub.url))
    before = read_tree(run)
    process = start(run, config)

    def stop(exchange):
        if exchange.method == "PUT" and exchange.number == 4:
            process.send_signal(how)
            time.sleep(0.5)

    stub.meddle = stop
    _, said = process.communicate(timeout=60)
    stub.meddle = lambda _: None
    at_first = dict(stub.objects)

    done = command("deliver", str(run), "--config", str(config), environment=SECRETS)

    assert process.returncode == (-how if how == signal.SIGKILL else 5), said
    assert 3 <= len(at_first) < len(SENT)
    assert done.status == 0, done.stderr
    assert set(stub.objects) == SENT
    assert before.items() <= read_tree(run).items()
    receipts = [json.loads(path.read_text()) for path in run.glob("derived/*/receipt.json")]
    problems = sorted(str(receipt["consignments"][0]["problem"]) for receipt in receipts)
    assert problems == (["None"] if how == signal.SIGKILL else ["None", "it was stopped"])
    assert "--resume" not in said
    if how == signal.SIGINT:
        assert f"to deliver it: orgproof deliver {run} --config {config}" in said


# The command


def test_a_run_knows_itself_where_it_goes(command, tmp_path):
    """
    Without --config, the settings that the run keeps decide.
    """
    (tmp_path / "share").mkdir()
    settings = f'[[deliver]]\nto = "folder"\npath = "{tmp_path / "share"}"\ncontents = "run"\n'
    run = make_run(tmp_path / "runs", settings)
    before = read_tree(run)

    done = command("deliver", str(run))

    assert done.status == 0, done.stderr
    assert read_tree(tmp_path / "share" / PLACE) == before
    assert done.folder.parent == run / "derived"


def test_a_folder_that_was_relative_to_lost_settings_is_refused(command, tmp_path):
    """
    Where the settings once stood is not known, and a folder of that name may be here too.
    """
    (tmp_path / "share").mkdir()
    run = make_run(tmp_path / "runs", '[[deliver]]\nto = "folder"\npath = "share"\n')

    done = command("deliver", str(run))

    assert (done.status, read_tree(tmp_path / "share")) == (2, {})
    assert "--config" in done.stderr


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (None, (2, "name nowhere to deliver to")),
        ('to = "folder"\npath = "missing"', (2, "mount it")),
        ('to = "s3"\nbucket = "audit"\nendpoint_url = "http://s3.example.com"', (2, "use https")),
        ('to = "s3"\nbucket = "audit"\nprofile = "missing"', (2, "bucket audit")),
        ('to = "folder"\npath = "."', (4, "is not what was sealed")),
    ],
)
def test_the_exit_status_tells_whose_fault_it_is(command, run, tmp_path, table, expected):
    """
    2 for settings, before anything is read of the run; 4 for a run that does not verify.
    """
    config = write_settings(tmp_path, *([table] if table else []))
    (run / "reports" / "findings.csv").write_bytes(b"changed")

    done = command("deliver", str(run), "--config", str(config), environment=SECRETS)

    assert (done.status, done.stdout) == (expected[0], "")
    assert expected[1] in done.stderr
    assert not (run / "derived").exists()
    assert not any(os.path.lexists(tmp_path / name) for name in ("missing", "o-a1b2c3d4e5"))


# The end of a scan


def test_a_scan_delivers_what_it_made_and_says_when_it_could_not(scanning, tmp_path):
    """
    One destination has everything; the other fails, with status 5, and the run is whole and named last.
    """
    (tmp_path / "share").mkdir()
    (tmp_path / "taken").mkdir()
    settings = "".join(
        f'[[deliver]]\nto = "folder"\npath = "{name}"\ncontents = "{contents}"\n'
        for name, contents in (("taken", "seal"), ("share", "run"))
    )
    with scanning(build_world(accounts=3, users=2, seed=11)) as scanner:
        organization = scanner.simulator.world.organization_id
        # A file where the organization's folder would be made.
        (tmp_path / "taken" / organization).touch()

        done = scanner.scan(settings=settings)

    assert done.status == 5
    assert f"`orgproof deliver {done.folder} --config {tmp_path / 'settings.toml'}`" in done.stderr
    place = f"{organization}/{done.folder.parent.name}/{done.folder.name}"
    arrived = read_tree(tmp_path / "share" / place)
    assert arrived == {
        path: held
        for path, held in read_tree(done.folder).items()
        if not path.startswith("derived/")
    }


def test_a_scan_asks_nobody_when_it_could_not_deliver(scanning):
    """
    A destination that is not there is said before the first account is read.
    """
    with scanning(build_world(accounts=3, users=2, seed=11)) as scanner:
        done = scanner.scan(settings='[[deliver]]\nto = "folder"\npath = "missing"\n')

        assert (done.status, done.stdout) == (2, "")
        assert scanner.simulator.requests == {}
