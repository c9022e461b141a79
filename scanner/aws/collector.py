"""
The way into one account: assume the role, have the report made, fetch it, ask about its open users.

The credential report is a small state machine. A report does not exist, is being made, is ready or has
expired; asking for one may be refused for want of capacity. None of these is a failure until the
account's deadline, and while AWS makes a report this account's steps only yield a pause.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from botocore.credentials import Credentials
from tenacity import wait_random_exponential

from scanner.aws.calls import (
    Answer,
    CallLog,
    Pauses,
    call_once,
    choose_pause,
    is_passing,
    retry,
    to_plain,
)
from scanner.aws.clients import Clients, acting_as
from scanner.aws.explain import explain
from scanner.aws.faults import REPORT_LIMIT, REPORT_PENDING, CallError, Fault
from scanner.aws.policy import SESSION_POLICY
from scanner.confirmation import (
    GET_LOGIN_PROFILE,
    LIST_MFA_DEVICES,
    LIST_USER_TAGS,
    Candidate,
    pick_candidates,
)
from scanner.errors import EvidenceError, ReportError
from scanner.interfaces import Clock, Keep, Steps
from scanner.model import (
    Account,
    Attempt,
    Caller,
    Collected,
    NotCollected,
    ReasonCode,
    show,
)
from scanner.records import encode

SESSION_SECONDS = 900
"""
The shortest session AWS grants, and enough for one account.
"""

_ENTRIES = 3
_CROSS_CHECK_SECONDS = 600.0
"""
How long an account may be asked about its users once its report is stored. It fits into the session.
"""
_POLLS = wait_random_exponential(multiplier=0.5, min=0.3, max=10)
_MAX_LISTED_USERS = 10_000


@dataclass(frozen=True, slots=True)
class RolePlan:
    """
    Which role leads into which account. `others` names another role for single accounts.
    """

    name: str
    others: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = field(default=None, repr=False)
    session_name: str = "orgproof"

    def role_for(self, account_id: str) -> str:
        """
        Return the name (path included) of the role for an account.
        """
        return self.others.get(account_id, self.name)


@dataclass(slots=True)
class _Visit:
    """
    What is known while one account is being read.
    """

    account: Account
    keep: Keep
    log: CallLog
    deadline: float
    generated: datetime | None = None
    fetched: datetime | None = None
    entries: int = 0
    credentials: Credentials | None = field(default=None, repr=False)


class AwsCollector:
    """
    Reads accounts with the caller's own credentials (the caller's account) or a role (all others).

    See `Collector`. `account_deadline` is in seconds and covers one account from its first call.
    """

    def __init__(  # noqa: PLR0913 - what a visit needs, chosen once in wiring
        self,
        clients: Clients,
        clock: Clock,
        *,
        caller: Caller,
        roles: RolePlan,
        account_deadline: float,
        confirm: bool,
    ) -> None:
        self._clients = clients
        self._clock = clock
        self._caller = caller
        self._roles = roles
        self._account_deadline = account_deadline
        self._confirm = confirm

    def collect(self, account: Account, keep: Keep) -> Steps:
        """
        Read one account in steps. See `Collector.collect`.
        """
        started = self._clock.now()
        visit = _Visit(
            account,
            keep,
            CallLog(self._clock),
            self._clock.monotonic() + self._account_deadline,
        )
        code: ReasonCode | None = None
        reason: str | None = None
        try:
            content = yield from self._fetch_report(visit)
            keep("credential-report.csv", content)
            yield from self._cross_check(visit, content)
        except CallError as exc:
            code = exc.fault.code
            reason = explain(
                exc.fault, account=account, caller=self._caller, role=self._name_role(account)
            )
        except EvidenceError:
            raise
        except Exception as exc:  # noqa: BLE001 - one account's odd answer must not cost the others theirs
            code = ReasonCode.BAD_RESPONSE
            reason = (
                f"account {account}: what it answered could not be handled ({type(exc).__name__}); "
                "please report this, and scan the account again"
            )
        keep("outcome.json", encode(self._record(visit, started, code, reason)))
        if code is None and visit.generated is not None:
            return Collected(account, visit.generated)
        return NotCollected(account, code or ReasonCode.BAD_RESPONSE, reason or "")

    def _record(
        self, visit: _Visit, started: datetime, code: ReasonCode | None, reason: str | None
    ) -> Attempt:
        role = self._name_role(visit.account)
        return Attempt(
            account_id=visit.account.id,
            started=started,
            finished=self._clock.now(),
            identity=f"{role} as {self._roles.session_name}" if role else self._caller.arn,
            reason_code=code,
            reason=reason,
            generated_time=None if code else visit.generated,
            fetched=None if code else visit.fetched,
            requests=tuple(visit.log.requests),
        )

    def _name_role(self, account: Account) -> str | None:
        """
        Return the ARN of the role that leads into an account, or None for the caller's own account.
        """
        if account.id == self._caller.account_id:
            return None
        name = self._roles.role_for(account.id)
        return f"arn:{self._caller.partition}:iam::{account.id}:role/{name}"

    def _fetch_report(self, visit: _Visit) -> Pauses[bytes]:
        """
        Enter the account and return its report's bytes.
        """
        yield from self._enter(visit)
        return (yield from self._await_report(visit))

    def _enter(self, visit: _Visit) -> Pauses[None]:
        """
        Take the caller's own credentials for the caller's own account, and a role's for any other.
        """
        visit.entries += 1
        role = self._name_role(visit.account)
        if role is None:
            visit.credentials = self._clients.own
            return
        arguments = {
            "RoleArn": role,
            "RoleSessionName": self._roles.session_name,
            "DurationSeconds": SESSION_SECONDS,
            "Policy": SESSION_POLICY,
        }
        if self._roles.external_id is not None:
            arguments["ExternalId"] = self._roles.external_id

        def assume() -> Credentials:
            answer = call_once(
                "sts:AssumeRole", self._clients.sts.assume_role, visit.log, **arguments
            )
            held = answer.get("Credentials") or {}
            if not all(held.get(key) for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")):
                raise CallError(_bad_answer("sts:AssumeRole", "it holds no credentials"))
            entered = str((answer.get("AssumedRoleUser") or {}).get("Arn", ""))
            if entered.split(":")[4:5] != [visit.account.id]:
                raise CallError(_wrong_account(entered))
            return Credentials(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])

        try:
            visit.credentials = yield from retry(assume, self._clock, visit.deadline)
        except CallError as exc:
            # An expired token here is ours, not the account's: nothing was entered yet.
            if exc.fault.code is ReasonCode.ROLE_CHAIN_EXPIRED:
                raise CallError(replace(exc.fault, code=ReasonCode.CALLER_EXPIRED)) from None
            raise

    def _await_report(self, visit: _Visit) -> Pauses[bytes]:
        """
        Ask for a report until there is one, and return its bytes.

        When AWS has no capacity to make one (`LimitExceeded`), a report that exists already is taken:
        its age is in the evidence.
        """
        polls = 0
        while True:
            ready, refused = yield from self._ask_for_report(visit)
            pending: Fault | None = refused
            if ready or refused:
                try:
                    return (yield from self._get_report(visit))
                except CallError as exc:
                    if exc.fault.error not in REPORT_PENDING:
                        raise
                    pending = refused or exc.fault
            polls += 1
            left = visit.deadline - self._clock.monotonic()
            if left <= 0:
                raise CallError(pending or _late_report())
            yield min(choose_pause(_POLLS, polls), left)

    def _ask_for_report(self, visit: _Visit) -> Pauses[tuple[bool, Fault | None]]:
        """
        Ask AWS to make a report. Return whether one is ready, or the refusal for want of capacity.
        """
        try:
            answer = yield from self._call(visit, "GenerateCredentialReport", when=_is_passing_here)
        except CallError as exc:
            if exc.fault.error != REPORT_LIMIT:
                raise
            return False, exc.fault
        return answer.get("State") == "COMPLETE", None

    def _get_report(self, visit: _Visit) -> Pauses[bytes]:
        answer = yield from self._call(visit, "GetCredentialReport", shape=_check_report)
        visit.fetched = self._clock.now()
        visit.generated = answer["GeneratedTime"]
        visit.deadline = self._clock.monotonic() + _CROSS_CHECK_SECONDS
        content: bytes = answer["Content"]
        return content

    def _cross_check(self, visit: _Visit, content: bytes) -> Pauses[None]:
        """
        Ask for IAM's own count of users, and live about the users whom the report leaves open.

        What is refused here is noted in the outcome's requests and never costs the account its report.
        """
        if visit.generated is None:
            return
        try:
            candidates = pick_candidates(content, visit.account.id, visit.generated)
        except ReportError:
            # Whether a report can be used is decided when the stored bytes are judged.
            return
        try:
            yield from self._count_users(visit, content)
            yield from self._confirm_users(visit, candidates)
        except CallError:
            # The second look has ended early. What is missing from it shows: no count, or not-checked.
            return

    def _count_users(self, visit: _Visit, content: bytes) -> Pauses[None]:
        """
        Keep IAM's own count, and the list of users where the report has another number of them.
        """
        try:
            summary = yield from self._call(visit, "GetAccountSummary")
            visit.keep("account-summary.json", encode(to_plain(summary)))
            # The report's lines are the header, root and the users.
            if summary.get("SummaryMap", {}).get("Users") != content.rstrip(b"\n").count(b"\n") - 1:
                users = yield from self._list_users(visit)
                visit.keep("users.json", encode({"Users": to_plain(users)}))
        except CallError as exc:
            if exc.fault.passing:
                raise

    def _confirm_users(self, visit: _Visit, candidates: Sequence[Candidate]) -> Pauses[None]:
        """
        Ask about each candidate until the account's time is over.
        """
        for candidate in candidates if self._confirm else ():
            if self._clock.monotonic() >= visit.deadline:
                return
            # Other accounts' turn: this one may have hundreds of users to ask about.
            yield 0.0
            yield from self._ask_about(visit, candidate)

    def _list_users(self, visit: _Visit) -> Pauses[list[Any]]:
        users: list[Any] = []
        arguments: dict[str, Any] = {"MaxItems": 1000}
        while True:
            yield 0.0
            page = yield from self._call(visit, "ListUsers", **arguments)
            users += page.get("Users", [])
            if not page.get("IsTruncated"):
                return users
            marker = page.get("Marker")
            if not marker or marker == arguments.get("Marker") or len(users) > _MAX_LISTED_USERS:
                raise CallError(_bad_answer("iam:ListUsers", "its pages lead nowhere"))
            if self._clock.monotonic() >= visit.deadline:
                raise CallError(_bad_answer("iam:ListUsers", "its pages did not end in time"))
            arguments["Marker"] = marker

    def _ask_about(self, visit: _Visit, candidate: Candidate) -> Pauses[None]:
        """
        Ask whether a user still has a password and no MFA device, and keep the answers.

        Raises `CallError`, after keeping what there is, when the account answers nothing any more.
        """
        lost: CallError | None = None
        answers: dict[str, Any] = {}
        for operation in (LIST_MFA_DEVICES, GET_LOGIN_PROFILE, LIST_USER_TAGS):
            try:
                answer = yield from self._call(visit, operation, UserName=candidate.user)
                answers[operation] = {"answer": to_plain(answer)}
            except CallError as exc:
                fault = exc.fault
                answers[operation] = {"error": {"code": fault.error, "message": fault.message}}
                if fault.passing or fault.code is ReasonCode.ROLE_CHAIN_EXPIRED:
                    lost = exc
                if lost or (operation == LIST_MFA_DEVICES and fault.error == "NoSuchEntity"):
                    break
        record = {
            "arn": candidate.arn,
            "user": candidate.user,
            "asked": to_plain(self._clock.now()),
            "answers": answers,
        }
        visit.keep(candidate.file, encode(record))
        if lost:
            raise lost

    def _call(
        self,
        visit: _Visit,
        action: str,
        *,
        when: Callable[[Fault], bool] = is_passing,
        shape: Callable[[Answer], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - boto3's arguments
    ) -> Pauses[Answer]:
        """
        Make one IAM call as this account, retried; enter again when the session has ended.

        The credentials are set for the call alone.
        """
        method = getattr(self._clients.iam, _METHODS[action])

        def once() -> Answer:
            if visit.credentials is None:
                raise AssertionError("an account is entered before it is asked anything")
            with acting_as(visit.credentials):
                answer = call_once(f"iam:{action}", method, visit.log, **arguments)
            if shape is not None:
                shape(answer)
            return answer

        while True:
            try:
                return (yield from retry(once, self._clock, visit.deadline, when=when))
            except CallError as exc:
                self._check_end(visit, exc.fault)
                yield from self._enter(visit)

    def _check_end(self, visit: _Visit, fault: Fault) -> None:
        """
        Raise `CallError` unless the fault is the end of a session that may be opened anew.
        """
        if fault.code is not ReasonCode.ROLE_CHAIN_EXPIRED:
            raise CallError(fault)
        if self._name_role(visit.account) is None:
            raise CallError(replace(fault, code=ReasonCode.CALLER_EXPIRED))
        if visit.entries >= _ENTRIES:
            raise CallError(fault)


_METHODS = {
    "GenerateCredentialReport": "generate_credential_report",
    "GetCredentialReport": "get_credential_report",
    "GetAccountSummary": "get_account_summary",
    "ListUsers": "list_users",
    LIST_MFA_DEVICES: "list_mfa_devices",
    GET_LOGIN_PROFILE: "get_login_profile",
    LIST_USER_TAGS: "list_user_tags",
}


def _is_passing_here(fault: Fault) -> bool:
    """
    Tell whether GenerateCredentialReport is to be called again at once: not when capacity is lacking.
    """
    return fault.passing and fault.error != REPORT_LIMIT


def _check_report(answer: Answer) -> None:
    """
    Raise `CallError` unless the answer holds a report and the moment it was made.
    """
    content, generated = answer.get("Content"), answer.get("GeneratedTime")
    if (
        not isinstance(content, bytes)
        or not isinstance(generated, datetime)
        or not generated.tzinfo
    ):
        raise CallError(
            _bad_answer("iam:GetCredentialReport", "it holds no Content or no GeneratedTime")
        )


def _bad_answer(operation: str, what: str) -> Fault:
    return Fault(operation, ReasonCode.BAD_RESPONSE, "BadResponse", what, 200, "", passing=True)


def _wrong_account(entered: str) -> Fault:
    return Fault(
        "sts:AssumeRole",
        ReasonCode.WRONG_ACCOUNT,
        error="WrongAccount",
        message=f"the session belongs to {show(entered)[:200] or 'nobody'}",
        status=200,
        request_id="",
        passing=False,
    )


def _late_report() -> Fault:
    return Fault(
        "iam:GenerateCredentialReport",
        ReasonCode.REPORT_TIMEOUT,
        "ReportInProgress",
        "the report was still being made",
        0,
        "",
        passing=False,
    )
