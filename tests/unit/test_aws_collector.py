import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError, CredentialRetrievalError
from report_text import root_row, user_row, write_report

from scanner.aws import AwsCollector, AwsDirectory, Clients, RolePlan
from scanner.errors import DiscoveryError, EvidenceError
from scanner.model import (
    Account,
    AccountId,
    Caller,
    Collected,
    NotCollected,
    Outcome,
    ReasonCode,
)
from scanner.organization import read_answers

OWN = AccountId("111111111111")
MEMBER = AccountId("222222222222")
STRANGER = "333333333333"
CALLER = Caller(OWN, f"arn:aws:iam::{OWN}:user/auditor")
NOW = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)


class FakeClock:
    """
    A clock that moves a little at every look.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        """
        Return the moment.
        """
        return NOW + timedelta(seconds=int(self.seconds))

    def monotonic(self) -> float:
        """
        Return the seconds, and move on.
        """
        self.seconds += 0.01
        return self.seconds


def answer(**fields: Any) -> dict[str, Any]:
    return {**fields, "ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "r-1"}}


def refusal(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "no"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-2"},
    }
    return ClientError(response, "Operation")


class FakeService:
    """
    A boto3 client whose methods answer from a dictionary: values, exceptions, or functions.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """
        Return the method of that name.
        """

        def call(**arguments: Any) -> Any:
            self.calls.append(name)
            given = self.answers[name]
            if callable(given):
                given = given(**arguments)
            if isinstance(given, Exception):
                raise given
            return given

        return call


def session_of(account: str) -> dict[str, Any]:
    return answer(
        Credentials={
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "made-up",
            "SessionToken": "made-up",
        },
        AssumedRoleUser={"Arn": f"arn:aws:sts::{account}:assumed-role/orgproof-reader/s"},
    )


def report_of(account: str, users: int = 1) -> dict[str, Any]:
    rows = [user_row(f"user{n}", account, password_enabled="true") for n in range(users)]
    content = write_report(root_row(account), *rows)
    return answer(Content=content, GeneratedTime=NOW - timedelta(minutes=5))


def iam_of(account: str, users: int = 1, **changes: Any) -> FakeService:
    answers: dict[str, Any] = {
        "generate_credential_report": answer(State="COMPLETE"),
        "get_credential_report": report_of(account, users),
        "get_account_summary": answer(SummaryMap={"Users": users}),
        "list_users": answer(Users=[], IsTruncated=False),
        "list_mfa_devices": answer(MFADevices=[]),
        "get_login_profile": answer(LoginProfile={}),
        "list_user_tags": answer(Tags=[]),
    }
    return FakeService(**{**answers, **changes})


def visit(
    iam: FakeService,
    *,
    account: AccountId = MEMBER,
    sts: FakeService | None = None,
    deadline: float = 100,
    clock: FakeClock | None = None,
) -> tuple[Outcome, dict[str, bytes]]:
    """
    Read one account, jumping over pauses, and return its outcome and what was kept.
    """
    clock = clock or FakeClock()
    collector = collect_with(iam, sts, clock=clock, deadline=deadline)
    kept: dict[str, bytes] = {}
    steps = collector.collect(
        Account(account, "name", "", "ACTIVE"), lambda name, content: kept.update({name: content})
    )
    while True:
        try:
            pause = next(steps)
        except StopIteration as done:
            return done.value, kept
        clock.seconds += pause


def collect_with(
    iam: FakeService,
    sts: FakeService | None = None,
    *,
    own: Credentials | None = None,
    clock: FakeClock | None = None,
    deadline: float = 100,
) -> AwsCollector:
    clients = Clients(
        sts=sts or FakeService(assume_role=session_of(MEMBER)),
        organizations=FakeService(),
        iam=iam,
        own=own or Credentials("AKIA", "made-up"),
    )
    return AwsCollector(
        clients,
        clock or FakeClock(),
        caller=CALLER,
        roles=RolePlan("orgproof-reader"),
        account_deadline=deadline,
        confirm=True,
    )


def read(collector: AwsCollector, account: AccountId = MEMBER) -> Outcome:
    """
    Read one account without waiting.
    """
    steps = collector.collect(Account(account, "name", "", "ACTIVE"), lambda *_: None)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            outcome: Outcome = done.value
            return outcome


