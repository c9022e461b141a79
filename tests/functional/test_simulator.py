"""
The simulated organization against the real boto3, over real HTTP.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from scanner.credentials import parse_report
from scanner.errors import SettingsError
from scanner.model import AccountId
from scanner.simulator import (
    ADMIN_ROLE,
    READER_ROLE,
    Credentials,
    Fault,
    FaultKind,
    FaultPlan,
    SimulatedClock,
    Simulator,
    build_demo,
    build_hostile,
    build_world,
)
from scanner.simulator.hostility import HOSTILE_PATHS

pytestmark = pytest.mark.functional

SESSION: Any = boto3.Session(region_name="us-east-1")
"""
One for all tests: making one costs a tenth of a second.
"""

HOUR = 3600
READ_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["iam:GenerateCredentialReport", "iam:GetCredentialReport"],
                "Resource": "*",
            }
        ],
    }
)


class Sdk:
    """
    Makes boto3 clients for one simulation, and closes them.
    """

    def __init__(self, simulator: Simulator, stack: ExitStack) -> None:
        self.simulator = simulator
        self._stack = stack

    def client(self, service: str, credentials: Credentials | None = None) -> Any:
        """
        Return a client that signs as the caller, or with the credentials given.
        """
        signing = credentials or self.simulator.caller_credentials
        client = SESSION.client(
            service,
            endpoint_url=self.simulator.url,
            aws_access_key_id=signing.access_key,
            aws_secret_access_key=signing.secret_key,
            aws_session_token=signing.token,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": 1},
                read_timeout=5,
                ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
            ),
        )
        self._stack.callback(client.close)
        return client

    def assume(self, account_id: str, role: str = READER_ROLE, **parameters: Any) -> Credentials:
        """
        Return the credentials of a session in another account.
        """
        caller = parameters.pop("caller", None)
        answer = self.client("sts", caller).assume_role(
            RoleArn=f"arn:aws:iam::{account_id}:role/{role}",
            RoleSessionName=parameters.pop("RoleSessionName", "test-session"),
            **parameters,
        )["Credentials"]
        return Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"])

    def iam(self, account_id: str, **parameters: Any) -> Any:
        """
        Return an IAM client for another account.
        """
        return self.client("iam", self.assume(account_id, **parameters))


@pytest.fixture
def start() -> Iterator[Any]:
    with ExitStack() as stack:

        def start(world: Any = None, *faults: Fault, **options: Any) -> Sdk:
            options = {"report_seconds": 0.0, **options}
            simulator = Simulator(world or build_world(4, 5), FaultPlan(faults), **options)
            return Sdk(stack.enter_context(simulator), stack)

        yield start


def member_of(sdk: Sdk, number: int = 1) -> str:
    return [a.id for a in sdk.simulator.world.accounts][number]


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error = caught.value.response
    status = error["ResponseMetadata"]["HTTPStatusCode"]
    return error["Error"]["Code"], status, error["Error"]["Message"]


def read_report(iam: Any) -> dict[str, Any]:
    while iam.generate_credential_report()["State"] != "COMPLETE":
        pass
    report: dict[str, Any] = iam.get_credential_report()
    return report


# Who is calling


def test_the_caller_is_known(start):
    """
    GetCallerIdentity names account and session, and every answer has a request id.
    """
    sdk = start()

    answer = sdk.client("sts").get_caller_identity()

    assert answer["Account"] == sdk.simulator.world.management_id
    assert answer["Arn"].startswith(f"arn:aws:sts::{answer['Account']}:assumed-role/")
    assert answer["UserId"].startswith("AROA")
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_a_session_belongs_to_the_account_of_its_role(start):
    """
    After AssumeRole the identity is the role's, in the role's account.
    """
    sdk = start()
    account_id = member_of(sdk)

    answer = sdk.client("sts", sdk.assume(account_id)).get_caller_identity()

    assert answer["Account"] == account_id
    assert answer["Arn"] == f"arn:aws:sts::{account_id}:assumed-role/orgproof-reader/test-session"


@pytest.mark.parametrize(
    ("service", "call", "code", "status"),
    [
        ("sts", "get_caller_identity", "SignatureDoesNotMatch", 403),
        ("iam", "get_account_summary", "SignatureDoesNotMatch", 403),
        ("organizations", "list_accounts", "InvalidSignatureException", 400),
    ],
)
def test_a_wrong_secret_is_refused(start, service, call, code, status):
    """
    Each protocol has its own word for a signature that does not match.
    """
    sdk = start()
    wrong = replace(sdk.simulator.caller_credentials, secret_key="wrong")

    answer = refusal(getattr(sdk.client(service, wrong), call))

    assert answer[:2] == (code, status)


@pytest.mark.parametrize(
    ("service", "call", "answer"),
    [
        ("iam", "get_account_summary", ("InvalidClientTokenId", 403)),
        ("organizations", "list_accounts", ("UnrecognizedClientException", 400)),
    ],
)
@pytest.mark.parametrize("change", [{"access_key": "ASIANOBODY"}, {"token": "x"}, {"token": None}])
def test_an_unknown_key_or_token_is_refused(start, service, call, answer, change):
    """
    A key nobody was given, and a key without its own token, are nobody's.
    """
    sdk = start()
    wrong = replace(sdk.simulator.caller_credentials, **change)

    assert refusal(getattr(sdk.client(service, wrong), call))[:2] == answer


def test_one_accounts_token_does_not_open_another(start):
    """
    The key of one session with the token of another is refused.
    """
    sdk = start()
    one, two = sdk.assume(member_of(sdk, 1)), sdk.assume(member_of(sdk, 2))

    mixed = sdk.client("iam", replace(one, token=two.token))

    assert refusal(mixed.list_users)[0] == "InvalidClientTokenId"


@pytest.mark.parametrize("name", ["é", "a b", "a/b", "<root_account>"])
def test_a_name_that_no_user_can_have_is_invalid(start, name):
    """
    IAM refuses such a name when it is looked up, instead of finding nobody.
    """
    sdk = start()
    iam = sdk.iam(member_of(sdk))

    assert refusal(iam.list_mfa_devices, UserName=name)[:2] == ("ValidationError", 400)
    assert refusal(iam.get_login_profile, UserName=name)[:2] == ("ValidationError", 400)


def test_a_session_sees_its_own_account_only(start):
    """
    Every ARN in a session's report carries the session's account, and no user of another is found.
    """
    sdk = start()
    one, two = sdk.simulator.world.accounts[1:3]
    stranger = next(u.name for u in two.users if u.name not in {v.name for v in one.users})
    iam = sdk.iam(one.id)

    rows = read_report(iam)["Content"].decode().split("\n")[1:]

    assert {row.split(",")[1].split(":")[4] for row in rows} == {one.id}
    assert refusal(iam.list_mfa_devices, UserName=stranger)[:2] == ("NoSuchEntity", 404)


@pytest.mark.parametrize(
    ("minutes", "words"), [(20, "Signature expired"), (-20, "Signature not yet current")]
)
def test_a_skewed_clock_is_refused(start, minutes, words):
    """
    Twenty minutes between client and service are too many, whichever is ahead.
    """
    sdk = start(clock=SimulatedClock(skew=timedelta(minutes=minutes)))

    code, status, message = refusal(sdk.client("iam").get_account_summary)

    assert (code, status) == ("SignatureDoesNotMatch", 403)
    assert words in message


# Entering accounts


def test_missing_untrusted_and_wrong_external_id_read_the_same(start):
    """
    AWS does not tell which of the three it was, and neither does this.
    """
    world = replace(build_world(5, 3), external_id="right")
    ids = [account.id for account in world.accounts]
    sdk = start(
        world, Fault(FaultKind.ROLE_MISSING, ids[1]), Fault(FaultKind.ROLE_UNTRUSTED, ids[2])
    )

    answers = [
        refusal(sdk.assume, ids[1], ExternalId="right"),
        refusal(sdk.assume, ids[2], ExternalId="right"),
        refusal(sdk.assume, ids[3], ExternalId="wrong"),
        refusal(sdk.assume, ids[3]),
    ]

    caller = sdk.client("sts").get_caller_identity()["Arn"]
    expected = [
        (
            "AccessDenied",
            403,
            (
                f"User: {caller} is not authorized to perform: sts:AssumeRole on resource: "
                f"arn:aws:iam::{account_id}:role/orgproof-reader"
            ),
        )
        for account_id in (ids[1], ids[2], ids[3], ids[3])
    ]
    assert answers == expected
    assert sdk.assume(ids[3], ExternalId="right")


def test_the_management_account_has_no_role(start):
    """
    AWS makes OrganizationAccountAccessRole in new members only.
    """
    sdk = start()
    management_id = sdk.simulator.world.management_id

    for role in (READER_ROLE, ADMIN_ROLE):
        assert refusal(sdk.assume, management_id, role)[0] == "AccessDenied"
    assert sdk.client("iam").get_account_summary()["SummaryMap"]["Users"] == 5


@pytest.mark.parametrize("state", ["suspended", "closed", "pending-closure", "pending-activation"])
def test_an_account_that_is_not_active_cannot_be_entered(start, state):
    """
    The account list says so, and the role is closed.
    """
    world = build_world(3, 3)
    account_id = world.accounts[1].id
    sdk = start(world, Fault(FaultKind(state), account_id))

    listed = {a["Id"]: a for a in sdk.client("organizations").list_accounts()["Accounts"]}

    assert listed[account_id]["State"] == state.upper().replace("-", "_")
    assert listed[account_id]["Status"] != "ACTIVE"
    assert refusal(sdk.assume, account_id)[0] == "AccessDenied"


def test_a_session_policy_narrows_even_an_administrator(start):
    """
    What the session policy does not allow is denied, with the reason in the message.
    """
    sdk = start()
    iam = sdk.iam(member_of(sdk), role=ADMIN_ROLE, Policy=READ_POLICY)

    read_report(iam)
    code, status, message = refusal(iam.list_users)

    assert (code, status) == ("AccessDenied", 403)
    assert message.endswith("because no session policy allows the iam:ListUsers action")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"Policy": "{"}, "MalformedPolicyDocument"),
        (
            {"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/AWSDenyAll"}]},
            "ValidationError",
        ),
        ({"Policy": "{}" + " " * 2050}, "PackedPolicyTooLarge"),
        ({"DurationSeconds": 900 * 60}, "ValidationError"),
        ({"DurationSeconds": 3601}, "ValidationError"),
        ({"RoleSessionName": "two words"}, "ValidationError"),
        ({"ExternalId": "a b"}, "ValidationError"),
        ({"role": "a b"}, "ValidationError"),
    ],
)
def test_a_bad_assume_role_is_refused(start, parameters, code):
    """
    Policy, duration, session name and external id are held to AWS's rules.
    """
    sdk = start()

    assert refusal(sdk.assume, member_of(sdk), **parameters)[:2] == (code, 400)


def test_a_chained_role_lasts_an_hour_at_most(start):
    """
    A role session that assumes a role is told about chaining, a user about the role's maximum.
    """
    sdk = start()
    user = sdk.simulator.credentials_for(sdk.simulator.world.management_id, as_user=True)

    chained = refusal(sdk.assume, member_of(sdk), DurationSeconds=7200)
    direct = refusal(sdk.assume, member_of(sdk), DurationSeconds=7200, caller=user)

    assert "role chaining" in chained[2]
    assert "MaxSessionDuration" in direct[2]


def test_a_session_ends(start):
    """
    After its duration a session is refused; the caller's own credentials go on.
    """
    sdk = start()
    iam = sdk.iam(member_of(sdk), DurationSeconds=900)
    iam.get_account_summary()

    sdk.simulator.advance(901)

    assert refusal(iam.get_account_summary)[:2] == ("ExpiredToken", 403)
    assert sdk.client("sts").get_caller_identity()


# The credential report


def test_a_report_goes_through_its_states(start):
    """
    Not present, started, in progress, complete; then the same bytes again and again.
    """
    clock = SimulatedClock(monotonic=lambda: 0.0)
    sdk = start(report_seconds=10.0, clock=clock)
    iam = sdk.iam(member_of(sdk))

    absent = refusal(iam.get_credential_report)
    started = iam.generate_credential_report()
    early = refusal(iam.get_credential_report)
    again = iam.generate_credential_report()
    sdk.simulator.advance(10)
    done = iam.generate_credential_report()
    report = iam.get_credential_report()

    assert absent == ("ReportNotPresent", 410, "Unknown")
    assert started["State"] == "STARTED"
    assert started["Description"] == "No report exists. Starting a new report generation task"
    assert early == ("ReportInProgress", 404, "Unknown")
    assert again["State"] == "INPROGRESS"
    assert done["State"] == "COMPLETE"
    assert "Description" not in done
    assert report["ReportFormat"] == "text/csv"
    assert report["GeneratedTime"] == clock.start + timedelta(seconds=10)
    assert report["Content"] == iam.get_credential_report()["Content"]


def test_a_report_is_frozen_for_four_hours(start):
    """
    A fix does not change the report until four hours have passed and a new one is made.
    """
    world = build_world(3, 5, offenders=0.4)
    account = world.accounts[1]
    user = next(u.name for u in account.users if u.is_offender)
    sdk = start(world)
    first = read_report(sdk.iam(account.id))

    sdk.simulator.change(account.id, user, mfa=True)
    sdk.simulator.advance(4 * HOUR - 5)
    kept = read_report(sdk.iam(account.id))
    live = sdk.iam(account.id).list_mfa_devices(UserName=user)["MFADevices"]
    sdk.simulator.advance(10)
    expired = refusal(sdk.iam(account.id).get_credential_report)
    second = read_report(sdk.iam(account.id))

    assert kept["Content"] == first["Content"]
    assert kept["GeneratedTime"] == first["GeneratedTime"]
    assert len(live) == 1
    assert expired == ("ReportExpired", 410, "Unknown")
    assert second["Content"] != first["Content"]
    assert second["GeneratedTime"] > first["GeneratedTime"]


def test_a_user_made_since_the_report_is_listed_and_not_in_it(start):
    """
    A new user holds nothing, is listed at once, and comes into the report with the next one.
    """
    sdk = start()
    account_id = member_of(sdk)
    iam = sdk.iam(account_id)
    first = read_report(iam)

    sdk.simulator.create(account_id, "newcomer")
    listed = {user["UserName"]: user["CreateDate"] for user in iam.list_users()["Users"]}
    kept = read_report(iam)
    profile = refusal(iam.get_login_profile, UserName="newcomer")
    sdk.simulator.advance(4 * HOUR)
    second = read_report(sdk.iam(account_id))

    assert listed["newcomer"] >= first["GeneratedTime"]
    assert kept["Content"] == first["Content"]
    assert profile[0] == "NoSuchEntity"
    assert b"\nnewcomer," in second["Content"]


def test_a_report_can_claim_to_be_old(start):
    """
    Of an old report only the moment it was made is another; what is in it stays.
    """
    world = build_world(3, 5)
    old, new = [account.id for account in world.accounts][1:]
    sdk = start(world, Fault(FaultKind.REPORT_OLD, old, seconds=30 * HOUR))

    reports = {account: read_report(sdk.iam(account)) for account in (old, new)}

    ages = {a: sdk.simulator.clock.now() - r["GeneratedTime"] for a, r in reports.items()}
    assert timedelta(hours=30) <= ages[old] < timedelta(hours=30, minutes=5)
    assert ages[new] < timedelta(minutes=5)
    assert all(len(report["Content"].split(b"\n")) == 7 for report in reports.values())


def test_another_tools_report_is_what_one_gets(start):
    """
    An account may have a report already, made before the scan began.
    """
    world = build_demo()
    account = next(a for a in world.accounts if a.name == "payments-prod")
    sdk = start(world)
    iam = sdk.iam(account.id)

    assert iam.generate_credential_report()["State"] == "COMPLETE"
    age = sdk.simulator.clock.start - iam.get_credential_report()["GeneratedTime"]
    assert age == timedelta(minutes=90)


def test_the_same_start_gives_the_same_bytes(start):
    """
    Seed and start determine a report; the organization's time is not the client's.
    """
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    reports = []
    for _ in range(2):
        sdk = start(build_world(3, 5), clock=SimulatedClock(moment))
        reports.append(read_report(sdk.iam(member_of(sdk)))["Content"])

    assert reports[0] == reports[1]
    assert b"2026-0" in reports[0]


def test_the_truth_is_what_the_reports_say(start):
    """
    `World.offenders` are the console users without MFA of every report, and no others.
    """
    sdk = start(build_demo())
    found = set()
    for account in sdk.simulator.world.readable_accounts():
        is_own = account.id == sdk.simulator.world.management_id
        report = read_report(sdk.client("iam") if is_own else sdk.iam(account.id))
        for line in report["Content"].decode().split("\n")[2:]:
            row = line.split(",")
            if (row[3], row[7]) == ("true", "false"):
                found.add((account.id, row[0]))

    assert found == sdk.simulator.world.offenders()


# Users, live


@pytest.mark.parametrize(
    ("kind", "devices", "profile"),
    [
        (FaultKind.FIXED_SINCE_REPORT, 1, True),
        (FaultKind.PASSWORD_REMOVED_SINCE_REPORT, 0, False),
        (FaultKind.DELETED_SINCE_REPORT, None, False),
    ],
)
def test_what_happened_since_the_report_shows_live(start, kind, devices, profile):
    """
    The report still shows a console user without MFA; the live calls tell what became of it.
    """
    world = build_world(3, 5)
    account = world.accounts[1]
    user = account.users[0].name
    sdk = start(world, Fault(kind, account.id, user=user))
    iam = sdk.iam(account.id)

    rows = read_report(iam)["Content"].decode().split("\n")
    row = next(line.split(",") for line in rows if line.startswith(f"{user},"))

    assert (row[3], row[7]) == ("true", "false")
    if devices is None:
        assert refusal(iam.list_mfa_devices, UserName=user)[0] == "NoSuchEntity"
    else:
        assert len(iam.list_mfa_devices(UserName=user)["MFADevices"]) == devices
    if profile:
        assert iam.get_login_profile(UserName=user)["LoginProfile"]["UserName"] == user
    else:
        assert refusal(iam.get_login_profile, UserName=user)[:2] == ("NoSuchEntity", 404)


def test_the_summary_counts_what_is_there(start):
    """
    GetAccountSummary counts users and devices, and tells root's password, MFA and keys.
    """
    sdk = start(build_demo())
    accounts = {account.name: account for account in sdk.simulator.world.accounts}
    legacy, plain = accounts["legacy-erp"], accounts["audit"]

    summary = sdk.iam(legacy.id).get_account_summary()["SummaryMap"]
    other = sdk.iam(plain.id).get_account_summary()["SummaryMap"]

    assert summary["Users"] == len(legacy.users)
    assert summary["AccountAccessKeysPresent"] == 1
    assert summary["UsersQuota"] == 5000
    assert other["AccountPasswordPresent"] == other["AccountMFAEnabled"] == 0


def test_users_come_in_pages(start):
    """
    ListUsers goes on with a marker until every user was listed, in order.
    """
    sdk = start(build_world(2, 23))
    iam = sdk.iam(member_of(sdk))

    pages = list(iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 10}))

    names = [user["UserName"] for page in pages for user in page["Users"]]
    assert [len(page["Users"]) for page in pages] == [10, 10, 3]
    assert names == sorted(names, key=str.casefold)
    assert len(set(names)) == 23


def test_tags_name_the_owner(start):
    """
    ListUserTags gives the owner's address where the user has one.
    """
    world = build_world(2, 20)
    account = world.accounts[1]
    owned = next(u for u in account.users if u.tags)
    bare = next(u for u in account.users if not u.tags)
    iam = start(world).iam(account.id)

    tags = {t["Key"]: t["Value"] for t in iam.list_user_tags(UserName=owned.name)["Tags"]}

    assert tags["owner"].endswith("@example.com")
    assert iam.list_user_tags(UserName=bare.name)["Tags"] == []


def test_a_role_session_has_no_user_of_its_own(start):
    """
    Without UserName the calling user is meant, and a role session is none.
    """
    sdk = start()

    assert refusal(sdk.iam(member_of(sdk)).list_mfa_devices)[:2] == ("ValidationError", 400)


def test_central_root_access_is_for_management_and_delegates(start):
    """
    ListOrganizationsFeatures answers those two; a member is refused, and so is everybody when off.
    """
    sdk = start(build_world(4, 3))
    off = start(replace(build_world(4, 3), root_features=()))
    delegate, member = member_of(sdk, 1), member_of(sdk, 2)

    features = [
        sdk.client("iam").list_organizations_features()["EnabledFeatures"],
        sdk.iam(delegate).list_organizations_features()["EnabledFeatures"],
    ]

    assert features == [["RootCredentialsManagement", "RootSessions"]] * 2
    assert (
        refusal(sdk.iam(member).list_organizations_features)[0]
        == "AccountNotManagementOrDelegatedAdministratorException"
    )
    assert (
        refusal(off.client("iam").list_organizations_features)[0]
        == "ServiceAccessNotEnabledException"
    )


# The account list


def test_accounts_come_in_pages_of_which_one_is_empty(start):
    """
    20 to a page; the second is empty and carries a token all the same.
    """
    sdk = start(build_world(50, 1))
    organizations = sdk.client("organizations")

    pages = list(organizations.get_paginator("list_accounts").paginate())

    ids = [account["Id"] for page in pages for account in page["Accounts"]]
    assert [len(page["Accounts"]) for page in pages] == [20, 0, 20, 10]
    assert "NextToken" in pages[1]
    assert ids == list(sdk.simulator.world.by_id)


def test_an_account_is_described_the_way_aws_does(start):
    """
    State and the retiring Status, and the whole path in Paths, with a slash at its end.
    """
    sdk = start(build_demo())
    world = sdk.simulator.world
    account = next(a for a in world.accounts if a.name == "payments-prod")
    organizations = sdk.client("organizations")

    answer = organizations.describe_account(AccountId=account.id)["Account"]

    unit = world.unit_by_id[account.parent_id]
    path = f"{world.organization_id}/{world.root_id}/{unit.parent_id}/{unit.id}/{account.id}/"
    assert answer["Paths"] == [path]
    assert (answer["State"], answer["Status"]) == ("ACTIVE", "ACTIVE")
    assert answer["Email"] == "aws+payments-prod@example.com"
    assert answer["JoinedTimestamp"] < datetime.now(UTC)


def test_the_tree_can_be_walked(start):
    """
    Root, OUs, accounts and parents lead to the same paths that Paths gives.
    """
    sdk = start(build_demo())
    organizations = sdk.client("organizations")
    root_id = organizations.list_roots()["Roots"][0]["Id"]
    found: dict[str, str] = {}

    def walk(parent_id: str) -> None:
        pages = organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=parent_id)
        for page in pages:
            for account in page["Accounts"]:
                found[account["Id"]] = parent_id
        below = organizations.list_organizational_units_for_parent(ParentId=parent_id)
        for unit in below["OrganizationalUnits"]:
            parents = organizations.list_parents(ChildId=unit["Id"])["Parents"]
            described = organizations.describe_organizational_unit(OrganizationalUnitId=unit["Id"])
            assert [parent["Id"] for parent in parents] == [parent_id]
            assert described["OrganizationalUnit"] == unit
            walk(unit["Id"])

    walk(root_id)

    assert found == {a.id: a.parent_id for a in sdk.simulator.world.accounts}


def test_account_tags_can_be_read(start):
    """
    ListTagsForResource gives an account's tags.
    """
    sdk = start(build_demo())

    tags = sdk.client("organizations").list_tags_for_resource(ResourceId=member_of(sdk, 8))["Tags"]

    assert {"environment": "Production"}.items() <= {t["Key"]: t["Value"] for t in tags}.items()


@pytest.mark.parametrize(
    ("call", "parameters", "code"),
    [
        ("list_accounts", {"MaxResults": 21}, "InvalidInputException"),
        ("list_accounts", {"NextToken": ""}, "InvalidInputException"),
        ("list_accounts", {"NextToken": "bogus"}, "InvalidInputException"),
        ("describe_account", {"AccountId": "000000000000"}, "AccountNotFoundException"),
        ("list_accounts_for_parent", {"ParentId": "r-none"}, "ParentNotFoundException"),
        ("list_parents", {"ChildId": "000000000000"}, "ChildNotFoundException"),
        ("list_tags_for_resource", {"ResourceId": "000000000000"}, "TargetNotFoundException"),
        (
            "describe_organizational_unit",
            {"OrganizationalUnitId": "ou-none-00000000"},
            "OrganizationalUnitNotFoundException",
        ),
    ],
)
def test_what_is_not_there_is_refused(start, call, parameters, code):
    """
    A token that was never given and ids that nobody has get AWS's own errors.
    """
    sdk = start()

    assert refusal(getattr(sdk.client("organizations"), call), **parameters)[:2] == (code, 400)


def test_a_delegated_administrator_may_list_and_a_member_may_not(start):
    """
    Delegates read the organization; a plain member only learns who manages it.
    """
    sdk = start(build_world(5, 2))
    world = sdk.simulator.world
    delegate = sdk.simulator.credentials_for(world.accounts[1].id)
    member = sdk.simulator.credentials_for(world.accounts[2].id)

    listed = sdk.client("organizations", delegate).list_accounts()["Accounts"]
    described = sdk.client("organizations", member).describe_organization()["Organization"]

    assert len(listed) == 5
    assert described["MasterAccountId"] == world.management_id
    assert described["Id"] == world.organization_id
    assert refusal(sdk.client("organizations", member).list_accounts) == (
        "AccessDeniedException",
        400,
        "You don't have permissions to access this resource.",
    )
    assert refusal(sdk.assume, world.accounts[3].id, caller=member)[0] == "AccessDenied"
    assert sdk.assume(world.accounts[3].id, caller=delegate)


def test_the_list_can_be_limited_to_the_published_rate(start):
    """
    Asked for, ListAccounts lets 8 a second and a burst of 12 through.
    """
    sdk = start(list_rate=8.0)
    organizations = sdk.client("organizations")

    for _ in range(12):
        organizations.list_accounts()
    answers = [refusal(organizations.list_accounts)]

    assert answers[0][:2] == ("TooManyRequestsException", 400)


# Faults


@pytest.mark.parametrize(
    ("kind", "call", "answer"),
    [
        ("limit-exceeded", "generate_credential_report", ("LimitExceeded", 409)),
        ("throttle", "generate_credential_report", ("Throttling", 400)),
        ("report-expired", "get_credential_report", ("ReportExpired", 410)),
        ("report-not-present", "get_credential_report", ("ReportNotPresent", 410)),
        ("report-in-progress", "get_credential_report", ("ReportInProgress", 404)),
        ("server-error", "get_credential_report", ("InternalFailure", 500)),
        ("service-failure", "get_credential_report", ("ServiceFailure", 500)),
        ("scp-denied", "get_credential_report", ("AccessDenied", 403)),
        ("action-denied", "generate_credential_report", ("AccessDenied", 403)),
        ("clock-skew", "get_credential_report", ("SignatureDoesNotMatch", 403)),
    ],
)
def test_a_refusal_comes_as_often_as_planned(start, kind, call, answer):
    """
    Twice the planned error with AWS's code and status, then the answer.
    """
    world = build_world(3, 4)
    account_id = world.accounts[1].id
    sdk = start(world)
    faulty = start(world, Fault(FaultKind(kind), account_id, times=2))
    clear, iam = sdk.iam(account_id), faulty.iam(account_id)
    if call == "get_credential_report":
        clear.generate_credential_report()
    iam_calls = [refusal(getattr(iam, call))[:2] for _ in range(2)]

    getattr(clear, call)()

    assert iam_calls == [answer, answer]


def test_a_denial_by_policy_names_the_policy(start):
    """
    The message says that it was a service control policy; the management account has none.
    """
    world = build_world(3, 4)
    faults = [Fault(FaultKind.SCP_DENIED, account.id) for account in world.accounts]
    sdk = start(world, *faults)

    _, _, message = refusal(sdk.iam(member_of(sdk)).list_users)

    assert "with an explicit deny in a service control policy: arn:aws:organizations::" in message
    assert len(sdk.client("iam").list_users()["Users"]) == 4


def test_a_report_that_is_never_ready_stays_in_progress(start):
    """
    However long one waits, Get says ReportInProgress.
    """
    world = build_world(3, 4)
    sdk = start(world, Fault(FaultKind.REPORT_NEVER_READY, world.accounts[1].id))
    credentials = sdk.assume(world.accounts[1].id)
    iam = sdk.client("iam", credentials)

    states = [iam.generate_credential_report()["State"] for _ in range(2)]
    sdk.simulator.advance(800)

    assert states == ["STARTED", "INPROGRESS"]
    assert refusal(iam.get_credential_report)[0] == "ReportInProgress"


def test_a_session_can_be_ended_after_so_many_calls(start):
    """
    With `after` 1 each session of the account has one call; with `times` 1 only the first is ended.
    """
    world = build_world(3, 4)
    account_id = world.accounts[1].id
    sdk = start(world, Fault(FaultKind.EXPIRED_TOKEN, account_id, after=1, times=1))
    first, second = sdk.iam(account_id), sdk.iam(account_id)

    first.get_account_summary()

    assert refusal(first.get_account_summary)[:2] == ("ExpiredToken", 403)
    for _ in range(3):
        second.get_account_summary()


def test_the_callers_own_credentials_can_end(start):
    """
    After so many calls all three services refuse the caller; its member sessions go on.
    """
    world = build_world(3, 4)
    sdk = start(world, Fault(FaultKind.CALLER_EXPIRED, world.management_id, after=1))
    iam = sdk.iam(world.accounts[1].id)

    assert refusal(sdk.client("sts").get_caller_identity)[:2] == ("ExpiredToken", 403)
    assert refusal(sdk.client("organizations").list_accounts)[:2] == ("ExpiredTokenException", 400)
    assert iam.get_account_summary()


@pytest.mark.parametrize("kind", ["reset", "cut-body", "html", "broken-body", "broken-base64"])
def test_a_broken_answer_breaks_once(start, kind):
    """
    A reset, half a body, a proxy's page and broken base64 never pass for an answer, and pass over.
    """
    world = build_world(3, 4)
    account_id = world.accounts[1].id
    sdk = start(world, Fault(FaultKind(kind), account_id, times=1))
    iam = sdk.iam(account_id)
    iam.generate_credential_report()

    with pytest.raises(Exception) as caught:  # noqa: PT011 - botocore raises bare KeyErrors too
        iam.get_credential_report()

    assert not isinstance(caught.value, ClientError)
    assert iam.get_credential_report()["Content"]


def test_a_reset_connection_is_an_http_error(start):
    """
    The client sees its connection go, not an answer.
    """
    world = build_world(3, 4)
    sdk = start(world, Fault(FaultKind.RESET, world.accounts[1].id, "sts:AssumeRole", times=1))

    with pytest.raises(HTTPClientError):
        sdk.assume(world.accounts[1].id)


def test_a_slow_answer_arrives_whole(start):
    """
    A body that comes in pieces is complete in the end.
    """
    world = build_world(3, 4)
    sdk = start(world, Fault(FaultKind.SLOW_BODY, world.accounts[1].id, seconds=0.1))

    assert read_report(sdk.iam(world.accounts[1].id))["Content"].startswith(b"user,arn,")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("csv-empty", 0),
        ("csv-header-only", 1),
        ("csv-no-root", 6),
        ("csv-half", 3),
        ("csv-quoted", 7),
        ("csv-wide-row", 7),
    ],
)
def test_a_report_can_be_tampered_with(start, kind, expected):
    """
    The faults of the content change what is in the report, and nothing else.
    """
    world = build_world(3, 5)
    account_id = world.accounts[1].id
    sdk = start(world, Fault(FaultKind(kind), account_id))

    content = read_report(sdk.iam(account_id))["Content"]

    assert len(content.split(b"\n") if content else []) == expected


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("no-state", {"State"}),
        ("no-status", {"Status"}),
        ("no-state-nor-status", {"State", "Status"}),
        ("no-paths", {"Paths"}),
    ],
)
def test_members_of_the_list_can_be_missing(start, kind, gone):
    """
    The account list as it was, as it will be, and as it should never be.
    """
    sdk = start(None, Fault(FaultKind(kind)))

    accounts = sdk.client("organizations").list_accounts()["Accounts"]

    assert all({"State", "Status", "Paths"} - set(account) == gone for account in accounts)


def test_an_account_can_be_listed_twice(start):
    """
    Accounts may shift between pages while a list is read.
    """
    sdk = start(build_world(30, 1), Fault(FaultKind.DUPLICATE_ACCOUNT))

    pages = sdk.client("organizations").get_paginator("list_accounts").paginate()

    ids = [account["Id"] for page in pages for account in page["Accounts"]]
    assert len(ids) == 31
    assert len(set(ids)) == 30


def test_a_later_page_of_the_list_can_fail(start):
    """
    The first pages come, then the list breaks off with an error.
    """
    fault = Fault(FaultKind.THROTTLE, operation="organizations:ListAccounts", page=3)
    sdk = start(build_world(50, 1), fault)
    pages = iter(sdk.client("organizations").get_paginator("list_accounts").paginate())

    sizes = [len(next(pages)["Accounts"]) for _ in range(2)]

    assert sizes == [20, 0]
    assert refusal(next, pages)[:2] == ("TooManyRequestsException", 400)


def test_a_caller_may_be_outside_any_organization(start):
    """
    Organizations has a code of its own for that.
    """
    sdk = start(None, Fault(FaultKind.NOT_IN_ORGANIZATION))

    answer = refusal(sdk.client("organizations").describe_organization)

    assert answer[:2] == ("AWSOrganizationsNotInUseException", 400)


# Names


def test_hostile_names_travel_unchanged(start):
    """
    Whatever accounts, OUs and paths are called, they arrive as they are.
    """
    sdk = start(build_hostile())
    world = sdk.simulator.world
    organizations = sdk.client("organizations")

    accounts = organizations.list_accounts()["Accounts"]
    units = organizations.list_organizational_units_for_parent(ParentId=world.root_id)

    assert [account["Name"] for account in accounts] == [a.name for a in world.accounts]
    assert {unit["Name"] for unit in units["OrganizationalUnits"]} == {
        unit.name for unit in world.units if unit.parent_id == world.root_id
    }
    for account in world.accounts[1:]:
        report = read_report(sdk.iam(account.id))
        parsed = parse_report(report["Content"], AccountId(account.id), report["GeneratedTime"])
        expected = {f"arn:aws:iam::{account.id}:user{u.path}{u.name}" for u in account.users}
        assert {row[1] for row in parsed.rows[1:]} == expected


def test_a_single_account_can_be_given_hostile_names(start):
    """
    The fault renames one account and moves its users to strange paths.
    """
    world = build_world(3, 4)
    account = world.accounts[1]
    sdk = start(world, Fault(FaultKind.HOSTILE_NAMES, account.id))

    users = sdk.iam(account.id).list_users()["Users"]
    listed = sdk.client("organizations").describe_account(AccountId=account.id)["Account"]

    assert listed["Name"] != account.name
    assert all(user["Path"] in HOSTILE_PATHS for user in users)


# The simulator itself


def send(url: str, request: bytes) -> bytes:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("headers", "status", "word"),
    [
        (b"", b"403", b"<Code>MissingAuthenticationToken</Code>"),
        (b"X-Amz-Target: x\r\n", b"400", b'"MissingAuthenticationTokenException"'),
        (b"Authorization: AWS4-HMAC-SHA256 x\r\n", b"403", b"<Code>IncompleteSignature</Code>"),
    ],
)
def test_an_unsigned_request_gets_no_answer(start, headers, status, word):
    """
    Without a signature nothing is answered, in the words of the protocol that was spoken.
    """
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n"

    answer = send(start().simulator.url, head + headers + b"\r\n")

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert word in answer


def test_what_is_not_http_is_refused(start):
    """
    A client that speaks something else is told so and let go.
    """
    assert send(start().simulator.url, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_an_answer_can_be_held_back(start):
    """
    Latency delays every answer by so much.
    """
    sdk = start(latency=0.2)
    client = sdk.client("sts")

    began = time.monotonic()
    client.get_caller_identity()

    assert time.monotonic() - began >= 0.2


def test_requests_are_counted_by_operation(start):
    """
    A test can tell what was asked, and how often.
    """
    sdk = start()
    read_report(sdk.iam(member_of(sdk)))

    assert sdk.simulator.requests == {
        "sts:AssumeRole": 1,
        "iam:GenerateCredentialReport": 2,
        "iam:GetCredentialReport": 1,
    }


def test_the_environment_is_all_that_an_sdk_needs(start, monkeypatch):
    """
    With the variables set, boto3 signs as the caller; the endpoint is not among them.
    """
    sdk = start()
    environment = sdk.simulator.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    client = boto3.Session().client("sts", endpoint_url=sdk.simulator.url)
    identity = client.get_caller_identity()
    client.close()

    assert identity["Account"] == sdk.simulator.world.management_id
    assert not any("ENDPOINT" in name for name in environment)


def test_secrets_stay_out_of_a_repr(start):
    """
    Credentials are made up, and still not shown.
    """
    credentials = start().simulator.caller_credentials

    assert credentials.secret_key not in repr(credentials)
    assert credentials.token not in repr(credentials)


def test_an_operation_that_is_not_simulated_is_refused(start):
    """
    Nothing that was not asked for is answered, least of all a change.
    """
    sdk = start()

    assert refusal(sdk.client("iam").create_user, UserName="eve")[:2] == ("InvalidAction", 400)


def test_the_module_serves_from_the_command_line(tmp_path):
    """
    `python -m scanner.simulator` prints one line that says where it serves and how to sign.
    """
    faults = tmp_path / "faults.json"
    faults.write_text(FaultPlan((Fault(FaultKind.NO_PATHS),)).serialise())
    command = [sys.executable, "-m", "scanner.simulator", "--accounts", "3", "--users", "2"]

    with subprocess.Popen(
        [*command, "--clean", "--faults", str(faults)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        environment = line["environment"]
        client = SESSION.client(
            "organizations",
            endpoint_url=line["url"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=environment["AWS_SESSION_TOKEN"],
        )
        accounts = client.list_accounts()["Accounts"]
        client.close()
        process.terminate()

    assert process.returncode == 0
    assert len(accounts) == 3
    assert all("Paths" not in account for account in accounts)
    assert line["role_name"] == "orgproof-reader"


def test_a_bad_fault_plan_ends_the_command(tmp_path):
    """
    A plan that cannot be read is said to be so, with status 2.
    """
    faults = tmp_path / "faults.json"
    faults.write_text('{"faults": [{"fault": "gremlins"}]}')

    done = subprocess.run(
        [sys.executable, "-m", "scanner.simulator", "--faults", str(faults)],
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 2
    assert "no fault is called 'gremlins'" in done.stderr


def test_a_stranger_has_no_credentials(start):
    """
    Only accounts of the organization can be called from.
    """
    with pytest.raises(SettingsError, match="no account of the organization is 000000000000"):
        start().simulator.credentials_for("000000000000")


def test_a_taken_port_is_an_error(start):
    """
    A simulator that cannot open its port says so instead of waiting.
    """
    taken = int(start().simulator.url.rpartition(":")[2])

    with pytest.raises(OSError, match=str(taken)), Simulator(build_world(2, 1), port=taken):
        pass
