"""
One sentence for each way an account can fail to be read: what happened, and the next step.
"""

from scanner.aws.faults import Fault
from scanner.aws.policy import READS
from scanner.model import Account, Caller, ReasonCode


def explain(fault: Fault, *, account: Account, caller: Caller, role: str | None) -> str:
    """
    Say why an account was not read, naming the account, the role or action, and what to do about it.

    `role` is the ARN of the role that leads into the account, None for the caller's own account. AWS
    answers the same for a role that is missing, one that does not trust the caller and a wrong
    external id, so the sentence names all three.
    """
    return f"account {account}: {_say(fault, caller, role)}"


def _say(fault: Fault, caller: Caller, role: str | None) -> str:
    said = (
        f"AWS said {fault.error}: {fault.message}" if fault.message else f"AWS said {fault.error}"
    )
    match fault.code:
        case ReasonCode.ACCESS_DENIED:
            return _say_denied(fault, caller, role, said)
        case ReasonCode.SCP_DENIED:
            return (
                f"a service control policy denies {fault.operation}; exempt the role from it, "
                f"or from its denied regions, for iam and sts ({said})"
            )
        case ReasonCode.ROLE_CHAIN_EXPIRED:
            return (
                f"the session in the account ended again and again before {fault.operation} was "
                f"answered; scan the account again ({said})"
            )
        case ReasonCode.CALLER_EXPIRED:
            return f"your own credentials have expired; sign in again and scan the account again ({said})"
        case ReasonCode.CLOCK_SKEW:
            return f"this machine's clock is off, and AWS refuses its signatures; set it right ({said})"
        case _:
            return _say_unlucky(fault, said)


def _say_denied(fault: Fault, caller: Caller, role: str | None, said: str) -> str:
    if fault.operation == "sts:AssumeRole":
        name = (role or "").partition(":role/")[2]
        return (
            f"role {name} could not be assumed: it does not exist, does not trust {caller.arn}, or asks for "
            f"another external id; deploy the role or pass --role-name, --external-id ({said})"
        )
    who = "role " + role.partition(":role/")[2] if role else caller.arn
    needed = ", ".join(READS)
    return f"{who} may not call {fault.operation}; allow it ({needed} are used) ({said})"


def _say_unlucky(fault: Fault, said: str) -> str:
    again = "scan the account again later"
    match fault.code:
        case ReasonCode.REPORT_TIMEOUT:
            return (
                "the credential report was not ready before the account's deadline; raise "
                f"account_deadline_seconds or {again} ({said})"
            )
        case ReasonCode.REPORT_LIMIT:
            return f"AWS had no capacity to make a credential report, and none exists yet; {again} ({said})"
        case ReasonCode.THROTTLED:
            return f"{fault.operation} was throttled until we gave up; lower --workers or {again} ({said})"
        case ReasonCode.SERVICE_ERROR:
            return f"{fault.operation} failed within AWS until we gave up; {again} ({said})"
        case ReasonCode.NETWORK:
            return f"{fault.operation} did not reach AWS; check the network and the proxy ({said})"
        case _:
            return (
                f"what answered {fault.operation} is not AWS's answer; check the proxy and the endpoint, "
                f"then {again} ({said})"
            )