def reason_of(outcome: Outcome) -> ReasonCode:
    assert isinstance(outcome, NotCollected), outcome
    return outcome.reason_code


def test_an_account_is_read():
    """
    Report, count and live answers are kept, and the outcome names the report's own time.
    """
    outcome, kept = visit(iam_of(MEMBER))

    assert outcome == Collected(outcome.account, NOW - timedelta(minutes=5))
    assert {"credential-report.csv", "account-summary.json", "outcome.json"} < set(kept)
    assert sum(name.startswith("live/") for name in kept) == 1


def test_a_session_of_another_account_is_never_used():
    """
    When AssumeRole hands out another account's session, nothing is asked with it.
    """
    iam = iam_of(MEMBER)

    outcome, kept = visit(iam, sts=FakeService(assume_role=session_of(STRANGER)))

    assert reason_of(outcome) is ReasonCode.WRONG_ACCOUNT
    assert iam.calls == []
    assert set(kept) == {"outcome.json"}


def test_an_answer_nobody_foresaw_costs_one_account():
    """
    Whatever an account answers becomes its outcome, with the kind of error and no word of the answer.
    """

    def odd(**_: Any) -> dict[str, Any]:
        return answer(SummaryMap=["made-up"])

    outcome, kept = visit(iam_of(MEMBER, get_account_summary=odd))

    assert reason_of(outcome) is ReasonCode.BAD_RESPONSE
    assert isinstance(outcome, NotCollected)
    assert "AttributeError" in outcome.reason
    assert "made-up" not in kept["outcome.json"].decode()


def test_a_full_disk_is_not_one_accounts_fault():
    """
    When nothing can be kept the error leaves the collector: it concerns the whole scan.
    """
    clients = Clients(
        sts=FakeService(assume_role=session_of(MEMBER)),
        organizations=FakeService(),
        iam=iam_of(MEMBER),
        own=Credentials("AKIA", "made-up"),
    )
    collector = AwsCollector(
        clients,
        FakeClock(),
        caller=CALLER,
        roles=RolePlan("r"),
        account_deadline=100,
        confirm=True,
    )

    def refuse(name: str, content: bytes) -> None:  # noqa: ARG001
        raise EvidenceError("disk full")

    with pytest.raises(EvidenceError):
        list(collector.collect(Account(MEMBER, "", "", "ACTIVE"), refuse))


@pytest.mark.parametrize(
    "page",
    [
        answer(Users=[], IsTruncated=True),
        answer(Users=[], IsTruncated=True, Marker="same"),
        refusal("AccessDenied", 403),
    ],
    ids=["no marker", "the same marker", "denied"],
)
def test_a_list_of_users_that_does_not_end_is_no_list(page):
    """
    Where ListUsers cannot be had whole, nothing of it is kept, and the account is read all the same.
    """
    outcome, kept = visit(
        iam_of(MEMBER, get_account_summary=answer(SummaryMap={"Users": 9}), list_users=page)
    )

    assert isinstance(outcome, Collected)
    assert "users.json" not in kept


def test_asking_about_users_ends_in_time():
    """
    An account with more users than time leaves the rest unasked, and steps aside between two of them.
    """
    clock = FakeClock()

    def slow(**_: Any) -> dict[str, Any]:
        clock.seconds += 30
        return answer(MFADevices=[])

    outcome, kept = visit(iam_of(MEMBER, users=100, list_mfa_devices=slow), clock=clock)

    assert isinstance(outcome, Collected)
    assert 10 < sum(name.startswith("live/") for name in kept) < 30


