"""
Trying out, without changing anything, what a scan will do in an account.

Each call of a scan is made once. A user who need not exist is asked about: IAM decides whether a call may be made
before it looks for the user, so that "no such user" means allowed. Having a report made is what a scan does as well;
AWS then keeps that report for up to four hours (IAM User Guide, credential reports).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from scanner.aws.calls import CallLog
from scanner.aws.clients import Clients
from scanner.aws.faults import REPORT_LIMIT, REPORT_PENDING, CallError, Fault
from scanner.aws.policy import NEEDED, READS
from scanner.aws.visits import RolePlan, Visit, Visitor
from scanner.examination import Examined, Trial
from scanner.interfaces import Clock, Steps
from scanner.model import Account, Caller, ReasonCode

PROBE = "orgproof-doctor"
"""
The user who is asked about. Whether there is one of that name makes no difference.
"""

_ENTRY = "sts:AssumeRole"
_ALLOWED = REPORT_PENDING | {REPORT_LIMIT, "NoSuchEntity"}
"""
Refusals that only somebody who may make the call can get.
"""

_ABOUT_ONE_USER = {"UserName": PROBE}
_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "iam:ListUsers": {"MaxItems": 1},
    "iam:ListMFADevices": _ABOUT_ONE_USER,
    "iam:GetLoginProfile": _ABOUT_ONE_USER,
    "iam:ListUserTags": _ABOUT_ONE_USER,
}


class AwsExaminer:
    """
    Tries a scan's calls in accounts. See `Examiner`. `account_deadline` is in seconds and covers one account.
    """

    def __init__(
        self,
        clients: Clients,
        clock: Clock,
        *,
        caller: Caller,
        roles: RolePlan,
        account_deadline: float,
    ) -> None:
        self._visitor = Visitor(clients, clock, caller=caller, roles=roles)
        self._clock = clock
        self._account_deadline = account_deadline

    def examine(self, account: Account) -> Steps[Examined]:
        """
        Enter an account and try each call. See `Examiner.examine`.
        """
        deadline = self._clock.monotonic() + self._account_deadline
        visit = Visit(account, CallLog(self._clock), deadline)
        trials = []
        try:
            yield from self._visitor.enter(visit)
            trials.append(Trial(_ENTRY, is_needed=True))
            for action in READS:
                trials.append((yield from self._try(visit, action)))
                if trials[-1].code in _ENDS:
                    break
        except CallError as exc:
            trials.append(_describe(exc.fault, _ENTRY, is_needed=True))
        except Exception as exc:  # noqa: BLE001 - one account's odd answer must not cost the others theirs
            what = f"what it answered could not be handled ({type(exc).__name__})"
            trials.append(
                Trial(
                    _ENTRY,
                    is_needed=True,
                    code=ReasonCode.BAD_RESPONSE,
                    error="BadResponse",
                    said=what,
                )
            )
        return Examined(account, self._visitor.name_role(account), tuple(trials))

    def _try(self, visit: Visit, action: str) -> Steps[Trial]:
        is_needed = action in NEEDED
        name = action.partition(":")[2]
        try:
            yield from self._visitor.call(
                visit, name, when=_is_worth_repeating, **_ARGUMENTS.get(action, {})
            )
        except CallError as exc:
            if exc.fault.error in _ALLOWED:
                return Trial(action, is_needed)
            return _describe(exc.fault, action, is_needed=is_needed)
        return Trial(action, is_needed)


_ENDS = frozenset({ReasonCode.CLOCK_SKEW, ReasonCode.CALLER_EXPIRED, ReasonCode.ROLE_CHAIN_EXPIRED})
"""
After these every further call would end the same way.
"""


def _is_worth_repeating(fault: Fault) -> bool:
    return fault.passing and fault.error not in _ALLOWED


def _describe(fault: Fault, action: str, *, is_needed: bool) -> Trial:
    return Trial(action, is_needed, fault.code, fault.error, fault.message)


def measure_clock(clients: Clients, clock: Clock) -> timedelta | None:
    """
    Return how far this machine's clock is ahead of AWS's, to a second or two; None where AWS says no time.

    A refusal has its time in it too: with a clock that is far off there is no other answer.
    """
    before = clock.now()
    try:
        answer = clients.sts.get_caller_identity()
    except ClientError as exc:
        answer = exc.response
    except Exception:  # noqa: BLE001 - who could not be reached is told by the account list
        return None
    theirs = _read_date(answer)
    if theirs is None:
        return None
    # AWS dated its answer between the two looks at our clock.
    middle = before + (clock.now() - before) / 2
    return middle - theirs


def _read_date(answer: Any) -> datetime | None:  # noqa: ANN401 - botocore's dictionary
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        moment = parsedate_to_datetime(str(headers.get("date", "")))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
