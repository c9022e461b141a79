"""
The way into one account, and calls made there: what reading an account and examining one have in common.

A session in an account lasts 15 minutes. A call that finds it ended enters again, a few times.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.credentials import Credentials

from scanner.aws.calls import Answer, CallLog, Pauses, call_once, is_passing, retry
from scanner.aws.clients import Clients, acting_as
from scanner.aws.faults import CallError, Fault, classify
from scanner.aws.policy import SESSION_POLICY
from scanner.aws.timing import SharedQuota
from scanner.confirmation import GET_LOGIN_PROFILE, LIST_MFA_DEVICES, LIST_USER_TAGS
from scanner.interfaces import Clock
from scanner.model import Account, Caller, ReasonCode, show

SESSION_SECONDS = 900
"""
The shortest session AWS grants, and enough for one account.
"""

_ENTRIES = 3
_OWN = "the caller's credentials"
_SESSION_ENDS = frozenset({ReasonCode.ROLE_CHAIN_EXPIRED, ReasonCode.CALLER_EXPIRED})


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
class Visit:
    """
    What is known while one account is being asked. `deadline` is in monotonic seconds.

    `own_key` is the caller's access key at its last entry. A guest was brought a session, and cannot enter by itself.
    """

    account: Account
    log: CallLog
    deadline: float
    entries: int = 0
    own_key: str = ""
    is_guest: bool = False
    credentials: Credentials | None = field(default=None, repr=False)


class Visitor:
    """
    Enters accounts with the caller's own credentials (the caller's account) or a role (all others), and calls IAM there.

    Once the caller's credentials have ended nobody is entered any more, until their source hands out others.
    """

    def __init__(self, clients: Clients, clock: Clock, *, caller: Caller, roles: RolePlan) -> None:
        self._clients = clients
        self._clock = clock
        self._caller = caller
        self._roles = roles
        self._ended: tuple[str, Fault] | None = None
        self._quota = SharedQuota(clock)

    def name_role(self, account: Account) -> str | None:
        """
        Return the ARN of the role that leads into an account, or None for the caller's own account.
        """
        if account.id == self._caller.account_id:
            return None
        name = self._roles.role_for(account.id)
        return f"arn:{self._caller.partition}:iam::{account.id}:role/{name}"

    def name_identity(self, account: Account) -> str:
        """
        Return as whom an account is asked: a role with its session's name, or the caller.
        """
        role = self.name_role(account)
        return f"{role} as {self._roles.session_name}" if role else self._caller.arn

    def enter(self, visit: Visit) -> Pauses[None]:
        """
        Take the caller's own credentials for the caller's own account, and a role's for any other.

        Raises `CallError` when the role cannot be assumed, what is handed out is another account's, or the caller's
        credentials have ended.
        """
        visit.entries += 1
        visit.own_key = self._check_own()
        role = self.name_role(visit.account)
        if role is None:
            visit.credentials = self._clients.own
            return
        try:
            visit.credentials = yield from self._assume(visit, role)
        except CallError as exc:
            # An expired token here is ours, not the account's: nothing was entered yet.
            if exc.fault.code not in _SESSION_ENDS:
                raise
            yield from self._lose_own(visit, exc.fault)

    def _assume(self, visit: Visit, role: str) -> Pauses[Credentials]:
        arguments = {
            "RoleArn": role,
            "RoleSessionName": self._roles.session_name,
            "DurationSeconds": SESSION_SECONDS,
            "Policy": SESSION_POLICY,
        }
        if self._roles.external_id is not None:
            arguments["ExternalId"] = self._roles.external_id

        def take_turn() -> float:
            pause = self._quota.ask()
            visit.deadline += pause  # the others' calls are not this account's time
            return pause

        def assume() -> Credentials:
            answer = self._call_sts(visit.log, arguments)
            held = answer.get("Credentials") or {}
            if not all(held.get(key) for key in ("AccessKeyId", "SecretAccessKey", "SessionToken")):
                raise CallError(describe_bad_answer("sts:AssumeRole", "it holds no credentials"))
            entered = str((answer.get("AssumedRoleUser") or {}).get("Arn", ""))
            if entered.split(":")[4:5] != [visit.account.id]:
                raise CallError(_wrong_account(entered))
            return Credentials(held["AccessKeyId"], held["SecretAccessKey"], held["SessionToken"])

        return (yield from retry(assume, self._clock, visit.deadline, turn=take_turn))

    def _call_sts(self, log: CallLog, arguments: Mapping[str, Any]) -> Answer:
        began = self._clock.monotonic()
        try:
            answer = call_once("sts:AssumeRole", self._clients.sts.assume_role, log, **arguments)
        except CallError as exc:
            if exc.fault.code is ReasonCode.THROTTLED:
                self._quota.refuse(began)
            raise
        self._quota.grant()
        return answer

    def _check_own(self) -> str:
        """
        Return the caller's access key, a new one where its source has it, or raise `CallError` where that has ended.
        """
        if self._ended is not None and not self._ended[0]:
            raise CallError(self._ended[1])
        try:
            key = str(self._clients.own.get_frozen_credentials().access_key)
        except Exception as exc:  # noqa: BLE001 - whatever a source of credentials raises
            # botocore has asked for five minutes by now before it says so, so nobody asks again.
            fault = replace(classify(_OWN, exc), code=ReasonCode.CALLER_EXPIRED, passing=False)
            self._ended = ("", fault)
            raise CallError(fault) from None
        if self._ended is not None and self._ended[0] == key:
            raise CallError(self._ended[1])
        return key

    def _lose_own(self, visit: Visit, fault: Fault) -> Pauses[None]:
        """
        Enter again where the caller has other credentials by now; else raise `CallError` for everybody from now on.
        """
        fault = replace(fault, code=ReasonCode.CALLER_EXPIRED)
        if self._check_own() == visit.own_key or visit.entries >= _ENTRIES:
            self._ended = (visit.own_key, fault)
            raise CallError(fault)
        yield from self.enter(visit)

    def call(
        self,
        visit: Visit,
        action: str,
        *,
        when: Callable[[Fault], bool] = is_passing,
        shape: Callable[[Answer], None] | None = None,
        **arguments: Any,  # noqa: ANN401 - boto3's arguments
    ) -> Pauses[Answer]:
        """
        Make one IAM call as this account, retried; enter again when the session has ended.

        The credentials are set for the call alone. `shape` looks at the answer and raises `CallError` where it is not
        what AWS sends.
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
                if visit.is_guest or not self.may_enter_again(exc.fault):
                    raise
                yield from self.enter_again(visit, exc.fault)

    def may_enter_again(self, fault: Fault) -> bool:
        """
        Tell whether a call failed because its session has ended.
        """
        return fault.code in _SESSION_ENDS

    def enter_again(self, visit: Visit, fault: Fault) -> Pauses[None]:
        """
        Enter an account whose session has ended, or raise `CallError` where that was done often enough.
        """
        if self.name_role(visit.account) is None:
            yield from self._lose_own(visit, fault)
            return
        if visit.entries >= _ENTRIES:
            raise CallError(fault)
        yield from self.enter(visit)


_METHODS = {
    "GenerateCredentialReport": "generate_credential_report",
    "GetCredentialReport": "get_credential_report",
    "GetAccountSummary": "get_account_summary",
    "ListUsers": "list_users",
    LIST_MFA_DEVICES: "list_mfa_devices",
    GET_LOGIN_PROFILE: "get_login_profile",
    LIST_USER_TAGS: "list_user_tags",
}


def describe_bad_answer(operation: str, what: str) -> Fault:
    """
    Return the fault of an answer that AWS never gives. `what` says what is wrong with it.
    """
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
