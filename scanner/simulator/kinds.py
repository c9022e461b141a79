"""
What can go wrong on purpose: every kind of fault, where it strikes, and what a scan should say of it.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from scanner.model import ReasonCode


class FaultKind(StrEnum):
    """
    The faults, as a fault plan spells them.
    """

    # the organization itself
    ROLE_MISSING = "role-missing"
    ROLE_UNTRUSTED = "role-untrusted"
    SUSPENDED = "suspended"
    CLOSED = "closed"
    PENDING_CLOSURE = "pending-closure"
    PENDING_ACTIVATION = "pending-activation"
    HOSTILE_NAMES = "hostile-names"
    FIXED_SINCE_REPORT = "fixed-since-report"
    PASSWORD_REMOVED_SINCE_REPORT = "password-removed-since-report"  # noqa: S105 - a fault
    DELETED_SINCE_REPORT = "deleted-since-report"
    REPORT_NEVER_READY = "report-never-ready"
    REPORT_SLOW = "report-slow"
    # refusals
    SCP_DENIED = "scp-denied"
    ACTION_DENIED = "action-denied"
    LIMIT_EXCEEDED = "limit-exceeded"
    REPORT_EXPIRED = "report-expired"
    REPORT_NOT_PRESENT = "report-not-present"
    REPORT_IN_PROGRESS = "report-in-progress"
    THROTTLE = "throttle"
    SERVER_ERROR = "server-error"
    SERVICE_FAILURE = "service-failure"
    UNAVAILABLE = "unavailable"
    CLOCK_SKEW = "clock-skew"
    NOT_IN_ORGANIZATION = "not-in-organization"
    # sessions
    EXPIRED_TOKEN = "expired-token"  # noqa: S105 - a fault
    CALLER_EXPIRED = "caller-expired"
    # the way there and back
    RESET = "reset"
    CUT_BODY = "cut-body"
    SLOW_BODY = "slow-body"
    HTML = "html"
    BROKEN_BODY = "broken-body"
    BROKEN_BASE64 = "broken-base64"
    # what is in the answer
    FOREIGN_SESSION = "foreign-session"
    REPORT_OLD = "report-old"
    CSV_TRUNCATED = "csv-truncated"
    CSV_HALF = "csv-half"
    CSV_FOREIGN = "csv-foreign"
    CSV_EMPTY = "csv-empty"
    CSV_HEADER_ONLY = "csv-header-only"
    CSV_NO_ROOT = "csv-no-root"
    CSV_MISSING_COLUMN = "csv-missing-column"
    CSV_EXTRA_COLUMN = "csv-extra-column"
    CSV_WIDE_ROW = "csv-wide-row"
    CSV_NOT_UTF8 = "csv-not-utf8"
    CSV_BAD_VALUES = "csv-bad-values"
    CSV_QUOTED = "csv-quoted"
    CSV_UNQUOTED = "csv-unquoted"
    # the account list
    NO_STATE = "no-state"
    NO_STATUS = "no-status"
    NO_STATE_NOR_STATUS = "no-state-nor-status"
    NO_PATHS = "no-paths"
    DUPLICATE_ACCOUNT = "duplicate-account"


class Stage(Enum):
    """
    Where a fault strikes.
    """

    WORLD = "the organization is made differently"
    REFUSAL = "the call is refused"
    SESSION = "credentials end early"
    DELIVERY = "the answer suffers on its way"
    CONTENT = "the report or the session is not what AWS sends"
    LISTING = "the account list is not what AWS sends"


GENERATE = "iam:GenerateCredentialReport"
GET = "iam:GetCredentialReport"
ASSUME = "sts:AssumeRole"
LIST = "organizations:ListAccounts"
EVERY = "*"


@dataclass(frozen=True, slots=True)
class KindFacts:
    """
    Where a kind of fault strikes, and the operation it concerns unless the plan names another.

    `lasting` is the reason a scan should give when the fault never ends, None where a scan copes.
    """

    stage: Stage
    operation: str = EVERY
    lasting: ReasonCode | None = None


_K, _S, _R = FaultKind, Stage, ReasonCode

FACTS: dict[FaultKind, KindFacts] = {
    _K.ROLE_MISSING: KindFacts(_S.WORLD, EVERY, _R.ACCESS_DENIED),
    _K.ROLE_UNTRUSTED: KindFacts(_S.WORLD, EVERY, _R.ACCESS_DENIED),
    _K.SUSPENDED: KindFacts(_S.WORLD, EVERY, _R.NOT_ACTIVE),
    _K.CLOSED: KindFacts(_S.WORLD, EVERY, _R.NOT_ACTIVE),
    _K.PENDING_CLOSURE: KindFacts(_S.WORLD, EVERY, _R.NOT_ACTIVE),
    _K.PENDING_ACTIVATION: KindFacts(_S.WORLD, EVERY, _R.NOT_ACTIVE),
    _K.HOSTILE_NAMES: KindFacts(_S.WORLD),
    _K.FIXED_SINCE_REPORT: KindFacts(_S.WORLD),
    _K.PASSWORD_REMOVED_SINCE_REPORT: KindFacts(_S.WORLD),
    _K.DELETED_SINCE_REPORT: KindFacts(_S.WORLD),
    _K.REPORT_NEVER_READY: KindFacts(_S.WORLD, EVERY, _R.REPORT_TIMEOUT),
    _K.REPORT_SLOW: KindFacts(_S.WORLD),
    _K.SCP_DENIED: KindFacts(_S.REFUSAL, "iam:*", _R.SCP_DENIED),
    _K.ACTION_DENIED: KindFacts(_S.REFUSAL, GENERATE, _R.ACCESS_DENIED),
    _K.LIMIT_EXCEEDED: KindFacts(_S.REFUSAL, GENERATE, _R.REPORT_LIMIT),
    _K.REPORT_EXPIRED: KindFacts(_S.REFUSAL, GET, _R.REPORT_TIMEOUT),
    _K.REPORT_NOT_PRESENT: KindFacts(_S.REFUSAL, GET, _R.REPORT_TIMEOUT),
    _K.REPORT_IN_PROGRESS: KindFacts(_S.REFUSAL, GET, _R.REPORT_TIMEOUT),
    _K.THROTTLE: KindFacts(_S.REFUSAL, GENERATE, _R.THROTTLED),
    _K.SERVER_ERROR: KindFacts(_S.REFUSAL, GET, _R.SERVICE_ERROR),
    _K.SERVICE_FAILURE: KindFacts(_S.REFUSAL, GET, _R.SERVICE_ERROR),
    _K.UNAVAILABLE: KindFacts(_S.REFUSAL, GET, _R.SERVICE_ERROR),
    _K.CLOCK_SKEW: KindFacts(_S.REFUSAL, "iam:*", _R.CLOCK_SKEW),
    _K.NOT_IN_ORGANIZATION: KindFacts(_S.REFUSAL, "organizations:*"),
    _K.EXPIRED_TOKEN: KindFacts(_S.SESSION, EVERY, _R.ROLE_CHAIN_EXPIRED),
    _K.CALLER_EXPIRED: KindFacts(_S.SESSION, EVERY, _R.CALLER_EXPIRED),
    _K.RESET: KindFacts(_S.DELIVERY, GET, _R.NETWORK),
    _K.CUT_BODY: KindFacts(_S.DELIVERY, GET, _R.BAD_RESPONSE),
    _K.SLOW_BODY: KindFacts(_S.DELIVERY, GET),
    _K.HTML: KindFacts(_S.DELIVERY, GET, _R.BAD_RESPONSE),
    _K.BROKEN_BODY: KindFacts(_S.DELIVERY, GET, _R.BAD_RESPONSE),
    _K.BROKEN_BASE64: KindFacts(_S.CONTENT, GET, _R.BAD_RESPONSE),
    _K.FOREIGN_SESSION: KindFacts(_S.CONTENT, ASSUME, _R.WRONG_ACCOUNT),
    _K.REPORT_OLD: KindFacts(_S.CONTENT, GET),
    _K.CSV_TRUNCATED: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_HALF: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_FOREIGN: KindFacts(_S.CONTENT, GET, _R.WRONG_ACCOUNT),
    _K.CSV_EMPTY: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_HEADER_ONLY: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_NO_ROOT: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_MISSING_COLUMN: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_EXTRA_COLUMN: KindFacts(_S.CONTENT, GET),
    _K.CSV_WIDE_ROW: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_NOT_UTF8: KindFacts(_S.CONTENT, GET, _R.MALFORMED_REPORT),
    _K.CSV_BAD_VALUES: KindFacts(_S.CONTENT, GET),
    _K.CSV_QUOTED: KindFacts(_S.CONTENT, GET),
    _K.CSV_UNQUOTED: KindFacts(_S.CONTENT, GET),
    _K.NO_STATE: KindFacts(_S.LISTING, LIST),
    _K.NO_STATUS: KindFacts(_S.LISTING, LIST),
    _K.NO_STATE_NOR_STATUS: KindFacts(_S.LISTING, LIST),
    _K.NO_PATHS: KindFacts(_S.LISTING, LIST),
    _K.DUPLICATE_ACCOUNT: KindFacts(_S.LISTING, LIST),
}
"""
Every kind's facts. Faults of the account list have no reason: there, nothing can be judged at all.
"""
