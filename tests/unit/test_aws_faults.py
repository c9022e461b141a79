from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from scanner.aws.explain import explain
from scanner.aws.faults import Fault, classify
from scanner.aws.policy import READS, SESSION_POLICY
from scanner.model import (
    Account,
    AccountId,
    Caller,
    ReasonCode,
)

CALLER = Caller(AccountId("111111111111"), "arn:aws:iam::111111111111:user/auditor")
ACCOUNT = Account(AccountId("123456789012"), "payments-prod", "p@example.com", "ACTIVE")
ROLE = "arn:aws:iam::123456789012:role/orgproof-reader"


def answered(code: str, status: int = 400, message: str = "") -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "r-1"},
    }
    return ClientError(response, "Operation")


@pytest.mark.parametrize(
    ("error", "reason", "passing"),
    [
        (answered("AccessDenied", 403), "access-denied", False),
        (answered("AccessDeniedException", 400), "access-denied", False),
        (answered("RegionDisabledException", 403), "access-denied", False),
        (answered("InvalidClientTokenId", 403), "role-chain-expired", False),
        (answered("MalformedPolicyDocument", 400), "bad-response", False),
        (answered("ValidationError", 400), "bad-response", False),
        (answered("SomethingOfTomorrow", 418), "bad-response", False),
        (answered("RequestTimeout", 400), "service-error", True),
        (
            answered("AccessDenied", 403, "... an explicit deny in a resource control policy: arn"),
            "scp-denied",
            False,
        ),
        (
            answered("AccessDenied", 403, "... an explicit deny in a service control policy: arn"),
            "scp-denied",
            False,
        ),
        (answered("ExpiredToken", 403), "role-chain-expired", False),
        (answered("ExpiredTokenException", 400), "role-chain-expired", False),
        (answered("LimitExceeded", 409), "report-limit", True),
        (answered("ReportNotPresent", 410, "Unknown"), "report-timeout", False),
        (answered("ReportInProgress", 404, "Unknown"), "report-timeout", False),
        (answered("ReportExpired", 410), "report-timeout", False),
        (answered("Throttling", 400, "Rate exceeded"), "throttled", True),
        (answered("TooManyRequestsException", 400), "throttled", True),
        (answered("Whatever", 429), "throttled", True),
        (answered("ServiceFailure", 500), "service-error", True),
        (answered("InternalFailure", 500), "service-error", True),
        (answered("502", 502, "Bad Gateway"), "service-error", True),
        (answered("", 200), "bad-response", True),
        (answered("403", 403, "Forbidden"), "bad-response", True),
        (
            answered("SignatureDoesNotMatch", 403, "Signature expired: 1 is now earlier than 2"),
            "clock-skew",
            False,
        ),
        (
            answered("InvalidSignatureException", 400, "Signature not yet current: 1"),
            "clock-skew",
            False,
        ),
        (answered("RequestExpired", 400), "clock-skew", False),
        (answered("SignatureDoesNotMatch", 403, "check your key"), "role-chain-expired", False),
        (
            RuntimeError("Credentials were refreshed, but are still expired."),
            "caller-expired",
            False,
        ),
        (EndpointConnectionError(endpoint_url="https://x"), "network", True),
        (ConnectTimeoutError(endpoint_url="https://x"), "network", True),
        (ReadTimeoutError(endpoint_url="https://x"), "network", True),
        (NoCredentialsError(), "caller-expired", False),
        (ResponseParserError("no element found"), "bad-response", True),
        (KeyError("AssumeRoleResult"), "bad-response", True),
        (ValueError("Incorrect padding"), "bad-response", True),
        (TypeError(), "bad-response", True),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, Exception) else str(value),
)
def test_each_error_is_told_apart(error, reason, passing):
    """
    A wire code or a kind of exception has one reason code, and is tried again only when it may pass.
    """
    fault = classify("iam:GetCredentialReport", error)

    assert (str(fault.code), fault.passing) == (reason, passing)


