"""
What went wrong in a call to AWS, told apart by wire code and never by message alone.

Wire codes differ from botocore's exception names: IAM says `ReportNotPresent`, not
`CredentialReportNotPresentException` (IAM API reference, GetCredentialReport).
"""

import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotoConnectionError

from scanner.model import ReasonCode, show

REPORT_NOT_PRESENT = "ReportNotPresent"
REPORT_IN_PROGRESS = "ReportInProgress"
REPORT_EXPIRED = "ReportExpired"
REPORT_LIMIT = "LimitExceeded"

REPORT_PENDING = frozenset({REPORT_NOT_PRESENT, REPORT_IN_PROGRESS, REPORT_EXPIRED})
"""
GetCredentialReport's ways of saying "not yet": generate again or ask again, none of them a failure.
"""

_THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)
_BROKEN = frozenset(
    {
        "ServiceFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "InternalError",
        "InternalFailure",
        "InternalServiceError",
        "ServiceException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ConcurrentModification",
        "ConcurrentModificationException",
    }
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_SKEWED = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_UNSIGNED = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException"})
_UNKNOWN_CALLER = _UNSIGNED | {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "AuthFailure",
}
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AWSOrganizationsNotInUseException",
        "RegionDisabledException",
        "OptInRequired",
        "SubscriptionRequiredException",
    }
)
_ORGANIZATION_POLICIES = ("service control policy", "resource control policy")
_CREDENTIALS_LOST = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    SSOError,
)
_MESSAGE_LIMIT = 600
_TOKENS = re.compile(r"(?i:x-amz-security-token)\s*:\s*\S+|[A-Za-z0-9+/=_-]{100,}", re.ASCII)
"""
What AWS may quote back when it refuses a signature: the request as it was signed, session token included.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """
    One failed call. `passing` says whether the same call may succeed a little later.

    `error` is AWS's wire code or, where no answer came, the kind of exception; `status` is the HTTP
    status or 0. `message` is AWS's own text on one line: it is untrusted and holds no secret.
    """

    operation: str
    code: ReasonCode
    error: str
    message: str
    status: int
    request_id: str
    passing: bool


class CallError(Exception):
    """
    A call to AWS failed. Never leaves `scanner.aws`.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(f"{fault.operation}: {fault.error}: {fault.message}")
        self.fault = fault


def classify(operation: str, exc: Exception) -> Fault:
    """
    Say what an exception from a boto3 call means.

    A botocore client can also raise a bare `KeyError` or `ValueError`, when a proxy answers with HTML or
    half a body arrives: whatever is neither an AWS error nor a network error is a bad response.
    """
    if isinstance(exc, ClientError):
        return _classify_answer(operation, exc.response)
    name = type(exc).__name__
    if isinstance(exc, _CREDENTIALS_LOST) or _is_failed_refresh(exc):
        return _fault(operation, ReasonCode.CALLER_EXPIRED, name, "no fresh credentials were found")
    if isinstance(exc, BotoConnectionError | HTTPClientError):
        return _fault(operation, ReasonCode.NETWORK, name, str(exc), passing=True)
    if isinstance(exc, BotoCoreError) and "Streaming" not in name and "Incomplete" not in name:
        # Parameters that botocore itself refuses and the like: the same call would fail again.
        return _fault(operation, ReasonCode.BAD_RESPONSE, name, str(exc), passing="Parser" in name)
    # The text may quote the answer, and an AssumeRole answer holds a key: only the kind is kept.
    return _fault(
        operation, ReasonCode.BAD_RESPONSE, name, "what came is not an AWS answer", passing=True
    )


def _is_failed_refresh(exc: Exception) -> bool:
    # botocore says so with a bare RuntimeError when a profile hands out credentials that are over already.
    return isinstance(exc, RuntimeError) and "refresh" in str(exc).lower()


def _classify_answer(operation: str, response: Any) -> Fault:  # noqa: ANN401 - botocore's dictionary
    error = response.get("Error", {})
    meta = response.get("ResponseMetadata", {})
    code, message = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(meta.get("HTTPStatusCode", 0) or 0)
    reason, passing = _judge_code(code, message, status)
    if code in _UNSIGNED and reason is not ReasonCode.CLOCK_SKEW:
        message = "the signature was refused"
    return _fault(
        operation,
        reason,
        code or "no code",
        message,
        status=status,
        request_id=str(meta.get("RequestId", "")),
        passing=passing,
    )


def _judge_code(code: str, message: str, status: int) -> tuple[ReasonCode, bool]:
    low = message.lower()
    # IAM throttles with `Throttling` and HTTP 400; "Rate exceeded" is its message.
    denied = code in _DENIED
    known: list[tuple[bool, ReasonCode, bool]] = [
        (code in _THROTTLED or status == 429, ReasonCode.THROTTLED, True),
        (code == REPORT_LIMIT, ReasonCode.REPORT_LIMIT, True),
        (code in REPORT_PENDING, ReasonCode.REPORT_TIMEOUT, False),
        (code in _SKEWED or _is_skew(code, low), ReasonCode.CLOCK_SKEW, False),
        (code in _EXPIRED | _UNKNOWN_CALLER, ReasonCode.ROLE_CHAIN_EXPIRED, False),
        (denied and any(p in low for p in _ORGANIZATION_POLICIES), ReasonCode.SCP_DENIED, False),
        (denied, ReasonCode.ACCESS_DENIED, False),
        (code in _BROKEN or status >= 500, ReasonCode.SERVICE_ERROR, True),
        (not code or code.isdecimal(), ReasonCode.BAD_RESPONSE, True),
    ]
    for applies, reason, passing in known:
        if applies:
            return reason, passing
    # A code that this version does not know is said as it is, and stands for no other.
    return ReasonCode.BAD_RESPONSE, False


def _is_skew(code: str, low: str) -> bool:
    return code in _UNSIGNED and any(
        words in low
        for words in ("signature expired", "not yet current", "is now earlier", "is now later")
    )


def _fault(  # noqa: PLR0913 - a fault's own fields
    operation: str,
    code: ReasonCode,
    error: str,
    message: str,
    *,
    status: int = 0,
    request_id: str = "",
    passing: bool = False,
) -> Fault:
    words = _TOKENS.sub("[removed]", show(" ".join(message.split())))[:_MESSAGE_LIMIT]
    return Fault(operation, code, show(error)[:100], words, status, show(request_id)[:100], passing)
