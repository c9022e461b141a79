"""
moto answers Organizations and STS faithfully enough, and its credential report has no root row.
"""

import boto3
import pytest
from moto.server import ThreadedMotoServer

pytestmark = [
    pytest.mark.functional,
    # moto's own server and libraries are not ours to keep free of warnings.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def moto():
    """
    Serve an organization of three accounts, one of them in an OU.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "organizations",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="made-up",
        aws_secret_access_key="made-up",
    )
    client.create_organization(FeatureSet="ALL")
    root = client.list_roots()["Roots"][0]["Id"]
    unit = client.create_organizational_unit(ParentId=root, Name="Workloads")
    made = [
        client.create_account(AccountName=name, Email=f"{name}@example.com")
        for name in ("one", "two")
    ]
    client.move_account(
        AccountId=made[-1]["CreateAccountStatus"]["AccountId"],
        SourceParentId=root,
        DestinationParentId=unit["OrganizationalUnit"]["Id"],
    )
    yield url
    server.stop()


def test_a_report_without_a_root_row_is_refused_account_by_account(moto, command, tmp_path):
    """
    OU paths come from a tree walk where `Paths` is missing, and a report without root is malformed.
    """
    done = command(
        *("scan", "--endpoint-url", moto, "--output", str(tmp_path), "--format", "json"),
        environment={"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"},
    )

    assert done.status == 3, done.stderr
    accounts = done.run.accounts()
    assert set(accounts["reason_code"]) == {"malformed-report"}
    assert sorted(accounts["ou_path"]) == ["Root", "Root", "Workloads"]