def test_an_unforeseen_answer_is_not_quoted():
    """
    The text of a parser's exception may hold half an AssumeRole answer, key included: it is left out.
    """
    fault = classify("sts:AssumeRole", KeyError("<SecretAccessKey>wJalr</SecretAccessKey>"))
    other = classify("sts:AssumeRole", ResponseParserError("b'<SecretAccessKey>wJalr'"))

    assert "wJalr" not in f"{fault}{other}"


def test_a_message_becomes_one_printable_line():
    """
    AWS's own text is untrusted: line breaks, escapes and length are cut down before it is kept.
    """
    message = "no\n\x1b[31mrights\u202e" + "x" * 10_000

    fault = classify("iam:ListUsers", answered("AccessDenied", 403, message))

    assert fault.message.isprintable()
    assert len(fault.message) <= 600


def fault(code: ReasonCode, operation: str = "iam:GetCredentialReport") -> Fault:
    return Fault(operation, code, "Code", "words", 400, "r-1", passing=False)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (ReasonCode.SCP_DENIED, "service control policy"),
        (ReasonCode.ROLE_CHAIN_EXPIRED, "scan the account again"),
        (ReasonCode.CALLER_EXPIRED, "sign in again"),
        (ReasonCode.CLOCK_SKEW, "clock"),
        (ReasonCode.REPORT_TIMEOUT, "account_deadline_seconds"),
        (ReasonCode.REPORT_LIMIT, "no capacity"),
        (ReasonCode.THROTTLED, "--workers"),
        (ReasonCode.SERVICE_ERROR, "later"),
        (ReasonCode.NETWORK, "proxy"),
        (ReasonCode.BAD_RESPONSE, "does not know"),
        (ReasonCode.WRONG_ACCOUNT, "another account's"),
        (ReasonCode.ACCESS_DENIED, "may not call iam:GetCredentialReport"),
    ],
)
def test_each_reason_is_a_sentence_with_a_next_step(code, words):
    """
    The sentence names the account by id and name and says what to do.
    """
    sentence = explain(fault(code), account=ACCOUNT, caller=CALLER, role=ROLE)

    assert sentence.startswith("account 123456789012 (payments-prod): ")
    assert words in sentence


@pytest.mark.parametrize(
    "message",
    [
        "The request signature we calculated: x-amz-security-token:IQoJb3JpZ2luX2VjEA " + "h" * 40,
        "expired: 'IQoJb3JpZ2luX2VjEA" + "aB3/+" * 60 + "=='",
    ],
)
@pytest.mark.parametrize("code", ["SignatureDoesNotMatch", "AccessDenied", "ExpiredToken"])
def test_a_token_that_aws_quotes_back_is_removed(code, message):
    """
    A service may quote the signed request in its refusal, session token included: it is not kept.
    """
    assert (
        "IQoJb3JpZ2luX2VjEA" not in classify("iam:ListUsers", answered(code, 403, message)).message
    )


def test_what_is_no_aws_answer_points_at_the_way_there():
    """
    A page from a proxy has no AWS code, and the next step is the proxy and the endpoint.
    """
    odd = classify("iam:GetCredentialReport", KeyError("x"))

    sentence = explain(odd, account=ACCOUNT, caller=CALLER, role=ROLE)

    assert "check the proxy and the endpoint" in sentence
    assert "AWS said" not in sentence


def test_a_role_that_cannot_be_assumed_names_what_may_be_wrong():
    """
    AWS does not tell a missing role from an untrusted one, so the sentence names role, caller and remedy.
    """
    sentence = explain(
        fault(ReasonCode.ACCESS_DENIED, "sts:AssumeRole"),
        account=ACCOUNT,
        caller=CALLER,
        role=ROLE,
    )

    assert "role orgproof-reader could not be assumed" in sentence
    assert "does not trust arn:aws:iam::111111111111:user/auditor" in sentence
    assert "--role-name" in sentence


def test_the_session_policy_allows_reads_alone_and_fits():
    """
    A session policy has at most 2,048 characters (STS API reference), and ours names no write.
    """
    verbs = {action.removeprefix("iam:")[:3] for action in READS}

    assert len(SESSION_POLICY) < 2048
    assert verbs <= {"Get", "Lis", "Gen"}
    assert "*" not in SESSION_POLICY.replace('"Resource":"*"', "")