def test_an_account_that_answers_no_more_is_asked_no_more():
    """
    When a live question fails for good, the account's other users are left unasked.
    """
    iam = iam_of(MEMBER, users=50, list_mfa_devices=refusal("Throttling"))

    outcome, kept = visit(iam)

    assert isinstance(outcome, Collected)
    assert sum(name.startswith("live/") for name in kept) == 1
    assert iam.calls.count("list_mfa_devices") < 10


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_end_are_told_apart(code):
    """
    Before the role is assumed they are the caller's, in the account they are the session's.
    """
    expired = refusal(code, 403)

    ours, _ = visit(iam_of(MEMBER), sts=FakeService(assume_role=expired))
    own_account, _ = visit(iam_of(OWN, generate_credential_report=expired), account=OWN)
    theirs, _ = visit(iam_of(MEMBER, generate_credential_report=expired))

    assert reason_of(ours) is ReasonCode.CALLER_EXPIRED
    assert reason_of(own_account) is ReasonCode.CALLER_EXPIRED
    assert reason_of(theirs) is ReasonCode.ROLE_CHAIN_EXPIRED


class Rotating(Credentials):
    """
    Credentials whose source hands out these keys, one at each look; an exception among them is raised.
    """

    def __init__(self, *keys: str | Exception) -> None:
        super().__init__("unset", "made-up")
        self._keys = iter(keys)
        self._key = ""
        self.looks = 0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """
        Return the next key, and the last one again and again.
        """
        self.looks += 1
        key = next(self._keys, self._key)
        if isinstance(key, Exception):
            raise key
        self._key = key
        return ReadOnlyCredentials(key, "made-up", None, None)


@pytest.mark.parametrize("first", [MEMBER, OWN])
def test_nobody_is_entered_once_the_callers_credentials_have_ended(first):
    """
    One account finds out, whether its own or another; the others have their reason without a call.
    """
    expired = refusal("ExpiredToken", 403)
    sts = FakeService(assume_role=expired)
    iam = iam_of(OWN, generate_credential_report=expired)
    collector = collect_with(iam, sts)

    outcomes = [read(collector, first), *(read(collector) for _ in range(5)), read(collector, OWN)]

    assert {reason_of(outcome) for outcome in outcomes} == {ReasonCode.CALLER_EXPIRED}
    assert str(outcomes).count("sign in again") == len(outcomes)
    assert len(sts.calls) + len(iam.calls) == 1


