"""
What goes over the wire: requests as they arrive, and AWS's two ways of writing an answer.

IAM and STS answer in XML, Organizations in JSON 1.1, and each has its own words for the same refusal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, NamedTuple
from xml.sax.saxutils import escape


class Service(StrEnum):
    """
    The services simulated, by the name that a credential scope carries.
    """

    IAM = "iam"
    STS = "sts"
    ORGANIZATIONS = "organizations"


_NAMESPACES = {
    Service.IAM: "https://iam.amazonaws.com/doc/2010-05-08/",
    Service.STS: "https://sts.amazonaws.com/doc/2011-06-15/",
}
XML = "text/xml"
JSON = "application/x-amz-json-1.1"

_JSON_WORDS = {
    "AccessDenied": ("AccessDeniedException", 400),
    "ExpiredToken": ("ExpiredTokenException", 400),
    "IncompleteSignature": ("IncompleteSignatureException", 400),
    "InternalFailure": ("ServiceException", 500),
    "InvalidAction": ("UnknownOperationException", 400),
    "InvalidClientTokenId": ("UnrecognizedClientException", 400),
    "MissingAuthenticationToken": ("MissingAuthenticationTokenException", 400),
    "ServiceFailure": ("ServiceException", 500),
    "SignatureDoesNotMatch": ("InvalidSignatureException", 400),
    "Throttling": ("TooManyRequestsException", 400),
}
"""
The JSON services' code and status for what the Query services call otherwise.
"""


class ServiceError(Exception):
    """
    A refusal with AWS's wire code, message and HTTP status. `details` are further JSON members.
    """

    def __init__(
        self, code: str, message: str, status: int, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details = details or {}


class HttpRequest(NamedTuple):
    """
    A request whose body has arrived whole. Header names are in lower case.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Delivery(Enum):
    """
    How an answer travels: as it should, or the way networks fail.
    """

    WHOLE = "whole"
    RESET = "reset"
    CUT = "cut"
    SLOW = "slow"


@dataclass(frozen=True, slots=True)
class Reply:
    """
    An answer ready to be sent. `seconds` is how long a slow delivery takes.
    """

    status: int
    content_type: str
    body: bytes
    request_id: str
    delivery: Delivery = Delivery.WHOLE
    seconds: float = 0.0


def write_answer(service: Service, operation: str, result: bytes, request_id: str) -> Reply:
    """
    Wrap what a service answered: XML for IAM and STS, JSON as it is for Organizations.
    """
    if service is Service.ORGANIZATIONS:
        return Reply(200, JSON, result, request_id)
    head = f'<{operation}Response xmlns="{_NAMESPACES[service]}"><{operation}Result>'
    tail = (
        f"</{operation}Result><ResponseMetadata><RequestId>{request_id}</RequestId>"
        f"</ResponseMetadata></{operation}Response>"
    )
    return Reply(200, XML, b"".join((head.encode(), result, tail.encode())), request_id)


def write_error(service: Service, error: ServiceError, request_id: str) -> Reply:
    """
    Write a refusal in the service's own protocol and words.
    """
    if service is Service.ORGANIZATIONS:
        code, status = _JSON_WORDS.get(error.code, (error.code, error.status))
        members = {"__type": code, "Message": error.message, **error.details}
        return Reply(status, JSON, write_json(members), request_id)
    kind = "Sender" if error.status < 500 else "Receiver"
    body = (
        f'<ErrorResponse xmlns="{_NAMESPACES[service]}"><Error><Type>{kind}</Type>'
        f"<Code>{error.code}</Code><Message>{escape(error.message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return Reply(error.status, XML, body.encode(), request_id)


def write_json(value: Mapping[str, Any]) -> bytes:
    """
    Encode a JSON answer.
    """
    return json.dumps(value, separators=(",", ":")).encode()


def write_elements(**members: str) -> str:
    """
    Write XML elements in order, their text escaped.
    """
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in members.items())
