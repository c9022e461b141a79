from datetime import UTC, datetime, timedelta

import pytest
from botocore.credentials import Credentials

from scanner.aws import clients
from scanner.aws.clients import acting_as, check_endpoint, connect
from scanner.errors import SettingsError


@pytest.fixture
def caller(monkeypatch):
    """
    Set made-up keys, and an environment that points everything at a stranger.
    """
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAOWN",
        "AWS_SECRET_ACCESS_KEY": "made-up",
        "AWS_ENDPOINT_URL": "http://192.0.2.7:1",
        "AWS_ENDPOINT_URL_IAM": "http://192.0.2.7:1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("caller")
def test_endpoints_from_the_environment_are_ignored():
    """
    A variable cannot send our signed requests elsewhere.
    """
    made = connect(profile=None, region=None, endpoint=None, workers=4)

    assert made.iam.meta.endpoint_url == "https://iam.amazonaws.com"
    assert made.sts.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"


@pytest.mark.usefixtures("caller")
def test_an_endpoint_is_overridden_when_asked():
    """
    `--endpoint-url` applies to all three services.
    """
    made = connect(profile=None, region=None, endpoint="http://127.0.0.1:9", workers=4)

    assert {
        made.iam.meta.endpoint_url,
        made.sts.meta.endpoint_url,
        made.organizations.meta.endpoint_url,
    } == {"http://127.0.0.1:9"}


@pytest.mark.usefixtures("caller")
def test_a_region_leads_to_its_partition(monkeypatch):
    """
    A GovCloud region, even one named only in AWS_REGION, leads to GovCloud's endpoints.
    """
    monkeypatch.setenv("AWS_REGION", "us-gov-west-1")

    made = connect(profile=None, region=None, endpoint=None, workers=4)

    assert made.iam.meta.endpoint_url == "https://iam.us-gov.amazonaws.com"


@pytest.mark.usefixtures("caller")
def test_a_call_outside_any_account_is_never_signed():
    """
    Without credentials in context the IAM client raises before anything is sent.
    """
    made = connect(profile=None, region=None, endpoint="http://127.0.0.1:9", workers=4)

    with pytest.raises(LookupError):
        made.iam.list_users()


def test_credentials_end_with_their_block():
    """
    What one account's block set, the next one on the same thread does not see, even after an error.
    """
    with pytest.raises(RuntimeError), acting_as(Credentials("one", "made-up")):
        raise RuntimeError

    with pytest.raises(LookupError):
        clients._CURRENT.get()


@pytest.mark.usefixtures("caller")
def test_the_callers_credentials_stay_those_of_their_source(tmp_path, monkeypatch):
    """
    No client signs with a copy: where the source hands out others before the end, all of them change.
    """
    source = '{"Version": 1, "AccessKeyId": "ASIA'
    rest = '", "SecretAccessKey": "x", "SessionToken": "x", "Expiration": "2999-01-01T00:00:00Z"}'
    (tmp_path / "config").write_text(
        f"[profile auditor]\ncredential_process = sh {tmp_path}/source\n"
    )
    (tmp_path / "source").write_text(
        f"echo >> {tmp_path}/log; echo '{source}'$(wc -l < {tmp_path}/log)'{rest}'"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    made = connect(profile="auditor", region=None, endpoint=None, workers=4)
    signers = [made.sts, made.organizations, made.iam]

    keys = []
    with acting_as(made.own):
        for _ in range(2):
            keys += [
                client._request_signer._credentials.get_frozen_credentials().access_key
                for client in signers
            ]
            made.own._expiry_time = datetime.now(UTC) + timedelta(minutes=11)  # type: ignore[attr-defined]

    assert keys == ["ASIA1"] * 3 + ["ASIA2"] * 3


@pytest.mark.usefixtures("caller")
def test_botocore_retries_nothing_itself():
    """
    One shared client must not share one retry quota between accounts.
    """
    made = connect(profile=None, region=None, endpoint=None, workers=4)

    assert made.iam.meta.config.retries["total_max_attempts"] == 1


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://iam.example.com",
        "https://[2001:db8::1]:8443",
        "http://127.0.0.1:4599",
        "http://127.8.9.10:80",
        "http://localhost:4599",
        "http://[::1]:4599",
    ],
)
def test_endpoints_that_are_taken(endpoint):
    """
    TLS anywhere, plain http on this machine.
    """
    check_endpoint(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://192.0.2.1:80",
        "http://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://0.0.0.0:80",
        "ftp://127.0.0.1",
        "127.0.0.1:80",
        "https://",
        "https://user:word@example.com",
        "http://[::1",
        "http://127.0.0.1:99999",
        "",
    ],
)
def test_endpoints_that_are_refused(endpoint):
    """
    Plain http beyond this machine, credentials in the address, and what is no address.
    """
    with pytest.raises(SettingsError) as refused:
        check_endpoint(endpoint)

    assert "word" not in str(refused.value).replace("password", "")
