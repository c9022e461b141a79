"""
What faults do to an answer that was right: to the report in it, and to its way back.
"""

import base64
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta

from scanner.simulator.faults import Fault
from scanner.simulator.kinds import FaultKind
from scanner.simulator.organizations import step_back
from scanner.simulator.report import format_time
from scanner.simulator.tampering import tamper
from scanner.simulator.wire import Delivery, Reply, write_json

_CONTENT = re.compile(rb"(?<=<Content>)[^<]*(?=</Content>)")
_GENERATED = re.compile(rb"(?<=<GeneratedTime>)[^<]*(?=</GeneratedTime>)")
_DELIVERIES = {
    FaultKind.RESET: Delivery.RESET,
    FaultKind.CUT_BODY: Delivery.CUT,
    FaultKind.SLOW_BODY: Delivery.SLOW,
}
_LEFT_OUT = {
    FaultKind.NO_STATE: frozenset({"State"}),
    FaultKind.NO_STATUS: frozenset({"Status"}),
    FaultKind.NO_STATE_NOR_STATUS: frozenset({"State", "Status"}),
    FaultKind.NO_PATHS: frozenset({"Paths"}),
}
"""
The members of an account that listing faults leave out.
"""

_PROXY_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head>"
    b"<body><p>Your session with this network has ended.</p></body></html>\n"
)


def spoil_content(fault: Fault, result: bytes, *, foreign_id: str) -> bytes:
    """
    Return a GetCredentialReport result with its report as the fault leaves it.
    """
    if fault.kind is FaultKind.REPORT_OLD:
        return _GENERATED.sub(lambda match: _move_back(match[0], fault.seconds), result)

    def change(match: re.Match[bytes]) -> bytes:
        if fault.kind is FaultKind.BROKEN_BASE64:
            # One character short: no length that base64 can have.
            return match[0].rstrip(b"=")[:-1]
        content = base64.b64decode(match[0])
        return base64.b64encode(tamper(fault.kind, content, foreign_id=foreign_id))

    return _CONTENT.sub(change, result)


def _move_back(stamp: bytes, seconds: float) -> bytes:
    moment = datetime.fromisoformat(stamp.decode()) - timedelta(seconds=seconds)
    return format_time(moment).encode()


def spoil_listing(fault: Fault, result: bytes) -> bytes:
    """
    Return a list of accounts as the fault leaves it; anything else as it is.

    A duplicate takes a list of more than one page: the next page then repeats this one's last account.
    """
    answer = json.loads(result)
    if "Accounts" not in answer:
        return result
    if fault.kind is FaultKind.DUPLICATE_ACCOUNT:
        if answer["Accounts"] and "NextToken" in answer:
            answer["NextToken"] = step_back(answer["NextToken"])
        return write_json(answer)
    left_out = _LEFT_OUT[fault.kind]
    answer["Accounts"] = [
        {name: value for name, value in account.items() if name not in left_out}
        for account in answer["Accounts"]
    ]
    return write_json(answer)


def spoil_delivery(fault: Fault, reply: Reply) -> Reply:
    """
    Return the reply as the fault lets it arrive.
    """
    match fault.kind:
        case FaultKind.HTML:
            return replace(reply, status=200, content_type="text/html", body=_PROXY_PAGE)
        case FaultKind.BROKEN_BODY:
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        case FaultKind.SLOW_BODY if reply.delivery is not Delivery.WHOLE:
            return reply  # what does not arrive at all does not arrive slowly
        case kind:
            return replace(reply, delivery=_DELIVERIES[kind], seconds=fault.seconds)
