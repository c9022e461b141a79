"""
The nouns of the job: accounts, what became of each, verdicts, and what a run is asked to do.

Accounts and outcomes are frozen dataclasses. Users come by the hundred thousand and are rows of
pandas tables instead; `scanner.credentials` and `scanner.evidence.tables` document their columns.
All times are aware and in UTC.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NewType

from pydantic import BeforeValidator, PlainSerializer

AccountId = NewType("AccountId", str)
"""
Twelve digits, as text: the leading zeros count.
"""

ROOT_USER = "<root_account>"
"""
What the credential report calls the root user. `<` is illegal in IAM user names, so no user can be called this.
"""


FINDINGS_LIMIT = 1_000
"""
How many findings one PDF prints one by one, unless the settings say otherwise.
"""

ANNEX_LIMIT = 20_000
"""
How many findings annex volumes are made for, unless the settings say otherwise.
"""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


def _read_moment(value: object) -> datetime:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise ValueError("must be a moment in UTC such as 2026-11-24T10:15:00Z")


def _write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    PlainSerializer(_write_moment, when_used="json"),
]
"""
An aware moment. In files it is ISO 8601 in UTC with `Z` and nothing else: a number is not a time.
"""


class ReasonCode(StrEnum):
    """
    Why an account was not read. `docs/design.md` says what each means.
    """

    ACCESS_DENIED = "access-denied"
    SCP_DENIED = "scp-denied"
    ROLE_CHAIN_EXPIRED = "role-chain-expired"
    REPORT_TIMEOUT = "report-timeout"
    REPORT_LIMIT = "report-limit"
    THROTTLED = "throttled"
    SERVICE_ERROR = "service-error"
    MALFORMED_REPORT = "malformed-report"
    WRONG_ACCOUNT = "wrong-account"
    NETWORK = "network"
    BAD_RESPONSE = "bad-response"
    CLOCK_SKEW = "clock-skew"
    CALLER_EXPIRED = "caller-expired"
    NOT_ACTIVE = "not-active"
    EXCLUDED = "excluded"
    INTERRUPTED = "interrupted"


class AccountOutcome(StrEnum):
    """
    What became of a listed account. Every listed account has exactly one.
    """

    COLLECTED = "collected"
    NOT_COLLECTED = "not-collected"
    EXCLUDED = "excluded"
    NOT_ACTIVE = "not-active"


class Verdict(StrEnum):
    """
    What a check says of one user, root user or account, or what the evidence says of a control.
    """

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"
    NOT_TESTED = "not-tested"
    NEEDS_REVIEW = "needs-review"


class Relation(StrEnum):
    """
    How far a check answers a control: it is what the control asks, or it only lends support.
    """

    DIRECT = "direct"
    SUPPORTING = "supporting"


class Severity(StrEnum):
    """
    How urgent an exception is, most urgent first.
    """

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Confirmation(StrEnum):
    """
    What the account itself said, minutes after the report, about a user the report shows without MFA.
    """

    STILL_OPEN = "still-open"
    FIXED_SINCE_REPORT = "fixed-since-report"
    PASSWORD_REMOVED = "password-removed"  # noqa: S105 - a state, not a password
    USER_DELETED = "user-deleted"
    NOT_CHECKED = "not-checked"


class Strata(StrEnum):
    """
    What the population of a sample may be divided by before the sample is drawn.
    """

    OU = "ou"
    ACCOUNT = "account"
    VERDICT = "verdict"


def show(text: str) -> str:
    """
    Make untrusted text fit for one line of a message, a log or a terminal.

    Line breaks, control characters, escape sequences and direction marks become U+FFFD.
    """
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def mend(text: str) -> str:
    """
    Replace what is no Unicode text by U+FFFD: JSON can carry half a surrogate pair, tables cannot.
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@dataclass(frozen=True, slots=True)
class Account:
    """
    An account as AWS Organizations lists it. Name, email and OU names are untrusted text.

    `ou_ids` runs from the root's id down to the parent OU; `ou_names` beside it holds each one's
    name, or its id where the name could not be read.
    """

    id: AccountId
    name: str
    email: str
    state: str
    ou_ids: tuple[str, ...] = ()
    ou_names: tuple[str, ...] = ()

    @property
    def ou_path(self) -> str:
        """
        The OU names from the top down, such as `Workloads/Production`; the root's own name when in no OU.
        """
        return "/".join(self.ou_names[1:]) or "/".join(self.ou_names)

    def __str__(self) -> str:
        """
        Name the account as messages do, on one line: `123456789012 (payments-prod)`.
        """
        return f"{self.id} ({show(self.name)})" if self.name else self.id