def test_accounts_are_entered_again_once_there_are_other_credentials():
    """
    A source that hands out new keys after a while costs only the accounts before them.
    """
    answers: list[Any] = [refusal("ExpiredToken", 403), session_of(MEMBER)]
    sts = FakeService(assume_role=lambda **_: answers.pop(0))
    own = Rotating("old", "old", "old", "new")
    collector = collect_with(iam_of(MEMBER), sts, own=own)

    outcomes = [read(collector) for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [NotCollected, NotCollected, Collected]
    assert len(sts.calls) == 2


@pytest.mark.parametrize("account", [MEMBER, OWN])
def test_a_call_signed_just_before_the_credentials_changed_is_made_again(account):
    """
    The key that AWS refused is not the caller's any more.
    """
    answers: list[Any] = [refusal("ExpiredToken", 403)]
    sts = FakeService(assume_role=lambda **_: answers.pop() if answers else session_of(MEMBER))

    def generate(**_: Any) -> Any:
        return answers.pop() if answers else answer(State="COMPLETE")

    iam = iam_of(account, generate_credential_report=generate)
    collector = collect_with(iam, sts, own=Rotating("old", "new"))

    assert isinstance(read(collector, account), Collected)
    assert not answers


def test_keys_that_are_all_refused_are_not_asked_for_for_ever():
    """
    A source may hand out a new key each time that AWS refuses as well.
    """
    sts = FakeService(assume_role=refusal("ExpiredToken", 403))
    own = Rotating(*(f"key {number}" for number in range(100)))

    outcome = read(collect_with(iam_of(MEMBER), sts, own=own))

    assert reason_of(outcome) is ReasonCode.CALLER_EXPIRED
    assert len(sts.calls) == 3


@pytest.mark.parametrize(
    "failure",
    [
        CredentialRetrievalError(provider="custom-process", error_msg="no secret here: s3cr3t"),
        RuntimeError(
            "Credentials were refreshed, but the refreshed credentials are still expired."
        ),
        refusal("AccessDenied", 403),
        KeyError("s3cr3t"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_source_that_hands_out_nothing_ends_it_for_everybody(failure):
    """
    It is asked once, no account is called, and what it said is not repeated.
    """
    sts = FakeService(assume_role=session_of(MEMBER))
    own = Rotating(failure, "too late")
    collector = collect_with(iam_of(MEMBER), sts, own=own)

    outcomes = [read(collector) for _ in range(4)]

    assert {reason_of(outcome) for outcome in outcomes} == {ReasonCode.CALLER_EXPIRED}
    assert "s3cr3t" not in str(outcomes)
    assert sts.calls == []
    assert own.looks == 1


def test_a_report_from_before_the_one_that_is_made_is_not_taken():
    """
    AWS has begun to make a report, and still hands out the last one: it is asked again until that is over.
    """
    states = iter(["STARTED", "COMPLETE"])
    made = [NOW - timedelta(hours=5), NOW]
    iam = iam_of(
        MEMBER,
        generate_credential_report=lambda: answer(State=next(states)),
        get_credential_report=lambda: {**report_of(MEMBER), "GeneratedTime": made.pop(0)},
    )

    outcome, _ = visit(iam)

    assert isinstance(outcome, Collected)
    assert outcome.generated_time == NOW
    assert iam.calls.count("get_credential_report") == 2


def test_a_report_that_is_made_is_fetched_without_asking_again():
    """
    One call is saved for each account.
    """
    iam = iam_of(MEMBER, generate_credential_report=answer(State="STARTED"))

    outcome, _ = visit(iam)

    assert isinstance(outcome, Collected)
    assert iam.calls.count("generate_credential_report") == 1


def test_a_report_is_awaited_until_the_deadline_and_not_longer():
    """
    A report that is never ready makes the account time out at its deadline, to the second.
    """
    clock = FakeClock()

    outcome, _ = visit(
        iam_of(
            MEMBER,
            generate_credential_report=answer(State="STARTED"),
            get_credential_report=refusal("ReportInProgress", 404),
        ),
        deadline=60,
        clock=clock,
    )

    assert reason_of(outcome) is ReasonCode.REPORT_TIMEOUT
    assert 60 <= clock.seconds < 62


def test_without_capacity_an_existing_report_is_taken():
    """
    LimitExceeded on asking for a new report does not keep us from one that is there.
    """
    outcome, _ = visit(iam_of(MEMBER, generate_credential_report=refusal("LimitExceeded", 409)))

    assert isinstance(outcome, Collected)


@pytest.mark.parametrize(
    "odd",
    [
        answer(Content=b"user,arn"),
        answer(Content="text", GeneratedTime=NOW),
        answer(Content=b"user,arn", GeneratedTime="2026"),
        answer(Content=b"user,arn", GeneratedTime=datetime(2026, 1, 1)),  # noqa: DTZ001
        {},
        None,
    ],
)
def test_a_report_without_its_parts_is_a_bad_response(odd):
    """
    Content and an aware moment, or it is no report.
    """
    outcome, kept = visit(iam_of(MEMBER, get_credential_report=odd))

    assert reason_of(outcome) is ReasonCode.BAD_RESPONSE
    assert "credential-report.csv" not in kept


def directory_of(organizations: FakeService) -> AwsDirectory:
    sts = FakeService(get_caller_identity=answer(Account=OWN, Arn=CALLER.arn))
    iam = FakeService(list_organizations_features=refusal("AccessDenied", 403))
    clients = Clients(
        sts=sts, organizations=organizations, iam=iam, own=Credentials("AKIA", "made-up")
    )
    return AwsDirectory(clients, FakeClock(), sleep=lambda _: None)


DESCRIBED = answer(Organization={"Id": "o-example", "MasterAccountId": OWN})


def test_a_listing_in_circles_is_refused():
    """
    Tokens that come round again would list the same accounts for ever.
    """
    turns = iter("ABAB")
    pages = FakeService(
        describe_organization=DESCRIBED,
        list_accounts=lambda **_: answer(Accounts=[], NextToken=next(turns)),
    )

    with pytest.raises(DiscoveryError, match="moves on"):
        directory_of(pages).ask()


@pytest.mark.parametrize("accounts", [None, "text", [None], [[]], {}])
def test_a_page_that_is_no_list_of_accounts_is_refused(accounts):
    """
    Half a listing is none: a page of another shape ends it.
    """
    pages = FakeService(describe_organization=DESCRIBED, list_accounts=answer(Accounts=accounts))

    with pytest.raises(DiscoveryError, match="lacks Accounts"):
        directory_of(pages).ask()


def listing(*accounts: str, **changes: Any) -> FakeService:
    """
    Return an organization of these accounts, all in one place.
    """
    entries = [
        {"Id": account, "Name": "", "State": "ACTIVE", "Paths": [f"o-example/r-ab12/{account}/"]}
        for account in accounts
    ]
    answers: dict[str, Any] = {
        "describe_organization": DESCRIBED,
        "list_accounts": answer(Accounts=entries),
        "list_roots": answer(Roots=[]),
        "list_tags_for_resource": lambda ResourceId, **_: answer(  # noqa: N803 - boto3's name
            Tags=[{"Key": "id", "Value": ResourceId}]
        ),
    }
    return FakeService(**{**answers, **changes})


def read_stored_tags(answers: Any) -> Any:
    return json.loads(answers["account-tags.json"])["tags"]


def test_tags_are_asked_for_only_where_somebody_needs_them():
    """
    They cost one call for each account.
    """
    organizations = listing(OWN, MEMBER)

    answers = directory_of(organizations).ask()

    assert "account-tags.json" not in answers
    assert "list_tags_for_resource" not in organizations.calls


def test_every_account_s_tags_are_asked_for_once():
    """
    Each listed account, active or not, by its own id.
    """
    organizations = listing(MEMBER, OWN, STRANGER)

    answers = directory_of(organizations).ask(with_tags=True)

    assert read_stored_tags(answers) == {
        account: [{"Key": "id", "Value": account}] for account in (OWN, MEMBER, STRANGER)
    }
    assert organizations.calls.count("list_tags_for_resource") == 3


def test_tags_are_read_to_the_last_page():
    """
    A tag on the second page counts like one on the first, and a page may be empty.
    """
    pages = {
        None: answer(Tags=[{"Key": "a", "Value": "1"}], NextToken="x"),
        "x": answer(Tags=[], NextToken="y"),
        "y": answer(Tags=[{"Key": "b", "Value": "2"}]),
    }
    tags = listing(OWN, list_tags_for_resource=lambda **asked: pages[asked.get("NextToken")])

    stored = read_stored_tags(directory_of(tags).ask(with_tags=True))

    assert stored == {OWN: [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]}


@pytest.mark.parametrize(
    "odd",
    [
        refusal("AccessDeniedException"),
        refusal("TargetNotFoundException"),
        answer(),
        answer(Tags=None),
        answer(Tags="pci"),
        answer(Tags=["pci"]),
        answer(Tags=[], NextToken="same"),
    ],
    ids=["denied", "gone", "nothing", "none", "text", "a list of text", "in circles"],
)
def test_tags_that_cannot_be_had_are_no_empty_list(odd):
    """
    A scope rests on them: one account that does not answer ends the scan before it begins.
    """

    def tags(ResourceId: str, **_: Any) -> Any:  # noqa: N803 - boto3's name
        return odd if ResourceId == MEMBER else answer(Tags=[])

    with pytest.raises(DiscoveryError, match="organizations:ListTagsForResource"):
        directory_of(listing(OWN, MEMBER, list_tags_for_resource=tags)).ask(with_tags=True)


@pytest.mark.parametrize("entry", [{}, {"Id": None}, {"Id": ""}, {"Id": "12"}, {"Id": 12}])
def test_an_account_without_an_id_is_refused_and_not_asked_for_its_tags(entry):
    """
    The list is not whole, with tags as without them: it is said, and nothing breaks.
    """

    def tags(**_: Any) -> Any:
        return answer(Tags=[])

    odd = {"Name": "", "State": "ACTIVE", "Paths": ["o-example/r-ab12/x/"], **entry}
    accounts = answer(Accounts=[{"Id": OWN, "State": "ACTIVE", "Paths": ["o/r-ab12/x/"]}, odd])
    organizations = listing(OWN, list_accounts=accounts, list_tags_for_resource=tags)

    with pytest.raises(DiscoveryError):
        read_answers(directory_of(organizations).ask(with_tags=True))
