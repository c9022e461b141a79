"""
Refusals that a fault plan asks for, in AWS's words.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from scanner.simulator.kinds import FaultKind
from scanner.simulator.sigv4 import read_stamp, refuse_time
from scanner.simulator.wire import ServiceError


class Refused(NamedTuple):
    """
    Who was refused what, for the message. `stamp` is the time the request was signed.
    """

    caller: str
    operation: str
    resource: str
    stamp: str
    organization: str
    management: str


def refuse(kind: FaultKind, refused: Refused) -> ServiceError:
    """
    Return the error that a kind of fault answers with.
    """
    write = _WRITTEN.get(kind)
    return write(refused) if write else _PLAIN[kind]()


def deny(refused: Refused, reason: str) -> ServiceError:
    """
    Return an AccessDenied with AWS's sentence and the policy that was the reason.
    """
    return ServiceError(
        "AccessDenied",
        f"User: {refused.caller} is not authorized to perform: {refused.operation} on resource: "
        f"{refused.resource} {reason}",
        403,
    )


def _deny_by_scp(refused: Refused) -> ServiceError:
    # Since early 2026 a denial inside the organization names the policy (AWS security blog).
    policy = (
        f"arn:aws:organizations::{refused.management}:policy/{refused.organization}"
        "/service_control_policy/p-1a2b3c4d"
    )
    return deny(refused, f"with an explicit deny in a service control policy: {policy}")


def _deny_action(refused: Refused) -> ServiceError:
    return deny(refused, f"because no identity-based policy allows the {refused.operation} action")


def _refuse_old_signature(refused: Refused) -> ServiceError:
    signed = read_stamp(refused.stamp)
    return refuse_time(refused.stamp, signed, signed + timedelta(minutes=20))


_WRITTEN: dict[FaultKind, Callable[[Refused], ServiceError]] = {
    FaultKind.SCP_DENIED: _deny_by_scp,
    FaultKind.ACTION_DENIED: _deny_action,
    FaultKind.CLOCK_SKEW: _refuse_old_signature,
}

_PLAIN: dict[FaultKind, Callable[[], ServiceError]] = {
    FaultKind.LIMIT_EXCEEDED: lambda: ServiceError(
        "LimitExceeded", "No more capacity to launch new report generation tasks", 409
    ),
    FaultKind.REPORT_EXPIRED: lambda: ServiceError("ReportExpired", "Unknown", 410),
    FaultKind.REPORT_NOT_PRESENT: lambda: ServiceError("ReportNotPresent", "Unknown", 410),
    FaultKind.REPORT_IN_PROGRESS: lambda: ServiceError("ReportInProgress", "Unknown", 404),
    FaultKind.THROTTLE: lambda: ServiceError("Throttling", "Rate exceeded", 400),
    FaultKind.SERVER_ERROR: lambda: ServiceError(
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        500,
    ),
    FaultKind.SERVICE_FAILURE: lambda: ServiceError(
        "ServiceFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
        500,
    ),
    FaultKind.UNAVAILABLE: lambda: ServiceError(
        "ServiceUnavailable",
        "The request has failed due to a temporary failure of the server.",
        503,
    ),
    FaultKind.NOT_IN_ORGANIZATION: lambda: ServiceError(
        "AWSOrganizationsNotInUseException", "Your account is not a member of an organization.", 400
    ),
}