@dataclass(frozen=True, slots=True)
class Caller:
    """
    Who runs the scan, from sts:GetCallerIdentity.
    """

    account_id: AccountId
    arn: str

    @property
    def partition(self) -> str:
        """
        The AWS partition, such as `aws` or `aws-us-gov`, read from the caller's ARN.
        """
        return self.arn.split(":")[1]


@dataclass(frozen=True, slots=True)
class Organization:
    """
    An AWS Organization and every account it lists, sorted by account id.
    """

    id: str
    management_account_id: AccountId
    caller: Caller
    accounts: tuple[Account, ...]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """
    An account the operator leaves out on purpose, and the operator's reason.
    """

    account_id: AccountId
    reason: str


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Which accounts a run looks at. Empty `accounts` and `ous` select every account.

    An account is looked at when it is named, or lies in one of the OUs or below; exclusions win.
    """

    accounts: tuple[AccountId, ...] = ()
    ous: tuple[str, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def is_full(self) -> bool:
        """
        Whether every account is looked at but those excluded by name.
        """
        return not (self.accounts or self.ous)


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """
    For which accounts a framework speaks, as the settings declare it.

    `everything`, or accounts by id, by OU (everything below it included) or by tag (key and value).
    """

    framework: str
    everything: bool = False
    accounts: tuple[AccountId, ...] = ()
    ous: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a run was asked to do: every setting that bears on its result, defaults included.

    Stored as `inputs/settings.json`; holds no secret. `roles` names another role for single
    accounts. `endpoint` is None unless an AWS endpoint was overridden on purpose. Times are seconds, but for
    `max_report_age_hours`: a report older than that when fetched tells nothing. `scopes` holds the
    frameworks whose scope is declared. `is_signed` says that there was a key to sign the run with: where the
    run is resumed, there must be one again. Up to `findings_limit` findings are printed one by one in a PDF, and
    up to `annex_limit` in annex volumes.
    """

    period: str
    selection: Selection
    scopes: tuple[ScopeRule, ...]
    max_report_age_hours: int
    frameworks: tuple[str, ...]
    formats: tuple[str, ...]
    role_name: str
    roles: Mapping[str, str]
    uses_external_id: bool
    confirm: bool
    owner_tags: tuple[str, ...]
    workers: int
    account_deadline: float
    endpoint: str | None
    simulated: bool
    organization_name: str
    prepared_by: str
    is_signed: bool = False
    findings_limit: int = FINDINGS_LIMIT
    annex_limit: int = ANNEX_LIMIT


@dataclass(frozen=True, slots=True)
class Request:
    """
    One call to AWS: what was asked and answered, without the content.

    `status` is the HTTP status, 0 where no answer came; `error` is AWS's code, or the kind of fault.
    """

    operation: str
    at: Moment
    request_id: str
    status: int
    error: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One attempt at one account, transport only: what the network did, not what the answers mean.

    Stored as `raw/<account-id>/outcome-N.json`. `reason_code` is None when the report was fetched;
    then `generated_time` is the report's own time and `fetched` when its bytes arrived.
    """

    account_id: AccountId
    started: Moment
    finished: Moment
    identity: str
    reason_code: ReasonCode | None
    reason: str | None
    generated_time: Moment | None
    fetched: Moment | None
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class SittingBegan:
    """
    That somebody began, or went on, to collect a run. Stored as `raw/sittings/N-began.json`.
    """

    started: Moment
    caller_arn: str
    tool_version: str


@dataclass(frozen=True, slots=True)
class SittingEnded:
    """
    That collecting was over for this time. Stored as `raw/sittings/N-ended.json`; missing after a crash.
    """

    finished: Moment
    interrupted: bool


@dataclass(frozen=True, slots=True)
class Notes:
    """
    What else must be known to judge a run again just as it was judged. Stored as `inputs/notes.json`.

    `judged` is the moment to which acceptances are held, and `warnings` what was noticed before judging.
    """

    judged: Moment
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Collected:
    """
    An account whose answers are in the store, unparsed. `generated_time` is the report's own.
    """

    account: Account
    generated_time: Moment


@dataclass(frozen=True, slots=True)
class NotCollected:
    """
    An account that was not read, and why.

    It stays in every later stage: an account nobody could look at is never a pass.
    """

    account: Account
    reason_code: ReasonCode
    reason: str

    @property
    def outcome(self) -> AccountOutcome:
        """
        The outcome that the reason amounts to.
        """
        match self.reason_code:
            case ReasonCode.NOT_ACTIVE:
                return AccountOutcome.NOT_ACTIVE
            case ReasonCode.EXCLUDED:
                return AccountOutcome.EXCLUDED
            case _:
                return AccountOutcome.NOT_COLLECTED


Outcome = Collected | NotCollected
