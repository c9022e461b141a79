"""
An authenticated request as the services see it: which operation, asked by whom, about what.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from scanner.simulator.sessions import Principal
from scanner.simulator.wire import HttpRequest, Service, ServiceError

_TARGET_PREFIX = "AWSOrganizationsV20161128."


@dataclass(frozen=True, slots=True)
class Call:
    """
    One call. Parameters are text, but for Organizations', which are what JSON makes of them.
    """

    service: Service
    name: str
    parameters: Mapping[str, Any]
    principal: Principal

    @property
    def operation(self) -> str:
        """
        The operation as policies name it, such as `iam:ListUsers`.
        """
        return f"{self.service}:{self.name}"

    def text(self, name: str) -> str:
        """
        Return a parameter as text, empty where it was not given.
        """
        return str(self.parameters.get(name, ""))


def read_call(request: HttpRequest, scope: str, principal: Principal) -> Call:
    """
    Read the operation and its parameters. `scope` is the service that the signature names.

    Raises `ServiceError` for a service that is not simulated or a body that cannot be read.
    """
    try:
        service = Service(scope)
    except ValueError:
        raise ServiceError(
            "SignatureDoesNotMatch", "Credential should be scoped to correct service.", 403
        ) from None
    if service is Service.ORGANIZATIONS:
        name = request.headers.get("x-amz-target", "").removeprefix(_TARGET_PREFIX)
        return Call(service, name, _read_json(request.body), principal)
    parameters = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return Call(service, parameters.get("Action", ""), parameters, principal)


def _read_json(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServiceError("SerializationException", "The request is not a JSON object.", 400)
    return document
