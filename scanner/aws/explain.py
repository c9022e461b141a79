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
    who = "AWS said" if fault.status else "we saw"
    said = f"{who} {fault.error}: {fault.message}" if fault.message else f"{who} {fault.error}"
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
            return (
                "your own credentials have expired or are not valid; sign in again and scan the account "
                f"again ({said})"
            )
        case ReasonCode.CLOCK_SKEW:
            return f"this machine's clock is off, and AWS refuses its signatures; set it right ({said})"
        case _:
            return _say_unlucky(fault, said)


def _say_denied(fault: Fault, caller: Caller, role: str | None, said: str) -> str:
    if fault.error == "RegionDisabledException":
        return (
            f"the region asked for is not enabled; set region under [aws] in the settings ({said})"
        )
    if fault.error in {"OptInRequired", "SubscriptionRequiredException"}:
        return f"the account has not finished signing up for AWS; let its owner do so ({said})"
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
    sentences = {
        ReasonCode.REPORT_TIMEOUT: (
            "the credential report was not ready before the account's deadline; raise "
            f"account_deadline_seconds or {again}"
        ),
        ReasonCode.REPORT_LIMIT: (
            f"AWS had no capacity to make a credential report, and none exists yet; {again}"
        ),
        ReasonCode.THROTTLED: (
            f"{fault.operation} was throttled until we gave up; lower --workers or {again}"
        ),
        ReasonCode.SERVICE_ERROR: f"{fault.operation} failed within AWS until we gave up; {again}",
        ReasonCode.NETWORK: (
            f"{fault.operation} did not reach AWS; check the network and the proxy"
        ),
        ReasonCode.WRONG_ACCOUNT: (
            "the session that was handed out is another account's; find out what answers in AWS's place"
        ),
    }
    return f"{sentences.get(fault.code) or _say_odd(fault, again)} ({said})"


def _say_odd(fault: Fault, again: str) -> str:
    if fault.status in {0, 200} or fault.error.isdecimal():
        return (
            f"what answered {fault.operation} is not AWS's answer; check the proxy and the endpoint, "
            f"then {again}"
        )
    return f"{fault.operation} was answered with something this version does not know; {again}"
