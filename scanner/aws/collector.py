"""
Reading one account: have its report made, fetch it, ask about its open users.

The credential report is a small state machine. A report does not exist, is being made, is ready or has
expired; asking for one may be refused for want of capacity. None of these is a failure until the
account's deadline, and while AWS makes a report this account's steps only yield a pause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tenacity import wait_random_exponential

from scanner.aws.calls import Answer, CallLog, Pauses, choose_pause, to_plain
from scanner.aws.clients import Clients
from scanner.aws.explain import explain
from scanner.aws.faults import REPORT_LIMIT, REPORT_PENDING, CallError, Fault
from scanner.aws.timing import UsualTime
from scanner.aws.visits import RolePlan, Visit, Visitor, describe_bad_answer
from scanner.confirmation import (
    GET_LOGIN_PROFILE,
    LIST_MFA_DEVICES,
    LIST_USER_TAGS,
    Candidate,
    pick_candidates,
)
from scanner.errors import OrgproofError, ReportError
from scanner.interfaces import Clock, Keep, Steps
from scanner.model import (
    Account,
    Attempt,
    Caller,
    Collected,
    NotCollected,
    Outcome,
    ReasonCode,
)
from scanner.records import encode

_CROSS_CHECK_SECONDS = 600.0
"""
How long an account may be asked about its users once its report is stored. It fits into the session.
"""
_POLLS = wait_random_exponential(multiplier=0.5, min=0.3, max=10)
_MAX_LISTED_USERS = 10_000
_CLOCKS_APART = timedelta(hours=1)
"""
How far AWS's clock and ours may be apart at most: far less than the four hours that a report is kept.
"""


@dataclass(slots=True)
class Reading:
    """
    What is known while one account is being read.
    """

    visit: Visit
    keep: Keep
    generated: datetime | None = None
    fetched: datetime | None = None


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
        self._visitor = Visitor(clients, clock, caller=caller, roles=roles)
        self._clock = clock
        self._caller = caller
        self._account_deadline = account_deadline
        self._confirm = confirm
        self._usual = UsualTime()

    def collect(self, account: Account, keep: Keep) -> Steps[Outcome]:
        """
        Read one account in steps. See `Collector.collect`.
        """
        started = self._clock.now()
        deadline = self._clock.monotonic() + self._account_deadline
        reading = Reading(Visit(account, CallLog(self._clock), deadline), keep)
        code: ReasonCode | None = None
        reason: str | None = None
        try:
            yield from self._visitor.enter(reading.visit)
            yield from self.read(reading)
        except CallError as exc:
            code = exc.fault.code
            reason = explain(
                exc.fault,
                account=account,
                caller=self._caller,
                role=self._visitor.name_role(account),
            )
        except OrgproofError:
            raise
        except Exception as exc:  # noqa: BLE001 - one account's odd answer must not cost the others theirs
            code = ReasonCode.BAD_RESPONSE
            reason = (
                f"account {account}: what it answered could not be handled ({type(exc).__name__}); "
                "please report this, and scan the account again"
            )
        keep("outcome.json", encode(self._record(reading, started, code, reason)))
        if code is None and reading.generated is not None:
            return Collected(account, reading.generated)
        return NotCollected(account, code or ReasonCode.BAD_RESPONSE, reason or "")

    def _record(
        self, reading: Reading, started: datetime, code: ReasonCode | None, reason: str | None
    ) -> Attempt:
        return Attempt(
            account_id=reading.visit.account.id,
            started=started,
            finished=self._clock.now(),
            identity=self._visitor.name_identity(reading.visit.account),
            reason_code=code,
            reason=reason,
            generated_time=None if code else reading.generated,
            fetched=None if code else reading.fetched,
            requests=tuple(reading.visit.log.requests),
        )

    def read(self, reading: Reading) -> Pauses[None]:
        """
        Read an account that was entered, and keep what it answers.
        """
        content = yield from self._await_report(reading)
        reading.keep("credential-report.csv", content)
        yield from self._cross_check(reading, content)

    def _await_report(self, reading: Reading) -> Pauses[bytes]:
        """
        Ask for a report until there is one, and return its bytes.

        Once AWS has begun to make one, it is fetched after about the time that reports took lately, and asked about
        again where it is not ready then. When AWS has no capacity to make one (`LimitExceeded`), a report that exists
        already is taken: its age is in the evidence.
        """
        polls = 0
        began = self._clock.monotonic()
        chosen = self._usual.choose()
        lacked: float | None = None
        while True:
            asked = self._clock.now()
            ready, pending = yield from self._ask_for_report(reading)
            is_begun = not (ready or pending)
            if is_begun:
                yield self._check_time(reading, chosen, None)
            try:
                content = yield from self._get_report(reading, asked if is_begun else None)
            except CallError as exc:
                if exc.fault.error not in REPORT_PENDING:
                    raise
                pending = pending or exc.fault
            else:
                if is_begun or lacked:
                    self._usual.learn(chosen, self._clock.monotonic() - began, lacked)
                return content
            polls += 1
            if is_begun:
                lacked = self._clock.monotonic() - began
            yield self._check_time(reading, choose_pause(_POLLS, polls), pending)

    def _check_time(self, reading: Reading, pause: float, pending: Fault | None) -> float:
        """
        Return how long to pause within the account's time, or raise `CallError` where that is over.
        """
        left = reading.visit.deadline - self._clock.monotonic()
        if left <= 0:
            raise CallError(pending or _late_report())
        return min(pause, left)

    def _ask_for_report(self, reading: Reading) -> Pauses[tuple[bool, Fault | None]]:
        """
        Ask AWS to make a report. Return whether one is ready, or the refusal for want of capacity.
        """
        try:
            answer = yield from self._visitor.call(
                reading.visit, "GenerateCredentialReport", when=_is_passing_here
            )
        except CallError as exc:
            if exc.fault.error != REPORT_LIMIT:
                raise
            return False, exc.fault
        return answer.get("State") == "COMPLETE", None

    def _get_report(self, reading: Reading, begun: datetime | None) -> Pauses[bytes]:
        """
        Fetch the report. One from before AWS `begun` to make a new one is not it.
        """
        answer = yield from self._visitor.call(
            reading.visit, "GetCredentialReport", shape=_check_report
        )
        if begun and answer["GeneratedTime"] < begun - _CLOCKS_APART:
            raise CallError(_late_report())
        reading.fetched = self._clock.now()
        reading.generated = answer["GeneratedTime"]
        reading.visit.deadline = self._clock.monotonic() + _CROSS_CHECK_SECONDS
        content: bytes = answer["Content"]
        return content

    def _cross_check(self, reading: Reading, content: bytes) -> Pauses[None]:
        """
        Ask for IAM's own count of users, and live about the users whom the report leaves open.

        What is refused here is noted in the outcome's requests and never costs the account its report.
        """
        if reading.generated is None:
            return
        candidates: Sequence[Candidate] = ()
        if self._confirm:
            try:
                candidates = pick_candidates(content, reading.visit.account.id, reading.generated)
            except ReportError:
                # Whether a report can be used is decided when the stored bytes are judged.
                return
        try:
            yield from self._count_users(reading, content)
            yield from self._confirm_users(reading, candidates)
        except CallError:
            # The second look has ended early. What is missing from it shows: no count, or not-checked.
            return

    def _count_users(self, reading: Reading, content: bytes) -> Pauses[None]:
        """
        Keep IAM's own count, and the list of users where the report has another number of them.
        """
        try:
            summary = yield from self._visitor.call(reading.visit, "GetAccountSummary")
            reading.keep("account-summary.json", encode(to_plain(summary)))
            # The report's lines are the header, root and the users.
            if summary.get("SummaryMap", {}).get("Users") != content.rstrip(b"\n").count(b"\n") - 1:
                users = yield from self._list_users(reading)
                reading.keep("users.json", encode({"Users": to_plain(users)}))
        except CallError as exc:
            if exc.fault.passing:
                raise

    def _confirm_users(self, reading: Reading, candidates: Sequence[Candidate]) -> Pauses[None]:
        """
        Ask about each candidate until the account's time is over.
        """
        for candidate in candidates:
            if self._clock.monotonic() >= reading.visit.deadline:
                return
            # Other accounts' turn: this one may have hundreds of users to ask about.
            yield 0.0
            yield from self._ask_about(reading, candidate)

    def _list_users(self, reading: Reading) -> Pauses[list[Any]]:
        users: list[Any] = []
        arguments: dict[str, Any] = {"MaxItems": 1000}
        while True:
            yield 0.0
            page = yield from self._visitor.call(reading.visit, "ListUsers", **arguments)
            users += page.get("Users", [])
            if not page.get("IsTruncated"):
                return users
            marker = page.get("Marker")
            if not marker or marker == arguments.get("Marker") or len(users) > _MAX_LISTED_USERS:
                raise CallError(describe_bad_answer("iam:ListUsers", "its pages lead nowhere"))
            if self._clock.monotonic() >= reading.visit.deadline:
                raise CallError(
                    describe_bad_answer("iam:ListUsers", "its pages did not end in time")
                )
            arguments["Marker"] = marker

    def _ask_about(self, reading: Reading, candidate: Candidate) -> Pauses[None]:
        """
        Ask whether a user still has a password and no MFA device, and keep the answers.

        Raises `CallError`, after keeping what there is, when the account answers nothing any more.
        """
        lost: CallError | None = None
        answers: dict[str, Any] = {}
        for operation in (LIST_MFA_DEVICES, GET_LOGIN_PROFILE, LIST_USER_TAGS):
            try:
                answer = yield from self._visitor.call(
                    reading.visit, operation, UserName=candidate.user
                )
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
        reading.keep(candidate.file, encode(record))
        if lost:
            raise lost


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
            describe_bad_answer(
                "iam:GetCredentialReport", "it holds no Content or no GeneratedTime"
            )
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
